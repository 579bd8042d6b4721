//! What scenes are made of: frames of few hosts, one after the other.

use arpflux_core::frame::{EtherType, Ipv4Arp, Timestamp, emit_header};
use arpflux_core::types::Mac;

use crate::{Certainty, Class, Known, Limits, Report, Table};

/// Numbers for MACs that tell nothing, and for addresses `10.0.0.N`.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) frames: Vec<(u64, Vec<u8>)>,
    /// In microseconds.
    pub(super) now: u64,
    hosts: Vec<Vec<Mac>>,
}

pub(super) const MS: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000_000;

/// A MAC of its own; 0x80 and up lie side by side on one card.
pub(super) fn mac(number: u8) -> Mac {
    match number {
        0x80.. => Mac::ethernet([0x00, 0x0c, 0x29, 0xb3, 0xa2, number]),
        _ => Mac::ethernet([0x02, number, 0x11, number, 0x22, number]),
    }
}

pub(super) const VRRP: Mac = Mac::ethernet([0, 0, 0x5e, 0, 1, 7]);
pub(super) const VRRP_8: Mac = Mac::ethernet([0, 0, 0x5e, 0, 1, 8]);
pub(super) const GLBP_1: Mac = Mac::ethernet([0, 7, 0xb4, 0, 10, 1]);
pub(super) const GLBP_2: Mac = Mac::ethernet([0, 7, 0xb4, 0, 10, 2]);
pub(super) const NLB: Mac = Mac::ethernet([3, 0xbf, 10, 0, 0, 1]);

pub(super) fn ip(last: u8) -> std::net::Ipv4Addr {
    [10, 0, 0, last].into()
}

impl Scene {
    pub(super) fn push(&mut self, frame: Vec<u8>) -> &mut Self {
        self.frames.push((self.now, frame));
        self.now += 200;
        self
    }

    pub(super) fn wait(&mut self, microseconds: u64) -> &mut Self {
        self.now += microseconds;
        self
    }

    pub(super) fn one_host(&mut self, macs: &[Mac]) -> &mut Self {
        self.hosts.push(macs.to_vec());
        self
    }

    /// `from`, who has address `of`, asks all for `target`.
    pub(super) fn ask(&mut self, from: Mac, of: u8, target: u8) -> &mut Self {
        self.push(Ipv4Arp::request(from, ip(of), ip(target)).to_frame(Mac::BROADCAST))
    }

    pub(super) fn ask_one(&mut self, from: Mac, of: u8, target: u8, to: Mac) -> &mut Self {
        self.push(Ipv4Arp::request(from, ip(of), ip(target)).to_frame(to))
    }

    pub(super) fn probe(&mut self, from: Mac, target: u8) -> &mut Self {
        self.push(Ipv4Arp::probe(from, ip(target)).to_frame(Mac::BROADCAST))
    }

    pub(super) fn answer(from: Mac, of: u8, to: Mac, peer: u8) -> Ipv4Arp {
        Ipv4Arp::reply_to(&Ipv4Arp::request(to, ip(peer), ip(of)), from)
    }

    /// `from` says to `to`, which has `peer`, that it has `of`.
    pub(super) fn reply(&mut self, from: Mac, of: u8, to: Mac, peer: u8) -> &mut Self {
        self.push(Self::answer(from, of, to, peer).to_frame(to))
    }

    /// The same in the name of `name`.
    pub(super) fn reply_as(&mut self, from: Mac, name: Mac, of: u8, to: Mac, peer: u8) -> &mut Self {
        let mut frame = Self::answer(name, of, to, peer).to_frame(to);
        frame[6..12].copy_from_slice(from.as_bytes());
        self.push(frame)
    }

    pub(super) fn announce(&mut self, from: Mac, of: u8) -> &mut Self {
        self.push(Ipv4Arp::announcement(from, ip(of)).to_frame(Mac::BROADCAST))
    }

    pub(super) fn announce_by_reply(&mut self, from: Mac, of: u8) -> &mut Self {
        self.push(Ipv4Arp::announcement_reply(from, ip(of)).to_frame(Mac::BROADCAST))
    }

    pub(super) fn packet(
        &mut self,
        (from, source): (Mac, u8),
        (to, destination): (Mac, u8),
        ttl: u8,
    ) -> &mut Self {
        let mut frame = Vec::new();
        emit_header(&mut frame, to, from, EtherType::IPV4);
        frame.extend([0x45, 0, 0, 28, 0, 0, 0x40, 0, ttl, 1, 0, 0]);
        frame.extend(ip(source).octets());
        frame.extend(ip(destination).octets());
        frame.extend([8, 0, 0, 0, 0, 0, 0, 0]);
        self.push(frame)
    }

    /// The last frame with a VLAN tag.
    pub(super) fn tagged(&mut self, vlan: u8) -> &mut Self {
        if let Some((_, frame)) = self.frames.last_mut() {
            frame.splice(12..12, [0x81, 0, 0, vlan]);
        }
        self
    }

    /// A question of the client 9 and the answers to it, each a millisecond later.
    pub(super) fn round(&mut self, of: u8, answers: &[Mac]) -> &mut Self {
        self.wait(3 * SECOND).ask(mac(9), 9, of);
        for from in answers {
            self.wait(MS).reply(*from, of, mac(9), 9);
        }
        self
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(Limits::default());
        for (time, frame) in &self.frames {
            table.observe_ethernet(Timestamp(1_700_000_000_000_000_000 + time * 1000), frame);
        }
        table
    }

    pub(super) fn report(&self) -> Report {
        self.table().report(&Known { hosts: self.hosts.clone() })
    }
}

/// What the scene is said to be as far as `10.0.0.1` goes, on the wire without tags.
#[track_caller]
pub(super) fn expect(what: &str, class: Class, scene: &Scene) -> Option<Certainty> {
    let report = scene.report();
    let found = report.addresses.iter().find(|one| one.address == ip(1) && one.vlans.is_empty());
    let found = found.unwrap_or_else(|| panic!("{what}: not in {report:#?}"));
    assert_eq!(found.class, class, "{what}: {found:#?}");
    if class.rank() == 2 {
        assert_eq!(report.ok, Some(false), "{what}");
        assert!(found.evidence.iter().any(|piece| !piece.against), "{what}: no evidence");
    }
    found.certainty
}

pub(super) fn scene(build: impl FnOnce(&mut Scene) -> &mut Scene) -> Scene {
    let mut scene = Scene::default();
    build(&mut scene);
    scene
}
