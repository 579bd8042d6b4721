//! The verbs, one file each.

mod snapshot;

use arpflux_core::Result;

use crate::Output;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Print what the kernel holds: interfaces, addresses, sysctls, routes, rules, proxy entries.
    Snapshot(snapshot::Args),
}

impl Verb {
    /// Does it and gives the exit code.
    ///
    /// # Errors
    /// Whatever failed; [`arpflux_core::ErrorKind::exit_code`] is the exit code then.
    pub fn run(self, output: &Output) -> Result<u8> {
        match self {
            Self::Snapshot(args) => snapshot::run(&args, output),
        }
    }
}
