//! What else may answer, drop or change ARP frames on an interface.

use foldhash::HashMap;

use super::missing::{Missing, MissingSet};
use crate::snapshot::{Interface, Interference, LinkKind, Reads, Snapshot, VlanPath};
use crate::types::IfIndex;

/// What meddles, by interface.
#[derive(Debug, Default)]
pub(super) struct Meddlers {
    any: bool,
    /// Everywhere: what can take an answer away, and what can make one.
    all: Effect,
    on: HashMap<IfIndex, Effect>,
}

/// What is unknown about frames on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Effect {
    /// May take the kernel's answer away or change it.
    pub(super) on_answers: MissingSet,
    /// May answer where the kernel does not.
    pub(super) on_silence: MissingSet,
}

impl Effect {
    const fn and(self, other: Self) -> Self {
        Self {
            on_answers: self.on_answers.and(other.on_answers),
            on_silence: self.on_silence.and(other.on_silence),
        }
    }
}

impl Meddlers {
    pub(super) fn new(interference: &[Interference]) -> Self {
        let mut meddlers = Self::default();
        for interference in interference {
            let (interface, missing, answers, silence) = match interference {
                Interference::Netfilter { interface, .. } => (*interface, Missing::Netfilter, true, false),
                Interference::TrafficControl { interface, .. } => {
                    (Some(*interface), Missing::TrafficControl, true, true)
                }
                Interference::Xdp { interface, .. } => (Some(*interface), Missing::Xdp, true, true),
                Interference::Listener { interface } => (*interface, Missing::Listener, false, true),
                // Only somebody new is concerned: Model::no_room_for() decides.
                Interference::FullNeighbourTable { .. } => continue,
                Interference::Unreadable { .. } => (None, Missing::Unreadable, true, false),
            };
            meddlers.add(interface, missing, answers, silence);
        }
        meddlers
    }

    /// With what options of links may do besides.
    pub(super) fn with_options(mut self, snapshot: &Snapshot) -> Self {
        let answering: Vec<IfIndex> = snapshot
            .interfaces
            .iter()
            .filter(|port| port.bridging.answers_for_others)
            .filter_map(|port| port.master)
            .collect();
        for interface in snapshot.interfaces.iter().filter(|interface| !interface.open_options.is_empty()) {
            self.add(Some(interface.index), Missing::LinkOption, true, true);
            // What a macvlan takes the interface below may not see.
            let below = interface.link.filter(|_| interface.kind == Some(LinkKind::Macvlan));
            let ports = snapshot.interfaces.iter().filter(|port| port.master == Some(interface.index));
            for other in below.into_iter().chain(ports.map(|port| port.index)) {
                self.add(Some(other), Missing::LinkOption, true, true);
            }
        }
        if snapshot.reads < Reads::OPTIONS {
            use LinkKind::{Bond, Bridge, Macvlan, Vxlan};
            let has = |one: &Interface| matches!(one.kind, Some(Bond | Bridge | Macvlan | Vxlan));
            for one in &snapshot.interfaces {
                if has(one) || snapshot.master_of(one).is_some_and(has) {
                    self.add(Some(one.index), Missing::OldSnapshot, true, true);
                }
            }
        }
        for port in &snapshot.interfaces {
            let Some(bridge) = port.master.and_then(|master| snapshot.interface(master)) else { continue };
            let tagged = snapshot.vlan_path(port, bridge) == VlanPath::Tagged;
            let answers = port.bridging.locked || port.bridging.unlearned || tagged;
            let silence = tagged || answering.contains(&bridge.index);
            if answers || silence {
                self.add(Some(port.index), Missing::BridgePort, answers, silence);
            }
        }
        self
    }

    fn add(&mut self, interface: Option<IfIndex>, missing: Missing, answers: bool, silence: bool) {
        self.any = true;
        let set = |yes| if yes { MissingSet::only(missing) } else { MissingSet::NONE };
        let effect = Effect { on_answers: set(answers), on_silence: set(silence) };
        match interface {
            None => self.all = self.all.and(effect),
            Some(index) => {
                let known = self.on.entry(index).or_default();
                *known = known.and(effect);
            }
        }
    }

    /// What may happen to frames on `interface`.
    pub(super) fn on(&self, interface: IfIndex) -> Effect {
        if !self.any {
            return Effect::default();
        }
        self.on.get(&interface).map_or(self.all, |effect| self.all.and(*effect))
    }
}
