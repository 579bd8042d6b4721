//! By which interface proxied addresses should be answered.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::Reason;
use super::topology::{Context, count, routed_to};
use crate::policy::ProxyPolicy;
use crate::snapshot::{Interface, Snapshot};
use crate::types::IfIndex;
use crate::words::listed;

/// What is to be said about proxied addresses.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    pub policies: Vec<ProxyPolicy>,
    pub reasons: Vec<Reason>,
    pub notes: Vec<String>,
}

/// One `[[proxy]]` for each interface behind which proxied addresses are and each NIC that shall answer for
/// them. An address published on one NIC stays there; one published on several goes to the NIC by which the
/// default route leaves, if it is one of them. With `ipv6` so do IPv6 addresses for which several NICs of a wire answer; others
/// of that family are left as they are.
pub(super) fn proxies(context: &Context<'_>, ipv6: bool) -> Proxies {
    let mut found = Proxies::default();
    let behind = routed_to(context);
    let mut groups: BTreeMap<(IfIndex, IfIndex, bool), Vec<IpAddr>> = BTreeMap::new();
    let (mut useless, mut left) = (Vec::new(), 0);
    let held: HashSet<IpAddr> = context.snapshot.addresses.iter().map(|address| address.local).collect();
    for (address, published) in context.published() {
        let own = held.contains(&address);
        let Some(device) = behind.get(&address).copied().filter(|_| !own) else {
            if address.is_ipv4() {
                useless.push(address.to_string());
            } else {
                left += 1;
            }
            continue;
        };
        let candidates: Vec<&Interface> = context
            .nics
            .iter()
            .copied()
            .filter(|nic| published.contains(&None) || published.contains(&Some(nic.index)))
            .collect();
        let of_a_wire = |one: &Interface| {
            let beside = |other: &&&Interface| context.wires.share(one.index, other.index) == Some(true);
            candidates.iter().filter(beside).count() > 1
        };
        if address.is_ipv6() && !(ipv6 && candidates.iter().any(|one| of_a_wire(one))) {
            left += 1;
            continue;
        }
        // Published on interfaces that are no NICs: somebody else's business.
        let Some(chosen) = choose(context, &candidates, address) else { continue };
        let several = candidates.len() > 1;
        groups.entry((device, chosen.index, several)).or_default().push(address);
    }
    for ((device, nic, several), addresses) in groups {
        let number = found.policies.len();
        let (device, nic) = (context.snapshot.name_of(device), context.snapshot.interface(nic));
        let Some(nic) = nic else { continue };
        found.reasons.push(Reason {
            key: format!("proxy[{number}].addresses"),
            text: format!(
                "{} behind {device}; write an entry of its own for each container to move them one by one",
                count(addresses.len(), "address", "addresses"),
            ),
        });
        let by_default = context.uplinks.contains(&nic.index);
        found.reasons.push(Reason {
            key: format!("proxy[{number}].interface"),
            text: match (several, by_default) {
                (false, _) => format!("{} answers for them alone already", nic.name),
                (true, true) => format!(
                    "several interfaces answer for them now; the default route leaves by {}, so they go in and out \
                     by the same one. Any other interface of the wire would do as well",
                    nic.name
                ),
                (true, false) => format!(
                    "several interfaces answer for them now; {} is the first of them whose subnet holds them. Any \
                     other interface of the wire would do as well",
                    nic.name
                ),
            },
        });
        let owner = if found.policies.iter().any(|policy: &ProxyPolicy| policy.owner == device) {
            format!("{device} by {}", nic.name)
        } else {
            device
        };
        found.policies.push(ProxyPolicy { owner, addresses, interface: nic.name });
    }
    if !useless.is_empty() {
        found.notes.push(format!(
            "proxy entries for {} cannot answer, as no route leads to a host behind an interface of its own; they \
             are left as they are",
            listed(useless)
        ));
    }
    if left > 0 {
        found.notes.push(format!(
            "proxy entries for {} are left as they are",
            count(left, "IPv6 address", "IPv6 addresses"),
        ));
    }
    found
}

/// The NIC that shall answer: the one of the preferred default route, else one whose subnet holds the address,
/// else the first.
fn choose<'s>(context: &Context<'s>, candidates: &[&'s Interface], address: IpAddr) -> Option<&'s Interface> {
    let on_link = |nic: &&&Interface| holds(context.snapshot, nic.index, address);
    let uplink = context.uplinks.iter().find_map(|index| candidates.iter().find(|nic| nic.index == *index));
    uplink.or_else(|| candidates.iter().find(on_link)).or_else(|| candidates.first()).copied()
}

fn holds(snapshot: &Snapshot, interface: IfIndex, address: IpAddr) -> bool {
    snapshot.addresses_of(interface).any(|held| held.subnet().contains(&address))
}
