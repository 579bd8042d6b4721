use super::*;

fn interfaces(count: u8) -> Vec<(IfName, Mac)> {
    (0..count).map(|i| (format!("eth{i}").parse().unwrap(), Mac::ethernet([2, 0, 0, 0, 0, i]))).collect()
}

/// All frames of a run's first round.
fn sent(finder: &mut Finder) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let (place, Transmit::Frame(frame)) = finder.transmit(Duration::ZERO) {
        assert_eq!(place, frames.len());
        frames.push(frame.to_vec());
    }
    frames
}

fn found(finder: &Finder) -> String {
    finder.results().unwrap().wires.to_string()
}

#[test]
fn what_is_heard_through_a_third_is_one_wire() {
    let mut finder = Finder::new(&interfaces(5), 7, Options::default());
    let frames = sent(&mut finder);
    assert_eq!(frames.len(), 5);
    assert!(frames.iter().all(|frame| frame.len() == MIN_FRAME && frame[..6] == [0xff; 6]));
    assert_eq!(found(&finder), "eth0 | eth1 | eth2 | eth3 | eth4");
    // 4 hears 3, and 3 hears 1: 1, 3 and 4 are one. 2 hears 2, which says nothing.
    finder.receive(4, &frames[3]);
    finder.receive(3, &frames[1]);
    finder.receive(2, &frames[2]);
    assert_eq!(found(&finder), "eth0 | eth1, eth3, eth4 | eth2");
    assert_eq!(finder.results().unwrap().heard.len(), 2);
    assert_eq!(finder.transmit(Duration::ZERO).1, Transmit::Wait(Duration::from_millis(300)));
    // It is over early once all are one.
    finder.receive(0, &frames[2]);
    finder.receive(0, &frames[1]);
    assert_eq!(finder.transmit(Duration::ZERO).1, Transmit::Done);
    assert_eq!(found(&finder), "eth0, eth1, eth2, eth3, eth4");
}

#[test]
fn other_runs_tagged_frames_and_cut_ones_say_nothing() {
    let mut other = Finder::new(&interfaces(2), 8, Options::default());
    let foreign = sent(&mut other).remove(0);
    let mut finder = Finder::new(&interfaces(2), 7, Options { rounds: 2, ..Options::default() });
    let own = sent(&mut finder).remove(0);
    let tagged = |vlan: u8| [&own[..12], &[0x81, 0, 0, vlan], &own[12..]].concat();
    finder.receive(1, &foreign);
    finder.receive(1, &tagged(5));
    for length in 0..PLACE + 4 + 14 {
        finder.receive(1, &own[..length]);
    }
    let mut beyond = own.clone();
    beyond[14 + PLACE] = 0x80;
    finder.receive(1, &beyond);
    finder.receive(9, &own);
    assert_eq!(found(&finder), "eth0 | eth1");
    // The second round, then the end.
    let wait = Options::default().wait;
    assert!(matches!(finder.transmit(wait).1, Transmit::Frame(_)));
    assert!(matches!(finder.transmit(wait).1, Transmit::Frame(_)));
    assert_eq!(finder.transmit(wait).1, Transmit::Wait(2 * wait));
    assert_eq!(finder.transmit(2 * wait).1, Transmit::Done);
    // A priority tag is no VLAN.
    finder.receive(1, &tagged(0));
    assert_eq!(found(&finder), "eth0, eth1");
}

#[test]
fn one_interface_or_none_is_done_at_once() {
    for count in 0..2 {
        assert_eq!(
            Finder::new(&interfaces(count), 7, Options::default()).transmit(Duration::ZERO).1,
            Transmit::Done
        );
    }
}
