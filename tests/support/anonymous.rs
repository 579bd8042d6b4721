//! A snapshot with other names, addresses and MACs, and whether the model says the same of it.

use std::net::IpAddr;

use arpflux_core::ErrorKind;
use arpflux_core::predict::{ArpRequest, Model, Solicitation, Verdict};
use arpflux_core::snapshot::{Anonymiser, Snapshot};
use arpflux_core::types::Mac;

/// A host that is anonymised.
#[derive(Debug)]
pub struct Anonymous {
    by: Anonymiser,
    /// What stands for it.
    pub snapshot: Snapshot,
}

impl Anonymous {
    /// `None`: a filter looks at addresses in a way that cannot be kept.
    ///
    /// # Panics
    /// If it fails otherwise.
    #[must_use]
    pub fn of(host: &Snapshot) -> Option<Self> {
        let by = match Anonymiser::of(host) {
            Ok(by) => by,
            Err(error) if error.kind() == ErrorKind::Unsupported => return None,
            Err(error) => panic!("{error}"),
        };
        let snapshot = by.snapshot(host).unwrap();
        Some(Self { by, snapshot })
    }

    /// What differs in the answer to a request.
    ///
    /// # Panics
    /// If an address becomes one of the other family.
    pub fn request(&self, model: &Model<'_>, request: &ArpRequest, of_host: &Verdict) -> Option<String> {
        let v4 = |address| match self.by.address(IpAddr::V4(address)) {
            IpAddr::V4(address) => address,
            IpAddr::V6(other) => panic!("{address} became {other}"),
        };
        let mac = |mac: Mac| self.by.mac(mac);
        let other = ArpRequest {
            sender: v4(request.sender),
            target: v4(request.target),
            sender_mac: request.sender_mac.map(mac),
            ..*request
        };
        self.differs(&format!("{request:?} and {other:?}"), of_host, &model.reply(&other))
    }

    /// The same of a solicitation.
    ///
    /// # Panics
    /// As [`Anonymous::request`].
    pub fn solicitation(&self, model: &Model<'_>, asked: &Solicitation, of_host: &Verdict) -> Option<String> {
        let v6 = |address| match self.by.address(IpAddr::V6(address)) {
            IpAddr::V6(address) => address,
            IpAddr::V4(other) => panic!("{address} became {other}"),
        };
        let other = Solicitation {
            source: v6(asked.source),
            target: v6(asked.target),
            source_mac: asked.source_mac.map(|mac| self.by.mac(mac)),
            ..*asked
        };
        self.differs(&format!("{asked:?} and {other:?}"), of_host, &model.advertise(&other))
    }

    fn differs(&self, asked: &str, of_host: &Verdict, of_other: &Verdict) -> Option<String> {
        let said = |verdict: &Verdict, mac: &dyn Fn(Mac) -> Mac| match verdict {
            Verdict::Answers { mac: own, delay, advertised, .. } => {
                format!("{} {delay:?} {advertised:?} {:?}", mac(*own), verdict.reason())
            }
            Verdict::Silent { .. } => format!("silent {:?}", verdict.reason()),
            Verdict::Undetermined { missing } => format!("open {missing:?}"),
        };
        let (host, other) = (said(of_host, &|mac| self.by.mac(mac)), said(of_other, &|mac| mac));
        (host != other).then(|| format!("{asked}: {host}, anonymised {other}"))
    }
}
