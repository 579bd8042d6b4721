//! Calling back into C.

use std::ffi::c_void;

/// A caller's `context`, on its way to the thread that calls him back.
#[derive(Clone, Copy)]
pub(crate) struct Context(*mut c_void);

impl Context {
    pub(crate) fn new(context: *mut c_void) -> Self {
        Self(context)
    }

    /// What the caller gave.
    pub(crate) fn get(&self) -> *mut c_void {
        self.0
    }
}

// SAFETY: this library never follows it. The caller waits while another thread hands it to his function, as the text of
// every function that takes one says, so that there is never more than one thread at it.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}
