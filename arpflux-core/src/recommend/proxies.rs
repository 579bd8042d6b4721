//! By which interface proxied addresses should be answered.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::Reason;
use super::topology::{Context, count, routed_to};
use crate::policy::ProxyPolicy;
use crate::snapshot::{Interface, Snapshot};
use crate::types::{IfIndex, IpNet};
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
/// default route leaves, if it is one of them.
pub(super) fn proxies(context: &Context<'_>) -> Proxies {
    let mut found = Proxies::default();
    let behind = routed_to(context);
    let mut groups: BTreeMap<(IfIndex, IfIndex, bool), Vec<IpAddr>> = BTreeMap::new();
    let mut useless = Vec::new();
    let held: HashSet<IpAddr> = context.snapshot.addresses.iter().map(|address| address.local).collect();
    for (address, published) in context.published() {
        let own = held.contains(&IpAddr::V4(address));
        let Some(device) = behind.get(&address).copied().filter(|_| !own) else {
            useless.push(address.to_string());
            continue;
        };
        let candidates: Vec<&Interface> = context
            .nics
            .iter()
            .copied()
            .filter(|nic| published.contains(&None) || published.contains(&Some(nic.index)))
            .collect();
        // Published on interfaces that are no NICs: somebody else's business.
        let Some(chosen) = choose(context, &candidates, address) else { continue };
        let several = candidates.len() > 1;
        groups.entry((device, chosen.index, several)).or_default().push(address.into());
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
    if context.snapshot.proxies.iter().any(|entry| entry.address.is_ipv6()) {
        found.notes.push("IPv6 proxy entries are left as they are".into());
    }
    found
}

/// The NIC that shall answer: the one of the preferred default route, else one whose subnet holds the address,
/// else the first.
fn choose<'s>(
    context: &Context<'s>,
    candidates: &[&'s Interface],
    address: Ipv4Addr,
) -> Option<&'s Interface> {
    let on_link = |nic: &&&Interface| holds(context.snapshot, nic.index, address);
    let uplink = context.uplinks.iter().find_map(|index| candidates.iter().find(|nic| nic.index == *index));
    uplink.or_else(|| candidates.iter().find(on_link)).or_else(|| candidates.first()).copied()
}

fn holds(snapshot: &Snapshot, interface: IfIndex, address: Ipv4Addr) -> bool {
    snapshot.addresses_of(interface).any(|held| match held.subnet() {
        IpNet::V4(subnet) => subnet.contains(&address),
        IpNet::V6(_) => false,
    })
}
