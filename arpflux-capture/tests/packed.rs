//! Captures packed by the tools themselves.
#![allow(missing_docs, reason = "a test")]

use std::io::{Read, Write as _};
use std::ops::ControlFlow;
use std::process::{Command, Stdio};

use arpflux_capture::{Counts, Source};
use arpflux_core::ErrorKind;
use arpflux_core::frame::Ipv4Arp;

/// A pcap file of many frames.
fn capture() -> Vec<u8> {
    let mut file =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    for number in 0..5000_u16 {
        let [high, low] = number.to_be_bytes();
        let mac = "02:00:00:00:00:01".parse().unwrap();
        let frame = Ipv4Arp::announcement(mac, [10, 0, high, low].into()).to_frame(mac);
        for field in [u32::from(number), 0, frame.len() as u32, frame.len() as u32] {
            file.extend(field.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

fn pack(command: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes).unwrap());
        let mut packed = Vec::new();
        output.read_to_end(&mut packed).unwrap();
        assert!(child.wait().unwrap().success());
        packed
    })
}

fn read(bytes: &[u8]) -> arpflux_core::Result<Counts> {
    let mut source = Source::new(bytes)?;
    assert!(source.is_compressed());
    source.for_each(|_| ControlFlow::Continue(()))?;
    Ok(source.counts().clone())
}

/// Gives a byte at a time, as a slow pipe may.
struct Slowly<'a>(&'a [u8]);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

#[test]
fn what_the_tools_pack_is_read_and_damage_is_told() {
    let file = capture();
    let (head, tail) = file.split_at(100_001);
    for command in [
        &["gzip"][..],
        &["zstd", "-c"],
        &["zstd", "-19", "--long=27", "--check", "-c"],
        &["xz", "-c"],
        &["xz", "-9", "--check=sha256", "-c"],
        &["lz4", "-c"],
        &["lz4", "-9", "-BD", "-c"],
    ] {
        let packed = pack(command, &file);
        let counts = read(&packed).unwrap();
        assert_eq!((counts.records, counts.sightings, counts.ends_early), (5000, 5000, false), "{command:?}");
        // One behind the other, as log rotation and cat leave them.
        let two = [pack(command, head), pack(command, tail)].concat();
        assert_eq!(read(&two).unwrap().sightings, 5000, "{command:?} twice");
        let mut slow = Source::new(Slowly(&two)).unwrap();
        slow.for_each(|_| ControlFlow::Continue(())).unwrap();
        assert_eq!(slow.counts().sightings, 5000, "{command:?} slowly");

        // Cut off, it still gives what it holds, and says that it is cut.
        match read(&packed[..packed.len() / 2]) {
            Err(error) => assert!(error.to_string().contains("first part"), "{command:?} {error}"),
            Ok(counts) => assert!(counts.ends_early && counts.sightings < 5000, "{command:?} {counts:?}"),
        }
        // Damaged, it is no good end.
        let mut damaged = packed.clone();
        for at in (packed.len() / 2..packed.len()).step_by(7) {
            damaged[at] ^= 0x55;
        }
        match read(&damaged) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidData, "{command:?} {error}"),
            Ok(counts) => assert!(counts.ends_early, "{command:?}: damage is not seen"),
        }
    }
}

#[test]
fn frames_to_be_skipped_are() {
    let packed = pack(&["zstd", "-c"], &capture());
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &packed].concat();
    assert_eq!(read(&skipped).unwrap().sightings, 5000);
}

#[test]
fn what_takes_too_much_memory_is_refused() {
    let packed = pack(&["zstd", "--ultra", "-22", "--long=31", "-c"], &capture());
    let error = read(&packed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("window"), "{error}");
}
