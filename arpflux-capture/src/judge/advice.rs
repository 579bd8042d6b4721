//! What to do next about an address.

use std::net::IpAddr;

use crate::report::Class;
use crate::table::Address;

/// Most MACs that a switch is to be asked for.
const MOST: usize = 4;

/// Sentences with a command each; none for what is good.
pub(super) fn next(address: IpAddr, class: Class, entry: &Address) -> Vec<String> {
    let mut next = Vec::new();
    let probe = match address {
        IpAddr::V4(_) => format!("arpflux probe {address}"),
        IpAddr::V6(_) => format!("ndisc6 -m {address} INTERFACE"),
    };
    match class {
        Class::Flux | Class::SelfConflict => {
            next.push(format!("on the host that has it: arpflux explain {address}; arpflux recommend"));
        }
        Class::Duplicate | Class::Conflict => {
            next.push(format!("ask again from a host of that wire: {probe}"));
        }
        Class::Spoof => next.push("on hosts that it told: ip neigh show; ip neigh flush all".into()),
        Class::Undetermined => {
            next.push(format!("ask from a host of that wire: {probe}"));
            next.push(
                "capture longer, with packets of groups: tcpdump -eni INTERFACE -w FILE arp or icmp6 or proto 112 or \
                 udp port 1985 or udp port 3222"
                    .into(),
            );
        }
        Class::Failover | Class::Bond | Class::Proxy | Class::Virtual | Class::Single => return next,
    }
    if class != Class::Flux && class != Class::SelfConflict {
        let macs: Vec<String> = entry.claims.iter().take(MOST).map(|claim| claim.mac.to_string()).collect();
        next.push(format!(
            "find the ports on the switch: show mac address-table, bridge fdb show | grep -E '{}'",
            macs.join("|")
        ));
    }
    next
}
