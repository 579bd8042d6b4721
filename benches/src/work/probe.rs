//! Many addresses asked for.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;

use arpflux_core::Result;
use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::types::IfName;
use arpflux_core::wire::Port;
use arpflux_core::wire::probe::{self, Options};

use crate::measure::Measure;

/// `count` addresses from `first` on, as fast as it goes. The result is the number that answered.
pub fn run(interface: &str, first: &str, count: u32) -> Result<()> {
    let first: Ipv4Addr =
        first.parse().map_err(|_| Error::new(ErrorKind::InvalidInput, "no IPv4 address").on(first))?;
    let name: IfName = interface.parse()?;
    let port = Port::named(&name)?;
    let address = |at| IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() + at));
    let targets: Vec<IpAddr> = (0..count).map(address).collect();
    let options = Options::default().rate(10_000_000_u32).tell_proxies(false);
    let begun = Measure::begin()?;
    let probed = probe::run(&port, &targets, options, |_| ControlFlow::Continue(()))?;
    let answered = probed.iter().filter(|probed| !probed.replies.is_empty()).count();
    begun.end(1, answered)
}
