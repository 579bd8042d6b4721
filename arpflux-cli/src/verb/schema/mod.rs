//! `arpflux schema`.

mod list;

use arpflux_core::{Error, ErrorKind, Result};

use crate::Output;
use crate::exit;

/// Print the JSON Schema of a record, or the names of all.
///
/// The same files are below docs/schema in the sources. `policy` describes what a policy file may hold; the
/// others describe what comes with --json, or is read by --snapshot and --segments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which. Default: the names.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// If there is no schema of that name.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    match &args.name {
        None => output.text(list::ALL.iter().map(|(name, _)| format!("{name}\n")).collect::<String>())?,
        Some(wanted) => {
            let found = list::ALL.iter().find(|(name, _)| name == wanted);
            let (_, text) = found.ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "there is no schema of that name")
                    .during("print schema")
                    .on(wanted.clone())
                    .hint("`arpflux schema` lists the names")
            })?;
            output.text(text)?;
        }
    }
    Ok(exit::GOOD)
}
