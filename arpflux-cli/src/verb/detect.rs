//! `arpflux detect`.

use std::time::Duration;

use arpflux_core::exit::Exit;
use arpflux_core::types::IfName;
use arpflux_core::wire::detect::{self, Claim, Detected, Detection, Options};
use arpflux_core::wire::probe;
use arpflux_core::{Result, Stop};

use crate::input::Live;
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// Find out whether somebody else has addresses already, before they are used here.
///
/// For an IPv4 address it asks as RFC 5227 says, and with a sender of the interface's own as well: only that is
/// answered for addresses that another host proxies. For an IPv6 address a duplicate address probe (RFC 4862) is
/// answered by both. This host's own interfaces are never blamed. Takes 1.5 s.
/// Exit code 1 if an address is taken.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    /// IPv4 and IPv6 addresses, prefixes and ranges.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,
    /// Where to ask; may be given several times. Default: for each address, every Ethernet interface that is up
    /// and holds an address of its family.
    #[arg(long, short, value_name = "NAME")]
    interface: Vec<IfName>,
    /// How often to ask.
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().rounds, value_parser = clap::value_parser!(u8).range(1..=10))]
    rounds: u8,
    /// How long to listen after that, in ms. Below 800 late proxies are missed.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    wait: u64,
}

/// Runs the verb.
///
/// # Errors
/// If an argument is malformed, there is no interface to ask on, or frames may not be sent.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let addresses = probe::targets(&args.addresses)?;
    let options = Options::default().rounds(args.rounds).wait(Duration::from_millis(args.wait));
    let names = (!args.interface.is_empty()).then_some(args.interface.as_slice());
    let found = args
        .live
        .netns()?
        .run(|| detect::run_on(&detect::places(names, &addresses)?, options, &Stop::default()))??;
    let detection = Detection::new(found);
    let found = &detection.addresses;
    if output.json() {
        output.answer(&detection)?;
    } else {
        output.text(table(found).render(output))?;
    }
    for interface in found.iter().filter(|one| !one.proxies_seen).map(|one| one.interface).take(1) {
        output.note(format!("{interface} has no other IPv4 address to ask with: proxies do not show there"));
    }
    Ok(Exit::of_answer(detection.free).code())
}

fn table(found: &[Detected]) -> Table {
    let mut table = Table::new(["address", "interface", "taken by", "how"]);
    for one in found {
        if one.conflicts.is_empty() {
            let own = if one.own.is_empty() { "free" } else { "free (this host itself answers)" };
            table.row([
                Cell::new(one.address),
                Cell::new(one.interface),
                Cell::new("nobody"),
                Cell::new(own).style(Style::Good),
            ]);
        }
        for conflict in &one.conflicts {
            let how = match conflict.claim {
                Claim::Holds => "holds it",
                Claim::Proxies => "proxies it",
                Claim::Probing => "is about to take it",
            };
            table.row([
                Cell::new(one.address),
                Cell::new(one.interface),
                Cell::new(conflict.mac),
                Cell::new(how).style(Style::Bad),
            ]);
        }
    }
    table
}
