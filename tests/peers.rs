//! Beside the tools that people have: arping, arp-scan, keepalived, tshark.
#![allow(missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arpflux_capture::{Class, Known, Limits, Report, Source, Table};
use arpflux_core::frame::{Arp, Ethernet, Ipv4Arp};
use arpflux_core::types::Mac;
use arpflux_core::wire::announce::{self, announce};
use arpflux_core::wire::probe::Probed;
use arpflux_core::wire::{Filter, Port, Ring, detect, probe};
use arpflux_lab::page;
use arpflux_lab::{Host, Lab, NewRoute, Recorder};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// A program of the system; some are where only root looks.
fn program(name: &str) -> Command {
    let place = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(|folder| Path::new(folder).join(name));
    let found = place.iter().find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| panic!("{name} is needed: tests/support/prepare installs it")))
}

fn output(host: &Host, name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        host.run(|| program(name).args(arguments).stdin(Stdio::null()).output().unwrap()).unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// The page's node with all three answering, which proxies a container on eth3, and its client.
fn scenario() -> (Lab, Host, Host) {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = page::node(&lab, &lan, "hn").unwrap();
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    hn.plug(&lab.switch("behind").unwrap(), "eth9", Mac::NONE).unwrap();
    hn.route(&NewRoute::to("192.168.18.101").unwrap().device("eth9").unwrap()).unwrap();
    hn.proxy("eth3", ip("192.168.18.101").into()).unwrap();
    let client = page::client(&lab, &lan).unwrap();
    (lab, hn, client)
}

/// Who answers for which address.
type Answers = BTreeMap<Ipv4Addr, BTreeSet<Mac>>;

fn probed(client: &Host, targets: &str) -> Answers {
    let targets = probe::targets(&[targets]).unwrap();
    let probed = client
        .run(|| {
            let port = Port::towards(targets[0])?;
            probe::run(&port, &targets, probe::Options::default(), |_| ControlFlow::Continue(()))
        })
        .unwrap()
        .unwrap();
    let answering = probed.iter().filter(|one| !one.replies.is_empty());
    let answer = |one: &Probed| match one.target {
        IpAddr::V4(target) => Some((target, one.replies.iter().map(|reply| reply.mac).collect())),
        IpAddr::V6(_) => None,
    };
    answering.filter_map(answer).collect()
}

#[test]
fn arp_scan_finds_the_same_macs() {
    let (_lab, _hn, client) = scenario();
    // Proxies answer late, which arp-scan has to be told.
    let (code, text) = output(
        &client,
        "arp-scan",
        &["--interface=eth0", "--plain", "--quiet", "--retry=3", "--timeout=1000", "192.168.18.0/25"],
    );
    assert_eq!(code, Some(0), "{text}");
    let mut seen = Answers::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(Ok(address)), Some(Ok(mac))) =
            (words.next().map(str::parse), words.next().map(str::parse::<Mac>))
        {
            seen.entry(address).or_default().insert(mac);
        }
    }
    assert_eq!(seen.len(), 4, "{text}");
    assert_eq!(seen[&ip("192.168.18.10")].len(), 3, "{text}");
    assert_eq!(probed(&client, "192.168.18.0/25"), seen);
}

