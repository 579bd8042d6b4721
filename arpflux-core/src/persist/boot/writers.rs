//! Everything that sets values at boot, in the order of time.

use std::net::IpAddr;
use std::path::Path;

use super::shell::{self, Effects, Unfollowed};
use super::{Lint, ifupdown, lint, networkd, tuned, ufw, units};
use crate::error::Result;
use crate::persist::sysctld::{Assignment, BootSysctls, Key, assignments};
use crate::persist::{Layout, Root, hooks};
use crate::snapshot::{ProxyEntry, Snapshot};
use crate::sysctl::Sysctl;

const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// Services that turn forwarding on by themselves, when they start or for the interfaces that they make.
const FORWARDERS: &[&str] =
    &["docker", "containerd", "libvirtd", "kubelet", "k3s", "incus", "lxd", "lxc-net"];

/// What was found, see the module.
pub(super) struct Writers {
    /// The kernel's command line.
    early: Vec<Assignment>,
    /// `sysctl.d`.
    pub(super) files: BootSysctls,
    /// What comes after `sysctl.d`.
    late: Vec<Assignment>,
    /// Lines of `/etc/sysctl.conf` where nobody reads it.
    unread: Vec<Assignment>,
    proxies: Vec<(IpAddr, String)>,
    pub(super) unfollowed: Vec<Unfollowed>,
}

impl Writers {
    pub(super) fn load(root: &Root, layout: &Layout, snapshot: &Snapshot) -> Result<Self> {
        let text = |path: &str| root.text(&layout.below(path));
        // OpenRC and busybox read it last; systemd-sysctl reads it where a link in sysctl.d leads to it.
        let openrc = !units::systemd(root, layout)
            && ["/sbin/openrc-run", "/etc/runlevels", "/etc/alpine-release"]
                .iter()
                .any(|path| root.exists(&layout.below(path)));
        let files = BootSysctls::load_with(&layout.root, root, openrc.then_some(SYSCTL_CONF))?;
        let conf = assignments(&text(SYSCTL_CONF)?.unwrap_or_default(), Path::new(SYSCTL_CONF));
        let linked = |line: &Assignment| {
            files
                .lines()
                .any(|read| read.key == line.key && read.value == line.value && read.line == line.line)
        };
        let unread = conf.into_iter().filter(|line| !linked(line)).collect();

        let mut late = ufw::lines(root, layout)?;
        late.extend(networkd::lines(root, layout, snapshot)?);
        let Effects { sysctls, proxies, mut unfollowed } = ifupdown::effects(root, layout)?;
        late.extend(sysctls);
        let profile = tuned::lines(root, layout)?;
        if !profile.is_empty() {
            late.extend(profile);
            if tuned::reapplies(root, layout)? {
                // Only the administrator's files, not the vendor's.
                let again = files
                    .lines()
                    .filter(|line| line.file.starts_with("/etc") || line.file.starts_with("/run"));
                late.extend(again.cloned());
            }
        }
        let mut writers =
            Self { early: command_line(root, layout)?, files, late, unread, proxies, unfollowed: Vec::new() };
        for script in ["/etc/rc.local", "/etc/rc.d/rc.local"] {
            for (number, line) in text(script)?.unwrap_or_default().lines().enumerate() {
                let effects = shell::follow(line, &[], Path::new(script), number + 1);
                writers.late.extend(effects.sysctls);
                writers.proxies.extend(effects.proxies);
                unfollowed.extend(effects.unfollowed);
            }
        }
        unfollowed.extend(not_followed(root, layout)?);
        writers.unfollowed = unfollowed;
        Ok(writers)
    }

    /// The lines that set a value, in the order of time; of `sysctl.d` only the one that wins there.
    pub(super) fn about(&self, key: &Key) -> Vec<&Assignment> {
        let forwarding = key.as_path().ends_with("/forwarding") || key.as_path().ends_with("/ip_forward");
        let reaches = |line: &&Assignment| line.value.is_some() && lint::reaches(line, key, forwarding);
        let mut lines: Vec<&Assignment> = self.early.iter().filter(reaches).collect();
        // Writing `ip_forward` or `all` rewrites every interface (`inet_forward_change()`).
        let whole = || {
            let keys = [Key::parse("net/ipv4/ip_forward"), Key::conf("all", Sysctl::Forwarding)];
            let lines = keys.into_iter().filter_map(|key| self.files.winner(&key));
            forwarding.then(|| lines.max_by_key(|line| self.files.place(line))).flatten()
        };
        lines.extend(self.files.winner(key).or_else(whole));
        lines.extend(self.late.iter().filter(reaches));
        lines
    }

