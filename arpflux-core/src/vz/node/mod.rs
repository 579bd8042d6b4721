//! A node with containers: what the scripts' calls do to it.

mod belonging;
mod publish;
mod settings;
mod standing;
mod sync;
mod withdraw;

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use standing::Standing;
pub(crate) use standing::standing;

use self::settings::Settings;
use super::claim::{self, Claims};
use super::plan;
use super::registry::{Held, Registry};
use super::{Call, Places};
use crate::apply::lock::Lock;
use crate::apply::store::Folder;
use crate::apply::{Confirm, Maker, Options, Receipt, Transaction, pending};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::kernel::{Kernel as _, LinuxKernel};
use crate::persist::{FileChange, FileState};
use crate::plan::{Announcement, Plan};
use crate::snapshot::{NetnsIdentity, Snapshot};
use crate::stop::Stop;
use crate::wire::announce::{self, announce_planned};
use crate::words::listed;

/// The file of the registry, in the folder of its namespace.
pub(crate) const REGISTRY: &str = "containers.toml";

/// Whether a file of this path is changed with what containers have.
pub(super) fn writes(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let folder = path.parent().and_then(name);
    let number = folder.as_deref().and_then(|folder| folder.strip_prefix("ns-"));
    number.is_some_and(|number| number.parse::<u64>().is_ok())
        && name(path).is_some_and(|file| [REGISTRY, settings::FILE].contains(&file.as_str()))
}
/// Receivers may ignore what they hear within a second of what they heard before (`locktime`).
pub const ANNOUNCE_AGAIN: Duration = Duration::from_millis(1100);
/// How often to look whether a change is still on trial.
const TRIAL_LOOK: Duration = Duration::from_millis(100);

/// A host with containers behind it. Everything it changes goes through a transaction of its own.
#[derive(Debug, Clone)]
pub struct Node {
    host: Host,
    options: Options,
    places: Places,
}

/// An address that is published for another container already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The address.
    pub address: IpAddr,
    /// Whose it is.
    pub owner: String,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is in use by container {} of this node", self.address, self.owner)
    }
}

impl Taken {
    /// Refuses to publish what other owners have.
    pub(in crate::vz) fn refuse(taken: &[Self]) -> Result<()> {
        if taken.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InUse, listed(taken))
            .during("publish")
            .hint("withdraw it there first, or give this owner another address"))
    }
}

/// What came of a call that changes something.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done {
    /// What was changed.
    pub receipt: Receipt,
    /// Addresses of other containers, which a withdrawal left alone.
    pub taken: Vec<Taken>,
    /// Addresses to be announced once more after [`ANNOUNCE_AGAIN`].
    pub announce_again: Vec<IpAddr>,
    /// Whatever else is worth knowing, one sentence each.
    pub notes: Vec<String>,
}

impl Done {
    /// There was nothing to do.
    fn nothing() -> Self {
        let receipt = Receipt { by: Maker::Vz, ..Receipt::unchanged(Vec::new()) };
        Self { receipt, taken: Vec::new(), announce_again: Vec::new(), notes: Vec::new() }
    }

    /// The receipt, with all that is to be said among its notes.
    #[must_use]
    pub fn into_receipt(self) -> Receipt {
        let mut receipt = self.receipt;
        receipt.notes.extend(self.notes);
        receipt.notes.extend(self.taken.iter().map(|taken| format!("left alone: {taken}")));
        receipt
    }
}

impl Node {
    /// The host, how transactions on it are run, and where its files are. There is no confirmation: a
    /// script does not wait for one.
    #[must_use]
    pub fn new(host: Host, options: Options, places: Places) -> Self {
        Self { host, options: Options { confirm: Confirm::Now, by: Maker::Vz, ..options }, places }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The flag that ends its waits.
    #[must_use]
    pub fn stop_flag(&self) -> &Stop {
        &self.options.stop
    }

    /// Where its files are.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where the registry is; it has the form of a policy.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub fn registry_path(&self) -> Result<PathBuf> {
        self.host.with_kernel(|kernel| {
            let (netns, state) = (kernel.identity()?, self.options.state_dir.as_deref());
            let folder = Folder::look(state, &netns)?;
            Ok(folder.map_or_else(
                || Folder::place(state, &netns).join(REGISTRY),
                |folder| folder.path_of(REGISTRY),
            ))
        })
    }

