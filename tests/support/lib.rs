//! What the tests on the real kernel share.

pub mod iproute;
pub mod watched;
