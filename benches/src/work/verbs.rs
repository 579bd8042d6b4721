//! Large hosts as files, for whole verbs of the command.

use arpflux_core::Result;
use arpflux_core::error::{Error, ErrorKind};

use crate::node::{large, one_wire};

/// Prints the snapshot of a host of so many interfaces.
pub fn host(what: &str, interfaces: u32) -> Result<()> {
    let snapshot = match what {
        "large" => large(interfaces),
        "one-wire" => one_wire(interfaces),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "no such host").on(what)),
    };
    println!("{}", snapshot.to_json()?);
    Ok(())
}
