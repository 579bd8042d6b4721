//! `arpflux demo`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use arpflux_core::{Error, ErrorKind, Result};
use arpflux_lab::demo::{self, Report, Seen, Telling};

use crate::exit;
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// See the problem and the cure: a node with three interfaces on one wire, its client and two
/// containers, built in throw-away namespaces, with real frames.
///
/// Changes nothing on this host and needs no root where users may make namespaces. Exit code 1 if
/// anything is not as it should be.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder for the capture files. Default: a new one among the temporary files, named at the end.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only say what is not as it should be, and the table at the end.
    #[arg(long, short)]
    quiet: bool,
}

/// A folder that goes with its contents.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted stays among the temporary files, for the system to clean up.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A new folder among the temporary files, for this user alone.
fn fresh_folder(purpose: &str) -> Result<PathBuf> {
    // Without symbolic links on the way: state is not kept behind those.
    let parent = std::env::temp_dir();
    let failed = |error: std::io::Error| Error::file("make folder in", &parent, &error);
    let parent = parent.canonicalize().map_err(failed)?;
    for number in 0.. {
        let path = parent.join(format!("arpflux-{purpose}-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1000 => {}
            Err(error) => return Err(failed(error)),
            Ok(()) => return Ok(path),
        }
    }
    Err(Error::new(ErrorKind::Internal, "no name was free").during("make folder"))
}

/// Runs the verb.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] where namespaces are forbidden, and whatever fails on the way.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    arpflux_lab::enter()?;
    let out = match &args.out {
        Some(path) => path.clone(),
        None => fresh_folder("demo")?,
    };
    let state = Scratch(fresh_folder("state")?);
    let mut printed = Ok(());
    let report = demo::run(&out, &state.0, &mut |telling| {
        let wanted =
            !output.json() && (!args.quiet || matches!(&telling, Telling::Check(check) if !check.ok));
        if wanted && printed.is_ok() {
            printed = output.text(line(&telling, output));
        }
    })?;
    drop(state);
    printed?;
    if output.json() {
        output.answer(&report)?;
    } else {
        conclude(&report, &out, output)?;
    }
    Ok(if report.ok { exit::GOOD } else { exit::BAD })
}

fn line(telling: &Telling, output: &Output) -> String {
    match telling {
        Telling::Act(title) => format!("\n{}\n", output.paint(Style::Strong, title)),
        Telling::Text(text) => format!("  {text}\n"),
        Telling::Command(text) => format!("  {}\n", output.paint(Style::Faint, text)),
        Telling::Frame { text, notable: true } => format!("    {}\n", output.paint(Style::Caution, text)),
        Telling::Frame { text, notable: false } => format!("    {text}\n"),
        Telling::Check(check) if check.ok => {
            format!("  {} {}\n", output.paint(Style::Good, "ok"), check.claim)
        }
        Telling::Check(check) => format!(
            "  {} {}\n     seen: {}\n",
            output.paint(Style::Bad, "NOT SO"),
            check.claim,
            check.seen.as_deref().unwrap_or_default()
        ),
    }
}

fn conclude(report: &Report, out: &Path, output: &Output) -> Result<()> {
    let mut table =
        Table::new(["address", "of", "before: answered by", "leaves by", "after: answered by", "leaves by"]);
    for row in &report.addresses {
        let cell = |names: &[String]| {
            let right = names == [row.wanted.as_str()];
            let text = if names.is_empty() { "nobody".into() } else { names.join(" ") };
            Cell::new(text).style(if right { Style::Good } else { Style::Bad })
        };
        let cells = |seen: &Seen| [cell(&seen.answered_by), cell(&seen.left_by)];
        let [before, left_before] = cells(&row.before);
        let [after, left_after] = cells(&row.after);
        table.row([Cell::new(row.address), Cell::new(&row.owner), before, left_before, after, left_after]);
    }
    let held = report.checks.iter().filter(|check| check.ok).count();
    let verdict = format!(
        "{held} of {} claims hold ({:.1} s)",
        report.checks.len(),
        std::time::Duration::from_millis(report.took_ms).as_secs_f64()
    );
    let style = if report.ok { Style::Good } else { Style::Bad };
    output.text(format!(
        "\n{}\n{}\nCaptures, for tcpdump -enr or Wireshark: {}\n",
        table.render(output),
        output.paint(style, verdict),
        out.display()
    ))
}
