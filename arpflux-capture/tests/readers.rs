//! Frames in every wrapping that is read, beside what tshark finds in them.
#![allow(missing_docs, reason = "a test")]

use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::process::Command;

use arpflux_capture::{Capture, Content, LinkType, MissingKind, Source, TunnelKind};
use arpflux_core::frame::Ipv4Arp;
use arpflux_core::types::Mac;

const FROM: [u8; 6] = [2, 0x11, 0x11, 0x11, 0x11, 0x11];
const TO: [u8; 6] = [2, 0x22, 0x22, 0x22, 0x22, 0x22];
const OUTER: [u8; 12] = [2, 0xaa, 0, 0, 0, 1, 2, 0xaa, 0, 0, 0, 2];

/// The answer that is in each of them.
fn ethernet() -> Vec<u8> {
    let ask = Ipv4Arp::request(Mac::ethernet(TO), [10, 0, 0, 9].into(), [10, 0, 0, 1].into());
    Ipv4Arp::reply_to(&ask, Mac::ethernet(FROM)).to_frame(Mac::ethernet(TO))
}

fn arp() -> Vec<u8> {
    ethernet()[14..42].to_vec()
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An IPv4 packet in an Ethernet frame.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    join(&[&OUTER, &[8, 0], &head, payload])
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    ipv4(17, &join(&[&[0xc0, 0], &port.to_be_bytes(), &length, &[0, 0], payload]))
}

/// 802.11 data from an access point: destination, access point, source.
fn wireless() -> Vec<u8> {
    let head = join(&[&[0x08, 0x02, 0, 0], &TO, &[2, 0xcc, 0, 0, 0, 1], &FROM, &[0x10, 0]]);
    join(&[&head, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 6], &arp()])
}

struct Case {
    name: &'static str,
    link_type: LinkType,
    frame: Vec<u8>,
    tunnel: Option<(TunnelKind, u32)>,
    /// It has link-layer addresses.
    addressed: bool,
    /// tshark finds the same in it.
    tshark: bool,
}

