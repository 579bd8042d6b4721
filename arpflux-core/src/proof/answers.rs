//! Who answers for an address, for all who may ask.

use std::net::Ipv4Addr;
use std::rc::Rc;

use super::prover::{Hosts, Proof, Prover};
use super::row::{Asker, Fate, Row};
use crate::types::{IfIndex, Ipv4Net};

impl Prover<'_> {
    /// Whether nobody gets an answer from any of these interfaces for these addresses.
    pub(super) fn all(&mut self, silent: impl IntoIterator<Item = (IfIndex, Ipv4Net)>) -> Proof {
        let mut cases = 0;
        let mut open = None;
        for (interface, targets) in silent {
            let (first, last) = (u32::from(targets.network()), u32::from(targets.broadcast()));
            if first == last && self.model.never_answers(interface, first.into()) {
                cases += self.cases(interface, first.into());
                continue;
            }
            let view = self.view(interface);
            let (from, to) = (view.targets.interval(first), view.targets.interval(last));
            let mut latest = None;
            for interval in from..=to {
                let class = view.targets.of[interval];
                if latest.replace(class) == Some(class) {
                    continue;
                }
                let row = self.row(interface, class);
                let target = view.targets.starts[interval].max(first);
                if let Some(asker) = row.answered {
                    let evidence = self.answered(&view, interface, target, asker);
                    return self.refuted(vec![evidence]);
                }
                cases += self.cases(interface, target.into());
                open = open.or(row.open.map(|asker| (interface, target, asker)));
            }
        }
        match open {
            None => Proof::Proved { cases },
            Some((interface, target, asker)) => self.undetermined(interface, target, asker),
        }
    }

    pub(super) fn exactly_one(&mut self, target: Ipv4Addr, among: &[IfIndex]) -> Proof {
        let number = u32::from(target);
        let mut answering: Option<(IfIndex, Asker, Rc<Row>)> = None;
        let mut open = None;
        let mut cases = 0;
        let mut owner = None;
        for interface in self.among(among) {
            cases += self.cases(interface, target);
            if self.model.never_answers(interface, target) {
                continue;
            }
            let view = self.view(interface);
            let row = self.row(interface, view.targets.class_of(target) as u32);
            if let Some(asker) = row.answered {
                match &answering {
                    Some((other, its_asker, its_row)) if its_row.answers_as != row.answers_as => {
                        // The same sender twice, where one gets both answers.
                        let (other, its_asker) = (*other, *its_asker);
                        let (a, b) = match self.answered_host(&[other, interface], number) {
                            Some((sender, unicast)) => (
                                self.asked(other, sender, number, unicast),
                                self.asked(interface, sender, number, unicast),
                            ),
                            None => {
                                let its_view = self.view(other);
                                (
                                    self.answered(&its_view, other, number, its_asker),
                                    self.answered(&view, interface, number, asker),
                                )
                            }
                        };
                        return self.refuted(vec![a, b]);
                    }
                    Some(_) => {}
                    None => answering = Some((interface, asker, Rc::clone(&row))),
                }
                if row.answers_as == Some(interface) {
                    owner = Some(interface);
                }
            } else {
                open = open.or(row.open.map(|asker| (interface, number, asker)));
            }
        }
        let Some((first, ..)) = answering else {
            if let Some((interface, target, asker)) = open {
                return self.undetermined(interface, target, asker);
            }
            let evidence = self.among(among).first().map(|interface| {
                let sender = self.somebody(*interface, number);
                self.asked(*interface, sender, number, false)
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

    pub(super) fn answers(&mut self, interface: IfIndex, target: Ipv4Addr) -> Proof {
        let neighbours = self.neighbours(interface, target);
        self.answers_each(interface, target, &neighbours)
    }

    /// Whether `interface` answers every neighbour of `subnets` that asks for `target`; anybody at all if there is none.
    pub(crate) fn answers_in(
        &mut self,
        interface: IfIndex,
        target: Ipv4Addr,
        subnets: Vec<Ipv4Net>,
    ) -> Proof {
        let neighbours = self.hosts_in(interface, subnets);
        self.answers_each(interface, target, &neighbours)
    }

    fn answers_each(&mut self, interface: IfIndex, target: Ipv4Addr, neighbours: &Hosts) -> Proof {
        let number = u32::from(target);
        let mut asked = 0;
        let mut open = None;
        for (class, sender) in neighbours.iter().copied() {
            if sender == number || self.stop.is_raised() {
                continue;
            }
            asked += 1;
            for unicast in [false, true] {
                match self.fate(interface, sender, number, unicast) {
                    Fate::Answered => {}
                    Fate::Open => open = Some(Asker { class: Some(class), unicast }),
                    Fate::Silent => {
                        let evidence = self.asked(interface, sender, number, unicast);
                        return self.refuted(vec![evidence]);
                    }
                }
            }
        }
        if asked == 0 {
            let view = self.view(interface);
            let row = self.row(interface, view.targets.class_of(target) as u32);
            if row.answered.is_none() {
                if let Some(asker) = row.open {
                    return self.undetermined(interface, number, asker);
                }
                let sender = self.somebody(interface, number);
                let evidence = self.asked(interface, sender, number, false);
                return self.refuted(vec![evidence]);
            }
        }
        match open {
            None => Proof::Proved { cases: self.cases(interface, target) },
            Some(asker) => self.undetermined(interface, number, asker),
        }
    }
}
