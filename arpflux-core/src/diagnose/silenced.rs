//! What strict settings silence besides the interfaces' own addresses, and what the weak host model exposes.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::plan::Change;
use crate::predict::{ArpRequest, Model, Reason, Verdict};
use crate::snapshot::{Interface, Reach};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet};

/// How many requests are shown as evidence.
const SHOWN: usize = 3;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    service_addresses(context, findings);
    findings.extend(unnumbered(context));
    findings.extend(bridges(context));
}

/// Whether requests may reach it another time: a cable may be plugged in, a backup may become the master.
fn may_hear(context: &Context<'_>, holder: &Interface) -> bool {
    match holder.reach() {
        Reach::Outside | Reach::Peer | Reach::Lower | Reach::LowerTagged => true,
        Reach::Ports => context.snapshot.interfaces.iter().any(|port| port.master == Some(holder.index)),
        Reach::Program | Reach::Tunnel | Reach::Nowhere | Reach::Unknown => false,
    }
}

/// An address on an interface that no request reaches: a loopback or dummy interface, one that is always down.
pub(super) struct Service<'s> {
    pub(super) address: Ipv4Addr,
    pub(super) holder: &'s Interface,
    /// An interface whose subnet it lies in, where it is asked for.
    pub(super) front: &'s Interface,
    pub(super) sender: Ipv4Addr,
    pub(super) verdict: Verdict,
}

pub(super) fn services<'s>(context: &Context<'s>) -> Vec<Service<'s>> {
    let mut services = Vec::new();
    let heard = |holder: &Interface| holder.speaks_arp() && context.map.is_connected(holder.index);
    let holders =
        context.snapshot.interfaces.iter().filter(|holder| !heard(holder) && !may_hear(context, holder));
    for holder in holders {
        for (address, held) in context.public(holder.index) {
            // Point-to-point links have a far end of their own.
            if held.peer.is_some() || context.holders(address).len() > 1 {
                continue;
            }
            for index in context.around(address) {
                let Some(front) = context.listener(index) else { continue };
                let sender = context.sender(index, address);
                let verdict = context.reply(&ArpRequest::broadcast(index, sender, address));
                services.push(Service { address, holder, front, sender, verdict });
            }
        }
    }
    services
}

fn service_addresses(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let services = services(context);
    let answered = |address: Ipv4Addr| {
        services.iter().any(|other| other.address == address && other.verdict.answers() != Some(false))
    };
    let silent: Vec<&Service<'_>> = services
        .iter()
        .filter(|service| service.verdict.reason() == Some(Reason::ArpIgnore) && !answered(service.address))
        .collect();
    if let Some(first) = silent.first() {
        let (objects, mut evidence) = described(context, &silent);
        let unless = context.unless_elsewhere(
            silent
                .iter()
                .map(|service| ArpRequest::broadcast(service.front.index, service.sender, service.address)),
        );
        evidence.push(context.sysctl(first.front, Sysctl::ArpIgnore));
        findings.push(finding(
            FindingId::ServiceAddressSilent,
            Text {
                what: format!(
                    "Neighbours that ask for {} get no answer{unless}.",
                    listed(&objects.addresses),
                ),
                why: format!(
                    "{} on {}, where no request arrives, and arp_ignore keeps {} from answering for addresses of other \
                     interfaces.",
                    by_number(silent.len(), "It is", "They are"),
                    first.holder.name,
                    first.front.name,
                ),
                remedy: format!(
                    "This is right behind a load balancer that answers for the address (LVS); to have this host answer, put \
                     the address on {}.",
                    first.front.name,
                ),
            },
            objects,
            evidence,
            Remedy::default(),
        ));
    }
    let own = |holder: &Interface| holder.sysctls.get(Sysctl::ArpIgnore).unwrap_or(0) != 0;
    // kube-proxy in IPVS mode binds every service address to this interface, on every node.
    let ipvs = |holder: &Interface| holder.name.as_bytes() == b"kube-ipvs0";
    let leaking: Vec<&Service<'_>> = services
        .iter()
        .filter(|service| service.verdict.answers() == Some(true))
        .filter(|service| own(service.holder) || ipvs(service.holder))
        .collect();
    open_services(context, &services, &leaking, findings);
    let Some(first) = leaking.first() else { return };
    let (objects, mut evidence) = described(context, &leaking);
    evidence.push(context.sysctl(first.holder, Sysctl::ArpIgnore));
    let mut fronts: Vec<&Interface> = leaking.iter().map(|service| service.front).collect();
    fronts.sort_by_key(|interface| interface.index);
    fronts.dedup_by_key(|interface| interface.index);
    evidence.extend(fronts.iter().take(SHOWN).map(|front| context.sysctl(front, Sysctl::ArpIgnore)));
    let front_names = listed(names(&fronts));
    let changes = [(Sysctl::ArpAnnounce, 2), (Sysctl::ArpIgnore, 1)]
        .into_iter()
        .flat_map(|(sysctl, value)| fronts.iter().filter_map(move |front| context.set(front, sysctl, value)));
    let why = if own(first.holder) {
        format!(
            "arp_ignore is set on {}, where no request ever arrives: the interface that receives the request decides, and \
             {front_names} answers for every address of the host.",
            first.holder.name,
        )
    } else {
        format!(
            "kube-proxy puts every service address on {} of every node, and {front_names} answers for every address of the \
             host, on every node.",
            first.holder.name,
        )
    };
    findings.push(finding(
        FindingId::SettingOnOwner,
        Text {
            what: format!(
                "{front_names} {} for {} on {}, as every other host does that has it: traffic bypasses the load balancer.",
                by_number(fronts.len(), "answers", "answer"),
                listed(&objects.addresses),
                first.holder.name,
            ),
            why,
            remedy: format!("Set arp_ignore=1 and arp_announce=2 on {front_names}, which receives the requests."),
        },
        objects,
        evidence,
        context.cure_by_changes(changes.collect()),
    ));
}

