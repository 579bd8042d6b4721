//! A plan tried on a host's twin: every address asked from every wire, before and after, with real frames.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arpflux_core::harm;
use arpflux_core::outward::{Heard, HeardTurn, Rehearsal, RehearsedAnswer, RehearsedWire};
use arpflux_core::plan::Plan;
use arpflux_core::predict::{ArpRequest, Missing, Model, Neighbours, Verdict, listeners, targets};
use arpflux_core::snapshot::{Certainty, Snapshot, WireMap};
use arpflux_core::state::{Change, Object, State};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::{IfIndex, IpNet, Mac};
use arpflux_core::words::counted;
use arpflux_core::{Error, ErrorKind, Result};

use crate::Question;
use crate::twin::{Twin, differences_of};

/// The most requests that are sent before, and again after.
const REQUESTS_MOST: usize = 8192;
/// How many neighbours of one wire ask for an address, each of another interface.
const SENDERS_MOST: usize = 4;
/// How many requests wait for delayed answers at once: fewer than the kernel keeps (`proxy_qlen`, 64).
const DELAYED_AT_ONCE: usize = 32;
/// What an answer may come later than the kernel's own delay.
const LATE: Duration = Duration::from_millis(30);

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
    fits(snapshot, plan)?;
    let harm = harm::of_plan(snapshot, plan)?;
    tell("building the twin");
    let mut twin = Twin::build(snapshot)?;
    let before = twin.snapshot()?;
    let mut faults: Vec<String> =
        twin.differences()?.into_iter().map(|what| format!("the twin is not the host: {what}")).collect();
    let after = snapshot.with(&plan.changes);
    let mut open = Vec::new();
    let requests = requests(&twin, snapshot, &after, &mut open);
    let changes: Vec<Change> =
        plan.changes.iter().filter(|change| can_be_tried(&twin, change)).cloned().collect();
    if let untried @ 1.. = plan.changes.len() - changes.len() {
        let what = counted(untried, "change", "changes");
        open.push(format!("{what} of IPv6, or of what the twin does not have"));
    }
    tell("asking before the plan");
    let heard_before = ask_all(&mut twin, &before, &requests)?;
    tell("making the plan on the twin");
    let made = twin.make(&changes);
    let (mut heard_after, mut refused) = (heard_before.clone(), None);
    let mut then = before.clone();
    match &made {
        Ok(()) => {
            then = twin.snapshot()?;
            let said = differences_of(&before.with(&changes), &then);
            faults.extend(
                said.into_iter().map(|what| format!("the plan did otherwise than arpflux says: {what}")),
            );
            tell("asking after the plan");
            heard_after = ask_all(&mut twin, &then, &requests)?;
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
    let mut answers = Vec::new();
    for ((request, before), after) in requests.iter().zip(heard_before).zip(heard_after) {
        let mut reasons: Vec<String> = Vec::new();
        for ((of_host, of_twin), (heard, when)) in models.iter().zip([(&before, "before"), (&after, "after")])
        {
            if when == "after" && refused.is_some() {
                continue;
            }
            match compare(&twin, request, of_host, of_twin, heard) {
                Found::Agrees => {}
                Found::Open(why) => reasons.push(why),
                Found::Fault(what) => faults.push(format!("{when} the plan: {what}")),
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
            open: (!reasons.is_empty()).then(|| reasons.join("; ")),
        });
    }
    let mut found = Rehearsal {
        ok: None,
        kernel: before.kernel.release.clone(),
        changes: changes.len(),
        requests: 2 * requests.len(),
        wires: wires(&twin, snapshot),
        answers,
        harm,
        refused,
        taken_back,
        faults,
        open,
        stand_ins: twin.stand_ins().to_vec(),
        left_out: twin.left_out().to_vec(),
    };
    found.ok = judge(&found, snapshot, plan);
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

/// A request to be put to a wire.
#[derive(Debug, Clone, Copy)]
struct Request {
    wire: usize,
    sender: Ipv4Addr,
    target: Ipv4Addr,
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
    let all: BTreeSet<Ipv4Addr> = targets(before).into_iter().chain(targets(after)).collect();
    let mut neighbours = Neighbours::new(before);
    let mut requests = Vec::new();
    for (wire, of) in
        twin.wires().iter().enumerate().filter(|(_, of)| of.is_asked() && !of.interfaces.is_empty())
    {
        for target in &all {
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

/// Puts the requests to their wires, those whose answers may be delayed apart from the others.
fn ask_all(twin: &mut Twin, now: &Snapshot, requests: &[Request]) -> Result<Vec<Vec<Heard>>> {
    let own: HashSet<Ipv4Addr> = now
        .addresses
        .iter()
        .filter_map(|held| match held.local {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect();
    let mut heard = vec![Vec::new(); requests.len()];
    for (number, wire) in twin.wires().to_vec().iter().enumerate() {
        let wait = delay(now, &wire.interfaces);
        let queue =
            wire.interfaces.iter().filter_map(|index| now.interface(*index)).map(|one| one.neigh.proxy_qlen);
        let at_once = queue.min().map_or(1, |queue| queue as usize + 1).clamp(1, DELAYED_AT_ONCE);
        let of_wire = (0..requests.len()).filter(|place| requests[*place].wire == number);
        let (prompt, delayed): (Vec<usize>, Vec<usize>) =
            of_wire.partition(|place| wait.is_zero() || own.contains(&requests[*place].target));
        let mut ask = |places: &[usize], wait: Duration| -> Result<()> {
            let asked: Vec<Question> = places
                .iter()
                .map(|place| Question::new(requests[*place].sender, requests[*place].target))
                .collect();
            for (place, answers) in places.iter().zip(twin.ask(number, &asked, wait)?.unwrap_or_default()) {
                let macs: BTreeSet<Mac> = answers.iter().map(|answer| answer.mac).collect();
                heard[*place] = macs.into_iter().map(|mac| by(now, &wire.interfaces, mac)).collect();
            }
            Ok(())
        };
        ask(&prompt, Duration::ZERO)?;
        delayed.chunks(at_once).try_for_each(|places| ask(places, wait + LATE))?;
    }
    Ok(heard)
}

/// How long answers for others may take on a wire; nothing where no interface answers for any.
fn delay(now: &Snapshot, interfaces: &[IfIndex]) -> Duration {
    let of_wire = interfaces.iter().filter_map(|index| now.interface(*index));
    let proxies = |one: &&arpflux_core::snapshot::Interface| {
        let on = |sysctl| now.effective(one, sysctl).value != 0;
        !now.proxies.is_empty() || on(Sysctl::ProxyArp) || on(Sysctl::ProxyArpPvlan)
    };
    of_wire.filter(proxies).map(|one| Duration::from_millis(one.neigh.proxy_delay)).max().unwrap_or_default()
}

fn by(now: &Snapshot, interfaces: &[IfIndex], mac: Mac) -> Heard {
    let of_wire = interfaces.iter().filter_map(|index| now.interface(*index));
    Heard { mac, interfaces: of_wire.filter(|one| one.mac == mac).map(|one| one.name).collect() }
}

/// What an answer says about the model.
enum Found {
    Agrees,
    /// Nothing about the host.
    Open(String),
    Fault(String),
}

/// The MACs that answer a request on its wire by a model; what is missing where it cannot tell.
fn said(
    twin: &Twin,
    model: &Model<'_>,
    request: &Request,
) -> std::result::Result<BTreeSet<Mac>, Vec<&'static str>> {
    let (mut macs, mut missing) = (BTreeSet::new(), Vec::new());
    for interface in twin.wires().get(request.wire).map_or(&[][..], |wire| &wire.interfaces) {
        match model.reply(&ArpRequest::broadcast(*interface, request.sender, request.target)) {
            Verdict::Answers { mac, .. } => _ = macs.insert(mac),
            Verdict::Silent { .. } => {}
            Verdict::Undetermined { missing: these } => missing.extend(these.iter().map(Missing::text)),
        }
    }
    if missing.is_empty() { Ok(macs) } else { Err(missing) }
}

fn compare(twin: &Twin, request: &Request, host: &Model<'_>, of_twin: &Model<'_>, heard: &[Heard]) -> Found {
    let came: BTreeSet<Mac> = heard.iter().map(|answer| answer.mac).collect();
    match (said(twin, host, request), said(twin, of_twin, request)) {
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
        (Err(missing), _) => {
            Found::Open(format!("the host has what the twin may not have: {}", missing.join(", ")))
        }
        // Where the model cannot tell of the twin, its kernel can.
        (Ok(on_host), on_twin) if on_host != *on_twin.as_ref().unwrap_or(&came) => Found::Open(format!(
            "on the host {} would answer, by what the twin does not have",
            in_words(&on_host)
        )),
        (Ok(_), _) => Found::Agrees,
    }
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

/// Good if nobody loses an answer who needs it, all is as the model says, and all was tried.
fn judge(found: &Rehearsal, snapshot: &Snapshot, plan: &Plan) -> Option<bool> {
    let needed = |answer: &RehearsedAnswer| {
        answer.turn == HeardTurn::Lost
            && answer.open.is_none()
            && !plan.silence.contains(&IpAddr::V4(answer.address))
            && snapshot.addresses.iter().any(|held| match held.subnet() {
                IpNet::V4(net) => net.contains(&answer.sender) && net.contains(&answer.address),
                IpNet::V6(_) => false,
            })
    };
    let bad = !found.faults.is_empty()
        || !found.harm.is_empty()
        || found.refused.is_some()
        || !found.taken_back
        || found.answers.iter().any(needed);
    let open = !found.open.is_empty() || found.answers.iter().any(|answer| answer.open.is_some());
    match (bad, open) {
        (true, _) => Some(false),
        (false, true) => None,
        (false, false) => Some(true),
    }
}
