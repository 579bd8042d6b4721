//! Sysctls set on interfaces that are up and down: that each arrives, and that nobody else's interface is written
//! while names change.
#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::ErrorKind;
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::{IfIndex, IfName};
use arpflux_tests::iproute::{in_new_netns, ip, run};
use nix::libc;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

fn path(name: &str, sysctl: Sysctl) -> String {
    format!("/proc/sys/net/ipv4/conf/{name}/{sysctl}")
}

fn read(name: &str, sysctl: Sysctl) -> String {
    fs::read_to_string(path(name, sysctl)).unwrap().trim().to_owned()
}

fn scopes(kernel: &mut LinuxKernel) -> Vec<SysctlScope> {
    let snapshot = kernel.snapshot().unwrap();
    let all = snapshot.interfaces.iter();
    all.map(|known| SysctlScope::Interface { index: known.index, name: known.name }).collect()
}

fn scope(kernel: &mut LinuxKernel, name: &str) -> SysctlScope {
    let name: IfName = name.parse().unwrap();
    let index = kernel.snapshot().unwrap().interface_named(&name).unwrap().index;
    SysctlScope::Interface { index, name }
}

fn change(scope: SysctlScope, sysctl: Sysctl, after: i32) -> Change {
    Change::set(Object::Sysctl { scope, sysctl }, 0, after)
}

/// Whether its file was written, as inotify tells, while `work` ran.
fn written(name: &str, sysctl: Sysctl, work: impl FnOnce()) -> bool {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    inotify.add_watch(path(name, sysctl).as_str(), AddWatchFlags::IN_MODIFY).unwrap();
    work();
    inotify.read_events().is_ok_and(|events| !events.is_empty())
}

#[test]
fn each_sysctl_is_written_through_its_file_whatever_the_state_of_the_interface() {
    in_new_netns(|| {
        ip("link add up0 type veth peer name down0
            link set up0 up");
        let mut kernel = LinuxKernel::open().unwrap();
        let both = [("up0", scope(&mut kernel, "up0")), ("down0", scope(&mut kernel, "down0"))];
        // Older kernels have not all of them.
        for sysctl in Sysctl::ALL.iter().filter(|sysctl| fs::exists(path("up0", **sysctl)).unwrap()) {
            for (name, scope) in both {
                for after in [2, -7, 0, 1] {
                    // Who watches the file hears of it.
                    assert!(written(name, *sysctl, || kernel
                        .make(&[change(scope, *sysctl, after)])
                        .unwrap()));
                    assert_eq!(read(name, *sysctl), after.to_string(), "{name} {sysctl}");
                }
            }
        }
    });
}

/// Up and down in turn, each value its own.
#[test]
fn many_interfaces_up_and_down_all_get_their_values() {
    const THREE: [Sysctl; 3] = [Sysctl::ArpIgnore, Sysctl::ArpAnnounce, Sysctl::RpFilter];
    in_new_netns(|| {
        for pair in 0..160 {
            run(&format!("ip link add a{pair} type veth peer name b{pair}"));
            if pair % 3 == 0 {
                run(&format!("ip link set a{pair} up"));
            }
        }
        let mut kernel = LinuxKernel::open().unwrap();
        let scopes = scopes(&mut kernel);
        assert_eq!(scopes.len(), 321);
        let value = |at: usize, sysctl: Sysctl| 1 + ((at + sysctl as usize) % 7) as i32;
        let each = |round: usize| {
            let pairs = scopes.iter().enumerate().flat_map(|(at, scope)| THREE.map(|of| (at, *scope, of)));
            pairs.map(move |(at, scope, sysctl)| change(scope, sysctl, value(at + round, sysctl)))
        };
        for round in [0, 1] {
            let mut changes: Vec<Change> = each(round).collect();
            // As plans have them: one sysctl of all interfaces, then the next.
            if round == 0 {
                changes.sort_by_key(|change| match &change.object {
                    Object::Sysctl { sysctl, .. } => *sysctl,
                    _ => unreachable!(),
                });
            }
            kernel.make(&changes).unwrap();
            for (at, scope) in scopes.iter().enumerate() {
                for sysctl in THREE {
                    let found = read(&scope.to_string(), sysctl);
                    assert_eq!(found, value(at + round, sysctl).to_string(), "{scope} {sysctl}");
                }
            }
        }
        // One value twice: the last counts.
        let twice = [change(scopes[7], THREE[0], 4), change(scopes[8], THREE[0], 5)];
        let again = [change(scopes[7], THREE[0], 6), change(scopes[8], THREE[0], 7)];
        kernel.make(&[twice, again].concat()).unwrap();
        assert_eq!([7, 8].map(|at: usize| read(&scopes[at].to_string(), THREE[0])), ["6", "7"]);
    });
}

#[test]
fn what_comes_before_a_failure_is_set_and_nothing_after_it() {
    in_new_netns(|| {
        ip("link add up0 type veth peer name down0
            link add up1 type veth peer name down1
            link set up0 up
            link set up1 up");
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        run("mount --make-rprivate /");
        // In place of the file, one that takes nothing.
        run("mount --bind /dev/full /proc/sys/net/ipv4/conf/up0/medium_id");
        let mut kernel = LinuxKernel::open().unwrap();
        let of = ["down0", "up0", "down1"].map(|name| scope(&mut kernel, name));
        let changes = [
            change(of[0], Sysctl::ArpIgnore, 1),
            change(of[1], Sysctl::MediumId, 7),
            change(of[2], Sysctl::ArpFilter, 1),
        ];
        let failed = kernel.make(&changes).unwrap_err();
        assert_eq!((failed.at, failed.beyond.len()), (1, 0), "{}", failed.error);
        assert!(failed.error.to_string().contains("up0.medium_id"), "{}", failed.error);
        assert_eq!(
            (read("down0", Sysctl::ArpIgnore), read("down1", Sysctl::ArpFilter)),
            ("1".into(), "0".into())
        );
        ip("link del up1");
        let failed = kernel.make(&[change(of[0], Sysctl::ArpIgnore, 3), changes[2].clone()]).unwrap_err();
        assert_eq!((failed.at, failed.beyond.len(), failed.error.kind()), (1, 0, ErrorKind::Changed));
        assert!(failed.error.to_string().contains("down1.arp_filter"), "{}", failed.error);
        assert_eq!(read("down0", Sysctl::ArpIgnore), "3");
    });
}

/// Root without CAP_NET_ADMIN may write the files, and netlink refuses it. Root of a user namespace may do neither.
#[test]
fn without_the_capability_for_netlink_the_files_are_written() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0");
        let mut kernel = LinuxKernel::open().unwrap();
        let scopes = ["eth0", "p0"].map(|name| scope(&mut kernel, name));
        drop_net_admin();
        let mut kernel = LinuxKernel::open().unwrap();
        let changes = scopes.map(|scope| change(scope, Sysctl::ArpIgnore, 2));
        let ids = fs::read_to_string("/proc/self/uid_map").unwrap();
        if ids.split_ascii_whitespace().nth(1) != Some("0") {
            let failed = kernel.make(&changes).unwrap_err();
            assert_eq!(
                (failed.at, failed.error.kind()),
                (0, ErrorKind::PermissionDenied),
                "{}",
                failed.error
            );
            assert!(failed.error.to_string().contains("eth0.arp_ignore"), "{}", failed.error);
            return;
        }
        assert!(written("eth0", Sysctl::ArpIgnore, || kernel.make(&changes).unwrap()));
        assert_eq!(["eth0", "p0"].map(|name| read(name, Sysctl::ArpIgnore)), ["2", "2"]);
    });
}

