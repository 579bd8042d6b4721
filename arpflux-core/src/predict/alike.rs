//! Interfaces of which the same is to be said.

use std::collections::HashMap;

use super::{AddressAnswers, AnswerOn, Purpose, Step};

impl AddressAnswers {
    /// The interfaces in groups of those on which the same rules decide in the same way, apart from the
    /// interface's own name and MAC and who asks there. Groups that answer come first.
    #[must_use]
    pub fn alike(&self) -> Vec<Vec<&AnswerOn>> {
        let Some(first) = self.interfaces.first() else { return Vec::new() };
        let mut groups: Vec<Vec<&AnswerOn>> = Vec::new();
        let mut places: HashMap<Vec<Step>, usize> = HashMap::new();
        for on in &self.interfaces {
            let probe = on.probe.iter().flat_map(|probe| &probe.steps);
            let steps = on.reply.steps.iter().chain(probe).map(|step| as_if(step, on, first)).collect();
            let place = *places.entry(steps).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[place].push(on);
        }
        groups.sort_by_key(|group| match group[0].reply.verdict.answers() {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        });
        groups
    }
}

/// A step on `on` as it would be on `other`.
fn as_if(step: &Step, on: &AnswerOn, other: &AnswerOn) -> Step {
    let mut step = step.clone();
    match &mut step {
        Step::Request { interface, sender, .. } => {
            *interface = other.interface.to_string();
            if *sender == on.sender_ip {
                *sender = other.sender_ip;
            }
        }
        Step::Interface { interface, .. } => *interface = other.interface.to_string(),
        Step::Handed { from, .. } if *from == on.interface => *from = other.interface,
        Step::Sysctl { interface, .. }
        | Step::Ipv6Sysctl { interface, .. }
        | Step::Delayed { interface, .. }
            if *interface == on.interface =>
        {
            *interface = other.interface;
        }
        Step::Route(lookup) => {
            if lookup.purpose == Purpose::Sender {
                lookup.destination = None;
            }
            for address in [&mut lookup.address, &mut lookup.from] {
                if *address == on.sender_ip {
                    *address = other.sender_ip;
                }
            }
            if lookup.interface == Some(on.interface) {
                lookup.interface = Some(other.interface);
            }
        }
        Step::Refused { address, .. } | Step::SenderAddress { address, .. } if *address == on.sender_ip => {
            *address = other.sender_ip;
        }
        Step::ProxyEntry { interface, .. } if *interface == Some(on.interface) => {
            *interface = Some(other.interface);
        }
        Step::Verdict { mac, interface, .. } => {
            if *mac == Some(on.mac) {
                *mac = Some(other.mac);
            }
            if *interface == Some(on.interface) {
                *interface = Some(other.interface);
            }
        }
        _ => {}
    }
    step
}
