//! Requests for one address, put to a host's twin: the kernel's own answers beside the model's.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::{Difference, Heard, LeftOut};
use crate::judgement::Judgement;
use crate::predict::{AddressAnswers, Missing};
use crate::types::IfName;

/// What the kernel of a twin answered to requests for one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tried {
    /// The kernel that was asked (`uname -r`).
    pub kernel: String,
    /// The requests, and what was heard.
    pub requests: Vec<TriedRequest>,
    /// What arpflux was wrong about: the twin is not the host, the kernel does not as the model says.
    pub faults: Vec<String>,
    /// As [`Rehearsal::difference`](super::Rehearsal::difference).
    pub difference: Option<Difference>,
    /// What was not tried, one sentence each.
    pub open: Vec<String>,
    /// What the twin has by something else, without a difference to the answers.
    pub stand_ins: Vec<LeftOut>,
    /// What the twin does not have. Answers that it decides about are open.
    pub left_out: Vec<LeftOut>,
}

/// A request that was put to a wire of a twin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TriedRequest {
    /// The number of the wire, as `interfaces` of the answers have it.
    pub wire: usize,
    /// The interfaces of the host that hear it.
    pub interfaces: Vec<IfName>,
    /// Who asked; 0.0.0.0 in a probe.
    pub sender_ip: Ipv4Addr,
    /// The answers.
    pub heard: Vec<Heard>,
    /// Why that says nothing about the host, if so.
    pub open: Option<String>,
}

impl Tried {
    /// Whether several MACs answered on one wire; `None`: not seen, and not all says something about the host.
    #[must_use]
    pub fn flux(&self) -> Option<bool> {
        let told = |request: &&TriedRequest| request.open.is_none();
        if self.requests.iter().filter(told).any(|request| request.heard.len() > 1) {
            return Some(true);
        }
        let all = self.open.is_empty() && !self.requests.is_empty();
        (all && self.requests.iter().all(|request| told(&request))).then_some(false)
    }
}

impl AddressAnswers {
    /// The same with what the kernel of a twin answered. Where the model cannot tell, for nothing but the version of the
    /// kernel, the kernel has told. A fault of the model or of the twin is bad.
    #[must_use]
    pub fn tried(mut self, tried: Tried) -> Self {
        let by_version = self.judgement.missing().iter().all(|gap| gap.missing == Missing::KernelVersion);
        match tried.flux() {
            Some(flux) if self.flux.is_none() && (flux || by_version) => {
                self.flux = Some(flux);
                self.judgement = Judgement::of(!flux);
            }
            _ => {}
        }
        if !tried.faults.is_empty() {
            self.judgement = Judgement::Bad;
        }
        self.tried = Some(tried);
        self
    }

    /// The IPv4 address that they are about.
    #[must_use]
    pub const fn ipv4(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::host::Host;
    use crate::predict::{Matrix, Model};
    use crate::snapshot::Interference;
    use crate::types::{IfIndex, Mac};

    fn heard(count: u8, open: Option<&str>) -> Tried {
        let one = |last| Heard { mac: Mac::ethernet([2, 0, 0, 0, 0, last]), interfaces: Vec::new() };
        let request = TriedRequest {
            wire: 0,
            interfaces: Vec::new(),
            sender_ip: Ipv4Addr::UNSPECIFIED,
            heard: (0..count).map(one).collect(),
            open: open.map(Into::into),
        };
        Tried {
            kernel: String::new(),
            requests: vec![request],
            faults: Vec::new(),
            difference: None,
            open: Vec::new(),
            stand_ins: Vec::new(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn the_kernel_tells_what_its_version_does_not_and_no_more() {
        let answers = |xdp: bool| {
            let mut host = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "eth1", &[]).0;
            if xdp {
                host.interference.push(Interference::Xdp { interface: IfIndex(2), program: None });
                host.interference.push(Interference::Xdp { interface: IfIndex(3), program: None });
            }
            let model = Model::new(&host).unwrap();
            let matrix =
                Matrix::with(&model, &["10.0.0.1".parse().unwrap()], &[IfIndex(2), IfIndex(3)], None);
            let mut answers = AddressAnswers::new(&model, &matrix, &matrix.rows[0], None);
            if !xdp {
                (answers.flux, answers.judgement) =
                    (None, Judgement::Undetermined { missing: Vec::new(), apart: None });
            }
            answers
        };
        let ok = |xdp, tried| answers(xdp).tried(tried).judgement.ok();
        assert_eq!(ok(false, heard(1, None)), Some(true));
        assert_eq!(ok(false, heard(2, None)), Some(false));
        assert_eq!(ok(false, heard(1, Some("XDP"))), None);
        assert_eq!(answers(true).judgement.ok(), None);
        assert_eq!(ok(true, heard(1, None)), None, "the model misses more than the version");
        assert_eq!(ok(true, heard(2, Some("XDP"))), None);
        assert_eq!(ok(false, Tried { faults: vec!["x".into()], ..heard(1, None) }), Some(false));
        assert_eq!(ok(false, Tried { open: vec!["x".into()], ..heard(1, None) }), None);
    }
}
