//! What survives a reboot: the files that the host's own managers read at boot.
//!
//! [`files`] says which files to write for a policy and a [`Manager`], as [`FileChange`]s that belong
//! to the same transaction as the changes of the kernel; [`sysctld`] says what the files that are
//! there will do at the next boot, which line wins, and by which rule of systemd-sysctl. A
//! [`Persistence`] is a policy with all this chosen, which `Host::apply_and_persist` carries out;
//! [`at_boot`] says what the next boot brings, and what it does not bring back.
//!
//! Values that the kernel keeps per interface go to `sysctl.d`, where udev has them set again for
//! interfaces that appear later. Proxy entries, rules and routes have no such place of their own: a
//! systemd unit applies the policy at boot and watches it, and the hooks of ifupdown and
//! NetworkManager apply it when an interface comes up.

mod boot;
mod command;
mod desired;
mod file;
mod hooks;
mod manager;
mod networkd;
mod persistence;
mod root;
pub mod sysctld;
mod written;

use std::path::{Path, PathBuf};

pub use boot::{
    BootEffective, BootEntry, BootNeighbour, BootPolicy, BootReport, BootValue, Lint, Unfollowed, at_boot,
    who,
};
pub(crate) use command::Owner;
pub use desired::Desired;
pub use file::{FileChange, FileState, replace};
pub use manager::Manager;
pub use persistence::Persistence;
pub(crate) use root::Root;

use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;

/// Where the policy is kept that the unit and the hooks apply.
pub const POLICY: &str = "/etc/arpflux/policy.toml";

/// How to call the command, and where the host's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// The folder that stands for `/`; another one for images and tests. It has to exist, and links below it are
    /// followed as if it were `/`: none leads out of it.
    pub root: PathBuf,
    /// The absolute path of the command as the host will see it.
    pub command: PathBuf,
}

impl Default for Layout {
    fn default() -> Self {
        Self { root: "/".into(), command: "/usr/bin/arpflux".into() }
    }
}

impl Layout {
    setters!(root: PathBuf, command: PathBuf);

    /// The files of this host, with the command at `command`.
    #[must_use]
    pub fn of_host(command: &Path) -> Self {
        Self { root: "/".into(), command: command.into() }
    }

    /// `path`, absolute, below the root.
    fn below(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn checked_command(&self) -> Result<&str> {
        // It goes into a unit file and shell scripts: nothing that either would read as more than a word.
        let fine = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
        self.command.to_str().filter(|text| text.starts_with('/') && text.chars().all(fine)).ok_or_else(
            || {
                Error::new(ErrorKind::InvalidInput, "not a path that unit files and scripts can carry")
                    .on(self.command.as_path())
                    .hint("install the command under a plain absolute path such as /usr/bin/arpflux")
            },
        )
    }
}

/// The files to write so that `policy` holds after a reboot, for each of `managers`; those that are
/// already as they should be are left out. Also removes what an earlier call wrote for a manager
/// that is not in the list.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if an interface's name cannot be written down for a manager (a name
/// with `*` or `=` in it); [`ErrorKind::Refused`] if a manager would run a command that others than root can
/// change, or that its unit cannot see; any failure to read the files that are there.
pub fn files(
    policy: &Policy,
    desired: &Desired,
    managers: &[Manager],
    layout: &Layout,
) -> Result<Vec<FileChange>> {
    files_of(policy, None, desired, managers, layout)
}

/// The same, with the policy's own text where there is one.
fn files_of(
    policy: &Policy,
    text: Option<&str>,
    desired: &Desired,
    managers: &[Manager],
    layout: &Layout,
) -> Result<Vec<FileChange>> {
    let root = Root::open(&layout.root)?;
    command::check(layout, managers, &root)?;
    let mut wanted: Vec<(PathBuf, FileState)> = Vec::new();
    // A file that says the same in other words, perhaps with comments, is the administrator's.
    if kept_policy(layout)?.as_ref() != Some(policy) {
        let text = text.map_or_else(|| policy.to_toml(), |text| Ok(text.to_owned()))?;
        wanted.push((layout.below(POLICY), FileState::text(text, 0o600)));
    }
    wanted.push((layout.below(sysctld::FILE), FileState::text(sysctld::write(desired)?, 0o644)));
    for manager in Manager::ALL {
        let used = managers.contains(manager);
        wanted.extend(manager.files(used, desired, layout)?);
    }
    let mut changes = Vec::new();
    for (path, after) in wanted {
        let before = root.read(&path)?;
        if before != after {
            changes.push(FileChange { path, before, after, root: layout.root.clone() });
        }
    }
    Ok(changes)
}

/// The policy that is kept for the unit and the hooks; `None` if there is none, or it is no good.
///
/// # Errors
/// If the file cannot be read.
fn kept_policy(layout: &Layout) -> Result<Option<Policy>> {
    let path = layout.below(POLICY);
    match Root::open(&layout.root)?.read(&path)? {
        FileState::Regular { text, .. } => Ok(Policy::from_toml(&text, &path.display().to_string()).ok()),
        FileState::Absent | FileState::Link { .. } => Ok(None),
    }
}

/// The changes that remove everything [`files`] wrote, for every manager.
///
/// # Errors
/// Any failure to read the files that are there.
pub fn removal(layout: &Layout) -> Result<Vec<FileChange>> {
    let mut paths = vec![layout.below(POLICY), layout.below(sysctld::FILE)];
    for manager in Manager::ALL {
        paths.extend(manager.files(false, &Desired::default(), layout)?.into_iter().map(|(path, _)| path));
    }
    let root = Root::open(&layout.root)?;
    let mut changes = Vec::new();
    for path in paths {
        let before = root.read(&path)?;
        if before != FileState::Absent {
            changes.push(FileChange { path, before, after: FileState::Absent, root: layout.root.clone() });
        }
    }
    Ok(changes)
}

#[cfg(test)]
use sysctld::tests as sysctld_tests;

#[cfg(test)]
mod tests;
