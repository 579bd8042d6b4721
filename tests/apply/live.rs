//! Transactions on the running kernel: kills, races and many writers, the whole namespace
//! compared afterwards.
#![allow(missing_docs, reason = "a test")]

#[path = "../../arpflux-core/src/apply/tests/comparable.rs"]
mod comparable;
#[path = "../../arpflux-core/src/apply/tests/random.rs"]
mod random;
#[path = "../../arpflux-core/src/apply/tests/scratch.rs"]
mod scratch;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use arpflux_core::apply::{Outcome, Receipt, Transaction, recover};
use arpflux_core::kernel::{Failed, Kernel, LinuxKernel};
use arpflux_core::plan::{Announcement, InterfaceIdentity, PROTOCOL, Plan};
use arpflux_core::snapshot::{NetnsIdentity, ProxyEntry, Snapshot};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::Mac;
use arpflux_core::{ErrorKind, Host};
use arpflux_lab::{Host as Node, Lab};
use arpflux_tests::iproute::ip;
use comparable::comparable;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use random::Random;
use scratch::Scratch;

/// A host with three interfaces on one wire, two that are down, and a few entries of somebody else's.
fn node(lab: &Lab) -> Node {
    let lan = lab.switch("lan").unwrap();
    let hn = lab.host("hn").unwrap();
    for number in 0..3_u8 {
        let name = format!("eth{number}");
        hn.plug(&lan, &name, Mac::ethernet([2, 0, 0, 0, 0, number])).unwrap();
        hn.address(&name, &format!("192.168.18.{}/24", 10 + number)).unwrap();
    }
    hn.proxy("eth0", "192.0.2.77".parse().unwrap()).unwrap();
    hn.sysctl("net/ipv4/conf/eth1/arp_ignore", 2).unwrap();
    hn.run(|| ip("link add idle0 type veth peer name idle1")).unwrap();
    hn
}

fn snapshot(kernel: &mut LinuxKernel) -> Snapshot {
    comparable(&kernel.snapshot().unwrap())
}

fn sysctl(snapshot: &Snapshot, name: &str, sysctl: Sysctl, after: i32) -> Change {
    let interface = snapshot.interface_named(&name.parse().unwrap()).unwrap();
    let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
    Change::set(Object::Sysctl { scope, sysctl }, interface.sysctls.get(sysctl).unwrap(), after)
}

type Edit = fn(ProxyEntry) -> Change;

/// Of interfaces that are down: values that go another way than those of the others.
fn idle(snapshot: &Snapshot) -> impl Iterator<Item = Change> {
    let of = |name| [Sysctl::ArpIgnore, Sysctl::ArpFilter].map(|which| sysctl(snapshot, name, which, 1));
    of("idle0").into_iter().chain(of("idle1"))
}

fn proxy(snapshot: &Snapshot, name: &str, edit: Edit, address: [u8; 4]) -> Change {
    let interface = Some(snapshot.interface_named(&name.parse().unwrap()).unwrap().index);
    edit(ProxyEntry::new(address.into(), interface).protocol(PROTOCOL))
}

fn identities(snapshot: &Snapshot) -> Vec<InterfaceIdentity> {
    let of = |i: &arpflux_core::snapshot::Interface| InterfaceIdentity {
        index: i.index,
        name: i.name,
        mac: i.mac,
    };
    snapshot.interfaces.iter().map(of).collect()
}

