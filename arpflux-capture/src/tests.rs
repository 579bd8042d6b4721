//! Files in all variants, written here, read back alike.

use std::io::{Read, Write as _};
use std::ops::ControlFlow;

use super::write::{Ng, Order, Pcap};
use super::{Content, Format, Known, Limits, LinkType, Source, Table, Unread};
use arpflux_core::frame::{Ipv4Arp, Timestamp};
use arpflux_core::types::Mac;

const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const B: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A request and its reply.
fn frames() -> Vec<Vec<u8>> {
    let ask = Ipv4Arp::request(Mac::ethernet(A), [10, 0, 0, 9].into(), [10, 0, 0, 1].into());
    let reply = Ipv4Arp::reply_to(&ask, Mac::ethernet(B));
    vec![ask.to_frame(Mac::BROADCAST), reply.to_frame(Mac::ethernet(A))]
}

/// What was read: times, VLANs, link-layer source, sender and target of each ARP packet.
type Seen = Vec<(Option<u64>, u32, Vec<u8>, Vec<u8>, Vec<u8>)>;

fn read(bytes: impl Read) -> (Seen, super::Counts) {
    let mut seen = Seen::new();
    let mut source = Source::new(bytes).unwrap();
    source
        .for_each(|frame| {
            if let Content::Arp(arp) = frame.content {
                seen.push((
                    frame.time.map(|time| time.0),
                    frame.wire.vlans.bits(),
                    frame.source.to_vec(),
                    arp.sender_protocol.to_vec(),
                    arp.target_protocol.to_vec(),
                ));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    (seen, source.counts().clone())
}

fn expected(times: [Option<u64>; 2]) -> Seen {
    vec![
        (times[0], 0, A.to_vec(), vec![10, 0, 0, 9], vec![10, 0, 0, 1]),
        (times[1], 0, B.to_vec(), vec![10, 0, 0, 1], vec![10, 0, 0, 9]),
    ]
}

/// Gives bytes one at a time, as a slow pipe does.
struct Slowly<'a>(&'a [u8]);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn pcap_in_both_orders_and_units() {
    let times = [Timestamp(1_700_000_000_123_456_789), Timestamp(1_700_000_001_000_000_001)];
    for order in [Order::Big, Order::Little] {
        for nanoseconds in [false, true] {
            let mut file = Pcap::new(order, nanoseconds, LinkType::ETHERNET);
            for (frame, time) in frames().iter().zip(times) {
                file.frame(time, frame, frame.len());
            }
            let unit = if nanoseconds { 1 } else { 1000 };
            let times = times.map(|time| Some(time.0 / unit * unit));
            assert_eq!(read(file.bytes()).0, expected(times), "{order:?} {nanoseconds}");
            assert_eq!(read(Slowly(file.bytes())).0, expected(times), "{order:?} {nanoseconds} slowly");
        }
    }
}

#[test]
fn pcapng_with_sections_interfaces_clocks_and_all_packet_blocks() {
    for order in [Order::Big, Order::Little] {
        let frames = frames();
        let mut file = Ng::new();
        file.section(order);
        file.interface(LinkType(0xdead), &[]);
        // Milliseconds since an offset; then 2^-10 s.
        file.interface(LinkType::ETHERNET, &[(9, &[3]), (14, &order.bytes64(1_000_000))]);
        file.interface(LinkType::ETHERNET, &[(2, b"eth0"), (9, &[0x8a])]);
        file.other(0x0000_0bad, &[1, 2, 3, 4]);
        file.enhanced(1, 2_500, &frames[0], frames[0].len());
        file.enhanced(0, 7, &[0; 77], 77);
        file.obsolete(2, 512, &frames[1], frames[1].len());
        let (seen, counts) = read(file.bytes());
        assert_eq!(seen, expected([Some(1_000_002_500_000_000), Some(500_000_000)]));
        assert_eq!((counts.records, counts.unread(), counts.ends_early), (3, 1, false));
        assert_eq!(counts.unread.keys().collect::<Vec<_>>(), [&Unread::LinkType(LinkType(0xdead))]);

        // Another section in the other order, whose packets have no time.
        file.section(if order == Order::Big { Order::Little } else { Order::Big });
        file.interface(LinkType::ETHERNET, &[]);
        file.simple(&frames[0]);
        file.simple(&frames[1]);
        let (seen, _) = read(Slowly(file.bytes()));
        assert_eq!(seen[2..], expected([None, None]));
    }
}

#[test]
fn tags_cooked_headers_and_snap() {
    let frame = &frames()[0];
    let tagged = |tags: &[u8]| [&frame[..12], tags, &frame[12..]].concat();
    let link = |link_type, frame: Vec<u8>| {
        let mut file = Pcap::new(Order::Little, true, link_type);
        file.frame(Timestamp(5), &frame, frame.len());
        read(file.bytes()).0
    };
    let one = |vlans| vec![(Some(5), vlans, A.to_vec(), vec![10, 0, 0, 9], vec![10, 0, 0, 1])];
    assert_eq!(link(LinkType::ETHERNET, tagged(&[0x81, 0, 0x20, 7])), one(7));
    assert_eq!(link(LinkType::ETHERNET, tagged(&[0x81, 0, 0xe0, 0])), one(0), "priority only");
    assert_eq!(link(LinkType::ETHERNET, tagged(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7])), one(9 << 12 | 7));
    let snap = [&frame[..12], &[0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6], &frame[14..42]].concat();
    assert_eq!(link(LinkType::ETHERNET, snap), one(0));

    let sll = [&[0, 1, 0, 1, 0, 6][..], &A, &[0, 0, 8, 6], &frame[14..]].concat();
    assert_eq!(link(LinkType::SLL, sll), one(0));
    let sll_tagged = [&[0, 1, 0, 1, 0, 6][..], &A, &[0, 0, 0x81, 0, 0, 7, 8, 6], &frame[14..]].concat();
    assert_eq!(link(LinkType::SLL, sll_tagged), one(7));
    let sll2 = [&[8, 6, 0, 0, 0, 0, 0, 3, 0, 1, 1, 6][..], &A, &[0, 0], &frame[14..]].concat();
    assert_eq!(link(LinkType::SLL2, sll2), one(0));
}

#[test]
fn gzip_in_one_and_several_members() {
    let mut file = Pcap::new(Order::Little, true, LinkType::ETHERNET);
    for frame in frames() {
        file.frame(Timestamp(5), &frame, frame.len());
    }
    let pack = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (head, tail) = file.bytes().split_at(60);
    let packed = [pack(head), pack(tail)].concat();
    assert_eq!(read(&packed[..]).0, expected([Some(5), Some(5)]));
    assert_eq!(read(Slowly(&packed)).0, expected([Some(5), Some(5)]));
    let source = Source::new(&packed[..]).unwrap();
    assert!(source.is_compressed() && source.format() == Format::Pcap);

    // Cut off, it still gives what it holds, and says that it is cut.
    let (seen, counts) = read(&packed[..packed.len() - 9]);
    assert!(seen.len() <= 2 && counts.ends_early);
}

#[test]
fn what_is_cut_is_counted() {
    let frames = frames();
    let mut file = Pcap::new(Order::Little, false, LinkType::ETHERNET);
    file.frame(Timestamp(5_000), &frames[0][..41], 60);
    file.frame(Timestamp(5_000), &frames[0][..42], 60);
    file.frame(Timestamp(5_000), &frames[0][..13], 60);
    file.frame(Timestamp(5_000), &[], 60);
    let (seen, counts) = read(file.bytes());
    assert_eq!((seen.len(), counts.records, counts.cut, counts.ends_early), (1, 4, 3, false));

    // A file whose last record is not whole.
    file.frame(Timestamp(5_000), &frames[1], 60);
    for missing in 1..76 {
        let (seen, counts) = read(&file.bytes()[..file.bytes().len() - missing]);
        assert_eq!((seen.len(), counts.ends_early), (1, true), "{missing} bytes missing");
    }
}

#[test]
fn large_frames_are_passed_over_in_constant_memory() {
    let mut large = frames()[0].clone();
    large[12..14].copy_from_slice(&[0x12, 0x34]);
    large.resize(3 << 20, 0);
    let mut file = Pcap::new(Order::Little, false, LinkType::ETHERNET);
    for _ in 0..3 {
        file.frame(Timestamp(5_000), &large, large.len());
        file.frame(Timestamp(5_000), &frames()[1], 60);
    }
    let (seen, counts) = read(file.bytes());
    assert_eq!((seen.len(), counts.records, counts.ends_early), (3, 6, false));
}

#[test]
fn what_is_no_capture_is_refused_with_the_place() {
    let refused = |bytes: &[u8]| {
        let result = Source::new(bytes).and_then(|mut source| source.for_each(|_| ControlFlow::Continue(())));
        result.unwrap_err().to_string()
    };
    assert!(refused(b"\x7fELF\0").contains("7f 45 4c 46"));
    assert!(refused(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]).contains("file header"));
    let mut file = Pcap::new(Order::Little, false, LinkType::ETHERNET);
    file.frame(Timestamp(5_000), &frames()[0], 60);
    let good = file.bytes().len();
    let damaged = [file.bytes(), &[0xff; 16]].concat();
    assert!(refused(&damaged).contains(&format!("at byte {good}")), "{}", refused(&damaged));

    let mut ng = Ng::new();
    ng.section(Order::Little);
    ng.enhanced(3, 0, &frames()[0], 60);
    assert!(refused(ng.bytes()).contains("interface 3"));
    let mut ng = Ng::new();
    ng.section(Order::Little);
    let whole = [ng.bytes(), &[6, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert!(refused(&whole).contains("9 bytes long"));
}

/// Random ARP among hosts of which some have two MACs, with announcements, probes, unicast requests, unasked
/// replies, times out of order, tags and cut frames.
fn traffic(hosts: u64, frames: usize) -> Vec<(Timestamp, Vec<u8>)> {
    let mut state = hosts;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let address = |host: u64| [10, 0, (host >> 8) as u8, host as u8].into();
    let mac = |host: u64, nic: u64| Mac::ethernet([2, 0, 0, nic as u8, (host >> 8) as u8, host as u8]);
    let mut time = 1_700_000_000_000_000_000;
    // One asks whether an address is free, and takes it although it is not.
    let (one, two, disputed) = (mac(1, 3), mac(2, 3), [10, 9, 9, 9].into());
    let probe = Ipv4Arp::probe(one, disputed);
    let frames_of_two = [
        probe.to_frame(Mac::BROADCAST),
        Ipv4Arp::reply_to(&probe, two).to_frame(one),
        Ipv4Arp::announcement(one, disputed).to_frame(Mac::BROADCAST),
        Ipv4Arp::announcement(two, disputed).to_frame(Mac::BROADCAST),
    ];
    let announced = [Ipv4Arp::announcement(two, disputed).to_frame(Mac::BROADCAST)];
    let mut traffic: Vec<_> =
        announced.into_iter().chain(frames_of_two).map(|frame| (Timestamp(time), frame)).collect();
    while traffic.len() < frames {
        let (one, two) = (random(hosts), random(hosts));
        let nic = |host: u64, random: &mut dyn FnMut(u64) -> u64| {
            if host.is_multiple_of(7) { random(2) } else { 0 }
        };
        let (from, to) = (mac(one, nic(one, &mut random)), mac(two, nic(two, &mut random)));
        let ask = Ipv4Arp::request(from, address(one), address(two));
        let reply = Ipv4Arp::reply_to(&ask, to).to_frame(from);
        let mut push = |frame: Vec<u8>, step: u64| {
            time += step * 1000;
            traffic.push((Timestamp(time - random(5) / 4 * 3_000_000), frame));
        };
        match one % 16 {
            0 => push(Ipv4Arp::announcement(from, address(one)).to_frame(Mac::BROADCAST), 70),
            1 => push(Ipv4Arp::probe(from, address(two)).to_frame(Mac::BROADCAST), 3_000_000),
            2 => push(ask.to_frame(to), 500),
            3 => push(reply.clone(), 5),
            4 => push(Ipv4Arp::announcement_reply(from, address(one)).to_frame(Mac::BROADCAST), 1),
            _ => push(ask.to_frame(Mac::BROADCAST), 900),
        }
        match two % 9 {
            0 => {}
            1 => push([&reply[..12], &[0x81, 0, 0, 5], &reply[12..]].concat(), 40),
            2 => push(reply[..38].to_vec(), 40),
            3 => push(reply, 30_000),
            _ => push(reply, 60),
        }
    }
    traffic
}

#[test]
fn frames_and_files_of_them_give_the_same_and_nothing_is_missing() {
    for (hosts, count) in [(40, 4_000), (2_000, 20_000)] {
        let traffic = traffic(hosts, count);
        let known = Known::default();
        let mut one_by_one = Table::new(Limits::default());
        let mut files = [Order::Little, Order::Big].map(|order| Pcap::new(order, true, LinkType::ETHERNET));
        for (seen, (time, frame)) in traffic.iter().enumerate() {
            one_by_one.observe_ethernet(*time, frame);
            files.iter_mut().for_each(|file| file.frame(*time, frame, frame.len()));
            if seen < 40 {
                let report = one_by_one.report(&known);
                let whole = traffic[..=seen].iter().filter(|(_, frame)| frame.len() >= 42).count();
                assert_eq!(report.requests + report.replies, whole as u64);
            }
        }
        let expected = one_by_one.report(&known);
        assert!(expected.addresses.iter().any(|address| address.macs.len() > 1));
        let count = |report: &super::Report| -> Vec<_> {
            report.addresses.iter().map(|one| (one.address, one.class, one.macs.clone(), one.moves)).collect()
        };
        for file in &files {
            let mut table = Table::new(Limits::default());
            let mut source = Source::new(file.bytes()).unwrap();
            source.read_into(&mut table).unwrap();
            assert_eq!(count(&table.report(&known)), count(&expected));
        }
    }
}

#[test]
fn none_of_the_last_eight_thousand_requests_is_forgotten() {
    let host = |number: u32| {
        (
            Mac::ethernet([2, 0, 0, 0, (number >> 8) as u8, number as u8]),
            [10, 1, (number >> 8) as u8, number as u8].into(),
        )
    };
    let mut table = Table::new(Limits::default());
    let mut time = 1_700_000_000_000_000_000;
    let mut push = |frame: Vec<u8>| {
        time += 10_000;
        table.observe_ethernet(Timestamp(time), &frame);
    };
    let asks: Vec<_> = (0..8_000)
        .map(|number| {
            let (mac, address) = host(number);
            Ipv4Arp::request(mac, address, host(number * 7 % 8_191).1)
        })
        .collect();
    // The first ones give way to the others, which all wait when the first of them is answered.
    for ask in asks[..3_000].iter().chain(&asks) {
        push(ask.to_frame(Mac::BROADCAST));
    }
    for (number, ask) in (0..8_000).zip(&asks).rev() {
        push(Ipv4Arp::reply_to(ask, host(number * 7 % 8_191).0).to_frame(ask.sender_mac));
    }
    let report = table.report(&Known::default());
    assert_eq!(report.replies, 8_000);
    let unasked: u32 = report.addresses.iter().flat_map(|address| &address.macs).map(|mac| mac.unasked).sum();
    assert_eq!(unasked, 0);
}
