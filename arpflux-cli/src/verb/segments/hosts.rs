//! `segments --hosts`: who answers on the wires that several hosts share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arpflux_core::segment::{Member, Outcome, Segment, SharedWire, SharedWires, Wires};
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::words::counted;
use arpflux_core::{Error, ErrorKind, Result, Snapshot};

use crate::input::{read_text, stored};
use crate::output::{Style, not_covered};
use crate::{Cell, Output, Table};

/// What stands behind a host's name in the name of the file with its wires.
const WIRES: &str = ".wires.json";
/// How many interfaces of a wire are written out.
const PORTS: usize = 8;

/// One host's files.
#[derive(Debug)]
pub struct Host {
    /// What it is called: its file without `.json`.
    pub name: String,
    /// Its state.
    pub snapshot: Snapshot,
    /// What `arpflux segments --json` found there.
    wires: Option<Wires>,
}

/// Reads the hosts of files and folders, sorted by name.
///
/// # Errors
/// If a file cannot be read or is no snapshot, two hosts have one name, or there is none.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Host>> {
    const DURING: &str = "read the hosts";
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        for file in files_of(path)? {
            let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            if let Some(other) = files.insert(name.clone(), file.clone()) {
                let message = format!("{} and {} are of one host", other.display(), file.display());
                return Err(Error::new(ErrorKind::InvalidInput, message).during(DURING).on(name));
            }
        }
    }
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "there is no snapshot")
            .during(DURING)
            .hint("`arpflux snapshot --json > FOLDER/HOST.json` on each host makes them"));
    }
    files.into_iter().map(|(name, path)| host(name, &path)).collect()
}

fn host(name: String, path: &Path) -> Result<Host> {
    let snapshot = stored(path)?;
    let wires = path.with_file_name(format!("{name}{WIRES}"));
    let wires = match wires.exists() {
        true => Some(Wires::from_json(&read_text(&wires)?).map_err(|error| error.on_file(&wires))?),
        false => None,
    };
    Ok(Host { name, snapshot, wires })
}

/// The snapshots in a folder; a file is one itself.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: std::io::Error| Error::file("read", path, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if name.ends_with(".json") && !name.ends_with(WIRES) {
            files.push(file);
        }
    }
    Ok(files)
}

/// The hosts as the core takes them.
///
/// # Errors
/// As [`Member::new`], with the host's name.
pub fn members(hosts: &[Host]) -> Result<Vec<Member<'_>>> {
    hosts
        .iter()
        .map(|host| {
            let member = Member::new(&host.name, &host.snapshot)
                .map_err(|error| error.during(format!("read {}", host.name)))?;
            Ok(host.wires.as_ref().map_or(member, |wires| member.measured(wires)))
        })
        .collect()
}

