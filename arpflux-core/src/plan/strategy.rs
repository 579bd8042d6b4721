//! How the host's own addresses are kept from floating: the choice, and when it would not work.

use foldhash::HashSet;

use super::competing::Competing;
use super::desired::WantedSysctl;
use super::egress::Egress;
use super::interfaces::Managed;
use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{Policy, ProxyArp, Strategy};
use crate::snapshot::{Address, Interface};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;
use crate::words::listed;

/// Settles the strategy, and what it wants of the sysctls.
///
/// # Errors
/// [`ErrorKind::Refused`] if `all` defeats it, or if an address would be left without an answer;
/// [`ErrorKind::Unsupported`] if an interface has no such sysctl.
pub(super) fn plan(
    policy: &Policy,
    view: &View<'_>,
    managed: &Managed<'_>,
    competing: &Competing<'_, '_>,
    egress: &Egress,
    decisions: &mut Vec<String>,
) -> Result<Vec<WantedSysctl>> {
    let host = &managed.host;
    let strategy = match policy.host.strategy {
        Strategy::Auto => choose(view, host, competing, egress, decisions)?,
        Strategy::Unmanaged => return Ok(Vec::new()),
        _ if host.is_empty() => {
            return Err(refused("no interface that speaks ARP holds an IPv4 address".into())
                .hint("name the interfaces in [host], or write strategy = \"unmanaged\""));
        }
        Strategy::Strict => {
            if let Some(defeat) = strict_defeated(view) {
                return Err(defeat.into_error());
            }
            note_stricter(view, decisions);
            Strategy::Strict
        }
        Strategy::Filter => {
            filter_possible(view, host, competing, egress)?;
            Strategy::Filter
        }
    };
    let wanted: &[(Sysctl, i32)] = match strategy {
        Strategy::Strict => &[(Sysctl::ArpAnnounce, 2), (Sysctl::ArpIgnore, 1)],
        Strategy::Filter => &[(Sysctl::ArpFilter, 1)],
        Strategy::Auto | Strategy::Unmanaged => &[],
    };
    if strategy == Strategy::Strict {
        note_silenced(policy, view, host, decisions);
    }
    if !wanted.is_empty() {
        for interface in host {
            stays_answered(view, interface, competing, egress, strategy)?;
            note_nested(view, interface, competing, decisions);
        }
        note_others(view, host, decisions);
    }
    let each = host.iter().flat_map(|interface| {
        wanted.iter().map(move |(sysctl, value)| WantedSysctl {
            interface: interface.index,
            sysctl: *sysctl,
            value: *value,
        })
    });
    Ok(each.collect())
}

fn choose(
    view: &View<'_>,
    host: &[&Interface],
    competing: &Competing<'_, '_>,
    egress: &Egress,
    decisions: &mut Vec<String>,
) -> Result<Strategy> {
    if host.is_empty() {
        decisions.push(
            "strategy unmanaged: the policy has no interface with an IPv4 address that could float".into(),
        );
        return Ok(Strategy::Unmanaged);
    }
    if let [only] = host
        && view.snapshot.interfaces.iter().filter(|interface| interface.speaks_arp()).count() <= 1
    {
        decisions.push(format!(
            "strategy unmanaged: {} is the only interface that speaks ARP, so no address can float",
            only.name
        ));
        return Ok(Strategy::Unmanaged);
    }
    match strict_defeated(view) {
        None => {
            let why =
                host.iter().find_map(|interface| Some((interface, competing.shared_link(interface.index)?)));
            decisions.push(match why {
                Some((interface, (net, other))) => format!(
                    "strategy strict: {} and {} share {net}, where arp_filter would not stop answers to \
                     address probes",
                    interface.name,
                    view.name(other),
                ),
                None => "strategy strict: it holds whether or not the interfaces share a wire; arp_filter \
                         would not stop answers to address probes"
                    .into(),
            });
            note_stricter(view, decisions);
            Ok(Strategy::Strict)
        }
        Some(defeat) => match filter_possible(view, host, competing, egress) {
            Ok(()) => {
                decisions.push(format!("strategy filter, not strict: {}", defeat.why));
                Ok(Strategy::Filter)
            }
            Err(_) => Err(defeat.into_error()),
        },
    }
}

/// Why a value of `all` defeats `strict`.
struct Defeat {
    sysctl: Sysctl,
    why: String,
}

impl Defeat {
    fn into_error(self) -> Error {
        let good = if self.sysctl == Sysctl::ArpIgnore { 1 } else { 2 };
        refused(self.why).on(format!("net.ipv4.conf.all.{}", self.sysctl)).hint(format!(
            "set it to 0 (`sysctl -w net.ipv4.conf.all.{}=0`) and look in /etc/sysctl.d for who sets it; 0 to \
             {good} would do, and the policy never writes all",
            self.sysctl,
        ))
    }
}

