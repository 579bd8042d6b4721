//! `arpflux announce`.

use std::net::IpAddr;
use std::time::Duration;

use arpflux_core::types::{IfName, IpNet};
use arpflux_core::wire::announce::Options;
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::{Host, Result};

use crate::exit;
use crate::input::{Live, either_address};
use crate::output::Output;

/// Tell everybody on the wire that addresses are at one interface: gratuitous ARP in request and
/// reply form, for IPv6 unsolicited neighbour advertisements.
///
/// Whoever hears it sends there from then on, so an address that another interface of this host holds or proxies is
/// refused. It need not be on the interface, and no sysctl is touched.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    /// The interface that the addresses are at.
    #[arg(long, short, value_name = "NAME")]
    interface: IfName,
    /// The addresses.
    #[arg(value_name = "ADDRESS", required = true, value_parser = either_address)]
    addresses: Vec<IpAddr>,
    /// How often each is announced.
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().rounds, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
    /// The time between rounds, in ms. Below 1000 a receiver may ignore the second.
    #[arg(long, value_name = "MS", default_value_t = 1100, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    spacing: u64,
    /// Announce even what another interface of this host holds or proxies.
    #[arg(long)]
    anyway: bool,
    /// Never announce addresses in this prefix; may be given several times.
    #[arg(long, value_name = "PREFIX")]
    never: Vec<IpNet>,
}

/// Runs the verb.
///
/// # Errors
/// If there is no such interface, an address is at another one, frames may not be sent, or nothing is left to
/// announce.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let options = Options::default()
        .rounds(args.rounds)
        .spacing(Duration::from_millis(args.spacing))
        .never(args.never.clone())
        .anyway(args.anyway);
    let host = Host::from(args.live.netns()?);
    let told = host.announce(&args.interface, &args.addresses, &options, &stop_on_interrupt()?)?;
    if output.json() {
        output.answer(&told)?;
    } else {
        output.text(format!("{} frames sent from {} ({})\n", told.frames, told.interface, told.mac))?;
    }
    Ok(exit::GOOD)
}
