//! `arpflux apply`, `rollback`, `confirm`, `recover` and `proxy` on the running kernel.

#[path = "../../arpflux-core/src/apply/tests/comparable.rs"]
mod comparable;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use arpflux_core::{Host, Snapshot};
use arpflux_lab::page::{self, NICS};
use arpflux_lab::{Host as Node, Lab};
use comparable::comparable;

/// The page's policy; nobody waits for announcements.
fn policy() -> String {
    page::POLICY.replace("[host]\n", "[host]\nannounce = false\n")
}

/// A hardware node with two containers, and a folder for everything that is written.
struct Bench {
    node: Node,
    host: Host,
    folder: PathBuf,
    start: Snapshot,
    _containers: Vec<Node>,
    _lab: Lab,
}

impl Bench {
    fn new(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = page::node(&lab, &lan, "hn").unwrap();
        node.sysctl("net/ipv4/ip_forward", 1).unwrap();
        let venet = lab.venet(&node, "venet0").unwrap();
        let mut containers = Vec::new();
        for last in [101, 102] {
            let address = [192, 168, 18, last].into();
            containers.push(venet.container(&last.to_string(), address).unwrap());
            // As vzarp does: on every interface.
            for nic in &NICS {
                node.proxy(nic.name, address.into()).unwrap();
            }
        }
        let folder = PathBuf::from(format!("/run/arpflux-cli-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("policy.toml"), policy()).unwrap();
        let host = node.run(|| Host::current().unwrap()).unwrap();
        let start = host.snapshot().unwrap();
        Self { node, host, folder, start, _containers: containers, _lab: lab }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, program: &[&str], arguments: &[&str]) -> Command {
        let mut words =
            program.iter().copied().chain([env!("CARGO_BIN_EXE_arpflux")]).chain(arguments.iter().copied());
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env("ARPFLUX_STATE_DIR", self.path("state")).stdin(Stdio::null());
        command
    }

    /// Runs the command in the node; exit code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run_below(&[], arguments)
    }

    fn run_below(&self, program: &[&str], arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } =
            self.node.run(|| self.command(program, arguments).output().unwrap()).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }

    fn good(&self, arguments: &[&str]) -> String {
        let (code, text, errors) = self.run(arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}: {text}");
        text
    }

    fn is_as_before(&self) -> bool {
        comparable(&self.host.snapshot().unwrap()) == comparable(&self.start)
    }

    fn journal_is_there(&self) -> bool {
        std::fs::read_dir(self.folder.join("state"))
            .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().join("journal").exists()))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_policy_is_made_so_once_and_taken_back_exactly() {
    let bench = Bench::new("policy");
    let policy = bench.path("policy.toml");
    let text = bench.good(&["apply", "--policy", &policy, "--dry-run"]);
    assert!(text.contains("arp_ignore") && text.contains("nothing was changed"), "{text}");
    assert!(bench.is_as_before() && !bench.folder.join("state").exists());

    let text = bench.good(&["apply", "--policy", &policy]);
    assert!(text.contains("changes made and checked (transaction 1)\nUndo: arpflux rollback 1\n"), "{text}");
    assert!(!bench.is_as_before());
    let now = bench.host.snapshot().unwrap();
    let on = |last: u8| -> Vec<String> {
        let of =
            now.proxies.iter().filter(|entry| entry.address == std::net::IpAddr::from([192, 168, 18, last]));
        of.map(|entry| now.name_of(entry.interface.unwrap())).collect()
    };
    assert_eq!((on(101), on(102)), (vec!["eth3".to_owned()], vec!["eth4".to_owned()]));

    let again = bench.good(&["apply", "--policy", &policy]);
    assert_eq!(again, "nothing to change\n");
    assert_eq!(
        comparable(&bench.host.snapshot().unwrap()),
        comparable(&now),
        "a second run changed something"
    );
    let again = json(&bench.good(&["apply", "--policy", &policy, "--json"]));
    assert_eq!((&again["schema"], &again["outcome"]), (&1.into(), &"unchanged".into()));

    let list = json(&bench.good(&["rollback", "--list", "--json"]));
    assert_eq!(list["transactions"].as_array().unwrap().len(), 1);
    assert_eq!(list["transactions"][0]["outcome"], "applied");
    assert!(list["transactions"][0]["changes"].as_array().unwrap().len() > 5);
    let text = bench.good(&["rollback"]);
    assert!(text.contains("undone and checked (transaction 2)\nUndo: arpflux rollback 2\n"), "{text}");
    assert!(bench.is_as_before());
    let (code, _, errors) = bench.run(&["rollback"]);
    assert_eq!(code, 2);
    assert!(errors.contains("there is nothing to take back"), "{errors}");
}

