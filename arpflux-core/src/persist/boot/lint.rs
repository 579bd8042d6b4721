//! Lines of boot files that do not do what their author meant, and what to write instead.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::Files;
use super::kernel::{Held, Kernel};
use super::shell;
use super::writers::place;
use crate::persist::sysctld::{Assignment, BootSysctls, FOLDERS, Reader};
use crate::policy::nearest;
use crate::snapshot::Snapshot;
use crate::sysctl::Sysctl;

/// A line that has no effect, or another than it seems to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Lint {
    /// The file, as the host sees it.
    pub file: PathBuf,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// What `net.ipv4.conf.INTERFACE` holds that this crate has no use for itself, for telling typing errors.
const OTHERS: &[&str] = &[
    "accept_redirects",
    "accept_source_route",
    "arp_evict_nocarrier",
    "bc_forwarding",
    "bootp_relay",
    "disable_policy",
    "disable_xfrm",
    "drop_unicast_in_l2_multicast",
    "force_igmp_version",
    "igmpv2_unsolicited_report_interval",
    "igmpv3_unsolicited_report_interval",
    "ignore_routes_with_linkdown",
    "log_martians",
    "mc_forwarding",
    "promote_secondaries",
    "secure_redirects",
    "send_redirects",
    "shared_media",
    "src_valid_mark",
    "tag",
];

/// Beside `ip_forward`, for telling typing errors.
const BESIDE: &[&str] = &["ip_forward", "ip_forward_update_priority", "ip_forward_use_pmtu"];

/// What is odd in lines that are read, with the interfaces of the snapshot and those that `.link` files name.
pub(super) fn lines(lines: &[&Assignment], snapshot: &Snapshot, files: &Files<'_>) -> Vec<Lint> {
    let mut known: Vec<String> =
        snapshot.interfaces.iter().map(|interface| interface.name.to_string()).collect();
    known.extend(renamed(files));
    lines.iter().filter_map(|line| one(line, &known)).collect()
}