/// The maximum of `all` and the interface counts, and it is not always the stricter: 4 to 7 and
/// above 8 are no modes and act as 0 (`arp_ignore()`, `arp_solicit()` in net/ipv4/arp.c).
fn strict_defeated(view: &View<'_>) -> Option<Defeat> {
    let ignore = view.snapshot.all.get(Sysctl::ArpIgnore).unwrap_or(0);
    let why = match ignore {
        ..=2 => None,
        3 => Some("mode 3 does not look at the interface"),
        8 => Some("mode 8 answers for no address at all"),
        _ => Some("the kernel has no such mode and treats it as 0"),
    };
    if let Some(why) = why {
        let sysctl = Sysctl::ArpIgnore;
        let why = format!(
            "all.arp_ignore is {ignore} and outweighs the 1 of each interface (the larger counts): {why}"
        );
        return Some(Defeat { sysctl, why });
    }
    let announce = view.snapshot.all.get(Sysctl::ArpAnnounce).unwrap_or(0);
    (announce > 2).then(|| Defeat {
        sysctl: Sysctl::ArpAnnounce,
        why: format!(
            "all.arp_announce is {announce} and outweighs the 2 of each interface (the larger counts): the \
             kernel has no such mode and treats it as 0"
        ),
    })
}

fn note_stricter(view: &View<'_>, decisions: &mut Vec<String>) {
    if view.snapshot.all.get(Sysctl::ArpIgnore) == Some(2) {
        decisions.push(
            "all.arp_ignore is 2 and outweighs the 1 of each interface: senders outside the subnet of an \
             address get no answer, not even from its own interface"
                .into(),
        );
    }
}

/// `strict` silences addresses on interfaces that answer nothing themselves.
fn note_silenced(policy: &Policy, view: &View<'_>, host: &[&Interface], decisions: &mut Vec<String>) {
    let answers = |index: IfIndex| {
        view.snapshot
            .interface(index)
            .is_some_and(|interface| interface.speaks_arp() && interface.master.is_none())
    };
    let already =
        host.iter().all(|i| matches!(view.snapshot.effective(i, Sysctl::ArpIgnore).value, 1 | 2 | 8));
    let silenced: Vec<String> = view
        .snapshot
        .addresses
        .iter()
        .filter(|held| held.local.is_ipv4() && held.is_public() && !policy.asks_for_silence(held.local))
        .filter(|held| !view.index.holders(held.local).iter().any(|index| answers(*index)))
        .map(|held| format!("{} on {}", held.local, view.name(held.interface)))
        .collect();
    if !silenced.is_empty() && !already {
        decisions.push(format!(
            "strict silences {}: no request arrives there. A service address behind a load balancer wants \
             that; to have it answered, put it on the interface that shall answer",
            listed(silenced),
        ));
    }
}

/// Source validation goes by the longest prefix, and so looks at a part of a subnet on another link.
fn note_nested(
    view: &View<'_>,
    interface: &Interface,
    competing: &Competing<'_, '_>,
    decisions: &mut Vec<String>,
) {
    let Some((net, other)) = competing.nested(interface.index) else { return };
    let validates = view.snapshot.effective(interface, Sysctl::RpFilter).value == 1;
    if validates || view.snapshot.effective(interface, Sysctl::ArpFilter).value != 0 {
        decisions.push(format!(
            "{} does not answer senders of {net}, which {} leads to; if both share a wire, name both in [host]",
            interface.name,
            view.name(other),
        ));
    }
}

/// Interfaces that the policy is not about go on answering for any address of the host.
fn note_others(view: &View<'_>, host: &[&Interface], decisions: &mut Vec<String>) {
    let managed: HashSet<IfIndex> = host.iter().map(|interface| interface.index).collect();
    let others = view.snapshot.interfaces.iter().filter(|other| {
        other.speaks_arp()
            && other.master.is_none()
            && !managed.contains(&other.index)
            && !matches!(view.snapshot.effective(other, Sysctl::ArpIgnore).value, 1 | 2 | 8)
    });
    let others: Vec<IfIndex> = others.map(|other| other.index).collect();
    if !others.is_empty() {
        decisions.push(format!(
            "left alone: {}, which answer for every address of the host if a request arrives there; name them in \
             [host] if they share a wire with the rest",
            view.names(others),
        ));
    }
}

