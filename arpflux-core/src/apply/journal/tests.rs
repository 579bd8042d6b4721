use super::*;
use crate::state::{Object, SysctlScope};
use crate::sysctl::Sysctl;

fn change(after: i32) -> Change {
    Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::ArpIgnore }, 0, after)
}

/// The text of a journal with these records after its plan.
fn text(records: &[(&str, &str)]) -> Vec<u8> {
    let header = Header {
        id: 7,
        rollback_of: None,
        by: Maker::Person,
        netns: NetnsIdentity::default(),
        interfaces: Vec::new(),
        pid: 1,
        command: "arpflux".into(),
        announced: false,
        started: 0,
        conflicts: Vec::new(),
    };
    let mut crc = Crc::new();
    let mut text = Vec::new();
    raw_record(&mut crc, &mut text, b"arpflux-journal 1");
    record(&mut crc, &mut text, "begin", &header).unwrap();
    record(&mut crc, &mut text, "change", &change(1)).unwrap();
    record(&mut crc, &mut text, "change", &change(2)).unwrap();
    for (word, json) in records {
        raw_record(&mut crc, &mut text, format!("{word} {json}").as_bytes());
    }
    text
}

#[test]
fn states_in_their_order() {
    let applied = r#"{"verified":2,"notes":[]}"#;
    let pending = r#"{"deadline":5,"verified":2,"notes":[]}"#;
    let undone = r#"{"reason":"x","conflicts":[]}"#;
    let read = |records: &[(&str, &str)]| parse(&text(records)).map(|(log, ..)| (log.reach, log.state));
    assert_eq!(read(&[("ready", "2")]).unwrap(), (0, State::Open));
    assert_eq!(read(&[("ready", "2"), ("reach", "1")]).unwrap(), (1, State::Open));
    let all = read(&[("ready", "2"), ("reach", "2"), ("pending", pending), ("applied", applied)]).unwrap();
    assert!(matches!(all, (2, State::Applied(_))), "{all:?}");
    for wrong in [
        &[][..],
        &[("ready", "3")],
        &[("reach", "1"), ("ready", "2")],
        &[("ready", "2"), ("reach", "3")],
        &[("ready", "2"), ("reach", "2"), ("reach", "1")],
        &[("ready", "2"), ("reach", "-1")],
        &[("ready", "2"), ("applied", "{}")],
        &[("ready", "2"), ("applied", applied), ("undone", undone)],
        &[("ready", "2"), ("pending", pending), ("reach", "2")],
        &[("ready", "2"), ("surprise", "1")],
        &[("ready", "2"), ("begin", "{}")],
    ] {
        let error = read(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{wrong:?}");
    }
}

#[test]
fn cut_off_anywhere_it_is_an_error_or_the_state_before_the_last_record() {
    let whole = text(&[("ready", "2"), ("reach", "1"), ("applied", r#"{"verified":2,"notes":[]}"#)]);
    let planned = text(&[("ready", "2")]).len();
    for length in 0..whole.len() {
        let result = parse(&whole[..length]);
        if length < planned {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidData, "{length}");
            continue;
        }
        let (log, _, good) = result.unwrap();
        assert_eq!(log.state, State::Open);
        assert_eq!(log.torn, good != length as u64);
        // What was cut off may have said that more is about to be made.
        assert!(log.reach == 2 || !log.torn, "{length}");
    }
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let records = [("ready", "2"), ("reach", "2"), ("applied", r#"{"verified":2,"notes":[]}"#)];
    let whole = text(&records);
    let last = text(&records[..2]).len();
    let (good, ..) = parse(&whole).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            match parse(&damaged) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidData),
                // Damage in the last line, or in the end of the line before it, cannot be told from a torn
                // write: it counts as not written.
                Ok((log, ..)) => {
                    assert!(at + 1 >= last && log.torn && log.state == State::Open, "byte {at} bit {bit}");
                    assert_eq!(log.changes, good.changes);
                }
            }
        }
    }
    // Nor a line that is missing or has moved; only the last line may then count as torn.
    let noticed = |bytes: &[u8]| match parse(bytes) {
        Ok((log, ..)) => log.torn && log.state == State::Open && log.changes == good.changes,
        Err(_) => true,
    };
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for missing in 0..lines.len() - 1 {
        let mut rest = lines.clone();
        rest.remove(missing);
        assert!(noticed(&rest.concat()), "without line {missing}");
        let mut moved = lines.clone();
        moved.swap(missing, missing + 1);
        assert!(noticed(&moved.concat()), "lines {missing} and the next swapped");
    }
}

#[test]
fn rubbish_is_refused_and_never_panics() {
    let mut state = 1_u64;
    for length in 0..400 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            })
            .collect();
        assert!(parse(&bytes).is_err());
    }
    for text in ["", "\n", "00000000 \n", "\u{feff}", "é\n", "00000000", "0000000é x\n"] {
        assert!(parse(text.as_bytes()).is_err(), "{text:?}");
    }
}
