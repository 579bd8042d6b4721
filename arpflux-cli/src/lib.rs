//! The `arpflux` command as a library: one verb per stage of the pipeline, see [`run`].
//!
//! Nothing is decided here: a verb reads its arguments, calls `arpflux_core`, and prints.

mod input;
mod output;
mod table;
mod verb;

use std::ffi::OsString;

use clap::Parser;

pub use input::Source;
pub use output::Output;
pub use table::{Cell, Table};
use verb::Verb;

/// The exit codes of every verb; an error's own is [`arpflux_core::ErrorKind::exit_code`].
pub mod exit {
    /// Good.
    pub const GOOD: u8 = 0;
    /// The answer is bad: findings, flux, verification failed.
    pub const BAD: u8 = 1;
    /// Usage, or a bad file.
    pub const USAGE: u8 = 2;
}

/// Which interface answers ARP for which address, why, and how to make it exactly one.
///
/// On a host with several interfaces on one subnet Linux answers ARP for any of its addresses on
/// every one of them, so addresses drift between MACs. arpflux says who answers and which kernel
/// rule decided it, what to change, makes the change as one transaction that can be undone, and
/// proves the result.
#[derive(Debug, Parser)]
#[command(
    name = "arpflux",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 good; 1 the answer is bad (findings, flux, verification failed); 2 usage or a bad file;
3 not permitted; 4 failed and restored; 5 failed and NOT fully restored.

Start with:  arpflux demo            see the problem and the cure in throw-away namespaces
             arpflux explain         who answers for which address on this host, and why"
)]
struct Command {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// Print JSON (one object with "schema": 1) instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// When to use colour. The variable NO_COLOR turns it off as well.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: output::Colour,
}

/// Runs the command with the arguments `args` (the program's name first) and gives the exit code.
///
/// Prints to standard output and standard error. Never panics on any argument.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let command = match Command::try_parse_from(args) {
        Ok(command) => command,
        Err(error) => {
            // --help and --version are "errors" too; a closed pipe is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() { exit::USAGE } else { exit::GOOD };
        }
    };
    let output = Output::new(command.common.json, command.common.color);
    match command.verb.run(&output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            error.kind().exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn arguments_are_consistent() {
        super::Command::command().debug_assert();
    }
}
