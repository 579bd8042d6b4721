//! Proxy entries: where the policy wants them, which ones have to go, and what lets them answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::PROTOCOL;
use super::competing::Competing;
use super::desired::{WantedIpv6Sysctl, WantedSysctl};
use super::egress::{Egress, Source};
use super::interfaces::Managed;
use super::next_hop;
use super::published;
use super::view::{Family, View};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{ForeignProxies, Policy};
use crate::snapshot::{ProxyEntry, RouteKind};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IpNet};
use crate::words::listed;

/// What the policy wants of proxy entries.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    /// The entries that shall be there, each as it is where it is there already.
    pub wanted: Vec<ProxyEntry>,
    /// Those of them that are not there.
    pub missing: Vec<ProxyEntry>,
    /// The entries that are there and shall not be.
    pub unwanted: Vec<ProxyEntry>,
    pub sysctls: Vec<WantedSysctl>,
    pub ipv6_sysctls: Vec<WantedIpv6Sysctl>,
    pub delays: Vec<(IfIndex, u64)>,
}

/// The proxied addresses of a policy, each with its interface, in the policy's order.
pub(super) fn sources(policy: &Policy, managed: &Managed<'_>) -> Vec<Source> {
    let mut sources = Vec::with_capacity(policy.proxies.iter().map(|proxy| proxy.addresses.len()).sum());
    for proxy in &policy.proxies {
        if let Some(interface) = managed.by_name.get(&proxy.interface) {
            let interface = interface.index;
            sources.extend(proxy.addresses.iter().map(|address| Source { address: *address, interface }));
        }
    }
    sources
}

/// Settles what the policy wants of proxy entries.
///
/// # Errors
/// [`ErrorKind::Refused`] if the host itself has a proxied address, if it is the broadcast or network
/// address of one of its subnets, or if source validation would silence it.
pub(super) fn plan(
    policy: &Policy,
    view: &View<'_>,
    managed: &Managed<'_>,
    sources: &[Source],
    competing: &Competing<'_, '_>,
    egress: &Egress,
    decisions: &mut Vec<String>,
) -> Result<Proxies> {
    possible(view, sources)?;
    let mut proxies = entries(policy, view, managed, sources);
    note_kept(policy, view, sources, decisions);
    let mut interfaces: HashMap<IfIndex, [bool; 2]> = HashMap::new();
    for source in sources {
        interfaces.entry(source.interface).or_default()[usize::from(source.address.is_ipv6())] = true;
    }
    let interfaces: BTreeMap<IfIndex, [bool; 2]> = interfaces.into_iter().collect();
    let (mut v4_on, mut ndp_on, mut not_routers) = (Vec::new(), Vec::new(), Vec::new());
    for (index, [v4, v6]) in interfaces {
        let Some(interface) = view.snapshot.interface(index) else { continue };
        if v4 {
            let own = interface.sysctls.get(Sysctl::Forwarding);
            let value = if own.is_some_and(|own| own != 0) { own.unwrap_or(1) } else { 1 };
            if own != Some(value) {
                v4_on.push(index);
            }
            proxies.sysctls.push(WantedSysctl { interface: index, sysctl: Sysctl::Forwarding, value });
            if let Some(delay) = policy.host.proxy_delay {
                proxies.delays.push((index, delay));
            }
            validated(view, index, sources, competing, egress)?;
        }
        if v6 {
            if view.snapshot.all_ipv6.proxy_ndp.unwrap_or(0) == 0 {
                let (sysctl, own) = (Ipv6Sysctl::ProxyNdp, interface.ipv6.proxy_ndp);
                let value = if own.is_some_and(|own| own != 0) { own.unwrap_or(1) } else { 1 };
                if own != Some(value) {
                    ndp_on.push(index);
                }
                proxies.ipv6_sysctls.push(WantedIpv6Sysctl { interface: index, sysctl, value });
            }
            let off = |value: Option<i32>| value.unwrap_or(0) == 0;
            if off(interface.ipv6.forwarding) || off(view.snapshot.all_ipv6.forwarding) {
                not_routers.push(index);
            }
        }
    }
    if !v4_on.is_empty() {
        decisions.push(format!(
            "forwarding is switched on for {}: a proxy entry answers only where it is",
            view.names(v4_on),
        ));
    }
    if !ndp_on.is_empty() {
        decisions.push(format!(
            "proxy_ndp is switched on for {}: IPv6 proxy entries answer only there",
            view.names(ndp_on),
        ));
    }
    if !not_routers.is_empty() {
        decisions.push(format!(
            "IPv6 proxy entries on {} answer only once net.ipv6.conf.all.forwarding is 1; the policy leaves it \
             alone, as it changes every interface and ends the use of router advertisements there",
            view.names(not_routers),
        ));
    }
    let mut back_on = Vec::new();
    for (index, own) in behind(view, sources) {
        if own == 0 {
            back_on.push(index);
        }
        if !proxies.sysctls.iter().any(|wanted| wanted.interface == index) {
            let value = if own == 0 { 1 } else { own };
            proxies.sysctls.push(WantedSysctl { interface: index, sysctl: Sysctl::Forwarding, value });
        }
    }
    if !back_on.is_empty() {
        decisions.push(format!(
            "forwarding is switched on for {}: proxied addresses are behind it, and what they send is passed on only so",
            view.names(back_on),
        ));
    }
    note_unreachable(view, sources, decisions);
    Ok(proxies)
}

