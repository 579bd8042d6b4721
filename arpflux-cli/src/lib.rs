//! The `arpflux` command as a library: one verb per stage of the pipeline, see [`run`].
//!
//! Nothing is decided here: a verb reads its arguments, calls `arpflux_core`, and prints.

mod input;
mod output;
mod table;
mod verb;

use std::ffi::OsString;

use arpflux_core::exit::Exit;
use arpflux_core::{Error, ErrorKind};
use clap::Parser;

pub use input::Source;
pub use output::Output;
pub use table::{Cell, Table};
use verb::Verb;

/// Addresses by interfaces, one letter a cell, with a legend: what `explain` prints, without colours.
#[must_use]
pub fn matrix_text(matrix: &arpflux_core::predict::Matrix) -> String {
    verb::matrix_letters(matrix, true, &Output::new(false, output::Colour::Never))
}

/// The exit codes that verbs give themselves; [`arpflux_core::exit`] has the table of all.
pub mod exit {
    use arpflux_core::exit::Exit;

    /// Good.
    pub const GOOD: u8 = Exit::Good.code();
    /// The answer is bad: findings, flux, verification failed.
    pub const BAD: u8 = Exit::Bad.code();
    /// Usage, or a bad file.
    pub const USAGE: u8 = Exit::Usage.code();
    /// It was tried, and everything is as it was.
    pub const RESTORED: u8 = Exit::Restored.code();
    /// Cannot be told.
    pub const UNDETERMINED: u8 = Exit::Undetermined.code();
    /// The network namespace that was watched is gone.
    pub const GONE: u8 = Exit::Gone.code();
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
3 not permitted; 4 failed and restored; 5 failed and NOT fully restored; 6 cannot be told (the last line
says what could not be read, and how to); 7 busy (another writer or a change on trial is in the way, and
nothing was tried); 8 the network namespace that was watched is gone.

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
    #[arg(long, help_heading = "Output", global = true)]
    json: bool,
    /// When to use colour: auto (on a terminal, unless the variable NO_COLOR is set or TERM is dumb), always, never.
    #[arg(
        long,
        help_heading = "Output",
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    color: output::Colour,
    /// Print long texts at once; else a terminal shows them by the pager of ARPFLUX_PAGER or PAGER (default: less).
    #[arg(long, help_heading = "Output", global = true)]
    no_pager: bool,
}

/// Runs the command with the arguments `args` (the program's name first) and gives the exit code.
///
/// Prints to standard output and standard error. Never panics on any argument.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let asked_for_json = args.iter().any(|argument| argument == "--json");
    let command = match Command::try_parse_from(args) {
        Ok(command) => command,
        Err(mut error) => {
            // --help and --version are "errors" too; a closed pipe is no reason to fail.
            if !error.use_stderr() {
                let _ = error.print();
                return exit::GOOD;
            }
            usage(&mut error, asked_for_json);
            return exit::USAGE;
        }
    };
    let output = Output::new(command.common.json, command.common.color)
        .paged(!command.common.no_pager && command.verb.pages());
    let changes = command.verb.changes();
    if command.verb.is_told_to_stop()
        && let Err(error) = arpflux_core::wire::stop_on_interrupt()
    {
        output.error(&error);
        return Exit::of_error(error.kind(), changes).code();
    }
    match command.verb.run(&output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            Exit::of_error(error.kind(), changes).code()
        }
    }
}

/// What people type, and the verb that does it.
const HABITS: &[(&str, &str)] = &[
    ("fix", "recommend"),
    ("cure", "recommend"),
    ("repair", "recommend"),
    ("init", "recommend"),
    ("show", "snapshot"),
    ("list", "explain"),
    ("ls", "explain"),
    ("why", "explain"),
    ("who", "explain"),
    ("test", "verify"),
    ("prove", "verify"),
    ("diff", "plan"),
    ("preview", "plan"),
    ("run", "apply"),
    ("install", "apply --persist"),
    ("keep", "confirm"),
    ("revert", "rollback"),
    ("history", "rollback --list"),
    ("log", "rollback --list"),
    ("monitor", "watch"),
    ("ping", "probe"),
    ("arping", "probe"),
    ("garp", "announce"),
    ("pcap", "capture"),
];

