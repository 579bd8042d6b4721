//! Asking a host on itself: the same answers as from the wire, nothing on the wire, nothing left behind.
#![allow(missing_docs, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arpflux_core::frame::Printed;
use arpflux_core::predict::ArpRequest;
use arpflux_core::types::{IfName, Mac};
use arpflux_core::wire::Filter;
use arpflux_core::wire::inject::{self, Injector};
use arpflux_core::{ErrorKind, Host as CoreHost, Stop};
use arpflux_lab::page::{self, NICS, Nic};
use arpflux_lab::{Host, Lab, Question, Recorder, Switch};

/// Much longer than an answer takes, and for those that do not come only.
const WAIT: Duration = Duration::from_millis(500);

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn name(text: &str) -> IfName {
    text.parse().unwrap()
}

fn core(host: &Host) -> CoreHost {
    CoreHost::from(host.netns().try_clone().unwrap())
}

fn node(lab: &Lab) -> (Switch, Host) {
    let lan = lab.switch("lan").unwrap();
    let hn = page::node(lab, &lan, "hn").unwrap();
    (lan, hn)
}

fn request(sender: &str, target: &str) -> ArpRequest {
    ArpRequest {
        interface: arpflux_core::types::IfIndex(0),
        sender: ip(sender),
        sender_mac: None,
        target: ip(target),
        unicast: false,
    }
}

fn ask(host: &Host, interface: &str, requests: &[ArpRequest], wait: Duration) -> Vec<Option<Mac>> {
    let answers = inject::ask(&core(host), &name(interface), requests, wait).unwrap();
    answers.iter().map(|answers| answers.first().map(|answer| answer.mac)).collect()
}

