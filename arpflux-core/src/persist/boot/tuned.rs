//! TuneD's active profile, which sets sysctls when its daemon starts.

use std::path::{Path, PathBuf};

use super::units;
use crate::error::Result;
use crate::persist::sysctld::{Assignment, Key};
use crate::persist::{Layout, Root};

/// Profiles that are read at the most: one that includes itself ends nothing.
const PROFILES: usize = 32;

/// The `[sysctl]` lines of the active profile and of those that it includes, theirs first.
pub(super) fn lines(root: &Root, layout: &Layout) -> Result<Vec<Assignment>> {
    let active = root.text(&layout.below("/etc/tuned/active_profile"))?.unwrap_or_default();
    if !units::enabled(root, layout, "tuned")? {
        return Ok(Vec::new());
    }
    let mut lines = Vec::new();
    let mut budget = PROFILES;
    for profile in active.split_whitespace() {
        lines.extend(profile_lines(root, layout, profile, &mut budget)?);
    }
    Ok(lines)
}

/// Whether the files of `/etc/sysctl.d` are applied once more after the profile (`reapply_sysctl`, on by default).
pub(super) fn reapplies(root: &Root, layout: &Layout) -> Result<bool> {
    let text = root.text(&layout.below("/etc/tuned/tuned-main.conf"))?.unwrap_or_default();
    let mut value =
        text.lines().filter_map(|line| line.trim().strip_prefix("reapply_sysctl")?.trim().strip_prefix('='));
    Ok(value.next_back().is_none_or(|value| ["1", "true", "True", "yes"].contains(&value.trim())))
}

fn profile_lines(root: &Root, layout: &Layout, name: &str, budget: &mut usize) -> Result<Vec<Assignment>> {
    let Some(left) = budget.checked_sub(1) else { return Ok(Vec::new()) };
    *budget = left;
    let folders = ["/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"];
    let mut found: Option<(PathBuf, String)> = None;
    for folder in folders {
        // The name comes from a file: a path in it leads no further than the folder's own profiles.
        let Some(name) = Path::new(name).file_name() else { continue };
        let seen = Path::new(folder).join(name).join("tuned.conf");
        if let Some(text) = root.text(&layout.below(&seen))? {
            found = Some((seen, text));
            break;
        }
    }
    let Some((seen, text)) = found else { return Ok(Vec::new()) };
    let (mut included, mut own) = (Vec::new(), Vec::new());
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let (key, value) = (key.trim(), value.trim());
            if section == "[main]" && key == "include" {
                for parent in value.split([',', ' ']).filter(|parent| !parent.is_empty()) {
                    included.extend(profile_lines(root, layout, parent, budget)?);
                }
            } else if section == "[sysctl]" {
                own.push(Assignment {
                    key: Key::parse(key),
                    value: Some(value.to_owned()),
                    file: seen.clone(),
                    line: number + 1,
                });
            }
        }
    }
    included.extend(own);
    Ok(included)
}
