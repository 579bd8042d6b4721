//! Long texts on a terminal, through a pager as git has it.

use std::env::{var, var_os};
use std::io::Write as _;
use std::process::{Command, Stdio};

use arpflux_core::wire::stop_on_interrupt;

/// The variable that names this command's pager; empty or `cat`: none.
pub const VARIABLE: &str = "ARPFLUX_PAGER";

/// The command line of the pager; `None` if none is wanted.
fn pager() -> Option<String> {
    if var_os("TERM").is_some_and(|terminal| terminal == "dumb") {
        return None;
    }
    let named = var(VARIABLE).or_else(|_| var("PAGER")).unwrap_or_else(|_| "less".into());
    Some(named).filter(|pager| !matches!(pager.trim(), "" | "cat"))
}

/// Shows text until the reader has seen enough; false if there is no pager, and nothing was shown.
pub fn show(text: &str) -> bool {
    let Some(pager) = pager() else { return false };
    // Ctrl-C is for the pager, which stays; were this process gone, the shell would read beside it.
    if stop_on_interrupt().is_err() {
        return false;
    }
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    // As git does: colours as they are, nothing left of the text on a screen of its own.
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if var_os(name).is_none() {
            command.env(name, value);
        }
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut to) = child.stdin.take() {
        // Whoever has seen enough reads no further.
        let _ = to.write_all(text.as_bytes());
    }
    // 126 and 127 are the shell's own: there is no such program.
    child.wait().is_ok_and(|ended| !matches!(ended.code(), Some(126 | 127)))
}
