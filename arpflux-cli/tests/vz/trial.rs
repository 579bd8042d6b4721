//! Containers that start and stop while a change is on trial: they wait for its end, as long as they want to.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::bench::{A101, Bench, Libvzctl, Said, Version, Vzctl};

/// A node with a change on trial for so long.
fn on_trial(version: Version, time: &str) -> Bench {
    let bench = Bench::new(version);
    bench.write("policy.toml", "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n");
    begin(&bench, "policy.toml", time);
    bench
}

fn begin(bench: &Bench, policy: &str, time: &str) {
    let said = person(bench, &["apply", "--policy", policy, "--accept-harm", "--confirm", time]);
    assert!(said.code == 0 && said.stdout.contains("Next: arpflux confirm"), "{said:?}");
}

fn person(bench: &Bench, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(bench.path("arpflux"));
    command.args(arguments).current_dir(&bench.folder).env("ARPFLUX_STATE_DIR", bench.path("state"));
    bench.run(command)
}

#[test]
fn a_start_and_a_stop_wait_for_the_end_of_a_trial() {
    for version in [Vzctl, Libvzctl] {
        let bench = on_trial(version, "3s");
        let _container = bench.container(A101);
        let said = bench.start_quick("101", "192.168.18.101");
        assert_eq!(said.code, 0, "{said:?}");
        let list = person(&bench, &["rollback", "--list"]).stdout;
        assert!(list.contains("undone: no confirmation came in time"), "{list}");
        assert_eq!(bench.macs(A101), [Bench::mac("eth3")]);
        // Confirmed while the stop waits.
        bench.write("another.toml", "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\n");
        begin(&bench, "another.toml", "1m");
        std::thread::scope(|scope| {
            let stop = scope.spawn(|| bench.stop("101", "192.168.18.101"));
            std::thread::sleep(Duration::from_millis(500));
            if stop.is_finished() {
                panic!("{version:?}: {:?}", stop.join());
            }
            assert_eq!(bench.proxies(), ["192.168.18.101 eth3"], "{version:?}");
            assert_eq!(person(&bench, &["confirm"]).code, 0);
            let said = stop.join().unwrap();
            assert_eq!(said.code, 0, "{said:?}");
        });
        assert!(bench.proxies().is_empty() && !bench.routed(A101));
        bench.good(&["status"]);
    }
}

#[test]
fn whoever_waits_for_a_trial_may_end_that() {
    let bench = on_trial(Vzctl, "10m");
    let _container = bench.container(A101);
    let call = |wait: &str| {
        let mut command = bench.vz_command(&["net-add", "--veid", "101", "192.168.18.101"]);
        command.args(["--wait", wait]).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    // By its own time: busy, and nothing was tried.
    let begin = Instant::now();
    let said = bench.run(call("1s"));
    assert!(said.code == 7 && said.stderr.contains("transaction 2 still waits"), "{said:?}");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    // By a signal.
    let child = bench.hn.run(|| call("10m").spawn().unwrap()).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let begin = Instant::now();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && said.contains("ended by a signal"), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(bench.proxies().is_empty());
}
