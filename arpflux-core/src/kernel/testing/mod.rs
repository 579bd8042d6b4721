//! Namespaces for this crate's own tests.

pub(crate) mod fuzz;

use nix::sched::{CloneFlags, unshare};

/// Runs `work` on a thread of its own in a new network namespace, which ends with it.
///
/// Needs root, or the root of a user namespace (`unshare -rn`).
pub(crate) fn in_new_netns<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests run as root or below `unshare -rn`");
            work()
        });
        match inside.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
