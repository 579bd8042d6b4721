//! A plan tried on a host's twin: every address asked from every wire, and packets sent between the host and those around
//! it, before and after.

mod address;
mod ask;
mod smallest;
mod ways;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use arpflux_core::harm;
use arpflux_core::outward::{Heard, HeardTurn, Rehearsal, RehearsedAnswer, RehearsedWay, RehearsedWire};
use arpflux_core::plan::Plan;
use arpflux_core::predict::{Missing, MissingSet, Model, Neighbours, ipv4_targets, listeners};
use arpflux_core::snapshot::{Certainty, Snapshot, WireMap};
use arpflux_core::state::{Change, Object, State};
use arpflux_core::types::{IfIndex, IpNet, Mac};
use arpflux_core::words::counted;
use arpflux_core::{Error, ErrorKind, Result};

pub use self::address::try_address;
use self::ask::{AGAIN, Request, Says, ask_all, is_slow, said};
use self::smallest::smallest;
use self::ways::Ways;
use crate::twin::{Twin, differences_of};

/// The most requests that are sent before, and again after.
const REQUESTS_MOST: usize = 8192;
/// How many neighbours of one wire ask for an address, each of another interface.
const SENDERS_MOST: usize = 4;

/// Builds the twin of the host that `snapshot` shows, makes `plan` on it, and takes it back.
///
/// `tell` is called with what is done next. Nothing outside of the twin is touched.
///
/// ```no_run
/// use arpflux_core::{Host, Policy};
///
/// let snapshot = Host::current()?.snapshot()?;
/// let plan = Policy::from_path("policy.toml")?.plan(&snapshot)?;
/// let rehearsal = arpflux_lab::rehearse(&snapshot, &plan, &mut |_| {})?;
/// assert_eq!(rehearsal.ok, Some(true));
/// # Ok::<(), arpflux_core::Error>(())
/// ```
///
/// # Errors
/// As [`Twin::build`]; [`ErrorKind::Changed`] if the plan was made for a host in another state.
pub fn rehearse(snapshot: &Snapshot, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<Rehearsal> {
    rehearse_by(snapshot, plan, &said, tell)
}

fn rehearse_by(
    snapshot: &Snapshot,
    plan: &Plan,
    says: Says<'_>,
    tell: &mut dyn FnMut(&str),
) -> Result<Rehearsal> {
    fits(snapshot, plan)?;
    let harm = harm::of_plan(snapshot, plan)?;
    tell("building the twin");
    let mut twin = Twin::build(snapshot)?;
    let mut open = Vec::new();
    let ways = Ways::new(&mut twin, snapshot, &mut open)?;
    let before = twin.snapshot()?;
    let mut faults = twin.faults()?;
    let after = snapshot.with(&plan.changes);
    let requests = requests(&twin, snapshot, &after, &mut open);
    let changes: Vec<Change> =
        plan.changes.iter().filter(|change| can_be_tried(&twin, change)).cloned().collect();
    if let untried @ 1.. = plan.changes.len() - changes.len() {
        let what = counted(untried, "change", "changes");
        open.push(format!("{what} of IPv6, or of what the twin does not have"));
    }
    tell("asking before the plan");
    let heard_before = ask_all(&mut twin, &before, &requests, says, AGAIN)?;
    let ways_before = ways.try_all(&twin)?;
    tell("making the plan on the twin");
    let made = twin.make(&changes);
    let (mut heard_after, mut ways_after, mut refused) = (heard_before.clone(), ways_before.clone(), None);
    let mut then = before.clone();
    match &made {
        Ok(()) => {
            then = twin.snapshot()?;
            let said = differences_of(&before.with(&changes), &then);
            faults.extend(
                said.into_iter().map(|what| format!("the plan did otherwise than arpflux says: {what}")),
            );
            tell("asking after the plan");
            heard_after = ask_all(&mut twin, &then, &requests, says, AGAIN)?;
            ways_after = ways.try_all(&twin)?;
        }
        Err(failed) => refused = Some(failed.error.to_string()),
    }
    tell("taking it back");
    let done = made.as_ref().map_or_else(|failed| failed.at, |()| changes.len());
    let inverse: Vec<Change> = changes[..done].iter().rev().map(Change::inverse).collect();
    let undone = twin.make(&inverse);
    let left = differences_of(&before, &twin.snapshot()?);
    let taken_back = undone.is_ok() && left.is_empty();
    faults.extend(left.into_iter().map(|what| format!("taken back, it is not as before: {what}")));
    faults.extend(undone.err().map(|failed| format!("it cannot be taken back: {}", failed.error)));

    let models = [(Model::new(snapshot)?, Model::new(&before)?), (Model::new(&after)?, Model::new(&then)?)];
    let (mut answers, mut wrong) = (Vec::new(), None);
    for ((request, before), after) in requests.iter().zip(heard_before).zip(heard_after) {
        let mut reasons: Vec<String> = Vec::new();
        for ((of_host, of_twin), (heard, when)) in models.iter().zip([(&before, "before"), (&after, "after")])
        {
            if when == "after" && refused.is_some() {
                continue;
            }
            match compare(&twin, request, [of_host, of_twin], says, heard) {
                Found::Agrees => {}
                Found::Open(why) => reasons.push(why),
                Found::Fault(what) => {
                    faults.push(format!("{when} the plan: {what}"));
                    wrong.get_or_insert((*request, of_host.snapshot()));
                }
            }
        }
        reasons.dedup();
        let turn = HeardTurn::of(&before, &after);
        answers.push(RehearsedAnswer {
            wire: request.wire,
            address: request.target,
            sender: request.sender,
            before,
            after,
            turn,
            near: is_near(&twin, snapshot, request),
            open: (!reasons.is_empty()).then(|| reasons.join("; ")),
        });
    }
    let difference = wrong.and_then(|(request, host)| {
        smallest(host, &twin.wires()[request.wire].interfaces, request, says, tell)
    });
    let mut found = Rehearsal {
        ok: None,
        kernel: before.kernel.release.clone(),
        changes: changes.len(),
        requests: 2 * requests.len(),
        wires: wires(&twin, snapshot),
        answers,
        ways: ways.report(&ways_before, &ways_after),
        harm,
        refused,
        taken_back,
        faults,
        difference,
        open,
        stand_ins: twin.stand_ins().to_vec(),
        left_out: twin.left_out().to_vec(),
    };
    found.ok = judge(&found, plan);
    Ok(found)
}

/// Whether the host is in the state that the plan begins with.
fn fits(snapshot: &Snapshot, plan: &Plan) -> Result<()> {
    snapshot.check()?;
    for identity in &plan.interfaces {
        let there = snapshot.interface(identity.index);
        if there.is_none_or(|one| one.name != identity.name || one.mac != identity.mac) {
            let message = format!("the host has no interface {} with MAC {}", identity.name, identity.mac);
            return Err(Error::new(ErrorKind::Changed, message)
                .during("rehearse plan")
                .hint("make the plan again, from this snapshot"));
        }
    }
    let mut state = State::of(snapshot);
    for change in &plan.changes {
        change.check()?;
        let now = state.get(&change.object);
        // The kernel keeps proxy_delay in steps.
        if now != change.before && !matches!(change.object, Object::ProxyDelay { .. }) {
            return Err(Error::new(
                ErrorKind::Changed,
                format!("it is {now}, and the plan begins with {}", change.before),
            )
            .during("rehearse plan")
            .on(change.object.name(&|index| snapshot.interface(index).map(|one| one.name)))
            .hint("make the plan again, from this snapshot"));
        }
        state.make(change);
    }
    Ok(())
}

/// Every address that the host has or proxies before or after, from each wire: by neighbours of its interfaces, and by a
/// probe.
fn requests(twin: &Twin, before: &Snapshot, after: &Snapshot, open: &mut Vec<String>) -> Vec<Request> {
    let map = WireMap::of(before);
    let heard = listeners(before).into_iter().filter(|index| map.is_connected(*index));
    for index in heard.filter(|index| !twin.has(*index)) {
        open.push(format!("{} is not asked: the twin does not have it", before.name_of(index)));
    }
    for wire in twin.wires().iter().filter(|wire| !wire.is_asked() && wire.certainty != Certainty::Known) {
        for index in &wire.interfaces {
            open.push(format!("{} is not asked: no frame gets there on the twin", before.name_of(*index)));
        }
    }
    let all: BTreeSet<Ipv4Addr> = ipv4_targets(before).into_iter().chain(ipv4_targets(after)).collect();
    let mut neighbours = Neighbours::new(before);
    let mut requests = Vec::new();
    for (wire, of) in
        twin.wires().iter().enumerate().filter(|(_, of)| of.is_asked() && !of.interfaces.is_empty())
    {
        let slow = is_slow(before, &of.interfaces) || is_slow(after, &of.interfaces);
        if slow {
            open.push("answers for others, which the kernel delays by more than 5 s (proxy_delay)".into());
        }
        let own = |target: &&Ipv4Addr| {
            [before, after].iter().all(|host| host.holders_of((**target).into()).next().is_some())
        };
        for target in all.iter().filter(|target| !slow || own(target)) {
            let mut senders: Vec<Ipv4Addr> = Vec::new();
            for interface in &of.interfaces {
                let sender = neighbours.of(*interface, *target);
                if !senders.contains(&sender) && senders.len() < SENDERS_MOST {
                    senders.push(sender);
                }
            }
            senders.push(Ipv4Addr::UNSPECIFIED);
            requests.extend(senders.into_iter().map(|sender| Request { wire, sender, target: *target }));
        }
    }
    if let more @ 1.. = requests.len().saturating_sub(REQUESTS_MOST) {
        open.push(format!("{more} of {} requests: they are too many", requests.len()));
        requests.truncate(REQUESTS_MOST);
    }
    requests
}

/// Whether the twin has what a change is about.
fn can_be_tried(twin: &Twin, change: &Change) -> bool {
    let built = |index: IfIndex| twin.has(index);
    match &change.object {
        Object::Ipv6Sysctl { .. } => false,
        Object::Proxy { address, interface } => address.is_ipv4() && interface.is_some_and(built),
        Object::Rule(rule) => !rule.ipv6,
        Object::Route(route) => {
            route.destination.addr().is_ipv4()
                && route.next_hops.iter().filter_map(|hop| hop.interface).all(built)
        }
        object => object.interface().is_none_or(built),
    }
}

/// What an answer says about the model.
enum Found {
    Agrees,
    /// Nothing about the host.
    Open(String),
    Fault(String),
}

fn compare(
    twin: &Twin,
    request: &Request,
    [host, of_twin]: [&Model<'_>; 2],
    says: Says<'_>,
    heard: &[Heard],
) -> Found {
    let came: BTreeSet<Mac> = heard.iter().map(|answer| answer.mac).collect();
    let same_kernel = host.snapshot().kernel == of_twin.snapshot().kernel;
    match (says(twin, host, request), says(twin, of_twin, request)) {
        (_, Ok(macs)) if macs != came => {
            let wire = twin.wires().get(request.wire).map_or(&[][..], |wire| &wire.interfaces);
            let names: Vec<String> = wire.iter().map(|index| host.snapshot().name_of(*index)).collect();
            Found::Fault(format!(
                "{} asks for {} on {}: the model says {}, the kernel {}",
                request.sender,
                request.target,
                names.join(", "),
                in_words(&macs),
                in_words(&came)
            ))
        }
        // The twin has the very kernel, which knows what it does.
        (Err(missing), Err(on_twin)) if same_kernel && only_version(missing.and(on_twin)) => Found::Agrees,
        (Err(missing), _) => Found::Open(format!("the host has what the twin may not have: {missing}")),
        // Where the model cannot tell of the twin, its kernel can.
        (Ok(on_host), on_twin) if on_host != *on_twin.as_ref().unwrap_or(&came) => Found::Open(format!(
            "on the host {} would answer, by what the twin does not have",
            in_words(&on_host)
        )),
        (Ok(_), _) => Found::Agrees,
    }
}

/// Whether nothing but the kernel's version leaves an answer open.
fn only_version(missing: MissingSet) -> bool {
    missing == MissingSet::only(Missing::KernelVersion)
}

fn in_words(macs: &BTreeSet<Mac>) -> String {
    if macs.is_empty() {
        return "nobody".into();
    }
    macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn wires(twin: &Twin, snapshot: &Snapshot) -> Vec<RehearsedWire> {
    let wire = |wire: &crate::twin::Wire| RehearsedWire {
        interfaces: wire
            .interfaces
            .iter()
            .filter_map(|index| snapshot.interface(*index))
            .map(|one| one.name)
            .collect(),
        certainty: wire.certainty,
        asked: wire.is_asked() && !wire.interfaces.is_empty(),
    };
    twin.wires().iter().map(wire).collect()
}

/// Good if nobody loses an answer who needs it or a way of packets, all is as the model says, and all was tried.
fn judge(found: &Rehearsal, plan: &Plan) -> Option<bool> {
    let harmed = |answer: &RehearsedAnswer| {
        answer.turn == HeardTurn::Lost
            && answer.near
            && answer.open.is_none()
            && !plan.silence.contains(&IpAddr::V4(answer.address))
    };
    let cut_off = |way: &RehearsedWay| {
        let silent = way.to.address.is_some_and(|to| plan.silence.contains(&IpAddr::V4(to)));
        way.turn == HeardTurn::Lost && !silent
    };
    let bad = !found.faults.is_empty()
        || !found.harm.is_empty()
        || found.refused.is_some()
        || !found.taken_back
        || found.answers.iter().any(harmed)
        || found.ways.iter().any(cut_off);
    let open = !found.open.is_empty() || found.answers.iter().any(|answer| answer.open.is_some());
    match (bad, open) {
        (true, _) => Some(false),
        (false, true) => None,
        (false, false) => Some(true),
    }
}

/// Whether who asks is in one subnet of the wire with the address, so that it asks for it at all.
fn is_near(twin: &Twin, snapshot: &Snapshot, request: &Request) -> bool {
    let of_wire = twin.wires().get(request.wire).map_or(&[][..], |wire| &wire.interfaces);
    let mut held = of_wire.iter().flat_map(|index| snapshot.addresses_of(*index));
    held.any(|held| match held.subnet() {
        IpNet::V4(net) => net.contains(&request.sender) && net.contains(&request.target),
        IpNet::V6(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_knows_what_its_version_does_not_tell() {
        let version = MissingSet::only(Missing::KernelVersion);
        assert!(only_version(version));
        assert!(!only_version(version.and(MissingSet::only(Missing::Xdp))));
        assert!(!only_version(MissingSet::NONE));
    }
}
