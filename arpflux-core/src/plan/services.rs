//! Addresses that several hosts hold or take over (`[[service]]`): which interface answers for each here, if any,
//! and what keeps all others silent.
//!
//! What is silent about an address that another interface holds is `arp_ignore=1`, whether the address is there
//! now or comes later: so the same sysctls are right on the master and on the backup of a pair.

use std::net::{IpAddr, Ipv4Addr};

use super::desired::WantedSysctl;
use super::interfaces::{Managed, why_not};
use super::view::{Family, View, is_connected};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{Policy, ServiceAnswer};
use crate::predict::{ArpRequest, Model, Verdict};
use crate::snapshot::{Interface, InterfaceFlags, Snapshot};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet, VirtualMac};
use crate::words::listed;

/// What a policy wants of one service address.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub address: Ipv4Addr,
    /// The interface that answers; `None`: nobody on this host.
    pub answerer: Option<IfIndex>,
    /// Interfaces on whose wires it may be asked for, and which do not answer.
    pub silent: Vec<IfIndex>,
}

/// Settles who answers for each service address, and adds what silences the rest to `sysctls`.
pub(super) fn plan(
    policy: &Policy,
    view: &View<'_>,
    managed: &Managed<'_>,
    sysctls: &mut Vec<WantedSysctl>,
    decisions: &mut Vec<String>,
    unmet: &mut Vec<Error>,
) -> Vec<Service> {
    let mut services = Vec::new();
    for service in &policy.services {
        for address in &service.addresses {
            let IpAddr::V4(address) = *address else { continue };
            match one(policy, view, managed, address, service.answer, decisions) {
                Ok(one) => services.push(one),
                Err(error) => unmet.push(error),
            }
        }
    }
    for service in &services {
        for index in &service.silent {
            if let Err(error) = silence(policy, view, *index, service.address, sysctls)
                && !unmet.iter().any(|known| known.object() == error.object())
            {
                unmet.push(error);
            }
        }
        if let Some(index) = service.answerer {
            open(view, index, sysctls);
        }
        // Also while it has no carrier: it answers for the others as soon as this host takes over.
        let holders = view.index.holders(service.address.into()).iter();
        for index in holders.filter(|index| !service.silent.contains(index)) {
            restrict(view, *index, sysctls);
        }
    }
    services
}

/// An interface that answers for a service answers for nothing else, as all interfaces of the policy.
fn restrict(view: &View<'_>, index: IfIndex, sysctls: &mut Vec<WantedSysctl>) {
    let Some(interface) = view.snapshot.interface(index).filter(|one| why_not(view, one).is_none()) else {
        return;
    };
    if interface.sysctls.get(Sysctl::ArpIgnore).is_some_and(|mode| !matches!(mode, 1 | 2 | 3 | 8)) {
        want(sysctls, index, Sysctl::ArpIgnore, 1, false);
        want(sysctls, index, Sysctl::ArpAnnounce, 2, false);
    }
}

