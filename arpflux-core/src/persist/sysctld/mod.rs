//! `sysctl.d` as systemd-sysctl reads it: which file sets a value at boot, and which one wins.
//!
//! The order, in short: files of the same name in an earlier folder hide those in a later one; the
//! remaining files are read in the order of their names, whatever their folder; of two assignments
//! of the same key the later one counts. A key with `*`, `?` or `[` stands for every file that it
//! matches then, except those that any file assigns by their full name, before or after: a full name
//! always beats a pattern. `-KEY` without a value takes a key out of all patterns.

mod key;
mod pattern;
mod read;
mod write;

pub use key::Key;
pub(super) use pattern::matches;
pub use read::{Assignment, BootSysctls, FOLDERS};
pub(super) use read::{Reader, order, parse as assignments};
pub(super) use write::write;

/// The file that arpflux writes. Its name sorts behind Debian's `99-sysctl.conf`.
pub const FILE: &str = "/etc/sysctl.d/99-zz-arpflux.conf";

#[cfg(test)]
pub(crate) mod tests;