#[test]
fn killed_at_any_moment() {
    let lab = Lab::new().unwrap();
    let hn = node(&lab);
    let scratch = Scratch::new("live-random-kills");
    let options = scratch.options();
    let ends = hn
        .run(|| {
            let mut kernel = LinuxKernel::open().unwrap();
            let before = snapshot(&mut kernel);
            let mut changes: Vec<Change> = (0..400_u16)
                .map(|n| proxy(&before, "eth1", Change::add, [10, 0, (n >> 8) as u8, n as u8]))
                .collect();
            changes.push(sysctl(&before, "eth2", Sysctl::ArpIgnore, 1));
            changes.extend(idle(&before));
            let plan = Plan::for_any_namespace().changes(changes);
            let after = comparable(&before.with(&plan.changes));
            let mut random = Random::new(5);
            let mut ends = [0, 0];
            // How long a child may live, in µs: follows what this machine gets done in that time.
            let mut life = 30_000;
            for round in 0..80 {
                // SAFETY: the child allocates and makes system calls, and leaves by _exit.
                let child = match unsafe { fork() }.unwrap() {
                    ForkResult::Child => {
                        let mut kernel = LinuxKernel::open().unwrap();
                        loop {
                            let done = Transaction::new(&mut kernel, &options).apply(&plan).is_ok()
                                && Transaction::new(&mut kernel, &options).rollback(None, false).is_ok();
                            if !done {
                                // SAFETY: nothing of the parent's is run.
                                unsafe { nix::libc::_exit(1) }
                            }
                        }
                    }
                    ForkResult::Parent { child } => child,
                };
                std::thread::sleep(Duration::from_micros(500 + random.below(life) as u64));
                nix::sys::signal::kill(child, Signal::SIGKILL).unwrap();
                assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Signaled(..)), "round {round}");
                recover(&mut kernel, &options, false).unwrap();
                let now = snapshot(&mut kernel);
                if now == after {
                    ends[1] += 1;
                    Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
                } else {
                    ends[0] += 1;
                }
                assert!(snapshot(&mut kernel) == before, "round {round}: neither before nor after");
                if ends[0] > 3 * ends[1] {
                    life = (life + life / 4).min(2_000_000);
                } else if ends[1] > 3 * ends[0] {
                    life = (life - life / 4).max(1_000);
                }
            }
            ends
        })
        .unwrap();
    println!("80 kills at random moments: {} ended before, {} after", ends[0], ends[1]);
    assert!(ends[0] >= 5 && ends[1] >= 5, "{ends:?}: the moments are not spread");
}

/// A kernel in which something happens just before the change of number `at`.
struct Meddled<'a> {
    kernel: LinuxKernel,
    at: usize,
    action: Option<Box<dyn FnOnce() + 'a>>,
}

impl Kernel for Meddled<'_> {
    fn snapshot(&mut self) -> arpflux_core::Result<Snapshot> {
        self.kernel.snapshot()
    }

    fn make(&mut self, changes: &[Change]) -> Result<(), Failed> {
        for (at, change) in changes.iter().enumerate() {
            if self.at == 0
                && let Some(action) = self.action.take()
            {
                action();
            }
            self.at = self.at.wrapping_sub(1);
            self.kernel.make(std::slice::from_ref(change)).map_err(|failed| Failed { at, ..failed })?;
        }
        Ok(())
    }
}

#[test]
fn interfaces_that_change_between_plan_and_apply_or_during_it() {
    let lab = Lab::new().unwrap();
    let elsewhere = lab.switch("elsewhere").unwrap();
    let make_again = |hn: &Node| {
        hn.delete("eth2").unwrap();
        hn.plug(&elsewhere, "eth2", Mac::ethernet([2, 0, 0, 0, 0, 2])).unwrap();
    };
    let rename = |hn: &Node| hn.rename("eth2", "lan2").unwrap();
    let delete = |hn: &Node| hn.delete("eth2").unwrap();
    let swap = |hn: &Node| {
        hn.rename("eth2", "tmp0").unwrap();
        hn.rename("eth1", "eth2").unwrap();
        hn.rename("tmp0", "eth1").unwrap();
    };
    let mac = |hn: &Node| hn.set_mac("eth2", Mac::ethernet([2, 9, 9, 9, 9, 9])).unwrap();
    type Action<'a> = &'a (dyn Fn(&Node) + Sync);
    let actions: [(&str, Action<'_>); 5] = [
        ("made again", &make_again),
        ("renamed", &rename),
        ("deleted", &delete),
        ("swapped", &swap),
        ("other MAC", &mac),
    ];
    let mut seen = 0;
    for (what, action) in actions {
        // Before the first change: between plan and apply. Later: during it.
        for at in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
            let hn = node(&lab);
            let scratch = Scratch::new(&format!("race-{}-{}", what.replace(' ', "-"), at.unwrap_or(9)));
            let options = scratch.options();
            let host = hn.clone();
            hn.run(|| {
                let mut kernel = LinuxKernel::open().unwrap();
                let start = kernel.snapshot().unwrap();
                let plan = Plan::for_any_namespace().interfaces(identities(&start)).changes(vec![
                    sysctl(&start, "eth0", Sysctl::ArpIgnore, 1),
                    sysctl(&start, "eth2", Sysctl::ArpIgnore, 1),
                    proxy(&start, "eth2", Change::add, [192, 0, 2, 9]),
                    sysctl(&start, "eth1", Sysctl::ArpAnnounce, 2),
                ]);
                // What would be there without arpflux: the interfaces as the action leaves them.
                let result = match at {
                    None => {
                        action(&host);
                        Transaction::new(&mut kernel, &options).apply(&plan)
                    }
                    Some(at) => {
                        // At 4 there is no change left: it happens before nothing, so apply succeeds.
                        let mut kernel = Meddled {
                            kernel: LinuxKernel::open().unwrap(),
                            at,
                            action: Some(Box::new(|| action(&host))),
                        };
                        let result = Transaction::new(&mut kernel, &options).apply(&plan);
                        if at == 4 {
                            assert!(kernel.action.is_some());
                        }
                        result
                    }
                };
                let now = kernel.snapshot().unwrap();
                let point = format!("{what}, at {at:?}: {result:?}");
                if at == Some(4) {
                    assert_eq!(result.unwrap().outcome, Outcome::Applied, "{what}");
                    return;
                }
                let error = result.expect_err(&point);
                assert!(matches!(error.kind(), ErrorKind::Changed | ErrorKind::RolledBack), "{point}");
                assert!(error.to_string().contains("eth") || error.to_string().contains("lan2"), "{point}");
                // Nothing of the plan is in force on anything.
                assert!(now.proxies.iter().all(|entry| entry.address.to_string() == "192.0.2.77"), "{point}");
                for interface in &now.interfaces {
                    let was = start.interface(interface.index);
                    let expected = was.map_or(Some(0), |was| was.sysctls.get(Sysctl::ArpIgnore));
                    assert_eq!(interface.sysctls.get(Sysctl::ArpIgnore), expected, "{point}");
                    assert_eq!(interface.sysctls.get(Sysctl::ArpAnnounce), Some(0), "{point}");
                }
                assert!(!scratch.journal_is_there(), "{point}");
                assert!(recover(&mut kernel, &options, false).unwrap().is_clean(), "{point}");
            })
            .unwrap();
            seen += 1;
        }
    }
    assert_eq!(seen, 30);
}