#[test]
fn a_plan_printed_earlier_is_refused_once_the_host_has_changed() {
    let bench = Bench::new("plan");
    let plan = bench.good(&["apply", "--policy", &bench.path("policy.toml"), "--dry-run", "--json"]);
    std::fs::write(bench.path("plan.json"), &plan).unwrap();
    bench.node.sysctl("net/ipv4/conf/eth3/arp_ignore", 8).unwrap();
    let (code, _, errors) = bench.run(&["apply", "--plan", &bench.path("plan.json")]);
    assert_eq!(code, 7);
    assert!(
        errors.contains("net.ipv4.conf.eth3.arp_ignore: it is 8, the plan was made when it was 0"),
        "{errors}"
    );
    bench.node.sysctl("net/ipv4/conf/eth3/arp_ignore", 0).unwrap();
    assert!(bench.is_as_before());
    bench.good(&["apply", "--plan", &bench.path("plan.json")]);
    bench.good(&["rollback", "1"]);
    assert!(bench.is_as_before());
}

#[test]
fn what_does_harm_on_a_twin_is_not_applied() {
    let bench = Bench::new("rehearse");
    let silent = bench.path("silent.json");
    let plan = bench.good(&["plan", "--json", &bench.path("policy.toml")]);
    let mut plan = json(&plan);
    // The policy's own plan, but that eth3 is told to answer for nothing.
    let changes = plan["changes"].as_array_mut().unwrap();
    let of_eth3 = changes
        .iter_mut()
        .find(|change| {
            let object = change["object"].to_string();
            object.contains("eth3") && object.contains("arp_ignore")
        })
        .unwrap();
    of_eth3["after"] = 8.into();
    std::fs::write(&silent, plan.to_string()).unwrap();
    let (code, text, errors) = bench.run(&["apply", "--rehearse", "--plan", &silent]);
    assert_eq!(code, 2, "{text}{errors}");
    assert!(errors.contains("tried on a twin, it does harm"), "{errors}");
    assert!(errors.contains("- 192.168.18.11 on eth0, eth3 and eth4"), "{errors}");
    assert!(bench.is_as_before() && !bench.journal_is_there());

    let (code, text, errors) = bench.run(&["apply", "--rehearse", &bench.path("policy.toml")]);
    assert_eq!(code, 0, "{text}{errors}");
    assert!(errors.contains("tried on a twin") && errors.contains("0 lost"), "{errors}");
    assert!(text.contains("made and checked"), "{text}");
}

#[test]
fn the_plan_of_a_finding_is_applied_as_it_stands() {
    let bench = Bench::new("finding");
    let found = || json(&bench.run(&["diagnose", "--json"]).1)["findings"].as_array().unwrap().clone();
    let cured = found().into_iter().find(|finding| !finding["plan"].is_null()).unwrap();
    std::fs::write(bench.path("plan.json"), cured["plan"].to_string()).unwrap();
    bench.good(&["apply", "--plan", &bench.path("plan.json")]);
    assert!(found().iter().all(|left| (&left["id"], &left["objects"]) != (&cured["id"], &cured["objects"])));
    bench.good(&["rollback", "1"]);
    assert!(bench.is_as_before());
}

/// What is taken back is what was made, whatever the policy file says by then.
#[test]
fn a_policy_that_changed_between_apply_and_rollback_does_not_matter() {
    let bench = Bench::new("changed");
    let policy = bench.path("policy.toml");
    bench.good(&["apply", "--policy", &policy]);
    let first = comparable(&bench.host.snapshot().unwrap());
    for text in [self::policy().replace("\"eth3\"\n", "\"eth4\"\n"), "version = 9".into(), String::new()] {
        std::fs::write(&policy, text).unwrap();
        bench.good(&["rollback"]);
        assert!(bench.is_as_before());
        std::fs::write(&policy, self::policy()).unwrap();
        bench.good(&["apply", "--policy", &policy]);
    }
    // Two policies one after the other go back one after the other.
    std::fs::write(&policy, self::policy().replace("interface = \"eth3\"", "interface = \"eth4\"")).unwrap();
    bench.good(&["apply", "--policy", &policy]);
    assert!(comparable(&bench.host.snapshot().unwrap()) != first);
    std::fs::remove_file(&policy).unwrap();
    bench.good(&["rollback"]);
    assert!(comparable(&bench.host.snapshot().unwrap()) == first);
    bench.good(&["rollback"]);
    assert!(bench.is_as_before());
}

