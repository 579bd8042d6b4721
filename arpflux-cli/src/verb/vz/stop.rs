//! `arpflux vz stop`.

use std::ffi::OsString;

use arpflux_core::vz::{Call, Purpose};
use arpflux_core::{Error, ErrorKind, Result};

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
    let Some(veid) = call.veid else {
        return Err(Error::new(ErrorKind::InvalidInput, "no container is named")
            .during("stop")
            .hint("name it, or set VEID in the environment"));
    };
    report(&args.common.node()?.stop(&veid)?, output);
    Ok(exit::GOOD)
}
