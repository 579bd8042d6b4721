//! The transaction over a kernel in memory.

use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::kernel::{FakeKernel, Kernel as _};
use crate::plan::{InterfaceIdentity, Plan};
use crate::snapshot::{Interface, InterfaceFlags, NetnsIdentity, ProxyEntry, Snapshot};
use crate::state::{Change, Object, SysctlScope};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// A folder that is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("arpflux-apply-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn options(&self) -> Options {
        Options::default().state_dir(self.0.join("state"))
    }

    fn namespace(&self) -> PathBuf {
        self.0.join("state/ns-77")
    }

    fn journal(&self) -> PathBuf {
        self.namespace().join("journal")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn interface(index: u32) -> Interface {
    let json = format!(
        r#"{{"index":{index},"name":"eth{index}","kind":null,"link_type":1,"mac":"02:00:00:00:00:{index:02x}",
        "flags":3,"carrier":true,"master":null,"link":null,"link_netnsid":null,"mtu":1500,"vlan_id":null,
        "macvlan_mode":null,"vrf_table":null,"sysctls":{{"arp_ignore":0,"arp_announce":0}},
        "neigh":{{"proxy_delay":800,"proxy_qlen":64,"locktime":1000}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn host() -> FakeKernel {
    let netns = NetnsIdentity { boot_id: "here".into(), device: 4, inode: 77, cookie: 9 };
    FakeKernel::new(Snapshot { netns, interfaces: vec![interface(1), interface(2)], ..Snapshot::default() })
}

fn sysctl(index: u32, before: i32, after: i32) -> Change {
    let scope =
        SysctlScope::Interface { index: IfIndex(index), name: format!("eth{index}").parse().unwrap() };
    Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, before, after)
}

fn proxy(add: bool, last: u8) -> Change {
    let entry = ProxyEntry {
        address: IpAddr::from([192, 0, 2, last]),
        interface: Some(IfIndex(1)),
        flags: 0,
        protocol: crate::plan::PROTOCOL,
    };
    if add { Change::add(entry) } else { Change::remove(entry) }
}

fn plan(changes: impl Into<Vec<Change>>) -> Plan {
    Plan { changes: changes.into(), ..Plan::for_any_namespace() }
}

fn apply(kernel: &mut FakeKernel, scratch: &Scratch, changes: &[Change]) -> Result<Receipt> {
    Transaction::new(kernel, &scratch.options()).apply(&plan(changes))
}

#[test]
fn applied_verified_remembered_and_taken_back() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let before = kernel.state().clone();
    let receipt = apply(&mut kernel, &scratch, &[sysctl(1, 0, 1), proxy(true, 5)]).unwrap();
    assert_eq!((receipt.id, receipt.outcome, receipt.verified), (Some(1), Outcome::Applied, 2));
    assert_ne!(*kernel.state(), before);
    assert!(!scratch.journal().exists());
    assert!(scratch.namespace().join("history/0000000001").exists());

    let back = Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap();
    assert_eq!((back.rollback_of, back.outcome, back.conflicts.len()), (Some(1), Outcome::Applied, 0));
    assert_eq!(*kernel.state(), before);
    let nothing = Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
}

/// Values of interfaces that are down may be set beyond one that failed: they go back as well.
#[test]
fn values_that_were_set_beyond_a_failure_are_taken_back() {
    let (scratch, mut state) = (Scratch::new(), host().state().clone());
    state.interfaces[1].flags -= InterfaceFlags::UP;
    let mut kernel = FakeKernel::new(state.clone()).failing_at(0, 5).going_on();
    let later = [sysctl(2, 0, 1), proxy(true, 5)];
    let error = apply(&mut kernel, &scratch, &[&[sysctl(1, 0, 1)], &later[..]].concat()).unwrap_err();
    assert_eq!((error.kind(), error.errno()), (ErrorKind::RolledBack, None), "{error}");
    assert_eq!(kernel.made(), [sysctl(2, 0, 1), sysctl(2, 1, 0)]);
    assert_eq!(*kernel.state(), state);
}

#[test]
fn an_empty_plan_changes_nothing_and_says_so() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let receipt = apply(&mut kernel, &scratch, &[]).unwrap();
    assert!(receipt.is_unchanged());
    assert!(kernel.made().is_empty());
    assert!(!scratch.namespace().join("history").exists());
}

#[test]
fn what_is_no_longer_as_the_plan_saw_it_is_named_and_nothing_is_changed() {
    let scratch = Scratch::new();
    let mut kernel = host();
    let refused = |kernel: &mut FakeKernel, plan: &Plan| {
        let before = kernel.state().clone();
        let error = Transaction::new(kernel, &scratch.options()).apply(plan).unwrap_err();
        assert_eq!(*kernel.state(), before);
        assert!(!scratch.journal().exists());
        error
    };
    let error = refused(&mut kernel, &plan([sysctl(1, 0, 2), sysctl(2, 3, 1)]));
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert_eq!(error.object(), "net.ipv4.conf.eth2.arp_ignore");
    assert!(error.message().contains("it is 0, the plan was made when it was 3"), "{error}");

    let error = refused(&mut kernel, &plan([proxy(false, 9)]));
    assert_eq!((error.kind(), error.object()), (ErrorKind::Changed, "proxy entry 192.0.2.9 on eth1"));

    for (known, object, message) in [
        (interface(7), "interface eth7 (number 7)", "it is gone, or in another namespace"),
        (
            Interface { index: IfIndex(9), ..interface(2) },
            "interface eth2 (number 9)",
            "number 2 has its name",
        ),
        (Interface { index: IfIndex(1), ..interface(2) }, "interface eth2 (number 1)", "called eth1 now"),
        (Interface { mac: Mac::NONE, ..interface(2) }, "interface eth2 (number 2)", "its MAC is 02:"),
    ] {
        let known = InterfaceIdentity { index: known.index, name: known.name, mac: known.mac };
        let plan = Plan { interfaces: vec![known], ..plan([sysctl(1, 0, 1)]) };
        let error = refused(&mut kernel, &plan);
        assert_eq!((error.kind(), error.object()), (ErrorKind::Changed, object));
        assert!(error.message().contains(message), "{error}");
    }
    let other = Plan {
        netns: NetnsIdentity { boot_id: "here".into(), cookie: 8, ..Default::default() },
        any_namespace: false,
        ..plan([sysctl(1, 0, 1)])
    };
    assert_eq!(refused(&mut kernel, &other).kind(), ErrorKind::Changed);
    // Any namespace is a choice, not what a plan means that says nothing.
    let silent = Plan { netns: NetnsIdentity::default(), any_namespace: false, ..plan([sysctl(1, 0, 1)]) };
    assert!(refused(&mut kernel, &silent).message().contains("does not say which"));
}

#[test]
fn a_failing_step_undoes_the_earlier_ones_and_both_are_told() {
    let scratch = Scratch::new();
    let mut kernel = host().failing_at(2, nix::libc::EIO);
    let before = kernel.state().clone();
    let changes = [sysctl(1, 0, 1), proxy(true, 5), sysctl(2, 0, 1)];
    let error = apply(&mut kernel, &scratch, &changes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RolledBack);
    assert!(error.message().contains("2 changes were undone"), "{error}");
    assert_eq!(*kernel.state(), before);
    assert!(!scratch.journal().exists());
    // Newest first.
    assert_eq!(kernel.made()[2..], [changes[1].inverse(), changes[0].inverse()]);
}

/// A kernel that says it made a change and did not.
struct Deaf(FakeKernel, usize);

impl crate::kernel::Kernel for Deaf {
    fn snapshot(&mut self) -> Result<Snapshot> {
        self.0.snapshot()
    }

    fn make(&mut self, changes: &[Change]) -> std::result::Result<(), crate::kernel::Failed> {
        let mut heard = changes.to_vec();
        if let Some(unheard) = std::mem::take(&mut self.1).checked_sub(1) {
            heard.remove(unheard);
        }
        self.0.make(&heard)
    }
}

#[test]
fn what_did_not_take_is_noticed_and_everything_is_undone() {
    let scratch = Scratch::new();
    let changes = [sysctl(1, 0, 1), proxy(true, 5), sysctl(2, 0, 1)];
    for (unheard, object) in [
        (1, "net.ipv4.conf.eth1.arp_ignore"),
        (2, "proxy entry 192.0.2.5 on eth1"),
        (3, "net.ipv4.conf.eth2.arp_ignore"),
    ] {
        let mut kernel = Deaf(host(), unheard);
        let error =
            Transaction::new(&mut kernel, &scratch.options()).apply(&plan(changes.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RolledBack);
        assert!(error.message().contains(object), "{error}");
        assert!(error.message().contains("2 changes were undone"), "{error}");
        assert_eq!(kernel.0.state(), host().state());
        assert!(!scratch.journal().exists());
    }
}

#[test]
fn undoing_never_stops_at_a_failure_and_says_what_is_left() {
    let scratch = Scratch::new();
    let changes = [sysctl(1, 0, 1), sysctl(2, 0, 1), proxy(true, 5)];
    // The third change fails; of the undoing, the first step fails in every pass, the other does not.
    let mut kernel = host();
    for count in [2, 3, 5, 6] {
        kernel = kernel.failing_at(count, nix::libc::EIO);
    }
    let error = apply(&mut kernel, &scratch, &changes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PartlyApplied);
    assert!(error.message().contains("net.ipv4.conf.eth2.arp_ignore"), "{error}");
    assert!(!error.message().contains("eth1"), "{error}");
    // The journal stays, and the next run, of whatever kind, finishes the job.
    assert!(scratch.journal().exists());
    let recovered = recover(&mut kernel, &scratch.options(), false).unwrap();
    assert_eq!(recovered.undone.unwrap().outcome, Outcome::Undone);
    assert_eq!(*kernel.state(), *host().state());
    assert!(!scratch.journal().exists());
}

#[test]
fn what_somebody_else_changed_is_left_alone_unless_forced() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let before = kernel.state().clone();
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1), sysctl(2, 0, 1), proxy(true, 5)]).unwrap();
    kernel.state_mut().change(&sysctl(2, 1, 8));
    kernel.state_mut().proxies[0].protocol = 3;

    let receipt = Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap();
    let conflicts: Vec<String> = receipt.conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    assert!(conflicts[0].starts_with("proxy entry 192.0.2.5 on eth1 is there (protocol 3)"), "{conflicts:?}");
    assert!(conflicts[1].starts_with("net.ipv4.conf.eth2.arp_ignore is 8, not 1"), "{conflicts:?}");
    assert_eq!(kernel.state().interfaces[0].sysctls.get(Sysctl::ArpIgnore), Some(0));
    assert_eq!(kernel.state().interfaces[1].sysctls.get(Sysctl::ArpIgnore), Some(8));
    assert_eq!(kernel.state().proxies.len(), 1);

    // The first transaction is still not wholly taken back, so it is the one that is meant.
    let forced = Transaction::new(&mut kernel, &scratch.options()).rollback(None, true).unwrap();
    assert_eq!((forced.rollback_of, forced.conflicts.len()), (Some(1), 0));
    assert_eq!(*kernel.state(), before);
}

