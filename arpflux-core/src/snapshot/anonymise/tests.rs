use super::*;
use crate::diagnose::{Options, diagnose};
use crate::filter::{
    Answer, Base, Bytes, Chain, Comparison, Element, Expression, Family, Header, Hook, Meta, Set, Verdict,
};
use crate::predict::{Matrix, Model};
use crate::proof::testing::{crowd, dense_host, random_host};
use crate::snapshot::{
    Builder, Discovery, DiscoveryOn, Interference, LinkKind, Neighbour, NeighbourState, Rule,
};
use crate::types::{Redundancy, VirtualMac};

/// What `host` shows, with what stands for it (`by`), or as it is. Addresses that are not in the snapshot are examples out
/// of many: somebody of no subnet, somebody of a range.
fn renamed(by: Option<&Anonymiser>, host: &Snapshot, text: &str) -> String {
    let shown = host.to_json().unwrap();
    let of_word = |letter: char| letter.is_ascii_alphanumeric() || "._:/@\\".contains(letter);
    let mut new = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| of_word(letter) != of_word(first)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let inner = word.trim_end_matches(['.', ':', ',']);
        let tail = &word[inner.len()..];
        let ip = inner.parse().ok().map(|address: IpAddr| match shown.contains(&format!("\"{address}\"")) {
            true => by.map_or(address, |by| by.address(address)).to_string(),
            false => "somebody".to_owned(),
        });
        let net = || inner.parse().ok().map(|net| by.map_or(net, |by| by.prefix(net)).to_string());
        let mac = || {
            let mac = Some(inner).filter(|mac| mac.len() > 11)?.parse().ok()?;
            Some(by.map_or(mac, |by| by.mac(mac)).to_string())
        };
        // A name, also as a part of a sysctl's.
        let named = |part: &str| by?.name(&part.parse().ok()?).map(|name| name.to_string());
        let part = |part: &str| named(part).unwrap_or_else(|| part.to_owned());
        let name = || Some(inner.split('.').map(part).collect::<Vec<_>>().join("."));
        let image = ip.or_else(net).or_else(mac).or_else(name);
        new += &(image.unwrap_or_default() + tail);
        rest = behind;
    }
    new
}

/// What the model and `diagnose` say, as JSON.
fn said(host: &Snapshot) -> [String; 2] {
    let mut matrix = Matrix::of(&Model::new(host).unwrap());
    let found = diagnose(host, &Options::default()).unwrap();
    // Sentences have examples and ranges of senders, which another numbering cuts otherwise.
    let mut findings: Vec<_> = found
        .findings
        .iter()
        .map(|one| {
            let changes = one.plan.as_ref().map(|plan| plan.changes.len());
            (one.id, one.severity, one.objects.clone(), changes, one.unless.len())
        })
        .collect();
    findings.sort_by_key(|one| crate::json::line(&(one.0, &one.2)).unwrap());
    // What leaves answers open is told in words.
    let missing = (std::mem::take(&mut matrix.missing).len(), found.missing.len());
    [crate::json::pretty(&matrix).unwrap(), crate::json::pretty(&(findings, missing)).unwrap()]
}

fn alike(host: &Snapshot, what: &str) -> Snapshot {
    let by = Anonymiser::of(host).unwrap();
    let other = by.snapshot(host).unwrap();
    for (old, new) in said(host).into_iter().zip(said(&other)) {
        let (old, new) = (renamed(Some(&by), host, &old), renamed(None, &other, &new));
        if let Some(line) = old.lines().zip(new.lines()).position(|(old, new)| old != new) {
            let around = |text: &str| {
                text.lines().skip(line.saturating_sub(15)).take(18).collect::<Vec<_>>().join("\n")
            };
            let (host, other) = (crate::json::line(host).unwrap(), crate::json::line(&other).unwrap());
            panic!("{what}: {host}\n{other}\n{}\n{}", around(&old), around(&new));
        }
        assert_eq!(old.lines().count(), new.lines().count(), "{what}");
    }
    other
}

#[test]
fn random_hosts_are_judged_alike() {
    for seed in 1..14 {
        alike(&random_host(seed).0, &format!("random {seed}"));
        alike(&crowd(seed).0, &format!("crowd {seed}"));
        alike(&dense_host(seed).0, &format!("dense {seed}"));
    }
}

fn bytes(hex: &str) -> Bytes {
    serde_json::from_str(&format!("\"{hex}\"")).unwrap()
}

