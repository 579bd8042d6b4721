//! Who asks in a counter-example: somebody who may exist.

use std::net::{IpAddr, Ipv4Addr};

use super::prover::Prover;
use super::row::Fate;
use crate::snapshot::{Address, Snapshot};
use crate::types::{IfIndex, IpNet};

impl Prover<'_> {
    /// A sender who gets an answer from all of these interfaces, and whether by a unicast request alone, the
    /// likeliest first: a known neighbour, another host of a subnet, any address that a host may have. `None`: no
    /// such sender does.
    pub(super) fn answered_host(&mut self, interfaces: &[IfIndex], target: IpAddr) -> Option<(IpAddr, bool)> {
        let snapshot = self.model().snapshot();
        let mut candidates: Vec<IpAddr> = snapshot
            .neighbours
            .iter()
            .filter(|known| interfaces.contains(&known.interface))
            .map(|known| known.address)
            .filter(|known| known.is_ipv6() == target.is_ipv6())
            .collect();
        for interface in interfaces {
            candidates.extend(self.neighbours(*interface, target).iter().map(|(_, host)| *host));
        }
        let may_ask = |prover: &Self, sender: IpAddr| {
            let may = sender != target && is_host(snapshot, sender) && !prover.is_own(sender);
            let answered = |unicast: &bool| {
                interfaces.iter().all(|on| prover.fate(*on, sender, target, *unicast) == Fate::Answered)
            };
            let mut ways = Self::ways(target).iter().copied();
            ways.find(|unicast| may && answered(unicast)).map(|unicast| (sender, unicast))
        };
        if let Some(found) = candidates.into_iter().find_map(|sender| may_ask(self, sender)) {
            return Some(found);
        }
        if target.is_ipv6() {
            let all = self.solicitors().iter().map(|class| IpAddr::V6(class.one));
            return all.into_iter().find_map(|sender| may_ask(self, sender));
        }
        let view = self.view(*interfaces.first()?);
        // Private ranges before the rest of the world.
        let mut others: Vec<u32> = (0..view.senders.starts.len())
            .flat_map(|at| {
                let (first, last) = (view.senders.starts[at], view.senders.last(at));
                [first, last.min(first.saturating_add(1)), last]
            })
            .collect();
        others.sort_by_key(|address| !Ipv4Addr::from(*address).is_private());
        others.into_iter().find_map(|sender| may_ask(self, Ipv4Addr::from(sender).into()))
    }
}

/// Whether a host may have the address: it is in no special range, and neither the first nor the last of a subnet; of an IPv6
/// one, not the first, which its routers share.
fn is_host(snapshot: &Snapshot, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let special = address.octets()[0] == 0 || address.is_loopback() || address.octets()[0] >= 224;
            !special && end_of_subnet(snapshot, address).is_none()
        }
        IpAddr::V6(v6) => {
            let special = v6.is_unspecified() || v6.is_loopback() || v6.is_multicast();
            let subnets = snapshot.addresses.iter().map(Address::subnet);
            let mut large = subnets.filter(|subnet| subnet.addr().is_ipv6() && subnet.prefix_len() < 127);
            !special && !large.any(|subnet| subnet.network() == address)
        }
    }
}

/// `network` or `broadcast`, if it is that of a subnet of the host.
pub(super) fn end_of_subnet(snapshot: &Snapshot, address: Ipv4Addr) -> Option<&'static str> {
    snapshot.addresses.iter().find_map(|held| match held.subnet() {
        IpNet::V4(subnet) if subnet.prefix_len() < 31 && subnet.contains(&address) => {
            let ends = [(subnet.network(), "network"), (subnet.broadcast(), "broadcast")];
            ends.into_iter().find(|(end, _)| *end == address).map(|(_, word)| word)
        }
        _ => None,
    })
}