fn one(
    policy: &Policy,
    view: &View<'_>,
    managed: &Managed<'_>,
    address: Ipv4Addr,
    answer: ServiceAnswer,
    decisions: &mut Vec<String>,
) -> Result<Service> {
    let holders: Vec<&Interface> = view
        .index
        .holders(address.into())
        .iter()
        .filter_map(|index| view.snapshot.interface(*index))
        .collect();
    let on = listed(holders.iter().map(|holder| in_words(holder)));
    let living: Vec<&&Interface> = holders
        .iter()
        .filter(|holder| holder.speaks_arp() && holder.carrier && holder.master.is_none())
        .collect();
    let answerer = match (answer, living.as_slice()) {
        (ServiceAnswer::Never, _) => {
            // An interface with addresses of its own cannot be silent about one of them alone.
            if let Some((own, other)) =
                holders.iter().find_map(|holder| Some((holder, not_never(policy, view, holder)?)))
                && !own.flags.intersects(InterfaceFlags::LOOPBACK | InterfaceFlags::NOARP)
            {
                return Err(refused(
                    address,
                    format!(
                        "it is on {}, which answers for its {other} as well: nothing silences one of two addresses there",
                        own.name
                    ),
                )
                .hint(format!("put it on lo: `ip addr add {address}/32 dev lo`")));
            }
            decisions.push(match holders.is_empty() {
                true => format!("service {address}: this host does not answer for it, as the policy asks"),
                false => {
                    format!("service {address} on {on}: this host does not answer for it, as the policy asks")
                }
            });
            None
        }
        (ServiceAnswer::Holder, [one]) => {
            decisions.push(format!("service {address}: {on} answers, and nobody else on this host"));
            Some(one.index)
        }
        (ServiceAnswer::Holder, []) if holders.is_empty() => {
            decisions.push(format!(
                "service {address}: no interface holds it now, so this host does not answer until one does"
            ));
            None
        }
        (ServiceAnswer::Holder, []) => {
            if let Some(deaf) = holders
                .iter()
                .find(|holder| holder.flags.intersects(InterfaceFlags::LOOPBACK | InterfaceFlags::NOARP))
            {
                return Err(refused(
                    address,
                    format!("it is on {}, which no ARP request reaches: nobody would answer", in_words(deaf)),
                )
                .hint("put it on the interface that shall answer, or write answer = \"never\""));
            }
            decisions.push(format!(
                "service {address}: {on} holds it and has no carrier or is down, so this host does not answer until that changes"
            ));
            None
        }
        (ServiceAnswer::Holder, [_, _, ..]) => {
            return Err(refused(address, format!("{on} hold it, and each would answer"))
                .hint("leave it on one of them"));
        }
    };
    let hears = |interface: &&Interface| {
        let index = interface.index;
        let routes = view.routes(Family::V4, index);
        let of_subnet =
            routes.iter().any(|route| is_connected(route, index) && covers(&route.destination, address));
        let unnumbered = interface.speaks_arp() && view.all_addresses(index).next().is_none();
        let lower = holders.iter().any(|holder| holder.link == Some(index));
        let holds_alone =
            holders.iter().any(|holder| holder.index == index) && answer == ServiceAnswer::Never;
        let is_managed = managed.host.iter().any(|host| host.index == index);
        let holds = holders.iter().any(|holder| holder.index == index);
        why_not(view, interface).is_none()
            && (holds_alone || (!holds && (of_subnet || unnumbered || lower || is_managed)))
    };
    let silent = view.snapshot.interfaces.iter().filter(hears).map(|interface| interface.index);
    Ok(Service { address, answerer, silent: silent.collect() })
}

fn covers(net: &IpNet, address: Ipv4Addr) -> bool {
    net.prefix_len() > 0 && net.contains(&IpAddr::V4(address))
}

/// An address of an interface that the policy does not want it to be silent about.
fn not_never(policy: &Policy, view: &View<'_>, interface: &Interface) -> Option<IpAddr> {
    let never = |address: &IpAddr| {
        let mut services = policy.services.iter().filter(|service| service.answer == ServiceAnswer::Never);
        services.any(|service| service.addresses.contains(address))
    };
    view.addresses(interface.index).map(|held| held.local).find(|address| !never(address))
}

/// How the names of kube-vip's interfaces begin.
pub(crate) const KUBE_VIP: &str = "vip-";

/// The interface, and whose it is if its name or MAC says so.
fn in_words(interface: &Interface) -> String {
    let name = interface.name.to_string();
    let mac: Option<[u8; 6]> = interface.mac.as_bytes().try_into().ok();
    match mac.and_then(VirtualMac::of) {
        Some(of) => format!("{name} ({of})"),
        None if name == "kube-ipvs0" => format!("{name} (kube-proxy's, for the addresses of services)"),
        None if name.starts_with(KUBE_VIP) => format!("{name} (kube-vip's)"),
        None => name,
    }
}