fn compare(register: u8, value: &str) -> Expression {
    Expression::Compare { register, by: Comparison::Equal, value: bytes(value) }
}

fn load(header: Header, offset: u32, len: u32) -> Expression {
    Expression::Load { header, offset, len, register: 4 }
}

const DROP: Expression = Expression::Decide { verdict: Verdict::Drop };

fn set(name: &str, fields: &[u8], elements: &[(&str, &str)]) -> Set {
    let element =
        |(from, to): &(&str, &str)| Element { from: bytes(from), to: bytes(to), answer: Answer::Nothing };
    Set {
        family: Family::Arp,
        table: "poison-table".into(),
        name: name.into(),
        fields: fields.to_vec(),
        changes: false,
        elements: elements.iter().map(element).collect(),
        otherwise: None,
    }
}

fn look_up(set: &str) -> Expression {
    Expression::Lookup { set: set.into(), register: 4, negated: false, to: None }
}

/// A host with a text, an address and a MAC in every place that takes one.
fn poisoned() -> Snapshot {
    let mut host = Builder::new()
        .nic(
            "poison0",
            &["10.7.3.10/24", "8.44.7.5/29", "2a01:4f8:aa:bb::c0de:1/64", "fe80::c4ff:fe11:2233/64"],
        )
        .nic("poison1", &["10.7.3.11/24"])
        .route("0.0.0.0/0", Some("10.7.3.1"), "poison0")
        .route("77.88.0.0/16", Some("10.7.3.77"), "poison1")
        .proxy("10.7.3.101", Some("poison1"))
        .rule(
            Rule::lookup(1000, 101)
                .source("10.7.3.11/32".parse::<IpNet>().unwrap())
                .iif("poison9".parse::<IfName>().unwrap()),
        )
        .build()
        .unwrap();
    host.kernel.release = "6.1.0-poison-amd64".into();
    host.kernel.version = "#1 SMP Debian 6.1.176-1 poison".into();
    host.netns.boot_id = "poison".into();
    (host.netns.inode, host.netns.cookie) = (4_026_531_840, 77_001);
    let nic = &mut host.interfaces[1];
    nic.mac = "00:1c:42:7e:57:01".parse().unwrap();
    nic.kind = Some(LinkKind::Other("poison".into()));
    nic.altnames = vec!["poison-wan".into(), "poison-a-name-that-is-longer-than-others".into()];
    nic.macvlan_sources = vec!["00:1c:42:7e:57:99".parse().unwrap()];
    nic.open_options = vec!["poison".into(), "IFLA_BR_MCAST_FLOOD".into()];
    let index = nic.index;
    host.neighbours.push(Neighbour {
        address: "10.7.3.77".parse().unwrap(),
        interface: index,
        mac: Some("00:1c:42:7e:57:77".parse().unwrap()),
        state: NeighbourState::PERMANENT,
        flags: 0,
    });
    host.interference = vec![
        Interference::Netfilter { chain: "nftables arp poison-table poison-chain".into(), interface: None },
        Interference::TrafficControl { interface: index, program: Some("poison".into()) },
        Interference::Xdp { interface: index, program: Some("poison".into()) },
        Interference::Unreadable {
            what: "the file /etc/poison of 10.7.3.10".into(),
            needs: Some("poison".into()),
        },
    ];
    let name = |register, name: &str| {
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        compare(register, &hex)
    };
    let meta = |meta| Expression::LoadMeta { meta, register: 4 };
    let mut chain = Chain::at(Hook::Input, Family::Arp, "poison-table", "poison-chain").rules(vec![
        // Sender in 10.7.3.0/24; sender 10.7.3.77; its MAC; names, whole and as beginnings.
        vec![load(Header::Network, 14, 3), compare(4, "0a0703"), DROP],
        vec![load(Header::Network, 14, 4), compare(4, "0a07034d"), DROP],
        vec![
            load(Header::Network, 14, 4),
            Expression::Compare { register: 4, by: Comparison::AtLeast, value: bytes("0a07034d") },
            Expression::Compare { register: 4, by: Comparison::AtMost, value: bytes("0a070359") },
            DROP,
        ],
        vec![load(Header::Network, 8, 6), compare(4, "001c427e5777"), DROP],
        vec![meta(Meta::Iifname), name(4, "poison0\0\0\0\0\0\0\0\0\0"), DROP],
        vec![meta(Meta::Iifname), name(4, "poison1"), Expression::Unknown { name: "poison".into() }],
        vec![
            load(Header::Network, 14, 4),
            look_up("poison-set"),
            Expression::Decide { verdict: Verdict::Jump("poison-more".into()) },
        ],
        vec![Expression::Mangle {
            flags: 5,
            sender_mac: bytes("001c427e5701"),
            target_mac: bytes(""),
            sender: bytes("0a070365"),
            target: bytes(""),
            verdict: Verdict::Goto("poison-more".into()),
        }],
    ]);
    chain.base = Some(Base {
        hook: Hook::Input,
        priority: 0,
        drops: false,
        devices: vec!["poison1".into(), "poison*".into()],
    });
    let more = Chain { base: None, name: "poison-more".into(), rules: Vec::new(), ..chain.clone() };
    host.filters.chains = vec![chain, more];
    host.filters.sets = vec![
        set(
            "poison-set",
            &[4],
            &[("0a070332", "0a07036e"), ("08080808", "08080808"), ("4d580000", "4d58ffff")],
        ),
        set("poison-unused", &[4], &[("0a070332", "0a07036e")]),
    ];
    let solicited = Chain::at(Hook::Input, Family::Ip6, "poison-table", "input").rules(vec![
        vec![load(Header::Network, 8, 16), compare(4, "2a0104f800aa00bb00000000c0de0001"), DROP],
        vec![
            meta(Meta::L4protocol),
            compare(4, "06"),
            load(Header::Network, 12, 4),
            compare(4, "0a07034d"),
            DROP,
        ],
    ]);
    let mut on = DiscoveryOn::new(index);
    on.groups = vec![
        "ff02::1".parse().unwrap(),
        "ff02::1:ffde:1".parse().unwrap(),
        "ff02::2:ff77:1234".parse().unwrap(),
    ];
    on.anycast = vec!["2a01:4f8:aa:bb::".parse().unwrap()];
    let mut discovery = Discovery { interfaces: vec![on], ..Discovery::default() };
    discovery.filters.chains = vec![solicited];
    host.discovery = Some(discovery);
    host.check().unwrap();
    host
}

