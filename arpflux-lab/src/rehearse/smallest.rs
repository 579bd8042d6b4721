//! The smallest host on which the kernel does otherwise than the model says: what is not needed for that is left out, and
//! names, addresses and MACs are replaced, so that it can be shown to others.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use arpflux_core::Result;
use arpflux_core::filter::Filters;
use arpflux_core::outward::Difference;
use arpflux_core::predict::Model;
use arpflux_core::snapshot::{Address, Anonymiser, ProxyEntry, Route, Rule, Snapshot, protocol};
use arpflux_core::sysctl::SysctlValues;
use arpflux_core::types::{IfIndex, Mac};

use super::Says;
use super::ask::{Request, ask_all};
use crate::twin::Twin;

/// So long parts are left out. What is found by then is shown.
const PATIENCE: Duration = Duration::from_secs(30);

/// Finds it, from a host that shows the difference at one request. `None`: a twin of that host alone does not show it, or
/// what it has cannot be replaced.
pub(super) fn smallest(
    host: &Snapshot,
    on: &[IfIndex],
    request: Request,
    says: Says<'_>,
    tell: &mut dyn FnMut(&str),
) -> Option<Difference> {
    tell("looking for the smallest host that shows the difference");
    let end = Instant::now() + PATIENCE;
    let shows = |host: &Snapshot| difference(host, on, request, says).ok().flatten();
    let mut found = shows(host)?;
    let host = shrink(host.clone(), parts(host), &mut |host| {
        let shown = if Instant::now() < end { shows(host) } else { None };
        shown.map(|difference| found = difference).is_some()
    });
    let anonymiser = Anonymiser::of(&host).ok()?;
    let v4 = |address| match anonymiser.address(IpAddr::V4(address)) {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let macs = |macs: &BTreeSet<Mac>| macs.iter().map(|mac| anonymiser.mac(*mac)).collect();
    let snapshot = anonymiser.snapshot(&host).ok()?;
    Some(Difference {
        interfaces: on.iter().filter_map(|index| snapshot.interface(*index)).map(|one| one.name).collect(),
        sender: if request.sender.is_unspecified() { request.sender } else { v4(request.sender)? },
        address: v4(request.target)?,
        model: macs(&found.0),
        kernel: macs(&found.1),
        snapshot,
    })
}

/// What the model says of a request and what came, if that differs on a twin of `host`.
fn difference(
    host: &Snapshot,
    on: &[IfIndex],
    request: Request,
    says: Says<'_>,
) -> Result<Option<(BTreeSet<Mac>, BTreeSet<Mac>)>> {
    let mut twin = Twin::build(host)?;
    let now = twin.snapshot()?;
    let asked =
        |wire: &crate::twin::Wire| wire.is_asked() && wire.interfaces.iter().any(|index| on.contains(index));
    let Some(wire) = twin.wires().iter().position(asked) else { return Ok(None) };
    let request = Request { wire, ..request };
    let heard = ask_all(&mut twin, &now, &[request], says, 1)?;
    let came: BTreeSet<Mac> = heard.iter().flatten().map(|answer| answer.mac).collect();
    let said = says(&twin, &Model::new(&now)?, &request).ok();
    Ok(said.filter(|said| *said != came).map(|said| (said, came)))
}

/// A part of a host that may be left out.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// With all that is on it.
    Interface(IfIndex),
    /// With the routes that the kernel made of it.
    Address(Address),
    Route(Route),
    Rule(Rule),
    Proxy(ProxyEntry),
    /// The sysctls of an interface; of `all` and `default`, if none is named.
    Settings(Option<IfIndex>),
    Filters,
    Neighbours,
    /// All that only neighbour discovery needs.
    Discovery,
}

fn parts(host: &Snapshot) -> Vec<Part> {
    let interfaces = || host.interfaces.iter().map(|one| one.index);
    let mut parts = vec![Part::Discovery, Part::Neighbours, Part::Filters, Part::Settings(None)];
    // What stands on another one is left out before that.
    parts.extend(interfaces().rev().map(Part::Interface));
    parts.extend(interfaces().map(|index| Part::Settings(Some(index))));
    parts.extend(host.rules.iter().filter(|rule| !Rule::defaults().contains(rule)).cloned().map(Part::Rule));
    parts.extend(host.proxies.iter().copied().map(Part::Proxy));
    parts.extend(host.addresses.iter().cloned().map(Part::Address));
    // Those of the kernel go with their addresses.
    parts.extend(
        host.routes.iter().filter(|route| route.protocol != protocol::KERNEL).cloned().map(Part::Route),
    );
    parts
}