#[test]
fn fifty_writers_at_once() {
    let lab = Lab::new().unwrap();
    let hn = node(&lab);
    let scratch = Scratch::new("live-parallel");
    let options = scratch.options().lock_wait(Duration::from_secs(60));
    let host = hn.run(|| Host::current().unwrap()).unwrap();
    let before = host.snapshot().unwrap();
    let barrier = Barrier::new(50);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..50_u8 {
            let (host, options, barrier) = (&host, &options, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let address = [192, 0, 2, number / 2];
                let toggle = |comes: bool| {
                    let receipt = host.apply_with(options, |now| {
                        let there = |entry: &ProxyEntry| entry.address == std::net::IpAddr::from(address);
                        // Two writers want the same address: whoever comes second has nothing to do.
                        let wanted = comes != now.proxies.iter().any(there);
                        let changes = if wanted {
                            vec![proxy(
                                now,
                                "eth1",
                                if comes { Change::add } else { Change::remove },
                                address,
                            )]
                        } else {
                            Vec::new()
                        };
                        Ok(Plan::for_any_namespace().changes(changes))
                    });
                    receipt.unwrap().leave()
                };
                let first: Receipt = toggle(true);
                assert!(matches!(first.outcome, Outcome::Applied | Outcome::Unchanged));
                match number {
                    // Some take their address away again, and add it once more.
                    _ if number % 10 < 4 => {
                        toggle(false);
                        toggle(true);
                    }
                    _ if number % 10 == 8 => drop(toggle(false)),
                    _ => {}
                }
                // And every fifth changes a sysctl, each from what it finds.
                if number % 5 == 0 {
                    let count = |now: &Snapshot| {
                        let found = now.interface_named(&"eth2".parse().unwrap()).unwrap();
                        let value = found.sysctls.get(Sysctl::MediumId).unwrap();
                        let change = sysctl(now, "eth2", Sysctl::MediumId, value + 1);
                        Ok(Plan::for_any_namespace().changes(vec![change]))
                    };
                    host.apply_with(options, count).unwrap().leave();
                }
            });
        }
    });
    let now = host.snapshot().unwrap();
    let interface = now.interface_named(&"eth2".parse().unwrap()).unwrap();
    assert_eq!(interface.sysctls.get(Sysctl::MediumId), Some(10), "an update was lost");
    // 8 and 9 of every ten share an address: 8 removes it, maybe before 9 adds it.
    let held = |last: u8| {
        now.proxies.iter().filter(|entry| entry.address == std::net::IpAddr::from([192, 0, 2, last])).count()
    };
    for last in 0..25_u8 {
        if last % 5 == 4 {
            assert!(held(last) <= 1, "{last}");
        } else {
            assert_eq!(held(last), 1, "{last}");
        }
    }
    let receipts = host.receipts(&options).unwrap();
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Applied));
    println!("50 writers took {:?}", begin.elapsed());
    // Everything that is remembered can be taken back, the newest first.
    while host.rollback(None, false, &options).is_ok() {}
    let interface = host.snapshot().unwrap();
    assert!(interface.proxies.len() >= before.proxies.len());
}

