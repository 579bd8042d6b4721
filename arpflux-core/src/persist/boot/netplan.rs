//! netplan makes files for networkd or NetworkManager early at boot. These are followed where they are there; its own YAML
//! is not.

use std::path::Path;

use super::files::Files;
use super::shell::Unfollowed;
use crate::sysctl::Sysctl;

const FOLDERS: [&str; 3] = ["/run/netplan", "/etc/netplan", "/usr/lib/netplan"];

/// Where it writes, and how the names begin.
const MADE: [(&str, &str); 2] =
    [("/run/systemd/network", "10-netplan-"), ("/run/NetworkManager/system-connections", "netplan-")];

/// What networkd sets if a drop-in for a file that netplan makes says so.
const BY_DROP_IN: [Sysctl; 6] = [
    Sysctl::ProxyArp,
    Sysctl::ProxyArpPvlan,
    Sysctl::AcceptLocal,
    Sysctl::RouteLocalnet,
    Sysctl::Forwarding,
    Sysctl::RpFilter,
];

/// The files of which netplan has not made others yet.
pub(super) fn unfollowed(files: &Files<'_>) -> Vec<Unfollowed> {
    let begins = |folder: &str, start: &str| files.names(folder).iter().any(|name| name.starts_with(start));
    if MADE.iter().any(|(folder, start)| begins(folder, start)) {
        return Vec::new();
    }
    let has_drop_ins = begins("/etc/systemd/network", "10-netplan-");
    let told = files.by_name(&FOLDERS, "yaml").into_iter().map(|file| {
        let text = files.text(&file).unwrap_or_default();
        let decides = |line: &&str| ["routes:", "routing-policy:"].contains(&line.trim());
        Unfollowed {
            text: text.lines().find(decides).unwrap_or("network:").trim().into(),
            line: 0,
            why: format!(
                "netplan makes the files that count of it at boot, and they are not there: netplan generate --root-dir {}",
                if files.layout.root == Path::new("/") { "/".into() } else { files.layout.root.display().to_string() }
            ),
            sysctls: BY_DROP_IN.iter().filter(|_| has_drop_ins).map(|it| it.name().into()).collect(),
            file,
        }
    });
    told.collect()
}
