//! `arpflux diagnose --persisted`.

use std::path::PathBuf;

use arpflux_core::persist::sysctld::Assignment;
use arpflux_core::persist::{BootReport, BootValue, Layout, at_boot};
use arpflux_core::{Result, Snapshot};
use serde::Serialize;

use crate::exit;
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// More entries than this are only counted.
const SHOWN: usize = 40;

/// For looking at the next boot instead of at now.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Say what the next boot brings instead: which file sets each value, which line wins, and where the
    /// host will be otherwise than now. Exit code 1 if it will be.
    #[arg(long, conflicts_with_all = ["policy", "ignore", "no_impact", "list", "fail_on", "boot"])]
    pub persisted: bool,
    /// The folder that stands for / of the host that boots: an image, or a container's /proc/PID/root.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    root: PathBuf,
}

impl Args {
    /// Where the files are.
    pub fn layout(&self) -> Layout {
        Layout { root: self.root.clone(), ..Layout::default() }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    differences: usize,
    #[serde(flatten)]
    report: &'a BootReport,
}

/// Prints what the next boot brings; exit code 1 if anything will be otherwise than in `snapshot`.
///
/// # Errors
/// If a file that is there cannot be read.
pub fn run(args: &Args, snapshot: &Snapshot, output: &Output) -> Result<u8> {
    let report = at_boot(snapshot, &args.layout())?;
    let differences = report.differences();
    if output.json() {
        output.answer(&Answer { ok: differences == 0, differences, report: &report })?;
    } else {
        output.text(text(&report, differences, output))?;
    }
    Ok(if differences == 0 { exit::GOOD } else { exit::BAD })
}

fn text(report: &BootReport, differences: usize, output: &Output) -> String {
    let mut text = match &report.policy {
        None => "no policy is applied at boot\n".to_owned(),
        Some(policy) => {
            let by: Vec<String> = policy.applied_by.iter().map(ToString::to_string).collect();
            let kept = match &policy.error {
                None => String::new(),
                Some(error) => format!("\n{} {error}", output.paint(Style::Bad, "it does not count:")),
            };
            format!("policy {}, applied at boot by {}{kept}\n", policy.file, by.join(", "))
        }
    };
    if !report.values.is_empty() {
        let mut table = Table::new(["value", "now", "boot", "set by", "does not count"]);
        for value in &report.values {
            table.row(row(value));
        }
        text += &format!("\n{}", table.render(output));
    }
    if !report.entries.is_empty() {
        text += "\nfrom now to after the boot:\n";
        for entry in report.entries.iter().take(SHOWN) {
            text += &format!("  {}\n", entry.text);
        }
        if report.entries.len() > SHOWN {
            text += &format!("  and {} more (all with --json)\n", report.entries.len() - SHOWN);
        }
    }
    text += &match differences {
        0 => output.paint(Style::Good, "\nafter a boot everything will be as it is now\n"),
        1 => output.paint(Style::Caution, "\n1 difference after a boot\n"),
        count => output.paint(Style::Caution, format!("\n{count} differences after a boot\n")),
    };
    text
}

fn row(value: &BootValue) -> [Cell; 5] {
    let boot = value.at_boot.map_or_else(|| "0 (default)".to_owned(), |number| number.to_string());
    let by_file = value.set_by.as_ref().map_or_else(|| "nothing".to_owned(), |line| place(line, value));
    let set_by = match (value.by_policy, &value.set_by) {
        (Some(number), Some(line)) if line.number() != Some(number) => format!("the policy, after {by_file}"),
        (Some(_), None) => "the policy".into(),
        _ => by_file,
    };
    let ignored: Vec<String> = value.ignored.iter().map(|line| said(line, value)).collect();
    let mark = if value.differs() { Style::Bad } else { Style::Good };
    [
        Cell::new(&value.key),
        Cell::new(value.now),
        Cell::new(boot).style(mark),
        Cell::new(set_by),
        Cell::new(ignored.join(", ")),
    ]
}

/// The line, with its key where that is another one: `/etc/sysctl.d/50.conf:3 (net/ipv4/conf/*/rp_filter)`.
fn place(line: &Assignment, value: &BootValue) -> String {
    let key = if line.key == value.key { String::new() } else { format!(" ({})", line.key) };
    format!("{}:{}{key}", line.file.display(), line.line)
}

/// The same with what it would have set.
fn said(line: &Assignment, value: &BootValue) -> String {
    format!("{} = {}", place(line, value), line.value.as_deref().unwrap_or_default())
}
