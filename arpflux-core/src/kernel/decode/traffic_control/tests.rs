//! Without a kernel: filters that this machine's may lack, from their layouts.

use super::*;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((value.len() + 4) as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// `action drop` and its like.
fn gact(result: i32) -> Vec<u8> {
    let parms = [0, 0, result, 1, 1].map(i32::to_ne_bytes).concat();
    let options = attribute(2, &parms);
    attribute(1, &[attribute(1, b"gact\0"), attribute(2, &options)].concat())
}

fn message(protocol: u16, kind: &str, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    let info = 49152 << 16 | u32::from(protocol.to_be());
    bytes[16..20].copy_from_slice(&info.to_ne_bytes());
    bytes.extend(attribute(1, format!("{kind}\0").as_bytes()));
    bytes.extend(attribute(2, options));
    bytes
}

fn rule(payload: &[u8]) -> Vec<Expression> {
    match filter(payload).unwrap().does {
        Does::Rule(rule) => rule,
        Does::Program(name) => panic!("{name}"),
    }
}

const DROP: Expression = Expression::Decide { verdict: Verdict::Drop };

#[test]
fn matchall_goes_by_its_actions() {
    let with = |actions: &[Vec<u8>]| message(0x0003, "matchall", &attribute(2, &actions.concat()));
    assert_eq!(rule(&with(&[gact(2)])), [DROP]);
    assert_eq!(rule(&with(&[gact(3), gact(2)])), [DROP], "pipe goes on to the next");
    assert_eq!(rule(&with(&[gact(-1)])), [Expression::Decide { verdict: Verdict::Continue }]);
    assert_eq!(rule(&with(&[])), [Expression::Decide { verdict: Verdict::Accept }]);
    let other = attribute(1, &[attribute(1, b"pedit\0"), attribute(2, &[])].concat());
    let does = filter(&with(&[other])).unwrap().does;
    assert_eq!(does, Does::Program("matchall with action pedit".into()));
    // By the hardware alone.
    let skip =
        message(0x0003, "matchall", &[attribute(2, &gact(2)), attribute(3, &2u32.to_ne_bytes())].concat());
    assert_eq!(rule(&skip), [Expression::Unknown { name: "match".into() }, DROP]);
}

#[test]
fn flower_knows_the_fields_of_arp() {
    let keys = [
        attribute(8, &[8, 6]),
        attribute(59, &[10, 0, 0, 1]),
        attribute(60, &[0xff; 4]),
        attribute(61, &[1]),
        attribute(62, &[0xff]),
        attribute(3, &gact(2)),
    ];
    let rule = rule(&message(0x0806, "flower", &keys.concat()));
    let compared: Vec<String> = rule
        .iter()
        .filter_map(|expression| match expression {
            Expression::Compare { value, .. } => Some(value.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(compared, ["0806", "0806", "0000000000000001", "0a000001"]);
    assert_eq!(rule.last(), Some(&DROP));
    // What it is not known to look at.
    let keys = [attribute(22, &[0; 4]), attribute(120, &[1]), attribute(3, &gact(2))];
    let unknown = super::tests::rule(&message(0x0806, "flower", &keys.concat()));
    assert!(unknown.contains(&Expression::Unknown { name: "match".into() }), "{unknown:?}");
}

#[test]
fn other_protocols_and_programs() {
    let drops = attribute(2, &gact(2));
    assert_eq!(filter(&message(0x0800, "matchall", &drops)), None, "IPv4 is not ARP");
    let program = message(0x0003, "bpf", &attribute(7, b"from_wire.o\0"));
    assert_eq!(filter(&program).unwrap().does, Does::Program("from_wire.o".into()));
    let basic = message(0x0003, "basic", &[]);
    assert_eq!(filter(&basic).unwrap().does, Does::Program("basic".into()));
    for cut in 0..program.len() {
        let _ = filter(&program[..cut]);
    }
}
