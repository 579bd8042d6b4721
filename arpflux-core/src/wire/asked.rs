//! What the snapshot of a host does not tell, asked on its wires: whether permanent neighbour entries are right.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::ControlFlow;

use super::{Port, probe};
use crate::diagnose::Heard;
use crate::error::{ErrorKind, Result};
use crate::host::Host;
use crate::predict::listeners;
use crate::snapshot::Snapshot;
use crate::stop::Stop;
use crate::types::IfIndex;

/// What is said before anything is sent.
pub const WORDS: &str = "asking the wire: one broadcast frame by each interface (EtherType 0x88b5), and an ARP request for \
                         each neighbour with a permanent entry";

/// Asks for each IPv4 neighbour that has a permanent entry, where the entry is.
///
/// # Errors
/// Those of [`probe::run`]; [`ErrorKind::Interrupted`] if `stop` was raised.
pub fn permanent_neighbours(host: &Host, snapshot: &Snapshot, stop: &Stop) -> Result<Vec<Heard>> {
    let listeners = listeners(snapshot);
    let mut asked: BTreeMap<IfIndex, Vec<IpAddr>> = BTreeMap::new();
    for entry in snapshot.neighbours.iter().filter(|entry| entry.is_fixed()) {
        if entry.address.is_ipv4() && listeners.contains(&entry.interface) {
            asked.entry(entry.interface).or_default().push(entry.address);
        }
    }
    host.namespace().run(|| {
        let mut heard = Vec::new();
        for (interface, addresses) in asked {
            let go_on = |_| if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let options = probe::Options { tell_proxies: false, ..probe::Options::default() };
            let probed = match probe::run(&Port::numbered(interface)?, &addresses, options, go_on) {
                // Not Ethernet: nothing is heard there.
                Err(error) if error.kind() == ErrorKind::Unsupported => continue,
                probed => probed?,
            };
            stop.check()?;
            heard.extend(probed.into_iter().filter_map(|probed| {
                let IpAddr::V4(target) = probed.target else { return None };
                let macs = probed.replies.iter().map(|reply| reply.mac).collect();
                Some(Heard::new(interface, target, macs))
            }));
        }
        Ok(heard)
    })?
}
