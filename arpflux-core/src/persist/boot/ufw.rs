//! ufw's own sysctls, which `ufw-init` sets after systemd-sysctl.

use std::path::Path;

use super::units;
use crate::error::Result;
use crate::persist::sysctld::{Assignment, assignments};
use crate::persist::{Layout, Root};

/// The lines of the file that `IPT_SYSCTL` names, if ufw is enabled.
pub(super) fn lines(root: &Root, layout: &Layout) -> Result<Vec<Assignment>> {
    let setting = |path: &str, key: &str| -> Result<Option<String>> {
        let text = root.text(&layout.below(path))?.unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        Ok(lines.map(|value| value.trim().trim_matches(['"', '\'']).to_owned()).next_back())
    };
    let on = setting("/etc/ufw/ufw.conf", "ENABLED")?.is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    if !on || !units::enabled(root, layout, "ufw")? {
        return Ok(Vec::new());
    }
    let Some(file) = setting("/etc/default/ufw", "IPT_SYSCTL")?.filter(|file| !file.is_empty()) else {
        return Ok(Vec::new());
    };
    Ok(root.text(&layout.below(&file))?.map(|text| assignments(&text, Path::new(&file))).unwrap_or_default())
}
