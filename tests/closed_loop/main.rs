//! The closed loop: what a user does on a host, from end to end, judged by the wire alone, on random hosts.
//!
//! For each: who answers whom and who reaches whom; `diagnose`; each remedy; `recommend`, `apply`, and the wire again;
//! `verify`, also with frames; `diagnose` again; `rollback`. A fault is an answer or a way that is lost, a verb that
//! says other than the wire or another verb, and what is left after the rollback.
//!
//! `ARPFLUX_LOOP_HOSTS` (60) says how many hosts, `ARPFLUX_LOOP_FIRST` (1) the first seed.
#![allow(missing_docs, reason = "a test")]

mod draw;
#[path = "../differential/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::apply::Options;
use arpflux_core::diagnose::{self, FindingId, Severity};
use arpflux_core::frame::{Arp, Ethernet, Ipv4Arp, Operation};
use arpflux_core::predict::{ArpRequest, Model, Neighbours, ipv4_targets, listeners};
use arpflux_core::recommend::recommend;
use arpflux_core::snapshot::{NextHopFlags, Snapshot, WireMap};
use arpflux_core::types::Mac;
use arpflux_core::wire::Filter;
use arpflux_core::{ErrorKind, Host, Plan, verify};
use draw::Site;
use rng::Rng;

/// How long answers are waited for; those for proxied addresses are up to 50 ms late.
const WAIT: Duration = Duration::from_millis(150);

/// Who answers for what, by peer and target; and who reaches whom.
#[derive(Debug, Default)]
struct Seen {
    answers: BTreeMap<(usize, Ipv4Addr), BTreeSet<Mac>>,
    ways: BTreeSet<(String, Ipv4Addr)>,
}

impl Seen {
    /// Addresses for which a neighbour gets several MACs.
    fn flux(&self) -> BTreeSet<Ipv4Addr> {
        self.answers.iter().filter(|(_, macs)| macs.len() > 1).map(|((_, target), _)| *target).collect()
    }

    /// What was there before and is not there now.
    fn lost(before: &Seen, now: &Seen) -> Vec<String> {
        let silent = |key: &(usize, Ipv4Addr)| now.answers.get(key).is_none_or(BTreeSet::is_empty);
        let answers = before.answers.iter().filter(|(key, macs)| !macs.is_empty() && silent(key));
        let answers = answers.map(|((peer, target), _)| format!("lost answer: {target} on wire {peer}"));
        let ways = before.ways.difference(&now.ways).map(|(from, to)| format!("lost way: {from} to {to}"));
        answers.chain(ways).collect()
    }
}

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

/// Who reaches whom. A guest of an interface that holds no address may know the node by the node's own requests alone,
/// and the node asks nothing of a guest that asked first: whose turn comes first decides whether they reach each other.
/// So the node begins, then guests that heard it, then each kind of host that heard nobody, all of them at once only
/// where there are no guests.
fn ways(site: &Site, addresses: &[Ipv4Addr]) -> BTreeSet<(String, Ipv4Addr)> {
    let (mut of_node, mut of_peers, mut of_guests): (Vec<Way<'_>>, Vec<Way<'_>>, Vec<Way<'_>>) =
        Default::default();
    for (peer, nets) in &site.peers {
        of_node.extend(nets.iter().map(|net| (&site.node, net.host(1))));
        let there = addresses.iter().filter(|target| nets.iter().any(|net| net.contains(**target)));
        of_peers.extend(there.map(|target| (peer, *target)));
    }
    for (guest, address) in &site.guests {
        of_node.push((&site.node, *address));
        of_guests.extend(site.peers.iter().map(|(_, nets)| (guest, nets[0].host(1))));
        let others = addresses.iter().filter(|target| *target != address);
        of_guests.extend(others.take(2).map(|target| (guest, *target)));
    }
    if site.guests.is_empty() {
        of_node.append(&mut of_peers);
    }
    forget(site);
    let mut found = reached(of_node, "");
    if !site.guests.is_empty() {
        found.append(&mut reached(of_guests.clone(), ", that heard the node,"));
        for alone in [of_guests, of_peers] {
            forget(site);
            found.append(&mut reached(alone, ""));
        }
    }
    found
}

type Way<'s> = (&'s arpflux_lab::Host, Ipv4Addr);

