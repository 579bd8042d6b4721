//! Who answers, and why.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::predict::{Explanation, Request, Verdict};
use arpflux_core::{Error, ErrorKind, json};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// An ARP request or a neighbour solicitation as it arrives on an interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_request {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The name of the interface it arrives on.
    pub interface: *const c_char,
    /// The address asked for: IPv4 by an ARP request, IPv6 by a neighbour solicitation.
    pub target: arpflux_ip,
    /// Who asks, an address of the same family; 0.0.0.0 or `::` in a probe (RFC 5227, RFC 4862).
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
    explanation: Explanation,
    text: CString,
}

impl Handle for Owned {
    type C = arpflux_explanation;
    const NAME: &'static str = "arpflux_explanation";
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
            let interface = args::interface(&owned.snapshot, &name)?.index;
            let sender = args::ip(request.sender, "request.sender")?;
            let mac = args::mac(request.sender_mac, request.sender_mac_length)?;
            let target = args::ip(request.target, "request.target")?;
            let request = Request::new(interface, (sender, mac), target, request.unicast != 0);
            let request = request.ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "sender and target are of different families")
                    .during("call with argument")
                    .on("request.sender")
            })?;
            let explanation = owned.snapshot.explain(&request)?;
            Ok(handle::give(Owned { text: string::c_string(&explanation.to_string()), explanation }))
        })
    }
}

/// Whether the kernel answers; `ARPFLUX_ANSWER_UNDETERMINED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_answer(
    explanation: *const arpflux_explanation,
) -> arpflux_answer {
    getter(arpflux_answer::Undetermined, || {
        Some(answer(&handle::find::<Owned>(explanation)?.explanation.verdict))
    })
}

/// All steps, one sentence a line. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_text(explanation: *const arpflux_explanation) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(explanation)?.text.as_ptr()))
}

/// All of it as one JSON object with `"schema": 1`, as `arpflux explain --stdin --json` prints one in a line.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_to_json(
    explanation: *const arpflux_explanation,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(explanation)?.explanation)?))
        })
    }
}

/// Frees an explanation. NULL and explanations already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_explanation_free(explanation: *mut arpflux_explanation) {
    handle::free::<Owned>(explanation);
}
