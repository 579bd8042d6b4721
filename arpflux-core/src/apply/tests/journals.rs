//! Journals that a crash, another version or another namespace left.

use super::*;

/// A transaction of the version before that was killed before its last change.
#[test]
fn a_journal_of_the_version_before_is_settled() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    let before = kernel.state().clone();
    let former = include_bytes!("../journal/former.txt");
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

    // By somebody who can make checksums: a file that is not arpflux's, and a mode that is no permission.
    let victim = scratch.0.join("victim");
    let forged = |path: &str, mode: u32| {
        let file = format!(
            r#"file {{"path":"{path}","before":{{"is":"regular","text":"x","mode":{mode}}},"after":{{"is":"absent"}}}}"#
        );
        let records = String::from_utf8(fuzz::records(&good)).unwrap();
        assert!(records.contains("ready 1\n"), "{records}");
        fuzz::journal(records.replace("ready 1\n", &format!("{file}\nready 2\n")).as_bytes())
    };
    let damage: [(&str, Vec<u8>); 6] = [
        ("a file of others", forged(victim.to_str().unwrap(), 0o644)),
        ("set-user-ID", forged("/etc/network/if-up.d/arpflux", 0o4755)),
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
        assert!(kernel.made().is_empty() && !victim.exists(), "{name}");
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
