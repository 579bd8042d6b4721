//! Several hosts on one wire.

use std::ffi::{CString, c_char};
use std::net::IpAddr;
use std::ptr;
use std::sync::Arc;

use arpflux_core::segment::{
    self, Answer, Member, NamedPort, Outcome, Port, Segment, SharedWire, SharedWires, infer,
};
use arpflux_core::{Error, ErrorKind, Result};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle, Lent, of};
use crate::ip::arpflux_ip;
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Who of several hosts answers for which address, on each wire that they share. It never changes; free it with
/// `arpflux_segments_free`.
pub struct arpflux_segments {
    _private: [u8; 0],
}

/// Who answers for one address on one wire, borrowed from segments.
pub struct arpflux_segment_answer {
    _private: [u8; 0],
}

/// An interface of one of several hosts.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_port {
    /// The place of the host among the snapshots, from 0.
    pub host: usize,
    /// The name of its interface.
    pub interface: *const c_char,
}

/// What the answers for one address come to.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_segment_outcome {
    /// Nobody answers.
    Nobody = 0,
    /// One MAC answers.
    Single = 1,
    /// One host answers with several MACs.
    Flux = 2,
    /// Several hosts answer, with different MACs.
    Duplicate = 3,
    /// No two MACs certainly answer, and of some interfaces it cannot be told.
    Undetermined = 4,
}

struct Owned {
    shared: SharedWires,
    segments: Vec<Record>,
}

impl Handle for Owned {
    type C = arpflux_segments;
    const NAME: &'static str = "arpflux_segments";
}

struct Record {
    ports: Vec<(CString, CString)>,
    answers: Vec<AnswerRecord>,
}

struct AnswerRecord {
    answer: Answer,
    text: CString,
    /// Host, interface and MAC of each that answers.
    responders: Vec<[CString; 3]>,
}

impl Lent for AnswerRecord {
    type C = arpflux_segment_answer;
}

impl AnswerRecord {
    fn new(answer: &Answer) -> Self {
        let responder = |responder: &segment::Responder| {
            [
                string::c_string(&responder.host),
                string::c_name(&responder.interface),
                string::c_string(&responder.mac.to_string()),
            ]
        };
        Self {
            text: string::c_string(&answer.to_string()),
            responders: answer.responders.iter().map(responder).collect(),
            answer: answer.clone(),
        }
    }
}

/// Who answers for each address that one of several hosts holds or proxies, on the wires they share. `names` and `snapshots` are
/// lists of `count` items: what to call each host, and its state.
///
/// `ports` are the `port_count` interfaces that share a wire; NULL: interfaces whose subnets overlap are taken to share one, and
/// there may be several wires.
///
/// Returns segments to be freed with `arpflux_segments_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there
/// is no such interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_find(
    names: *const *const c_char,
    snapshots: *const *const arpflux_snapshot,
    count: usize,
    ports: *const arpflux_port,
    port_count: usize,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_segments {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let names = args::texts(names, count, "names")?;
            let snapshots: Vec<Arc<snapshot::Owned>> = args::list(snapshots, count, "snapshots")?
                .iter()
                .map(|snapshot| handle::get::<snapshot::Owned>(*snapshot))
                .collect::<Result<_>>()?;
            let members: Vec<Member<'_>> = names
                .iter()
                .zip(&snapshots)
                .map(|(name, snapshot)| Member::new(name, &snapshot.snapshot))
                .collect::<Result<_>>()?;
            let segments = if ports.is_null() {
                infer(&members)
            } else {
                vec![given(args::list(ports, port_count, "ports")?, &members)?]
            };
            Ok(handle::give(Owned::new(SharedWires::judge(&members, &segments, None))))
        })
    }
}

/// The wire that the caller names.
///
/// # Safety
/// The ports' names end in NUL.
unsafe fn given(ports: &[arpflux_port], members: &[Member<'_>]) -> Result<Segment> {
    let mut found = Vec::new();
    for port in ports {
        let member = members.get(port.host).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, format!("there is no host {}", port.host))
                .during("call with argument")
                .on("ports.host")
        })?;
        // SAFETY: the caller says so.
        let name = unsafe { args::if_name(port.interface, "ports.interface")? };
        let interface = args::interface(member.snapshot(), &name)?.index;
        found.push(Port { member: port.host, interface });
    }
    found.sort_unstable();
    found.dedup();
    Ok(Segment { ports: found })
}

impl Owned {
    fn new(shared: SharedWires) -> Self {
        let port = |port: &NamedPort| (string::c_string(&port.host), string::c_string(&port.interface));
        let record = |wire: &SharedWire| Record {
            ports: wire.ports.iter().map(port).collect(),
            answers: wire.addresses.iter().map(AnswerRecord::new).collect(),
        };
        Self { segments: shared.segments.iter().map(record).collect(), shared }
    }
}

