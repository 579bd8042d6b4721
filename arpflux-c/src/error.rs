//! Owned errors.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use arpflux_core::Error;

use crate::boundary::getter;
use crate::code::arpflux_code;
use crate::handle::{self, Handle};
use crate::string::c_string;

/// What failed, on what, why, and what to do about it. Owned by the caller: free it with
/// `arpflux_error_free`.
pub struct arpflux_error {
    _private: [u8; 0],
}

struct Owned {
    code: arpflux_code,
    hint: Option<CString>,
    text: CString,
    errno: c_int,
    exit_code: c_int,
    transient: bool,
}

impl Handle for Owned {
    type C = arpflux_error;
    const NAME: &'static str = "arpflux_error";
}

/// An error for C to keep.
pub(crate) fn give(error: Error) -> *mut arpflux_error {
    let kind = error.kind();
    handle::give(Owned {
        code: arpflux_code::from(kind),
        hint: error.remedy().map(bounded),
        text: bounded(&error.to_string()),
        errno: error.errno().unwrap_or(0),
        exit_code: c_int::from(kind.exit_code()),
        transient: kind.is_transient(),
    })
}

/// Texts of errors repeat what was given: for a log, this much of it will do.
const LONGEST: usize = 4096;

fn bounded(text: &str) -> CString {
    if text.len() <= LONGEST {
        return c_string(text);
    }
    let boundary =
        |from: usize| (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (start, end) = (boundary(LONGEST / 2 - 3), boundary(text.len() - LONGEST / 2));
    c_string(&format!("{} ... {}", &text[..start], &text[end..]))
}

/// A text inside an error, which lives as long as the error's handle does.
fn text(error: *const arpflux_error, of: impl FnOnce(&Owned) -> Option<&CString>) -> *const c_char {
    // The count taken here is given back before the pointer is used; the handle holds another.
    getter(ptr::null(), || of(&*handle::find::<Owned>(error)?).map(|text| text.as_ptr()))
}

/// The stable number of the class of failure; `ARPFLUX_CODE_OK` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_code(error: *const arpflux_error) -> arpflux_code {
    getter(arpflux_code::Ok, || Some(handle::find::<Owned>(error)?.code))
}

/// The system's error number, or 0 if no system call failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_errno(error: *const arpflux_error) -> c_int {
    getter(0, || Some(handle::find::<Owned>(error)?.errno))
}

/// What to do about it, not much longer than 4096 bytes, or NULL where that is not known. Borrowed from the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_hint(error: *const arpflux_error) -> *const c_char {
    text(error, |error| error.hint.as_ref())
}

/// All of it as one line for people, not much longer than 4096 bytes. Borrowed from the error; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_text(error: *const arpflux_error) -> *const c_char {
    text(error, |error| Some(&error.text))
}

/// The exit code that the command `arpflux` ends with for this failure: 1 the answer is bad, 2 usage or a
/// bad file, 3 not permitted, 4 failed and restored, 5 failed and not fully restored; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_exit_code(error: *const arpflux_error) -> c_int {
    getter(0, || Some(handle::find::<Owned>(error)?.exit_code))
}

/// Whether the same call may succeed if it is made again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_is_transient(error: *const arpflux_error) -> bool {
    getter(false, || Some(handle::find::<Owned>(error)?.transient))
}

/// Frees an error. NULL and errors already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_error_free(error: *mut arpflux_error) {
    handle::free::<Owned>(error);
}
