//! `arpflux segments`.

pub mod hosts;
mod order;

use std::path::PathBuf;
use std::time::Duration;

use arpflux_core::types::IfName;
use arpflux_core::wire::segments::{Options, Segments, find_until};
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::{Host, Result};

use crate::exit;
use crate::input::Live;
use crate::output::Output;
use crate::table::{Cell, Table};

/// Find out which of this host's interfaces share a wire; or who answers on the wires that several hosts share.
///
/// Each interface sends one harmless broadcast frame (EtherType 0x88b5, kept for local experiments) and all listen.
/// Nothing is left behind. Interfaces of one wire all hear every ARP request on it; diagnose takes the
/// JSON output as a statement of who shares a wire.
///
/// With --hosts nothing is sent: the snapshots of several hosts are looked at together. HOST.json is the snapshot of HOST,
/// HOST.wires.json beside it, if there, what `arpflux segments --json` printed on it. Of hosts whose subnets overlap it says
/// which share a wire as far as they tell, and which addresses several MACs answer for.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    /// Only these interfaces. Default: all that take ARP requests.
    #[arg(value_name = "INTERFACE")]
    interfaces: Vec<IfName>,
    /// How many frames each sends.
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().rounds, value_parser = clap::value_parser!(u8).range(1..=10))]
    rounds: u8,
    /// How long to listen after each round, in ms.
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    wait: u64,
    /// Look at several hosts: their snapshots, or folders with them.
    #[arg(long, value_name = "FOLDER|FILE", num_args = 1.., conflicts_with_all = ["interfaces", "rounds", "wait", "netns"])]
    hosts: Vec<PathBuf>,
    /// Who shares a wire, as --hosts --json prints it; default: as far as the hosts tell.
    #[arg(long, value_name = "FILE", requires = "hosts")]
    wires: Option<PathBuf>,
    /// Print every address, not only those that several MACs answer for.
    #[arg(long, short, requires = "hosts")]
    all: bool,
    /// Say in which order the hosts are changed so that their policies hold, HOST.toml in this folder, and when an
    /// address would have no answer or several. Hosts without one stay as they are.
    #[arg(long, value_name = "FOLDER", requires = "hosts", conflicts_with = "all")]
    policies: Option<PathBuf>,
    /// How many hosts are changed at once.
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "policies", value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
}

/// Runs the verb.
///
/// # Errors
/// If there is no such interface, or frames may not be sent.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    if let Some(policies) = &args.policies {
        return order::run(args, policies, output);
    }
    if !args.hosts.is_empty() {
        return hosts::run(&args.hosts, args.wires.as_deref(), args.all, output);
    }
    let options = Options::default().rounds(args.rounds).wait(Duration::from_millis(args.wait));
    let host = Host::from(args.live.netns()?);
    let found = find_until(&host, &args.interfaces, options, &stop_on_interrupt()?)?;
    if output.json() {
        output.answer(&found)?;
    } else {
        output.text(table(&found).render(output))?;
        for name in &found.unconnected {
            output.note(format!("{name} has no carrier: nothing is known about it"));
        }
    }
    Ok(exit::GOOD)
}

fn table(found: &Segments) -> Table {
    let mut table = Table::new(["wire", "interfaces", "heard"]);
    for (number, wire) in found.wires.wires().iter().enumerate() {
        let names: Vec<String> = wire.iter().map(ToString::to_string).collect();
        let heard = found.heard.iter().filter(|heard| wire.contains(&heard.on)).count();
        let heard = match (wire.len(), heard) {
            (1, _) => "no other interface of this host".to_string(),
            (size, heard) => format!("{heard} of {} frames", size * (size - 1)),
        };
        table.row([Cell::new(number + 1), Cell::new(names.join(", ")), Cell::new(heard)]);
    }
    table
}
