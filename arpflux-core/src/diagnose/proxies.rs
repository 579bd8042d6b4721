//! Proxy entries: those that cannot answer, that are on several interfaces of one wire, missing, late, too many.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::asked::{Asked, asked};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::several::several;
use super::{Evidence, Finding, FindingId, Objects, Severity, discovery};
use crate::plan::{Change, PROTOCOL, SysctlScope};
use crate::predict::kernel_version::version;
use crate::predict::{ArpRequest, Model, Reason, Verdict};
use crate::snapshot::{Interface, ProxyEntry, RouteKind};
use crate::state::Object;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, IpNet};

/// How many entries are shown as evidence.
const SHOWN: usize = 3;
/// From here on adding entries costs the kernel noticeable time: its lists have 16 heads for the whole machine.
const MANY: usize = 10_000;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let asked = asked(context);
    let (v4, v6): (Vec<Asked<'_>>, Vec<Asked<'_>>) =
        asked.into_iter().partition(|asked| asked.entry.address.is_ipv4());
    findings.extend(cannot_answer(context, &v4));
    for of_family in [&v4, &v6] {
        findings.extend(several(context, of_family));
    }
    discovery::find(context, &v6, findings);
    findings.extend(late(context, &v4));
    findings.extend(missing(context));
    findings.extend(many(context));
    let others = context.snapshot.proxies.iter().filter(|entry| entry.protocol != PROTOCOL).count();
    // pneigh_ifdown_and_unlock() spares permanent entries since 6.3; 6.1 took it over, 5.10 did not.
    let kernel = &context.snapshot.kernel;
    if version(kernel).is_some_and(|(major, minor, _)| (major, minor) < (6, 1)) {
        if !context.snapshot.proxies.is_empty() {
            context.note(format!(
                "On kernels like this one ({}) every proxy entry vanishes with the carrier, silently, permanent \
                 or not: `arpflux watch --heal` puts them back.",
                kernel.release
            ));
        }
    } else if others > 0 {
        context.note(format!(
            "Not shown by any dump: whether {} that arpflux did not make {} permanent; one that is not vanishes \
             with the carrier, silently.",
            match others {
                1 => "the one proxy entry".to_owned(),
                count => format!("the {count} proxy entries"),
            },
            by_number(others, "is", "are"),
        ));
    }
}

/// Entries that never answer, by cause and interface.
fn cannot_answer(context: &Context<'_>, asked: &[Asked<'_>]) -> Vec<Finding> {
    // Forwarding is looked at before the route: with it on, another cause may remain.
    let off: BTreeSet<IfIndex> = asked
        .iter()
        .filter(|asked| asked.verdict.reason() == Some(Reason::ForwardingOff))
        .map(|asked| asked.interface.index)
        .collect();
    let forwarding: Vec<Change> = off
        .iter()
        .filter_map(|index| context.set(context.snapshot.interface(*index)?, Sysctl::Forwarding, 1))
        .collect();
    let forwards = context.snapshot.with(&forwarding);
    let model = (!off.is_empty()).then(|| Model::of(&forwards));
    let mut failing: BTreeMap<(FindingId, IfIndex), Vec<&Asked<'_>>> = BTreeMap::new();
    for asked in asked.iter().filter(|asked| asked.entry.interface.is_some()) {
        let Verdict::Silent { reason } = asked.verdict else { continue };
        let key = |id| (id, asked.interface.index);
        let beyond = model.as_ref().and_then(|model| model.answer(&asked.request).reason());
        let reason = match reason {
            Reason::ForwardingOff => {
                // An entry for what is on the same wire would not answer with forwarding either.
                if beyond != Some(Reason::SameInterface) {
                    failing.entry(key(FindingId::ProxyForwardingOff)).or_default().push(asked);
                }
                beyond.unwrap_or(reason)
            }
            reason => reason,
        };
        match reason {
            Reason::NoRoute | Reason::RouteRejects => {
                failing.entry(key(FindingId::ProxyNoRoute)).or_default().push(asked);
            }
            Reason::SameInterface => {
                failing.entry(key(FindingId::ProxySameInterface)).or_default().push(asked);
            }
            _ => {}
        }
    }
    failing
        .into_iter()
        .filter_map(|((id, index), asked)| Some(one(context, id, context.snapshot.interface(index)?, &asked)))
        .collect()
}