/// The interfaces that proxied addresses are behind, and their values of `forwarding`.
fn behind(view: &View<'_>, sources: &[Source]) -> BTreeMap<IfIndex, i32> {
    let addresses: HashSet<IpAddr> =
        sources.iter().map(|source| source.address).filter(IpAddr::is_ipv4).collect();
    if addresses.is_empty() {
        return BTreeMap::new();
    }
    let routes = addresses.iter().flat_map(|address| view.index.host_routes(*address));
    let by = routes.filter(|route| route.kind == RouteKind::Unicast).flat_map(|route| &route.next_hops);
    by.filter_map(|hop| hop.interface)
        .filter_map(|index| Some((index, view.snapshot.interface(index)?.sysctls.get(Sysctl::Forwarding)?)))
        .collect()
}

fn entries(policy: &Policy, view: &View<'_>, managed: &Managed<'_>, sources: &[Source]) -> Proxies {
    let mut wanted: HashMap<IpAddr, IfIndex> = HashMap::new();
    if !view.snapshot.proxies.is_empty() {
        wanted.extend(sources.iter().map(|source| (source.address, source.interface)));
    }
    let all: HashSet<IfIndex> = managed.all().map(|interface| interface.index).collect();
    let mut there: HashMap<IpAddr, ProxyEntry> = HashMap::new();
    let mut proxies = Proxies::default();
    for entry in &view.snapshot.proxies {
        let goes = match wanted.get(&entry.address) {
            Some(interface) if entry.interface == Some(*interface) => {
                there.insert(entry.address, *entry);
                false
            }
            Some(_) => true,
            // Neither a service's holder nor its silence is a proxy entry.
            None => policy.asks_for_silence(entry.address) || published::forbidden(policy, &all, entry),
        };
        if goes {
            proxies.unwanted.push(*entry);
        }
    }
    proxies.wanted.reserve(sources.len());
    proxies.missing.reserve(sources.len().saturating_sub(there.len()));
    for source in sources {
        let entry = there.get(&source.address).copied().unwrap_or_else(|| {
            let interface = Some(source.interface);
            let entry = ProxyEntry { address: source.address, interface, flags: 0, protocol: PROTOCOL };
            proxies.missing.push(entry);
            entry
        });
        proxies.wanted.push(entry);
    }
    proxies
}

/// Entries of ours may be of an earlier policy, or of `arpflux proxy add`: only the policy can tell.
fn note_kept(policy: &Policy, view: &View<'_>, sources: &[Source], decisions: &mut Vec<String>) {
    let ours = view.snapshot.proxies.iter().any(|entry| entry.protocol == PROTOCOL);
    if policy.host.foreign_proxies == ForeignProxies::Remove || !ours {
        return;
    }
    let named: HashSet<IpAddr> = sources.iter().map(|source| source.address).collect();
    let kept = view.snapshot.proxies.iter().filter(|entry| entry.protocol == PROTOCOL);
    let kept: BTreeSet<IpAddr> = kept.map(|entry| entry.address).filter(|a| !named.contains(a)).collect();
    if !kept.is_empty() {
        decisions.push(format!(
            "kept: proxy entries for {}, which the policy does not name, though arpflux added them; \
             foreign_proxies = \"remove\" would take them away",
            listed(kept),
        ));
    }
}