/// Those of the ways that there are, all tried at once.
fn reached(ways: Vec<Way<'_>>, who: &str) -> BTreeSet<(String, Ipv4Addr)> {
    std::thread::scope(|scope| {
        let pings: Vec<_> = ways
            .into_iter()
            .map(|(from, to)| {
                let way = (format!("{}{who}", from.name()), to);
                (way, scope.spawn(move || from.ping(None, to, 1).is_ok_and(|pings| pings.received > 0)))
            })
            .collect();
        pings.into_iter().filter_map(|(way, ping)| ping.join().unwrap().then_some(way)).collect()
    })
}

fn forget(site: &Site) {
    let around = site.peers.iter().map(|(peer, _)| peer).chain(site.guests.iter().map(|(guest, _)| guest));
    for one in around.chain([&site.node]) {
        one.forget_neighbours().unwrap();
    }
}

/// Asks every address from every wire, and tries all ways.
fn look(site: &Site, addresses: &[Ipv4Addr]) -> Seen {
    let mut seen = Seen::default();
    forget(site);
    for (number, (peer, nets)) in site.peers.iter().enumerate() {
        let mut socket = peer.packet_socket("eth0", Filter::ArpReplies).unwrap();
        let mac = peer.mac("eth0").unwrap();
        let asked: Vec<(Ipv4Addr, Ipv4Addr)> = addresses
            .iter()
            .filter_map(|target| Some((nets.iter().find(|net| net.contains(*target))?.host(1), *target)))
            .collect();
        for (sender, target) in &asked {
            socket.send(&Ipv4Arp::request(mac, *sender, *target).to_frame(Mac::BROADCAST)).unwrap();
            seen.answers.insert((number, *target), BTreeSet::new());
        }
        let end = Instant::now() + WAIT;
        while let Some(received) = socket.receive(end).unwrap() {
            let arp = Ethernet::parse(received.frame).and_then(|frame| Arp::parse(frame.payload));
            let reply = arp.ok().and_then(|arp| arp.ipv4());
            if let Some(reply) =
                reply.filter(|arp| arp.operation == Operation::Reply && arp.target_mac == mac)
                && let Some(macs) = seen.answers.get_mut(&(number, reply.sender))
            {
                macs.insert(reply.sender_mac);
            }
        }
    }
    seen.ways = ways(site, addresses);
    seen
}

/// What two looks now do not find, of what was there before.
fn harm(site: &Site, addresses: &[Ipv4Addr], before: &Seen) -> (Vec<String>, Seen) {
    let now = look(site, addresses);
    if Seen::lost(before, &now).is_empty() {
        return (Vec::new(), now);
    }
    let again = look(site, addresses);
    (Seen::lost(before, &again), again)
}

/// The parts of a host that a policy changes, in no order.
fn state(snapshot: &Snapshot) -> BTreeSet<String> {
    let Snapshot { all, interfaces, routes, rules, proxies, .. } = snapshot;
    let of_each = interfaces.iter().map(|one| format!("{} {:?} {:?}", one.name, one.sysctls, one.neigh));
    // That a carrier is gone comes to routes late.
    let routes = routes.iter().cloned().map(|mut route| {
        route.next_hops.iter_mut().for_each(|hop| hop.flags.remove(NextHopFlags::LINKDOWN));
        format!("{route:?}")
    });
    let rules = rules.iter().map(|rule| format!("{rule:?}"));
    let proxies = proxies.iter().map(|entry| format!("{entry:?}"));
    of_each.chain(routes).chain(rules).chain(proxies).chain([format!("{all:?}")]).collect()
}

