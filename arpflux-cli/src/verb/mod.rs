//! The verbs, one file each.

mod announce;
mod apply;
mod capture;
mod confirm;
mod demo;
mod detect;
mod diagnose;
mod examples;
mod explain;
mod plan;
mod probe;
mod proxy;
mod recommend;
mod recover;
mod reference;
mod rehearse;
mod rollback;
mod schema;
mod segments;
mod snapshot;
mod verify;
mod vz;
mod watch;

pub use explain::matrix::letters as matrix_letters;

use arpflux_core::Result;

use crate::Output;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Say who answers for an address, or for every address, and which rule of the kernel decides.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::Args),
    /// Say what is wrong with a host, why, what to do, and what that would change elsewhere.
    #[command(after_help = examples::DIAGNOSE, aliases = ["status", "check"])]
    Diagnose(diagnose::Args),
    /// Write a policy that fits this host, with the reasons and the proof.
    #[command(after_help = examples::RECOMMEND)]
    Recommend(recommend::Args),
    /// Say what has to change so that a policy holds, why, and which answers change with it.
    #[command(after_help = examples::PLAN)]
    Plan(plan::Args),
    /// Try a plan on a twin of the host in throw-away namespaces, with real frames.
    #[command(after_help = examples::REHEARSE)]
    Rehearse(rehearse::Args),
    /// Check that the host is as a policy says.
    #[command(after_help = examples::VERIFY)]
    Verify(verify::Args),
    /// Make a policy so, as one transaction.
    #[command(after_help = examples::APPLY)]
    Apply(apply::Args),
    /// Take a transaction back exactly.
    #[command(after_help = examples::ROLLBACK, aliases = ["undo"])]
    Rollback(rollback::Args),
    /// Keep what `apply --confirm` made on trial.
    #[command(after_help = examples::CONFIRM)]
    Confirm(confirm::Args),
    /// Undo what a crash left half done.
    #[command(after_help = examples::RECOVER)]
    Recover(recover::Args),
    /// List, add and delete proxy entries.
    #[command(after_help = examples::PROXY)]
    Proxy(proxy::Args),
    /// Tell everybody on the wire that addresses are at one interface (gratuitous ARP).
    #[command(after_help = examples::ANNOUNCE)]
    Announce(announce::Args),
    /// See the problem and the cure, with real frames in throw-away namespaces.
    #[command(after_help = examples::DEMO)]
    Demo(demo::Args),
    /// Find out whether somebody else has addresses already.
    #[command(after_help = examples::DETECT)]
    Detect(detect::Args),
    /// Ask who has addresses, and count the MACs that answer.
    #[command(after_help = examples::PROBE)]
    Probe(probe::Args),
    /// Find out which of this host's interfaces share a wire, by a frame from each; or who answers among several hosts.
    #[command(after_help = examples::SEGMENTS)]
    Segments(segments::Args),
    /// Read captures and say which addresses have several MACs, and why.
    Capture(capture::Args),
    /// Keep watch over a policy: say what drifts from it, and with --heal put it right.
    #[command(after_help = examples::WATCH)]
    Watch(watch::Args),
    /// Publish addresses of OpenVZ containers on the right interface only, from vzctl's scripts.
    #[command(after_help = examples::VZ)]
    Vz(vz::Args),
    /// Print what the kernel holds: interfaces, addresses, sysctls, routes, rules, proxy entries.
    #[command(after_help = examples::SNAPSHOT)]
    Snapshot(snapshot::Args),
    /// Print the JSON Schema of what `--json` prints and of policy files.
    #[command(after_help = examples::SCHEMA)]
    Schema(schema::Args),
    /// Print what a shell needs to complete arpflux's arguments.
    #[command(after_help = examples::COMPLETIONS)]
    Completions(reference::Completions),
    /// Write the manual pages of the command and of each verb into a folder.
    #[command(hide = true)]
    Man(reference::Man),
}

impl Verb {
    /// Whether it is one that changes the host.
    pub const fn changes(&self) -> bool {
        match self {
            Self::Apply(_)
            | Self::Rollback(_)
            | Self::Confirm(_)
            | Self::Recover(_)
            | Self::Proxy(_)
            | Self::Announce(_)
            | Self::Watch(_)
            | Self::Vz(_) => true,
            Self::Explain(_)
            | Self::Diagnose(_)
            | Self::Recommend(_)
            | Self::Plan(_)
            | Self::Rehearse(_)
            | Self::Verify(_)
            | Self::Demo(_)
            | Self::Detect(_)
            | Self::Probe(_)
            | Self::Segments(_)
            | Self::Capture(_)
            | Self::Snapshot(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }

    /// Whether a signal, from the first moment on, makes it say what became of the change. One that waits for somebody
    /// to type is ended by a signal instead.
    pub fn is_told_to_stop(&self) -> bool {
        match self {
            Self::Apply(args) => args.changes(),
            Self::Rollback(_) | Self::Confirm(_) | Self::Recover(_) => true,
            _ => false,
        }
    }

    /// Whether what it prints may wait for a reader: not where something changes meanwhile.
    pub const fn pages(&self) -> bool {
        match self {
            Self::Proxy(_) | Self::Rollback(_) => true,
            Self::Demo(_) | Self::Rehearse(_) => false,
            _ => !self.changes(),
        }
    }

    /// Does it and gives the exit code.
    ///
    /// # Errors
    /// Whatever failed; [`arpflux_core::exit::Exit::of_error`] is the exit code then.
    pub fn run(self, output: &Output) -> Result<u8> {
        match self {
            Self::Explain(args) => explain::run(&args, output),
            Self::Diagnose(args) => diagnose::run(&args, output),
            Self::Recommend(args) => recommend::run(&args, output),
            Self::Plan(args) => plan::run(&args, output),
            Self::Rehearse(args) => rehearse::run(&args, output),
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
            Self::Schema(args) => schema::run(&args, output),
            Self::Snapshot(args) => snapshot::run(&args, output),
            Self::Completions(args) => args.run(output),
            Self::Man(args) => args.run(),
        }
    }
}
