//! A node on the real kernel, and what is needed to watch it.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use arpflux_core::watch::{Cause, Drift, Options, Outcome, Watcher};
use arpflux_core::{Host, Policy, apply};
use arpflux_lab::page;
use arpflux_lab::{Lab, Switch};

/// What is watched.
pub const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth3", "eth4"]
strategy = "strict"
announce = false
[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
"#;

/// Where the one container is published.
pub const PROXIED: &str = "192.168.18.101";

/// A node as on the page: three cards of one subnet. See the module text.
#[derive(Debug)]
pub struct Node {
    /// Its namespace, as the administrator has it.
    pub hn: arpflux_lab::Host,
    /// The same, as it is watched.
    pub host: Host,
    /// The state folder.
    pub state: PathBuf,
    /// Where its cards are plugged in.
    pub lan: Switch,
    /// What it is part of.
    pub lab: Lab,
}

impl Node {
    /// A new one; `name` tells its state folder from those of others.
    ///
    /// # Panics
    /// Where no namespace may be made; as all below, if the kernel refuses.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let hn = page::node(&lab, &lan, "hn").unwrap();
        let host = Host::at(format!("/proc/self/fd/{}", hn.netns().as_fd().as_raw_fd()).as_ref()).unwrap();
        let state = std::env::temp_dir().join(format!("arpflux-watch-{}-{name}", std::process::id()));
        std::fs::create_dir(&state).unwrap();
        Self { hn, host, state, lan, lab }
    }

    /// A watcher of [`POLICY`].
    ///
    /// # Panics
    /// As [`Node::new`].
    #[must_use]
    pub fn watcher(&self, heal: bool) -> Watcher {
        self.watcher_of(&policy(), heal)
    }

    /// A watcher of another policy.
    ///
    /// # Panics
    /// As [`Node::new`].
    #[must_use]
    pub fn watcher_of(&self, policy: &Policy, heal: bool) -> Watcher {
        let apply = apply::Options::default().state_dir(&self.state);
        let options = Options::default().heal(heal).look(Duration::from_millis(500)).apply(apply);
        Watcher::new(&self.host, policy.clone(), options).unwrap()
    }

    /// A watcher that has seen everything as the policy says.
    ///
    /// # Panics
    /// If that does not come.
    #[must_use]
    pub fn at_rest(&self) -> Watcher {
        let mut watcher = self.watcher(true);
        let first = next(&mut watcher);
        assert_eq!((first.cause, &first.outcome), (Cause::Start, &Outcome::Healed), "{first:?}");
        assert_eq!(watcher.wait(Some(Duration::from_millis(700))).unwrap(), [], "nothing is left to do");
        watcher
    }

    /// The proxy entries, with the interfaces that they are on.
    ///
    /// # Panics
    /// As [`Node::new`].
    #[must_use]
    pub fn proxies(&self) -> Vec<(String, String)> {
        let snapshot = self.host.snapshot().unwrap();
        let on = |interface: Option<_>| interface.map_or("all".into(), |index| snapshot.name_of(index));
        let proxies = snapshot.proxies.iter();
        let mut proxies: Vec<_> =
            proxies.map(|proxy| (proxy.address.to_string(), on(proxy.interface))).collect();
        proxies.sort();
        proxies
    }

    /// Whether [`POLICY`] leaves nothing to do.
    ///
    /// # Panics
    /// As [`Node::new`].
    #[must_use]
    pub fn is_kept(&self) -> bool {
        policy().plan(&self.host.snapshot().unwrap()).is_ok_and(|plan| plan.is_empty())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

/// [`POLICY`], read.
///
/// # Panics
/// Never.
#[must_use]
pub fn policy() -> Policy {
    Policy::from_toml(POLICY, "policy.toml").unwrap()
}

/// The next line, which comes alone.
///
/// # Panics
/// If it does not come, or not alone.
#[track_caller]
pub fn next(watcher: &mut Watcher) -> Drift {
    // Generous: somebody else may have the machine, or the lock, for a while.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut drifts = watcher.wait(Some(Duration::from_secs(1))).unwrap();
        assert!(drifts.len() <= 1, "one at a time here: {drifts:#?}");
        if let Some(drift) = drifts.pop() {
            return drift;
        }
        assert!(Instant::now() < deadline, "nothing was noticed");
    }
}

/// Waits for such a line; gives all up to it.
///
/// # Panics
/// If it does not come.
#[track_caller]
pub fn until(watcher: &mut Watcher, is_it: impl Fn(&Drift) -> bool) -> Vec<Drift> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut lines = Vec::new();
    while !lines.iter().any(&is_it) {
        assert!(Instant::now() < deadline, "not among {lines:#?}: {:#?}", watcher.status());
        lines.extend(watcher.wait(Some(Duration::from_millis(200))).unwrap());
    }
    lines
}

/// Lets the watcher work until something is so.
///
/// # Panics
/// If it does not become so.
#[track_caller]
pub fn until_so(watcher: &mut Watcher, what: &str, is_so: impl Fn(&mut Watcher) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so(watcher) {
        assert!(Instant::now() < deadline, "{what}: {:#?}", watcher.status());
        watcher.wait(Some(Duration::from_millis(50))).unwrap();
    }
}
