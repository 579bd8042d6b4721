//! Random requests to a host: what the model says, what the kernel does.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpflux_core::predict::{ArpRequest, Model, Verdict};
use arpflux_core::snapshot::{Interface, InterfaceFlags, LinkKind, MacvlanMode, Snapshot};
use arpflux_core::types::{IfIndex, Mac};

use crate::case::Case;
use crate::rng::Rng;

/// A frame to be sent, in terms that stay true when the snapshot is taken again.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The interface it arrives on.
    pub nic: IfIndex,
    pub to: Mac,
    pub vlan: Option<u16>,
    pub sender: Ipv4Addr,
    pub target: Ipv4Addr,
}

/// What the model says to a frame.
#[derive(Debug)]
pub struct Expected {
    /// Each interface that handles the frame, with the verdict.
    pub verdicts: Vec<(ArpRequest, Verdict)>,
    /// The MACs that answer, sorted; `None`: undetermined.
    pub macs: Option<Vec<[u8; 6]>>,
}

/// The interfaces that handle a frame.
pub fn receivers(snapshot: &Snapshot, ask: &Ask) -> Vec<ArpRequest> {
    let Some(nic) = snapshot.interface(ask.nic) else { return Vec::new() };
    let unicast = !ask.to.is_group();
    let request = |interface: IfIndex| ArpRequest {
        interface,
        sender: ask.sender,
        sender_mac: None,
        target: ask.target,
        unicast,
    };
    let above = |kind: &'static str| {
        snapshot.interfaces.iter().filter(move |upper| {
            upper.kind.as_ref().map(LinkKind::name) == Some(kind)
                && upper.link == Some(ask.nic)
                && upper.link_netnsid.is_none()
        })
    };
    if !nic.flags.contains(InterfaceFlags::UP) {
        return vec![request(nic.index)];
    }
    if let Some(vlan) = ask.vlan {
        return above("vlan")
            .filter(|upper| upper.vlan_id == Some(vlan))
            .map(|upper| request(upper.index))
            .collect();
    }
    let mut all = vec![request(nic.index)];
    let passthru = |upper: &&Interface| upper.macvlan_mode == Some(MacvlanMode::Passthru);
    if !unicast {
        all.extend(above("macvlan").chain(above("ipvlan")).map(|upper| request(upper.index)));
    } else if let Some(upper) = above("macvlan").find(|upper| upper.mac == ask.to && !passthru(upper)) {
        all = vec![request(upper.index)];
    }
    all
}

impl Expected {
    pub fn of(model: &Model<'_>, ask: &Ask) -> Self {
        let verdicts: Vec<_> = receivers(model.snapshot(), ask)
            .into_iter()
            .map(|request| (request, model.reply(&request)))
            .collect();
        let mut macs = Some(Vec::new());
        for (_, verdict) in &verdicts {
            match verdict {
                Verdict::Answers { mac, .. } => {
                    if let (Some(macs), Some(octets)) = (&mut macs, mac.octets()) {
                        macs.push(octets);
                    }
                }
                Verdict::Silent { .. } => {}
                Verdict::Undetermined { .. } => macs = None,
            }
        }
        if let Some(macs) = &mut macs {
            macs.sort_unstable();
        }
        Self { verdicts, macs }
    }

    /// How long an answer may take, in ms.
    pub fn delay(&self) -> u64 {
        self.verdicts
            .iter()
            .filter_map(|(_, verdict)| match verdict {
                Verdict::Answers { delay: Some(delay), .. } => Some(delay.below_ms),
                _ => None,
            })
            .max()
            .unwrap_or(0)
    }
}

/// Addresses of a host that are worth asking for and from.
pub struct Interesting {
    own: Vec<Ipv4Addr>,
    others: Vec<Ipv4Addr>,
    senders: Vec<Ipv4Addr>,
}

impl Interesting {
    pub fn of(case: &Case, snapshot: &Snapshot, rng: &mut Rng) -> Self {
        let own: Vec<Ipv4Addr> = case.addresses.clone();
        let mut others = Vec::new();
        for route in &snapshot.routes {
            if let arpflux_core::types::IpNet::V4(net) = route.destination {
                let inside = net.network().to_bits() | (rng.next() as u32 & !net.netmask().to_bits());
                others.extend([Ipv4Addr::from_bits(inside), net.broadcast()]);
            }
        }
        for proxy in &snapshot.proxies {
            if let std::net::IpAddr::V4(address) = proxy.address {
                others.extend([address; 3]);
            }
        }
        for rule in &snapshot.rules {
            for net in [rule.source, rule.destination].into_iter().flatten() {
                if let arpflux_core::types::IpNet::V4(net) = net {
                    others.push(net.network());
                }
            }
        }
        if others.is_empty() {
            others.push(Ipv4Addr::new(10, 1, 0, 77));
        }
        // Few senders: each that is answered becomes a neighbour, and the machine has one table for them.
        let mut senders = Vec::new();
        for _ in 0..10 {
            let from = if rng.percent(70) || own.is_empty() { &others } else { &own };
            let at = from[rng.below(from.len())].to_bits();
            senders.push(Ipv4Addr::from_bits(at.wrapping_add(rng.below(7) as u32).wrapping_sub(3)));
        }
        for net in [[10, 1, 0, 200], [10, 2, 0, 200], [192, 168, 5, 9], [172, 16, 0, 9], [8, 8, 8, 8]] {
            senders.push(Ipv4Addr::from(net));
        }
        Self { own, others, senders }
    }