#[test]
fn arping_hears_the_same_answers_and_misses_the_proxy_where_detect_does_not() {
    let (_lab, _hn, client) = scenario();
    for target in ["192.168.18.11", "192.168.18.101"] {
        let (_, text) = output(&client, "arping", &["-b", "-w", "3", "-I", "eth0", target]);
        // Unicast reply from 192.168.18.11 [00:0C:29:B3:A2:54]  0.6ms
        let macs: BTreeSet<Mac> =
            text.split(['[', ']']).filter_map(|word| word.to_lowercase().parse().ok()).collect();
        assert!(!macs.is_empty(), "{text}");
        assert_eq!(probed(&client, target)[&ip(target)], macs, "{text}");
    }
    // RFC 5227 alone: the held address shows, the proxied one does not.
    for (target, arping, claim) in [
        ("192.168.18.11", Some(1), detect::Claim::Holds),
        ("192.168.18.101", Some(0), detect::Claim::Proxies),
    ] {
        let (code, text) = output(&client, "arping", &["-D", "-c", "2", "-w", "2", "-I", "eth0", target]);
        assert_eq!(code, arping, "{text}");
        let found = client
            .run(|| detect::run(&Port::all()?, &[ip(target).into()], detect::Options::default()))
            .unwrap()
            .unwrap();
        assert!(!found[0].conflicts.is_empty());
        assert!(found[0].conflicts.iter().all(|conflict| conflict.claim == claim), "{found:?}");
    }
}

fn arp_of(recorder: Recorder) -> Vec<(Mac, Ipv4Arp)> {
    let recorded = recorder.stop().unwrap();
    let read = |frame: &Vec<u8>| {
        let frame = Ethernet::parse(frame).unwrap();
        (Mac::ethernet(frame.destination), Arp::parse(frame.payload).unwrap().ipv4().unwrap())
    };
    recorded.iter().map(|recorded| read(&recorded.frame)).collect()
}

#[test]
fn arpings_probes_are_seen_as_such_and_its_announcements_are_ours() {
    let (_lab, hn, client) = scenario();
    // Somebody who is about to take an address, as arpsend and arping ask.
    let found = std::thread::scope(|scope| {
        let detecting = scope.spawn(|| {
            hn.run(|| {
                detect::run(
                    &[Port::named(&"eth0".parse()?)?],
                    &[ip("192.168.18.50").into()],
                    detect::Options::default(),
                )
            })
            .unwrap()
            .unwrap()
        });
        let (code, text) =
            output(&client, "arping", &["-D", "-c", "2", "-w", "2", "-I", "eth0", "192.168.18.50"]);
        // Our own questions come from another sender, which is nothing that arping looks at.
        assert_eq!(code, Some(0), "{text}");
        detecting.join().unwrap()
    });
    let mac = client.mac("eth0").unwrap();
    assert_eq!(found[0].conflicts, [detect::Conflict { mac, claim: detect::Claim::Probing }]);

    for (option, request) in [("-U", true), ("-A", false)] {
        let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
        let (_, text) = output(&hn, "arping", &[option, "-c", "1", "-w", "1", "-I", "eth3", "192.168.18.11"]);
        let theirs = arp_of(recorder);
        assert!(!theirs.is_empty(), "{text}");
        let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
        let options = announce::Options::default().rounds(1).request(request).reply(!request);
        hn.run(|| announce(&[(Port::named(&"eth3".parse()?)?, vec![ip("192.168.18.11").into()])], &options))
            .unwrap()
            .unwrap();
        let ours = arp_of(recorder);
        assert_eq!(ours.len(), 1);
        let (sent, expected) = (&ours[0], &theirs[0]);
        assert_eq!(sent.0, expected.0);
        assert_eq!(sent.1.operation, expected.1.operation, "{option}");
        assert_eq!((sent.1.sender, sent.1.target), (expected.1.sender, expected.1.target), "{option}");
        assert_eq!(sent.1.sender_mac, expected.1.sender_mac, "{option}");
    }
}

/// A folder of this test that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("arpflux-peers-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that ends with its handle.
struct Running(Child);

