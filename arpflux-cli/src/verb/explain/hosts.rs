//! `explain --also FILE`: who answers among several hosts on one wire.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use arpflux_core::segment::{Member, Port, Segment, SharedWires};
use arpflux_core::types::IfName;
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::{Error, ErrorKind, Result, Snapshot};

use crate::Output;
use crate::input::stored;
use crate::output::{Style, not_covered};
use crate::verb::segments::hosts::text;

/// Which hosts, which wires, and which address.
#[derive(Debug)]
pub struct Question<'a> {
    /// The first host's file; `None`: the running kernel.
    pub first: Option<&'a Path>,
    /// The other hosts' files.
    pub also: &'a [PathBuf],
    /// Who shares a wire, as HOST:IFACE,HOST:IFACE; empty: inferred.
    pub wires: &'a [String],
    /// Only this address.
    pub target: Option<Ipv4Addr>,
}

/// Says who answers on each wire.
pub fn run(first: &Snapshot, question: &Question<'_>, output: &Output) -> Result<u8> {
    let mut names = vec![question.first.map_or_else(|| "self".to_string(), stem)];
    let mut others = Vec::new();
    for path in question.also {
        names.push(stem(path));
        others.push(stored(path)?);
    }
    let members: Vec<Member<'_>> = names
        .iter()
        .zip(std::iter::once(first).chain(&others))
        .map(|(n, s)| Member::new(n, s))
        .collect::<Result<_>>()?;
    let stop = stop_on_interrupt()?;
    let shared = if question.wires.is_empty() {
        SharedWires::inferred(&members, question.target, &stop)?
    } else {
        let segments: Vec<Segment> =
            question.wires.iter().map(|wire| given(wire, &members)).collect::<Result<_>>()?;
        SharedWires::judge(&members, &segments, question.target, &stop)?
    };
    let code = shared.judgement.exit_code();
    if output.json() {
        output.answer(&shared)?;
        return Ok(code);
    }
    let mut lines: String = shared.segments.iter().map(|segment| text(segment, true, output)).collect();
    if lines.is_empty() {
        lines += "These hosts share no wire as far as their subnets tell; --wire says otherwise.\n";
    }
    lines += &not_covered(&shared.not_covered);
    if let Some(line) = shared.last_line() {
        lines += &format!("{}\n", output.paint(Style::Caution, line));
    }
    output.text(lines)?;
    Ok(code)
}

/// A host's name: that of its file.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "-".into(), |stem| stem.to_string_lossy().into_owned())
}

/// The wire that `HOST:IFACE,HOST:IFACE` names.
fn given(wire: &str, members: &[Member<'_>]) -> Result<Segment> {
    let bad = |message: String| {
        Error::new(ErrorKind::InvalidInput, message)
            .during("read --wire")
            .on(format!("{wire:?}"))
            .hint("write HOST:IFACE,HOST:IFACE; a host is called like its file, the running one self")
    };
    let mut ports = Vec::new();
    for part in wire.split(',') {
        let Some((host, interface)) = part.split_once(':') else {
            return Err(bad(format!("{part:?} has no colon")));
        };
        let member = members.iter().position(|member| member.name() == host);
        let member = member.ok_or_else(|| bad(format!("there is no host {host:?}")))?;
        let name: IfName = interface.parse().map_err(|error: Error| bad(error.to_string()))?;
        let found = members[member].snapshot().interface_named(&name);
        let found = found.ok_or_else(|| bad(format!("{host} has no interface {name}")))?;
        ports.push(Port { member, interface: found.index });
    }
    Ok(Segment::known(ports))
}
