//! What the model says of each state on the way: nothing that is answered before and afterwards is
//! unanswered in between, and afterwards the owner answers alone.

use std::net::{IpAddr, Ipv4Addr};

use super::host::{Host, lan};
use super::random::{Dice, random_policy, used_host};
use super::{OPENVZ_POLICY, index, plan, policy};
use crate::plan::desired::desired;
use crate::policy::{Policy, Strategy};
use crate::predict::{ArpRequest, Model};
use crate::snapshot::Snapshot;
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// The interfaces that answer `sender` about `target`.
fn answering(model: &Model<'_>, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<IfIndex> {
    let asked = model.snapshot().interfaces.iter().filter(|interface| interface.speaks_arp());
    asked
        .map(|interface| interface.index)
        .filter(|index| {
            let request = ArpRequest::broadcast(*index, sender, target);
            model.reply(&request).answers() == Some(true)
        })
        .collect()
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Senders on the links of the host, one far away, and an address probe.
fn senders(snapshot: &Snapshot) -> Vec<Ipv4Addr> {
    let near = snapshot.addresses.iter().filter_map(|held| match held.subnet() {
        crate::types::IpNet::V4(net) if net.prefix_len() < 31 && !net.addr().is_loopback() => {
            Some(Ipv4Addr::from_bits(net.addr().to_bits() + 233))
        }
        _ => None,
    });
    let mut senders: Vec<Ipv4Addr> = near.collect();
    senders.extend([Ipv4Addr::new(203, 0, 113, 9), Ipv4Addr::UNSPECIFIED]);
    senders.sort();
    senders.dedup();
    senders
}

/// Walks through the plan. Returns how many (state, sender, target) were looked at.
fn walk(before: &Snapshot, policy: &Policy, seed: u64) -> usize {
    let mut plan = policy.plan(before).unwrap();
    // An order that was lost is found again.
    if seed % 2 == 1 {
        let mut dice = Dice(seed);
        for at in (1..plan.changes.len()).rev() {
            plan.changes.swap(at, dice.roll(at as u32 + 1) as usize);
        }
        plan = plan.in_order();
    }
    let wanted = desired(policy, before).unwrap();
    let after = before.with(&plan.changes);
    let owned = wanted.host_addresses.iter().chain(&wanted.proxied);
    let targets: Vec<Ipv4Addr> = owned.filter_map(|(address, _)| v4(*address)).collect();
    let mut kept = Vec::new();
    let (first, last) = (Model::of(before), Model::of(&after));
    for sender in senders(before) {
        for target in &targets {
            let answered = |model| !answering(model, sender, *target).is_empty();
            if answered(&first) && answered(&last) {
                kept.push((sender, *target));
            }
        }
    }
    let mut state = before.clone();
    let mut looked = 0;
    for (made, change) in plan.changes.iter().enumerate() {
        state.change(change);
        let model = Model::of(&state);
        for (sender, target) in &kept {
            assert!(
                !answering(&model, *sender, *target).is_empty(),
                "seed {seed}: {sender} gets no answer about {target} after change {made} of\n{}",
                plan.changes.iter().map(|change| format!("{change}\n")).collect::<String>()
            );
            looked += 1;
        }
    }
    looked
}

#[test]
fn the_page_is_answered_throughout_and_cured() {
    for rp_filter in 0..3 {
        for forwarding in 0..2 {
            for entries in [&[2u32, 3, 4][..], &[2], &[4], &[]] {
                let mut host =
                    Host::openvz().each(Sysctl::RpFilter, rp_filter).each(Sysctl::Forwarding, forwarding);
                host.0.proxies.retain(|entry| entries.contains(&entry.interface.unwrap().0));
                assert!(walk(&host.0, &policy(OPENVZ_POLICY), 0) > 0);
                let after = host.0.with(&plan(&host, OPENVZ_POLICY).changes);
                let model = Model::of(&after);
                for sender in [Ipv4Addr::new(192, 168, 18, 129), Ipv4Addr::new(203, 0, 113, 9)] {
                    let owners = [(10, 2), (11, 3), (12, 4), (101, 3), (102, 4)];
                    for (last, owner) in owners {
                        let target = v4(lan(last)).unwrap();
                        assert_eq!(
                            answering(&model, sender, target),
                            [index(owner)],
                            "{rp_filter} {sender} {target}"
                        );
                    }
                }
                for (last, owner) in [(10, 2), (11, 3), (12, 4)] {
                    let probed = answering(&model, Ipv4Addr::UNSPECIFIED, v4(lan(last)).unwrap());
                    assert_eq!(probed, [index(owner)]);
                }
            }
        }
    }
}

#[test]
fn a_container_that_moves_is_answered_throughout() {
    for rp_filter in 0..3 {
        let host = Host::openvz().each(Sysctl::RpFilter, rp_filter);
        let applied = host.0.with(&plan(&host, OPENVZ_POLICY).changes);
        let moved = OPENVZ_POLICY.replacen("interface = \"eth3\"", "interface = \"eth4\"", 1);
        assert!(walk(&applied, &policy(&moved), 0) > 0);
    }
}

#[test]
fn random_hosts_are_answered_throughout() {
    let mut looked = 0;
    for seed in 1..=1_500u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (host, nics) = used_host(&mut dice);
        let policy = random_policy(&mut dice, nics);
        if policy.plan(&host).is_ok() {
            looked += walk(&host, &policy, seed);
        }
    }
    assert!(looked > 20_000, "{looked}");
}

/// What a strategy leaves must have been promised: where the host's own addresses are looked after, each
/// is answered on its own link, and nowhere else.
#[test]
fn random_hosts_are_cured() {
    let mut checked = 0;
    for seed in 1..=1_500u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (host, nics) = used_host(&mut dice);
        let policy = random_policy(&mut dice, nics);
        let Ok(plan) = policy.plan(&host) else { continue };
        let all_named = policy.host.interfaces.is_none();
        if policy.host.strategy == Strategy::Unmanaged || !all_named {
            continue;
        }
        let after = host.with(&plan.changes);
        let model = Model::of(&after);
        let wanted = desired(&policy, &host).unwrap();
        let managed: Vec<IfIndex> =
            wanted.sysctls.iter().filter(|w| w.sysctl != Sysctl::Forwarding).map(|w| w.interface).collect();
        if managed.is_empty() {
            continue;
        }
        for (address, owner) in wanted.host_addresses {
            let holders = host.holders_of(address).count();
            let held =
                host.addresses.iter().find(|held| held.local == address && held.interface == owner).unwrap();
            let (Some(target), crate::types::IpNet::V4(net)) = (v4(address), held.subnet()) else { continue };
            if holders > 1 || net.prefix_len() > 30 {
                continue;
            }
            let sender = Ipv4Addr::from_bits(net.addr().to_bits() + 233);
            let nested = host.routes.iter().any(|route| {
                route.table == 254
                    && (net.prefix_len() + 1..32).contains(&route.destination.prefix_len())
                    && route.destination.contains(&IpAddr::V4(sender))
            });
            if nested {
                continue;
            }
            let mut found = answering(&model, sender, target);
            // An interface that holds no address is none of the policy's business until it is named.
            found.retain(|index| managed.contains(index));
            assert!(
                found == [owner],
                "seed {seed}: {sender} about {target} of {owner}: {found:?}\n{}{:#?}\n{}\n{}",
                policy.to_toml().unwrap(),
                plan.decisions,
                plan.changes.iter().map(|change| format!("{change}\n")).collect::<String>(),
                model.explain(&ArpRequest::broadcast(owner, sender, target)),
            );
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}