/// Interfaces, traffic control and neighbours, as the tools show them.
fn state(host: &Host) -> String {
    let run = |program: &str, arguments: &[&str]| {
        let output = host.run(|| Command::new(program).args(arguments).output()).unwrap().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Times and counters change by themselves.
    run("ip", &["-br", "link"]) + &run("tc", &["qdisc", "show"]) + &run("ip", &["-4", "-br", "neigh"])
}

#[test]
fn the_answers_are_those_of_the_wire_and_never_reach_it() {
    let lab = Lab::new().unwrap();
    let (lan, hn) = node(&lab);
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", "00:0c:29:d2:c7:aa".parse().unwrap()).unwrap();
    client.address("eth0", "192.168.18.129/24").unwrap();

    let mut compared = 0;
    for (all_ignore, filter) in [(0, 0), (1, 0), (8, 0), (0, 1)] {
        hn.sysctl("net.ipv4.conf.all.arp_ignore", all_ignore).unwrap();
        hn.sysctl("net.ipv4.conf.all.arp_filter", filter).unwrap();
        let senders = ["192.168.18.200", "0.0.0.0", "192.168.18.10", "10.9.9.9"];
        let targets = ["192.168.18.10", "192.168.18.11", "192.168.18.12", "192.168.18.99", "127.0.0.1"];
        let requests: Vec<ArpRequest> =
            senders.iter().flat_map(|sender| targets.iter().map(|target| request(sender, target))).collect();
        let questions: Vec<Question> =
            requests.iter().map(|request| Question::new(request.sender, request.target)).collect();
        for Nic { name: interface, mac, .. } in NICS {
            let from_wire: Vec<Option<Mac>> = hn
                .ask(interface, &questions)
                .unwrap()
                .iter()
                .map(|answers| answers.first().map(|answer| answer.mac))
                .collect();
            hn.forget_neighbours().unwrap();
            let before = state(&hn);
            let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
            let injected = ask(&hn, interface, &requests, WAIT);
            let wire: Vec<String> =
                recorder.stop().unwrap().iter().map(|frame| Printed(&frame.frame).to_string()).collect();
            assert_eq!(injected, from_wire, "{interface} arp_ignore={all_ignore} arp_filter={filter}");
            assert_eq!(wire, [""; 0], "nothing of it reaches the wire");
            assert_eq!(state(&hn), before, "{interface}");
            assert!(injected.iter().flatten().all(|answer| answer.to_string() == mac));
            compared += injected.iter().flatten().count();
        }
    }
    assert!(compared >= 20, "only {compared} answers: the comparison shows nothing");
}

#[test]
fn proxied_addresses_answer_late_to_all_and_at_once_to_one() {
    let lab = Lab::new().unwrap();
    let (_lan, hn) = node(&lab);
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let venet = lab.venet(&hn, "venet0").unwrap();
    let _container = venet.container("101", ip("192.168.18.101")).unwrap();
    hn.proxy("eth3", ip("192.168.18.101").into()).unwrap();
    let all = request("192.168.18.200", "192.168.18.101");
    let one = ArpRequest { unicast: true, ..all };
    assert_eq!(ask(&hn, "eth3", &[all], Duration::from_secs(2)), [Some(NICS[1].mac.parse().unwrap())]);
    assert_eq!(ask(&hn, "eth3", &[one], WAIT), [Some(NICS[1].mac.parse().unwrap())]);
    assert_eq!(ask(&hn, "eth0", &[all, one], Duration::from_secs(1)), [None, None]);
    // More than may wait at a time (64): they are asked in portions.
    let many = vec![all; 100];
    let mut injector = Injector::open(&core(&hn), &name("eth3")).unwrap();
    let answers = injector.ask(&many, Duration::from_secs(2)).unwrap();
    injector.close().unwrap();
    assert_eq!(answers.iter().filter(|answers| !answers.is_empty()).count(), 100);
}

#[test]
fn real_neighbours_are_left_as_they_were() {
    let lab = Lab::new().unwrap();
    let (lan, hn) = node(&lab);
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", "00:0c:29:d2:c7:aa".parse().unwrap()).unwrap();
    client.address("eth0", "192.168.18.129/24").unwrap();
    assert_eq!(hn.ping(None, ip("192.168.18.129"), 1).unwrap().received, 1);
    let known = hn.neighbour(ip("192.168.18.129").into()).unwrap();
    assert_eq!(known, Some("00:0c:29:d2:c7:aa".parse().unwrap()));
    for sender_mac in [None, Some(Mac::ethernet([2, 9, 9, 9, 9, 9]))] {
        let requests = [
            ArpRequest { sender_mac, ..request("192.168.18.129", "192.168.18.10") },
            request("192.168.18.200", "192.168.18.10"),
        ];
        assert!(ask(&hn, "eth0", &requests, WAIT).iter().all(Option::is_some));
        assert_eq!(hn.neighbour(ip("192.168.18.129").into()).unwrap(), known, "{sender_mac:?}");
        assert_eq!(hn.neighbour(ip("192.168.18.200").into()).unwrap(), None);
        assert_eq!(hn.ping(None, ip("192.168.18.129"), 1).unwrap().received, 1);
    }
}

#[test]
fn who_wants_no_more_gets_an_end_soon_and_finds_nothing_left() {
    let lab = Lab::new().unwrap();
    let (lan, hn) = node(&lab);
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", "00:0c:29:d2:c7:aa".parse().unwrap()).unwrap();
    let venet = lab.venet(&hn, "venet0").unwrap();
    let _container = venet.container("101", ip("192.168.18.101")).unwrap();
    hn.proxy("eth3", ip("192.168.18.101").into()).unwrap();
    let before = state(&hn);
    // Nobody answers for the first; the answers for the others are still in the kernel's queue when it ends.
    let mut requests = vec![request("192.168.18.200", "192.168.18.101"); 31];
    requests.insert(0, request("192.168.18.200", "192.168.18.99"));
    let hour = Duration::from_secs(3600);
    for delay in [100, 0] {
        let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
        let stop = Stop::default();
        let mut injector = Injector::open(&core(&hn), &name("eth3")).unwrap();
        let started = Instant::now();
        let error = std::thread::scope(|scope| {
            if delay == 0 {
                stop.raise();
            } else {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(delay));
                    stop.raise();
                });
            }
            injector.ask_until(&requests, hour, &stop).unwrap_err()
        });
        injector.close().unwrap();
        assert_eq!(
            (error.kind(), error.object()),
            (ErrorKind::Interrupted, "eth3"),
            "after {delay} ms: {error}"
        );
        assert!(started.elapsed() < Duration::from_secs(60));
        // The kernel's answers come within 0.8 s, and would be seen here.
        for _ in 0..10 {
            assert_eq!(state(&hn), before, "after {delay} ms");
            std::thread::sleep(Duration::from_millis(100));
        }
        let wire: Vec<String> =
            recorder.stop().unwrap().iter().map(|frame| Printed(&frame.frame).to_string()).collect();
        assert_eq!(wire, [""; 0], "after {delay} ms: nothing of it reaches the wire");
        assert!(!inject::clean(&core(&hn)).unwrap());
    }
}

