//! The verbs, one file each.

mod announce;
mod apply;
mod capture;
mod confirm;
mod demo;
mod detect;
mod diagnose;
mod explain;
mod plan;
mod probe;
mod proxy;
mod recommend;
mod recover;
mod rollback;
mod segments;
mod snapshot;
mod verify;
mod vz;
mod watch;

use arpflux_core::Result;

use crate::Output;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Say who answers for an address, or for every address, and which rule of the kernel decides.
    Explain(explain::Args),
    /// Say what is wrong with a host, why, what to do, and what that would change elsewhere.
    Diagnose(diagnose::Args),
    /// Write a policy that fits this host, with the reasons and the proof.
    Recommend(recommend::Args),
    /// Say what has to change so that a policy holds, why, and which answers change with it.
    Plan(plan::Args),
    /// Check that the host is as a policy says.
    Verify(verify::Args),
    /// Make a policy so, as one transaction.
    Apply(apply::Args),
    /// Take a transaction back exactly.
    Rollback(rollback::Args),
    /// Keep what `apply --confirm` made on trial.
    Confirm(confirm::Args),
    /// Undo what a crash left half done.
    Recover(recover::Args),
    /// List, add and delete proxy entries.
    Proxy(proxy::Args),
    /// Tell everybody on the wire that addresses are at one interface (gratuitous ARP).
    Announce(announce::Args),
    /// See the problem and the cure, with real frames in throw-away namespaces.
    Demo(demo::Args),
    /// Find out whether somebody else has addresses already.
    Detect(detect::Args),
    /// Ask who has addresses, and count the MACs that answer.
    Probe(probe::Args),
    /// Find out which of this host's interfaces share a wire, by a frame from each.
    Segments(segments::Args),
    /// Read captures and say which addresses have several MACs, and why.
    Capture(capture::Args),
    /// Keep watch over a policy: say what drifts from it, and with --heal put it right.
    Watch(watch::Args),
    /// Publish addresses of OpenVZ containers on the right interface only, from vzctl's scripts.
    Vz(vz::Args),
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
            Self::Explain(args) => explain::run(&args, output),
            Self::Diagnose(args) => diagnose::run(&args, output),
            Self::Recommend(args) => recommend::run(&args, output),
            Self::Plan(args) => plan::run(&args, output),
            Self::Verify(args) => verify::run(&args, output),
            Self::Apply(args) => apply::run(&args, output),
            Self::Rollback(args) => rollback::run(&args, output),
            Self::Confirm(args) => confirm::run(&args, output),
            Self::Recover(args) => recover::run(&args, output),
            Self::Proxy(args) => proxy::run(&args, output),
            Self::Announce(args) => announce::run(&args, output),
            Self::Demo(args) => demo::run(&args, output),
            Self::Detect(args) => detect::run(&args, output),
            Self::Probe(args) => probe::run(&args, output),
            Self::Segments(args) => segments::run(&args, output),
            Self::Capture(args) => capture::run(&args, output),
            Self::Watch(args) => watch::run(&args, output),
            Self::Vz(args) => vz::run(&args, output),
            Self::Snapshot(args) => snapshot::run(&args, output),
        }
    }
}