fn texts(value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => all.push(text.clone()),
        serde_json::Value::Array(list) => list.iter().for_each(|one| texts(one, all)),
        serde_json::Value::Object(object) => object.values().for_each(|one| texts(one, all)),
        _ => {}
    }
}

#[test]
fn nothing_is_left_that_says_which_host_it_is() {
    let host = poisoned();
    let mut old = Vec::new();
    texts(&serde_json::to_value(&host).unwrap(), &mut old);
    for _ in 0..20 {
        let by = Anonymiser::of(&host).unwrap();
        let other = by.snapshot(&host).unwrap();
        assert_eq!(host.anonymised().unwrap().interfaces.len(), 3);
        let text = crate::json::pretty(&other).unwrap();
        assert!(!text.contains("poison") && !text.contains("706f69736f6e"), "{text}");
        for number in [host.netns.inode, host.netns.cookie] {
            assert!(!text.contains(&number.to_string()), "{number}");
        }
        for old in &old {
            let kept = ["127.", "0.0.0.0", "::", "fe80::/", "ff02::1", "ff00::", "00:00:00:00:00:00"];
            let address = old.contains(['.', ':']) && old.split(['.', ':', '/']).count() > 3;
            if address && !kept.iter().any(|kept| old == kept || old.starts_with(kept) && old.len() < 20) {
                assert!(!text.contains(&format!("\"{old}\"")), "{old}");
            }
        }
        // In filters, as they stand in frames.
        for hex in ["0a0703", "427e57", "08080808", "4d58", "2a0104f8", "c0de"] {
            assert!(
                !text.contains(&format!("\"{hex}")) && !text.contains(&format!("{hex}\"")),
                "{hex}: {text}"
            );
        }
        assert_eq!(other.filters.sets[1].elements, []);
        assert_eq!(other.kernel.release, "6.1.0-x");
        // What is behind another one still is.
        let group = |host: &Snapshot| host.discovery.as_ref().unwrap().interfaces[0].groups.clone();
        assert_eq!(group(&other)[0], group(&host)[0]);
        let IpAddr::V6(own) = by.address("2a01:4f8:aa:bb::c0de:1".parse().unwrap()) else { panic!() };
        assert!(group(&other).contains(&crate::frame::solicited_node(own)));
        alike(&host, "poisoned");
    }
}

