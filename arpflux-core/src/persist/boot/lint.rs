//! Lines of boot files that do not do what their author meant.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::persist::sysctld::{Assignment, FOLDERS, Key};
use crate::persist::{Layout, Root};
use crate::policy::nearest;
use crate::snapshot::Snapshot;
use crate::sysctl::Sysctl;

/// A line that has no effect, or another than it seems to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// What is odd in lines that are read, with the interfaces of the snapshot and those that `.link` files name.
pub(super) fn lines<'l>(
    lines: impl Iterator<Item = &'l Assignment>,
    snapshot: &Snapshot,
    root: &Root,
    layout: &Layout,
) -> Result<Vec<Lint>> {
    let mut known: Vec<String> =
        snapshot.interfaces.iter().map(|interface| interface.name.to_string()).collect();
    known.extend(renamed(root, layout)?);
    Ok(lines.filter_map(|line| one(line, &known)).collect())
}

fn one(line: &Assignment, known: &[String]) -> Option<Lint> {
    let rest = line.key.as_path().strip_prefix("net/ipv4/conf/")?;
    let lint = |problem: String, remedy: String| {
        Some(Lint { file: line.file.clone(), line: line.line, problem, remedy })
    };
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
    if line.value.is_some() && line.number().is_none() {
        let value = line.value.as_deref().unwrap_or_default();
        return lint(format!("the kernel refuses {value:?} for {}", line.key), "a whole number".into());
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

/// The names that `.link` files give to interfaces.
fn renamed(root: &Root, layout: &Layout) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in ["/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network"] {
        for file in root.names(&layout.below(folder))? {
            if Path::new(&file).extension().is_none_or(|end| end != "link") {
                continue;
            }
            let text = root.text(&layout.below(folder).join(&file))?.unwrap_or_default();
            names.extend(
                text.lines().filter_map(|line| Some(line.trim().strip_prefix("Name=")?.trim().to_owned())),
            );
        }
    }
    Ok(names)
}

/// Files beside those that are read, and what of `/etc/sysctl.conf` nobody reads.
pub(super) fn files(root: &Root, layout: &Layout, unread: &[Assignment]) -> Result<Vec<Lint>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for name in root.names(&layout.below(folder))? {
            let Some(name) = name.to_str().filter(|name| !name.ends_with(".conf")) else { continue };
            let seen = Path::new(folder).join(name);
            let text = root.text(&layout.below(&seen)).ok().flatten().unwrap_or_default();
            if super::shell::concerns(&text) && !["README", "README.sysctl"].contains(&name) {
                found.push(Lint {
                    file: seen,
                    line: 0,
                    problem: "not read: names of files in this folder have to end in .conf".into(),
                    remedy: format!("{folder}/{name}.conf"),
                });
            }
        }
    }
    found.extend(unread.iter().map(|line| Lint {
        file: line.file.clone(),
        line: line.line,
        problem: format!("{} is not read: systemd-sysctl does not look at {}", line.key, line.file.display()),
        remedy: "move the line to a file such as /etc/sysctl.d/90-local.conf".into(),
    }));
    Ok(found)
}

/// The key of a line as it is meant, for `--who`.
pub(super) fn reaches(line: &Assignment, key: &Key, sysctl_is_forwarding: bool) -> bool {
    let whole = ["net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding"];
    line.reaches(key) || (sysctl_is_forwarding && whole.contains(&line.key.as_path()))
}
