//! `arpflux capture`.

mod text;

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arpflux_capture::{Capture, MissingKind, Report, Until};
use arpflux_core::types::{IfName, Mac};
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::{Error, ErrorKind, Result};

use crate::Output;
use crate::input::{Live, stored};

/// Read captures and say which addresses have several MACs, and why: flux, proxy, virtual MAC
/// (VRRP, CARP, HSRP), fail-over, duplicate, suspected spoofing, a host in conflict with itself.
///
/// Reads pcap and pcapng in all their variants, either of them compressed with gzip, zstd, xz or lz4, and what tcpdump
/// printed (best with -e and -n), tshark, arping and arp-scan as well. Several files count as one capture, in the order
/// of their times.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  arpflux capture trace.pcap
  tcpdump -eni eth0 arp | arpflux capture -
  arpflux capture -i eth0 --seconds 60
  arpflux capture --snapshot node.json trace.pcap
  arpflux capture --svg who-answered-when.svg mon.pcapng tue.pcapng.gz

Exit code 1 if an address is in flux, duplicated, perhaps spoofed or in conflict with itself, or if two MACs answer one
request and no frame shows why; 6 if nothing bad was seen, but an address cannot be judged by its frames, or something was
not understood: what, is said. 2 if a file is no capture.")]
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
    /// The state of a host of that wire, as `arpflux snapshot --json` stored it: each of its answers is explained by the
    /// model of the kernel, and what the model does not explain is named.
    #[arg(long, value_name = "FILE", conflicts_with = "interface")]
    snapshot: Option<PathBuf>,
    /// Show addresses with a single MAC as well.
    #[arg(long)]
    all: bool,
    /// Write a picture of who claimed which address when.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// If an option is wrong or the picture cannot be written. A file that cannot be read is told after the
/// others were.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let mut capture = Capture::new();
    for list in &args.host {
        capture.know_host(list.split(',').map(str::parse).collect::<Result<Vec<Mac>>>()?);
    }
    if let Some(path) = &args.snapshot {
        capture.know_snapshot(stored(path)?).map_err(|error| error.on_file(path))?;
    }
    if let Some(interface) = &args.interface {
        let until = Until::new(args.seconds.map(Duration::from_secs), args.count);
        args.live.netns()?.run(|| -> Result<u64> {
            let stop = stop_on_interrupt()?;
            let go_on = |_| if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            capture.listen(interface, until, go_on)
        })??;
    }
    let failed = capture.read_all(args.files.iter().map(|path| open(path)).collect()).err();
    let report = capture.report();
    if let Some(path) = &args.svg {
        std::fs::write(path, report.timeline()).map_err(|error| Error::file("write", path, &error))?;
    }
    let understood = !report.addresses.is_empty() || failed.is_none();
    if output.json() {
        output.answer(&report)?;
    } else if understood {
        output.text(text::text(&report, args.all, output))?;
    }
    remarks(&report, output);
    match failed {
        // It was printed with the file's name; the exit code says the rest.
        Some(error) if output.json() => Ok(error.kind().exit_code()),
        Some(error) => Err(error),
        None => Ok(report.judgement().exit_code()),
    }
}

fn open(path: &Path) -> (String, Result<Box<dyn Read>>) {
    if path == Path::new("-") {
        return ("standard input".into(), Ok(Box::new(std::io::stdin().lock())));
    }
    let name = path.display().to_string();
    if path.is_dir() {
        let error =
            Error::new(ErrorKind::InvalidInput, "it is a folder, not a capture").during("read").on(&*name);
        return (name, Err(error));
    }
    let file = File::open(path)
        .map(|file| Box::new(file) as Box<dyn Read>)
        .map_err(|error| Error::file("open", path, &error));
    (name, file)
}

/// What a reader of the table must know about its completeness.
fn remarks(report: &Report, output: &Output) {
    for file in &report.files {
        let name = &file.file;
        if file.ends_early {
            output.note(format_args!("{name}: ends within a record; what came before was read"));
        }
        if file.malformed > 0 {
            output.note(format_args!(
                "{name}: {} frames hold malformed ARP or neighbour discovery",
                file.malformed
            ));
        }
        if file.deltas {
            output.note(format_args!(
                "{name}: its times are how long after the line before; they were added up"
            ));
        }
    }
    if !report.clocked && report.addresses.iter().any(|address| address.macs.len() > 1) {
        output.note(format_args!("no times in it: nothing was judged by how fast it came"));
    }
    if report.disordered > 0 {
        output.note(format_args!(
            "{} frames stand behind later ones: sort captures that overlap with mergecap",
            report.disordered
        ));
    }
    if report.files.len() > 1 {
        let names: Vec<&str> = report.files.iter().map(|file| file.file.as_str()).collect();
        output.note(format_args!("read in the order of their times: {}", names.join(", ")));
    }
    // A file that could not be read is the error itself.
    for missing in report.missing.iter().filter(|missing| missing.reason != MissingKind::Damaged) {
        output.note(format_args!("undetermined: {}", missing.text));
    }
}
