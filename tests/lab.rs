//! The lab on the running kernel: wires that carry, carrier that comes and goes, nothing left behind.
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use arpflux_core::ErrorKind;
use arpflux_core::frame::{Ipv4Arp, Operation, Printed};
use arpflux_core::snapshot::Scope;
use arpflux_core::types::Mac;
use arpflux_core::wire::{Direction, Filter};
use arpflux_lab::page::{self, CLIENT, NICS, Nic};
use arpflux_lab::{Host, Lab, NewRoute, NewRule, Question, Recorder};

fn node_and_client(lab: &Lab) -> (Host, Host) {
    let lan = lab.switch("lan").unwrap();
    let hn = page::node(lab, &lan, "hn").unwrap();
    let client = page::client(lab, &lan).unwrap();
    (hn, client)
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

#[test]
fn example_one_all_three_interfaces_answer_a_broadcast() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
    assert_eq!(client.ping(None, ip("192.168.18.10"), 2).unwrap().received, 2);
    let frames = recorder.stop().unwrap();
    let text: Vec<String> = frames.iter().map(|frame| Printed(&frame.frame).to_string()).collect();
    assert_eq!(frames[0].direction, Direction::Out);
    assert_eq!(
        text[0],
        "00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, ARP, length 42: \
         arp who-has 192.168.18.10 tell 192.168.18.129"
    );
    for mac in NICS.map(|nic| nic.mac) {
        let reply = format!("{mac} > 00:0c:29:d2:c7:aa, ARP, length 42: arp reply 192.168.18.10 is-at {mac}");
        assert!(text.contains(&reply), "{text:#?}");
    }
    // The known MACs are really on the interfaces.
    assert_eq!(hn.mac("eth3").unwrap().to_string(), "00:0c:29:b3:a2:68");
}

#[test]
fn questions_reach_one_interface_and_every_answer_comes() {
    let lab = Lab::new().unwrap();
    let (hn, _client) = node_and_client(&lab);
    for Nic { name, mac, .. } in NICS {
        let questions: Vec<_> =
            (0..=255).map(|i| Question::new(CLIENT, Ipv4Addr::new(192, 168, 18, i))).collect();
        let answers = hn.ask(name, &questions).unwrap();
        for (question, answers) in questions.iter().zip(&answers) {
            let macs: Vec<_> = answers.iter().map(|answer| answer.mac.to_string()).collect();
            let own = (10..=12).contains(&question.target.octets()[3]);
            assert_eq!(macs, if own { vec![mac.to_string()] } else { vec![] }, "{name} {question:?}");
        }
    }
    // Nothing that was learned stays.
    assert!(hn.neighbours().unwrap().iter().all(|entry| entry.address != IpAddr::V4(CLIENT)));
}

/// 4,000 different senders would overflow the neighbour table (1,024 entries on the whole machine) and
/// silence the host if they stayed in it.
#[test]
fn thousands_of_senders_do_not_silence_the_host() {
    let lab = Lab::new().unwrap();
    let hn = lab.host("hn").unwrap();
    let lan = lab.switch("lan").unwrap();
    hn.plug(&lan, "eth0", Mac::NONE).unwrap();
    hn.address("eth0", "10.0.0.1/16").unwrap();
    let questions: Vec<_> = (0..4000u16)
        .map(|i| Question::new(Ipv4Addr::new(10, 0, 1 + (i >> 8) as u8, i as u8), ip("10.0.0.1")))
        .collect();
    let start = Instant::now();
    let answers = hn.ask("eth0", &questions).unwrap();
    assert!(answers.iter().all(|answers| answers.len() == 1));
    eprintln!("4,000 questions in {:?}", start.elapsed());
}

#[test]
fn identical_questions_are_told_apart() {
    let lab = Lab::new().unwrap();
    let (hn, _client) = node_and_client(&lab);
    let question = Question {
        sender_mac: Some("02:00:00:00:00:07".parse().unwrap()),
        destination: hn.mac("eth0").unwrap(),
        ..Question::new(CLIENT, ip("192.168.18.10"))
    };
    let answers = hn.ask("eth0", &[question; 5]).unwrap();
    assert!(answers.iter().all(|answers| answers.len() == 1), "{answers:?}");
}