#[test]
fn a_rollback_after_somebody_changed_things() {
    let lab = Lab::new().unwrap();
    let hn = node(&lab);
    let scratch = Scratch::new("live-conflict");
    let options = scratch.options();
    let host = hn.run(|| Host::current().unwrap()).unwrap();
    let start = host.snapshot().unwrap();
    let plan = Plan::for_any_namespace().changes(vec![
        sysctl(&start, "eth0", Sysctl::ArpIgnore, 1),
        sysctl(&start, "eth1", Sysctl::ArpIgnore, 1),
        proxy(&start, "eth1", Change::add, [192, 0, 2, 9]),
    ]);
    let applied = host.apply(&plan, &options).unwrap();
    assert_eq!((applied.outcome, applied.verified), (Outcome::Applied, 3));
    drop(applied);
    hn.sysctl("net/ipv4/conf/eth1/arp_ignore", 8).unwrap();
    let receipt = host.rollback(None, false, &options).unwrap();
    assert_eq!(receipt.conflicts.len(), 1);
    assert_eq!(receipt.conflicts[0].object, "net.ipv4.conf.eth1.arp_ignore");
    assert_eq!((receipt.conflicts[0].found.as_str(), receipt.conflicts[0].former.as_str()), ("8", "2"));
    assert_eq!(hn.read_sysctl("net/ipv4/conf/eth1/arp_ignore").unwrap().trim(), "8");
    assert_eq!(hn.read_sysctl("net/ipv4/conf/eth0/arp_ignore").unwrap().trim(), "0");
    let forced = host.rollback(None, true, &options).unwrap();
    assert!(forced.conflicts.is_empty());
    assert!(comparable(&host.snapshot().unwrap()) == comparable(&start));
}

#[test]
fn an_edited_plan_announces_nothing_that_nobody_answers_for() {
    let lab = Lab::new().unwrap();
    let hn = node(&lab);
    let scratch = Scratch::new("live-edited");
    let options = scratch.options();
    let host = hn.run(|| Host::current().unwrap()).unwrap();
    let start = host.snapshot().unwrap();
    let eth1 = start.interface_named(&"eth1".parse().unwrap()).unwrap().index;
    let address = [192, 0, 2, 9];
    let full = Plan::default()
        .netns(start.netns.clone())
        .changes(vec![
            sysctl(&start, "eth0", Sysctl::ArpIgnore, 1),
            proxy(&start, "eth1", Change::add, address),
        ])
        .announcements(vec![Announcement { interface: eth1, address: address.into() }]);
    let is_proxy = |change: &Change| matches!(change.object, Object::Proxy { .. });
    let mut edited = full.clone();
    edited.changes.retain(|change| !is_proxy(change));
    let error = host.apply(&edited, &options).unwrap_err();
    assert_eq!((error.kind(), error.object()), (ErrorKind::Refused, "192.0.2.9"), "{error}");
    assert!(comparable(&host.snapshot().unwrap()) == comparable(&start), "nothing was changed");

    let applied = host.apply(&full.without(is_proxy), &options).unwrap();
    assert_eq!((applied.outcome, applied.verified), (Outcome::Applied, 1));
    drop(applied);
    // Any namespace is said, not meant.
    let silent = full.netns(NetnsIdentity::default());
    assert_eq!(host.apply(&silent, &options).unwrap_err().kind(), ErrorKind::Changed);
}

#[test]
fn a_renamed_interface_is_still_undone() {
    let lab = Lab::new().unwrap();
    let hn = node(&lab);
    let scratch = Scratch::new("live-renamed");
    let options = scratch.options();
    let host = hn.run(|| Host::current().unwrap()).unwrap();
    let start = host.snapshot().unwrap();
    let plan = Plan::for_any_namespace().changes(vec![sysctl(&start, "eth0", Sysctl::ArpIgnore, 1)]);
    host.apply(&plan, &options).unwrap().leave();
    hn.rename("eth0", "wan.7").unwrap();
    let receipt = host.rollback(None, false, &options).unwrap();
    assert_eq!(receipt.verified, 1);
    assert_eq!(hn.read_sysctl("net/ipv4/conf/wan.7/arp_ignore").unwrap().trim(), "0");
}
