//! Taking down what decided. Nothing here runs unless steps are wanted.

use std::net::Ipv4Addr;

use super::fib::{Flow, Looked};
use super::reason::Reason;
use super::reply::Run;
use super::rules::ReadyRule;
use super::step::{Lookup, Purpose, Step, Trace};
use super::verdict::Via;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, Mac};

impl<T: Trace> Run<'_, '_, T> {
    pub(super) fn trace_sysctl(&mut self, slot: usize, sysctl: Sysctl, passes: bool, meaning: &'static str) {
        if T::ON {
            let interface = self.model.interface(slot);
            let effective = self.model.snapshot.effective(interface, sysctl);
            self.trace.push(Step::Sysctl {
                interface: interface.name,
                sysctl,
                value: effective.value,
                source: effective.source,
                passes,
                meaning,
            });
        }
    }

    pub(super) fn trace_interface(&mut self, slot: Option<usize>, index: IfIndex, reason: Reason) {
        if T::ON {
            let interface = match slot {
                Some(slot) => self.model.interface(slot).name.to_string(),
                None => self.model.snapshot.name_of(index),
            };
            self.trace.push(Step::Interface { interface, reason });
        }
    }

    pub(super) fn trace_verdict(
        &mut self,
        slot: Option<usize>,
        decision: Result<(Via, Option<Mac>), Reason>,
        unicast: bool,
    ) {
        let port = slot.map(|slot| &self.model.ports[slot]);
        let interface = slot.map(|slot| self.model.interface(slot).name);
        let (reason, mac) = match decision {
            Ok((via, mac)) => {
                if let (Some(port), Some(interface)) = (port, interface)
                    && via != Via::Local
                    && !unicast
                    && port.proxy_delay > 0
                {
                    let (below_ms, queue) = (port.proxy_delay, port.proxy_qlen);
                    self.trace.push(Step::Delayed { interface, below_ms, queue });
                }
                (via.reason(), mac.or(port.map(|port| port.mac)))
            }
            Err(reason) => (reason, None),
        };
        self.trace.push(Step::Verdict { reason, mac, interface });
    }

    /// The names of interfaces.
    pub(super) fn names(&self, slots: &[u32]) -> Vec<IfName> {
        slots.iter().map(|slot| self.model.interface(*slot as usize).name).collect()
    }

    pub(super) fn trace_route(
        &mut self,
        looked: &Looked,
        flow: &Flow,
        purpose: Purpose,
        rule: Option<&ReadyRule>,
    ) {
        if T::ON {
            self.trace_lookup(Some(looked.hit.alias.route), flow, purpose, rule);
        }
    }

    pub(super) fn trace_rejected(
        &mut self,
        route: u32,
        flow: &Flow,
        purpose: Purpose,
        rule: Option<&ReadyRule>,
    ) {
        if T::ON {
            self.trace_lookup(Some(route), flow, purpose, rule);
        }
    }

    pub(super) fn trace_rule_rejects(&mut self, rule: &ReadyRule, flow: &Flow, purpose: Purpose) {
        if T::ON {
            self.trace_lookup(None, flow, purpose, Some(rule));
        }
    }

    pub(super) fn trace_no_route(&mut self, flow: &Flow, purpose: Purpose) {
        if T::ON {
            self.trace_lookup(None, flow, purpose, None);
        }
    }

    fn trace_lookup(&mut self, route: Option<u32>, flow: &Flow, purpose: Purpose, rule: Option<&ReadyRule>) {
        let snapshot = self.model.snapshot;
        let route = route.and_then(|route| snapshot.routes.get(route as usize));
        let first = route.and_then(|route| route.next_hops.first());
        self.trace.push(Step::Route(Lookup {
            purpose,
            address: Ipv4Addr::from_bits(flow.destination).into(),
            from: Ipv4Addr::from_bits(flow.source).into(),
            rule: rule.map(|rule| rule.priority),
            table: route.map(|route| route.table),
            destination: route.map(|route| route.destination),
            kind: route.map(|route| route.kind),
            interface: first
                .and_then(|hop| hop.interface)
                .and_then(|index| snapshot.interface(index))
                .map(|interface| interface.name),
            next_hops: route.map_or(0, |route| route.next_hops.len()),
        }));
    }
}