#[test]
fn a_conflict_is_exit_code_5_and_force_is_not() {
    let bench = Bench::new("conflict");
    bench.good(&["apply", "--policy", &bench.path("policy.toml")]);
    bench.node.sysctl("net/ipv4/conf/eth3/arp_ignore", 8).unwrap();
    let (code, text, _) = bench.run(&["rollback"]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("left alone: net.ipv4.conf.eth3.arp_ignore is 8, not 1"), "{text}");
    bench.good(&["rollback", "--force"]);
    assert!(bench.is_as_before());
}

#[test]
fn on_trial_confirmed_and_not() {
    let bench = Bench::new("trial");
    let policy = bench.path("policy.toml");
    let begin = Instant::now();
    // Its output ends with it: the process that waits holds neither pipe.
    let text = bench.good(&["apply", "--policy", &policy, "--confirm", "3s"]);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(
        text.contains("Otherwise it is undone in 3 s.\nNext: arpflux confirm 1\nUndo: arpflux rollback 1\n"),
        "{text}"
    );
    let status = json(&bench.good(&["confirm", "--status", "--json"]));
    let left = status["waiting"]["remaining_ms"].as_u64().unwrap();
    assert!(left > 500 && left <= 3000, "{left}");
    let (code, _, errors) = bench.run(&["proxy", "add", "-i", "eth0", "192.168.18.103"]);
    assert_eq!(code, 7);
    assert!(errors.contains("still waits for its confirmation"), "{errors}");
    while !bench.is_as_before() {
        assert!(begin.elapsed() < Duration::from_secs(8), "not undone");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begin.elapsed() >= Duration::from_secs(3));
    let (code, _, errors) = bench.run(&["confirm"]);
    assert_eq!(code, 4);
    assert!(errors.contains("no confirmation came in time"), "{errors}");

    bench.good(&["apply", "--policy", &policy, "--confirm", "2s"]);
    bench.good(&["confirm"]);
    let (code, text, _) = bench.run(&["confirm", "--status"]);
    assert_eq!((code, text.as_str()), (1, "nothing waits for confirmation\n"));
    std::thread::sleep(Duration::from_millis(2300));
    assert!(!bench.is_as_before(), "undone although it was confirmed");
}

#[test]
fn a_rollback_after_a_trial_of_nothing_takes_nothing_back() {
    let bench = Bench::new("nothing");
    let policy = bench.path("policy.toml");
    bench.good(&["apply", &policy]);
    let made = bench.host.snapshot().unwrap();
    let text = bench.good(&["apply", &policy, "--confirm", "30s"]);
    assert!(text.contains("nothing was changed, so nothing is on trial"), "{text}");
    let (code, text, errors) = bench.run(&["rollback"]);
    assert_eq!(code, 2, "{text}{errors}");
    assert!(errors.contains("had nothing to change") && errors.contains("`arpflux rollback 1`"), "{errors}");
    assert!(comparable(&bench.host.snapshot().unwrap()) == comparable(&made));
    bench.good(&["rollback", "1"]);
    assert!(bench.is_as_before());
}

#[test]
fn everything_is_taken_back_whatever_was_taken_back_before() {
    let bench = Bench::new("all");
    let policy = |value: &str| {
        let text =
            format!("version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\n{value}announce = false\n");
        std::fs::write(bench.folder.join("other.toml"), text).unwrap();
        bench.good(&["apply", "--accept-harm", &bench.path("other.toml")]);
    };
    policy("");
    // As before, by another change: the first has nothing left to take back, and the second brings its values again.
    policy("strategy = \"unmanaged\"\negress = \"unmanaged\"\n");
    bench.good(&["proxy", "add", "-i", "eth3", "10.9.9.9"]);
    for number in ["1", "2", "4"] {
        bench.good(&["rollback", number]);
    }
    assert!(!bench.is_as_before());
    bench.good(&["rollback", "--all"]);
    assert!(bench.is_as_before());
    assert_eq!(bench.good(&["rollback", "--all"]), "there is nothing to take back in this namespace\n");
}

