//! Without a kernel: what must hold whatever the rules. The kernel's own answers are compared elsewhere.

use std::net::Ipv4Addr;

use super::*;
use crate::types::Mac;

fn bytes(text: &str) -> Bytes {
    serde_json::from_str(&format!("{text:?}")).unwrap()
}

fn load(offset: u32, register: u8) -> Expression {
    Expression::Load { header: Header::Network, offset, len: 4, register }
}

fn drops() -> Expression {
    Expression::Decide { verdict: Verdict::Drop }
}

fn chain(name: &str, base: bool, rules: Vec<Vec<Expression>>) -> Chain {
    let base = base.then(|| Base { hook: Hook::Input, priority: 0, drops: false, devices: Vec::new() });
    Chain { family: Family::Arp, table: "t".into(), name: name.into(), base, rules }
}

fn request(sender: u32, target: u32) -> Frame {
    Frame::new(&Content {
        reply: false,
        source_mac: None,
        destination_mac: Some(Mac::BROADCAST),
        sender_mac: None,
        sender: sender.into(),
        target_mac: Some(Mac::NONE),
        target: target.into(),
    })
    .received(BROADCAST)
}

fn fate(filters: &Filters, sender: u32, target: u32, choose: usize) -> Fate {
    let rules = Rules::new(Protocol::Arp, &[filters]);
    rules.run(Family::Arp, Hook::Input, &Devices::default(), &mut request(sender, target), &mut |of| {
        choose.min(of - 1)
    })
}

fn number(text: &str) -> u32 {
    text.parse::<Ipv4Addr>().unwrap().into()
}

/// Every way of looking at addresses.
fn filters() -> Filters {
    let lookup =
        |set: &str, register| Expression::Lookup { set: set.into(), register, negated: false, to: None };
    let compare = |by, value: &str| Expression::Compare { register: 4, by, value: bytes(value) };
    let masked = Expression::Mask { from: 4, to: 4, mask: bytes("fffff000"), xor: bytes("00000000") };
    let element =
        |from: &str, to: &str| Element { from: bytes(from), to: bytes(to), answer: Answer::Nothing };
    let set = |name: &str, fields: &[u8], elements| Set {
        family: Family::Arp,
        table: "t".into(),
        name: name.into(),
        fields: fields.to_vec(),
        changes: false,
        elements,
        otherwise: None,
    };
    let rules = vec![
        vec![load(24, 4), compare(Comparison::Equal, "0a000001"), drops()],
        vec![load(14, 4), masked, compare(Comparison::Equal, "0a012000"), drops()],
        vec![load(24, 4), compare(Comparison::Less, "01000000"), drops()],
        vec![load(14, 4), load(24, 5), lookup("pairs", 4), drops()],
        vec![load(24, 4), lookup("ranges", 4), Expression::Decide { verdict: Verdict::Jump("more".into()) }],
    ];
    let more = vec![vec![load(14, 4), compare(Comparison::AtLeast, "0a020000"), drops()]];
    Filters {
        chains: vec![chain("c", true, rules), chain("more", false, more)],
        sets: vec![
            set("pairs", &[4, 4], vec![element("0a0300000a040000", "0a0300ff0a04ffff")]),
            set("ranges", &[4], vec![element("0a050000", "0a050009"), element("0a050020", "0a0500ff")]),
        ],
    }
}

#[test]
fn addresses_that_lie_in_the_same_ranges_fare_alike() {
    let filters = filters();
    let ranges = ranges(&filters);
    let mut samples: Vec<u32> = ranges
        .iter()
        .flat_map(|(first, last, _)| {
            [*first, *last, first.wrapping_sub(1), last.wrapping_add(1), first / 2 + last / 2]
        })
        .collect();
    samples.extend(["8.8.8.8", "10.3.0.7", "10.4.1.1", "10.5.0.33", "192.168.1.1"].map(number));
    let class = |address: u32| -> Vec<u32> {
        ranges
            .iter()
            .filter(|(first, last, _)| (*first..=*last).contains(&address))
            .map(|range| range.2)
            .collect()
    };
    let mut compared = 0;
    for one in &samples {
        for other in samples.iter().filter(|other| class(**other) == class(*one)) {
            for third in &samples {
                assert_eq!(fate(&filters, *one, *third, 0), fate(&filters, *other, *third, 0));
                assert_eq!(fate(&filters, *third, *one, 0), fate(&filters, *third, *other, 0));
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
    let dropped = Fate::Dropped(0);
    for (sender, target, expected) in [
        ("10.0.0.9", "10.0.0.1", dropped),
        ("10.0.0.9", "10.0.0.2", Fate::Passes),
        ("10.1.47.255", "10.0.0.2", dropped),
        ("10.1.48.0", "10.0.0.2", Fate::Passes),
        ("10.3.0.255", "10.4.1.0", dropped),
        ("10.3.1.0", "10.4.1.0", Fate::Passes),
        ("10.2.0.0", "10.5.0.9", dropped),
        ("10.2.0.0", "10.5.0.10", Fate::Passes),
        ("10.1.0.0", "10.5.0.9", Fate::Passes),
    ] {
        assert_eq!(fate(&filters, number(sender), number(target), 0), expected, "{sender} {target}");
    }
}

#[test]
fn what_is_not_understood_is_asked_only_where_it_is_come_to() {
    let limit = Expression::Unknown { name: "limit".into() };
    let rule = vec![
        load(24, 4),
        Expression::Compare { register: 4, by: Comparison::Equal, value: bytes("0a000001") },
        limit,
        drops(),
    ];
    let filters = Filters { chains: vec![chain("c", true, vec![rule])], sets: Vec::new() };
    let fates = |target: &str| [0, 1].map(|choose| fate(&filters, 1, number(target), choose));
    assert_eq!(fates("10.0.0.1"), [Fate::Passes, Fate::Dropped(0)]);
    assert_eq!(fates("10.0.0.2"), [Fate::Passes, Fate::Passes]);
    assert_eq!(filters.open(), ["nftables arp t c"]);
    // The last bytes of an address alone are no range.
    let last = vec![
        Expression::Load { header: Header::Network, offset: 26, len: 2, register: 4 },
        Expression::Compare { register: 4, by: Comparison::Equal, value: bytes("0001") },
        drops(),
    ];
    let filters = Filters { chains: vec![chain("c", true, vec![last])], sets: Vec::new() };
    let fates = |target: &str| [0, 1].map(|choose| fate(&filters, 1, number(target), choose));
    assert_eq!(fates("10.0.0.1"), fates("10.0.0.2"));
}

#[test]
fn chains_that_call_one_another_for_ever_come_to_an_end() {
    let to = |name: &str| vec![Expression::Decide { verdict: Verdict::Goto(name.into()) }];
    let filters = Filters {
        chains: vec![chain("a", true, vec![to("b")]), chain("b", false, vec![to("a")])],
        sets: Vec::new(),
    };
    assert_eq!(fate(&filters, 1, 2, 0), Fate::Passes);
}

#[test]
fn what_is_written_is_read_again() {
    let filters = filters();
    let text = serde_json::to_string(&filters).unwrap();
    assert_eq!(serde_json::from_str::<Filters>(&text).unwrap(), filters, "{text}");
    assert!(serde_json::from_str::<Bytes>(r#""0a0""#).is_err());
    assert!(serde_json::from_str::<Bytes>(r#""0g""#).is_err());
}