/// The wires that a file tells.
///
/// # Errors
/// As [`Segment::all_from_json`].
pub fn told(members: &[Member<'_>], path: &Path) -> Result<Vec<Segment>> {
    Segment::all_from_json(members, &read_text(path)?)
        .map_err(|error| if error.object().is_empty() { error.on(path) } else { error })
}

/// Says who answers on each wire.
///
/// # Errors
/// If a file cannot be read, or it was interrupted.
pub fn run(paths: &[PathBuf], wires: Option<&Path>, all: bool, output: &Output) -> Result<u8> {
    let hosts = read(paths)?;
    let members = members(&hosts)?;
    let stop = stop_on_interrupt()?;
    let shared = match wires {
        None => SharedWires::inferred(&members, None, &stop)?,
        Some(path) => SharedWires::judge(&members, &told(&members, path)?, None, &stop)?,
    };
    let code = shared.judgement.exit_code();
    if output.json() {
        output.answer(&shared)?;
        return Ok(code);
    }
    let mut lines: String = shared.segments.iter().map(|wire| text(wire, all, output)).collect();
    for apart in &shared.apart {
        lines += &format!("Different wires with one subnet: {apart}\n");
    }
    lines += &sum(&shared);
    lines += &not_covered(&shared.not_covered);
    if let Some(line) = shared.last_line() {
        lines += &format!("{}\n", output.paint(Style::Caution, line));
    }
    output.text(lines)?;
    Ok(code)
}

/// What was looked at, and how much of it is bad.
fn sum(shared: &SharedWires) -> String {
    let of = |outcome: Outcome| {
        shared.segments.iter().flat_map(|wire| &wire.addresses).filter(|one| one.outcome == outcome).count()
    };
    let answers = shared.segments.iter().map(|wire| wire.addresses.len()).sum();
    let looked = format!(
        "Looked at {}, {}, {}",
        counted(shared.hosts, "host", "hosts"),
        counted(shared.segments.len(), "shared wire", "shared wires"),
        counted(answers, "address", "addresses"),
    );
    let bad: Vec<String> = [Outcome::Duplicate, Outcome::Flux, Outcome::Undetermined]
        .into_iter()
        .filter(|outcome| of(*outcome) > 0)
        .map(|outcome| format!("{} {outcome}", of(outcome)))
        .collect();
    match (shared.segments.is_empty(), bad.is_empty()) {
        (true, _) => {
            format!("{looked}: no two hosts share a wire as far as they tell (--wires says otherwise).\n")
        }
        (false, true) => format!("{looked}: one MAC at most answers for each.\n"),
        (false, false) => format!("{looked}: {}.\n", bad.join(", ")),
    }
}

/// A wire and its answers; unless `all`, those alone that are not as they should be.
pub fn text(wire: &SharedWire, all: bool, output: &Output) -> String {
    let most = if all { wire.ports.len() } else { PORTS };
    let mut ports: Vec<String> =
        wire.ports.iter().take(most).map(|port| format!("{} {}", port.host, port.interface)).collect();
    if let more @ 1.. = wire.ports.len().saturating_sub(most) {
        ports.push(format!("{more} more"));
    }
    let mut table = Table::new(["ADDRESS", "OUTCOME", "HOST", "INTERFACE", "MAC", "WHY"]);
    let shown = wire.addresses.iter().filter(|answer| all || answer.outcome.ok() != Some(true));
    let mut rows = 0;
    for answer in shown {
        rows += 1;
        let style = match answer.outcome {
            Outcome::Duplicate | Outcome::Flux => Style::Bad,
            Outcome::Undetermined => Style::Caution,
            Outcome::Single => Style::Good,
            Outcome::Nobody => Style::Faint,
        };
        let mut before = vec![Cell::new(answer.address), Cell::new(answer.outcome.to_string()).style(style)];
        for responder in &answer.responders {
            let mut row = std::mem::replace(&mut before, vec![Cell::default(), Cell::default()]);
            row.extend([
                Cell::new(&responder.host),
                Cell::new(responder.interface),
                Cell::new(responder.mac),
                Cell::new(responder.via.reason()),
            ]);
            table.row(row);
        }
        for unclear in &answer.undetermined {
            let mut row = std::mem::replace(&mut before, vec![Cell::default(), Cell::default()]);
            row.extend([
                Cell::new(&unclear.host),
                Cell::new(unclear.interface),
                Cell::new("unknown").style(Style::Caution),
                Cell::new(unclear.missing),
            ]);
            table.row(row);
        }
        if answer.responders.is_empty() && answer.undetermined.is_empty() {
            table.row(before);
        }
    }
    let heading = format!("{} {}\n", output.paint(Style::Strong, "On one wire:"), ports.join(", "));
    let causes: String = wire
        .addresses
        .iter()
        .filter_map(|answer| Some(format!("{}: {}\n", answer.address, answer.cause?.text())))
        .collect();
    let table = if rows > 0 { table.render(output) } else { String::new() };
    format!("{heading}{table}{causes}\n")
}
