//! Keeps a policy in a tokio runtime, heals what drifts, and ends in order at Ctrl-C: `tokio_agent POLICY STATE-FOLDER`.

use std::future::Future;
use std::io::Write;
use std::path::Path;

use arpflux_core::watch::{Options, Outcome, Watcher};
use arpflux_core::{Host, Policy, apply};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::block_in_place;

/// Runs until `end` comes. Gives how often it healed.
pub(crate) async fn run(
    policy: Policy,
    state: &Path,
    end: impl Future<Output = ()>,
    log: &mut impl Write,
) -> Result<usize, Box<dyn std::error::Error>> {
    let apply = apply::Options::default().state_dir(state);
    let watcher = Watcher::new(&Host::current()?, policy, Options::default().heal(true).apply(apply))?;
    // SAFETY: a watcher has one descriptor, always the same, and it is open for as long as the watcher lives.
    let mut watcher = unsafe { AsyncFd::register_with_interest(watcher, Interest::READABLE)? };
    let mut end = std::pin::pin!(end);
    let mut healed = 0;
    loop {
        // It reads the kernel and syncs the journal: other tasks go on elsewhere meanwhile.
        for drift in block_in_place(|| watcher.get_mut().step())? {
            healed += usize::from(drift.outcome == Outcome::Healed);
            writeln!(log, "{drift}")?;
        }
        // What comes between here and the next step is seen by that step.
        tokio::select! {
            () = &mut end => return Ok(healed),
            ready = watcher.readable_mut() => ready?.clear_ready(),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [policy, state] = arguments.as_slice() else {
        return Err("usage: tokio_agent POLICY STATE-FOLDER".into());
    };
    let policy = Policy::from_path(policy)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
    let healed = runtime.block_on(async {
        let end = async { drop(tokio::signal::ctrl_c().await) };
        run(policy, state.as_ref(), end, &mut std::io::stdout()).await
    })?;
    println!("down in order, healed {healed}");
    Ok(())
}
