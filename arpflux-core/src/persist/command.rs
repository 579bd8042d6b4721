//! Whether the command may be run at boot: what runs as root there must be root's alone, and be seen.

use std::path::Path;

use super::{Layout, Manager, Root};
use crate::error::{Error, ErrorKind, Result};

/// What the unit's `ProtectHome=` and `PrivateTmp=` hide from it.
const HIDDEN: &[&str] = &["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Looks at the command's path, and at each folder above it, as the host sees them.
///
/// # Errors
/// [`ErrorKind::Refused`] if somebody else than root can change what would run as root at boot, or if the unit
/// could not see it. A command that is not there yet (below another root) is not judged.
pub(super) fn check(layout: &Layout, managers: &[Manager], root: &Root) -> Result<()> {
    layout.checked_command()?;
    if !managers.iter().any(|manager| manager.applies()) {
        return Ok(());
    }
    let refused = |what: String| {
        Error::new(ErrorKind::Refused, what).during("persist the command").on(layout.command.as_path())
    };
    if managers.contains(&Manager::Systemd)
        && let Some(hidden) = HIDDEN.iter().find(|folder| layout.command.starts_with(folder))
    {
        return Err(refused(format!("the unit cannot see what is below {hidden}"))
            .hint("install the command to /usr/local/sbin or /usr/bin, and run it from there or name it with --command"));
    }
    for path in layout.command.ancestors() {
        let Some(owner) = root.owner(&layout.below(path))? else { continue };
        if let Some(who) = owner.other_than(0) {
            return Err(refused(format!(
                "{} can change {}, and root would run it at boot",
                who,
                path.display()
            ))
            .hint("install the command to a folder that only root can write, such as /usr/local/sbin"));
        }
    }
    Ok(())
}

/// Who may write something.
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) mode: u32,
    pub(crate) is_folder: bool,
}

impl Owner {
    /// Who may change it, if that is anybody but root and `me`.
    pub(crate) fn other_than(&self, me: u32) -> Option<String> {
        const STICKY: u32 = 0o1000;
        let shared = self.mode & 0o022 != 0 && !(self.is_folder && self.mode & STICKY != 0);
        if shared {
            return Some("others than its owner".into());
        }
        // In a user namespace the system's files belong to nobody: that says nothing.
        (self.user != 0 && self.user != me && in_first_user_namespace())
            .then(|| format!("user {}", self.user))
    }
}

fn in_first_user_namespace() -> bool {
    let map = std::fs::read_to_string(Path::new("/proc/self/uid_map")).unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}