/// The host without as many parts as it goes, halves first, while it `shows` what it is to show.
fn shrink(mut host: Snapshot, mut parts: Vec<Part>, shows: &mut dyn FnMut(&Snapshot) -> bool) -> Snapshot {
    let mut size = parts.len();
    while size > 1 {
        size = size.div_ceil(2);
        let mut at = 0;
        while at < parts.len() {
            let end = parts.len().min(at + size);
            let without = parts[at..end].iter().fold(host.clone(), without);
            if without == host || without.check().is_ok() && shows(&without) {
                host = without;
                parts.drain(at..end);
            } else {
                at = end;
            }
        }
    }
    host
}

fn without(mut host: Snapshot, part: &Part) -> Snapshot {
    match part {
        Part::Interface(gone) => {
            let by = |route: &Route| route.next_hops.iter().any(|hop| hop.interface == Some(*gone));
            host.interfaces.retain(|one| one.index != *gone);
            host.addresses.retain(|held| held.interface != *gone);
            host.routes.retain(|route| !by(route));
            host.proxies.retain(|entry| entry.interface != Some(*gone));
            host.neighbours.retain(|entry| entry.interface != *gone);
            if let Some(discovery) = &mut host.discovery {
                discovery.interfaces.retain(|one| one.interface != *gone);
            }
        }
        Part::Address(gone) => {
            host.addresses.retain(|held| held != gone);
            host.routes.retain(|route| route.preferred_source != Some(gone.local));
        }
        Part::Route(gone) => host.routes.retain(|route| route != gone),
        Part::Rule(gone) => host.rules.retain(|rule| rule != gone),
        Part::Proxy(gone) => host.proxies.retain(|entry| entry != gone),
        Part::Settings(None) => {
            (host.all, host.default) = (SysctlValues::kernel_defaults(), SysctlValues::kernel_defaults());
        }
        Part::Settings(of) => {
            let of = host.interfaces.iter_mut().filter(|one| Some(one.index) == *of);
            of.for_each(|one| one.sysctls = SysctlValues::kernel_defaults());
        }
        Part::Filters => host.filters = Filters::default(),
        Part::Neighbours => host.neighbours.clear(),
        Part::Discovery => host.discovery = None,
    }
    host
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use arpflux_core::Plan;
    use arpflux_core::predict::MissingSet;
    use arpflux_core::snapshot::Builder;
    use arpflux_core::sysctl::Sysctl;

    use super::*;
    use crate::rehearse::ask::said;
    use crate::rehearse::rehearse_by;

    const TARGET: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 10);

    /// A model that does not know that an address belongs to the whole host.
    fn wrong(
        twin: &Twin,
        model: &Model<'_>,
        request: &Request,
    ) -> std::result::Result<BTreeSet<Mac>, MissingSet> {
        let mut macs = said(twin, model, request)?;
        if request.target == TARGET {
            let snapshot = model.snapshot();
            let holder = |mac: &Mac| {
                let held = snapshot.holders_of(IpAddr::V4(TARGET));
                held.filter_map(|index| snapshot.interface(index)).any(|one| one.mac == *mac)
            };
            macs.retain(holder);
        }
        Ok(macs)
    }

    #[test]
    fn a_difference_is_shown_by_the_smallest_host_and_names_nobody() {
        let host = Builder::new()
            .nic("wan-berlin", &["10.1.0.10/24", "10.1.0.20/24"])
            .nic("wan-paris", &["10.1.0.11/24"])
            .nic("storage", &["10.2.0.1/24"])
            .route("10.9.0.0/16", Some("10.2.0.254"), "storage")
            .sysctl("storage", Sysctl::ArpIgnore, 1)
            .build()
            .unwrap();
        let right = rehearse_by(&host, &Plan::default(), &said, &mut |_| {}).unwrap();
        assert_eq!((right.difference, right.faults), (None, Vec::new()));
        let found = rehearse_by(&host, &Plan::default(), &wrong, &mut |_| {}).unwrap();
        assert_eq!(found.ok, Some(false));
        let shown = found.difference.expect("a difference");
        assert_eq!((shown.model.len(), shown.kernel.len()), (1, 2), "{shown:?}");
        assert_eq!(shown.snapshot.interfaces.len(), 2, "two cards are what it takes: {shown:?}");
        let held: Vec<IpAddr> = shown.snapshot.addresses.iter().map(|held| held.local).collect();
        assert!(held.contains(&IpAddr::V4(shown.address)) && held.len() <= 3, "{held:?}");
        assert!(
            shown
                .snapshot
                .routes
                .iter()
                .all(|route| route.table != 254 || route.destination.prefix_len() == 24)
        );
        let text = shown.snapshot.to_json().unwrap() + &format!("{} {}", shown.sender, shown.address);
        for secret in ["berlin", "paris", "storage", "10.1.0.1", "10.2."] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