/// Keeps an interface silent about `address`: what the interface has stays where it does so already.
fn silence(
    policy: &Policy,
    view: &View<'_>,
    index: IfIndex,
    address: Ipv4Addr,
    sysctls: &mut Vec<WantedSysctl>,
) -> Result<()> {
    let Some(interface) = view.snapshot.interface(index) else { return Ok(()) };
    let own = |sysctl| interface.sysctls.get(sysctl).unwrap_or(0);
    let all = view.snapshot.all.get(Sysctl::ArpIgnore).unwrap_or(0);
    let holds = view.index.holders(address.into()).contains(&index);
    let ignore = match (holds, own(Sysctl::ArpIgnore)) {
        // Every address of it is one that this host never answers for.
        (true, _) => 8,
        (false, mode @ (1 | 2 | 8)) => mode,
        (false, _) => 1,
    };
    if all > ignore && !matches!((holds, all), (false, 2 | 8) | (true, 8)) {
        return Err(refused(
            address,
            format!(
                "all.arp_ignore is {all} and outweighs the {ignore} of {} (the larger counts)",
                interface.name
            ),
        )
        .hint("set net.ipv4.conf.all.arp_ignore to 0; the policy never writes all"));
    }
    let held_by_policy = not_never(policy, view, interface).is_none();
    want(sysctls, index, Sysctl::ArpIgnore, ignore, holds && held_by_policy);
    // Requests of the host itself must not teach neighbours the address from here either.
    let announce = own(Sysctl::ArpAnnounce).max(2);
    want(sysctls, index, Sysctl::ArpAnnounce, announce.min(2), false);
    Ok(())
}

/// An interface that answers must not be silent about its own addresses.
fn open(view: &View<'_>, index: IfIndex, sysctls: &mut Vec<WantedSysctl>) {
    let mode = view.snapshot.interface(index).and_then(|interface| interface.sysctls.get(Sysctl::ArpIgnore));
    if matches!(mode, Some(2 | 3 | 8)) {
        want(sysctls, index, Sysctl::ArpIgnore, 1, false);
    }
}

fn want(sysctls: &mut Vec<WantedSysctl>, interface: IfIndex, sysctl: Sysctl, value: i32, outweighs: bool) {
    match sysctls.iter_mut().find(|wanted| wanted.interface == interface && wanted.sysctl == sysctl) {
        Some(wanted) if outweighs => wanted.value = value,
        Some(_) => {}
        None => sysctls.push(WantedSysctl { interface, sysctl, value }),
    }
}

/// Refuses what would leave a service address without the answer that the policy wants: strict source validation
/// silences an interface without a subnet of its own, and the others have just been silenced.
///
/// # Errors
/// [`ErrorKind::Refused`].
pub(super) fn answered(
    services: &[Service],
    sysctls: &[WantedSysctl],
    snapshot: &Snapshot,
    view: &View<'_>,
) -> Result<()> {
    let answered: Vec<(&Service, IfIndex)> =
        services.iter().filter_map(|service| Some((service, service.answerer?))).collect();
    if answered.is_empty() {
        return Ok(());
    }
    let mut after = snapshot.clone();
    for wanted in sysctls {
        if let Some(interface) = after.interfaces.iter_mut().find(|other| other.index == wanted.interface) {
            interface.sysctls.set(wanted.sysctl, Some(wanted.value));
        }
    }
    let model = Model::new(&after)?;
    for (service, index) in answered {
        let Some(neighbour) = neighbour(view, service.address) else { continue };
        let request = ArpRequest::broadcast(index, neighbour, service.address);
        if let Verdict::Silent { reason } = model.explain(&request).verdict {
            let interface = view.name(index);
            return Err(refused(
                service.address,
                format!("{interface} holds it and would not answer {neighbour} ({reason}), and no other would any more"),
            )
            .hint(format!("let {interface} answer first: with rp_filter=1, set it to 2 there")));
        }
    }
    Ok(())
}

/// An address of the subnet around `address` that nobody on this host holds.
fn neighbour(view: &View<'_>, address: Ipv4Addr) -> Option<Ipv4Addr> {
    let nets = view.all_routes(Family::V4).flat_map(|(index, routes)| {
        let on_link = routes.iter().filter(move |route| is_connected(route, index));
        on_link.map(|route| route.destination.trunc())
    });
    let mut nets: Vec<IpNet> = nets.filter(|net| covers(net, address)).collect();
    nets.sort_by_key(|net| std::cmp::Reverse(net.prefix_len()));
    let IpNet::V4(net) = nets.first()? else { return None };
    net.hosts().take(256).find(|host| *host != address && view.index.holders((*host).into()).is_empty())
}

#[cold]
fn refused(address: Ipv4Addr, message: String) -> Error {
    Error::new(ErrorKind::Refused, message).during("plan service").on(address)
}