fn one(context: &Context<'_>, id: FindingId, interface: &Interface, asked: &[&Asked<'_>]) -> Finding {
    let name = interface.name;
    let addresses: Vec<IpAddr> = asked.iter().map(|asked| asked.entry.address).collect();
    let whose = listed(&addresses);
    let mut evidence: Vec<Evidence> = asked.iter().take(SHOWN).map(|asked| asked.evidence()).collect();
    let what = format!("{name} is told to answer for {whose} (proxy entries) and does not.");
    let (text, remedy) = match id {
        FindingId::ProxyForwardingOff => {
            evidence.push(context.sysctl(interface, Sysctl::Forwarding));
            // What they send comes in by another one, and is passed on only if that forwards, too.
            let mut forwards: BTreeSet<IfIndex> = addresses
                .iter()
                .filter_map(|address| match address {
                    IpAddr::V4(address) => context.leads_to(*address),
                    IpAddr::V6(_) => None,
                })
                .collect();
            forwards.insert(interface.index);
            let set =
                |index: &IfIndex| context.set(context.snapshot.interface(*index)?, Sysctl::Forwarding, 1);
            let changes: Vec<Change> = forwards.iter().filter_map(set).collect();
            let off: Vec<String> = changes
                .iter()
                .filter_map(Change::interface)
                .map(|index| context.snapshot.name_of(index))
                .collect();
            let why = format!(
                "A proxy entry answers only on an interface that forwards, and net.ipv4.conf.{name}.forwarding is 0, \
                 whatever net.ipv4.ip_forward says: each interface has a value of its own.",
            );
            let remedy = format!("Set forwarding to 1 on {}, or delete the entries.", listed(&off));
            (Text { what, why, remedy }, context.cure_by_changes(changes))
        }
        FindingId::ProxyNoRoute => {
            let why = "A proxy entry answers only if a route leads to its address; for a request that comes in by this \
                       interface the rules and tables give none, or one that rejects it."
                .into();
            let remedy = format!(
                "Add the route to the container or host behind this one to a table that the rules look up for packets \
                 from {name}, or delete the entries.",
            );
            (Text { what, why, remedy }, Remedy::default())
        }
        _ => {
            let why = format!(
                "A host never answers for an address that it would itself look for on the same wire: the route to {whose} \
                 leaves by {name}, where the request came in.",
            );
            let remedy =
                "Delete the entries, or add the route that leads to the address behind this host.".into();
            let changes = asked.iter().map(|asked| Change::remove(asked.entry));
            (Text { what, why, remedy }, context.cure_by_changes(changes.collect()))
        }
    };
    finding(id, text, Objects { interfaces: vec![name], addresses }, evidence, remedy)
}

/// An interface on which answers wait.
struct Waiting<'s> {
    interface: &'s Interface,
    seen: Evidence,
    addresses: usize,
}

