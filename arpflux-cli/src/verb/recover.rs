//! `arpflux recover`.

use arpflux_core::{Host, Result};

use crate::exit;
use crate::input::{Live, State};
use crate::output::Output;

/// Undo what a crash left half done. Every verb that changes something does this first by itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    /// Give up what cannot be undone: set its journal aside and leave the host as it is.
    #[arg(long)]
    discard: bool,
}

/// Runs the verb.
///
/// # Errors
/// If a journal is damaged (it is set aside, so the next run goes on), or something cannot be undone.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let recovered = Host::from(args.live.netns()?).recover(args.discard, &args.state.changing()?)?;
    if output.json() {
        output.answer(&recovered)?;
        return Ok(exit::GOOD);
    }
    let mut text = String::new();
    if let Some(receipt) = &recovered.undone {
        let id = receipt.id.unwrap_or_default();
        text += &format!("transaction {id} is undone: everything is as before it\n");
    }
    if let Some(receipt) = &recovered.pending {
        let left = receipt.remaining.unwrap_or_default().as_secs_f64();
        let id = receipt.id.unwrap_or_default();
        text += &format!("transaction {id} waits for `arpflux confirm`, for {left:.0} s\n");
    }
    if !recovered.gone.is_empty() {
        text += &format!("the state of {} namespaces that are gone was removed\n", recovered.gone.len());
    }
    for note in &recovered.notes {
        text += &format!("note: {note}\n");
    }
    if text.is_empty() {
        text += "nothing was left half done\n";
    }
    output.text(text)?;
    Ok(exit::GOOD)
}