#[test]
fn delayed_answers_for_proxied_addresses_are_waited_for_on_request() {
    let lab = Lab::new().unwrap();
    let (hn, _client) = node_and_client(&lab);
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    hn.plug(&lab.switch("behind").unwrap(), "venet0", Mac::NONE).unwrap();
    hn.route(&NewRoute::to("192.168.18.101").unwrap().device("venet0").unwrap()).unwrap();
    hn.proxy("eth3", IpAddr::V4(ip("192.168.18.101"))).unwrap();
    let question = [Question::new(CLIENT, ip("192.168.18.101"))];
    let mut asker = hn.asker("eth3").unwrap();
    let answers = asker.ask(&question, Duration::from_millis(1200)).unwrap();
    assert_eq!(answers[0].len(), 1);
    hn.sysctl("net.ipv4.neigh.eth3.proxy_delay", 0).unwrap();
    let answers = asker.ask(&question, Duration::ZERO).unwrap();
    assert_eq!(answers[0].len(), 1);
    assert!(answers[0][0].after < Duration::from_millis(200));
    assert_eq!(hn.ask("eth4", &question).unwrap()[0], []);
    hn.delete_proxy("eth3", IpAddr::V4(ip("192.168.18.101"))).unwrap();
    assert_eq!(asker.ask(&question, Duration::from_millis(900)).unwrap()[0], []);
}

#[test]
fn containers_behind_venet_reach_the_node_the_world_and_each_other() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let venet = lab.venet(&hn, "venet0").unwrap();
    let [one, two] = ["192.168.18.101", "192.168.18.102"].map(ip);
    let ct101 = venet.container("101", one).unwrap();
    let ct102 = venet.container("102", two).unwrap();
    for address in [one, two] {
        hn.proxy("eth0", IpAddr::V4(address)).unwrap();
    }
    hn.sysctl("net.ipv4.neigh.eth0.proxy_delay", 0).unwrap();
    for (from, to) in
        [(&hn, one), (&ct101, ip("192.168.18.11")), (&ct101, CLIENT), (&client, two), (&ct102, one)]
    {
        let pings = from.ping(None, to, 3).unwrap();
        assert_eq!((pings.received, pings.duplicates), (3, 0), "{} to {to}", from.name());
    }
    // There is no ARP on it, as on OpenVZ.
    let recorder = Recorder::start(&[(&hn, "venet0")], Filter::Arp).unwrap();
    ct101.ping(None, ip("192.168.18.10"), 1).unwrap();
    assert_eq!(recorder.stop().unwrap(), []);
}

#[test]
fn carrier_names_and_stacked_interfaces() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let target = ip("192.168.18.10");
    hn.carrier("eth3", false).unwrap();
    hn.carrier("eth4", false).unwrap();
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::ArpReplies).unwrap();
    assert_eq!(client.ping(None, target, 1).unwrap().received, 1);
    assert_eq!(recorder.stop().unwrap().len(), 1, "only eth0 still has a wire");
    hn.carrier("eth3", true).unwrap();

    // The far end follows its interface through a new name.
    hn.down("eth4").unwrap();
    hn.rename("eth4", "uplink").unwrap();
    hn.up("uplink").unwrap();
    hn.carrier("uplink", true).unwrap();
    assert_eq!(hn.ask("uplink", &[Question::new(CLIENT, target)]).unwrap()[0].len(), 1);
    assert_eq!(hn.ask("eth4", &[]).unwrap_err().kind(), ErrorKind::NotFound);
    hn.delete("uplink").unwrap();
    assert_eq!(hn.index("uplink").unwrap_err().kind(), ErrorKind::NotFound);

    hn.macvlan("eth0", "mac0", 4, "02:00:00:00:00:01".parse().unwrap()).unwrap();
    hn.address("mac0", "10.11.0.1/24").unwrap();
    client.address("eth0", "10.11.0.2/24").unwrap();
    assert_eq!(client.ping(None, ip("10.11.0.1"), 1).unwrap().received, 1);

    let far = lab.host("far").unwrap();
    hn.connect("cable", &far, "eth0").unwrap();
    hn.bridge("br0", &["cable"]).unwrap();
    hn.settle("cable").unwrap();
    hn.address("br0", "10.12.0.1/24").unwrap();
    far.address("eth0", "10.12.0.2/24").unwrap();
    assert_eq!(far.ping(None, ip("10.12.0.1"), 1).unwrap().received, 1);
    let answers = hn.ask("cable", &[Question::new(ip("10.12.0.2"), ip("10.12.0.1"))]).unwrap();
    assert_eq!(answers[0].len(), 1);
}

