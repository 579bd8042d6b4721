//! Keeps a policy: notices what drifts from it, says so, and puts it right.
//!
//! The kernel tells of interfaces, addresses, routes and rules (netlink) and of writes to sysctls
//! (inotify). It tells nothing of proxy entries, of sysctls set through netlink and of those written below another
//! mount of `/proc`: those are polled, as often as the cost allows: first only whether the kernel's answer is another
//! one than before. What the policy's own plan cannot see is found by [verification](crate::verify) of each state that
//! was looked at. A [`Watcher`] is one descriptor that is readable when there is something to do and one function that
//! does it, so that it fits any event loop:
//!
//! ```no_run
//! use arpflux_core::{Host, Policy, watch::{Options, Watcher}};
//!
//! let policy = Policy::from_path("/etc/arpflux/policy.toml")?;
//! let mut watcher = Watcher::new(&Host::current()?, policy, Options::default())?;
//! loop {
//!     for drift in watcher.wait(None)? {
//!         println!("{drift}");
//!     }
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), arpflux_core::Error>(())
//! ```

mod budget;
mod contender;
mod digest;
mod drift;
mod fight;
mod interval;
mod judge;
mod lookup;
mod notify;
mod options;
mod others;
mod parts;
mod peers;
mod published;
mod repair;
mod schedule;
mod seen;
mod signals;
mod status;
mod sysctls;
mod tell;
#[cfg(test)]
mod tests;
mod timer;
mod trouble;
mod watcher;
mod writers;

pub use drift::{Cause, Drift, Outcome};
pub use interval::Interval;
pub use notify::ServiceManager;
pub use options::Options;
pub use signals::{Request, Signals};
pub use status::Status;
pub use sysctls::{Folder, SysctlEvent, SysctlWatch};
pub use watcher::Watcher;
