//! `arpflux recommend`.

use std::path::{Path, PathBuf};

use arpflux_core::outward::Recommended;
use arpflux_core::persist;
use arpflux_core::recommend::{Recommendation, recommend_with};
use arpflux_core::segment::Wires;
use arpflux_core::{Error, ErrorKind, Result};

use crate::Source;
use crate::input::{folder_of, quoted, read_text};
use crate::output::{Output, Style};
use crate::verb::rehearse;

/// Write a policy that fits this host, with comments that say why, and the proof that it works here.
///
/// Nothing is sent and nothing is changed. The host is recognised (one subnet, several, many rails, proxies,
/// service addresses, Kubernetes, two uplinks, a cloud), policies that fit are tried on a copy of it, and one
/// that would break something is refused with the reason; so are the recipes often told, where they would.
/// The exit code is 6 if some of the proof cannot be told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the policy to this file, whose name ends in .toml, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there and says something else.
    #[arg(long, requires = "out")]
    force: bool,
    /// Which interfaces share a wire, as `arpflux segments --json` prints it. Default: what the subnets tell.
    #[arg(long, value_name = "FILE")]
    segments: Option<PathBuf>,
    /// Try the policy on a twin of the host, as `arpflux rehearse` does, and write none if it does harm there.
    #[arg(long)]
    rehearse: bool,
    #[command(flatten)]
    source: Source,
}

/// Runs the verb.
///
/// # Errors
/// If there is no snapshot to be had, no policy would work on the host, or the file cannot be written.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    if args.rehearse {
        arpflux_lab::enter()?;
    }
    let snapshot = args.source.snapshot()?;
    let wires = args.segments.as_deref().map(|path| Wires::from_json(&read_text(path)?)).transpose()?;
    let recommended = recommend_with(&snapshot, wires.as_ref())?;
    if args.rehearse {
        rehearse::first(&snapshot, &recommended.policy.plan(&snapshot)?, false, output)?;
    }
    let file = recommended.to_toml()?;
    if let Some(path) = &args.out {
        write(path, &file, args.force)?;
    }
    if output.json() {
        output.answer(&Recommended::new(&recommended)?)?;
    } else if let Some(path) = &args.out {
        output.text(summary(&recommended, path, output))?;
    } else {
        output.text(file)?;
    }
    if let (Some(line), false) = (recommended.last_line(), output.json()) {
        // Standard output is the policy itself.
        match args.out {
            Some(_) => output.text(format!("{}\n", output.paint(Style::Caution, line)))?,
            None => output.note(line),
        }
    }
    Ok(recommended.judgement().exit_code())
}

/// Writes the file, unless another text would be lost.
fn write(path: &Path, text: &str, force: bool) -> Result<()> {
    let refused = |message: &str, hint: &str| {
        Err(Error::new(ErrorKind::InvalidInput, message.to_owned())
            .during("recommend")
            .on(path)
            .hint(hint.to_owned()))
    };
    if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("toml")) {
        return refused(
            "the name of the file does not end in .toml",
            "give it that ending: other verbs go by it",
        );
    }
    // Reading a pipe would wait for ever; what is no file is refused when it is to be replaced.
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
    if is_file && !force && std::fs::read(path).ok().as_deref() != Some(text.as_bytes()) {
        return refused("the file is there and says something else", "compare the two, then use --force");
    }
    folder_of(path)?;
    persist::replace(path, text, 0o644)
}

fn summary(recommended: &Recommendation, path: &Path, output: &Output) -> String {
    let mut text = String::new();
    for seen in &recommended.seen {
        text += &format!("seen      {seen}\n");
    }
    for line in recommended.proved() {
        text += &format!("{}    {line}\n", output.paint(Style::Good, "proved"));
    }
    for note in &recommended.notes {
        text += &format!("{}      {note}\n", output.paint(Style::Caution, "note"));
    }
    for left in &recommended.left {
        text += &format!("{}      {left}\n", output.paint(Style::Bad, "left"));
    }
    for refused in &recommended.refused {
        text +=
            &format!("{}   {}: {}\n", output.paint(Style::Caution, "refused"), refused.recipe, refused.why);
    }
    let file = quoted(&path.display().to_string());
    text + &format!("\nWritten to {file}; `arpflux apply` makes it so.\nNext: arpflux plan {file}\n")
}
