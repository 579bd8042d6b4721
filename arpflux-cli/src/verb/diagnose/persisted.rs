//! `arpflux diagnose --persisted`.

use std::path::PathBuf;

use arpflux_core::exit::Exit;
use arpflux_core::outward::{Boot, SetBy};
use arpflux_core::persist::sysctld::{Assignment, Key};
use arpflux_core::persist::{BootReport, BootValue, Layout, at_boot, who};
use arpflux_core::{Result, Snapshot};

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
    /// Say which lines set this sysctl at boot, in the order of time: net.ipv4.conf.eth0.arp_ignore.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["persisted", "policy", "ignore", "no_impact", "list", "fail_on", "boot"])]
    pub who: Option<String>,
    /// The folder that stands for / of the host that boots: an image, or a container's /proc/PID/root.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    root: PathBuf,
}

impl Args {
    /// Where the files are.
    pub fn layout(&self) -> Layout {
        Layout::default().root(self.root.clone())
    }
}

/// Prints what the next boot brings; exit code 1 if anything will be otherwise than in `snapshot`.
///
/// # Errors
/// If a file that is there cannot be read.
pub fn run(args: &Args, snapshot: &Snapshot, output: &Output) -> Result<u8> {
    let report = at_boot(snapshot, &args.layout())?;
    let differences = report.differences();
    if output.json() {
        output.answer(&Boot::new(&report))?;
    } else {
        output.text(text(&report, differences, output))?;
    }
    Ok(Exit::of_answer(report.ok()).code())
}

/// Prints what sets one sysctl at boot, line by line; the last one wins. Exit code 6 if something that may set it was not
/// followed.
///
/// # Errors
/// If a file that is there cannot be read, or the key names no sysctl of an interface.
pub fn run_who(args: &Args, key: &str, snapshot: &Snapshot, output: &Output) -> Result<u8> {
    let key = Key::parse(key);
    let lines = who(snapshot, &args.layout(), &key)?;
    let report = at_boot(snapshot, &args.layout())?;
    let value = report.values.into_iter().find(|value| value.key == key);
    let is_open = value.as_ref().is_some_and(|value| value.undetermined_by.is_some());
    let code = if is_open { exit::UNDETERMINED } else { exit::GOOD };
    if output.json() {
        output.answer(&SetBy::new(key.to_string(), &lines, value.as_ref()))?;
        return Ok(code);
    }
    let mut text = format!("{key}\n");
    for (at, line) in lines.iter().enumerate() {
        let wins = if at + 1 == lines.len() { "  <- counts" } else { "" };
        let says = line.value.as_deref().unwrap_or_default();
        text += &format!("  {}:{}  {} = {says}{wins}\n", line.file.display(), line.line, line.key);
    }
    if lines.is_empty() {
        text += "  no line that was followed sets it: the kernel's default comes back\n";
    }
    if let Some(value) = &value {
        for line in value.ignored.iter().filter(|line| !lines.contains(line)) {
            text += &format!("  {}  does not count\n", said(line, value));
        }
        if let Some(number) = value.by_policy {
            text += &format!("  the policy that is applied at boot sets {number} afterwards\n");
        }
        if let Some(by) = &value.undetermined_by {
            text +=
                &format!("  {by} may set it too, before or after: the value after a boot cannot be told\n");
        }
        if let Some(counts) = &value.effective {
            let later = counts.at_boot.map_or_else(|| "not known".into(), |number| number.to_string());
            text += &format!("  counts, together with all: {} now, {later} after a boot", counts.now);
            text += &match &counts.set_by {
                Some(line) => format!(" ({})\n", place(line, value)),
                None => "\n".to_owned(),
            };
        }
    }
    output.text(text)?;
    Ok(code)
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
    let entries = report.entries.iter().map(|entry| entry.text.clone());
    let changes: Vec<String> = entries.chain(report.neighbours.iter().map(ToString::to_string)).collect();
    if !changes.is_empty() {
        text += "\nfrom now to after the boot:\n";
        for change in changes.iter().take(SHOWN) {
            text += &format!("  {change}\n");
        }
        if changes.len() > SHOWN {
            text += &format!("  and {} more (all with --json)\n", changes.len() - SHOWN);
        }
    }
    if !report.unfollowed.is_empty() {
        text += "\nnot followed, though it may set such values:\n";
        for it in report.unfollowed.iter().take(SHOWN) {
            let line = if it.line == 0 { String::new() } else { format!(":{}", it.line) };
            text += &format!("  {}{line}: {} ({})\n", it.file.display(), it.text, it.why);
        }
    }
    if !report.lints.is_empty() {
        text += "\nlines that do not do what they seem to:\n";
        for lint in report.lints.iter().take(SHOWN) {
            let line = if lint.line == 0 { String::new() } else { format!(":{}", lint.line) };
            text += &format!("  {}{line}: {}; remedy: {}\n", lint.file.display(), lint.problem, lint.remedy);
        }
    }
    text += &match differences {
        0 if report.ok().is_none() => output.paint(
            Style::Caution,
            "\nwhat is listed above, and what has a ? before its value, cannot be told; apart from that everything will be as it is now\n",
        ),
        0 => output.paint(Style::Good, "\nafter a boot everything will be as it is now\n"),
        count => {
            let open = match report.undetermined() {
                0 => String::new(),
                open => format!("; {} cannot be told", plural(open, "value", "values")),
            };
            let count = plural(count, "difference", "differences");
            output.paint(Style::Caution, format!("\n{count} after a boot{open}\n"))
        }
    };
    text
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn row(value: &BootValue) -> [Cell; 5] {
    let mark_open = if value.undetermined_by.is_some() { "? " } else { "" };
    let mut boot = value.at_boot.map_or_else(|| "0 (default)".to_owned(), |number| number.to_string());
    // What counts, where it is not what the file says.
    if let Some(counts) = value.effective.as_ref().and_then(|effective| effective.at_boot)
        && counts != value.at_boot.unwrap_or(0)
    {
        boot += &format!(" (counts {counts})");
    }
    let by_file = value.set_by.as_ref().map_or_else(|| "nothing".to_owned(), |line| place(line, value));
    let set_by = match (value.by_policy, &value.set_by) {
        (Some(number), Some(line)) if line.number() != Some(number) => format!("the policy, after {by_file}"),
        (Some(_), None) => "the policy".into(),
        _ => by_file,
    };
    let ignored: Vec<String> = value.ignored.iter().map(|line| said(line, value)).collect();
    let mark = if value.undetermined_by.is_some() {
        Style::Caution
    } else if value.differs() {
        Style::Bad
    } else {
        Style::Good
    };
    [
        Cell::new(&value.key),
        Cell::new(value.now),
        Cell::new(format!("{mark_open}{boot}")).style(mark),
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
