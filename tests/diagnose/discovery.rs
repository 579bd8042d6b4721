//! Hosts with IPv6: who answers neighbour solicitations on the running kernel, compared with the model; harm.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use arpflux_core::diagnose::FindingId;
use arpflux_core::harm::{Harm, harm};
use arpflux_core::predict::{Model, Solicitation, Verdict, ipv6_targets};
use arpflux_core::snapshot::{Address, AddressFlags, Snapshot};
use arpflux_core::types::Mac;
use arpflux_core::wire::{Port, probe};

use super::{Built, Scenario, build};

/// The neighbour of each wire.
pub(crate) const PEER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99);

impl Built<'_> {
    /// Waits until duplicate address detection has ended.
    pub(crate) fn detect_duplicates(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        let under_way = |held: &Address| {
            held.flags.contains(AddressFlags::TENTATIVE) && !held.flags.contains(AddressFlags::DADFAILED)
        };
        while self.snapshot().addresses.iter().any(under_way) {
            assert!(Instant::now() < end, "detection does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks for all IPv6 addresses and compares: a neighbour of each wire asks all its interfaces at once. Gives who
    /// answers, by address.
    pub(crate) fn discovery(&self, snapshot: &Snapshot) -> BTreeMap<IpAddr, BTreeSet<String>> {
        let model = Model::new(snapshot).unwrap();
        let targets: Vec<IpAddr> = ipv6_targets(snapshot).into_iter().map(IpAddr::V6).collect();
        let mut answering: BTreeMap<IpAddr, BTreeSet<String>> = BTreeMap::new();
        for (nics, peer) in self.scenario.wires.iter().zip(&self.peers) {
            if targets.is_empty() {
                continue;
            }
            let ask = || {
                let port = Port::named(&"eth0".parse().unwrap())?;
                probe::run(&port, &targets, probe::Options::default(), |_| ControlFlow::Continue(()))
            };
            for asked in peer.run(ask).unwrap().unwrap() {
                let IpAddr::V6(target) = asked.target else { continue };
                let mut expected: BTreeMap<Mac, String> = BTreeMap::new();
                for nic in nics {
                    let interface = snapshot.interface_named(&nic.parse().unwrap()).unwrap();
                    let verdict = model.advertise(&Solicitation::multicast(interface.index, PEER, target));
                    match verdict {
                        Verdict::Answers { mac, .. } => drop(expected.insert(mac, nic.clone())),
                        Verdict::Silent { .. } => {}
                        Verdict::Undetermined { missing } => panic!("{nic}, {target}: {missing}"),
                    }
                }
                let macs: BTreeSet<Mac> = asked.replies.iter().map(|reply| reply.mac).collect();
                assert_eq!(macs, expected.keys().copied().collect(), "asked for {target} on {nics:?}");
                answering.entry(asked.target).or_default().extend(expected.into_values());
            }
        }
        answering
    }
}

const ONE_SUBNET: &str = include_str!("../scenarios/sick/70-ipv6-proxied-in-one-subnet.toml");
const THREE_NICS: &str = include_str!("../scenarios/sick/70-ipv6-proxied-on-three-nics.toml");

#[test]
fn without_the_wires_nobody_knows_whether_a_proxied_ipv6_address_has_several_macs() {
    let mut scenario: Scenario = toml::from_str(THREE_NICS).unwrap();
    scenario.told = false;
    let built = build(&scenario);
    let diagnosis = built.diagnose(&built.snapshot());
    let missing: Vec<String> = diagnosis.missing.iter().map(ToString::to_string).collect();
    for nic in ["eth0", "eth3", "eth4"] {
        let of_nic = format!("on which wire {nic} is");
        assert!(
            missing.iter().any(|gap| gap.contains(&of_nic) && gap.contains("2001:db8:18::101")),
            "{diagnosis}"
        );
    }
}

#[test]
fn a_second_answer_is_harm_and_an_entry_that_waits_for_its_route_is_none() {
    let mut scenario: Scenario = toml::from_str(ONE_SUBNET).unwrap();
    let entries = scenario.commands.split_off(scenario.commands.len() - 2);
    let built = build(&scenario);
    let found_by = |command: &String| -> Vec<FindingId> {
        let before = built.snapshot();
        built.carry_out(std::slice::from_ref(command));
        let harm = harm(&before, &built.snapshot());
        let ids = harm.iter().filter_map(|harm| match harm {
            Harm::Finding { id, .. } => Some(*id),
            _ => None,
        });
        ids.collect()
    };
    let entry = "-6 neigh add proxy 2001:db8:99::7 dev eth0".to_owned();
    assert_eq!(found_by(&entry), [], "no route leads there yet");
    assert_eq!(found_by(&entries[0]), [], "one interface answers");
    assert_eq!(found_by(&entries[1]), [FindingId::Ipv6ProxySeveral]);
    let route = "-6 route del 2001:db8:18::101 dev venet0".to_owned();
    // By whichever of the two packets come in, they leave by one of the same wire.
    assert_eq!(found_by(&route), [FindingId::Ipv6ProxySameInterface; 2], "the route to the container goes");
}