/// Kernels may be built without VLANs, dummies and VRFs: then that is said, and nothing is half made.
#[test]
fn kinds_of_interfaces_work_or_are_refused_in_words() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let works = |result: arpflux_core::Result<()>| match result {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("without interfaces of that kind"), "{error}");
            false
        }
    };
    if works(hn.vlan("eth0", "eth0.10", 10)) {
        client.vlan("eth0", "eth0.10", 10).unwrap();
        hn.address("eth0.10", "10.10.0.1/24").unwrap();
        client.address("eth0.10", "10.10.0.2/24").unwrap();
        let recorder = Recorder::start(&[(&client, "eth0")], Filter::All).unwrap();
        assert_eq!(client.ping(None, ip("10.10.0.1"), 1).unwrap().received, 1);
        let frames = recorder.stop().unwrap();
        let text = Printed(&frames[0].frame).to_string();
        assert!(text.contains("802.1Q, length 46: vlan 10, p 0, ARP, arp who-has 10.10.0.1"), "{text}");
        hn.sysctl("net/ipv4/conf/eth0.10/arp_ignore", 1).unwrap();
        assert_eq!(hn.read_sysctl("net/ipv4/conf/eth0.10/arp_ignore").unwrap(), "1");
    }
    assert_eq!(works(hn.dummy("dummy9")), hn.index("dummy9").is_ok());
    assert_eq!(works(hn.vrf("vrf9", 999, &["eth4"])), hn.index("vrf9").is_ok());
}

/// The kernel takes the outer tag off before a socket sees the frame; it is put back.
#[test]
fn vlan_tags_are_put_back() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let plain = Ipv4Arp::probe(client.mac("eth0").unwrap(), ip("10.0.0.1")).to_frame(Mac::BROADCAST);
    let mut receiver = hn.packet_socket("eth3", Filter::All).unwrap();
    let sender = client.packet_socket("eth0", Filter::Arp).unwrap();
    for tags in [&[0x81, 0, 0x60, 0x0a][..], &[0x88, 0xa8, 0, 100, 0x81, 0, 0, 10], &[]] {
        let tagged = [&plain[..12], tags, &plain[12..]].concat();
        sender.send(&tagged).unwrap();
        let received = receiver.receive(Instant::now() + Duration::from_secs(1)).unwrap().unwrap();
        assert_eq!(received.frame, tagged);
        assert!(received.at.0 > 1_000_000_000_000_000_000);
    }
}

#[test]
fn routes_rules_and_addresses_with_a_far_end() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    hn.address_with("eth0", "10.1.0.1", Some("10.1.0.2/32"), Scope::UNIVERSE).unwrap();
    client.address_with("eth0", "10.1.0.2", Some("10.1.0.1/32"), Scope::LINK).unwrap();
    assert_eq!(client.ping(None, ip("10.1.0.1"), 1).unwrap().received, 1);

    let default = NewRoute::to("0.0.0.0/0").unwrap().device("eth3").unwrap().table(1000);
    hn.route(&default).unwrap();
    let rule = NewRule::lookup(1000).from("192.168.18.11").unwrap().priority(100);
    hn.rule(&rule).unwrap();
    let leaves_by = |from: &str| {
        let recorder = Recorder::start(&[(&hn, "eth0"), (&hn, "eth3")], Filter::All).unwrap();
        hn.ping(Some(ip(from)), CLIENT, 1).unwrap();
        let frames = recorder.stop().unwrap();
        frames
            .iter()
            .filter(|frame| {
                frame.direction == Direction::Out && Printed(&frame.frame).to_string().contains("ICMP")
            })
            .map(|frame| frame.place)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(leaves_by("192.168.18.11"), BTreeSet::from([1]));
    hn.delete_rule(&rule).unwrap();
    assert_eq!(leaves_by("192.168.18.11"), BTreeSet::from([0]));
    hn.delete_route(&default).unwrap();
    assert_eq!(hn.delete_route(&default).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        hn.route(&NewRoute::to("10.9.0.0/16").unwrap().via(ip("10.200.0.1").into())).unwrap_err().errno(),
        Some(101)
    );
}

