//! Requests for one address, put to a twin: the kernel's own answers beside the model's.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use arpflux_core::outward::{Tried, TriedRequest};
use arpflux_core::predict::{AddressAnswers, Model};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::{Error, ErrorKind, Result};

use super::ask::{AGAIN, Request, ask_all, is_slow, said};
use super::smallest::smallest;
use super::{Found, compare};
use crate::twin::Twin;

/// Puts the requests behind `answers`, which were made of `snapshot`, to a twin of that host: what its kernel answers is
/// added, and where the model cannot tell for nothing but the kernel's version, that counts.
///
/// `tell` is called with what is done next. Nothing outside of the twin is touched.
///
/// ```no_run
/// use arpflux_core::Host;
/// use arpflux_core::predict::{AddressAnswers, Matrix, Model, listeners};
///
/// let snapshot = Host::current()?.snapshot()?;
/// let model = Model::new(&snapshot)?;
/// let address = "192.168.18.10".parse().unwrap();
/// let matrix = Matrix::with(&model, &[address], &listeners(&snapshot), None);
/// let answers = AddressAnswers::new(&model, &matrix, &matrix.rows[0], None);
/// let answers = arpflux_lab::try_address(&snapshot, answers, &mut |_| {})?;
/// for request in &answers.tried.as_ref().unwrap().requests {
///     println!("{} asks: {:?}", request.sender_ip, request.heard);
/// }
/// # Ok::<(), arpflux_core::Error>(())
/// ```
///
/// # Errors
/// As [`Twin::build`]; [`ErrorKind::InvalidInput`] for an IPv6 address, whose requests are not tried.
pub fn try_address(
    snapshot: &Snapshot,
    answers: AddressAnswers,
    tell: &mut dyn FnMut(&str),
) -> Result<AddressAnswers> {
    if answers.ipv4().is_none() {
        return Err(Error::new(ErrorKind::InvalidInput, "a twin is asked for IPv4 addresses alone")
            .during("rehearse")
            .on(answers.address));
    }
    tell("building the twin");
    let mut twin = Twin::build(snapshot)?;
    let now = twin.snapshot()?;
    let mut faults = twin.faults()?;
    let mut open = Vec::new();
    let requests = requests(&twin, snapshot, &answers, &mut open);
    tell("asking");
    let heard = ask_all(&mut twin, &now, &requests, &said, AGAIN)?;
    let (of_host, of_twin) = (Model::new(snapshot)?, Model::new(&now)?);
    let (mut tried, mut wrong) = (Vec::new(), None);
    for (request, heard) in requests.iter().zip(heard) {
        let mut why = None;
        match compare(&twin, request, [&of_host, &of_twin], &said, &heard) {
            Found::Agrees => {}
            Found::Open(what) => why = Some(what),
            Found::Fault(what) => {
                faults.push(what);
                wrong.get_or_insert(*request);
            }
        }
        let of_wire = twin.wires().get(request.wire).map_or(&[][..], |wire| &wire.interfaces);
        let names = of_wire.iter().filter_map(|index| snapshot.interface(*index)).map(|one| one.name);
        tried.push(TriedRequest {
            wire: request.wire,
            interfaces: names.collect(),
            sender_ip: request.sender,
            heard,
            open: why,
        });
    }
    let difference = wrong
        .and_then(|request| smallest(snapshot, &twin.wires()[request.wire].interfaces, request, &said, tell));
    Ok(answers.tried(Tried {
        kernel: now.kernel.release.clone(),
        requests: tried,
        faults,
        difference,
        open,
        stand_ins: twin.stand_ins().to_vec(),
        left_out: twin.left_out().to_vec(),
    }))
}

/// Each sender once on each wire.
fn requests(
    twin: &Twin,
    snapshot: &Snapshot,
    answers: &AddressAnswers,
    open: &mut Vec<String>,
) -> Vec<Request> {
    let Some(target) = answers.ipv4() else { return Vec::new() };
    let mut requests: Vec<Request> = Vec::new();
    let mut slow = BTreeSet::new();
    for on in &answers.interfaces {
        let wire = on.wire;
        let Some(of) = twin.wires().get(wire).filter(|wire| wire.is_asked()) else {
            open.push(format!("{} is not asked: no frame gets there on the twin", on.interface));
            continue;
        };
        if !of.interfaces.iter().any(|index| snapshot.name_of(*index) == on.interface.to_string()) {
            open.push(format!("{} is not asked: the twin does not have it", on.interface));
        }
        if is_slow(snapshot, &of.interfaces) && snapshot.holders_of(target.into()).next().is_none() {
            if slow.insert(wire) {
                open.push(
                    "answers for others, which the kernel delays by more than 5 s (proxy_delay)".into(),
                );
            }
            continue;
        }
        let probe = on.probe.as_ref().map(|_| Ipv4Addr::UNSPECIFIED);
        let sender = match on.sender_ip {
            IpAddr::V4(sender) => Some(sender),
            IpAddr::V6(_) => None,
        };
        for sender in sender.into_iter().chain(probe) {
            let is = |other: &Request| (other.wire, other.sender) == (wire, sender);
            if !requests.iter().any(is) {
                requests.push(Request { wire, sender, target });
            }
        }
    }
    requests
}