#[test]
fn what_a_killed_run_leaves_is_removed_by_the_next() {
    const CHILD: &str = "ARPFLUX_TEST_INJECT_AND_HANG";
    if std::env::var_os(CHILD).is_some() {
        // The child: works, tells so, and waits for its end.
        let mut injector = Injector::open(&CoreHost::current().unwrap(), &name("eth0")).unwrap();
        let answers = injector.ask(&[request("192.168.18.200", "192.168.18.10")], WAIT).unwrap();
        assert_eq!(answers[0].len(), 1);
        println!("\ninjected");
        std::thread::sleep(Duration::from_secs(60));
        panic!("nobody killed the child");
    }
    let lab = Lab::new().unwrap();
    let (_lan, hn) = node(&lab);
    let before = state(&hn);
    let mut child = hn
        .run(|| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "what_a_killed_run_leaves_is_removed_by_the_next", "--nocapture"])
                .env(CHILD, "1")
                .stdout(Stdio::piped())
                .spawn()
        })
        .unwrap()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "injected"));

    // While it lives nobody else gets in, and nothing of it is touched.
    let error = Injector::open(&core(&hn), &name("eth3")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert_eq!(inject::clean(&core(&hn)).unwrap_err().kind(), ErrorKind::Busy);
    child.kill().unwrap();
    child.wait().unwrap();
    let left = state(&hn);
    assert!(left.contains("arpflux-in") && left.contains("clsact"), "{left}");

    // The next run, on another interface even, finds and removes it.
    assert_eq!(ask(&hn, "eth3", &[request("192.168.18.200", "192.168.18.10")], WAIT).len(), 1);
    assert_eq!(state(&hn), before);
    assert!(!inject::clean(&core(&hn)).unwrap());
}

#[test]
fn somebody_elses_filters_are_left_alone() {
    let lab = Lab::new().unwrap();
    let (_lan, hn) = node(&lab);
    for kind in ["clsact", "ingress"] {
        let tc = |arguments: &[&str]| {
            let status = hn.run(|| Command::new("tc").args(arguments).status()).unwrap().unwrap();
            assert!(status.success(), "{arguments:?}");
        };
        tc(&["qdisc", "add", "dev", "eth0", kind]);
        let before = state(&hn);
        let error = Injector::open(&core(&hn), &name("eth0")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.to_string().contains("somebody else"), "{error}");
        // The others can still be asked.
        let answers = ask(&hn, "eth3", &[request("192.168.18.200", "192.168.18.10")], WAIT);
        assert!(answers[0].is_some());
        assert_eq!(state(&hn), before);
        tc(&["qdisc", "del", "dev", "eth0", kind]);
    }
}

#[test]
fn bridges_and_macvlans_are_asked_themselves_and_ports_are_refused() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = lab.host("hn").unwrap();
    for port in ["port0", "port1", "trunk"] {
        hn.plug(&lan, port, Mac::NONE).unwrap();
    }
    hn.bridge("br0", &["port0", "port1"]).unwrap();
    hn.up("br0").unwrap();
    hn.address("br0", "10.1.0.1/24").unwrap();
    hn.address("trunk", "10.2.0.1/24").unwrap();
    let added = hn.run(|| {
        let add = ["link", "add", "mv0", "link", "trunk", "up", "type", "macvlan", "mode", "bridge"];
        Command::new("ip").args(add).status()
    });
    assert!(added.unwrap().unwrap().success());
    hn.address("mv0", "10.3.0.1/24").unwrap();
    hn.settle("mv0").unwrap();
    for (interface, target, sender) in
        [("br0", "10.1.0.1", "10.1.0.9"), ("trunk", "10.2.0.1", "10.2.0.9"), ("mv0", "10.3.0.1", "10.3.0.9")]
    {
        let answers = ask(&hn, interface, &[request(sender, target)], WAIT);
        assert_eq!(answers, [Some(hn.mac(interface).unwrap())], "{interface}");
    }
    let error = Injector::open(&core(&hn), &name("port0")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    let error = Injector::open(&core(&hn), &name("lo")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Refused), "{error}");
    assert_eq!(Injector::open(&core(&hn), &name("none0")).unwrap_err().kind(), ErrorKind::NotFound);
    // An interface that is down is silent, as it is to the wire.
    hn.down("trunk").unwrap();
    assert_eq!(ask(&hn, "trunk", &[request("10.2.0.9", "10.1.0.1")], WAIT), [None]);
}