    /// The lines about `key` that do not count.
    pub(super) fn ignored(&self, key: &Key, winner: Option<&Assignment>) -> Vec<&Assignment> {
        let mut lines = self.files.losers(key);
        lines.extend(self.about(key));
        lines.extend(self.unread.iter().filter(|line| line.value.is_some() && line.reaches(key)));
        let mut seen: Vec<&Assignment> = Vec::new();
        for line in lines {
            if winner != Some(line) && !seen.contains(&line) {
                seen.push(line);
            }
        }
        seen
    }

    /// What may set a value and was not followed, as FILE:LINE.
    pub(super) fn may_set(&self, folder: &str, sysctl: Sysctl) -> Option<String> {
        let found = self.unfollowed.iter().find(|it| it.may_set(folder, sysctl))?;
        Some(match found.line {
            0 => found.file.display().to_string(),
            line => format!("{}:{line}", found.file.display()),
        })
    }

    /// Whether a line adds this entry again.
    pub(super) fn adds(&self, snapshot: &Snapshot, entry: &ProxyEntry) -> bool {
        let name = |interface: &str| {
            entry
                .interface
                .and_then(|index| snapshot.interface(index))
                .is_some_and(|found| found.name.to_string() == interface)
        };
        self.proxies.iter().any(|(address, interface)| *address == entry.address && name(interface))
    }

    pub(super) fn lints(&self, root: &Root, layout: &Layout, snapshot: &Snapshot) -> Result<Vec<Lint>> {
        // Their line is told once, as not read.
        let read = self.files.lines().chain(&self.late);
        let mut lints = lint::lines(read, snapshot, root, layout)?;
        lints.dedup();
        lints.extend(lint::files(root, layout, &self.unread)?);
        Ok(lints)
    }
}

/// `sysctl.NAME=VALUE` of the kernel's command line: of this boot, which the next is taken to repeat.
fn command_line(root: &Root, layout: &Layout) -> Result<Vec<Assignment>> {
    let seen = ["/etc/kernel/cmdline", "/proc/cmdline"];
    let mut lines = Vec::new();
    for file in seen {
        // Below another root /proc is the running kernel's, or nothing's.
        if file.starts_with("/proc") && layout.root != Path::new("/") {
            continue;
        }
        let text = root.text(&layout.below(file))?.unwrap_or_default();
        for word in text.split_whitespace() {
            let Some((key, value)) = word.strip_prefix("sysctl.").and_then(|word| word.split_once('='))
            else {
                continue;
            };
            lines.push(Assignment {
                key: Key::parse(key),
                value: Some(value.into()),
                file: file.into(),
                line: 1,
            });
        }
    }
    Ok(lines)
}

/// What is run at boot and mentions such values, but would have to be executed to be understood.
fn not_followed(root: &Root, layout: &Layout) -> Result<Vec<Unfollowed>> {
    let mut found = Vec::new();
    for (folder, why) in [
        ("/etc/NetworkManager/dispatcher.d", "a script that NetworkManager runs for each interface"),
        ("/etc/networkd-dispatcher/routable.d", "a script that networkd-dispatcher runs"),
        ("/etc/udev/rules.d", "a rule of udev, which runs when a device appears"),
        ("/etc/local.d", "a script that OpenRC runs"),
        ("/etc/cron.d", "a job of cron, perhaps at @reboot"),
    ] {
        for name in root.names(&layout.below(folder))? {
            let seen = Path::new(folder).join(name);
            if seen != Path::new(hooks::DISPATCHER) {
                let text = root.text(&layout.below(&seen)).ok().flatten().unwrap_or_default();
                found.extend(mentions(&text, &seen, why));
            }
        }
    }
    let folder = "/etc/systemd/system";
    for name in root.names(&layout.below(folder))? {
        let seen = Path::new(folder).join(&name);
        let unit = name.to_str().and_then(|name| name.strip_suffix(".service"));
        if unit.is_some_and(|unit| unit != "arpflux") {
            let text = root.text(&layout.below(&seen)).ok().flatten().unwrap_or_default();
            found.extend(mentions(&text, &seen, "a unit of systemd"));
        }
    }
    for service in FORWARDERS {
        if units::enabled(root, layout, service)? {
            found.push(Unfollowed {
                file: format!("{service}.service").into(),
                line: 0,
                text: service.to_string(),
                why: "it turns forwarding on by itself when it starts".into(),
                sysctls: vec![Sysctl::Forwarding.name().into()],
            });
        }
    }
    Ok(found)
}

/// The lines of a text that mention something that decides about ARP.
pub(crate) fn mentions(text: &str, file: &Path, why: &str) -> Vec<Unfollowed> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with('#') && shell::concerns(line));
    lines.map(|(number, line)| Unfollowed::new(file, number + 1, line, why)).collect()
}
