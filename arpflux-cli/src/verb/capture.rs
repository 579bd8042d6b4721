//! `arpflux capture`.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arpflux_core::capture::{AddressReport, Certainty, Class, Counts, Known, Limits, Report, Source, Table};
use arpflux_core::types::{IfName, Mac};
use arpflux_core::wire::{Filter, Port, Received, Ring, catch_interrupt, interrupted, own_macs};
use arpflux_core::{Error, Result};
use serde::Serialize;

use crate::input::Live;
use crate::output::Style;
use crate::{Output, exit, table};

/// Read captures and say which addresses have several MACs, and why: flux, proxy, virtual MAC
/// (VRRP, CARP, HSRP), fail-over, duplicate, suspected spoofing, a host in conflict with itself.
///
/// Reads pcap and pcapng in all their variants, either of them compressed with gzip, and what tcpdump
/// printed (best with -e and -n). Several files count as one capture, in the order given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  arpflux capture trace.pcap
  tcpdump -eni eth0 arp | arpflux capture -
  arpflux capture -i eth0 --seconds 60
  arpflux capture --svg who-answered-when.svg mon.pcapng tue.pcapng.gz

Exit code 1 if an address is in flux, duplicated, perhaps spoofed or in conflict with itself.
Addresses that cannot be judged by frames alone are called undetermined, and are no finding.")]
pub struct Args {
    #[command(flatten)]
    live: Live,
    /// Captures to read; - is standard input.
    #[arg(value_name = "FILE", required_unless_present = "interface")]
    files: Vec<PathBuf>,
    /// Listen to ARP on this interface instead, until Ctrl-C, --seconds or --count.
    #[arg(long, short, value_name = "NAME", conflicts_with = "files")]
    interface: Option<IfName>,
    /// How long to listen.
    #[arg(long, value_name = "SECONDS", requires = "interface")]
    seconds: Option<u64>,
    /// How many frames to take.
    #[arg(long, value_name = "FRAMES", requires = "interface")]
    count: Option<u64>,
    /// MACs known to be one host's, separated by commas; may be given for several hosts.
    #[arg(long, value_name = "MAC,...")]
    host: Vec<String>,
    /// Show addresses with a single MAC as well.
    #[arg(long)]
    all: bool,
    /// Write a picture of who claimed which address when.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// One file, as JSON tells it.
#[derive(Debug, Default, Serialize)]
struct Entry {
    file: String,
    format: Option<&'static str>,
    compressed: bool,
    records: u64,
    read: u64,
    cut: u64,
    unread: u64,
    ends_early: bool,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    files: &'a [Entry],
    #[serde(flatten)]
    report: &'a Report,
}

/// Runs the verb.
///
/// # Errors
/// If an option is wrong or the picture cannot be written. A file that cannot be read is told after the
/// others were.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let mut known = Known { hosts: args.host.iter().map(|list| hosts(list)).collect::<Result<_>>()? };
    let mut table = Table::new(Limits::default());
    let (mut files, mut dated, mut failed) = (Vec::new(), true, None);
    if let Some(interface) = &args.interface {
        // What belongs to this host is known: flux of its own is no guess.
        let (entry, own) = args.live.netns()?.run(|| listen(args, interface, &mut table))??;
        known.hosts.push(own);
        files.push(entry);
    }
    for path in &args.files {
        let name = path.display().to_string();
        let (read, is_dated, error) = read(path, &mut table);
        if let Some(error) = &error {
            failed.get_or_insert_with(|| error.clone());
        }
        dated &= is_dated;
        files.push(Entry { file: name, error: error.map(|error| error.to_string()), ..read });
    }
    let mut report = table.report(&known);
    if !dated {
        report.start = None;
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, report.timeline())
            .map_err(|error| Error::io("write", path.display().to_string(), &error))?;
    }
    if output.json() {
        output.answer(&Answer { files: &files, report: &report })?;
    } else {
        output.text(text(&report, args.all, output))?;
    }
    remarks(&files, &report, output);
    match failed {
        // It was printed with the file's name; the exit code says the rest.
        Some(error) if output.json() => Ok(error.kind().exit_code()),
        Some(error) => Err(error),
        None if report.is_bad() => Ok(exit::BAD),
        None => Ok(exit::GOOD),
    }
}

/// Takes frames from an interface into the table; gives the counts and this host's own MACs.
fn listen(args: &Args, interface: &IfName, table: &mut Table) -> Result<(Entry, Vec<Mac>)> {
    let own = own_macs()?;
    let mut ring = Ring::open(Port::named(interface)?.index, Filter::Arp)?;
    catch_interrupt()?;
    let forever = Duration::from_secs(u64::from(u32::MAX));
    let end = Instant::now() + args.seconds.map_or(forever, Duration::from_secs).min(forever);
    let (mut frames, most) = (0, args.count.unwrap_or(u64::MAX));
    let mut take = |received: Received<'_>| {
        table.observe_ethernet(received.at, received.frame);
        frames += 1;
        if frames < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let mut done = most == 0;
    while !done && !interrupted() && Instant::now() < end {
        done = ring.read(end, &mut take)?;
    }
    if !done {
        ring.read_until(Instant::now() + Ring::LAG, &mut take)?;
    }
    table.settle();
    let dropped = ring.dropped();
    let entry = Entry {
        file: interface.to_string(),
        format: Some("live"),
        records: frames,
        read: frames,
        error: (dropped > 0).then(|| format!("{dropped} frames came too fast and were lost")),
        ..Entry::default()
    };
    Ok((entry, own))
}