#[test]
fn an_interface_that_is_gone_leaves_nothing_to_undo() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1), sysctl(2, 0, 1)]).unwrap();
    kernel.state_mut().interfaces.pop();
    let receipt = Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap();
    assert!(receipt.notes.iter().any(|note| note.contains("gone with its interface")), "{receipt:?}");
    assert_eq!(kernel.state().interfaces, [interface(1)]);
}

/// A transaction of the version before that was killed before its last change.
#[test]
fn a_journal_of_the_version_before_is_settled() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let before = kernel.state().clone();
    let former = include_bytes!("journal/former.txt");
    let (log, ..) = journal::parse(former).unwrap();
    kernel.state_mut().change_all(&log.changes[..4]);
    assert_ne!(kernel.state().proxies, before.proxies);
    std::fs::create_dir_all(scratch.namespace()).unwrap();
    for folder in [scratch.0.join("state"), scratch.namespace()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    std::fs::write(scratch.journal(), former).unwrap();
    std::fs::set_permissions(scratch.journal(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let recovered = recover(&mut kernel, &scratch.options(), false).unwrap();
    assert!(recovered.undone.is_some(), "{recovered:?}");
    kernel.state_mut().routing = before.routing;
    assert_eq!(*kernel.state(), before);
}

#[test]
fn damaged_and_foreign_journals_are_set_aside_and_never_replayed() {
    let scratch = Scratch::new();
    // A journal as a crash leaves it: made, not finished.
    let mut stopped = host();
    // Count 0 is the identity, 1 the snapshot that the plan is checked against.
    for count in 2..8 {
        stopped = stopped.unreadable_at(count, Error::new(ErrorKind::Io, "gone"));
    }
    stopped = stopped.failing_at(1, nix::libc::EIO);
    let error = apply(&mut stopped, &scratch, &[sysctl(1, 0, 1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PartlyApplied, "{error}");
    let good = std::fs::read(scratch.journal()).unwrap();
    let state = stopped.state().clone();

    let damage: [(&str, Vec<u8>); 4] = [
        ("empty", Vec::new()),
        ("cut", good[..good.len() / 3].to_vec()),
        ("text", b"rm -rf /\n".to_vec()),
        ("changed", {
            let mut bytes = good.clone();
            bytes[60] ^= 1;
            bytes
        }),
    ];
    for (name, bytes) in damage {
        std::fs::write(scratch.journal(), &bytes).unwrap();
        let mut kernel = FakeKernel::new(state.clone());
        let error = recover(&mut kernel, &scratch.options(), false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{name}");
        assert!(error.remedy().unwrap().contains("/aside/journal-"), "{name}: {error}");
        assert!(kernel.made().is_empty());
        assert!(recover(&mut kernel, &scratch.options(), false).unwrap().is_clean());
    }
    let elsewhere = [
        ("another boot", NetnsIdentity { boot_id: "later".into(), ..state.netns.clone() }),
        ("another namespace", NetnsIdentity { cookie: 10, ..state.netns.clone() }),
    ];
    for (what, netns) in elsewhere {
        std::fs::write(scratch.journal(), &good).unwrap();
        let mut kernel = FakeKernel::new(Snapshot { netns, ..state.clone() });
        let recovered = recover(&mut kernel, &scratch.options(), false).unwrap();
        assert!(recovered.notes[0].contains(what), "{recovered:?}");
        assert!(recovered.undone.is_none() && kernel.made().is_empty());
        assert!(!scratch.journal().exists());
    }
    // The same journal, at home, is carried out.
    std::fs::write(scratch.journal(), &good).unwrap();
    let mut kernel = FakeKernel::new(state);
    assert!(recover(&mut kernel, &scratch.options(), false).unwrap().undone.is_some());
    assert_eq!(*kernel.state(), *host().state());
}

#[test]
fn links_and_files_of_others_are_refused_and_left_as_they_are() {
    let scratch = Scratch::new();
    let victim = scratch.0.join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let attempt = |place: &dyn Fn(&Path)| {
        let _ = std::fs::remove_dir_all(scratch.0.join("state"));
        std::fs::create_dir_all(scratch.namespace()).unwrap();
        place(&scratch.namespace());
        let mut kernel = host();
        let error = apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap_err();
        assert!(kernel.made().is_empty());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        error
    };
    for name in ["lock", "journal", "history"] {
        let error = attempt(&|folder| symlink(&victim, folder.join(name)).unwrap());
        assert!(error.object().ends_with(name), "{error}");
        attempt(&|folder| symlink("nowhere", folder.join(name)).unwrap());
    }
    for name in ["lock", "journal"] {
        attempt(&|folder| std::fs::hard_link(&victim, folder.join(name)).unwrap());
        attempt(&|folder| {
            std::fs::write(folder.join(name), "").unwrap();
            std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o622)).unwrap();
        });
        attempt(&|folder| std::fs::create_dir(folder.join(name)).unwrap());
        attempt(&|folder| {
            nix::unistd::mkfifo(&folder.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        });
    }
    attempt(&|folder| {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    });
    attempt(&|folder| {
        let state = folder.parent().unwrap();
        std::fs::rename(state, scratch.0.join("elsewhere")).unwrap();
        symlink(scratch.0.join("elsewhere"), state).unwrap();
    });
    let _ = std::fs::remove_file(scratch.0.join("state"));
    // A link on the way there is not followed either.
    symlink(&scratch.0, scratch.0.join("way")).unwrap();
    let options = Options::default().state_dir(scratch.0.join("way/state"));
    let error = Transaction::new(&mut host(), &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    for path in ["relative", "/", "/tmp/../etc"] {
        let options = Options::default().state_dir(path);
        let error = Transaction::new(&mut host(), &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn what_is_made_is_for_the_owner_alone() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    let mode =
        |path: &str| std::fs::metadata(scratch.namespace().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("."), mode(".."), mode("history")), (0o700, 0o700, 0o700));
    assert_eq!((mode("lock"), mode("history/0000000001")), (0o600, 0o600));
}

#[test]
fn the_history_is_bounded() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    for round in 0..40 {
        let (before, after) = (round % 2, 1 - round % 2);
        apply(&mut kernel, &scratch, &[sysctl(1, before, after)]).unwrap();
    }
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(scratch.namespace().join("history")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // What a person made and stands is not forgotten.
    assert_eq!(names().len(), 40);
    for _ in 0..40 {
        Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap();
    }
    assert_eq!(*kernel.state(), *host().state());
    assert_eq!((names().len(), names()[31].as_str()), (32, "0000000080"));
}

#[test]
fn a_change_that_could_not_begin_is_not_remembered() {
    let (scratch, mut kernel) = (Scratch::new(), host().failing_at(0, nix::libc::EIO));
    let options = scratch.options();
    Transaction::new(&mut kernel, &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
    assert_eq!(std::fs::read_dir(scratch.namespace().join("history")).unwrap().count(), 0);
}

#[test]
fn whoever_reads_makes_nothing_and_folders_that_others_may_exchange_are_refused() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let netns = kernel.identity().unwrap();
    let state = scratch.0.join("state");
    assert!(store::Folder::look(Some(&state), &netns).unwrap().is_none());
    assert!(pending(&mut kernel, &scratch.options()).unwrap().is_none());
    assert!(!state.exists());
    let between = scratch.0.join("between");
    std::fs::create_dir(&between).unwrap();
    std::fs::set_permissions(&between, std::fs::Permissions::from_mode(0o777)).unwrap();
    let options = Options { state_dir: Some(between.join("state")), ..scratch.options() };
    let error = Transaction::new(&mut kernel, &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.object().ends_with("between") && kernel.made().is_empty(), "{error}");
}

#[test]
fn routine_never_pushes_out_what_a_person_made() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    apply(&mut kernel, &scratch, &[sysctl(1, 1, 2)]).unwrap();
    for (round, by) in (0..80).zip([Maker::Vz, Maker::Watch].into_iter().cycle()) {
        let (before, after) = (round % 2, 1 - round % 2);
        let options = Options { by, ..scratch.options() };
        Transaction::new(&mut kernel, &options).apply(&plan([sysctl(2, before, after)])).unwrap();
    }
    let receipts = |kernel: &mut FakeKernel| {
        let netns = kernel.identity().unwrap();
        let folder = store::Folder::state(Some(&scratch.0.join("state"))).unwrap().namespace(&netns).unwrap();
        receipt::all(&folder, &netns).unwrap()
    };
    let all = receipts(&mut kernel);
    assert_eq!(all.len(), 2 + 32);
    assert_eq!([all[0].by, all[2].by, all[3].by], [Maker::Person, Maker::Vz, Maker::Watch]);

    let options = scratch.options();
    let first = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
    assert_eq!((first.rollback_of, first.by), (Some(2), Maker::Person));
    assert!(first.notes[0].contains("transaction 2 is taken back"), "{:?}", first.notes);
    assert!(first.notes[1].contains("82 (watch), 81 (vz)"), "{:?}", first.notes);
    assert_eq!(receipts(&mut kernel)[1].taken_back_by, first.id);
    // Taken back itself, it stands again.
    let options = scratch.options();
    Transaction::new(&mut kernel, &options).rollback(first.id, false).unwrap();
    assert_eq!(receipts(&mut kernel)[1].taken_back_by, None);
    for of in [2, 1] {
        let taken_back = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
        assert_eq!(taken_back.rollback_of, Some(of));
    }
    let error = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("82 (watch)")), "{error}");
}

#[test]
fn a_second_writer_waits_and_then_names_the_first() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let mut options = scratch.options();
    options.lock_wait = std::time::Duration::from_millis(50);
    let netns = kernel.identity().unwrap();
    let folder = store::Folder::state(options.state_dir.as_deref()).unwrap().namespace(&netns).unwrap();
    let held = lock::Lock::take(&folder, Duration::ZERO, &Stop::default()).unwrap();
    let error = Transaction::new(&mut kernel, &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().contains(&format!("process {} (", std::process::id())), "{error}");
    // Whoever waits for longer can be called off.
    let patient = Options { lock_wait: Duration::from_secs(3600), ..options.clone() };
    let error = std::thread::scope(|scope| {
        let stop = patient.stop.clone();
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            stop.raise();
        });
        Transaction::new(&mut kernel, &patient).apply(&plan([sysctl(1, 0, 1)])).unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    drop(held);
    // The flag stays raised: nothing is begun with it.
    let error = Transaction::new(&mut kernel, &patient).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
    assert_eq!((error.kind(), kernel.made().len()), (ErrorKind::Interrupted, 0), "{error}");
    Transaction::new(&mut kernel, &scratch.options()).apply(&plan([sysctl(1, 0, 1)])).unwrap();
}

#[test]
fn values_that_the_kernel_does_not_have_are_unsupported() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let scope = *sysctl(1, 0, 1).object.scope().unwrap();
    let change = Change::set(Object::Sysctl { scope, sysctl: Sysctl::DropGratuitousArp }, 0, 1);
    let error = apply(&mut kernel, &scratch, &[change]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.object(), "net.ipv4.conf.eth1.drop_gratuitous_arp");
    let all = Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::Forwarding }, 0, 1);
    assert_eq!(apply(&mut kernel, &scratch, &[all]).unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn transactions_of_another_boot_or_of_a_namesake_are_not_taken_back() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    let state = kernel.state().clone();
    for netns in [
        NetnsIdentity { boot_id: "later".into(), ..state.netns.clone() },
        NetnsIdentity { cookie: 10, ..state.netns.clone() },
    ] {
        let mut kernel = FakeKernel::new(Snapshot { netns, ..state.clone() });
        for id in [None, Some(1)] {
            let error = Transaction::new(&mut kernel, &scratch.options()).rollback(id, true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        assert!(kernel.made().is_empty());
    }
    // At home it is.
    let mut kernel = FakeKernel::new(state);
    Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap();
    assert_eq!(*kernel.state(), *host().state());
}

#[test]
fn state_of_namespaces_that_are_gone_is_removed_and_of_others_never() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let netns = kernel.identity().unwrap();
    let living = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata("/proc/self/ns/net").unwrap());
    let state = store::Folder::state(Some(&scratch.0.join("state"))).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let make = |inode: u64| {
        let of = NetnsIdentity { inode, ..netns.clone() };
        let folder = state.namespace(&of).unwrap();
        drop(lock::Lock::take(&folder, Duration::ZERO, &Stop::default()).unwrap());
        let path = scratch.0.join(format!("state/ns-{inode}"));
        std::fs::create_dir(path.join("history")).unwrap();
        std::fs::write(path.join("history/0000000001"), "").unwrap();
        std::fs::File::open(path.join("lock")).unwrap().set_modified(old).unwrap();
        path
    };
    let (dead, alive, recent, held, half) = (make(1), make(living), make(2), make(3), make(4));
    std::fs::File::open(recent.join("lock")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    std::fs::write(half.join("journal"), "").unwrap();
    // Of somebody else, or not what it seems: nothing is done to it.
    std::fs::create_dir(scratch.0.join("state/ns-x")).unwrap();
    std::fs::create_dir(scratch.0.join("elsewhere")).unwrap();
    std::fs::write(scratch.0.join("elsewhere/lock"), "").unwrap();
    std::fs::File::open(scratch.0.join("elsewhere/lock")).unwrap().set_modified(old).unwrap();
    symlink(scratch.0.join("elsewhere"), scratch.0.join("state/ns-5")).unwrap();
    let folder = state.namespace(&NetnsIdentity { inode: 3, ..netns.clone() }).unwrap();
    let lock = lock::Lock::take(&folder, Duration::ZERO, &Stop::default()).unwrap();
    std::fs::File::open(held.join("lock")).unwrap().set_modified(old).unwrap();

    // A process that cannot be looked into may have any of them.
    assert!(dead::tidy_but(&state, &netns, 0, || None).unwrap().is_empty());
    let seen = || Some([living].into_iter().collect());
    assert!(dead::tidy_but(&state, &netns, 4, seen).unwrap().is_empty(), "not so many");
    assert!(dead.exists());
    assert_eq!(dead::tidy_but(&state, &netns, 0, seen).unwrap(), ["ns-1"]);
    // What can be seen here has at least the namespace of this process.
    assert!(dead::living().is_none_or(|seen| seen.contains(&living)));
    assert!(recover(&mut kernel, &scratch.options(), false).unwrap().gone.is_empty());
    assert!(!dead.exists());
    assert!([&alive, &recent, &held, &half].into_iter().all(|path| path.join("lock").exists()));
    assert!(scratch.0.join("elsewhere/lock").exists() && scratch.0.join("state/ns-x").exists());
    drop(lock);
    // Whoever opened a folder before it was removed is told, and changes nothing.
    let folder = state.namespace(&NetnsIdentity { inode: 6, ..netns }).unwrap();
    std::fs::remove_dir_all(scratch.0.join("state/ns-6")).unwrap();
    assert!(lock::Lock::take(&folder, Duration::ZERO, &Stop::default()).is_err());
}
