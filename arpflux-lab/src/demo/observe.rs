//! What is seen on the wire: who answers, by which interface packets leave.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::time::Duration;

use super::Seen;
use super::scenario::Scenario;
use crate::page::NICS;
use crate::{Recorded, Recorder};
use arpflux_core::error::Result;
use arpflux_core::frame::{Arp, EtherType, Ethernet, Ipv4};
use arpflux_core::types::Mac;
use arpflux_core::wire::probe::{self, Probed};
use arpflux_core::wire::{Direction, Filter, Port};

/// Everything seen of some addresses.
pub(super) type Observed = BTreeMap<Ipv4Addr, Seen>;

/// The name of the node's interface with that MAC, or the MAC.
pub(super) fn nic_of(mac: Mac) -> String {
    let known = NICS.iter().find(|nic| nic.mac.parse() == Ok(mac));
    known.map_or_else(|| mac.to_string(), |nic| nic.name.to_string())
}

/// In the node's order.
fn nics(macs: impl Iterator<Item = Mac>) -> Vec<String> {
    let mut names: Vec<String> = macs.map(nic_of).collect();
    names.sort();
    names.dedup();
    names
}

/// Asks for addresses from the client, as `arpflux probe` does. `wait` has to be beyond 0.8 s where
/// addresses are proxied.
pub(super) fn ask(
    scenario: &Scenario,
    targets: &[Ipv4Addr],
    wait: Duration,
) -> Result<Vec<(Ipv4Addr, Probed)>> {
    let options = probe::Options::default().tries(1).wait(wait).tell_proxies(false);
    scenario.client.run(|| {
        let port = Port::named(&"eth0".parse()?)?;
        let asked: Vec<IpAddr> = targets.iter().copied().map(IpAddr::V4).collect();
        let probed = probe::run(&port, &asked, options, |_| ControlFlow::Continue(()))?;
        Ok(targets.iter().copied().zip(probed).collect())
    })?
}

/// Asks for addresses and pings them from the client: who answers, by what the replies leave.
pub(super) fn observe(scenario: &Scenario, targets: &[Ipv4Addr], wait: Duration) -> Result<Observed> {
    let mut observed: Observed = ask(scenario, targets, wait)?
        .into_iter()
        .map(|(target, one)| {
            let answered_by = nics(one.replies.iter().map(|reply| reply.mac));
            (target, Seen { answered_by, left_by: Vec::new() })
        })
        .collect();
    let places: Vec<_> = NICS.iter().map(|nic| (&scenario.hn, nic.name)).collect();
    let recorder = Recorder::start(&places, Filter::EtherType(EtherType::IPV4.0))?;
    // At once, as each first one waits for its neighbour.
    std::thread::scope(|scope| {
        let running: Vec<_> =
            targets.iter().map(|target| scope.spawn(|| scenario.client.ping(None, *target, 2))).collect();
        running.into_iter().try_for_each(|thread| match thread.join() {
            Ok(pings) => pings.map(|_| ()),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    for frame in recorder.stop()?.iter().filter(|frame| frame.direction == Direction::Out) {
        let source = Ethernet::parse(&frame.frame).ok().and_then(|frame| Ipv4::parse(frame.payload).ok());
        if let Some(seen) = source.and_then(|packet| observed.get_mut(&packet.source)) {
            seen.left_by.push(NICS[frame.place].name.to_string());
        }
    }
    for seen in observed.values_mut() {
        seen.left_by.sort();
        seen.left_by.dedup();
    }
    Ok(observed)
}

/// Whether a frame is to, from or about one of these addresses: ARP or IP.
pub(super) fn concerns(frame: &Recorded, addresses: &[Ipv4Addr]) -> bool {
    let Ok(ethernet) = Ethernet::parse(&frame.frame) else { return false };
    match ethernet.ether_type {
        EtherType::ARP => Arp::parse(ethernet.payload)
            .ok()
            .and_then(|arp| arp.ipv4())
            .is_some_and(|arp| addresses.contains(&arp.sender) || addresses.contains(&arp.target)),
        EtherType::IPV4 => Ipv4::parse(ethernet.payload).is_ok_and(|packet| {
            addresses.contains(&packet.source) || addresses.contains(&packet.destination)
        }),
        _ => false,
    }
}

/// The MACs of the first echo request and of the first echo reply: to whom asked, from whom answered.
pub(super) fn round_trip(frames: &[Recorded]) -> Option<(Mac, Mac)> {
    let find = |reply: bool| {
        frames.iter().find_map(|frame| {
            let ethernet = Ethernet::parse(&frame.frame).ok()?;
            let echo =
                Ipv4::parse(ethernet.payload).ok().filter(|_| ethernet.ether_type == EtherType::IPV4)?;
            let echo = echo.echo().filter(|echo| echo.reply == reply)?;
            Some(if echo.reply { ethernet.source } else { ethernet.destination })
        })
    };
    Some((Mac::ethernet(find(false)?), Mac::ethernet(find(true)?)))
}
