//! What is on disk is for its owner alone, and one writer at a time.

use super::*;

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
    // The kernel knows who it is, whatever one that was killed before left there.
    for note in ["4194999 1 arpflux watch", ""] {
        std::fs::write(scratch.namespace().join("lock"), note).unwrap();
        let error = Transaction::new(&mut kernel, &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
        assert!(error.message().contains(&format!("process {} (", std::process::id())), "{note}: {error}");
    }
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
    assert!(stale::tidy_but(&state, &netns, 0, || None).unwrap().is_empty());
    let seen = || Some([living].into_iter().collect());
    assert!(stale::tidy_but(&state, &netns, 4, seen).unwrap().is_empty(), "not so many");
    assert!(dead.exists());
    assert_eq!(stale::tidy_but(&state, &netns, 0, seen).unwrap(), ["ns-1"]);
    // What can be seen here has at least the namespace of this process.
    assert!(stale::living().is_none_or(|seen| seen.contains(&living)));
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
