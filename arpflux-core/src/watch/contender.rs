//! Who may be the other one where something is changed again and again.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::watcher::Watcher;
use crate::apply::lock::unix_seconds;
use crate::apply::{self, Receipt};
use crate::kernel::Kernel as _;
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
/// What writes all of it: another one than this process.
const ITSELF: &str = "arpflux";
/// How far back a receipt counts: a fight is told once a minute.
const RECENT: u64 = 120;

/// What is known of others, asked for once for all that is told at a time: a fight may be about hundreds of rules.
#[derive(Default)]
pub(super) struct Suspects {
    receipts: Option<Vec<Receipt>>,
    watch: Option<Option<String>>,
    programs: HashMap<&'static [&'static str], Option<String>>,
    boot: Option<Option<BootSysctls>>,
}

impl Watcher {
    /// Who is the other one in a fight, or may be.
    pub(super) fn contender(&mut self, change: &Change, suspects: &mut Suspects) -> Option<String> {
        let seen = self.writers.last(&change.object);
        seen.or_else(|| self.transaction_against(change, suspects))
            .or_else(|| {
                let watch = suspects.watch.get_or_insert_with(|| self.other().ok().flatten());
                watch.clone()
            })
            .or_else(|| {
                let netns = self.kernel.identity().ok()?.inode;
                let known = programs_for(change);
                suspects.programs.entry(known).or_insert_with(|| programs(known, netns)).clone()
            })
            .or_else(|| {
                let boot = suspects.boot.get_or_insert_with(|| BootSysctls::load(Path::new("/")).ok());
                line_of_boot(change, boot.as_ref()?)
            })
    }

    /// The transaction of somebody else that undid this change lately, by its receipt. What this watch itself made since it has its
    /// policy is none: it made of it what it makes now.
    fn transaction_against(&mut self, change: &Change, suspects: &mut Suspects) -> Option<String> {
        let receipts = suspects.receipts.get_or_insert_with(|| {
            let since = self.policy_since.max(unix_seconds().saturating_sub(RECENT));
            apply::recent(&mut self.kernel, &self.options.apply, since).unwrap_or_default()
        });
        let against = |made: &Change| made.object == change.object && made.after != change.after;
        let receipt = receipts.iter().find(|receipt| receipt.changes.iter().any(against))?;
        Some(format!("transaction {} of `{}`", receipt.id?, receipt.command))
    }
}

/// Those that may be the one that undoes this change.
fn programs_for(change: &Change) -> &'static [&'static str] {
    match change.object {
        Object::Sysctl { .. } | Object::Ipv6Sysctl { .. } | Object::ProxyDelay { .. } => SYSCTLS,
        Object::Rule(_) | Object::Route(_) => ROUTES,
        Object::Proxy { .. } => ENTRIES,
    }
}

/// Those of them that run in the network namespace of inode `netns`, or in one that may not be told.
fn programs(known: &[&'static str], netns: u64) -> Option<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() {
            continue;
        }
        if fs::metadata(process.path().join("ns/net")).is_ok_and(|its| its.ino() != netns) {
            continue;
        }
        let comm = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        if let Some(program) = known.iter().chain([&ITSELF]).find(|known| **known == comm.trim_end()) {
            found.push(format!("{program}, process {pid}"));
        }
    }
    (!found.is_empty()).then(|| format!("perhaps {}", found.join(", or ")))
}

/// The line that gives a sysctl that value at boot: whatever reads the file again writes it.
fn line_of_boot(change: &Change, files: &BootSysctls) -> Option<String> {
    let Object::Sysctl { scope: SysctlScope::Interface { name, .. }, sysctl } = &change.object else {
        return None;
    };
    let line = files.winner(&Key::conf(name, *sysctl))?;
    let sets_it_so = line.number().map(|number| Value::Number(number.into())) == Some(change.before);
    sets_it_so
        .then(|| format!("perhaps what reads {}, whose line {} sets it so", line.file.display(), line.line))
}
