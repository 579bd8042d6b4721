//! Addresses that a start has booked and not published yet.
//!
//! Between the question whether an address is free and its publication lies a second, in which another
//! container may ask the same. A claim is worth as much as the process that made it: one that has ended
//! has no claims, however it ended.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The file of the claims, in the folder of its namespace.
pub(super) const FILE: &str = "claims.json";

/// A process that starts a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimant {
    pid: u32,
    /// When it began (`/proc/PID/stat`, field 22): tells it from a later one of the same number.
    started: u64,
}

impl Claimant {
    /// The process of that number; `None` if there is none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        started(pid).map(|started| Self { pid, started })
    }

    fn is_alive(self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold blanks and brackets.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    owner: String,
    by: Claimant,
}

/// All claims of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Claims(BTreeMap<IpAddr, Claim>);

impl Claims {
    /// Reads the file's text; what cannot be read counts as no claims, as they are worth seconds only.
    pub(super) fn from_json(text: &str) -> Self {
        let mut claims: Self = serde_json::from_str(text).unwrap_or_default();
        claims.0.retain(|_, claim| claim.by.is_alive());
        claims
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Who claims an address, other than `owner`.
    pub(super) fn other(&self, address: IpAddr, owner: &str) -> Option<&str> {
        self.0.get(&address).map(|claim| claim.owner.as_str()).filter(|other| *other != owner)
    }

    pub(super) fn add(&mut self, address: IpAddr, owner: &str, by: Claimant) {
        self.0.insert(address, Claim { owner: owner.to_owned(), by });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_with_its_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let address: IpAddr = "192.168.18.101".parse().unwrap();
        let mut claims = Claims::default();
        claims.add(address, "101", Claimant::of(child.id()).unwrap());
        let text = claims.to_json();
        let read = Claims::from_json(&text);
        assert_eq!(read.other(address, "102"), Some("101"));
        assert_eq!(read.other(address, "101"), None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Claims::from_json(&text), Claims::default());
        let mut reused: serde_json::Value = serde_json::from_str(&text).unwrap();
        reused["192.168.18.101"]["by"]["pid"] = std::process::id().into();
        assert_eq!(
            Claims::from_json(&reused.to_string()),
            Claims::default(),
            "another process of that number"
        );
        assert_eq!(Claims::from_json("{ torn"), Claims::default());
        assert!(Claimant::of(u32::MAX).is_none());
    }
}