/// An interface of which nothing tells which wire it is on, and which answers for an address as the holder does
/// elsewhere: whether neighbours hear two MACs, no verb may say.
fn open(snapshot: &Snapshot) -> Option<String> {
    let (map, model) = (WireMap::of(snapshot), Model::new(snapshot).unwrap());
    let mut neighbours = Neighbours::new(snapshot);
    let listeners = listeners(snapshot);
    for index in map.unknown(snapshot) {
        for held in snapshot.addresses.iter().filter(|held| held.interface != index) {
            let IpAddr::V4(target) = held.local else { continue };
            if !map.is_connected(held.interface) || !listeners.contains(&held.interface) {
                continue;
            }
            let sender = neighbours.of(held.interface, target);
            let mac = |on| model.reply(&ArpRequest::broadcast(on, sender, target)).mac().copied();
            if let (Some(one), Some(other)) = (mac(held.interface), mac(index))
                && one != other
            {
                return Some(format!("{} on an unknown wire for {target}", snapshot.name_of(index)));
            }
        }
    }
    None
}

#[derive(Debug, Default)]
struct Count {
    hosts: u64,
    flux: u64,
    cured: u64,
    open: u64,
    not_recommended: u64,
    remedies: u64,
}

fn one(seed: u64, state_dir: &Path, count: &mut Count) -> (Vec<String>, Vec<String>) {
    let site = draw::draw(&mut Rng::new(seed));
    let mut faults = Vec::new();
    let node = host(&site.node);
    let addresses = ipv4_targets(&node.snapshot().unwrap());
    let (first, second) = (look(&site, &addresses), look(&site, &addresses));
    // With the neighbours that were heard, as the host has them when a plan is made: they tell of wires.
    let before = node.snapshot().unwrap();
    let steady =
        Seen { ways: first.ways.intersection(&second.ways).cloned().collect(), answers: second.answers };
    let flux = steady.flux();
    count.hosts += 1;
    count.flux += u64::from(!flux.is_empty());

    let diagnosis = before.diagnose(&diagnose::Options::default()).unwrap();
    if !flux.is_empty() && diagnosis.judgement(Some(Severity::Warning)).ok() == Some(true) {
        faults.push(format!("green diagnose over flux of {flux:?}"));
    }
    let unknown = open(&before);
    count.open += u64::from(unknown.is_some());
    if let (Some(unknown), Some(true)) = (unknown, diagnosis.judgement(Some(Severity::Warning)).ok()) {
        faults.push(format!("green diagnose beside an unknown: {unknown}"));
    }
    let options = Options::default().state_dir(state_dir);
    let mut done: Vec<&Plan> = Vec::new();
    for finding in &diagnosis.findings {
        let Some(plan) = finding.plan.as_ref().filter(|plan| !done.contains(plan)) else { continue };
        done.push(plan);
        count.remedies += 1;
        match node.apply(plan, &options) {
            Ok(applied) => {
                let (lost, _) = harm(&site, &addresses, &steady);
                faults.extend(lost.into_iter().map(|lost| format!("remedy of {}: {lost}", finding.id)));
                let then = node.snapshot().unwrap().diagnose(&diagnose::Options::default()).unwrap();
                let left = then.findings.iter().find(|then| {
                    then.id == finding.id
                        && !finding.objects.addresses.is_empty()
                        && finding.objects.addresses.iter().all(|one| then.objects.addresses.contains(one))
                });
                faults.extend(left.map(|_| format!("remedy of {} leaves it", finding.id)));
                applied.undo().unwrap();
            }
            Err(error) => faults.push(format!("remedy of {} is refused: {error}", finding.id)),
        }
    }
    // Neighbours that were heard meanwhile tell of wires.
    match recommend(&node.snapshot().unwrap()) {
        Err(error) if matches!(error.kind(), ErrorKind::Undetermined | ErrorKind::VerifyFailed) => {
            count.not_recommended += 1;
        }
        Err(error) => faults.push(format!("recommend: {error}")),
        Ok(recommended) => match node.apply(&recommended.plan, &options) {
            Err(error) => faults.push(format!("the recommended policy is refused: {error}")),
            Ok(applied) => {
                let (lost, now) = harm(&site, &addresses, &steady);
                faults.extend(lost);
                let left = now.flux();
                count.cured += u64::from(!flux.is_empty() && left.is_empty());
                let after = node.snapshot().unwrap();
                let mut report = verify::check(&recommended.policy, &after).unwrap();
                let model = report.judgement().ok();
                report.merge(verify::wire::own(&recommended.policy, &after, &node).unwrap());
                let ok = report.judgement().ok();
                if let (Some(unknown), Some(true)) = (open(&after), ok) {
                    faults.push(format!("green verify beside an unknown: {unknown}"));
                }
                if !left.is_empty() && ok == Some(true) {
                    faults.push(format!("green verify over flux of {left:?}"));
                }
                if left.is_empty() && ok == Some(false) {
                    faults.push(format!("red verify over a right wire: {}", report.failures[0]));
                }
                if model == Some(true) && ok == Some(false) {
                    faults.push(format!("model and frames disagree: {}", report.failures[0]));
                }
                let again = after.diagnose(&diagnose::Options::default()).unwrap();
                let of_a_wire =
                    [FindingId::SeveralAnswer, FindingId::SelfConflict, FindingId::TeachesWrongMac];
                let contradicts = again.findings.iter().find(|finding| of_a_wire.contains(&finding.id));
                if let (Some(finding), Some(true)) = (contradicts, ok) {
                    faults.push(format!("verify is green, and diagnose says: {}", finding.what));
                }
                applied.undo().unwrap();
            }
        },
    }
    let (was, is) = (state(&before), state(&node.snapshot().unwrap()));
    faults.extend(was.symmetric_difference(&is).map(|one| format!("not restored: {one}")));
    (site.words, faults)
}

