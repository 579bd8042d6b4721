//! ufw's own sysctls, which `ufw-init` sets with `sysctl -p` after systemd-sysctl, before the network.

use std::path::PathBuf;

use super::files::Files;
use super::units;

/// The file that `IPT_SYSCTL` names, if ufw is enabled, and its text.
pub(super) fn file(files: &Files<'_>) -> Option<(PathBuf, String)> {
    let setting = |path: &str, key: &str| -> Option<String> {
        let text = files.text(path)?;
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        lines.map(|value| value.trim().trim_matches(['"', '\'']).to_owned()).next_back()
    };
    let on = setting("/etc/ufw/ufw.conf", "ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    if !on || !units::enabled(files, "ufw") {
        return None;
    }
    let file = setting("/etc/default/ufw", "IPT_SYSCTL").filter(|file| !file.is_empty())?;
    Some((PathBuf::from(&file), files.text(&file)?))
}
