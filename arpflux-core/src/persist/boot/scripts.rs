//! What is run at boot and mentions such values, but would have to be executed to be understood.

use std::path::Path;

use super::files::Files;
use super::shell::{self, Unfollowed};
use super::{network_manager, units};
use crate::sysctl::Sysctl;

/// Services that turn forwarding on by themselves, when they start or for the interfaces that they make.
const FORWARDERS: &[&str] = &[
    "docker",
    "containerd",
    "libvirtd",
    "virtqemud",
    "virtnetworkd",
    "kubelet",
    "kube-proxy",
    "k3s",
    "k3s-agent",
    "incus",
    "lxd",
    "lxc-net",
    "frr",
    "tailscaled",
    "vz",
];

/// Folders of scripts and settings, and who runs them. An empty name of a service: always.
const FOLDERS: &[(&str, &str, &str)] = &[
    ("/etc/networkd-dispatcher/carrier.d", "networkd-dispatcher", "a script that networkd-dispatcher runs"),
    (
        "/etc/networkd-dispatcher/configured.d",
        "networkd-dispatcher",
        "a script that networkd-dispatcher runs",
    ),
    (
        "/etc/networkd-dispatcher/configuring.d",
        "networkd-dispatcher",
        "a script that networkd-dispatcher runs",
    ),
    ("/etc/networkd-dispatcher/degraded.d", "networkd-dispatcher", "a script that networkd-dispatcher runs"),
    ("/etc/networkd-dispatcher/routable.d", "networkd-dispatcher", "a script that networkd-dispatcher runs"),
    ("/etc/local.d", "", "a script that OpenRC runs"),
    ("/etc/cron.d", "", "a job of cron, perhaps at @reboot"),
    ("/var/spool/cron", "", "a job of cron, perhaps at @reboot"),
    ("/var/spool/cron/crontabs", "", "a job of cron, perhaps at @reboot"),
    ("/var/lib/cloud/scripts/per-boot", "", "a script that cloud-init runs at each boot"),
    ("/etc/cloud/cloud.cfg.d", "", "what cloud-init is told, and may do at boot"),
    ("/etc/shorewall", "shorewall", "a setting of Shorewall, which writes sysctls when it starts"),
    ("/etc/firewall.d", "", "a script of a firewall"),
    ("/etc/init.d", "", "a script of System V or OpenRC"),
    ("/etc/network/ifupdown2/policy.d", "", "a default of ifupdown2"),
];

/// Single files of that kind.
const FILES: &[(&str, &str)] = &[
    ("/etc/crontab", "a job of cron, perhaps at @reboot"),
    ("/var/lib/cloud/instance/user-data.txt", "what cloud-init was given, and may do at boot"),
    ("/var/lib/cloud/instance/vendor-data.txt", "what cloud-init was given, and may do at boot"),
    ("/sbin/ifup-local", "a script that initscripts run for each interface"),
];

pub(super) fn unfollowed(files: &Files<'_>) -> Vec<Unfollowed> {
    let mut found = network_manager::unfollowed(files);
    for (folder, service, why) in FOLDERS {
        // Nothing is started in a tree that says nothing about it: a part of a host.
        let known = files.exists("/etc/systemd/system/multi-user.target.wants");
        if !service.is_empty() && known && !units::enabled(files, service) {
            continue;
        }
        for name in files.names(folder) {
            let is_run = *folder != "/etc/init.d"
                || (!units::systemd(files)
                    && !["sysctl", "procps"].contains(&name.as_str())
                    && units::enabled(files, &name));
            if is_run {
                let seen = Path::new(folder).join(&name);
                found.extend(super::mentions(&files.text(&seen).unwrap_or_default(), &seen, why));
            }
        }
    }
    for (file, why) in FILES {
        found.extend(super::mentions(&files.text(file).unwrap_or_default(), Path::new(file), why));
    }
    units_of(files, &mut found);
    for service in FORWARDERS.iter().filter(|service| units::enabled(files, service)) {
        found.push(Unfollowed {
            file: format!("{service}.service").into(),
            line: 0,
            text: (*service).to_owned(),
            why: "it turns forwarding on by itself when it starts".into(),
            sysctls: vec![Sysctl::Forwarding.name().into()],
        });
    }
    if first_boot(files) {
        found.push(Unfollowed {
            file: "/etc/cloud/cloud.cfg".into(),
            line: 0,
            text: "cloud-init".into(),
            why: "it has not run yet, and configures the network at its first boot".into(),
            sysctls: Vec::new(),
        });
    }
    found
}

/// Whether cloud-init is installed, not disabled, and has no instance yet.
fn first_boot(files: &Files<'_>) -> bool {
    files.exists("/etc/cloud/cloud.cfg")
        && !files.exists("/etc/cloud/cloud-init.disabled")
        && !files.has_entry("/var/lib/cloud/instance")
}

/// The administrator's units that are started, and the scripts that they run.
fn units_of(files: &Files<'_>, found: &mut Vec<Unfollowed>) {
    let folder = Path::new("/etc/systemd/system");
    for name in files.names(folder) {
        let seen = folder.join(&name);
        let mut texts = Vec::new();
        if let Some(unit) = name.strip_suffix(".service").filter(|unit| *unit != "arpflux") {
            // A link is a unit of a package, under another name.
            let text = files.text(&seen).unwrap_or_default();
            if !text.contains("[Install]") || units::enabled(files, unit) {
                texts.push((seen, text));
            }
        } else if name.ends_with(".service.d") {
            for name in files.names(&seen) {
                let seen = seen.join(name);
                let text = files.text(&seen).unwrap_or_default();
                texts.push((seen, text));
            }
        }
        for (seen, text) in texts {
            found.extend(super::mentions(&text, &seen, "a unit of systemd"));
            for line in text.lines().filter(|line| line.starts_with("Exec")) {
                found.extend(named(files, line));
            }
        }
    }
}

/// The lines that concern ARP in scripts that a command names by their path.
pub(super) fn named(files: &Files<'_>, command: &str) -> Vec<Unfollowed> {
    let words = command.split(|c: char| c.is_whitespace() || "=\"';".contains(c));
    let scripts = words.filter(|word| word.starts_with('/') && word.len() > 1);
    scripts
        .flat_map(|path| {
            let text = files.script(path).unwrap_or_default();
            super::mentions(&text, Path::new(path), "a script that is run at boot")
        })
        .collect()
}

/// The lines of a text that mention something that decides about ARP.
pub(super) fn mentions(text: &str, file: &Path, why: &str) -> Vec<Unfollowed> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with('#') && shell::concerns(line));
    lines.map(|(number, line)| Unfollowed::new(file, number + 1, line, why)).collect()
}
