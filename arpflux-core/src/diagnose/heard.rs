//! What the snapshots of other hosts say about the permanent neighbour entries of one.

use std::net::{IpAddr, Ipv4Addr};

use super::Heard;
use crate::error::Result;
use crate::predict::{ArpRequest, Model};
use crate::segment::{Member, Port, infer};
use crate::stop::Stop;

/// Who answers, of the other members on the wires that they share, for each IPv4 neighbour of which the member at
/// `place` has a permanent entry: for [`Options::heard`](super::Options::heard). What no other
/// member answers for is left out: its host may not be among them.
///
/// # Errors
/// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `stop` was raised.
pub fn heard(members: &[Member<'_>], place: usize, stop: &Stop) -> Result<Vec<Heard>> {
    let Some(member) = members.get(place) else { return Ok(Vec::new()) };
    let permanent = member.snapshot().neighbours.iter().filter(|entry| entry.state.is_permanent());
    let entries: Vec<_> = permanent
        .filter_map(|entry| match entry.address {
            IpAddr::V4(address) => Some((entry.interface, address)),
            IpAddr::V6(_) => None,
        })
        .collect();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let segments = infer(members, stop)?.segments;
    let models: Vec<Model<'_>> = members.iter().map(|member| Model::of(member.snapshot())).collect();
    let mut found = Vec::new();
    for (interface, address) in entries {
        stop.check()?;
        let sender = member.snapshot().addresses_of(interface).find_map(|held| match held.local {
            IpAddr::V4(local) => Some(local),
            IpAddr::V6(_) => None,
        });
        let sender = sender.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let own = Port { member: place, interface };
        let mut heard = Heard::new(interface, address, Vec::new());
        for port in segments.iter().filter(|one| one.ports.contains(&own)).flat_map(|one| &one.ports) {
            let request = ArpRequest::broadcast(port.interface, sender, address);
            let verdict = (port.member != place).then(|| models[port.member].reply(&request));
            if let Some(mac) = verdict.as_ref().and_then(|verdict| verdict.mac())
                && !heard.macs.contains(mac)
            {
                heard.macs.push(*mac);
                heard.host.get_or_insert_with(|| members[port.member].name().to_owned());
            }
        }
        if heard.host.is_some() {
            found.push(heard);
        }
    }
    Ok(found)
}

#[cfg(all(test, feature = "kernel"))]
mod tests {
    use super::*;
    use crate::diagnose::{FindingId, Options, Severity, diagnose};
    use crate::plan::tests::host::Host;
    use crate::snapshot::{Neighbour, NeighbourState, Snapshot};
    use crate::types::{IfIndex, Mac};

    fn severity(host: &Snapshot, other: &Snapshot) -> Option<Severity> {
        let members = [Member::new("a", host).unwrap(), Member::new("b", other).unwrap()];
        let heard = heard(&members, 0, &Stop::default()).unwrap();
        let diagnosis = diagnose(host, &Options::default().heard(heard)).unwrap();
        let finding = diagnosis.findings.iter().find(|found| found.id == FindingId::PermanentNeighbour);
        finding.map(|finding| finding.severity)
    }

    #[test]
    fn a_permanent_entry_is_right_wrong_or_open_as_another_snapshot_says() {
        let mut host = Host::new().nic(3, "eth0", &["10.0.0.1/24"]).0;
        let mac = Mac::ethernet([2, 0, 0, 0, 0, 7]);
        host.neighbours.push(Neighbour {
            address: "10.0.0.9".parse().unwrap(),
            interface: IfIndex(3),
            mac: Some(mac),
            state: NeighbourState(0x80),
            flags: 0,
        });
        let other = |index, address: &str| Host::new().nic(index, "eth0", &[address]).0;
        assert_eq!(severity(&host, &other(8, "10.0.0.9/24")), Some(Severity::Warning));
        assert_eq!(severity(&host, &other(7, "10.0.0.9/24")), None);
        // Nobody among them has it.
        assert_eq!(severity(&host, &other(8, "10.0.0.8/24")), Some(Severity::Info));
    }
}
