//! What has to change so that a policy holds: ordered, typed, with its exact inverse.

mod change;
mod effect;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use change::{Change, Edit, SysctlScope};

use crate::snapshot::NetnsIdentity;
use crate::types::{IfIndex, IfName, Mac};

/// The `RTPROT_*` number that arpflux marks its own routes, rules and proxy entries with.
///
/// Of the range left to user space (`rtnetlink.h`); iproute2's `rt_protos` names none of this number.
pub const PROTOCOL: u8 = 175;

/// An interface as the plan saw it: `apply` refuses to go on if it is another one by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceIdentity {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// Its MAC.
    pub mac: Mac,
}

/// A gratuitous ARP (or unsolicited neighbour advertisement) to be sent after the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// From which interface, the owner.
    pub interface: IfIndex,
    /// For which address.
    pub address: IpAddr,
}

/// Ordered changes. See the [module](self) text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The namespace it was made for.
    pub netns: NetnsIdentity,
    /// The interfaces it touches or relies on.
    pub interfaces: Vec<InterfaceIdentity>,
    /// What was chosen where the policy left it open, and why: one sentence each.
    pub decisions: Vec<String>,
    /// The changes, in the order they are made.
    pub changes: Vec<Change>,
    /// What is announced afterwards.
    pub announcements: Vec<Announcement>,
}

impl Plan {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The plan that restores what was there before, in the opposite order.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self {
            netns: self.netns.clone(),
            interfaces: self.interfaces.clone(),
            decisions: Vec::new(),
            changes: self.changes.iter().rev().map(Change::inverse).collect(),
            announcements: Vec::new(),
        }
    }
}
