//! The example programs of the core do what they say, on hosts in namespaces.
#![allow(missing_docs, reason = "a test")]

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arpflux_core::Policy;
use arpflux_lab::{Host, Lab};

#[expect(dead_code, reason = "its main is the program's")]
#[path = "../arpflux-core/examples/agent.rs"]
mod agent;
#[expect(dead_code, reason = "its main is the program's")]
#[path = "../arpflux-core/examples/fleet_linter.rs"]
mod fleet_linter;
#[expect(dead_code, reason = "its main is the program's")]
#[path = "../arpflux-core/examples/node_agent.rs"]
mod node_agent;
#[expect(dead_code, reason = "its main is the program's")]
#[path = "../arpflux-core/examples/previewer.rs"]
mod previewer;
#[expect(dead_code, reason = "its main is the program's")]
#[path = "../arpflux-core/examples/test_helper.rs"]
mod test_helper;

#[expect(dead_code, reason = "its main is the program's")]
#[path = "../arpflux-core/examples/tokio_agent.rs"]
mod tokio_agent;

const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth1"]
strategy = "strict"
announce = false
"#;

fn policy() -> Policy {
    Policy::from_toml(POLICY, "policy.toml").unwrap()
}

/// A host with two interfaces in one subnet.
fn two_nics(lab: &Lab, name: &str) -> Host {
    let lan = lab.switch(&format!("{name}-lan")).unwrap();
    let host = lab.host(name).unwrap();
    for (interface, last) in [("eth0", 10), ("eth1", 11)] {
        host.plug(&lan, interface, format!("02:00:00:00:00:{last}").parse().unwrap()).unwrap();
        host.address(interface, &format!("192.168.18.{last}/24")).unwrap();
    }
    host
}

/// An empty folder, which the test removes if it is good.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("arpflux-examples-{}-{name}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// Programs share these between threads, or move them: no change takes that from them.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moved<T: Send>() {}
    shared::<arpflux_core::Host>();
    shared::<arpflux_core::Model<'_>>();
    shared::<arpflux_core::Plan>();
    shared::<Policy>();
    shared::<arpflux_core::Snapshot>();
    shared::<arpflux_core::Stop>();
    shared::<arpflux_core::Error>();
    shared::<arpflux_core::apply::Applied>();
    shared::<arpflux_core::diagnose::Diagnosis>();
    moved::<arpflux_core::watch::Watcher>();
};

#[test]
fn own_tests_need_no_kernel() {
    test_helper::run().unwrap();
}

/// An agent heals what drifts on a host while it runs, and comes back when `end` is called.
fn heals(
    name: &str,
    agent: impl FnOnce(&Path) -> Result<usize, Box<dyn std::error::Error>> + Send,
    end: impl FnOnce(),
) {
    let (lab, state) = (Lab::new().unwrap(), folder(name));
    let host = two_nics(&lab, "hn");
    let healed = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let run = || agent(&state).map_err(|error| error.to_string());
            host.run(run).unwrap().unwrap()
        });
        let is = |value: &str| {
            let limit = Instant::now() + Duration::from_secs(20);
            while host.read_sysctl("net.ipv4.conf.eth1.arp_ignore").unwrap().trim() != value {
                assert!(Instant::now() < limit, "arp_ignore is not {value}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        is("1");
        host.sysctl("net.ipv4.conf.eth1.arp_ignore", 0).unwrap();
        is("1");
        end();
        running.join().unwrap()
    });
    assert!(healed >= 2, "{healed}");
    std::fs::remove_dir_all(state).unwrap();
}

#[test]
fn the_agent_heals_and_goes_when_its_input_ends() {
    let (end, closed) = nix::unistd::pipe().unwrap();
    let agent = |state: &Path| agent::run(policy(), state, end.as_fd(), &mut Vec::new());
    heals("agent", agent, || drop(closed));
}

#[test]
fn the_agent_on_tokio_heals_and_goes_when_its_future_ends() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let agent = |state: &Path| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
        let end = async { drop(end.await) };
        runtime.block_on(tokio_agent::run(policy(), state, end, &mut Vec::new()))
    };
    heals("tokio", agent, || ended.send(()).unwrap());
}

#[test]
fn the_node_agent_sets_every_pod_and_tells_which_is_gone() {
    let (lab, state) = (Lab::new().unwrap(), folder("node"));
    let pods: Vec<Host> = ["a", "b"].map(|name| two_nics(&lab, name)).into();
    let path = |pod: &Host| format!("/proc/self/fd/{}", pod.netns().as_fd().as_raw_fd());
    let mut names: Vec<String> = pods.iter().map(path).collect();
    let (lines, good) = node_agent::run(&policy(), &state, &names);
    assert!(good && lines.iter().all(|line| line.contains("changes made")), "{lines:?}");
    names.push("no-such-pod".into());
    let (lines, good) = node_agent::run(&policy(), &state, &names);
    assert!(!good && lines[..2].iter().all(|line| line.contains("as the policy says")), "{lines:?}");
    assert!(lines[2].starts_with("no-such-pod: gone [not_found]"), "{}", lines[2]);
    std::fs::remove_dir_all(state).unwrap();
}

#[test]
fn the_linter_reads_a_fleet_and_no_bad_file_passes() {
    let fleet = folder("fleet");
    let flux = test_helper::two_nics().build().unwrap().to_json().unwrap();
    std::fs::write(fleet.join("flux.json"), &flux).unwrap();
    std::fs::write(fleet.join("bad.json"), flux.replacen("\"prefix_len\": 24", "\"prefix_len\": 33", 1))
        .unwrap();
    let (lines, good) = fleet_linter::run(&fleet).unwrap();
    assert!(!good && lines[0].starts_with("bad: ") && lines[0].contains("32 bits at most"), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("error AF001 ") && line.ends_with(": flux")),
        "{lines:?}"
    );
    std::fs::remove_dir_all(fleet).unwrap();
}

#[test]
fn the_previewer_keeps_what_is_left_of_a_plan() {
    let (lab, state) = (Lab::new().unwrap(), folder("preview"));
    let host = two_nics(&lab, "hn");
    let preview = |leave_out: &[&str]| {
        let leave_out: Vec<String> = leave_out.iter().map(|&kind| kind.to_owned()).collect();
        let run = || previewer::run(&policy(), &state, &leave_out).map_err(|error| error.to_string());
        host.run(run).unwrap().unwrap()
    };
    let nothing = preview(&["sysctls", "routing", "proxies"]);
    assert!(nothing.iter().any(|line| line.starts_with("0 of ")), "{nothing:?}");
    let part = preview(&["routing"]);
    assert!(part.last().is_some_and(|line| line.starts_with("kept ")), "{part:?}");
    assert_eq!(host.read_sysctl("net.ipv4.conf.eth0.arp_ignore").unwrap().trim(), "1");
    std::fs::remove_dir_all(state).unwrap();
}
