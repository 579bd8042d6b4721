//! Captures of real traffic: through the ring, from tcpdump's files and from tcpdump's text, all alike.
#![allow(missing_docs, reason = "a test")]

use std::fs::{self, File};
use std::io::Read;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arpflux_capture::{Certainty, Class, Known, Limits, Report, Source, Table};
use arpflux_core::frame::{Ipv4Arp, Timestamp};
use arpflux_core::types::Mac;
use arpflux_core::wire::{Direction, Filter, PacketSocket, Port, Received, Ring, own_macs};
use arpflux_lab::page;
use arpflux_lab::{Host, Lab};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn node_and_client(lab: &Lab) -> (Host, Host) {
    let lan = lab.switch("lan").unwrap();
    let hn = page::node(lab, &lan, "hn").unwrap();
    let client = page::client(lab, &lan).unwrap();
    (hn, client)
}

/// A folder of this test that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("arpflux-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts tcpdump in a host's namespace and waits until it listens.
fn tcpdump(host: &Host, arguments: &[&str]) -> Child {
    let mut child = host
        .run(|| {
            Command::new("tcpdump")
                .args(["-i", "eth0", "-n", "-U", "--immediate-mode"])
                // Kept as root: a user namespace has nobody to become.
                .args(["-Z", "root"])
                .args(arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
        })
        .unwrap()
        .expect("tcpdump is installed");
    let mut said = Vec::new();
    let mut byte = [0];
    let stderr = child.stderr.as_mut().unwrap();
    while !String::from_utf8_lossy(&said).contains("listening on") {
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    child
}

fn stop(mut child: Child) {
    let id = nix_pid(&child);
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

fn nix_pid(child: &Child) -> String {
    child.id().to_string()
}

fn file_report(path: &PathBuf) -> Report {
    let mut source = Source::new(File::open(path).unwrap()).unwrap();
    let mut table = Table::new(Limits::default());
    source.read_into(&mut table).unwrap();
    assert!(!source.counts().ends_early);
    table.report(&Known::default())
}

/// What a reader sees, without times and counts of frames that ARP has nothing to do with.
fn gist(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for address in &report.addresses {
        for mac in &address.macs {
            lines.push(format!(
                "{} {} {} {} {} {}",
                address.address,
                address.class.name(),
                mac.mac,
                mac.replies,
                mac.requests,
                mac.announcements
            ));
        }
    }
    lines.sort();
    lines
}

#[test]
fn flux_is_seen_alike_live_in_files_and_in_text() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let folder = Folder::new("capture");
    let (micro, nano) = (folder.file("micro.pcap"), folder.file("nano.pcap"));
    let mut dumps = vec![
        tcpdump(&client, &["-w", micro.to_str().unwrap()]),
        tcpdump(&client, &["--time-stamp-precision=nano", "-w", nano.to_str().unwrap()]),
    ];
    let mut ring =
        client.run(|| Ring::open(Port::named(&"eth0".parse()?)?.index, Filter::Arp)).unwrap().unwrap();

    for target in ["192.168.18.10", "192.168.18.11", "192.168.18.12"] {
        assert_eq!(client.ping(None, ip(target), 2).unwrap().received, 2);
    }
    // The last delayed probe of a neighbour entry must not fall between the ends of two listeners.
    std::thread::sleep(Duration::from_millis(300));

    let mut live = Table::new(Limits::default());
    let mut directions = (0, 0);
    ring.read_until(Instant::now() + Ring::LAG, |received| {
        match received.direction {
            Direction::In => directions.0 += 1,
            Direction::Out => directions.1 += 1,
        }
        live.observe_ethernet(received.at, received.frame);
        ControlFlow::Continue(())
    })
    .unwrap();
    dumps.drain(..).for_each(stop);
    assert_eq!(ring.dropped(), 0);
    assert!(directions.0 >= 9 && directions.1 >= 3, "{directions:?}");

    let report = file_report(&micro);
    for target in ["192.168.18.10", "192.168.18.11", "192.168.18.12"] {
        let address = report.address(ip(target)).unwrap();
        assert_eq!((address.class, address.macs.len()), (Class::Flux, 3), "{address:?}");
    }
    assert_eq!(report.address(ip("192.168.18.129")).unwrap().class, Class::Single);
    let seen = gist(&report);
    assert_eq!(gist(&file_report(&nano)), seen);
    assert_eq!(gist(&live.report(&Known::default())), seen);
    // Told whose MACs they are, the live table is as sure.
    let known = Known::of(vec![hn.run(own_macs).unwrap().unwrap()]);
    assert_eq!(known.hosts[0].len(), 3, "{known:?}");
    assert_eq!(live.report(&known).addresses[0].certainty, Some(Certainty::Proved));

    // tcpdump's own reading of the file, in the forms that people paste.
    for options in [&["-e"][..], &["-e", "-v"], &["-e", "-t"], &["-e", "-tt"], &["-e", "-tttt"]] {
        let output = Command::new("tcpdump").args(["-n", "-r"]).arg(&micro).args(options).output().unwrap();
        assert!(output.status.success());
        let mut table = Table::new(Limits::default());
        Source::new(&output.stdout[..]).unwrap().read_into(&mut table).unwrap();
        assert_eq!(gist(&table.report(&Known::default())), seen, "{options:?}");
        // All on one line, as a web page has it.
        let run_on = String::from_utf8(output.stdout).unwrap().replace('\n', " ");
        let mut table = Table::new(Limits::default());
        Source::new(run_on.as_bytes()).unwrap().read_into(&mut table).unwrap();
        assert_eq!(gist(&table.report(&Known::default())), seen, "{options:?} on one line");
    }
}

#[test]
fn cooked_captures_of_all_interfaces_are_read() {
    let lab = Lab::new().unwrap();
    let (hn, client) = node_and_client(&lab);
    let folder = Folder::new("cooked");
    for (link_type, name) in [("LINUX_SLL", "sll.pcap"), ("LINUX_SLL2", "sll2.pcap")] {
        let file = folder.file(name);
        let dump = tcpdump(&hn, &["-i", "any", "-y", link_type, "-w", file.to_str().unwrap()]);
        client.forget_neighbours().unwrap();
        assert_eq!(client.ping(None, ip("192.168.18.10"), 1).unwrap().received, 1);
        std::thread::sleep(Duration::from_millis(100));
        stop(dump);
        let report = file_report(&file);
        let address = report.address(ip("192.168.18.10")).unwrap();
        assert_eq!((address.class, address.macs.len()), (Class::Flux, 3), "{link_type} {address:?}");
    }
}

#[test]
fn a_fail_over_between_hosts_is_one_and_a_second_holder_is_not() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hosts: Vec<Host> = ["02:11:11:11:11:11", "02:22:22:22:22:22", "02:33:33:33:33:33"]
        .into_iter()
        .enumerate()
        .map(|(i, mac)| {
            let host = lab.host("host").unwrap();
            host.plug(&lan, "eth0", mac.parse().unwrap()).unwrap();
            host.address("eth0", &format!("10.0.0.{}/24", 2 + i)).unwrap();
            host
        })
        .collect();
    let [one, two, client] = hosts.as_slice() else { panic!() };
    let mut ring =
        client.run(|| Ring::open(Port::named(&"eth0".parse()?)?.index, Filter::Arp)).unwrap().unwrap();
    let announce = |host: &Host| {
        let socket = host
            .run(|| PacketSocket::open(Port::named(&"eth0".parse()?)?.index, Filter::Arp))
            .unwrap()
            .unwrap();
        let frame = Ipv4Arp::announcement(host.mac("eth0").unwrap(), ip("10.0.0.1"));
        socket.send(&frame.to_frame(Mac::BROADCAST)).unwrap();
    };
    let ping = |times| {
        for _ in 0..times {
            client.forget_neighbours().unwrap();
            assert_eq!(client.ping(None, ip("10.0.0.1"), 1).unwrap().received, 1);
        }
    };
    one.address("eth0", "10.0.0.1/24").unwrap();
    announce(one);
    ping(3);
    std::thread::sleep(Duration::from_millis(1100));
    one.delete_address("eth0", "10.0.0.1/24").unwrap();
    two.address("eth0", "10.0.0.1/24").unwrap();
    announce(two);
    ping(3);

    let mut table = Table::new(Limits::default());
    let mut listen = |table: &mut Table| {
        let each = |received: Received<'_>| {
            table.observe_ethernet(received.at, received.frame);
            ControlFlow::Continue(())
        };
        ring.read_until(Instant::now() + Ring::LAG, each).unwrap();
        table.report(&Known::default()).address(ip("10.0.0.1")).unwrap().clone()
    };
    let address = listen(&mut table);
    assert_eq!((address.class, address.moves, address.contested), (Class::Failover, 1, 0), "{address:?}");

    // The first takes it back without a word while the second keeps it.
    one.address("eth0", "10.0.0.1/24").unwrap();
    ping(1);
    std::thread::sleep(Duration::from_millis(50));
    let address = listen(&mut table);
    assert!(address.contested > 0, "{address:?}");
    assert_ne!(address.class, Class::Failover, "{address:?}");
    assert_ne!(address.class, Class::Flux, "two hosts are not one: {address:?}");
}