/// Addresses that are answered for, and of which nothing on the host tells whether they shall be.
fn open_services(
    context: &Context<'_>,
    services: &[Service<'_>],
    leaking: &[&Service<'_>],
    findings: &mut Vec<Finding>,
) {
    let known = |service: &&Service<'_>| leaking.iter().any(|other| other.address == service.address);
    let named = |service: &&Service<'_>| {
        let policy = context.options.policy.as_ref();
        policy.is_some_and(|policy| {
            policy.services.iter().any(|one| one.addresses.contains(&IpAddr::V4(service.address)))
        })
    };
    let open: Vec<&Service<'_>> = services
        .iter()
        .filter(|service| service.verdict.answers() == Some(true) && !known(service) && !named(service))
        .collect();
    let Some(first) = open.first() else { return };
    let (objects, evidence) = described(context, &open);
    let (whose, it) = (listed(&objects.addresses), by_number(objects.addresses.len(), "it", "them"));
    let quoted: Vec<String> = objects.addresses.iter().map(|address| format!("\"{address}\"")).collect();
    findings.push(finding(
        FindingId::ServiceAddressOpen,
        Text {
            what: format!(
                "{} answers for {whose} on {}: right if this host alone has {it} (an egress address, a routed service), and \
                 wrong if another host answers (the load balancer of LVS, the VRRP master, every other real server).",
                first.front.name, first.holder.name,
            ),
            why: "An address belongs to the whole host, on whatever interface it is; which of the two is meant, nothing on the \
                  host tells."
                .into(),
            remedy: format!(
                "Say it in the policy: [[service]] addresses = [{}], answer = \"never\" where another host answers; where this \
                 one does, put {it} on {} or leave everything as it is.",
                quoted.join(", "),
                first.front.name,
            ),
        },
        objects,
        evidence,
        Remedy::default(),
    ));
}

pub(super) fn described(context: &Context<'_>, services: &[&Service<'_>]) -> (Objects, Vec<Evidence>) {
    let mut interfaces: Vec<&Interface> =
        services.iter().flat_map(|service| [service.front, service.holder]).collect();
    interfaces.sort_by_key(|interface| interface.index);
    interfaces.dedup_by_key(|interface| interface.index);
    let mut addresses: Vec<IpAddr> = services.iter().map(|service| IpAddr::V4(service.address)).collect();
    addresses.sort();
    addresses.dedup();
    let mut evidence = Vec::new();
    for service in services.iter().take(SHOWN) {
        let Service { address, holder, front, sender, verdict } = service;
        evidence.push(Evidence::Address { address: address.to_string(), interface: holder.name });
        evidence.push(context.request(front, *sender, *address, *verdict));
    }
    (Objects { interfaces: names(&interfaces), addresses }, evidence)
}

/// Containers behind interfaces without an address, to which every address of the host is one of another
/// interface.
fn unnumbered(context: &Context<'_>) -> Option<Finding> {
    let targets: Vec<Ipv4Addr> = context
        .snapshot
        .interfaces
        .iter()
        .flat_map(|interface| context.public(interface.index).map(|(local, _)| local).take(1))
        .take(4)
        .collect();
    let proxying: HashSet<IfIndex> =
        context.snapshot.proxies.iter().filter_map(|entry| entry.interface).collect();
    let mut silent: Vec<&Interface> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut asked: Vec<ArpRequest> = Vec::new();
    for interface in
        context.listeners.iter().copied().filter(|interface| context.held(interface.index).next().is_none())
    {
        let Some(container) = context.container(interface.index) else { continue };
        let ask = |target: Ipv4Addr| ArpRequest::broadcast(interface.index, container, target);
        let refused =
            |target: &Ipv4Addr| context.reply(&ask(*target)) == Verdict::Silent { reason: Reason::ArpIgnore };
        let gateways = [Ipv4Addr::new(169, 254, 1, 1), context.snapshot.elsewhere()];
        let proxied = gateways.iter().any(|gateway| context.reply(&ask(*gateway)).answers() != Some(false))
            || proxying.contains(&interface.index);
        let Some(target) = targets.first().copied() else { continue };
        if proxied || !targets.iter().all(refused) {
            continue;
        }
        if silent.len() < SHOWN {
            let verdict = Verdict::Silent { reason: Reason::ArpIgnore };
            evidence.push(context.request(interface, container, target, verdict));
            evidence.push(context.sysctl(interface, Sysctl::ArpIgnore));
        }
        asked.push(ask(target));
        addresses.push(IpAddr::V4(container));
        silent.push(interface);
    }
    if silent.is_empty() {
        return None;
    }
    let changes = context.lower(Sysctl::ArpIgnore, &silent, |_| 0);
    let whose = listed(names(&silent));
    Some(finding(
        FindingId::UnnumberedSilent,
        Text {
            what: format!(
                "{}, behind {whose}, {} no ARP answer for any address of this host, and so {} no gateway.",
                listed(&addresses),
                by_number(addresses.len(), "gets", "get"),
                by_number(addresses.len(), "has", "have"),
            ),
            why: format!(
                "arp_ignore lets an interface answer for its own addresses only, and {whose} {} none: containers there \
                 ask for an address of another interface.",
                by_number(silent.len(), "has", "have"),
            ),
            remedy: format!(
                "Set arp_ignore to 0 on {whose}; where the value comes from `all`, set that to 0 and the value on the NICs \
                 instead.",
            ),
        },
        Objects { interfaces: names(&silent), addresses },
        evidence,
        context.cure_by_changes(answering(context, changes, &asked)),
    ))
}

