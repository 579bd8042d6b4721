//! `arpflux vz announce`.

use std::time::{Duration, Instant};

use arpflux_core::Result;
use arpflux_core::outward::vz::Announced;
use arpflux_core::vz::Purpose;

use super::{Common, Whose};
use crate::output::Output;
use crate::{exit, input};

/// Tell the peers once where published addresses are.
///
/// From the interface that publishes them and only if it does. Without addresses: all of the container, or
/// of all containers. No sysctl is touched.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    whose: Whose,
    /// Wait before: 1100ms.
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    after: Option<Duration>,
}

/// Runs the verb.
///
/// # Errors
/// If an address is none, the state cannot be read, or frames may not be sent.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let call = args.whose.call(Purpose::Add)?;
    let node = args.common.node()?;
    if let Some(after) = args.after {
        node.stop_flag().sleep_until(Instant::now() + after)?;
    }
    let frames = node.announce(&call)?;
    if output.json() {
        output.answer(&Announced { frames })?;
    }
    Ok(exit::GOOD)
}