#[test]
fn no_verb_contradicts_the_wire_and_nothing_is_lost() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (first, hosts) = (number("ARPFLUX_LOOP_FIRST", 1), number("ARPFLUX_LOOP_HOSTS", 60));
    let next = AtomicU64::new(first);
    let folder = std::env::temp_dir().join(format!("arpflux-closed-loop-{}", std::process::id()));
    let work = || {
        let (mut count, mut faulty) = (Count::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + hosts {
                return (count, faulty);
            }
            let state_dir = folder.join(seed.to_string());
            std::fs::create_dir_all(&state_dir).unwrap();
            let (words, faults) = one(seed, &state_dir, &mut count);
            if !faults.is_empty() {
                faulty.push(format!("host {seed}: {}\n    {}", words.join("; "), faults.join("\n    ")));
            }
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let _ = std::fs::remove_dir_all(&folder);
    let sum = |of: fn(&Count) -> u64| results.iter().map(|(count, _)| of(count)).sum::<u64>();
    let faulty: Vec<String> = results.iter().flat_map(|(_, faulty)| faulty.iter().cloned()).collect();
    println!(
        "{} hosts: {} with flux, {} cured, {} with an unknown wire, {} without a recommendation, {} remedies tried, {} with \
         faults",
        sum(|count| count.hosts),
        sum(|count| count.flux),
        sum(|count| count.cured),
        sum(|count| count.open),
        sum(|count| count.not_recommended),
        sum(|count| count.remedies),
        faulty.len(),
    );
    assert_eq!(sum(|count| count.hosts), hosts);
    assert!(faulty.is_empty(), "{}", faulty.join("\n"));
    assert!(hosts < 60 || sum(|count| count.flux) * 4 > hosts, "too few hosts have anything to cure");
    assert!(hosts < 60 || sum(|count| count.open) > 0, "no host has an unknown wire");
}
