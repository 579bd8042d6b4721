//! Who may be the other one where something is changed again and again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::persist::sysctld::{BootSysctls, Key};
use crate::state::{Change, Object, SysctlScope, Value};

/// Programs that write such things by themselves, as `/proc/PID/comm` has their names: at most 15 bytes.
const SYSCTLS: &[&str] = &[
    "keepalived",
    "kube-proxy",
    "calico-node",
    "cilium-agent",
    "flanneld",
    "tuned",
    "dockerd",
    "systemd-sysctl",
];
const ROUTES: &[&str] = &[
    "NetworkManager",
    "systemd-network",
    "keepalived",
    "bird",
    "zebra",
    "dhclient",
    "dhcpcd",
    "calico-node",
    "cilium-agent",
    "tailscaled",
    "charon",
];
const ENTRIES: &[&str] = &["ndppd", "parprouted", "calico-node", "vzctl"];

/// Those programs that run in the network namespace of inode `netns`, or in one that may not be told, and may be the one
/// that undoes this change.
pub(super) fn programs(change: &Change, netns: u64) -> Option<String> {
    let known = match change.object {
        Object::Sysctl { .. } | Object::Ipv6Sysctl { .. } | Object::ProxyDelay { .. } => SYSCTLS,
        Object::Rule(_) | Object::Route(_) => ROUTES,
        Object::Proxy { .. } => ENTRIES,
    };
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if fs::metadata(process.path().join("ns/net")).is_ok_and(|its| its.ino() != netns) {
            continue;
        }
        let comm = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        if let Some(program) = known.iter().find(|known| **known == comm.trim_end()) {
            found.push(format!("{program}, process {pid}"));
        }
    }
    (!found.is_empty()).then(|| format!("perhaps {}", found.join(", or ")))
}

/// The line that gives a sysctl that value at boot: whatever reads the file again writes it.
pub(super) fn line_of_boot(change: &Change) -> Option<String> {
    let Object::Sysctl { scope: SysctlScope::Interface { name, .. }, sysctl } = &change.object else {
        return None;
    };
    let files = BootSysctls::load(Path::new("/")).ok()?;
    let line = files.winner(&Key::conf(name, *sysctl))?;
    let sets_it_so = line.number().map(|number| Value::Number(number.into())) == Some(change.before);
    sets_it_so
        .then(|| format!("perhaps what reads {}, whose line {} sets it so", line.file.display(), line.line))
}
