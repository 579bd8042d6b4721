//! `arpflux vz stop`.

use std::ffi::OsString;

use arpflux_core::Result;
use arpflux_core::vz::{Call, Purpose};

use super::{Common, report};
use crate::exit;
use crate::output::Output;

/// Withdraw all addresses of a container.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// The container. Default: VEID in the environment.
    #[arg(value_name = "CTID")]
    veid: Option<OsString>,
}

/// Runs the verb.
///
/// # Errors
/// If no container is named, or withdrawing failed.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let veid = |name: &str| (name == "VEID").then(|| std::env::var_os(name)).flatten();
    let call = Call::read(args.veid.as_deref(), &[], Purpose::Delete, veid)?;
    report(&args.common.node()?.withdraw(call.veid.as_ref(), None)?, output);
    Ok(exit::GOOD)
}
