//! What survives a reboot: the files that the host's own managers read at boot.
//!
//! [`files`] says which files to write for a policy and a [`Manager`], as [`FileChange`]s that belong
//! to the same transaction as the changes of the kernel; [`sysctld`] says what the files that are
//! there will do at the next boot, which line wins, and by which rule of systemd-sysctl.
//!
//! Values that the kernel keeps per interface go to `sysctl.d`, where udev has them set again for
//! interfaces that appear later. Proxy entries, rules and routes have no such place of their own: a
//! systemd unit applies the policy at boot and watches it, and the hooks of ifupdown and
//! NetworkManager apply it when an interface comes up.

mod drift;
mod file;
mod hooks;
mod manager;
mod networkd;
pub mod sysctld;

use std::path::{Path, PathBuf};

pub use drift::{BootDifference, boot_differences};
pub use file::{FileChange, FileState};
pub use manager::Manager;

use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;
use crate::snapshot::{Route, Rule};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName};

/// Where the policy is kept that the unit and the hooks apply.
pub const POLICY: &str = "/etc/arpflux/policy.toml";

/// What shall be there after a reboot, as the plan worked it out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Sysctls below `net.ipv4.conf` of named interfaces.
    pub sysctls: Vec<(IfName, Sysctl, i32)>,
    /// Rules of source-routed egress.
    pub rules: Vec<Rule>,
    /// Routes of source-routed egress.
    pub routes: Vec<Route>,
    /// The names of the interfaces that rules and routes refer to.
    pub names: Vec<(IfIndex, IfName)>,
}

/// How to call the command, and where the host's files are.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The folder that stands for `/`; another one for images and tests.
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
    /// `path`, absolute, below the root.
    fn below(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn command(&self) -> Result<&str> {
        // It goes into a unit file and shell scripts: nothing that either would read as more than a word.
        let fine = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
        self.command.to_str().filter(|text| text.starts_with('/') && text.chars().all(fine)).ok_or_else(
            || {
                Error::new(ErrorKind::InvalidInput, "not a path that unit files and scripts can carry")
                    .on(self.command.display().to_string())
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
/// with `*` or `=` in it), and any failure to read the files that are there.
pub fn files(
    policy: &Policy,
    desired: &Desired,
    managers: &[Manager],
    layout: &Layout,
) -> Result<Vec<FileChange>> {
    let mut wanted: Vec<(PathBuf, FileState)> = Vec::new();
    let text = policy.to_toml()?;
    wanted.push((layout.below(POLICY), FileState::text(text, 0o600)));
    wanted.push((layout.below(sysctld::FILE), FileState::text(sysctld::write(&desired.sysctls)?, 0o644)));
    for manager in Manager::ALL {
        let used = managers.contains(manager);
        wanted.extend(manager.files(used, desired, layout)?);
    }
    let mut changes = Vec::new();
    for (path, after) in wanted {
        let before = FileState::read(&path)?;
        if before != after {
            changes.push(FileChange { path, before, after });
        }
    }
    Ok(changes)
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
    let mut changes = Vec::new();
    for path in paths {
        let before = FileState::read(&path)?;
        if before != FileState::Absent {
            changes.push(FileChange { path, before, after: FileState::Absent });
        }
    }
    Ok(changes)
}

#[cfg(test)]
use sysctld::tests as sysctld_tests;

#[cfg(test)]
mod tests;