impl Running {
    fn signal(&mut self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            // Its children end with it only if it is asked to.
            let _ = Command::new("kill").arg(self.0.id().to_string()).status();
            std::thread::sleep(Duration::from_millis(500));
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

const SHARED: &str = "10.0.0.100";

/// keepalived on a host, with an address that it shares.
fn keepalived(host: &Host, folder: &Folder, priority: u8, virtual_mac: bool) -> Running {
    let name = host.name().to_string();
    let vmac = if virtual_mac { "use_vmac\n    vmac_xmit_base" } else { "" };
    let text = format!(
        "global_defs {{\n  router_id {name}\n  enable_script_security\n  vrrp_garp_master_refresh 0\n}}\n\
         vrrp_instance shared {{\n  state BACKUP\n  interface eth0\n  virtual_router_id 51\n  \
         priority {priority}\n  advert_int 1\n  {vmac}\n  virtual_ipaddress {{ {SHARED}/24 }}\n}}\n"
    );
    let config = folder.file(&format!("{name}.conf"));
    fs::write(&config, text).unwrap();
    let log = File::create(folder.file(&format!("{name}.log"))).unwrap();
    let pids = ["p", "r"].map(|option| format!("-{option}{}", folder.file(&format!("{name}.{option}"))));
    let child = host
        .run(|| {
            program("keepalived")
                .args(["-n", "-l", "-D", "-P", "-f", &config])
                .args(&pids)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap()
        })
        .unwrap();
    Running(child)
}

/// Waits until the client gets an answer for the shared address, from somebody else than `not`.
fn holder(client: &Host, folder: &Folder, not: Option<Mac>) -> Mac {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        client.forget_neighbours().unwrap();
        let answered = client.ping(None, ip(SHARED), 1).unwrap().received > 0;
        if let Some(mac) =
            client.neighbour(ip(SHARED).into()).unwrap().filter(|mac| answered && Some(*mac) != not)
        {
            return mac;
        }
        let logs: Vec<_> =
            ["one", "two"].iter().map(|n| fs::read_to_string(folder.file(&format!("{n}.log")))).collect();
        assert!(Instant::now() < deadline, "nobody took {SHARED}: {logs:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What is seen of a fail-over of the shared address between two hosts with keepalived.
fn fail_over(virtual_mac: bool) -> (Report, [Mac; 2]) {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hosts = ["one", "two", "client"].map(|name| lab.host(name).unwrap());
    for (i, host) in hosts.iter().enumerate() {
        host.plug(&lan, "eth0", Mac::ethernet([2, 0x11 * (1 + i as u8), 9, i as u8, 7, 1])).unwrap();
        host.address("eth0", &format!("10.0.0.{}/24", 2 + i)).unwrap();
    }
    let [one, two, client] = &hosts;
    let folder = Folder::new(if virtual_mac { "vmac" } else { "vrrp" });
    let _first = keepalived(one, &folder, 150, virtual_mac);
    holder(client, &folder, None);
    let _second = keepalived(two, &folder, 100, virtual_mac);
    // In its first moments the interface below a virtual MAC answers as well.
    std::thread::sleep(Duration::from_millis(2500));
    let listen =
        || client.run(|| Ring::open(Port::named(&"eth0".parse()?)?.index, Filter::Arp)).unwrap().unwrap();
    let mut table = Table::new(Limits::default());
    let mut hear = |ring: &mut Ring| {
        ring.read_until(Instant::now() + Ring::LAG, |received| {
            table.observe_ethernet(received.at, received.frame);
            ControlFlow::Continue(())
        })
        .unwrap();
    };
    let mut ring = listen();
    let before = holder(client, &folder, None);
    std::thread::sleep(Duration::from_millis(1100));
    if virtual_mac {
        hear(&mut ring);
    }
    // The host is gone.
    one.down("eth0").unwrap();
    let mut after = holder(client, &folder, (!virtual_mac).then_some(before));
    if virtual_mac {
        // Again such first moments, now on the other host; they are no part of what is to be seen.
        let deadline = Instant::now() + Duration::from_secs(20);
        while after != before && Instant::now() < deadline {
            after = holder(client, &folder, None);
        }
        std::thread::sleep(Duration::from_millis(2500));
        ring = listen();
    }
    for _ in 0..3 {
        assert_eq!(holder(client, &folder, None), after);
    }
    hear(&mut ring);
    if virtual_mac {
        assert_eq!(before, after);
    } else {
        assert_eq!([before, after], [one.mac("eth0").unwrap(), two.mac("eth0").unwrap()]);
    }
    (table.report(&Known::default()), [before, after])
}

#[test]
fn keepaliveds_fail_over_is_one_and_no_flux() {
    let (report, macs) = fail_over(false);
    let address = report.address(ip(SHARED)).unwrap();
    assert_eq!((address.class, address.moves), (Class::Failover, 1), "{address:#?}");
    assert_eq!(address.macs.iter().map(|mac| mac.mac).collect::<Vec<_>>(), macs);
    assert!(!report.is_bad(), "{report:#?}");
}

#[test]
fn keepaliveds_virtual_mac_is_named() {
    let (report, [mac, _]) = fail_over(true);
    assert_eq!(mac, "00:00:5e:00:01:33".parse().unwrap());
    let address = report.address(ip(SHARED)).unwrap();
    assert_eq!(address.class, Class::Virtual, "{address:#?}");
    assert!(address.macs.iter().any(|mac| mac.virtual_mac.is_some_and(|of| of.group == 51)), "{address:#?}");
    assert!(!report.is_bad(), "{report:#?}");
}

/// Of each address and MAC: replies, requests, announcements.
type Counts = BTreeMap<(Ipv4Addr, Mac), [u32; 3]>;

/// What tshark reads in a capture, counted as [`Report`] counts.
fn tshark_counts(file: &str) -> Counts {
    let output = program("tshark")
        .args(["-n", "-r", file, "-Y", "arp", "-T", "fields"])
        .args([
            "-e",
            "arp.opcode",
            "-e",
            "arp.src.proto_ipv4",
            "-e",
            "arp.src.hw_mac",
            "-e",
            "arp.dst.proto_ipv4",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut counts = Counts::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [operation, sender, mac, target] = fields[..] else { panic!("{line}") };
        if sender == "0.0.0.0" {
            continue;
        }
        let kind = if sender == target { 2 } else { usize::from(operation == "1") };
        counts.entry((ip(sender), mac.parse().unwrap())).or_default()[kind] += 1;
    }
    counts
}

fn our_counts(file: &str) -> Counts {
    let mut source = Source::new(File::open(file).unwrap()).unwrap();
    let mut table = Table::new(Limits::default());
    source.read_into(&mut table).unwrap();
    assert_eq!((source.counts().cut, source.counts().unread()), (0, 0), "{file}");
    let report = table.report(&Known::default());
    let ipv4 = report.addresses.iter().filter_map(|one| match one.address {
        IpAddr::V4(address) => Some((address, &one.macs)),
        IpAddr::V6(_) => None,
    });
    let pairs = ipv4.flat_map(|(address, macs)| macs.iter().map(move |mac| (address, mac)));
    pairs.map(|(address, mac)| ((address, mac.mac), [mac.replies, mac.requests, mac.announcements])).collect()
}

/// A classic pcap file in the other byte order.
fn swapped(bytes: &[u8]) -> Vec<u8> {
    let reversed = |field: &[u8]| field.iter().rev().copied().collect::<Vec<u8>>();
    let mut out = Vec::new();
    for (at, length) in [(0, 4), (4, 2), (6, 2), (8, 4), (12, 4), (16, 4), (20, 4)] {
        out.extend(reversed(&bytes[at..at + length]));
    }
    let mut rest = &bytes[24..];
    while rest.len() >= 16 {
        let captured = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        rest[..16].chunks(4).for_each(|field| out.extend(reversed(field)));
        out.extend(&rest[16..16 + captured]);
        rest = &rest[16 + captured..];
    }
    assert!(rest.is_empty());
    out
}

#[test]
fn captures_of_tcpdump_and_tshark_in_all_variants_are_read_as_tshark_reads_them() {
    let (_lab, hn, client) = scenario();
    let folder = Folder::new("tshark");
    let (dump, shark) = (folder.file("tcpdump.pcap"), folder.file("tshark.pcapng"));
    let start = |name: &str, arguments: &[&str], word: &str| {
        let mut child = client
            .run(|| {
                program(name).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .unwrap();
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        while !said.contains(word) {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
        }
        // Whoever writes to a pipe that nobody reads is stopped.
        std::thread::spawn(move || stderr.read_to_string(&mut String::new()));
        Running(child)
    };
    let mut writers = [
        start(
            "tcpdump",
            &["-i", "eth0", "-n", "-U", "--immediate-mode", "-Z", "root", "-w", &dump],
            "listening on",
        ),
        start("tshark", &["-i", "eth0", "-n", "-w", &shark], "Capture started"),
    ];
    let targets = ["192.168.18.10", "192.168.18.11", "192.168.18.12"];
    for target in targets {
        assert_eq!(client.ping(None, ip(target), 2).unwrap().received, 2);
    }
    hn.run(|| {
        let addresses = targets.map(|target| ip(target).into()).to_vec();
        announce(&[(Port::named(&"eth0".parse()?)?, addresses)], &announce::Options::default().rounds(1))
    })
    .unwrap()
    .unwrap();
    probed(&client, "192.168.18.96/28");
    // tshark hands over what it has at its own pace.
    std::thread::sleep(Duration::from_secs(2));
    writers.iter_mut().for_each(|writer| writer.signal("-INT"));

    let expected = tshark_counts(&dump);
    assert!(expected.len() >= 3 * 3 + 2, "{expected:?}");
    assert!(expected.values().any(|counts| counts[2] > 0) && expected.values().any(|counts| counts[1] > 2));
    assert_eq!(our_counts(&dump), expected, "tcpdump");
    assert_eq!(our_counts(&shark), tshark_counts(&shark), "tshark");
    assert_eq!(our_counts(&shark), expected, "tshark and tcpdump saw the same");
    // 46 bytes hold an ARP packet: what is cut is padding, and IPv4 packets behind their header.
    for (name, options) in [
        ("nsecpcap", &["-F", "nsecpcap"][..]),
        ("pcapng", &["-F", "pcapng"]),
        ("modpcap", &["-F", "modpcap"]),
        ("cut", &["-F", "pcap", "-s", "46"]),
        ("cut-ng", &["-F", "pcapng", "-s", "46"]),
    ] {
        let file = folder.file(name);
        let edited = program("editcap").args(options).args([&dump, &file]).output().unwrap();
        assert!(edited.status.success(), "{name}: {}", String::from_utf8_lossy(&edited.stderr));
        assert_eq!(tshark_counts(&file), expected, "{name}");
        assert_eq!(our_counts(&file), expected, "{name}");
    }
    for name in ["tcpdump.pcap", "nsecpcap"] {
        let file = folder.file(&format!("{name}.big-endian"));
        fs::write(&file, swapped(&fs::read(folder.file(name)).unwrap())).unwrap();
        assert_eq!(tshark_counts(&file), expected, "{name}");
        assert_eq!(our_counts(&file), expected, "{name} big-endian");
    }
    assert!(Command::new("gzip").args(["-k", &shark]).status().unwrap().success());
    assert_eq!(our_counts(&format!("{shark}.gz")), expected);
    // Cut within the ARP packet: counted as cut, and nothing is made up.
    let file = folder.file("cut-short");
    assert!(program("editcap").args(["-F", "pcap", "-s", "36", &dump, &file]).status().unwrap().success());
    let mut source = Source::new(File::open(&file).unwrap()).unwrap();
    let mut table = Table::new(Limits::default());
    source.read_into(&mut table).unwrap();
    let packets: u32 = expected.values().flatten().sum();
    assert!(source.counts().cut >= u64::from(packets), "{:?}", source.counts());
    assert!(table.report(&Known::default()).addresses.is_empty());
}
