//! How each address of the registry stands.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::Serialize;

use super::Node;
use crate::error::Result;
use crate::predict::{Matrix, Model, Reason, Verdict};
use crate::snapshot::{Index, Snapshot};
use crate::types::IfIndex;
use crate::vz::plan::{self, Idle};
use crate::vz::{Held, Registry};

/// One address of the registry, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// The address.
    pub address: IpAddr,
    /// Whose it is.
    pub owner: String,
    /// Where it belongs.
    pub interface: String,
    /// Whether there is a proxy entry for it there.
    pub published: bool,
    /// Other interfaces with an entry for it; `all` for one that is tied to none.
    pub elsewhere: Vec<String>,
    /// Why it cannot be published now, if it cannot.
    pub idle: Option<Idle>,
    /// What would have to change besides for it to be reached and to leave by its own interface: the rule for its
    /// packets, the routes of the table that this leads to, `forwarding`; and why its interface answers nobody for it, where
    /// none of that is the reason.
    pub lacks: Vec<String>,
}

impl Standing {
    /// Whether it is as it should be: published in its place alone with all that this needs, or for a good
    /// reason nowhere.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.elsewhere.is_empty() && self.published == self.idle.is_none() && self.lacks.is_empty()
    }

    /// Whether all of them are as they should be; `None`: there are none, of which nothing can be said. Nothing has to be put
    /// right then, which is what `arpflux vz status` asks.
    #[must_use]
    pub fn all_right(all: &[Self]) -> Option<bool> {
        (!all.is_empty()).then(|| all.iter().all(Self::is_right))
    }

    /// How it stands, in words: `published`, or what is missing.
    #[must_use]
    pub fn state(&self) -> String {
        let mut state = match (self.published, self.idle) {
            (true, None) => "published".to_owned(),
            (false, None) => "missing".to_owned(),
            (true, Some(why)) => format!("published, though {why}"),
            (false, Some(why)) => format!("waits: {why}"),
        };
        if !self.elsewhere.is_empty() {
            state += &format!(", and also on {}", self.elsewhere.join(" "));
        }
        for lack in &self.lacks {
            state += &format!(", but not as it should be: {lack}");
        }
        state
    }
}

impl Node {
    /// How every address of the registry stands.
    ///
    /// # Errors
    /// Those of reading the state.
    pub fn standing(&self) -> Result<Vec<Standing>> {
        standing(&self.host.snapshot()?, &self.registry()?)
    }
}

/// How every address of a registry stands in a snapshot: the one judgement of what is published, for `status` and for
/// whoever verifies the host.
///
/// # Errors
/// Those of [`Model::new`].
pub(crate) fn standing(snapshot: &Snapshot, registry: &Registry) -> Result<Vec<Standing>> {
    if registry.held.is_empty() {
        return Ok(Vec::new());
    }
    let mut lacking = plan::lacking(snapshot, registry);
    let silent = silent(snapshot, registry)?;
    let index = Index::new(snapshot);
    let one = |(address, held): (&IpAddr, &Held)| {
        let there = snapshot.interface_named(&held.interface).map(|interface| interface.index);
        let entries = || snapshot.proxies.iter().filter(|entry| entry.address == *address);
        Standing {
            address: *address,
            owner: held.owner.clone(),
            interface: held.interface.to_string(),
            published: there.is_some() && entries().any(|entry| entry.interface == there),
            elsewhere: entries()
                .filter(|entry| entry.interface != there || there.is_none())
                .map(|entry| entry.interface.map_or("all".into(), |index| snapshot.name_of(index)))
                .collect(),
            idle: plan::idle(&index, *address, held),
            lacks: lacking.remove(address).unwrap_or_default(),
        }
    };
    let mut standing: Vec<Standing> = registry.held.iter().map(one).collect();
    // What arpflux did not make may silence it all the same: rules, routes and filters of others.
    for one in standing.iter_mut().filter(|one| one.is_right() && one.published) {
        let why =
            silent.get(&one.address).map(|reason| format!("{} does not answer: {reason}", one.interface));
        one.lacks.extend(why);
    }
    Ok(standing)
}

/// The addresses for which their interface answers no ordinary neighbour, with the rule of the kernel that decides.
fn silent(snapshot: &Snapshot, registry: &Registry) -> Result<HashMap<IpAddr, Reason>> {
    let model = Model::new(snapshot)?;
    let mut places: BTreeMap<IfIndex, Vec<IpAddr>> = BTreeMap::new();
    for (address, held) in &registry.held {
        if let Some(interface) = snapshot.interface_named(&held.interface) {
            places.entry(interface.index).or_default().push(*address);
        }
    }
    let asked =
        places.iter().flat_map(|(index, addresses)| Matrix::with(&model, addresses, &[*index], None).rows);
    Ok(asked
        .filter_map(|row| match row.cells.first()?.verdict {
            Verdict::Silent { reason } => Some((row.target, reason)),
            _ => None,
        })
        .collect())
}