fn possible(view: &View<'_>, sources: &[Source]) -> Result<()> {
    if sources.is_empty() {
        return Ok(());
    }
    let mut ends: HashMap<IpAddr, (IpNet, IfIndex)> = HashMap::new();
    for address in view.snapshot.addresses.iter().filter(|address| address.prefix_len < 31) {
        if let IpNet::V4(net) = address.subnet() {
            for end in [net.network(), net.broadcast()] {
                ends.entry(IpAddr::V4(end)).or_insert((IpNet::V4(net), address.interface));
            }
        }
    }
    for source in sources {
        if let Some(refused) = next_hop::refuse(&view.index, source.address) {
            return Err(refused);
        }
        let refused = |message: String, hint: &'static str| {
            Err(Error::new(ErrorKind::Refused, message)
                .during("plan proxy entry")
                .on(source.address)
                .hint(hint))
        };
        if let Some(holder) = view.index.holders(source.address).first() {
            let message = format!("it is the host's own address, on {}", view.name(*holder));
            return refused(
                message,
                "leave it out of [[proxy]]: [host] looks after the host's own addresses",
            );
        }
        if let Some((net, interface)) = ends.get(&source.address) {
            let message =
                format!("it is the network or broadcast address of {net} on {}", view.name(*interface));
            return refused(message, "write the address of one host");
        }
    }
    Ok(())
}

/// With `rp_filter=1` an interface is silent about a proxied address whose packets leave by another.
fn validated(
    view: &View<'_>,
    index: IfIndex,
    sources: &[Source],
    competing: &Competing<'_, '_>,
    egress: &Egress,
) -> Result<()> {
    let Some(interface) = view.snapshot.interface(index) else { return Ok(()) };
    if view.snapshot.effective(interface, Sysctl::RpFilter).value != 1
        || competing.shared_link(index).is_none()
    {
        return Ok(());
    }
    let open = sources.iter().find(|source| {
        source.interface == index && source.address.is_ipv4() && !egress.routed.contains(&source.address)
    });
    match (open, competing.preferred_over(index)) {
        (Some(source), Some(other)) => Err(Error::new(
            ErrorKind::Refused,
            format!(
                "with rp_filter=1 {} would not answer for it, as its packets leave by {}",
                interface.name,
                view.name(other),
            ),
        )
        .during("plan proxy entry")
        .on(source.address)
        .hint("write egress = \"source-routed\", or set rp_filter to 2 on all of them")),
        _ => Ok(()),
    }
}

/// A proxy entry answers only if a unicast route to the address leaves by another interface.
fn note_unreachable(view: &View<'_>, sources: &[Source], decisions: &mut Vec<String>) {
    if sources.is_empty() {
        return;
    }
    let mut links: HashMap<IpNet, Vec<IfIndex>> = HashMap::new();
    let mut lengths: BTreeSet<u8> = BTreeSet::new();
    for family in [Family::V4, Family::V6] {
        for (index, routes) in view.all_routes(family) {
            for route in routes {
                let net = route.destination.trunc();
                lengths.insert(net.prefix_len());
                links.entry(net).or_default().push(index);
            }
        }
    }
    // Unless the longest prefix leads behind some other interface: a bridge of containers, for one.
    let on_link = |source: &Source| {
        let nets = lengths.iter().rev().filter_map(|length| IpNet::new(source.address, *length).ok());
        nets.filter_map(|net| links.get(&net.trunc()))
            .next()
            .is_none_or(|interfaces| interfaces.contains(&source.interface))
    };
    let mut open = Vec::new();
    let mut back = Vec::new();
    for source in sources {
        let routes = view.index.host_routes(source.address);
        match routes.iter().find(|route| route.kind == RouteKind::Unicast) {
            Some(route) if route.next_hops.iter().all(|hop| hop.interface == Some(source.interface)) => {
                back.push(source.address);
            }
            Some(_) => {}
            None if on_link(source) => open.push(source.address),
            None => {}
        }
    }
    if !open.is_empty() {
        decisions.push(format!(
            "no route leads to {} behind this host yet: nothing passes until there is one (is the container \
             started?)",
            listed(&open),
        ));
    }
    if !back.is_empty() {
        decisions.push(format!(
            "the route to {} leaves by the interface that shall answer: the kernel never proxies that way",
            listed(&back),
        ));
    }
}
