//! Waiting on a terminal for the word that keeps or undoes a change on trial.

use std::io::{IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use arpflux_core::apply::{Options, Outcome, Receipt};
use arpflux_core::{Error, Host, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::{report, report_next_boot};
use crate::exit;
use crate::input::Live;
use crate::output::Output;

/// How often the time that is left is shown anew, in ms.
const TURN: u16 = 500;

/// A terminal that gives keys as they are pressed, until it is dropped.
struct Keys(Termios);

impl Keys {
    fn begin() -> nix::Result<Self> {
        let former = tcgetattr(std::io::stdin())?;
        let mut keys = former.clone();
        keys.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &keys)?;
        Ok(Self(former))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Whether somebody sits there who can press a key.
pub(super) fn somebody_is_there(output: &Output) -> bool {
    !output.json() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Waits for a key as long as `trial` is on trial; the exit code.
pub(super) fn wait(
    host: &Host,
    options: &Options,
    trial: &Receipt,
    live: &Live,
    output: &Output,
) -> Result<u8> {
    let failed = |errno: nix::Error| Error::io("read", "the terminal", &std::io::Error::from(errno));
    let _keys = Keys::begin().map_err(failed)?;
    let code = loop {
        let Some(waiting) = host.pending(options)?.filter(|waiting| waiting.id == trial.id) else {
            break ended(host, options, trial, output)?;
        };
        if options.stop.is_raised() {
            output.progress("");
            output.note("it stays on trial; `arpflux confirm` keeps it, `arpflux rollback` undoes it now");
            break exit::GOOD;
        }
        let left = waiting.remaining.unwrap_or_default().as_secs_f64().ceil();
        output.progress(format!(
            "on trial for {left} s: k keeps it, u undoes it now, Ctrl-C leaves it on trial"
        ));
        let stdin = std::io::stdin();
        match poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], PollTimeout::from(TURN)) {
            Ok(0) | Err(nix::Error::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let mut key = [0];
        match stdin.lock().read(&mut key) {
            // The terminal is gone.
            Ok(0) => break exit::GOOD,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", "the terminal", &error)),
        }
        match key[0] {
            b'k' | b'K' => {
                output.progress("");
                let receipt = host.confirm(trial.id, options)?;
                report(&receipt, live, output);
                report_next_boot(host, &receipt, live, None, output);
                break exit::GOOD;
            }
            b'u' | b'U' => {
                output.progress("");
                report(&host.rollback(trial.id, false, options)?, live, output);
                break exit::GOOD;
            }
            _ => {}
        }
    };
    Ok(code)
}

/// Somebody else has confirmed it or rolled it back, or its time is over.
fn ended(host: &Host, options: &Options, trial: &Receipt, output: &Output) -> Result<u8> {
    output.progress("");
    let id = trial.id.unwrap_or_default();
    let found = host.receipts(options)?.into_iter().find(|receipt| receipt.id == trial.id);
    Ok(match found {
        Some(receipt) if receipt.outcome == Outcome::Applied => {
            output.note(format!("transaction {id} was confirmed elsewhere"));
            exit::GOOD
        }
        found => {
            let why = found.and_then(|receipt| receipt.reason).unwrap_or_default();
            output.note(format!("transaction {id} is undone: {why}"));
            exit::RESTORED
        }
    })
}
