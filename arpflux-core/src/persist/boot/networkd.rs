//! Settings of `.network` files that systemd-networkd writes to sysctls when it configures a link.

use std::path::{Path, PathBuf};

use super::units;
use crate::error::Result;
use crate::persist::sysctld::{Assignment, Key, matches};
use crate::persist::{Layout, Root};
use crate::snapshot::{Interface, Snapshot};
use crate::sysctl::Sysctl;

const FOLDERS: [&str; 4] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
];

/// The lines that count, for each interface those of the first file that matches it.
pub(super) fn lines(root: &Root, layout: &Layout, snapshot: &Snapshot) -> Result<Vec<Assignment>> {
    let files = files(root, layout)?;
    let in_use = root.exists(&layout.below("/run/systemd/netif/links"))
        || units::enabled(root, layout, "systemd-networkd")?
        || files.iter().any(|(seen, _)| seen.starts_with("/etc"));
    let mut lines = Vec::new();
    if !in_use {
        return Ok(lines);
    }
    for interface in &snapshot.interfaces {
        let Some((seen, text)) = files.iter().find(|(_, text)| takes(text, interface)) else { continue };
        lines.extend(settings(text, seen, interface));
        // Drop-ins come after the file, by name.
        let name = seen.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for folder in FOLDERS {
            let folder = Path::new(folder).join(format!("{name}.d"));
            for name in root.names(&layout.below(&folder))? {
                let seen = folder.join(name);
                if let Some(text) = root.text(&layout.below(&seen))? {
                    lines.extend(settings(&text, &seen, interface));
                }
            }
        }
    }
    Ok(lines)
}

/// The `.network` files in the order of their names; one of an earlier folder hides its namesakes.
fn files(root: &Root, layout: &Layout) -> Result<Vec<(PathBuf, String)>> {
    let mut found: std::collections::BTreeMap<std::ffi::OsString, PathBuf> =
        std::collections::BTreeMap::new();
    for folder in FOLDERS {
        for name in root.names(&layout.below(folder))? {
            if Path::new(&name).extension().is_some_and(|end| end == "network") {
                let seen = Path::new(folder).join(&name);
                found.entry(name).or_insert(seen);
            }
        }
    }
    let mut files = Vec::new();
    for seen in found.into_values() {
        if let Some(text) = root.text(&layout.below(&seen))? {
            files.push((seen, text));
        }
    }
    Ok(files)
}

/// The settings of one section, in order: key, value, line.
fn section<'t>(text: &'t str, wanted: &str) -> Vec<(&'t str, &'t str, usize)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == wanted;
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            found.push((key.trim(), value.trim(), number + 1));
        }
    }
    found
}

fn takes(text: &str, interface: &Interface) -> bool {
    let conditions = section(text, "[Match]");
    let name = interface.name.to_string();
    let mac = interface.mac.to_string();
    let holds = |key: &str, value: &str| match key {
        "Name" => value.split_whitespace().any(|pattern| matches(pattern, &name)),
        "MACAddress" | "PermanentMACAddress" => {
            value.split_whitespace().any(|one| one.eq_ignore_ascii_case(&mac))
        }
        // Others cannot be decided from here; a file is taken for what its names and addresses say.
        _ => true,
    };
    !conditions.is_empty() && conditions.iter().all(|(key, value, _)| holds(key, value))
}

fn settings(text: &str, seen: &Path, interface: &Interface) -> Vec<Assignment> {
    let own = |sysctl| Key::conf(interface.name, sysctl);
    let mut lines = Vec::new();
    for (name, value, line) in section(text, "[Network]") {
        let yes = ["yes", "true", "on", "1"].contains(&value);
        let (key, number) = match name {
            "IPv4ProxyARP" => (own(Sysctl::ProxyArp), i32::from(yes)),
            "IPv4ProxyARPPrivateVLAN" => (own(Sysctl::ProxyArpPvlan), i32::from(yes)),
            "IPv4AcceptLocal" => (own(Sysctl::AcceptLocal), i32::from(yes)),
            "IPv4Forwarding" => (own(Sysctl::Forwarding), i32::from(yes)),
            "IPForward" if yes || value == "ipv4" => (Key::parse("net/ipv4/ip_forward"), 1),
            "IPv4ReversePathFilter" => match value {
                "no" => (own(Sysctl::RpFilter), 0),
                "strict" => (own(Sysctl::RpFilter), 1),
                "loose" => (own(Sysctl::RpFilter), 2),
                _ => continue,
            },
            _ => continue,
        };
        lines.push(Assignment { key, value: Some(number.to_string()), file: seen.into(), line });
    }
    lines
}
