//! NetworkManager: its keyfiles have hardly a word for ARP; what one has for forwarding is named, and its dispatcher
//! scripts are read by their text.

use std::path::Path;

use super::files::Files;
use super::shell::Unfollowed;
use super::units;
use crate::persist::hooks;
use crate::sysctl::Sysctl;

const KEYFILES: [&str; 3] = [
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

const SCRIPTS: [&str; 2] = ["/etc/NetworkManager/dispatcher.d", "/usr/lib/NetworkManager/dispatcher.d"];

/// Whether NetworkManager is started, or nothing says who is.
fn is_used(files: &Files<'_>) -> bool {
    let by_others = ["systemd-networkd", "networking"].iter().any(|name| units::enabled(files, name));
    !by_others || units::enabled(files, "NetworkManager") || files.exists("/run/NetworkManager")
}

/// The texts of the keyfiles that it takes and that can be read.
pub(super) fn keyfiles(files: &Files<'_>) -> Vec<String> {
    if !is_used(files) {
        return Vec::new();
    }
    files.by_name(&KEYFILES, "nmconnection").iter().filter_map(|seen| files.text(seen)).collect()
}

pub(super) fn unfollowed(files: &Files<'_>) -> Vec<Unfollowed> {
    let mut found = Vec::new();
    if !is_used(files) {
        return found;
    }
    for seen in files.by_name(&KEYFILES, "nmconnection") {
        let mut section = String::new();
        for (number, line) in files.text(&seen).unwrap_or_default().lines().enumerate() {
            let line = line.trim();
            if line.starts_with('[') {
                section = line.into();
            }
            let (key, value) = line.split_once('=').unwrap_or_default();
            let forwards = match (section.as_str(), key.trim()) {
                ("[ipv4]", "method") => value.trim() == "shared",
                ("[ipv4]", "forwarding") => true,
                _ => false,
            };
            if forwards {
                found.push(Unfollowed {
                    file: seen.clone(),
                    // Which interfaces are meant depends on the release: 1.54 has forwarding of one interface.
                    line: number + 1,
                    text: format!("{line} (*)"),
                    why: "NetworkManager sets forwarding when it activates the connection".into(),
                    sysctls: vec![Sysctl::Forwarding.name().into()],
                });
            }
        }
    }
    for folder in SCRIPTS
        .iter()
        .flat_map(|folder| [folder.to_string(), format!("{folder}/pre-up.d"), format!("{folder}/no-wait.d")])
    {
        for name in files.names(&folder) {
            let seen = Path::new(&folder).join(name);
            if seen != Path::new(hooks::DISPATCHER)
                && !seen.ends_with("pre-up.d")
                && !seen.ends_with("no-wait.d")
            {
                let text = files.text(&seen).unwrap_or_default();
                found.extend(super::mentions(
                    &text,
                    &seen,
                    "a script that NetworkManager runs for each interface",
                ));
            }
        }
    }
    found
}