fn one(line: &Assignment, known: &[String]) -> Option<Lint> {
    let lint = |problem: String, remedy: String| {
        Some(Lint { file: line.file.clone(), line: line.line, problem, remedy })
    };
    let path = line.key.as_path();
    let value = line.value.as_deref().unwrap_or_default();
    let is_number = line.value.is_none() || line.number().is_some();
    if let Some(name) = path.strip_prefix("net/ipv4/").filter(|name| !name.contains('/')) {
        return match nearest::nearest(name, BESIDE.iter().copied()) {
            Some(meant) if name.starts_with("ip_") && !BESIDE.contains(&name) => lint(
                format!("there is no sysctl net.ipv4.{name}"),
                format!("net.ipv4.{meant}, if that was meant"),
            ),
            Some("ip_forward") if name == "ip_forward" && !is_number => {
                lint(format!("the kernel refuses {value:?} for {}", line.key), "0 or 1".into())
            }
            _ => None,
        };
    }
    let rest = path.strip_prefix("net/ipv4/conf/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    let (name, folder) = parts.split_last()?;
    if folder.len() != 1 {
        let dotted = folder.join(".");
        return lint(
            format!("{} is taken for a path of {} parts: dots separate", line.key, folder.len() + 4),
            format!("net.ipv4.conf.{}.{name}, if the interface is {dotted}", folder.join("/")),
        );
    }
    let all_names = || Sysctl::ALL.iter().map(|sysctl| sysctl.name()).chain(OTHERS.iter().copied());
    if !line.key.is_pattern() && !all_names().any(|known| known == *name) {
        let meant = nearest::nearest(name, all_names());
        return lint(
            format!("there is no sysctl {name}"),
            meant.map_or_else(|| "delete the line".into(), |meant| format!("{meant}, if that was meant")),
        );
    }
    if !is_number {
        return lint(format!("the kernel refuses {value:?} for {}", line.key), "a whole number".into());
    }
    // `arp_ignore()` and `arp_solicit()` of net/ipv4/arp.c know no others.
    let meanings: Option<&[i32]> = match *name {
        "arp_ignore" => Some(&[0, 1, 2, 3, 8]),
        "arp_announce" => Some(&[0, 1, 2]),
        _ => None,
    };
    if let (Some(meanings), Some(number)) = (meanings, line.number())
        && !meanings.contains(&number)
    {
        let listed: Vec<String> = meanings.iter().map(ToString::to_string).collect();
        return lint(
            format!("the kernel takes {number} for {name} as 0"),
            format!("one of {}", listed.join(", ")),
        );
    }
    let folder = folder[0];
    let is_real = ["all", "default"].contains(&folder) || known.iter().any(|name| name == folder);
    if line.key.is_pattern() || is_real {
        return None;
    }
    lint(
        format!("there is no interface {folder}"),
        "the interface's present name (`ip link` lists them), or delete the line".into(),
    )
}

/// One key with two values, both the administrator's: a vendor's line is there to be overridden.
pub(super) fn twice(read: &BootSysctls) -> Vec<Lint> {
    let is_own = |line: &&Assignment| line.file.starts_with("/etc") && line.value.is_some();
    let lost = read.lines().filter(is_own).filter_map(|line| {
        let winner = read.winner(&line.key).filter(is_own)?;
        let differs = winner.key == line.key && winner.number() != line.number();
        differs.then(|| Lint {
            file: line.file.clone(),
            line: line.line,
            problem: format!(
                "{} is set to {} at {}, which counts",
                line.key,
                winner.value.as_deref().unwrap_or_default(),
                place(&winner.file, winner.line)
            ),
            remedy: "leave one of the two lines, and delete the other".into(),
        })
    });
    lost.filter(|lint| lint.line != 0).collect()
}

/// The administrator's lines for `default` that no interface gets its value from.
pub(super) fn defaults(read: &[&Assignment], late: &Kernel<'_>, early: Option<&Kernel<'_>>) -> Vec<Lint> {
    let mut found = Vec::new();
    for line in read.iter().filter(|line| line.file.starts_with("/etc") && line.value.is_some()) {
        let Some(name) = line.key.as_path().strip_prefix("net/ipv4/conf/default/") else { continue };
        let Some(sysctl) = Sysctl::ALL.iter().copied().find(|sysctl| sysctl.name() == name) else { continue };
        let at = |held: &Held<'_>| held.lines.last().is_some_and(|last| last == line);
        // Of two lines for `default` the first is told as overridden.
        if !late.held("default", sysctl).is_some_and(at) {
            continue;
        }
        let all = late.interfaces(sysctl).chain(early.into_iter().flat_map(|early| early.interfaces(sysctl)));
        let mut others = Vec::new();
        let mut reached = false;
        for held in all {
            reached |= at(held);
            others.extend(held.lines.last().copied());
        }
        if reached || late.interfaces(sysctl).next().is_none() {
            continue;
        }
        let by = others.first().map(|other| format!(": {} decides", place(&other.file, other.line)));
        found.push(Lint {
            file: line.file.clone(),
            line: line.line,
            problem: format!("{} reaches no interface that is there{}", line.key, by.unwrap_or_default()),
            remedy: format!("net.ipv4.conf.*.{name}, or a line for each interface"),
        });
    }
    found
}

/// The names that `.link` files give to interfaces.
fn renamed(files: &Files<'_>) -> Vec<String> {
    let folders = ["/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network"];
    let mut names = Vec::new();
    for seen in files.by_name(&folders, "link") {
        let text = files.text(&seen).unwrap_or_default();
        names.extend(
            text.lines().filter_map(|line| Some(line.trim().strip_prefix("Name=")?.trim().to_owned())),
        );
    }
    names
}

/// Files beside those that are read, and what of `/etc/sysctl.conf` nobody reads.
pub(super) fn files(files: &Files<'_>, reader: Reader, unread: &[Assignment]) -> Vec<Lint> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for name in files.names(folder).into_iter().filter(|name| !name.ends_with(".conf")) {
            let seen = Path::new(folder).join(&name);
            let inner = files.names_quietly(&seen).into_iter().map(|inner| seen.join(inner));
            for seen in std::iter::once(seen.clone()).chain(inner) {
                let text = files.text(&seen).unwrap_or_default();
                let is_readme = name.starts_with("README");
                if is_readme
                    || !text
                        .lines()
                        .any(|line| !line.trim_start().starts_with(['#', ';']) && shell::concerns(line))
                {
                    continue;
                }
                let remedy = match seen.extension().is_some_and(|end| end == "conf") {
                    true => format!("{folder}/{}", seen.file_name().unwrap_or_default().to_string_lossy()),
                    false => format!("{folder}/{name}.conf"),
                };
                found.push(Lint {
                    file: seen,
                    line: 0,
                    problem: "not read: files directly in this folder are, with names that end in .conf"
                        .into(),
                    remedy,
                });
            }
        }
    }
    let why = match reader {
        Reader::Systemd => "systemd-sysctl does not look at",
        _ => "nothing that runs at boot looks at",
    };
    found.extend(unread.iter().map(|line| Lint {
        file: line.file.clone(),
        line: line.line,
        problem: format!("{} is not read: {why} {}", line.key, line.file.display()),
        remedy: "move the line to a file such as /etc/sysctl.d/90-local.conf".into(),
    }));
    if reader == Reader::Nobody {
        let idle = FOLDERS
            .iter()
            .flat_map(|folder| files.names(folder).into_iter().map(|name| Path::new(folder).join(name)));
        found.extend(idle.filter(|seen| seen.starts_with("/etc")).map(|file| Lint {
            file,
            line: 0,
            problem: "not read: systemd-sysctl.service is masked".into(),
            remedy: "systemctl unmask systemd-sysctl.service".into(),
        }));
    }
    if reader == Reader::Busybox {
        found.extend(for_busybox(files));
    }
    found
}

/// What systemd-sysctl and procps take, and busybox does not.
fn for_busybox(files: &Files<'_>) -> Vec<Lint> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for name in files.names(folder).into_iter().filter(|name| name.ends_with(".conf")) {
            let seen: PathBuf = Path::new(folder).join(name);
            for (number, line) in files.text(&seen).unwrap_or_default().lines().enumerate() {
                let line = line.trim();
                let (left, _) = line.split_once('=').unwrap_or((line, ""));
                let (problem, remedy) = match line {
                    _ if line.starts_with(['#', ';']) || !shell::concerns(line) => continue,
                    _ if line.starts_with('-') => (
                        "busybox takes the - in front for a part of the name",
                        line.trim_start_matches('-').into(),
                    ),
                    _ if left.contains(['*', '?', '[']) => {
                        ("busybox knows no patterns", "a line for each interface".to_owned())
                    }
                    _ => continue,
                };
                found.push(Lint { file: seen.clone(), line: number + 1, problem: problem.into(), remedy });
            }
        }
    }
    found
}