#[test]
fn fifty_processes_at_once() {
    let bench = Bench::new("parallel");
    let plan = bench.good(&["apply", "--policy", &bench.path("policy.toml"), "--dry-run", "--json"]);
    std::fs::write(bench.path("plan.json"), &plan).unwrap();
    let address = |number: usize| format!("192.0.2.{number}");
    let begin = Instant::now();
    let codes = std::sync::Mutex::new(Vec::<i32>::new());
    std::thread::scope(|scope| {
        for number in 0..50_usize {
            let (bench, codes) = (&bench, &codes);
            scope.spawn(move || {
                let address = address(number / 2);
                match number % 10 {
                    // One of them makes the plan so; the others come too late, and are told.
                    9 => {
                        let plan = bench.path("plan.json");
                        let (code, ..) = bench.run(&["apply", "--plan", &plan, "--wait", "60s"]);
                        codes.lock().unwrap().push(code);
                    }
                    // Pairs add the same address; of every fifth pair one adds and removes another one too.
                    0 => {
                        bench.good(&[
                            "proxy",
                            "add",
                            "-i",
                            "eth0",
                            &address,
                            "198.51.100.1",
                            "--wait",
                            "60s",
                        ]);
                        bench.good(&["proxy", "del", "198.51.100.1", "--wait", "60s"]);
                    }
                    _ => drop(bench.good(&["proxy", "add", "-i", "eth0", &address, "--wait", "60s"])),
                }
            });
        }
    });
    println!("50 processes took {:?}", begin.elapsed());
    let now = bench.host.snapshot().unwrap();
    for number in 0..25 {
        let count = now.proxies.iter().filter(|entry| entry.address.to_string() == address(number)).count();
        assert_eq!(count, 1, "{}", address(number));
    }
    assert!(!bench.journal_is_there());
    let left = now.proxies.iter().filter(|entry| entry.address.to_string() == "198.51.100.1").count();
    assert_eq!(left, 0);
    let mut codes = codes.into_inner().unwrap();
    codes.sort_unstable();
    assert_eq!(codes, [0, 7, 7, 7, 7]);
    let again = bench.host.snapshot().unwrap().interface_named(&"eth3".parse().unwrap()).unwrap().sysctls;
    assert_eq!(again.get(arpflux_core::sysctl::Sysctl::ArpIgnore), Some(1));
}