    fn path(&self, kernel: &mut LinuxKernel) -> Result<PathBuf> {
        Ok(self.folder(kernel)?.path_of(REGISTRY))
    }

    fn folder(&self, kernel: &mut LinuxKernel) -> Result<Folder> {
        let netns = kernel.identity()?;
        Folder::state(self.options.state_dir.as_deref())?.namespace(&netns)
    }

    /// Looks at the registry and the claims with the namespace's lock held; the claims are written again
    /// if `work` says so.
    pub(in crate::vz) fn locked<R: Send>(
        &self,
        work: impl FnOnce(&Registry, &mut Claims) -> (R, bool) + Send,
    ) -> Result<R> {
        self.host.with_kernel(|kernel| {
            let folder = self.folder(kernel)?;
            let _lock = Lock::take(&folder, self.options.lock_wait, &self.options.stop)?;
            let (_, registry) = read(folder.path_of(REGISTRY).as_ref())?;
            let (before, mut claims) = read_claims(folder.path_of(claim::FILE).as_ref())?;
            let (result, changed) = work(&registry, &mut claims);
            if changed {
                let path = folder.path_of(claim::FILE);
                let after = FileState::Regular { text: claims.to_json(), mode: 0o600 };
                FileChange::new(path, before, after).make()?;
            }
            Ok(result)
        })
    }

    /// The registry as it is now.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn registry(&self) -> Result<Registry> {
        registry(&self.host, &self.options)
    }

    /// Tells the peers once where addresses are: from the interface that publishes them, and only if it
    /// does. A call without addresses means all of the container, or of all containers. Gives the number
    /// of frames.
    ///
    /// # Errors
    /// Those of reading the state and of sending frames.
    pub fn announce(&self, call: &Call) -> Result<usize> {
        let registry = self.registry()?;
        let meant = |(address, held): &(&IpAddr, &Held)| {
            (call.addresses.is_empty() || call.addresses.contains(address))
                && call.veid.as_ref().is_none_or(|veid| veid.as_str() == held.owner)
        };
        let held: Vec<(IpAddr, Held)> =
            registry.held.iter().filter(meant).map(|(address, held)| (*address, held.clone())).collect();
        let snapshot = self.host.snapshot()?;
        let announcements = plan::announcements(&snapshot, &held);
        self.host.namespace().run(|| announce_once(&snapshot, &announcements, &self.options.stop))?
    }

    /// Waits while a change of somebody is on trial, as long as for the lock: whoever undoes it would undo with it what
    /// was made meanwhile.
    fn trial_ends(&self, kernel: &mut LinuxKernel) -> Result<()> {
        let end = Instant::now() + self.options.lock_wait;
        while let Some(trial) = pending(kernel, &self.options)? {
            // The transaction undoes one that is overdue, and says whose the other is.
            if trial.is_overdue() || Instant::now() >= end {
                break;
            }
            self.options.stop.sleep_until(end.min(Instant::now() + TRIAL_LOOK))?;
        }
        Ok(())
    }

    /// One transaction: `work` gets the state and the registry, under the lock, and gives the plan and the
    /// registry as it shall be. Peers are told once.
    fn transact(
        &self,
        work: impl FnOnce(&Snapshot, Registry) -> Result<(Plan, Registry)> + Send,
    ) -> Result<Done> {
        self.host.with_kernel(|kernel| {
            let path = self.path(kernel)?;
            self.trial_ends(kernel)?;
            let files: RefCell<Vec<FileChange>> = RefCell::default();
            let mut again = Vec::new();
            let mut persist = |_: &Snapshot, _: &Plan| Ok(files.take());
            let mut announce = |snapshot: &Snapshot, list: &[Announcement]| {
                again.extend(list.iter().map(|announcement| announcement.address));
                announce_once(snapshot, list, &self.options.stop)
            };
            let receipt = Transaction::new(kernel, &self.options)
                .announce(&mut announce)
                .persist(&mut persist)
                .apply_with(|snapshot| {
                    let (before, registry) = read(&path)?;
                    let former = registry.clone();
                    let (mut plan, registry) = work(snapshot, registry)?;
                    let mut files = files.borrow_mut();
                    files.extend(settle(&path, snapshot, &mut plan)?);
                    // A registry that says nothing new is not written: the second call changes nothing.
                    if registry.held != former.held || (registry.host != former.host && !plan.is_empty()) {
                        let text = registry.policy().to_toml()?;
                        let after = FileState::Regular { text, mode: 0o600 };
                        files.extend((before != after).then_some(FileChange::new(path, before, after)));
                    }
                    Ok(plan)
                })?;
            Ok(Done { receipt, taken: Vec::new(), announce_again: again, notes: Vec::new() })
        })
    }
}

