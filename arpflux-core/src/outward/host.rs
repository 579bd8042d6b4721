//! Records of what is done to a host.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Planned;
use crate::apply::Receipt;
use crate::persist::sysctld::Assignment;
use crate::persist::{BootReport, BootValue, FileChange};
use crate::snapshot::Snapshot;

/// What `apply --dry-run` would change.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DryRun<'a> {
    #[serde(flatten)]
    planned: Planned<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [FileChange],
}

impl<'a> DryRun<'a> {
    /// A plan with what it does, and the files that would be written.
    #[must_use]
    pub const fn new(planned: Planned<'a>, files: &'a [FileChange]) -> Self {
        Self { planned, files }
    }
}

/// Transactions that are remembered, the oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Transactions<'a> {
    /// Their receipts.
    pub transactions: &'a [Receipt],
}

impl<'a> Transactions<'a> {
    /// Those of these receipts.
    #[must_use]
    pub const fn new(transactions: &'a [Receipt]) -> Self {
        Self { transactions }
    }
}

/// What waits for confirmation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Pending {
    /// `None`: nothing does.
    pub waiting: Option<Receipt>,
}

impl Pending {
    /// What waits.
    #[must_use]
    pub const fn new(waiting: Option<Receipt>) -> Self {
        Self { waiting }
    }
}

/// Proxy entries, by name.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Proxies {
    /// Sorted by address and interface.
    pub proxies: Vec<Proxy>,
}

/// One proxy entry.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Proxy {
    /// The address answered for.
    pub address: IpAddr,
    /// The interface it answers on; `None`: on all.
    pub interface: Option<String>,
    /// Who added it (`RTPROT_*`); 0 unknown.
    pub protocol: u8,
}

impl Proxies {
    /// The proxy entries of a host.
    #[must_use]
    pub fn new(snapshot: &Snapshot) -> Self {
        let proxies = snapshot.proxies.iter().map(|entry| Proxy {
            address: entry.address,
            interface: entry.interface.map(|index| snapshot.name_of(index)),
            protocol: entry.protocol,
        });
        let mut proxies: Vec<Proxy> = proxies.collect();
        proxies.sort_by(|a, b| (a.address, &a.interface).cmp(&(b.address, &b.interface)));
        Self { proxies }
    }
}

/// What the next boot brings, with what it comes to.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Boot<'a> {
    ok: Option<bool>,
    differences: usize,
    undetermined: usize,
    #[serde(flatten)]
    report: &'a BootReport,
}

impl<'a> Boot<'a> {
    /// It is `ok` as [`BootReport::ok`] says.
    #[must_use]
    pub fn new(report: &'a BootReport) -> Self {
        Self {
            ok: report.ok(),
            differences: report.differences(),
            undetermined: report.undetermined(),
            report,
        }
    }
}

/// What sets one sysctl at boot.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SetBy<'a> {
    /// The sysctl.
    pub key: String,
    /// The lines that set it; the last one wins.
    pub lines: &'a [Assignment],
    /// What comes of it, if the boot report has it.
    pub value: Option<&'a BootValue>,
}

impl<'a> SetBy<'a> {
    /// What sets `key`.
    #[must_use]
    pub const fn new(key: String, lines: &'a [Assignment], value: Option<&'a BootValue>) -> Self {
        Self { key, lines, value }
    }
}