#[test]
fn proxy_entries_are_added_and_deleted_once() {
    let bench = Bench::new("proxy");
    let added = bench.good(&["proxy", "add", "-i", "eth3", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert!(added.contains("3 changes made and checked"), "{added}");
    let count = |more: &[&str]| {
        let list = bench.good(&[&["proxy", "list", "--json"], more].concat());
        json(&list)["proxies"].as_array().unwrap().len()
    };
    let all = count(&[]);
    let ours = count(&["--by", "arpflux"]);
    assert!(ours > 0 && ours < all, "{ours} of {all}");
    assert_eq!(count(&["--by", "arpflux", "-i", "lan.7"]), 0);
    assert_eq!((count(&["--limit", "1"]), count(&["--prefix", "203.0.113.0/24"])), (1, 0));
    let short = bench.good(&["proxy", "list", "--limit", "1"]);
    assert!(short.ends_with(" more (--limit, -i, --prefix)\n"), "{short}");
    let again = bench.good(&["proxy", "add", "-i", "eth3", "192.0.2.2", "192.0.2.1"]);
    assert!(again.starts_with("nothing to change"), "{again}");
    bench.good(&["proxy", "add", "-i", "eth4", "--only", "192.0.2.1"]);
    let list = json(&bench.good(&["proxy", "list", "--json"]));
    let entries: Vec<(String, String)> = list["proxies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["address"].as_str().unwrap().into(), entry["interface"].as_str().unwrap().into()))
        .filter(|(address, _): &(String, String)| !address.starts_with("192.168"))
        .collect();
    let expected = [("192.0.2.1", "eth4"), ("192.0.2.2", "eth3"), ("2001:db8::1", "eth3")];
    assert_eq!(entries, expected.map(|(address, interface)| (address.to_owned(), interface.to_owned())));
    bench.good(&["proxy", "del", "192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert!(bench.good(&["proxy", "del", "192.0.2.1"]).starts_with("nothing to change"));
    assert!(bench.is_as_before());
    for (arguments, code, word) in [
        (&["proxy", "add", "-i", "eth9", "192.0.2.1"][..], 2, "no such interface"),
        (&["proxy", "add", "-i", "eth0", "192.168.18.11"], 2, "has the address itself"),
        (&["proxy", "add", "-i", "eth0", "192.0.2.300"], 2, "invalid"),
        (&["proxy", "add", "-i", "eth0"], 2, "required"),
        (&["proxy", "del"], 2, "required"),
    ] {
        let (got, _, errors) = bench.run(arguments);
        assert_eq!(got, code, "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{arguments:?}: {errors}");
    }
}

#[test]
fn bad_input_and_bad_places_change_nothing() {
    let bench = Bench::new("bad");
    let policy = bench.path("policy.toml");
    let file = |name: &str, text: &str| {
        std::fs::write(bench.path(name), text).unwrap();
        bench.path(name)
    };
    let unknown = file("unknown.toml", "version = 1\n[host]\ninterfaces = [\"eth9\"]\n");
    let broken = file("broken.toml", "version = ");
    let not_a_plan = file("plan.json", "{}");
    for (arguments, code, word) in [
        (&["apply", "--policy", "/nonexistent"][..], 2, "/nonexistent"),
        (&["apply", "--policy", &unknown], 2, "eth9"),
        (&["apply", "--policy", &broken], 2, "broken.toml"),
        (&["apply", "--plan", &not_a_plan], 2, "netns"),
        (&["apply"], 2, "--policy"),
        (&["apply", "--policy", &policy, "--confirm", "soon"], 2, "30s"),
        (&["apply", "--policy", &policy, "--confirm", "0s"], 2, "between 1 s and 24 h"),
        (&["apply", "--policy", &policy, "--state-dir", "relative"], 2, "not absolute"),
        (&["apply", "--policy", &policy, "--state-dir", "/proc/arpflux"], 2, "/proc/arpflux"),
        (&["rollback", "77"], 2, "no such transaction"),
        (&["confirm"], 2, "no transaction waits"),
    ] {
        let (got, _, errors) = bench.run(arguments);
        assert_eq!(got, code, "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{arguments:?}: {errors}");
        assert!(bench.is_as_before(), "{arguments:?}");
    }
    assert_eq!(bench.good(&["recover"]), "nothing was left half done\n");
}

fn mounted(path: &Path, options: &str) {
    std::fs::create_dir_all(path).unwrap();
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).status();
    assert!(status.unwrap().success());
}

fn unmounted(path: &Path) {
    assert!(Command::new("umount").arg(path).status().unwrap().success());
}

#[test]
fn a_full_or_read_only_disk_changes_nothing() {
    let bench = Bench::new("disk");
    // The second plan is larger than the disk.
    let many: Vec<String> = (0..600).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
    let place = bench.folder.join("state");
    mounted(&place, "size=64k,mode=700");
    let mut arguments = vec!["proxy", "add", "-i", "eth0"];
    arguments.extend(many.iter().map(String::as_str));
    let (code, _, errors) = bench.run(&arguments);
    assert_eq!(code, 4, "{errors}");
    assert!(errors.contains("No space left") && errors.contains("journal"), "{errors}");
    assert!(bench.is_as_before() && !bench.journal_is_there());
    // What fits is made all the same.
    bench.good(&["proxy", "add", "-i", "eth0", "192.0.2.1"]);
    bench.good(&["rollback"]);
    unmounted(&place);
    mounted(&place, "ro,mode=700");
    let (code, _, errors) = bench.run(&["proxy", "add", "-i", "eth0", "192.0.2.1"]);
    assert_eq!(code, 4, "{errors}");
    assert!(errors.contains("Read-only file system") && errors.contains("ARPFLUX_STATE_DIR"), "{errors}");
    unmounted(&place);
    assert!(bench.is_as_before());
}

#[test]
fn the_network_capability_alone_is_enough_and_nothing_is_not() {
    let bench = Bench::new("capabilities");
    let policy = bench.path("policy.toml");
    let none = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];
    let (code, _, errors) = bench.run_below(&none, &["apply", "--policy", &policy]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("CAP_NET_ADMIN"), "{errors}");
    assert!(bench.is_as_before() && !bench.journal_is_there());
    let (code, text, errors) = bench.run_below(&none, &["apply", "--policy", &policy, "--dry-run"]);
    assert!(code == 6 && text.ends_with("take the snapshot, as root.\n"), "{text}{errors}");

    let network = ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+net_admin"];
    let (code, text, errors) = bench.run_below(&network, &["apply", "--policy", &policy]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    let (code, _, errors) = bench.run_below(&network, &["rollback"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(bench.is_as_before());
}
