//! TuneD's active profile, which sets sysctls when its daemon starts, after the network.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::shell::Unfollowed;
use super::units;
use crate::persist::sysctld::{Assignment, Key};

/// Profiles that are read at the most: one that includes itself ends nothing.
const PROFILES: usize = 32;

const FOLDERS: [&str; 4] = ["/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"];

/// What the daemon does, if it is enabled: the profile, then the files of the administrator once more
/// (`reapply_sysctl`, on by default).
#[derive(Default)]
pub(super) struct Tuned {
    pub(super) lines: Vec<Assignment>,
    pub(super) unfollowed: Vec<Unfollowed>,
}

impl Tuned {
    pub(super) fn load(files: &Files<'_>) -> Self {
        let mut tuned = Self::default();
        if !units::enabled(files, "tuned") {
            return tuned;
        }
        let Some(active) = files.text("/etc/tuned/active_profile") else { return tuned };
        let mut budget = PROFILES;
        for profile in active.split_whitespace() {
            tuned.profile(files, profile, &mut budget);
        }
        if !tuned.lines.is_empty() && reapplies(files) {
            tuned.again(files);
        }
        tuned
    }

    fn profile(&mut self, files: &Files<'_>, name: &str, budget: &mut usize) {
        let Some(left) = budget.checked_sub(1) else { return };
        *budget = left;
        // The name comes from a file: a path in it leads no further than the folder's own profiles.
        let Some(name) = Path::new(name).file_name() else { return };
        let paths = FOLDERS.iter().map(|folder| Path::new(folder).join(name).join("tuned.conf"));
        let mut paths = paths.filter_map(|seen| files.text(&seen).map(|text| (seen, text)));
        let Some((seen, text)) = paths.next() else {
            return;
        };
        let mut section = "";
        let (mut own, mut unfollowed) = (Vec::new(), Vec::new());
        let kinds = types(&text);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']);
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) else {
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            let kind = kinds.iter().find(|(name, _)| *name == section).map_or(section, |(_, kind)| *kind);
            match (kind, key) {
                ("main", "include") => {
                    for parent in value.split([',', ' ', ';']).filter(|parent| !parent.is_empty()) {
                        self.profile(files, parent, budget);
                    }
                }
                ("sysctl", "type" | "replace" | "enabled" | "priority") => {}
                ("sysctl", _) if value.contains("${") => {
                    let why = "a variable of the profile stands in it";
                    unfollowed.push(Unfollowed::new(&seen, number + 1, line, why));
                }
                // Every dot separates here, whatever follows.
                ("sysctl", _) => own.push(assignment(key, value, &seen, number + 1)),
                ("script", "script") => {
                    let folder = seen.parent().unwrap_or(Path::new("/")).display().to_string();
                    let script = value.replace("${i:PROFILE_DIR}", &folder);
                    if let Some(text) = files.script(&script) {
                        let why = "a script of TuneD's active profile";
                        unfollowed.extend(super::mentions(&text, Path::new(&script), why));
                    }
                }
                _ => {}
            }
        }
        self.lines.extend(own);
        self.unfollowed.extend(unfollowed);
    }

    fn again(&mut self, files: &Files<'_>) {
        let mut paths = files.by_name(&["/run/sysctl.d", "/etc/sysctl.d"], "conf");
        paths.push(PathBuf::from("/etc/sysctl.conf"));
        for seen in paths {
            for (number, line) in files.text(&seen).unwrap_or_default().lines().enumerate() {
                let line = line.trim();
                if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) {
                    self.lines.push(assignment(key.trim(), value.trim(), &seen, number + 1));
                }
            }
        }
    }
}

fn assignment(key: &str, value: &str, file: &Path, line: usize) -> Assignment {
    Assignment { key: Key::slashed(key), value: Some(value.to_owned()), file: file.into(), line }
}

/// The kinds of sections that say `type=`.
fn types(text: &str) -> Vec<(&str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if let Some(kind) = line.strip_prefix("type") {
            found.extend(kind.trim_start().strip_prefix('=').map(|kind| (section, kind.trim())));
        }
    }
    found
}

fn reapplies(files: &Files<'_>) -> bool {
    let text = files.text("/etc/tuned/tuned-main.conf").unwrap_or_default();
    let mut value =
        text.lines().filter_map(|line| line.trim().strip_prefix("reapply_sysctl")?.trim().strip_prefix('='));
    value.next_back().is_none_or(|value| ["1", "true", "True", "yes"].contains(&value.trim()))
}
