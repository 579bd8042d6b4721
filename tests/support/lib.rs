//! What the tests on the real kernel share.

pub mod anonymous;
pub mod iproute;
pub mod watched;