#[test]
fn a_ring_gives_tags_back_and_keeps_order_and_time() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let (one, two) = (lab.host("one").unwrap(), lab.host("two").unwrap());
    for (host, mac) in [(&one, "02:11:11:11:11:11"), (&two, "02:22:22:22:22:22")] {
        host.plug(&lan, "eth0", mac.parse().unwrap()).unwrap();
    }
    let mut ring =
        two.run(|| Ring::open(Port::named(&"eth0".parse()?)?.index, Filter::Arp)).unwrap().unwrap();
    let socket =
        one.run(|| PacketSocket::open(Port::named(&"eth0".parse()?)?.index, Filter::All)).unwrap().unwrap();
    let mut frame = Ipv4Arp::announcement(one.mac("eth0").unwrap(), ip("10.0.0.1")).to_frame(Mac::BROADCAST);
    let before = Timestamp::now();
    let count = 20_000u32;
    for number in 0..count {
        // The sender's address counts.
        frame[28..32].copy_from_slice(&number.to_be_bytes());
        socket.send(&frame).unwrap();
    }
    let tagged = [&frame[..12], &[0x81, 0, 0, 7], &frame[12..]].concat();
    socket.send(&tagged).unwrap();
    let mut seen = Vec::new();
    ring.read_until(Instant::now() + Duration::from_secs(20), |received| {
        seen.push((received.at, received.frame.to_vec()));
        if seen.len() <= count as usize { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .unwrap();
    assert_eq!(seen.len(), count as usize + 1, "{} dropped", ring.dropped());
    let numbers = seen.iter().map(|(_, frame)| u32::from_be_bytes(frame[28..32].try_into().unwrap()));
    assert!(numbers.take(count as usize).eq(0..count));
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert!(seen[0].0 >= before && seen[0].0 <= Timestamp::now());
    assert_eq!(seen.last().unwrap().1, tagged, "the tag that the kernel takes off is back");
}
