//! Where strict `rp_filter`, which no policy sets, stands in the way of one.

use super::topology::Context;
use crate::error::Error;
use crate::predict::{Model, Neighbours};
use crate::snapshot::Snapshot;
use crate::words::listed;

/// An error with the way out, where strict `rp_filter` keeps NICs silent for addresses of their own.
pub(super) fn hinted(error: Error, context: &Context<'_>, after: &Snapshot) -> Error {
    let model = Model::of(after).without_interference();
    let mut neighbours = Neighbours::new(after);
    let mut silenced =
        |interface, local| model.strict_silences(interface, neighbours.of(interface, local), local);
    let nics = context.nics.iter();
    let nics = nics.filter(|nic| context.public(nic.index).any(|(_, local)| silenced(nic.index, local)));
    let settings: Vec<String> = nics.map(|nic| format!("net.ipv4.conf.{}.rp_filter=2", nic.name)).collect();
    if settings.is_empty() {
        return error;
    }
    error.hint(format!("set {} and recommend again: a policy does not set rp_filter", listed(settings)))
}