/// What is published on a host, by whoever.
///
/// # Errors
/// As [`Node::registry`].
pub(crate) fn registry(host: &Host, options: &Options) -> Result<Registry> {
    let (file, path) = registry_file(&host.with_kernel(LinuxKernel::identity)?, options)?;
    of_file(&file, &path)
}

/// The registry's file, which says what is published, and where it is.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn registry_file(netns: &NetnsIdentity, options: &Options) -> Result<(FileState, PathBuf)> {
    match Folder::look(options.state_dir.as_deref(), netns)? {
        Some(folder) => {
            let path = folder.path_of(REGISTRY);
            Ok((FileState::read(&path)?, path))
        }
        None => Ok((FileState::Absent, PathBuf::new())),
    }
}

fn announce_once(snapshot: &Snapshot, announcements: &[Announcement], stop: &Stop) -> Result<usize> {
    let once = announce::Options { rounds: 1, ..announce::Options::default() };
    announce_planned(snapshot, announcements, &once, stop)
}

/// The registry's file and what it says; an empty one where there is none.
fn read(path: &Path) -> Result<(FileState, Registry)> {
    let state = FileState::read(path)?;
    let registry = of_file(&state, path)?;
    Ok((state, registry))
}

/// What the registry's file says.
pub(crate) fn of_file(state: &FileState, path: &Path) -> Result<Registry> {
    Ok(match state {
        FileState::Regular { text, .. } => Registry::from_toml(text, &path.display().to_string())?,
        FileState::Absent => Registry::default(),
        FileState::Link { .. } => {
            return Err(Error::new(ErrorKind::Refused, "it is a symbolic link, which is not followed")
                .during("read registry")
                .on(path));
        }
    })
}

/// Completes a plan by the settings that go back with it, and gives the change of the file that remembers them;
/// `registry` is the registry's path.
fn settle(registry: &Path, snapshot: &Snapshot, plan: &mut Plan) -> Result<Option<FileChange>> {
    let path = registry.with_file_name(settings::FILE);
    let (before, mut settings) = Settings::read(registry)?;
    settings.settle(snapshot, plan);
    let after = match settings.to_json() {
        Some(text) => FileState::Regular { text, mode: 0o600 },
        None => FileState::Absent,
    };
    Ok((before != after).then(|| FileChange::new(path, before, after)))
}

/// The claims' file and what it says.
fn read_claims(path: &Path) -> Result<(FileState, Claims)> {
    let state = FileState::read(path)?;
    let claims = match &state {
        FileState::Regular { text, .. } => Claims::from_json(text),
        _ => Claims::default(),
    };
    Ok((state, claims))
}