/// The changes, if all of the requests are answered after them.
fn answering(context: &Context<'_>, changes: Vec<Change>, requests: &[ArpRequest]) -> Vec<Change> {
    let after = context.snapshot.with(&changes);
    let model = Model::of(&after);
    let all = requests.iter().all(|request| model.reply(request).answers() == Some(true));
    if all { changes } else { Vec::new() }
}

/// Addresses of bridges without a NIC in them and of tunnels, answered for on a wire that they are not on.
fn bridges(context: &Context<'_>) -> Option<Finding> {
    let is_inner = |interface: &Interface| {
        (interface.speaks_arp() && context.snapshot.is_inner_bridge(interface) == Some(true))
            || matches!(interface.reach(), Reach::Tunnel | Reach::Program)
    };
    let connected = context.snapshot.interfaces.iter().filter(|one| context.map.is_connected(one.index));
    let inner: Vec<&Interface> = connected.filter(|one| one.master.is_none() && is_inner(one)).collect();
    let others = context.listeners.iter().copied().filter(|front| !is_inner(front));
    let uplinks: Vec<&Interface> = others.filter(|front| is_uplink(context, front)).collect();
    let mut exposed: Vec<&Interface> = Vec::new();
    let mut fronts: Vec<&Interface> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for bridge in &inner {
        for (address, _) in context.public(bridge.index) {
            let elsewhere = uplinks.iter().filter(|front| !context.holders(address).contains(&front.index));
            let answers = elsewhere
                .filter(|front| context.map.share(front.index, bridge.index) != Some(true))
                .find_map(|front| {
                    let sender = context.sender(front.index, address);
                    let local = context
                        .public(front.index)
                        .next()
                        .map_or(sender, |(local, _)| context.sender(front.index, local));
                    let verdict = context.reply(&ArpRequest::broadcast(front.index, local, address));
                    (verdict.answers() == Some(true))
                        .then(|| (*front, context.request(front, local, address, verdict)))
                });
            let Some((front, seen)) = answers else { continue };
            if evidence.len() < SHOWN {
                evidence.push(seen);
            }
            addresses.push(IpAddr::V4(address));
            exposed.push(bridge);
            if !fronts.iter().any(|known| known.index == front.index) {
                fronts.push(front);
            }
        }
    }
    if addresses.is_empty() {
        return None;
    }
    exposed.dedup_by_key(|interface| interface.index);
    evidence.extend(fronts.iter().take(SHOWN).map(|front| context.sysctl(front, Sysctl::ArpIgnore)));
    let front_names = listed(names(&fronts));
    let changes = fronts.iter().filter_map(|front| context.set(front, Sysctl::ArpIgnore, 1));
    let remedy = context.cure_by_changes(changes.collect());
    Some(finding(
        FindingId::BridgeExposed,
        Text {
            what: format!(
                "Whoever is on the wire of {front_names} can reach {} on {} directly.",
                listed(&addresses),
                listed(names(&exposed)),
            ),
            why: format!(
                "An address belongs to the whole host: {front_names} answers ARP for it and takes packets for it, whatever \
                 {} is for.",
                listed(names(&exposed)),
            ),
            remedy: format!(
                "Set arp_ignore=1 on {front_names} if that is not wanted; a route on the other host still gets there, so \
                 filter packets as well.",
            ),
        },
        Objects { interfaces: names(&fronts), addresses },
        evidence,
        remedy,
    ))
}

/// Whether the interface has a subnet, or the host's default route.
fn is_uplink(context: &Context<'_>, interface: &Interface) -> bool {
    let subnet = |held: IpNet| held.prefix_len() < held.max_prefix_len();
    context.public(interface.index).any(|(_, held)| subnet(held.subnet()))
        || context.uplinks.contains(&interface.index)
}
