//! A namespace for one thread, and iproute2 in it: what tests set up and compare with. Never used by the product.

use std::process::Command;

use serde_json::Value;

/// Runs `work` on a thread of its own in a new network namespace, which ends with it.
///
/// # Panics
/// Where `work` does, and where no namespace may be made.
pub fn in_new_netns<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
                .expect("tests run through tests/support/netns-run");
            work()
        });
        match inside.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Runs `ip` (or `tc`, `nft`, …) with words split at blanks, in the thread's namespace; its output.
///
/// # Panics
/// If it fails.
pub fn run(command: &str) -> String {
    let mut words = command.split_ascii_whitespace();
    let output = Command::new(words.next().unwrap_or("ip")).args(words).output().expect(command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs several commands, one a line, each `ip` with the words of the line.
///
/// # Panics
/// If one fails.
pub fn ip(lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        run(&format!("ip {line}"));
    }
}

/// Runs `ip -j -d` with these words and reads what it prints.
///
/// # Panics
/// If it fails.
pub fn json(words: &str) -> Vec<Value> {
    let text = run(&format!("ip -j -d {words}"));
    match serde_json::from_str(&text) {
        Ok(Value::Array(list)) => list,
        // Nothing printed: nothing there.
        _ if text.trim().is_empty() => Vec::new(),
        other => panic!("ip {words}: {other:?}"),
    }
}
