//! Which services are started at boot.

use crate::error::Result;
use crate::persist::{Layout, Root};

/// Whether a unit is wanted by a target, or a service stands in a runlevel of OpenRC or System V.
pub(super) fn enabled(root: &Root, layout: &Layout, name: &str) -> Result<bool> {
    for folder in ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] {
        let folder = layout.below(folder);
        for wants in root.names(&folder)? {
            let is_wants =
                wants.to_str().is_some_and(|name| name.ends_with(".wants") || name.ends_with(".requires"));
            if is_wants && root.has_entry(&folder.join(&wants).join(format!("{name}.service"))) {
                return Ok(true);
            }
        }
    }
    for runlevel in ["boot", "default", "sysinit"] {
        if root.has_entry(&layout.below(format!("/etc/runlevels/{runlevel}/{name}"))) {
            return Ok(true);
        }
    }
    for runlevel in ["rcS.d", "rc2.d", "rc3.d"] {
        let names = root.names(&layout.below(format!("/etc/{runlevel}")))?;
        if names.iter().filter_map(|entry| entry.to_str()).any(|entry| {
            entry
                .strip_prefix('S')
                .is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == name)
        }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether systemd is the host's init.
pub(super) fn systemd(root: &Root, layout: &Layout) -> bool {
    ["/run/systemd/system", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"]
        .iter()
        .any(|path| root.exists(&layout.below(path)))
}
