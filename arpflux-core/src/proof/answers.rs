//! Who answers for an address, for all who may ask.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::prover::{Hosts, Proof, Prover};
use super::row::{Asker, Fate, Row};
use crate::types::{IfIndex, IpNet, Ipv4Net};

impl Prover<'_> {
    /// Whether nobody gets an answer from any of these interfaces for these addresses.
    pub(super) fn all(&mut self, silent: impl IntoIterator<Item = (IfIndex, IpNet)>) -> Proof {
        let mut cases = 0;
        let mut open = None;
        for (interface, targets) in silent {
            for target in self.stand_for(interface, targets) {
                cases += self.cases(interface, target);
                if self.certainly_silent(interface, target) {
                    continue;
                }
                let row = self.row(interface, target);
                if let Some(asker) = row.answered {
                    let evidence = self.answered(interface, target, asker);
                    return self.refuted(vec![evidence]);
                }
                open = open.or(row.open.map(|asker| (interface, target, asker)));
            }
        }
        match open {
            None => Proof::Proved { cases },
            Some((interface, target, asker)) => self.undetermined(interface, target, asker),
        }
    }

    /// Addresses of a prefix that stand for all of them on an interface.
    fn stand_for(&mut self, interface: IfIndex, targets: IpNet) -> Vec<IpAddr> {
        if targets.prefix_len() == targets.max_prefix_len() {
            return vec![targets.addr()];
        }
        match targets {
            IpNet::V4(targets) => self.one_of_each_class(interface, targets),
            IpNet::V6(targets) => self.who_may_be_answered_for(targets),
        }
    }

    fn one_of_each_class(&mut self, interface: IfIndex, targets: Ipv4Net) -> Vec<IpAddr> {
        let (first, last) = (u32::from(targets.network()), u32::from(targets.broadcast()));
        let view = self.view(interface);
        let (from, to) = (view.targets.interval(first), view.targets.interval(last));
        let mut latest = None;
        let new = |interval: usize| {
            let class = view.targets.of[interval];
            let target = Ipv4Addr::from(view.targets.starts[interval].max(first));
            (latest.replace(class) != Some(class)).then_some(IpAddr::V4(target))
        };
        (from..=to).filter_map(new).collect()
    }

    pub(super) fn exactly_one(&mut self, target: IpAddr, among: &[IfIndex]) -> Proof {
        let mut answering: Option<(IfIndex, Asker, Rc<Row>)> = None;
        let mut open = None;
        let mut cases = 0;
        let mut owner = None;
        for interface in self.among(among) {
            cases += self.cases(interface, target);
            if self.certainly_silent(interface, target) {
                continue;
            }
            let row = self.row(interface, target);
            if let Some(asker) = row.answered {
                match &answering {
                    Some((other, its_asker, its_row)) if its_row.answers_as != row.answers_as => {
                        // The same sender twice, where one gets both answers.
                        let (other, its_asker) = (*other, *its_asker);
                        let evidence = match self.answered_host(&[other, interface], target) {
                            Some((sender, unicast)) => {
                                [other, interface].map(|on| self.asked(on, sender, target, unicast))
                            }
                            None => [(other, its_asker), (interface, asker)]
                                .map(|(on, asker)| self.answered(on, target, asker)),
                        };
                        return self.refuted(evidence.to_vec());
                    }
                    Some(_) => {}
                    None => answering = Some((interface, asker, Rc::clone(&row))),
                }
                if row.answers_as == Some(interface) {
                    owner = Some(interface);
                }
            } else {
                open = open.or(row.open.map(|asker| (interface, target, asker)));
            }
        }
        let Some((first, ..)) = answering else {
            if let Some((interface, target, asker)) = open {
                return self.undetermined(interface, target, asker);
            }
            let evidence = self.among(among).first().map(|interface| {
                let sender = self.somebody(*interface, target);
                self.asked(*interface, sender, target, false)
            });
            return self.refuted(evidence.into_iter().collect());
        };
        match self.answers(owner.unwrap_or(first), target) {
            Proof::Proved { .. } => match open {
                None => Proof::Proved { cases },
                Some((interface, target, asker)) => self.undetermined(interface, target, asker),
            },
            other => other,
        }
    }

    pub(super) fn answers(&mut self, interface: IfIndex, target: IpAddr) -> Proof {
        let neighbours = self.neighbours(interface, target);
        self.answers_each(interface, target, &neighbours)
    }

    /// Whether `interface` answers every neighbour of `subnets` that asks for `target`; anybody at all if there is none. Of
    /// IPv6, whoever has a link-local address is a neighbour, too.
    pub(crate) fn answers_in(&mut self, interface: IfIndex, target: IpAddr, subnets: Vec<IpNet>) -> Proof {
        let neighbours = self.hosts_in(interface, target, subnets);
        self.answers_each(interface, target, &neighbours)
    }

    fn answers_each(&mut self, interface: IfIndex, target: IpAddr, neighbours: &Hosts) -> Proof {
        let mut asked = 0;
        let mut open = None;
        for (class, sender) in neighbours.iter().copied() {
            if sender == target || self.stop.is_raised() {
                continue;
            }
            asked += 1;
            for unicast in Self::ways(target).iter().copied() {
                match self.fate(interface, sender, target, unicast) {
                    Fate::Answered => {}
                    Fate::Open => open = Some(Asker { class: Some(class), unicast }),
                    Fate::Silent => {
                        let evidence = self.asked(interface, sender, target, unicast);
                        return self.refuted(vec![evidence]);
                    }
                }
            }
        }
        if asked == 0 {
            let row = self.row(interface, target);
            if row.answered.is_none() {
                if let Some(asker) = row.open {
                    return self.undetermined(interface, target, asker);
                }
                let sender = self.somebody(interface, target);
                let evidence = self.asked(interface, sender, target, false);
                return self.refuted(vec![evidence]);
            }
        }
        match open {
            None => Proof::Proved { cases: self.cases(interface, target) },
            Some(asker) => self.undetermined(interface, target, asker),
        }
    }
}
