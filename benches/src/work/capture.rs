//! Captures read from files.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use arpflux_capture::{Limits, Source, Table};
use arpflux_core::Result;
use arpflux_core::error::Error;
use arpflux_core::frame::Ipv4Arp;
use arpflux_core::types::{IfName, Mac};
use arpflux_core::wire::{Filter, Port, Ring};

use crate::measure::Measure;

/// Reads a file into a table. The result is the number of ARP frames.
pub fn run(file: &str) -> Result<()> {
    let begun = Measure::begin()?;
    let open = File::open(file).map_err(|error| Error::io("open", file, &error))?;
    let mut source = Source::new(open)?;
    let mut table = Table::new(Limits::default());
    source.read_into(&mut table)?;
    begun.end(1, source.counts().sightings as usize)
}

/// Takes `frames` ARP frames as they come on an interface into a table. The result is their number.
pub fn live(interface: &str, frames: usize) -> Result<()> {
    let name: IfName = interface.parse()?;
    let mut ring = Ring::open(Port::named(&name)?.index, Filter::Arp)?;
    let mut table = Table::new(Limits::default());
    let mut taken = 0;
    let begun = Measure::begin()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    ring.read_until(deadline, |received| {
        table.observe_ethernet(received.at, received.frame);
        taken += 1;
        if taken == frames { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    begun.end(1, taken)
}

/// Writes a pcap file: `frames` of them, requests and replies in turn, of `hosts` hosts on one wire.
pub fn make(file: &str, frames: u64, hosts: u32) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("write", file, &error);
    let mut to = BufWriter::with_capacity(1 << 20, File::create(file).map_err(failed)?);
    let mut header = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    for field in [0x0004_0002_u32, 0, 0, 65_535, 1] {
        header.extend(field.to_le_bytes());
    }
    to.write_all(&header).map_err(failed)?;
    let host = |at: u32| {
        let [_, b, c, d] = at.to_be_bytes();
        (Mac::ethernet([2, 0, 0, b, c, d]), Ipv4Addr::from_bits(0x0a00_0000 | (at + 1)))
    };
    for n in 0..frames {
        // A question, then its answer.
        let pair = (n / 2) as u32;
        let (asking, asked) = (pair % hosts, pair.wrapping_mul(2_654_435_761) % hosts);
        let ((mac, ip), (peer_mac, peer)) = (host(asking), host(asked));
        let question = Ipv4Arp::request(mac, ip, peer);
        let frame = match n % 2 {
            0 => question.to_frame(Mac::BROADCAST),
            _ => Ipv4Arp::reply_to(&question, peer_mac).to_frame(mac),
        };
        let frame = &frame[..48.min(frame.len())];
        for field in [(n / 10_000) as u32, (n % 10_000) as u32 * 100, frame.len() as u32, 60] {
            to.write_all(&field.to_le_bytes()).map_err(failed)?;
        }
        to.write_all(frame).map_err(failed)?;
    }
    to.flush().map_err(failed)
}
