//! Changes made, checked and taken back.

use super::*;

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

/// Entries may be added beyond one that failed: they go back as well.
#[test]
fn entries_that_were_added_beyond_a_failure_are_taken_back() {
    let (scratch, state) = (Scratch::new(), host().state().clone());
    let mut kernel = FakeKernel::new(state.clone()).failing_at(0, 5).going_on();
    let changes = [proxy(true, 5), proxy(true, 6), sysctl(2, 0, 1)];
    let error = apply(&mut kernel, &scratch, &changes).unwrap_err();
    assert_eq!((error.kind(), error.errno()), (ErrorKind::RolledBack, None), "{error}");
    assert_eq!(kernel.made(), [proxy(true, 6), proxy(false, 6)]);
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
        (interface(7), "eth7", "it is gone, or in another namespace"),
        (Interface { index: IfIndex(9), ..interface(2) }, "eth2", "number 2 has its name"),
        (Interface { index: IfIndex(1), ..interface(2) }, "eth2", "called eth1 now"),
        (Interface { mac: Mac::NONE, ..interface(2) }, "eth2", "its MAC is 02:"),
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
