//! Keeps a policy in an event loop of its own (plain `poll`), heals what drifts, and ends in order when its standard
//! input does: `agent POLICY STATE-FOLDER`.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use arpflux_core::watch::{Options, Outcome, Watcher};
use arpflux_core::{Host, Policy, apply};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Runs until `end` is readable. Gives how often it healed.
pub(crate) fn run(
    policy: Policy,
    state: &Path,
    end: BorrowedFd<'_>,
    log: &mut impl Write,
) -> Result<usize, Box<dyn std::error::Error>> {
    let apply = apply::Options::default().state_dir(state);
    let mut watcher = Watcher::new(&Host::current()?, policy, Options::default().heal(true).apply(apply))?;
    let mut healed = 0;
    loop {
        for drift in watcher.step()? {
            healed += usize::from(drift.outcome == Outcome::Healed);
            writeln!(log, "{drift}")?;
        }
        let mut ready =
            [PollFd::new(watcher.as_fd(), PollFlags::POLLIN), PollFd::new(end, PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) if ready[1].any() == Some(true) => return Ok(healed),
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [policy, state] = arguments.as_slice() else { return Err("usage: agent POLICY STATE-FOLDER".into()) };
    let end = File::open("/dev/stdin")?;
    let healed = run(Policy::from_path(policy)?, state.as_ref(), end.as_fd(), &mut std::io::stdout())?;
    println!("down in order, healed {healed}");
    Ok(())
}
