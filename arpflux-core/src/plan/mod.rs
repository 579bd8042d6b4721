//! What has to change so that a policy holds: ordered, typed, with its exact inverse.
//!
//! # The order of changes
//! At every moment on the way each address that was answered before, and shall be afterwards, is
//! answered. A MAC that is wrong for a millisecond longer does less harm than silence, so what adds an
//! answer comes before what takes one away:
//!
//! 1. `proxy_delay`, `proxy_ndp`, `forwarding`: they only make proxy entries answer; and `arp_ignore`
//!    of interfaces that are silent about their own addresses (2 and 8).
//! 2. Routes of our own tables. No rule leads there yet. Where one takes the place of another of the
//!    same prefix and metric, the old one goes immediately before it.
//! 3. Proxy entries on the right interfaces. This and the first come before the rules: with
//!    `rp_filter=1` a rule for the address silences the other interfaces at once, and the right one must
//!    be ready.
//! 4. The rules for sources in the order in which the kernel tries them: without the first, packets between the
//!    host and its containers would leave by a wire.
//! 5. Rules of ours that are no longer wanted go, in the opposite order; then routes of ours that are no
//!    longer wanted, which may have led packets of the next step's addresses elsewhere.
//! 6. `arp_announce`, so that requests of the host no longer teach peers the wrong MAC; then
//!    `arp_ignore` or `arp_filter` where an interface answers for addresses of others. With `rp_filter=1` or `arp_filter=1` an interface answers
//!    for its own addresses only once the rules stand, so this comes after them.
//! 7. Proxy entries on the wrong interfaces go.
//!
//! Announcements follow when all of it is done. [`Plan::inverse`] is the same list backwards, and
//! passes through the same states. [`Plan::filter`] takes along what belongs to the changes that go, and
//! [`Plan::in_order`] finds an order again that was lost, which `apply` does by itself. Our rules for different sources share one priority; one that went
//! comes back behind the others, which means nothing, as no packet has two sources.

mod announce;
mod competing;
pub(crate) mod desired;
mod edit;
mod egress;
mod folded;
mod foreign;
mod impact;
mod interfaces;
pub(crate) mod next_hop;
mod order;
mod proxies;
pub(crate) mod published;
pub(crate) mod render;
pub(crate) mod services;
mod strategy;
mod tables;
mod view;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::json::Schema;
use crate::policy::Policy;
use crate::snapshot::{Interface, NetnsIdentity, Snapshot};
use crate::state::Object;
pub use crate::state::{Change, SysctlScope};
use crate::types::{IfIndex, IfName, Mac};
pub use egress::{RULE_PRIORITY, TABLE_BASE};
pub use folded::{Folded, Sign, Sum};
pub use impact::{Effect, Impact, Range, Turn};
pub(crate) use services::KUBE_VIP;

/// The `RTPROT_*` number that arpflux marks its own routes, rules and proxy entries with.
///
/// Of the range left to user space (`rtnetlink.h`); iproute2's `rt_protos` names none of this number.
pub const PROTOCOL: u8 = 175;

/// An interface as the plan saw it: `apply` refuses to go on if it is another one by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InterfaceIdentity {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// Its MAC.
    pub mac: Mac,
}

impl From<&Interface> for InterfaceIdentity {
    fn from(interface: &Interface) -> Self {
        Self { index: interface.index, name: interface.name, mac: interface.mac }
    }
}

/// A gratuitous ARP (or unsolicited neighbour advertisement) to be sent after the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// From which interface, the owner.
    pub interface: IfIndex,
    /// For which address.
    pub address: IpAddr,
}

/// Ordered changes. See the [module](self) text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plan {
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub(crate) schema: Schema,
    /// The namespace it was made for.
    pub netns: NetnsIdentity,
    /// Whether it may be applied in any other namespace as well: for plans made by hand, which say nothing
    /// of the interfaces they are for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_namespace: bool,
    /// The interfaces it touches or relies on.
    pub interfaces: Vec<InterfaceIdentity>,
    /// What was chosen where the policy left it open, and why: one sentence each.
    pub decisions: Vec<String>,
    /// The changes, in the order they are made.
    pub changes: Vec<Change>,
    /// What is announced afterwards.
    pub announcements: Vec<Announcement>,
    /// Addresses for which nobody on this host is to answer afterwards, as was asked for: silence about these is no
    /// [harm](crate::harm).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silence: Vec<IpAddr>,
}

impl Plan {
    setters!(
        netns: NetnsIdentity,
        interfaces: Vec<InterfaceIdentity>,
        changes: Vec<Change>,
        announcements: Vec<Announcement>,
    );

    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The plan that restores what was there before, in the opposite order.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self {
            schema: Schema,
            netns: self.netns.clone(),
            any_namespace: self.any_namespace,
            interfaces: self.interfaces.clone(),
            decisions: Vec::new(),
            changes: self.changes.iter().rev().map(Change::inverse).collect(),
            announcements: Vec::new(),
            silence: Vec::new(),
        }
    }
}

impl Policy {
    /// What has to change on the host that `snapshot` shows so that this policy holds. Pure: it needs
    /// no privileges and works on a stored snapshot. On a host where the policy holds already, the plan
    /// is empty.
    ///
    /// Nothing is written to `net.ipv4.conf.all` or `default`, no rule, route or entry of others is
    /// touched but the proxy entries that the policy forbids.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidPolicy`] as [`Policy::check`]; [`crate::ErrorKind::NotFound`] if an
    /// interface is not there; [`crate::ErrorKind::Refused`] if the policy would not work on this host,
    /// or would leave an address without an answer; [`crate::ErrorKind::Unsupported`] if an interface has
    /// no such sysctl. Each says what to do instead.
    pub fn plan(&self, snapshot: &Snapshot) -> Result<Plan> {
        self.plan_and_desired(snapshot).map(|(plan, _)| plan)
    }

    /// The same, with all that the policy wants.
    ///
    /// # Errors
    /// As [`Policy::plan`].
    pub(crate) fn plan_and_desired(&self, snapshot: &Snapshot) -> Result<(Plan, desired::Desired)> {
        let mut desired = desired::desired(self, snapshot)?;
        let changes = order::changes(&desired, snapshot)?;
        let announcements = match self.host.announce {
            true => announce::announcements(&desired, snapshot, &changes),
            false => Vec::new(),
        };
        let mut touched: Vec<IfIndex> = desired.interfaces.clone();
        // Entries that come are of interfaces that the policy is about; there may be very many.
        let others = changes.iter().filter(|change| {
            !matches!((&change.object, change.after.is_there()), (Object::Proxy { .. }, true))
        });
        touched.extend(others.filter_map(Change::interface));
        touched.sort();
        touched.dedup();
        let identity = |index: &IfIndex| snapshot.interface(*index).map(InterfaceIdentity::from);
        let plan = Plan {
            schema: Schema,
            netns: snapshot.netns.clone(),
            any_namespace: false,
            interfaces: touched.iter().filter_map(identity).collect(),
            decisions: std::mem::take(&mut desired.decisions),
            changes,
            announcements,
            silence: desired
                .services
                .iter()
                .filter(|service| service.answerer.is_none())
                .map(|service| service.address.into())
                .collect(),
        };
        event!(DEBUG, changes = plan.changes.len(), announcements = plan.announcements.len(), "planned");
        Ok((plan, desired))
    }
}