/// `filter` asks the routing for each answer, so on one subnet every source must be routed.
fn filter_possible(
    view: &View<'_>,
    host: &[&Interface],
    competing: &Competing<'_, '_>,
    egress: &Egress,
) -> Result<()> {
    for interface in host {
        let ignore = view.snapshot.effective(interface, Sysctl::ArpIgnore);
        if ignore.value == 8 {
            return Err(refused(
                "strategy filter: arp_ignore is 8, so it answers for no address at all".into(),
            )
            .on(interface.name)
            .hint(format!("set arp_ignore to 0 (the 8 comes from: {})", ignore.source)));
        }
        if let Some((net, other)) = competing.nested(interface.index) {
            return Err(refused(format!(
                "strategy filter: {net}, a part of the subnet of {}, is on {}: {} would not answer for its own \
                 addresses there",
                interface.name,
                view.name(other),
                interface.name,
            ))
            .on(interface.name)
            .hint("name both in [host] interfaces if they share a wire, or write strategy = \"strict\""));
        }
        let Some((net, other)) = competing.shared_link(interface.index) else { continue };
        if let Some(open) =
            view.addresses(interface.index).find(|address| !egress.routed.contains(&address.local))
        {
            return Err(refused(format!(
                "strategy filter: {} and {} share {net}, and packets from {} are not routed by their source: \
                 one interface would answer for the addresses of both",
                interface.name,
                view.name(other),
                open.local,
            ))
            .on(interface.name)
            .hint("write egress = \"source-routed\", or strategy = \"strict\""));
        }
    }
    Ok(())
}

/// With strict source validation or `arp_filter`, an interface is silent about addresses whose packets
/// would leave by another; and the strategy has just silenced that other.
fn stays_answered(
    view: &View<'_>,
    interface: &Interface,
    competing: &Competing<'_, '_>,
    egress: &Egress,
    strategy: Strategy,
) -> Result<()> {
    let strict_rp = view.snapshot.effective(interface, Sysctl::RpFilter).value == 1;
    let filter =
        strategy == Strategy::Filter || view.snapshot.effective(interface, Sysctl::ArpFilter).value != 0;
    let (sysctl, remedy) = match (strict_rp, filter) {
        (true, _) => ("rp_filter=1", "set rp_filter to 2 on all of them"),
        (false, true) => ("arp_filter=1", "set arp_filter to 0"),
        (false, false) => return Ok(()),
    };
    let strays = |address: &&Address| egress.astray.contains_key(&address.local);
    if let Some(stray) = view.addresses(interface.index).find(strays) {
        let rule = egress.astray[&stray.local];
        return Err(refused(format!(
            "with {sysctl} it would not answer for its own {}, which the rule of priority {rule} sends elsewhere",
            stray.local,
        ))
        .on(interface.name)
        .hint(format!("remove that rule, or {remedy}")));
    }
    if competing.shared_link(interface.index).is_none() {
        return Ok(());
    }
    let Some(open) = view.addresses(interface.index).find(|address| !egress.routed.contains(&address.local))
    else {
        return Ok(());
    };
    let Some(other) = competing.preferred_over(interface.index) else { return Ok(()) };
    Err(refused(format!(
        "with {sysctl} it would not answer for its own {}, whose packets leave by {}, and {} would not either \
         any more",
        open.local,
        view.name(other),
        view.name(other),
    ))
    .on(interface.name)
    .hint(format!("write egress = \"source-routed\", or {remedy}")))
}

/// What `proxy_arp = "off"` wants.
///
/// # Errors
/// [`ErrorKind::Refused`] if `all` defeats it.
pub(super) fn proxy_arp(
    policy: &Policy,
    view: &View<'_>,
    managed: &Managed<'_>,
) -> Result<Vec<WantedSysctl>> {
    if policy.host.proxy_arp == ProxyArp::Keep {
        return Ok(Vec::new());
    }
    let mut wanted = Vec::new();
    for sysctl in [Sysctl::ProxyArp, Sysctl::ProxyArpPvlan] {
        if let Some(all) = view.snapshot.all.get(sysctl).filter(|all| *all != 0) {
            return Err(refused(format!("proxy_arp \"off\": all.{sysctl} is {all} and counts on each interface"))
                .on(format!("net.ipv4.conf.all.{sysctl}"))
                .hint(format!(
                    "set it to 0 (`sysctl -w net.ipv4.conf.all.{sysctl}=0`) and look in /etc/sysctl.d for who sets it; \
                     the policy never writes all",
                )));
        }
        let there = managed.host.iter().filter(|interface| interface.sysctls.get(sysctl).is_some());
        wanted.extend(there.map(|interface| WantedSysctl { interface: interface.index, sysctl, value: 0 }));
    }
    Ok(wanted)
}

#[cold]
fn refused(message: String) -> Error {
    Error::new(ErrorKind::Refused, message).during("plan")
}
