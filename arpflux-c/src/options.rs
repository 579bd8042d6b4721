//! Structs of options that may grow: they begin with their size as the caller knew it.

use arpflux_core::{Error, ErrorKind, Result};

use crate::boundary::null;

/// A struct that begins with `size: usize` and for which all bytes 0 are a valid value.
///
/// # Safety
/// Both must be so, and the struct must be `repr(C)`.
pub(crate) unsafe trait Sized0: Copy {}

/// Reads a caller's struct, which may be of an older, shorter version (what it lacks is 0) or of a newer,
/// longer one (whose tail this library does not know, and which must be 0 to mean nothing).
///
/// # Safety
/// `options` is NULL or points to as many bytes as its first member says.
pub(crate) unsafe fn read<T: Sized0>(options: *const T, name: &'static str) -> Result<T> {
    if options.is_null() {
        return Err(null(name));
    }
    let bad = |what: String| {
        Error::new(ErrorKind::InvalidInput, what)
            .during("call with argument")
            .on(format!("{name}.size"))
            .hint("set it to sizeof of the struct, and the rest to 0 before the members that matter")
    };
    // SAFETY: it is not NULL, and begins with its size.
    let size = unsafe { options.cast::<usize>().read() };
    if size < size_of::<usize>() || size > 4096 {
        return Err(bad(format!("{size} is not the size of this struct")));
    }
    // SAFETY: the trait says that zeroes are a value of it.
    let mut known = unsafe { std::mem::zeroed::<T>() };
    let common = size.min(size_of::<T>());
    // SAFETY: both sides have that many bytes, and any bytes that C wrote there are a value of a `repr(C)`
    // struct of integers, pointers and `bool`s that hold 0 or 1.
    unsafe {
        std::ptr::copy_nonoverlapping(options.cast::<u8>(), (&raw mut known).cast::<u8>(), common);
    }
    for at in common..size {
        // SAFETY: below the size that the caller gave.
        if unsafe { options.cast::<u8>().add(at).read() } != 0 {
            return Err(bad(format!(
                "it sets members that version {} does not have",
                env!("CARGO_PKG_VERSION")
            )));
        }
    }
    Ok(known)
}

/// The same, and all 0 where it is NULL.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn read_or_default<T: Sized0>(options: *const T, name: &'static str) -> Result<T> {
    if options.is_null() {
        // SAFETY: the trait says that zeroes are a value of it.
        return Ok(unsafe { std::mem::zeroed::<T>() });
    }
    // SAFETY: the caller says so.
    unsafe { read(options, name) }
}