/// Answers that wait, and requests that find the queue full.
fn late(context: &Context<'_>, asked: &[Asked<'_>]) -> Vec<Finding> {
    let delayed = |verdict: &Verdict| matches!(verdict, Verdict::Answers { delay: Some(delay), .. } if delay.below_ms > 0);
    let mut by_interface: BTreeMap<IfIndex, Waiting<'_>> = BTreeMap::new();
    for asked in asked.iter().filter(|asked| delayed(&asked.verdict)) {
        let waiting = by_interface.entry(asked.interface.index).or_insert_with(|| Waiting {
            interface: asked.interface,
            seen: asked.evidence(),
            addresses: 0,
        });
        waiting.addresses += 1;
    }
    for interface in context.listeners.iter().copied() {
        let proxies = context.effective(interface, Sysctl::ProxyArp).value != 0;
        let Some(container) = context.container(interface.index).filter(|_| proxies) else { continue };
        // Somewhere behind the default route stands for what a container asks for.
        let anywhere = context.snapshot.elsewhere();
        let verdict = context.reply(&ArpRequest::broadcast(interface.index, container, anywhere));
        if delayed(&verdict) {
            let seen = context.request(interface, container, anywhere, verdict);
            by_interface.entry(interface.index).or_insert(Waiting { interface, seen, addresses: 1 });
        }
    }
    let mut found = Vec::new();
    let full = |waiting: &&Waiting<'_>| waiting.addresses > waiting.interface.neigh.proxy_qlen as usize + 1;
    for (id, waiting) in [
        (FindingId::ProxyDelay, by_interface.values().collect::<Vec<_>>()),
        (FindingId::ProxyQueue, by_interface.values().filter(full).collect()),
    ] {
        let Some(first) = waiting.first() else { continue };
        let interfaces: Vec<&Interface> = waiting.iter().map(|waiting| waiting.interface).collect();
        let whose = listed(names(&interfaces));
        // There the delay lets the hosts themselves be first.
        let (kept, lowered): (Vec<&Interface>, Vec<&Interface>) =
            interfaces.iter().copied().partition(|interface| answers_for_others(context, interface));
        let slowest = interfaces.iter().map(|interface| interface.neigh.proxy_delay).max().unwrap_or(0);
        let (most, queue) = waiting
            .iter()
            .map(|waiting| (waiting.addresses, waiting.interface.neigh.proxy_qlen))
            .max()
            .unwrap_or((0, 0));
        let mut evidence = vec![first.seen.clone()];
        for interface in interfaces.iter().take(SHOWN) {
            let neigh = interface.neigh;
            for (key, value) in [
                ("proxy_delay", format!("{} ms", neigh.proxy_delay)),
                ("proxy_qlen", neigh.proxy_qlen.to_string()),
            ] {
                evidence.push(Evidence::Setting {
                    name: format!("net.ipv4.neigh.{}.{key}", interface.name),
                    value,
                });
            }
        }
        let text = if id == FindingId::ProxyDelay {
            Text {
                what: format!(
                    "The first packet to a proxied address on {whose} waits up to {slowest} ms, as the answer to a \
                     broadcast request does.",
                ),
                why: "The kernel delays answers for others' addresses by a random time below proxy_delay, so that the \
                      owner may come first; here nobody else owns them."
                    .into(),
                remedy: lower(&lowered, &kept, ""),
            }
        } else {
            Text {
                what: format!(
                    "{most} addresses are proxied on one interface and only {queue} requests may wait there: when a \
                     gateway asks for all of them at once, as after a restart, some get no answer.",
                ),
                why: "Broadcast requests for proxied addresses wait up to proxy_delay, and what does not fit into proxy_qlen \
                      is dropped silently."
                    .into(),
                remedy: lower(&lowered, &kept, ": then nothing waits"),
            }
        };
        let changes = lowered.iter().map(|interface| {
            let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
            Change::set(
                Object::ProxyDelay { scope },
                i64::try_from(interface.neigh.proxy_delay).unwrap_or(i64::MAX),
                0,
            )
        });
        let remedy = context.cure_by_changes(changes.collect());
        let objects = Objects { interfaces: names(&interfaces), addresses: Vec::new() };
        found.push(finding(id, text, objects, evidence, remedy));
    }
    found
}

/// Whether it answers for hosts that are on a wire themselves, and may be on its own.
fn answers_for_others(context: &Context<'_>, interface: &Interface) -> bool {
    let on = |sysctl| context.effective(interface, sysctl).value != 0;
    let index = interface.index;
    let has_neighbours = context.public(index).any(|(_, held)| held.subnet().prefix_len() < 32)
        || context.on_link(index).iter().any(|net| net.prefix_len() < 32)
        || !context.gateways(index).is_empty();
    has_neighbours && (on(Sysctl::ProxyArp) || on(Sysctl::ProxyArpPvlan))
}

/// What to do about answers that wait.
fn lower(lowered: &[&Interface], kept: &[&Interface], then: &str) -> String {
    let mut words = Vec::new();
    if !lowered.is_empty() {
        words.push(format!("Set proxy_delay to 0 on {}{then}.", listed(names(lowered))));
    }
    if !kept.is_empty() {
        words.push(format!(
            "Leave it as it is on {} as long as proxy_arp is on there: it answers for other hosts, too, and the delay lets \
             these be first.",
            listed(names(kept)),
        ));
    }
    words.join(" ")
}

