//! Where strict `rp_filter`, which no policy sets, stands in the way of one.

use super::topology::Context;
use crate::error::Error;
use crate::predict::{Model, Neighbours};
use crate::snapshot::{Interface, Snapshot};
use crate::words::listed;

/// An error with the way out, where strict `rp_filter` keeps NICs silent for addresses of their own.
pub(super) fn hinted(error: Error, context: &Context<'_>, after: &Snapshot) -> Error {
    let model = Model::of(after).without_interference();
    let mut neighbours = Neighbours::new(after);
    let mut silenced =
        |interface, local| model.strict_silences(interface, neighbours.of(interface, local), local);
    let nics = context.nics.iter();
    let nics = nics.filter(|nic| context.public(nic.index).any(|(_, local)| silenced(nic.index, local)));
    let mut nics = nics.copied().peekable();
    if nics.peek().is_none() { error } else { error.hint(hint(nics)) }
}

/// What to set on interfaces whose strict `rp_filter` stands in the way.
pub(super) fn hint<'s>(nics: impl Iterator<Item = &'s Interface>) -> String {
    let settings = nics.map(|nic| format!("net.ipv4.conf.{}.rp_filter=2", nic.name));
    format!("set {} and recommend again: a policy does not set rp_filter", listed(settings))
}
