//! The arpflux command.
fn main() {}
