//! Who answers, and why.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::predict::{Explanation, Verdict};
use arpflux_core::{ArpRequest, Result, json};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// An ARP request as it arrives on an interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_request {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The name of the interface it arrives on.
    pub interface: *const c_char,
    /// The IPv4 address asked for.
    pub target: arpflux_ip,
    /// Who asks, an IPv4 address; 0.0.0.0 in an RFC 5227 probe.
    pub sender: arpflux_ip,
    /// The bytes of the sender's MAC, where it matters; NULL: an ordinary neighbour's.
    pub sender_mac: *const u8,
    /// How many bytes `sender_mac` has.
    pub sender_mac_length: usize,
    /// Not 0: the frame was sent to this interface's MAC instead of to all.
    pub unicast: u32,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_request {}

/// What the kernel does with a request, and why. It never changes; free it with `arpflux_explanation_free`.
pub struct arpflux_explanation {
    _private: [u8; 0],
}

/// Whether the kernel answers.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_answer {
    /// That cannot be told from the snapshot.
    Undetermined = 0,
    /// It answers.
    Answers = 1,
    /// It does not.
    Silent = 2,
}

/// A verdict's answer as C has it.
pub(crate) fn answer(verdict: &Verdict) -> arpflux_answer {
    match verdict.answers() {
        Some(true) => arpflux_answer::Answers,
        Some(false) => arpflux_answer::Silent,
        None => arpflux_answer::Undetermined,
    }
}

struct Owned {
    answer: arpflux_answer,
    mac: Option<CString>,
    reason: Option<CString>,
    interface: u32,
    delay_below_ms: u64,
    steps: Vec<CString>,
    text: CString,
    json: CString,
}

impl Handle for Owned {
    type C = arpflux_explanation;
    const NAME: &'static str = "arpflux_explanation";
}

impl Owned {
    fn new(explanation: &Explanation) -> Result<Self> {
        let verdict = &explanation.verdict;
        let (interface, delay) = match verdict {
            Verdict::Answers { interface, delay, .. } => (interface.0, *delay),
            _ => (0, None),
        };
        let json = json::line(explanation).map_err(|error| error.during("write explanation"))?;
        Ok(Self {
            answer: answer(verdict),
            mac: verdict.mac().map(|mac| string::c_string(&mac.to_string())),
            reason: verdict.reason().map(|reason| string::c_string(reason.code())),
            interface,
            delay_below_ms: delay.map_or(0, |delay| delay.below_ms),
            steps: explanation.steps.iter().map(|step| string::c_string(&step.to_string())).collect(),
            text: string::c_string(&explanation.to_string()),
            json: string::c_string(&json),
        })
    }
}

/// What the kernel does with a request, and why.
///
/// Returns an explanation to be freed with `arpflux_explanation_free`, or NULL and sets `*err`:
/// `ARPFLUX_CODE_NOT_FOUND` if the snapshot has no such interface, `ARPFLUX_CODE_INVALID_INPUT` if the request is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_explain(
    snapshot: *const arpflux_snapshot,
    request: *const arpflux_request,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_explanation {
    // SAFETY: `err`, `request` and what it points to are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let request = options::read(request, "request")?;
            let name = args::if_name(request.interface, "request.interface")?;
            let request = ArpRequest {
                interface: args::interface(&owned.snapshot, &name)?.index,
                sender: args::ipv4(request.sender, "request.sender")?,
                sender_mac: args::mac(request.sender_mac, request.sender_mac_length)?,
                target: args::ipv4(request.target, "request.target")?,
                unicast: request.unicast != 0,
            };
            Ok(handle::give(Owned::new(&owned.snapshot.explain(&request)?)?))
        })
    }
}

/// A text inside an explanation, which lives as long as its handle does.
fn text(
    explanation: *const arpflux_explanation,
    of: impl FnOnce(&Owned) -> Option<&CString>,
) -> *const c_char {
    getter(ptr::null(), || of(&*handle::find::<Owned>(explanation)?).map(|text| text.as_ptr()))
}

/// Whether the kernel answers; `ARPFLUX_ANSWER_UNDETERMINED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_answer(
    explanation: *const arpflux_explanation,
) -> arpflux_answer {
    getter(arpflux_answer::Undetermined, || Some(handle::find::<Owned>(explanation)?.answer))
}

/// The MAC in the answer. Borrowed; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_mac(explanation: *const arpflux_explanation) -> *const c_char {
    text(explanation, |explanation| explanation.mac.as_ref())
}

/// The stable name of the rule that decided, such as `"arp_ignore"`. Borrowed; NULL if it cannot be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_reason(
    explanation: *const arpflux_explanation,
) -> *const c_char {
    text(explanation, |explanation| explanation.reason.as_ref())
}

/// The number of the interface that answers; 0 if none does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_interface(explanation: *const arpflux_explanation) -> u32 {
    getter(0, || Some(handle::find::<Owned>(explanation)?.interface))
}

/// The answer comes after a random time below this, in milliseconds; 0: at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_delay_below_ms(explanation: *const arpflux_explanation) -> u64 {
    getter(0, || Some(handle::find::<Owned>(explanation)?.delay_below_ms))
}

/// How many steps led to the verdict; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_step_count(explanation: *const arpflux_explanation) -> usize {
    getter(0, || Some(handle::find::<Owned>(explanation)?.steps.len()))
}

/// The step at a place, from 0, as a sentence. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_step_at(
    explanation: *const arpflux_explanation,
    at: usize,
) -> *const c_char {
    text(explanation, |explanation| explanation.steps.get(at))
}

/// All steps, one sentence a line. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_text(explanation: *const arpflux_explanation) -> *const c_char {
    text(explanation, |explanation| Some(&explanation.text))
}

/// All of it as one JSON object, as `arpflux explain --json` prints it. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_json(explanation: *const arpflux_explanation) -> *const c_char {
    text(explanation, |explanation| Some(&explanation.json))
}

/// Frees an explanation. NULL and explanations already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_free(explanation: *mut arpflux_explanation) {
    getter((), || {
        handle::free::<Owned>(explanation);
        Some(())
    });
}