fn cases() -> Vec<Case> {
    let plain =
        |name, link_type, frame| Case { name, link_type, frame, tunnel: None, addressed: true, tshark: true };
    let alone = |name, link_type, frame| Case { tshark: false, ..plain(name, link_type, frame) };
    let inside = |name, frame, kind, id| Case {
        name,
        link_type: LinkType::ETHERNET,
        frame,
        tunnel: Some((kind, id)),
        addressed: true,
        tshark: true,
    };
    let alone_inside = |name, frame, kind, id| Case { addressed: false, ..inside(name, frame, kind, id) };
    let eth = ethernet();
    let vxlan = udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &eth]));
    let mut prism = vec![0; 144];
    (prism[0], prism[4]) = (0x44, 144);
    let mut avs = vec![0; 64];
    avs[..8].copy_from_slice(&[0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64]);
    let mut pktap = vec![0; 108];
    (pktap[0], pktap[4], pktap[8]) = (108, 1, 1);
    let mut infiniband = vec![0; 44];
    (infiniband[40], infiniband[41]) = (8, 6);
    let ib_arp = join(&[&[0, 32, 8, 0, 20, 4, 0, 2], &[7; 20], &[10, 0, 0, 1], &[9; 20], &[10, 0, 0, 9]]);
    let behind = |tag: &[u8]| join(&[&eth[..12], tag, &eth[12..]]);
    vec![
        plain("802.11", LinkType::IEEE802_11, wireless()),
        plain("radiotap", LinkType::RADIOTAP, join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &wireless()])),
        plain("radiotap that fills up", LinkType::RADIOTAP, {
            let (flags, wireless) = ([0, 0, 9, 0, 2, 0, 0, 0, 0x20], wireless());
            join(&[&flags, &[0x88], &wireless[1..24], &[0; 4], &wireless[24..]])
        }),
        plain("Prism", LinkType::PRISM, join(&[&prism, &wireless()])),
        plain("AVS", LinkType::AVS, join(&[&avs, &wireless()])),
        plain("PPI with Ethernet", LinkType::PPI, join(&[&[0, 0, 8, 0, 1, 0, 0, 0], &eth])),
        plain("PPI with 802.11", LinkType::PPI, join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &wireless()])),
        plain("PKTAP", LinkType::PKTAP, join(&[&pktap, &eth])),
        Case {
            addressed: false,
            ..plain("IP over InfiniBand", LinkType::IPOIB, join(&[&infiniband, &ib_arp]))
        },
        alone("Broadcom's tag", LinkType::DSA_BRCM, behind(&[0, 0, 0, 3])),
        alone("Broadcom's tag in front", LinkType::DSA_BRCM_PREPEND, join(&[&[0, 0, 0, 3], &eth])),
        alone("Marvell's tag", LinkType::DSA, behind(&[0xc0, 0x18, 0, 1])),
        alone("Marvell's longer tag", LinkType::EDSA, behind(&[0xda, 0xda, 0, 0, 0xc0, 0x18, 0, 1])),
        inside("VXLAN", vxlan.clone(), TunnelKind::Vxlan, 7),
        Case {
            tshark: false,
            ..inside(
                "VXLAN on a port of its own",
                udp(14789, &join(&[&[8, 0, 0, 0, 0, 0, 7, 0], &eth])),
                TunnelKind::Vxlan,
                7,
            )
        },
        Case {
            tshark: false,
            ..inside(
                "GENEVE on a port of its own",
                udp(6082, &join(&[&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &eth])),
                TunnelKind::Geneve,
                7,
            )
        },
        inside("GENEVE", udp(6081, &join(&[&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &eth])), TunnelKind::Geneve, 7),
        inside(
            "GENEVE with an option",
            udp(6081, &join(&[&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 0], &eth])),
            TunnelKind::Geneve,
            7,
        ),
        alone_inside(
            "GENEVE with ARP alone",
            udp(6081, &join(&[&[0, 0, 8, 6, 0, 0, 7, 0], &arp()])),
            TunnelKind::Geneve,
            7,
        ),
        alone_inside("GRE with ARP alone", ipv4(47, &join(&[&[0, 0, 8, 6], &arp()])), TunnelKind::Gre, 0),
        inside("GRE", ipv4(47, &join(&[&[0, 0, 0x65, 0x58], &eth])), TunnelKind::Gre, 0),
        inside(
            "GRE with a key",
            ipv4(47, &join(&[&[0x20, 0, 0x65, 0x58, 0, 0, 0, 9], &eth])),
            TunnelKind::Gre,
            9,
        ),
        inside("ERSPAN I", ipv4(47, &join(&[&[0, 0, 0x88, 0xbe], &eth])), TunnelKind::Erspan, 0),
        inside(
            "ERSPAN II",
            ipv4(47, &join(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10, 1, 0, 5, 0, 0, 0, 0], &eth])),
            TunnelKind::Erspan,
            5,
        ),
        inside(
            "ERSPAN III",
            ipv4(
                47,
                &join(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x20, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], &eth]),
            ),
            TunnelKind::Erspan,
            5,
        ),
        inside(
            "MPLS with a control word",
            join(&[&OUTER, &[0x88, 0x47, 0, 1, 0x01, 64], &[0, 0, 0, 0], &eth]),
            TunnelKind::Mpls,
            16,
        ),
        Case {
            // tshark takes the beginning of the MAC for one.
            tshark: false,
            ..inside(
                "MPLS without a control word, before a MAC that begins like one",
                join(&[&OUTER, &[0x88, 0x47, 0, 1, 0x01, 64], &eth]),
                TunnelKind::Mpls,
                16,
            )
        },
        inside("VXLAN in IP in IP", ipv4(4, &vxlan[14..]), TunnelKind::Vxlan, 7),
        inside("VXLAN in IP in GRE", ipv4(47, &join(&[&[0, 0, 8, 0], &vxlan[14..]])), TunnelKind::Vxlan, 7),
        Case {
            link_type: LinkType(101),
            ..inside("VXLAN without a link layer", vxlan[14..].to_vec(), TunnelKind::Vxlan, 7)
        },
        Case {
            link_type: LinkType(0),
            ..inside("VXLAN on a loopback", join(&[&[2, 0, 0, 0], &vxlan[14..]]), TunnelKind::Vxlan, 7)
        },
        inside(
            "a provider backbone bridge",
            join(&[&OUTER, &[0x88, 0xe7, 0, 0, 0, 8], &eth]),
            TunnelKind::Pbb,
            8,
        ),
    ]
}

