//! `arpflux verify`.

use std::path::PathBuf;

use arpflux_core::apply::Options;
use arpflux_core::segment::Wires;
use arpflux_core::types::IfName;
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::words::thousands;
use arpflux_core::{Host, Result, verify};

use crate::Source;
use crate::input::{PolicyFile, netns, read_text};
use crate::output::Output;

/// Check that a host is as a policy says: every value, entry, rule and route, and, proved over all
/// senders and targets, that each address is answered by its own interface alone.
///
/// The exit code is 1 if anything is not so, 6 if something cannot be told. Without --wire nothing is sent; nothing is changed either way.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyFile,
    #[command(flatten)]
    source: Source,
    /// Which interfaces share a wire, as `arpflux segments --json` prints it. Default: what the subnets tell.
    #[arg(long, value_name = "FILE")]
    segments: Option<PathBuf>,
    /// Everything, however much it is.
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
    /// Also look at frames: `self` asks this host itself, as if from the wire, without a second machine;
    /// `peer` asks from the namespace that --peer names.
    #[arg(long, value_enum, value_name = "WHO", conflicts_with = "snapshot")]
    wire: Option<Wire>,
    /// The namespace to ask from: a name of `ip netns`, or a path such as /proc/1234/ns/net.
    #[arg(long, value_name = "NAME|PATH", required_if_eq("wire", "peer"))]
    peer: Option<String>,
    /// The interface there to ask on. Default: the one whose subnet the address is in.
    #[arg(long, value_name = "IFACE", requires = "peer")]
    from: Option<IfName>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wire {
    /// This host itself.
    #[value(name = "self")]
    Own,
    /// Another namespace on the same wire.
    Peer,
}

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid, or there is no snapshot to be had.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let policy = args.policy.read()?;
    let wires = args.segments.as_deref().map(|path| Wires::from_json(&read_text(path)?)).transpose()?;
    let (mut report, snapshot) = if args.source.file().is_none() {
        let verified = args.source.host()?.verify(&policy, wires.as_ref(), &Options::default())?;
        verified.notes.iter().for_each(|note| output.note(note));
        (verified.report, verified.snapshot)
    } else {
        let snapshot = args.source.snapshot()?;
        let report = match &wires {
            Some(wires) => verify::check_with(&policy, &snapshot, wires)?,
            None => verify::check(&policy, &snapshot)?,
        };
        (report, snapshot)
    };
    match (args.wire, args.peer.as_deref()) {
        (Some(Wire::Own), _) => {
            // Ctrl-C has to take away what was made to ask.
            let stop = stop_on_interrupt()?;
            let host = args.source.host()?;
            report.merge(match &wires {
                Some(wires) => verify::wire::own_with(&policy, &snapshot, &host, wires, &stop)?,
                None => verify::wire::own_until(&policy, &snapshot, &host, &stop)?,
            });
        }
        (Some(Wire::Peer), Some(peer)) => {
            let peer = Host::from(netns(peer)?);
            report.merge(verify::wire::peer(&policy, &snapshot, &peer, args.from.as_ref())?);
        }
        _ => {}
    }
    if output.json() {
        output.answer(&report.record())?;
    } else {
        output.text(if args.verbose { report.to_string() } else { shortened(&report.to_string()) })?;
    }
    Ok(report.judgement().exit_code())
}

/// How many lines are shown.
const LINES: usize = 100;

/// The first lines and the last one, which counts.
fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some((last, lines)) = lines.split_last().filter(|(_, lines)| lines.len() > LINES) else {
        return text.to_owned();
    };
    let more = thousands(lines.len() - LINES);
    format!("{}\nand {more} lines more (-v)\n{last}\n", lines[..LINES].join("\n"))
}