/// How many wires they share; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_count(segments: *const arpflux_segments) -> usize {
    getter(0, || Some(handle::find::<Owned>(segments)?.segments.len()))
}

/// How many interfaces are on the wire at a place, from 0; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_port_count(segments: *const arpflux_segments, at: usize) -> usize {
    getter(0, || Some(handle::find::<Owned>(segments)?.segments.get(at)?.ports.len()))
}

/// The host of an interface of a wire, by the name that the caller gave. Borrowed; NULL beyond the last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_port_host(
    segments: *const arpflux_segments,
    at: usize,
    port_at: usize,
) -> *const c_char {
    getter(ptr::null(), || {
        Some(handle::find::<Owned>(segments)?.segments.get(at)?.ports.get(port_at)?.0.as_ptr())
    })
}

/// The name of an interface of a wire. Borrowed; NULL beyond the last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_port_interface(
    segments: *const arpflux_segments,
    at: usize,
    port_at: usize,
) -> *const c_char {
    getter(ptr::null(), || {
        Some(handle::find::<Owned>(segments)?.segments.get(at)?.ports.get(port_at)?.1.as_ptr())
    })
}

/// How many addresses are asked for on the wire at a place, from 0; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_answer_count(
    segments: *const arpflux_segments,
    at: usize,
) -> usize {
    getter(0, || Some(handle::find::<Owned>(segments)?.segments.get(at)?.answers.len()))
}

/// Who answers for an address on a wire: duplicates come first, then flux, each in the order of addresses. Borrowed; NULL beyond
/// the last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_answer_at(
    segments: *const arpflux_segments,
    at: usize,
    answer_at: usize,
) -> *const arpflux_segment_answer {
    handle::lend(
        segments,
        |owned: &Owned| owned.segments.get(at).map_or(&[][..], |record| &record.answers),
        answer_at,
    )
}

/// The address; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_address(answer: *const arpflux_segment_answer) -> arpflux_ip {
    of(answer, arpflux_ip::NONE, |record: &AnswerRecord| IpAddr::V4(record.answer.address).into())
}

/// What the answers come to; `ARPFLUX_SEGMENT_OUTCOME_UNDETERMINED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_outcome(
    answer: *const arpflux_segment_answer,
) -> arpflux_segment_outcome {
    of(answer, arpflux_segment_outcome::Undetermined, |record: &AnswerRecord| match record.answer.outcome {
        Outcome::Duplicate => arpflux_segment_outcome::Duplicate,
        Outcome::Flux => arpflux_segment_outcome::Flux,
        Outcome::Single => arpflux_segment_outcome::Single,
        Outcome::Nobody => arpflux_segment_outcome::Nobody,
        Outcome::Undetermined => arpflux_segment_outcome::Undetermined,
    })
}

/// All of it as one sentence. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_text(answer: *const arpflux_segment_answer) -> *const c_char {
    of(answer, ptr::null(), |record: &AnswerRecord| record.text.as_ptr())
}

/// How many interfaces answer; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_responder_count(
    answer: *const arpflux_segment_answer,
) -> usize {
    of(answer, 0, |record: &AnswerRecord| record.responders.len())
}

fn responder(answer: *const arpflux_segment_answer, at: usize, part: usize) -> *const c_char {
    of(answer, ptr::null(), |record: &AnswerRecord| {
        record.responders.get(at).map_or(ptr::null(), |texts| texts[part].as_ptr())
    })
}

/// The host of the one that answers at a place, from 0. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_responder_host(
    answer: *const arpflux_segment_answer,
    at: usize,
) -> *const c_char {
    responder(answer, at, 0)
}

/// The interface of the one that answers at a place, from 0. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_responder_interface(
    answer: *const arpflux_segment_answer,
    at: usize,
) -> *const c_char {
    responder(answer, at, 1)
}

/// The MAC that answers at a place, from 0. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_responder_mac(
    answer: *const arpflux_segment_answer,
    at: usize,
) -> *const c_char {
    responder(answer, at, 2)
}

/// How many there are of whom it cannot be told whether they answer; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segment_answer_undetermined_count(
    answer: *const arpflux_segment_answer,
) -> usize {
    of(answer, 0, |record: &AnswerRecord| record.answer.undetermined.len())
}

/// The segments as one JSON object with `"schema": 1`, as `arpflux explain --also --json` prints them.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_to_json(
    segments: *const arpflux_segments,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(segments)?.shared.to_json()?)))
    }
}

/// Frees segments, and with them all that was borrowed from them. NULL and segments already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_segments_free(segments: *mut arpflux_segments) {
    getter((), || {
        handle::free::<Owned>(segments);
        Some(())
    });
}
