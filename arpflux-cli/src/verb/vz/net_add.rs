//! `arpflux vz net-add`.

use arpflux_core::Result;
use arpflux_core::vz::Purpose;

use super::{Common, Whose, announce_again, report};
use crate::exit;
use crate::output::Output;

/// Publish addresses of a container, after its routes are set.
///
/// Each address is answered for on the interface where it belongs and on no other, its packets leave by
/// that interface, and the peers are told. What is there already is not touched. With VE_STATE=starting
/// the addresses of IP_ADDR are all that the container has: former ones are withdrawn, with 0.0.0.0 all of them.
///
/// Exit code 1, and nothing changed, if another container has one of the addresses.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    whose: Whose,
}

/// Runs the verb.
///
/// # Errors
/// If an address is none, it is not clear where it belongs, or publishing failed; nothing is changed then.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let call = args.whose.call(Purpose::Add)?;
    let done = args.common.node()?.publish(&call, false)?;
    announce_again(&done, &args.common, output);
    report(&done, output);
    Ok(exit::GOOD)
}
