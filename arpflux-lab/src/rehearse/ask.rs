//! Requests put to the wires of a twin, and what the model says to them.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arpflux_core::Result;
use arpflux_core::outward::Heard;
use arpflux_core::predict::{ArpRequest, MissingSet, Model, Verdict};
use arpflux_core::snapshot::{Interface, Snapshot};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::{IfIndex, Mac};

use crate::Question;
use crate::twin::Twin;

/// How many requests wait for delayed answers at once: fewer than the kernel keeps (`proxy_qlen`, 64).
const DELAYED_AT_ONCE: usize = 32;
/// What an answer may come later than the kernel's own delay.
const LATE: Duration = Duration::from_millis(30);
/// How often what was heard otherwise than the model says is asked again, with more time each time: a macvlan hands on
/// what is sent to all when the machine finds time for it (`macvlan_process_broadcast()`).
pub(super) const AGAIN: u32 = 3;
/// By how much more.
const MORE: Duration = Duration::from_millis(300);
/// How many are asked again.
const AGAIN_MOST: usize = 256;

/// A request to be put to a wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub wire: usize,
    pub sender: Ipv4Addr,
    pub target: Ipv4Addr,
}

/// What a model says of a request: [`said`], unless a test wants a wrong one.
pub(super) type Says<'a> =
    &'a dyn Fn(&Twin, &Model<'_>, &Request) -> std::result::Result<BTreeSet<Mac>, MissingSet>;

/// Puts the requests to their wires, those whose answers may be delayed apart from the others. `now` is what the twin
/// holds; what is heard otherwise than its model says is asked again, `most` times, and counts if it stays so.
pub(super) fn ask_all(
    twin: &mut Twin,
    now: &Snapshot,
    requests: &[Request],
    says: Says<'_>,
    most: u32,
) -> Result<Vec<Vec<Heard>>> {
    let model = Model::new(now)?;
    let mut heard = vec![Vec::new(); requests.len()];
    let all: Vec<usize> = (0..requests.len()).collect();
    ask_some(twin, now, requests, &all, Duration::ZERO, &mut heard)?;
    for again in 1..=most {
        let otherwise = |place: &usize| {
            let came: BTreeSet<Mac> = heard[*place].iter().map(|answer| answer.mac).collect();
            says(twin, &model, &requests[*place]).is_ok_and(|macs| macs != came)
        };
        let differ: Vec<usize> = all.iter().copied().filter(otherwise).take(AGAIN_MOST).collect();
        if differ.is_empty() {
            break;
        }
        ask_some(twin, now, requests, &differ, MORE * again, &mut heard)?;
    }
    Ok(heard)
}

fn ask_some(
    twin: &mut Twin,
    now: &Snapshot,
    requests: &[Request],
    places: &[usize],
    more: Duration,
    heard: &mut [Vec<Heard>],
) -> Result<()> {
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let own: HashSet<Ipv4Addr> = now.addresses.iter().filter_map(|held| v4(held.local)).collect();
    for (number, wire) in twin.wires().to_vec().iter().enumerate() {
        let wait = delay(now, &wire.interfaces);
        let of_wire = wire.interfaces.iter().filter_map(|index| now.interface(*index));
        let queue = of_wire.map(|one| one.neigh.proxy_qlen).min();
        let at_once = queue.map_or(1, |queue| (queue as usize).saturating_add(1)).clamp(1, DELAYED_AT_ONCE);
        let of_wire = places.iter().copied().filter(|place| requests[*place].wire == number);
        let (prompt, delayed): (Vec<usize>, Vec<usize>) =
            of_wire.partition(|place| wait.is_zero() || own.contains(&requests[*place].target));
        let mut ask = |places: &[usize], wait: Duration| -> Result<()> {
            let question = |place: &usize| Question::new(requests[*place].sender, requests[*place].target);
            let asked: Vec<Question> = places.iter().map(question).collect();
            for (place, answers) in places.iter().zip(twin.ask(number, &asked, wait)?.unwrap_or_default()) {
                let macs: BTreeSet<Mac> = answers.iter().map(|answer| answer.mac).collect();
                let mut list: Vec<Heard> =
                    macs.into_iter().map(|mac| by(now, &wire.interfaces, mac)).collect();
                list.sort_by_key(|answer| {
                    let of = |index: &IfIndex| now.interface(*index).is_some_and(|one| one.mac == answer.mac);
                    wire.interfaces.iter().position(of).unwrap_or(usize::MAX)
                });
                heard[*place] = list;
            }
            Ok(())
        };
        if !prompt.is_empty() {
            ask(&prompt, more)?;
        }
        delayed.chunks(at_once).try_for_each(|places| ask(places, wait + LATE + more))?;
    }
    Ok(())
}

/// The longest that is waited for an answer: more is no use to anybody, and a snapshot may say anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether answers for others may take longer on a wire than is waited for them.
pub(super) fn is_slow(now: &Snapshot, interfaces: &[IfIndex]) -> bool {
    delay(now, interfaces) > PATIENCE
}

/// How long answers for others may take on a wire; nothing where no interface answers for any.
fn delay(now: &Snapshot, interfaces: &[IfIndex]) -> Duration {
    let of_wire = interfaces.iter().filter_map(|index| now.interface(*index));
    let proxies = |one: &&Interface| {
        let on = |sysctl| now.effective(one, sysctl).value != 0;
        !now.proxies.is_empty() || on(Sysctl::ProxyArp) || on(Sysctl::ProxyArpPvlan)
    };
    of_wire.filter(proxies).map(|one| Duration::from_millis(one.neigh.proxy_delay)).max().unwrap_or_default()
}

/// The interfaces of a wire that have the MAC in an answer.
fn by(now: &Snapshot, interfaces: &[IfIndex], mac: Mac) -> Heard {
    let of_wire = interfaces.iter().filter_map(|index| now.interface(*index));
    Heard { mac, interfaces: of_wire.filter(|one| one.mac == mac).map(|one| one.name).collect() }
}

/// The MACs that answer a request on its wire by a model; what is missing where it cannot tell.
pub(super) fn said(
    twin: &Twin,
    model: &Model<'_>,
    request: &Request,
) -> std::result::Result<BTreeSet<Mac>, MissingSet> {
    let (mut macs, mut missing) = (BTreeSet::new(), MissingSet::NONE);
    for interface in twin.wires().get(request.wire).map_or(&[][..], |wire| &wire.interfaces) {
        match model.reply(&ArpRequest::broadcast(*interface, request.sender, request.target)) {
            Verdict::Answers { mac, .. } => _ = macs.insert(mac),
            Verdict::Silent { .. } => {}
            Verdict::Undetermined { missing: these } => missing = missing.and(these),
        }
    }
    if missing.is_empty() { Ok(macs) } else { Err(missing) }
}