fn file(case: &Case) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0];
    file.extend(case.link_type.0.to_le_bytes());
    let length = case.frame.len() as u32;
    for field in [1, 0, length, length] {
        file.extend(field.to_le_bytes());
    }
    file.extend(&case.frame);
    file
}

#[test]
fn every_wrapping_is_read_as_tshark_reads_it() {
    let path = std::env::temp_dir().join(format!("arpflux-readers-{}.pcap", std::process::id()));
    for case in cases() {
        let name = case.name;
        let file = file(&case);
        let mut found = Vec::new();
        let mut source = Source::new(&file[..]).unwrap();
        source
            .for_each(|frame| {
                if let Content::Arp(arp) = &frame.content {
                    let address: [u8; 4] = arp.sender_protocol.try_into().unwrap();
                    let tunnel = frame.wire.tunnel.map(|tunnel| (tunnel.kind, tunnel.id));
                    found.push((Ipv4Addr::from(address), frame.source.to_vec(), tunnel));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        let source = if case.addressed { FROM.to_vec() } else { Vec::new() };
        assert_eq!(found, [(Ipv4Addr::new(10, 0, 0, 1), source, case.tunnel)], "{name}");

        std::fs::write(&path, &file).unwrap();
        let output = Command::new("tshark")
            .args(["-n", "-T", "fields", "-e", "arp.src.proto_ipv4", "-Y", "arp", "-r"])
            .arg(&path)
            .output()
            .expect("tshark is installed");
        let theirs = String::from_utf8_lossy(&output.stdout);
        if case.tshark {
            assert_eq!(theirs.trim(), "10.0.0.1", "{name}: tshark reads it otherwise");
        }
        // Cut anywhere, it is never another answer, and nothing breaks.
        for kept in 0..case.frame.len() {
            let mut cut = file[..40 + kept].to_vec();
            cut[32..36].copy_from_slice(&(kept as u32).to_le_bytes());
            let mut source = Source::new(&cut[..]).unwrap();
            source
                .for_each(|frame| {
                    if let Content::Arp(arp) = &frame.content {
                        assert_eq!(arp.sender_protocol, [10, 0, 0, 1], "{name} cut at {kept}");
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
    }
    let _ = std::fs::remove_file(path);
}

/// What is encrypted is named, and what only resembles a tunnel is none.
#[test]
fn what_cannot_be_looked_into_is_named() {
    let case = |frame| Case {
        name: "",
        link_type: LinkType::ETHERNET,
        frame,
        tunnel: None,
        addressed: true,
        tshark: true,
    };
    let report = |frame| {
        let mut capture = Capture::new();
        capture.read("plain", &file(&case(ethernet()))[..]).unwrap();
        capture.read("more", &file(&case(frame))[..]).unwrap();
        capture.report()
    };
    let esp = report(ipv4(50, &[0, 0, 1, 0, 0, 0, 0, 1, 9, 9, 9, 9]));
    assert_eq!(esp.ok, None, "{esp:#?}");
    assert!(esp.missing.iter().any(|one| one.reason == MissingKind::Encrypted && one.text.contains("ESP")));
    let eth = ethernet();
    for header in [[8, 0, 0, 1, 0, 0, 7, 0], [8, 0, 0, 0, 0, 0, 7, 1], [0, 0, 0x65, 0x59, 0, 0, 7, 0]] {
        let report = report(udp(14789, &join(&[&header, &eth])));
        let why: Vec<MissingKind> = report.missing.iter().map(|one| one.reason).collect();
        assert_eq!(why, [MissingKind::NoArp], "{header:?}: {report:#?}");
    }
}