/// Says what is wrong with the arguments, and what was meant, if that can be guessed.
fn usage(error: &mut clap::Error, json: bool) {
    let tip = meant(error).map(str::to_owned).or_else(|| elsewhere(error));
    // That an option may be passed as a value helps nobody here: no verb takes such values.
    let suggestion = error.get(clap::error::ContextKind::Suggested).map(ToString::to_string);
    if suggestion.is_some_and(|words| words.contains("as a value")) {
        error.remove(clap::error::ContextKind::Suggested);
    }
    let words = error.render().to_string();
    let output = Output::new(json, output::Colour::Never);
    if !json {
        output.note(words.trim_end());
        if let Some(tip) = tip {
            output.note(format!("\n  tip: that may be 'arpflux {tip}'"));
        }
        return;
    }
    let mut paragraphs =
        words.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let found = Error::new(ErrorKind::InvalidInput, message).during("read the arguments");
    let tips = paragraphs.find_map(|text| text.strip_prefix("tip: ").map(str::to_owned));
    let tip = tip.map(|tip| format!("that may be 'arpflux {tip}'")).or(tips);
    output.error(&match tip {
        Some(tip) => found.hint(tip),
        None => found,
    });
}

/// The verb that somebody may have meant by one that is none and looks like none.
fn meant(error: &clap::Error) -> Option<&'static str> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let ContextValue::String(typed) = error.get(ContextKind::InvalidSubcommand)? else { return None };
    HABITS.iter().find(|(word, _)| word == typed).map(|(_, verb)| *verb)
}

/// The verb that takes what this one does not.
fn elsewhere(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let ContextValue::String(typed) = error.get(ContextKind::InvalidArg)? else { return None };
    match typed.as_str() {
        "--snapshot" => Some("plan --snapshot FILE: this verb is for the running kernel".into()),
        "--confirm" => Some("apply --confirm TIME".into()),
        "--force" => Some("apply --accept-harm".into()),
        finding if finding.to_ascii_uppercase().parse::<arpflux_core::diagnose::FindingId>().is_ok() => {
            Some("diagnose --list".into())
        }
        address if address.parse::<std::net::Ipv4Addr>().is_ok() => Some(format!("explain {address}")),
        file if file.ends_with(".toml") => Some(format!("plan {file}")),
        file if file.ends_with(".json") => Some(format!("diagnose --snapshot {file}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn arguments_are_consistent() {
        super::Command::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_examples_that_can_be_typed() {
        for verb in super::Command::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> =
                help.lines().filter_map(|line| line.trim().strip_prefix("arpflux ")).collect();
            assert!(examples.len() >= 2, "{}: {examples:?}", verb.get_name());
            for example in examples {
                // What stands behind two spaces explains; what stands behind > or | is the shell's.
                let typed = example.split("  ").next().unwrap().split(['>', '|']).next().unwrap();
                let words = std::iter::once("arpflux").chain(typed.split_whitespace());
                if let Err(error) = super::Command::try_parse_from(words) {
                    panic!("{example}: {error}");
                }
            }
        }
    }

    #[test]
    fn habits_lead_to_verbs_that_are_there() {
        for (typed, verb) in super::HABITS {
            let words =
                |text: &str| format!("arpflux {text}").split(' ').map(String::from).collect::<Vec<_>>();
            let error = super::Command::try_parse_from(words(typed));
            assert!(matches!(&error, Err(error) if super::meant(error) == Some(*verb)), "{typed}");
            let known = super::Command::try_parse_from(words(verb));
            assert!(
                known.is_ok()
                    || known.is_err_and(|error| !error.use_stderr() || super::meant(&error).is_none())
            );
        }
    }

    #[test]
    fn completions_and_manual_pages_are_made() {
        let folder = std::env::temp_dir().join(format!("arpflux-man-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(super::run(["arpflux".into(), "man".into(), folder.clone().into()]), super::exit::GOOD);
        let page = std::fs::read_to_string(folder.join("arpflux-apply.1")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(page.contains("confirm"), "{page}");
        for shell in ["bash", "zsh", "fish"] {
            assert!(super::Command::try_parse_from(["arpflux", "completions", shell]).is_ok());
        }
    }
}