/// Of this thread alone.
fn drop_net_admin() {
    const VERSION_3: u32 = 0x2008_0522;
    const NET_ADMIN: u32 = 12;
    let header = [VERSION_3, 0];
    // Effective, permitted, inheritable: of the lower 32 capabilities, then of the others.
    let mut sets = [0u32; 6];
    // SAFETY: capget(2) fills and capset(2) reads two structures of three words for this version.
    let result = unsafe {
        assert_eq!(libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()), 0);
        assert_ne!(sets[0] & (1 << NET_ADMIN), 0);
        sets[0] &= !(1 << NET_ADMIN);
        libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr())
    };
    assert_eq!(result, 0);
}

/// Says so when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Two interfaces change names all the time, one of them comes up and goes down, and a third comes and goes:
/// the one that is meant gets its value, or the run is told that it is another; the others are never written.
#[test]
fn interfaces_that_change_meanwhile_are_told_apart() {
    in_new_netns(|| {
        ip("link add eth0 type veth peer name p0
            link add decoy type veth peer name p1
            link add passing type veth peer name p2");
        let mut kernel = LinuxKernel::open().unwrap();
        let meant = scope(&mut kernel, "eth0");
        let SysctlScope::Interface { index, .. } = meant else { unreachable!() };
        let SysctlScope::Interface { index: decoy, .. } = scope(&mut kernel, "decoy") else { unreachable!() };
        let passing = scope(&mut kernel, "passing");
        let held = |kernel: &mut LinuxKernel, of: IfIndex| {
            // Read until nothing changed meanwhile.
            let interfaces = std::iter::repeat_with(|| kernel.interfaces()).find_map(Result::ok).unwrap();
            let found = interfaces.iter().find(|known| known.index == of).unwrap().sysctls;
            found.get(Sysctl::ArpIgnore).unwrap()
        };
        let (stop, rounds) = (AtomicBool::new(false), 150);
        let netns = fs::File::open("/proc/thread-self/ns/net").unwrap();
        let (mut made, mut told) = (0, 0);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                nix::sched::setns(&netns, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    ip("link set eth0 name tmp
                        link set decoy name eth0
                        link del passing
                        link set eth0 name decoy
                        link set tmp name eth0
                        link set eth0 up
                        link add passing type veth peer name p2
                        link set eth0 down");
                }
            });
            // Also if an assertion fails below.
            let _stop = Stop(&stop);
            let begun = Instant::now();
            let mut last = 0;
            let mut round = 0;
            while (round < rounds || made == 0 || told == 0) && begun.elapsed() < Duration::from_secs(60) {
                round += 1;
                let value = 1 + round % 3;
                match kernel.make(&[change(meant, Sysctl::ArpIgnore, value)]) {
                    Ok(()) => (made, last) = (made + 1, value),
                    Err(failed) => {
                        assert_eq!(failed.error.kind(), ErrorKind::Changed, "{}", failed.error);
                        told += 1;
                    }
                }
                // Through the file of the one that is gone, or by its number: told, or it was still there.
                if let Err(failed) = kernel.make(&[change(passing, Sysctl::ArpIgnore, 1)]) {
                    assert_eq!(failed.error.kind(), ErrorKind::Changed, "{}", failed.error);
                }
                assert_eq!((held(&mut kernel, index), held(&mut kernel, decoy)), (last, 0), "round {round}");
            }
        });
        assert!(made > 0 && told > 0, "{made} were made, {told} were told");
        // One of another number has the name by now, and was never written.
        assert_eq!(read("passing", Sysctl::ArpIgnore), "0");
    });
}