#[test]
fn sysctl_names_cannot_leave_their_folder() {
    let lab = Lab::new().unwrap();
    let host = lab.host("host").unwrap();
    for key in ["", "net..ipv4", "net/../../etc/passwd", "net.ipv4.ip_forward/x", "net/ipv4/./ip_forward"] {
        assert_eq!(host.read_sysctl(key).unwrap_err().kind(), ErrorKind::InvalidInput, "{key}");
    }
    assert_eq!(host.sysctl("net.ipv4.no_such", 1).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn two_labs_do_not_meet() {
    let (one, two) = (Lab::new().unwrap(), Lab::new().unwrap());
    let (_hn, client) = node_and_client(&one);
    let other = two.switch("lan").unwrap();
    assert_eq!(client.plug(&other, "eth9", Mac::NONE).unwrap_err().kind(), ErrorKind::InvalidInput);
    let stranger = two.host("stranger").unwrap();
    stranger.plug(&other, "eth0", Mac::NONE).unwrap();
    stranger.address("eth0", "192.168.18.130/24").unwrap();
    assert_eq!(stranger.ping(None, CLIENT, 1).unwrap().received, 0);
}

/// A host's namespace, by the inode of its file; looked for among all that the kernel lists.
fn inode(host: &Host) -> u64 {
    host.run(|| {
        let link = fs::read_link("/proc/thread-self/ns/net").unwrap();
        link.to_str().unwrap().trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    })
    .unwrap()
}

/// Whether a process or thread of this process still holds a namespace, by membership or descriptor.
fn held(inode: u64) -> bool {
    let name = format!("net:[{inode}]");
    let is_it = |path: std::path::PathBuf| fs::read_link(path).is_ok_and(|link| link.to_str() == Some(&name));
    fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let tasks = fs::read_dir(process.path().join("task")).into_iter().flatten().flatten();
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        tasks.map(|task| task.path().join("ns/net")).chain(files.map(|file| file.path())).any(is_it)
    })
}

/// A device in this test's namespace that goes when its other end, in the lab, does.
fn wire_here(host: &Host, name: &str) -> bool {
    host.run(|| fs::exists(format!("/sys/class/net/{name}")).unwrap()).unwrap();
    fs::read_to_string("/proc/thread-self/net/dev").unwrap().contains(name)
}

#[test]
fn nothing_is_left_behind_on_drop_and_on_panic() {
    let before = fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count();
    let inodes = {
        let lab = Lab::new().unwrap();
        let (hn, client) = node_and_client(&lab);
        assert!(held(inode(&hn)));
        assert!(!wire_here(&hn, "eth0"));
        [inode(&hn), inode(&client)]
    };
    assert!(!inodes.map(held).contains(&true));

    let seen = std::sync::Mutex::new(0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let lab = Lab::new().unwrap();
        let (hn, _client) = node_and_client(&lab);
        *seen.lock().unwrap() = inode(&hn);
        hn.run(|| panic!("on purpose")).unwrap();
    }));
    assert!(panicked.is_err());
    assert!(!held(seen.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)));
    assert_eq!(fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count(), before);
    assert!(fs::read_dir("/run/netns").unwrap().next().is_none());
}

#[test]
fn nothing_is_left_behind_when_the_process_is_killed() {
    use std::io::{BufRead, BufReader};
    if std::env::var_os("ARPFLUX_LAB_CHILD").is_some() {
        // This test again, in the process that is killed.
        let lab = Lab::new().unwrap();
        let (hn, _client) = node_and_client(&lab);
        println!("inode {}", inode(&hn));
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    for signal in ["INT", "KILL"] {
        let mut child = std::process::Command::new("/proc/self/exe")
            .args(["--exact", "nothing_is_left_behind_when_the_process_is_killed", "--nocapture"])
            .env("ARPFLUX_LAB_CHILD", "1")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let inode: u64 = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .find_map(|line| line.unwrap().split("inode ").nth(1).map(|number| number.parse().unwrap()))
            .unwrap();
        assert!(held(inode));
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert!(!child.wait().unwrap().success());
        assert!(!held(inode), "{signal}");
    }
}

#[test]
fn frames_can_be_injected_and_seen_from_both_sides() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let mut socket = client.packet_socket("eth0", Filter::Arp).unwrap();
    let probe = Ipv4Arp::probe(client.mac("eth0").unwrap(), ip("192.168.18.11"));
    socket.send(&probe.to_frame(Mac::BROADCAST)).unwrap();
    let mut macs = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_millis(300);
    while let Some(received) = socket.receive(deadline).unwrap() {
        if received.direction == Direction::In {
            let frame = arpflux_core::frame::Ethernet::parse(received.frame).unwrap();
            let arp = arpflux_core::frame::Arp::parse(frame.payload).unwrap().ipv4().unwrap();
            assert_eq!((arp.operation, arp.sender), (Operation::Reply, ip("192.168.18.11")));
            macs.insert(arp.sender_mac);
        }
    }
    assert_eq!(macs.len(), 3);
    drop(hn);
}
