//! Hosts behind this one that it answers for, and whose own packets it does not pass on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::{Evidence, Finding, FindingId, Objects};
use crate::plan::Change;
use crate::predict::{ArpRequest, Forwarded, Model};
use crate::snapshot::{Interface, RouteKind};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet};

/// How many packets are shown as evidence.
const SHOWN: usize = 3;
/// How many hosts are tried.
const TRIED: usize = 1_000;

/// A host behind an interface, answered for on the wire of another one.
struct Behind {
    address: Ipv4Addr,
    neighbour: Ipv4Addr,
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<IfIndex, Vec<Behind>> = BTreeMap::new();
    for route in context.snapshot.routes.iter().filter(|route| route.kind == RouteKind::Unicast).take(TRIED) {
        let (IpNet::V4(net), [hop]) = (route.destination, route.next_hops.as_slice()) else { continue };
        let (32, Some(behind), None) = (net.prefix_len(), hop.interface, hop.gateway) else { continue };
        let address = net.addr();
        if !context.map.is_connected(behind) || !context.holders(address).is_empty() {
            continue;
        }
        let fronts = context.around(address).into_iter().filter(|front| *front != behind);
        let answered = fronts.filter_map(|front| context.listener(front)).find_map(|front| {
            let neighbour = context.sender(front.index, address);
            let request = ArpRequest::broadcast(front.index, neighbour, address);
            (context.model.reply(&request).answers() == Some(true)).then_some(neighbour)
        });
        let Some(neighbour) = answered else { continue };
        if context.model.forwarded(behind, address, neighbour) == Forwarded::Dropped {
            groups.entry(behind).or_default().push(Behind { address, neighbour });
        }
    }
    for (behind, hosts) in groups {
        let Some(interface) = context.snapshot.interface(behind) else { continue };
        findings.extend(one(context, interface, &hosts));
    }
}

fn one(context: &Context<'_>, interface: &Interface, hosts: &[Behind]) -> Option<Finding> {
    let first = hosts.first()?;
    let passes = |changes: &[Change]| {
        let after = context.snapshot.with(changes);
        let way = Model::of(&after).forwarded(interface.index, first.address, first.neighbour);
        matches!(way, Forwarded::Leaves { .. })
    };
    let forwards: Vec<Change> = context.set(interface, Sysctl::Forwarding, 1).into_iter().collect();
    let loose: Vec<Change> = context.set(interface, Sysctl::RpFilter, 2).into_iter().collect();
    let name = interface.name;
    let (sysctl, changes, why, remedy) = if passes(&forwards) {
        (
            Sysctl::Forwarding,
            forwards,
            format!(
                "net.ipv4.conf.{name}.forwarding is 0, whatever net.ipv4.ip_forward says: each interface has a value of \
                 its own, and packets are passed on only where they come in with it set.",
            ),
            format!("Set net.ipv4.conf.{name}.forwarding to 1."),
        )
    } else if passes(&loose) {
        (
            Sysctl::RpFilter,
            loose,
            format!(
                "rp_filter=1 counts on {name}, and the way back to these hosts leaves by another interface."
            ),
            format!("Set rp_filter to 2 on {name}, or route to them by it."),
        )
    } else {
        (
            Sysctl::Forwarding,
            Vec::new(),
            format!("A rule or a route for packets that come in by {name} stands in the way."),
            format!(
                "Look at `ip rule` and `ip route get {} from {} iif {name}`.",
                first.neighbour, first.address
            ),
        )
    };
    let addresses: Vec<IpAddr> = hosts.iter().map(|host| IpAddr::V4(host.address)).collect();
    let mut evidence: Vec<Evidence> = hosts
        .iter()
        .take(SHOWN)
        .map(|host| Evidence::Fact {
            text: format!(
                "a packet from {} to {} that arrives on {name} is not passed on",
                host.address, host.neighbour
            ),
        })
        .collect();
    evidence.push(context.sysctl(interface, sysctl));
    Some(finding(
        FindingId::NotForwardedBack,
        Text {
            what: format!(
                "This host answers for {} behind {name}, and passes nothing on that {}: neighbours send, and get no reply.",
                listed(&addresses),
                by_number(hosts.len(), "it sends", "they send"),
            ),
            why,
            remedy,
        },
        Objects { interfaces: names(&[interface]), addresses },
        evidence,
        context.cure_by_changes(changes),
    ))
}