/// An address of a neighbouring subnet that is routed behind this host, and that nobody answers for.
fn missing(context: &Context<'_>) -> Option<Finding> {
    let mut lost: Vec<(Ipv4Addr, &Interface, Evidence)> = Vec::new();
    let mut seen: HashSet<Ipv4Addr> = HashSet::new();
    for route in context.snapshot.routes.iter().filter(|route| route.kind == RouteKind::Unicast) {
        let IpNet::V4(net) = route.destination else { continue };
        let [hop] = route.next_hops.as_slice() else { continue };
        let (32, Some(behind), None) = (net.prefix_len(), hop.interface, hop.gateway) else { continue };
        let address = net.addr();
        let around = context.around(address);
        if around.contains(&behind) || !context.holders(address).is_empty() || !seen.insert(address) {
            continue;
        }
        for index in around {
            let Some(front) = context.listener(index) else { continue };
            let wire = context.beside(front);
            let same_wire = wire.iter().any(|other| other.index == behind);
            if same_wire || front.sysctls.get(Sysctl::Forwarding).unwrap_or(0) == 0 {
                continue;
            }
            let sender = context.sender(index, address);
            let ask = |other: &Interface| context.reply(&ArpRequest::broadcast(other.index, sender, address));
            let verdict = ask(front);
            let nobody = wire.iter().all(|other| ask(other).answers() == Some(false));
            if nobody && verdict.reason() == Some(Reason::NotProxied) {
                lost.push((address, front, context.request(front, sender, address, verdict)));
                break;
            }
        }
    }
    let (_, front, _) = lost.first()?;
    let mut fronts: Vec<&Interface> = lost.iter().map(|(_, front, _)| *front).collect();
    fronts.sort_by_key(|interface| interface.index);
    fronts.dedup_by_key(|interface| interface.index);
    // Where others of the kind are proxied, ARP is what makes them reachable, and this one was forgotten or lost.
    let proxying = context.snapshot.proxies.iter().any(|entry| {
        entry.address.is_ipv4()
            && entry.interface.is_none_or(|index| {
                fronts.iter().any(|front| context.beside(front).iter().any(|beside| beside.index == index))
            })
    });
    let addresses: Vec<IpAddr> = lost.iter().map(|(address, ..)| IpAddr::V4(*address)).collect();
    let whose = listed(&addresses);
    // Where the policy has it answered for by another interface, an entry here would stand against it.
    let policy = context.options.policy.iter().flat_map(|policy| &policy.proxies);
    let published: Vec<(IpAddr, IfName)> =
        policy.flat_map(|one| one.addresses.iter().map(|address| (*address, one.interface))).collect();
    let elsewhere: Vec<(IpAddr, IfName)> = lost
        .iter()
        .filter_map(|(address, front, _)| {
            let (_, name) = published.iter().find(|(published, _)| *published == IpAddr::V4(*address))?;
            (*name != front.name).then_some((IpAddr::V4(*address), *name))
        })
        .collect();
    let entries = lost.iter().filter_map(|(address, front, _)| {
        let (address, interface) = (IpAddr::V4(*address), Some(front.index));
        let here = !elsewhere.iter().any(|(other, _)| *other == address);
        here.then(|| Change::add(ProxyEntry { address, interface, flags: 0, protocol: PROTOCOL }))
    });
    let remedy = context.cure_by_changes(entries.collect());
    let mut found = finding(
        FindingId::ProxyMissing,
        Text {
            what: format!(
                "{whose} {} in a subnet of {} and behind this host, but nobody answers for {} on that wire, and neighbours \
                 cannot get there.",
                by_number(lost.len(), "lies", "lie"),
                listed(names(&fronts)),
                by_number(lost.len(), "it", "them"),
            ),
            why: "No proxy entry says so; entries vanish silently when their interface is set down and, unless they \
                  are permanent, when the carrier goes."
                .into(),
            remedy: match elsewhere.first() {
                Some((address, name)) => format!(
                    "The policy has {name} answer for {address}, which is down or has no entry: set {name} up and make the \
                     policy so (`arpflux apply`)."
                ),
                None => format!(
                    "Add a permanent proxy entry on {} and keep it there (`arpflux watch --heal`); where routers know the way \
                     to it without ARP, as in clouds, ignore this.",
                    front.name,
                ),
            },
        },
        Objects { interfaces: names(&fronts), addresses },
        lost.iter().take(SHOWN).map(|(.., seen)| seen.clone()).collect(),
        remedy,
    );
    if !proxying {
        found.severity = Severity::Info;
    }
    Some(found)
}

fn many(context: &Context<'_>) -> Option<Finding> {
    let count = context.snapshot.proxies.len();
    (count > MANY).then(|| {
        finding(
            FindingId::ProxyMany,
            Text {
                what: format!("There are {count} proxy entries, and each one more takes longer to add than the last."),
                why: "The kernel keeps all proxy entries of the machine, of every namespace, in 16 lists and walks one of \
                      them for each change."
                    .into(),
                remedy: "Proxy whole prefixes with proxy_arp and a route where that is possible, and delete entries newest \
                         first."
                    .into(),
            },
            Objects::default(),
            vec![Evidence::Fact { text: format!("{count} proxy entries in this namespace") }],
            Remedy::default(),
        )
    })
}
