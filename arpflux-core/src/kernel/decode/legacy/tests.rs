//! Without a kernel: tables from their layouts. Those of `arptables` are compared with the running kernel elsewhere.

use super::*;
use crate::filter::{Family, Hook};

/// A standard target of `ebtables`, and conditions before it.
fn entry(bits: u32, inverse: u32, fill: impl Fn(&mut Vec<u8>), matches: &[u8], verdict: i32) -> Vec<u8> {
    let mut bytes = vec![0; 112];
    bytes[..4].copy_from_slice(&(bits | 1).to_ne_bytes());
    bytes[4..8].copy_from_slice(&inverse.to_ne_bytes());
    fill(&mut bytes);
    bytes.extend(matches);
    let target = bytes.len() as u32;
    bytes.extend(part("standard", &[verdict.to_ne_bytes(), [0; 4]].concat()));
    let end = bytes.len() as u32;
    for (at, offset) in [(100, target), (104, target), (108, end)] {
        bytes[at..at + 4].copy_from_slice(&offset.to_ne_bytes());
    }
    bytes
}

fn part(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(32, 0);
    bytes.extend((data.len() as u32).to_ne_bytes());
    bytes.resize(40, 0);
    bytes.extend(data);
    bytes
}

fn head(name: &str, policy: i32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(name.as_bytes());
    bytes.resize(40, 0);
    bytes.extend(policy.to_ne_bytes());
    bytes.resize(48, 0);
    bytes
}

/// `-p arp --arp-op request --arp-ip-dst 10.0.0.100 -i eth0 -j service`, and a chain that drops all but one MAC.
fn table() -> Vec<u8> {
    let mut arp = vec![0; 52];
    arp[4..6].copy_from_slice(&[0, 1]);
    arp[16..20].copy_from_slice(&[10, 0, 0, 100]);
    arp[20..24].fill(0xff);
    arp[48] = 0x01 | 0x10;
    arp.resize(56, 0);
    let device = |bytes: &mut Vec<u8>| {
        bytes[8..10].copy_from_slice(&[8, 6]);
        bytes[10..14].copy_from_slice(b"eth0");
    };
    let mac = |bytes: &mut Vec<u8>| {
        bytes[74..80].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
        bytes[80..86].fill(0xff);
    };
    let first = entry(0, 0, device, &part("arp", &arp), 0);
    let input = [head("INPUT", -1), first].concat();
    let service = (input.len() + 2 * 48) as i32;
    let all =
        [input, head("FORWARD", -1), head("OUTPUT", -2), head("service", -4), entry(2 | 8, 8, mac, &[], -2)];
    let mut bytes = all.concat();
    // The jump's verdict is where the chain is.
    let verdict = 48 + 112 + 40 + 56 + 40;
    bytes[verdict..verdict + 4].copy_from_slice(&service.to_ne_bytes());
    bytes
}

#[test]
fn a_table_of_ebtables_is_read() {
    let chains = ebtables("filter", 0b1110, &table()).unwrap();
    let told: Vec<_> = chains
        .iter()
        .map(|chain| {
            let base = chain.base.as_ref().map(|base| (base.hook, base.priority, base.drops));
            (chain.title(), base, chain.rules.len())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("ebtables filter INPUT".into(), Some((Hook::Input, -200, false)), 1),
            ("ebtables filter FORWARD".into(), None, 0),
            ("ebtables filter OUTPUT".into(), Some((Hook::Output, 200, true)), 0),
            ("ebtables filter service".into(), None, 1),
        ]
    );
    let compared = |rule: &[Expression]| -> Vec<(Comparison, String)> {
        let each = rule.iter().filter_map(|expression| match expression {
            Expression::Compare { by, value, .. } => Some((*by, value.to_string())),
            _ => None,
        });
        each.collect()
    };
    let equal = |text: &str| (Comparison::Equal, text.to_owned());
    let [rule] = &chains[0].rules[..] else { panic!("one rule") };
    assert_eq!(compared(rule), ["0806", "6574683000", "0001", "0a000064"].map(equal));
    assert_eq!(rule.last(), Some(&Expression::Decide { verdict: Verdict::Jump("service".into()) }));
    let [rule] = &chains[3].rules[..] else { panic!("one rule") };
    assert_eq!(compared(rule), [(Comparison::NotEqual, "020000000009".to_owned())]);
    assert_eq!(rule.last(), Some(&Expression::Decide { verdict: Verdict::Drop }));
    assert!(chains.iter().all(|chain| chain.family == Family::Ebtables));
}

#[test]
fn what_takes_frames_from_bridges_is_not_read() {
    assert_eq!(ebtables("broute", 1 << 5, &head("BROUTING", -1)), Some(Vec::new()));
    assert_eq!(ebtables("broute", 1 << 5, &head("BROUTING", -2)), None);
}

#[test]
fn tables_that_are_cut_or_broken_are_refused_or_read() {
    let whole = table();
    for cut in 0..whole.len() {
        let _ = ebtables("filter", 0b1110, &whole[..cut]);
        let _ = arptables("filter", Places { hooks: 3, ..Places::default() }, &whole[..cut]);
    }
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        let _ = ebtables("filter", 0b1110, &broken);
        let _ = arptables("filter", Places { hooks: 3, ..Places::default() }, &broken);
    }
}