    pub fn target(&self, rng: &mut Rng) -> Ipv4Addr {
        match rng.below(100) {
            0..=54 if !self.own.is_empty() => self.own[rng.below(self.own.len())],
            0..=87 => self.others[rng.below(self.others.len())],
            88..=91 => {
                let near = self.others[rng.below(self.others.len())].to_bits();
                Ipv4Addr::from_bits(near.wrapping_add(rng.below(5) as u32).wrapping_sub(2))
            }
            92 => Ipv4Addr::LOCALHOST,
            93 => Ipv4Addr::new(127, 0, 5, 1 + rng.below(3) as u8),
            94 => Ipv4Addr::new(224, 0, 0, 1),
            95 => Ipv4Addr::BROADCAST,
            96 => Ipv4Addr::UNSPECIFIED,
            97 => Ipv4Addr::new(0, 1, 2, 3),
            98 => Ipv4Addr::new(240, 0, 0, 1),
            _ => Ipv4Addr::from_bits(rng.next() as u32),
        }
    }

    pub fn sender(&self, rng: &mut Rng, target: Ipv4Addr) -> Ipv4Addr {
        match rng.below(100) {
            0..=69 => self.senders[rng.below(self.senders.len())],
            70..=79 => Ipv4Addr::UNSPECIFIED,
            80..=86 if !self.own.is_empty() => self.own[rng.below(self.own.len())],
            87..=90 => target,
            91..=93 => self.others[rng.below(self.others.len())],
            94 => Ipv4Addr::LOCALHOST,
            95 => Ipv4Addr::new(127, 0, 5, 9),
            96 => Ipv4Addr::new(224, 0, 0, 5),
            97 => Ipv4Addr::BROADCAST,
            98 => Ipv4Addr::new(0, 0, 0, 7),
            _ => self.senders[rng.below(self.senders.len())],
        }
    }
}

/// Counts of what came up.
#[derive(Debug, Default)]
pub struct Histogram {
    pub reasons: BTreeMap<&'static str, u64>,
    pub missing: BTreeMap<&'static str, u64>,
    pub requests: u64,
    pub answered: u64,
    pub silent: u64,
    pub undetermined: u64,
    pub hosts: u64,
    pub asked_again: u64,
    /// Hosts of which a rule looks at addresses in a way that cannot be kept with others.
    pub not_anonymised: u64,
    /// The hosts' own packets, by what became of them.
    pub own: BTreeMap<&'static str, u64>,
    /// What became of neighbour entries.
    pub learned: BTreeMap<&'static str, u64>,
    /// Whether the kernel announced addresses when an interface came up or got another MAC.
    pub announced: BTreeMap<&'static str, u64>,
}

impl Histogram {
    pub fn add(&mut self, expected: &Expected) {
        self.requests += 1;
        match &expected.macs {
            None => self.undetermined += 1,
            Some(macs) if macs.is_empty() => self.silent += 1,
            Some(_) => self.answered += 1,
        }
        for (_, verdict) in &expected.verdicts {
            match verdict {
                Verdict::Undetermined { missing } => {
                    for missing in missing.iter() {
                        *self.missing.entry(missing.code()).or_default() += 1;
                    }
                }
                _ => {
                    if let Some(reason) = verdict.reason() {
                        *self.reasons.entry(reason.code()).or_default() += 1;
                    }
                }
            }
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (code, count) in other.reasons {
            *self.reasons.entry(code).or_default() += count;
        }
        for (code, count) in other.missing {
            *self.missing.entry(code).or_default() += count;
        }
        for (outcome, count) in other.own {
            *self.own.entry(outcome).or_default() += count;
        }
        for (outcome, count) in other.learned {
            *self.learned.entry(outcome).or_default() += count;
        }
        for (outcome, count) in other.announced {
            *self.announced.entry(outcome).or_default() += count;
        }
        self.requests += other.requests;
        self.answered += other.answered;
        self.silent += other.silent;
        self.undetermined += other.undetermined;
        self.hosts += other.hosts;
        self.asked_again += other.asked_again;
        self.not_anonymised += other.not_anonymised;
    }
}

impl std::fmt::Display for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} requests to {} hosts: {} answered, {} silent, {} undetermined; {} asked again",
            self.requests, self.hosts, self.answered, self.silent, self.undetermined, self.asked_again
        )?;
        for (code, count) in &self.reasons {
            writeln!(f, "  {code:<24}{count:>9}")?;
        }
        for (code, count) in &self.missing {
            writeln!(f, "  undetermined: {code:<18}{count:>5}")?;
        }
        for (outcome, count) in &self.own {
            writeln!(f, "  own packets: {outcome:<19}{count:>5}")?;
        }
        for (outcome, count) in &self.learned {
            writeln!(f, "  frames: {outcome:<24}{count:>5}")?;
        }
        for (outcome, count) in &self.announced {
            writeln!(f, "  up or new MAC: {outcome:<17}{count:>5}")?;
        }
        Ok(())
    }
}
