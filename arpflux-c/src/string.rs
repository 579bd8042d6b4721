//! Text across the boundary: UTF-8, ending in NUL.

use std::ffi::{CStr, CString, c_char};

use arpflux_core::types::IfName;
use arpflux_core::{Error, ErrorKind, Result};

use crate::boundary;
use crate::handle;

const NAME: &str = "arpflux string";

/// Borrows a text argument.
///
/// # Safety
/// `text` is NULL, or ends in NUL and stays as it is for `'a`.
pub(crate) unsafe fn borrow<'a>(text: *const c_char, name: &'static str) -> Result<&'a str> {
    if text.is_null() {
        return Err(boundary::null(name));
    }
    // SAFETY: the caller says so.
    utf8(unsafe { CStr::from_ptr(text) }.to_bytes(), name)
}

/// Bytes that must be UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], name: &'static str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "it is not UTF-8").during("call with argument").on(name)
    })
}

/// A text for C to read, cut at a NUL inside (which no text of arpflux has).
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text.as_bytes()[..end]).unwrap_or_default()
}

/// Each item as a text for C to read.
pub(crate) fn c_strings<T: ToString>(list: &[T]) -> Vec<CString> {
    list.iter().map(|item| c_string(&item.to_string())).collect()
}

/// An interface's name for C to read: bytes, as the kernel has them.
pub(crate) fn c_name(name: &IfName) -> CString {
    CString::new(name.as_bytes()).unwrap_or_default()
}

/// A text for C to keep, to be freed by `arpflux_string_free`.
pub(crate) fn give(text: &str) -> *mut c_char {
    let text = c_string(text).into_raw();
    handle::note(text.cast_const(), NAME);
    text
}

/// Frees a text that arpflux returned as `char *`. NULL, and what is not such a text, is left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_string_free(text: *mut c_char) {
    boundary::getter((), || {
        if handle::forget(text.cast_const(), NAME) {
            // SAFETY: it came from `CString::into_raw` in `give`, and nobody else can take it back now.
            drop(unsafe { CString::from_raw(text) });
        }
        Some(())
    });
}