fn hosts(list: &str) -> Result<Vec<Mac>> {
    list.split(',').map(str::parse).collect()
}

fn read(path: &Path, table: &mut Table) -> (Entry, bool, Option<Error>) {
    let stdin = path == Path::new("-");
    let name = if stdin { "standard input".to_string() } else { path.display().to_string() };
    let opened: Result<Box<dyn Read>> = if stdin {
        Ok(Box::new(std::io::stdin().lock()))
    } else {
        File::open(path)
            .map(|file| Box::new(file) as Box<dyn Read>)
            .map_err(|error| Error::io("open", &name, &error))
    };
    let mut read = Entry::default();
    let placed = |error: Error| {
        let place =
            if error.object().is_empty() { name.clone() } else { format!("{name} {}", error.object()) };
        error.on(place)
    };
    let mut source = match opened.and_then(Source::new) {
        Ok(source) => source,
        Err(error) => return (read, true, Some(placed(error))),
    };
    let result = source.read_into(table);
    let Counts { records, sightings, cut, unread, ends_early, .. } = source.counts();
    read = Entry {
        format: Some(source.format().name()),
        compressed: source.is_compressed(),
        records,
        read: sightings,
        cut,
        unread,
        ends_early,
        ..read
    };
    (read, source.is_dated(), result.err().map(placed))
}

/// What a reader of the table must know about its completeness.
fn remarks(files: &[Entry], report: &Report, output: &Output) {
    for Entry { file, cut, unread, ends_early, records, read, error, format, .. } in files {
        if let (Some(lost), Some("live")) = (error, format) {
            output.note(format_args!("{file}: {lost}"));
        }
        if *ends_early {
            output.note(format_args!("{file}: ends within a record; what came before was read"));
        }
        if *cut > 0 {
            output.note(format_args!(
                "{file}: {cut} of {records} frames were cut before their addresses ended"
            ));
        }
        if *unread > 0 {
            output
                .note(format_args!("{file}: {unread} of {records} frames have a link type that is not read"));
        }
        if *read == 0 && error.is_none() {
            output.note(format_args!("{file}: no ARP and no IPv4 frame in {records} records"));
        }
    }
    if report.dropped > 0 {
        output.note(format_args!("{} claims found no room in the table: not all is shown", report.dropped));
    }
}

fn style(class: Class) -> Style {
    match class {
        class if class.is_bad() => Style::Bad,
        Class::Undetermined | Class::Failover => Style::Caution,
        _ => Style::Good,
    }
}

/// The class with its certainty, for people.
fn verdict(address: &AddressReport) -> String {
    let class = address.class.name().replace('_', "-");
    match address.certainty {
        Some(Certainty::Proved) | None => class,
        Some(Certainty::Likely) => format!("{class}, likely"),
        Some(Certainty::Suspected) => format!("{class}?"),
    }
}

fn text(report: &Report, all: bool, output: &Output) -> String {
    let shown = |address: &&AddressReport| all || address.class != Class::Single;
    let mut rows =
        table::Table::new(["ADDRESS", "VERDICT", "MAC", "REPLIES", "REQUESTS", "ANNOUNCED", "CLAIMED"]);
    let mut reasons = String::new();
    for address in report.addresses.iter().filter(shown) {
        let name = name(address);
        for (row, mac) in address.macs.iter().enumerate() {
            let first = |text: String| if row == 0 { text } else { String::new() };
            let claimed = match (mac.first, mac.last) {
                (Some(first), Some(last)) => format!("{} to {} s", seconds(first), seconds(last)),
                _ => String::new(),
            };
            rows.row([
                first(name.clone()).into(),
                table::Cell::new(first(verdict(address))).style(style(address.class)),
                mac.mac.into(),
                mac.replies.into(),
                mac.requests.into(),
                mac.announcements.into(),
                claimed.into(),
            ]);
        }
        if !address.because.is_empty() {
            let also: Vec<String> = address.also.iter().map(|class| class.name().replace('_', "-")).collect();
            let also = if also.is_empty() { String::new() } else { format!(" (also {})", also.join(", ")) };
            let because = address.because.join("; ");
            reasons.push_str(&format!("\n{name}: {}{also}: {because}\n", verdict(address)));
        }
    }
    let single = report.addresses.iter().filter(|address| address.class == Class::Single).count();
    let mut text = String::new();
    if report.addresses.iter().any(|address| shown(&address)) {
        text = rows.render(output) + &reasons + "\n";
    }
    if !all && single > 0 {
        let plural = if single == 1 { "address has one MAC" } else { "addresses have one MAC each" };
        text.push_str(&format!("{single} {plural}\n"));
    } else if report.addresses.is_empty() {
        text.push_str("nobody claimed any address\n");
    }
    text
}

fn name(address: &AddressReport) -> String {
    if address.vlans.is_empty() {
        return address.address.to_string();
    }
    let vlans: Vec<String> = address.vlans.iter().map(u16::to_string).collect();
    format!("{} vlan {}", address.address, vlans.join("."))
}

fn seconds(nanoseconds: u64) -> String {
    format!("{:.3}", nanoseconds as f64 / 1e9)
}