#[test]
fn what_is_special_stays_special() {
    let host = poisoned();
    let by = Anonymiser::of(&host).unwrap();
    let kind = |address: IpAddr| match address {
        IpAddr::V4(v4) => (
            v4.is_private(),
            v4.is_loopback(),
            v4.is_link_local(),
            v4.is_multicast(),
            v4.is_unspecified(),
            v4.octets()[0] == 0,
            v4.octets()[0] >= 240,
        ),
        IpAddr::V6(v6) => (
            v6.is_unique_local(),
            v6.is_loopback(),
            v6.is_unicast_link_local(),
            v6.is_multicast(),
            v6.is_unspecified(),
            v6.segments()[0] >> 13 == 1,
            false,
        ),
    };
    let mut state = 7u128;
    for place in 0..4000u32 {
        state =
            state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(u128::from(place) | 1);
        let v4 = IpAddr::from(((state >> 96) as u32).to_be_bytes());
        let first = [0x20u128, 0xfd, 0xfe, 0xff, 0][place as usize % 5] << 120;
        for address in [v4, Ipv6Addr::from_bits(first | state >> 8).into()] {
            assert_eq!(kind(address), kind(by.address(address)), "{address}");
        }
        let mut octets = [0; 6];
        octets.copy_from_slice(&state.to_be_bytes()[..6]);
        let mac = by.mac(Mac::ethernet(octets)).octets().unwrap();
        assert_eq!((VirtualMac::of(mac), octets[0] & 3), (VirtualMac::of(octets), mac[0] & 3), "{octets:?}");
    }
    for text in
        ["127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.18", "::1", "::", "ff02::2", "::ffff:0:0"]
    {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(by.address(address), address);
    }
    for (mac, protocol) in [
        ("00:00:5e:00:01:07", Redundancy::Vrrp),
        ("00:00:5e:00:02:07", Redundancy::Vrrp),
        ("00:00:0c:07:ac:07", Redundancy::Hsrp),
        ("00:00:0c:9f:f0:07", Redundancy::Hsrp2),
        ("02:bf:0a:07:03:0a", Redundancy::Nlb),
        ("01:00:5e:7f:03:0a", Redundancy::Nlb),
        ("00:09:0f:09:07:01", Redundancy::Fgcp),
        ("00:1c:7f:00:07:01", Redundancy::CheckPoint),
        ("44:38:39:ff:07:01", Redundancy::Anycast),
        ("00:1c:73:00:00:99", Redundancy::Anycast),
        ("00:07:b4:00:07:01", Redundancy::Glbp),
    ] {
        let image = by.mac(mac.parse().unwrap());
        assert_eq!(
            VirtualMac::of(image.octets().unwrap()).unwrap().protocol,
            protocol,
            "{mac} became {image}"
        );
        assert_eq!(image.to_string() == mac, mac == "00:1c:73:00:00:99", "{mac}");
    }
    for mac in ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:00", "33:33:00:00:00:01", "none"] {
        assert_eq!(by.mac(mac.parse().unwrap()).to_string(), mac);
    }
    // Google's cloud makes MACs of addresses.
    let IpAddr::V4(v4) = by.address("10.7.3.10".parse().unwrap()) else { panic!() };
    let [a, b, c, d] = v4.octets();
    assert_eq!(by.mac("42:01:0a:07:03:0a".parse().unwrap()), Mac::ethernet([0x42, 1, a, b, c, d]));
    assert_eq!(by.mac("10:20:30".parse().unwrap()).as_bytes().len(), 3);
    // The end of a tunnel.
    assert_eq!(by.mac("0a:07:03:0a".parse().unwrap()).as_bytes(), v4.octets());
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let order = |by| Expression::Compare { register: 4, by, value: bytes("0a070332") };
    let mask = |mask: &str| Expression::Mask { from: 4, to: 4, mask: bytes(mask), xor: bytes("00000000") };
    for (rule, said) in [
        (vec![load(Header::Network, 14, 4), order(Comparison::AtMost)], "above or below"),
        (vec![load(Header::Network, 16, 2), compare(4, "0332")], "in the middle"),
        (vec![load(Header::Network, 14, 4), mask("0000ffff"), compare(4, "00000332")], "in the middle"),
        (vec![load(Header::Network, 14, 4), mask("ffffff00"), compare(4, "0a070332")], "cannot be"),
    ] {
        let mut host = poisoned();
        host.filters.chains[0].rules.push(rule);
        let error = Anonymiser::of(&host).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.message().contains(said), "{error}");
    }
    let host = poisoned();
    let by = Anonymiser::of(&Builder::new().build().unwrap()).unwrap();
    assert_eq!(by.snapshot(&host).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(by.name(&"eth9".parse().unwrap()), None);
}
