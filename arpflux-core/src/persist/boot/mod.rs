//! What the next boot brings, and where it will differ from now.

mod cmdline;
mod cpio;
mod files;
mod ifupdown;
mod initramfs;
mod ip;
mod kernel;
mod lint;
mod netplan;
mod network_manager;
mod networkd;
mod routing;
mod scripts;
mod shell;
mod tuned;
mod udev;
mod ufw;
mod units;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use files::Files;
pub use lint::Lint;
use routing::Routing;
use scripts::mentions;
pub use shell::Unfollowed;
use writers::{Outcomes, Writers, place};

use super::networkd as drop_ins;
use super::sysctld::{Assignment, Key};
use super::{Layout, Manager, POLICY, Root, kept_policy};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::PROTOCOL;
use crate::policy::Policy;
use crate::snapshot::{Interface, Snapshot, ValueSource};
use crate::state::{Change, between};
use crate::sysctl::{Combine, Sysctl};
use crate::types::{IfName, Mac};

/// The sysctls that people set for ARP; others are left to their managers.
const WATCHED: &[Sysctl] = &[
    Sysctl::ArpIgnore,
    Sysctl::ArpAnnounce,
    Sysctl::ArpFilter,
    Sysctl::ArpAccept,
    Sysctl::ArpNotify,
    Sysctl::Forwarding,
    Sysctl::ProxyArp,
    Sysctl::ProxyArpPvlan,
    Sysctl::RpFilter,
    Sysctl::AcceptLocal,
    Sysctl::RouteLocalnet,
];

/// One sysctl: what it is now, and what sets it at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BootValue {
    /// Its full name, with slashes.
    pub key: Key,
    /// Its value now.
    pub now: i32,
    /// Its value after a boot; `None`: nothing sets it, so the kernel's or the driver's default comes
    /// back, which is 0 for all of these.
    pub at_boot: Option<i32>,
    /// The line that decides, the last one in time: its own, that of `default`, or for `forwarding` that of
    /// `ip_forward` or `all`.
    pub set_by: Option<Assignment>,
    /// Lines about it that do not count, because `set_by` wins or a `-KEY` line takes it out.
    pub ignored: Vec<Assignment>,
    /// What the policy that is applied at boot makes of it afterwards.
    pub by_policy: Option<i32>,
    /// What may set it too, as FILE:LINE: something that was not followed, or a line that comes before or after
    /// `set_by` as the interface happens to be there earlier or later. [`BootValue::at_boot`] is without it, and cannot
    /// be relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undetermined_by: Option<String>,
    /// What counts on the interface, `all` combined with it; `None` for the values of `all` themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<BootEffective>,
}

/// What the kernel makes of the values of `all` and of an interface together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BootEffective {
    /// What counts now.
    pub now: i32,
    /// What counts after a boot; `None` if that cannot be told.
    pub at_boot: Option<i32>,
    /// Which of the two decides after a boot.
    pub source: ValueSource,
    /// The line that decides after a boot; `None`: none does, or the policy.
    pub set_by: Option<Assignment>,
}

impl BootValue {
    /// Whether a boot certainly changes it.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.undetermined_by.is_none() && self.now != self.at_boot.unwrap_or(0)
    }
}

/// The policy that is applied at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BootPolicy {
    /// Where it is.
    pub file: String,
    /// The managers that apply it.
    pub applied_by: Vec<Manager>,
    /// What of it cannot be kept on this host, or why this user cannot see it.
    pub error: Option<String>,
}

/// An entry, rule or route that a boot takes away or brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BootEntry {
    /// The same in words.
    pub text: String,
    /// From now to after the boot.
    pub change: Change,
}

/// A permanent entry of a neighbour that a boot takes away, brings or changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BootNeighbour {
    /// The neighbour's address.
    pub address: IpAddr,
    /// The interface.
    pub interface: IfName,
    /// Its MAC now; `None`: the kernel asks for it.
    pub now: Option<Mac>,
    /// Its MAC after a boot; `None`: the kernel asks for it.
    pub at_boot: Option<Mac>,
}

impl fmt::Display for BootNeighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, interface, now, at_boot } = self;
        match (now, at_boot) {
            (Some(now), None) => write!(f, "remove neighbour {address} {now} on {interface}"),
            (None, Some(later)) => write!(f, "add neighbour {address} {later} on {interface}"),
            (now, later) => {
                let told = |mac: &Option<Mac>| mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
                write!(f, "neighbour {address} on {interface}: {} to {}", told(now), told(later))
            }
        }
    }
}

/// What the next boot brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BootReport {
    /// The values that a file or the policy sets, and those that nothing brings back.
    pub values: Vec<BootValue>,
    /// `None`: no policy is applied at boot.
    pub policy: Option<BootPolicy>,
    /// Proxy entries of anybody, and rules and routes of ours, that come or go.
    pub entries: Vec<BootEntry>,
    /// Permanent entries of neighbours that come, go or change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<BootNeighbour>,
    /// What exists, runs at boot and may set such values, but was not understood.
    #[serde(default)]
    pub unfollowed: Vec<Unfollowed>,
    /// Lines that do not do what they seem to.
    #[serde(default)]
    pub lints: Vec<Lint>,
}

impl BootReport {
    /// How many values, entries and neighbours are otherwise after a boot.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.values.iter().filter(|value| value.differs()).count()
            + self.entries.len()
            + self.neighbours.len()
    }

    /// Whether everything will be as it is now: `None` if no difference is known, and something that may make one
    /// was not followed.
    #[must_use]
    pub fn ok(&self) -> Option<bool> {
        match self.differences() {
            0 if self.undetermined() == 0 && self.unfollowed.is_empty() => Some(true),
            0 => None,
            _ => Some(false),
        }
    }

    /// How many values cannot be told, because something that may set them was not followed.
    #[must_use]
    pub fn undetermined(&self) -> usize {
        self.values.iter().filter(|value| value.undetermined_by.is_some()).count()
    }
}

/// What the next boot of the host whose files are below the layout's root brings, compared with
/// `snapshot`.
///
/// Followed are, in the order of time: the kernel's command line, the initramfs's copy of `sysctl.d`, `sysctl.d` as systemd-sysctl, procps or busybox reads
/// it, ufw, the rules of udev and systemd-sysctl once more for each interface that appears, systemd-networkd's settings,
/// interfaces(5), TuneD's active profile and `rc.local`; then the
/// policy that the unit and the hooks apply. What runs at boot, mentions such values and is not understood is listed in
/// [`BootReport::unfollowed`], and the values are undetermined. A value that nothing sets counts as 0. Proxy entries
/// live in the kernel alone: only lines of networkd and interfaces(5) and the policy bring any back. Rules and routes that
/// are not ours are taken to come from somewhere; those that files of networkd and NetworkManager make and that are not
/// there now are told as coming.
///
/// # Errors
/// If a file that is there cannot be read.
pub fn at_boot(snapshot: &Snapshot, layout: &Layout) -> Result<BootReport> {
    let root = Root::open(&layout.root)?;
    let files = Files::new(&root, layout);
    let boot = Writers::load(&files, snapshot);
    let outcomes = boot.outcomes();
    let mut after = bare(snapshot, layout, &boot.routing)?;
    after.proxies = boot.proxies(snapshot);
    let folders = std::iter::once(None).chain(snapshot.interfaces.iter().map(|it| Some((it.index, it.name))));
    let mut values = Vec::new();
    for folder in folders {
        let (now, later) = match folder {
            None => (&snapshot.all, &mut after.all),
            Some((index, _)) => {
                let later = after.interfaces.iter_mut().find(|interface| interface.index == index);
                let (Some(now), Some(later)) = (snapshot.interface(index), later) else { continue };
                (&now.sysctls, &mut later.sysctls)
            }
        };
        for sysctl in WATCHED {
            let Some(now) = now.get(*sysctl) else { continue };
            let Some(value) = value(&boot, &outcomes, folder.map(|(_, name)| name), *sysctl, now) else {
                continue;
            };
            later.set(*sysctl, Some(value.at_boot.unwrap_or(0)));
            values.push((folder.map(|(index, _)| index), *sysctl, value));
        }
    }
    let mut policy = None;
    if let Some((kept, mut found)) = kept(layout)? {
        match kept.map(|kept| kept.plan_and_desired(&after)).transpose() {
            Ok(None) => {}
            Ok(Some((plan, wanted))) => {
                after = after.with(&plan.changes);
                let unmet: Vec<String> = wanted.unmet.iter().map(ToString::to_string).collect();
                found.error = (!unmet.is_empty()).then(|| unmet.join("; "));
                for wanted in &wanted.sysctls {
                    let same = |(index, sysctl, _): &&mut (Option<_>, Sysctl, BootValue)| {
                        *index == Some(wanted.interface) && *sysctl == wanted.sysctl
                    };
                    if let Some((.., value)) = values.iter_mut().find(same) {
                        value.at_boot = Some(wanted.value);
                        value.by_policy = Some(wanted.value);
                        value.undetermined_by = None;
                    }
                }
            }
            Err(error) => found.error = Some(error.to_string()),
        }
        policy = Some(found);
    }
    let of_all: Vec<(Sysctl, BootValue)> = values
        .iter()
        .filter(|(index, ..)| index.is_none())
        .map(|(_, sysctl, value)| (*sysctl, value.clone()))
        .collect();
    for (index, sysctl, value) in &mut values {
        let Some(interface) = index.and_then(|index| snapshot.interface(index)) else { continue };
        let all = of_all.iter().find(|(other, _)| other == sysctl).map(|(_, value)| value);
        value.effective = effective(snapshot, &after, interface, *sysctl, value, all);
    }
    let told = |value: &BootValue| {
        value.at_boot.is_some()
            || value.differs()
            || !value.ignored.is_empty()
            || value.undetermined_by.is_some()
    };
    let lints = boot.lints(&files, snapshot, &outcomes);
    Ok(BootReport {
        values: values.into_iter().map(|(.., value)| value).filter(told).collect(),
        policy,
        entries: entries(snapshot, &after),
        neighbours: neighbours(snapshot, &boot.routing),
        lints,
        unfollowed: boot.unfollowed.clone(),
    })
}

/// The lines that set one sysctl at boot, in the order of time: the last one wins, unless the policy that is applied
/// afterwards says otherwise (see [`BootValue::by_policy`]).
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the key is none of the sysctls that are followed, or of an interface that is not in the
/// snapshot; or if a file that is there cannot be read.
pub fn who(snapshot: &Snapshot, layout: &Layout, key: &Key) -> Result<Vec<Assignment>> {
    let root = Root::open(&layout.root)?;
    let boot = Writers::load(&Files::new(&root, layout), snapshot);
    let outcomes = boot.outcomes();
    let key =
        if key.as_path() == "net/ipv4/ip_forward" { &Key::conf("all", Sysctl::Forwarding) } else { key };
    let named = key.as_path().strip_prefix("net/ipv4/conf/").and_then(|rest| rest.rsplit_once('/'));
    let refused = |what: String, hint: String| {
        Error::new(ErrorKind::InvalidInput, what).during("look for lines").on(key.to_string()).hint(hint)
    };
    let names = || WATCHED.iter().map(|sysctl| sysctl.name()).collect::<Vec<_>>().join(", ");
    let followed = named.and_then(|(folder, name)| Some((folder, name.parse::<Sysctl>().ok()?)));
    let (folder, sysctl) = followed.filter(|(_, sysctl)| WATCHED.contains(sysctl)).ok_or_else(|| {
        refused(
            "it is none of the sysctls that are followed".into(),
            format!("net.ipv4.ip_forward, or net.ipv4.conf.INTERFACE with one of {}", names()),
        )
    })?;
    let found = outcomes.get(folder, sysctl).ok_or_else(|| {
        let there = snapshot.interfaces.iter().map(|it| it.name.to_string()).collect::<Vec<_>>().join(", ");
        refused(format!("there is no interface {folder}"), format!("all, default, or one of {there}"))
    })?;
    Ok(found.held.lines.iter().map(|line| (*line).clone()).collect())
}

/// The snapshot without what a boot takes away.
fn bare(snapshot: &Snapshot, layout: &Layout, made: &Routing) -> Result<Snapshot> {
    let sections = drop_ins::sections(layout)?;
    let mut bare = snapshot.clone();
    bare.proxies.clear();
    bare.rules.retain(|rule| {
        rule.protocol != PROTOCOL || made.has_rule(rule) || drop_ins::has_rule(&sections, rule)
    });
    bare.routes.retain(|route| {
        route.protocol != PROTOCOL || made.has_route(route) || drop_ins::has_route(&sections, route)
    });
    let (rules, routes) = made.missing(snapshot);
    bare.rules.extend(rules);
    bare.routes.extend(routes);
    Ok(bare)
}

fn value(
    boot: &Writers,
    outcomes: &Outcomes<'_>,
    interface: Option<IfName>,
    sysctl: Sysctl,
    now: i32,
) -> Option<BootValue> {
    let folder = interface.map_or_else(|| "all".to_owned(), |name| name.to_string());
    let key = Key::conf(&folder, sysctl);
    let outcome = outcomes.get(&folder, sysctl)?;
    let set_by = outcome.held.lines.last().copied();
    let ignored = boot.ignored(&key, outcome.held).into_iter().cloned().collect();
    // Whichever of the two orders has a line that the other has not.
    let either = outcome.other.and_then(|other| other.lines.last().copied().or(set_by));
    let undetermined_by =
        boot.may_set(&folder, sysctl).or_else(|| either.map(|line| place(&line.file, line.line)));
    Some(BootValue {
        at_boot: outcome.held.value,
        set_by: set_by.cloned(),
        ignored,
        key,
        now,
        by_policy: None,
        undetermined_by,
        effective: None,
    })
}

fn effective(
    now: &Snapshot,
    after: &Snapshot,
    interface: &Interface,
    sysctl: Sysctl,
    own: &BootValue,
    all: Option<&BootValue>,
) -> Option<BootEffective> {
    let later = after.effective(after.interface(interface.index)?, sysctl);
    let counts_all = sysctl.combine() != Combine::InterfaceOnly;
    let open =
        own.undetermined_by.is_some() || (counts_all && all.is_some_and(|all| all.undetermined_by.is_some()));
    let decides = if later.source == ValueSource::All { all } else { Some(own) };
    Some(BootEffective {
        now: now.effective(interface, sysctl).value,
        at_boot: (!open).then_some(later.value),
        source: later.source,
        set_by: decides.filter(|value| value.by_policy.is_none()).and_then(|value| value.set_by.clone()),
    })
}

/// The policy that is applied at boot, and by whom.
fn kept(layout: &Layout) -> Result<Option<(Option<Policy>, BootPolicy)>> {
    let installed = |manager: &&Manager| manager.applies() && manager.is_installed(layout);
    let applied_by: Vec<Manager> = Manager::ALL.iter().filter(installed).copied().collect();
    if applied_by.is_empty() {
        return Ok(None);
    }
    let mut found = BootPolicy { file: POLICY.into(), applied_by, error: None };
    match kept_policy(layout) {
        Ok(policy) => Ok(policy.map(|policy| (Some(policy), found))),
        // It is for root alone. What can be seen without it is told all the same.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            found.error = Some(error.to_string());
            Ok(Some((None, found)))
        }
        Err(error) => Err(error),
    }
}

/// What leads from `now` to `after`, besides sysctls.
fn entries(now: &Snapshot, after: &Snapshot) -> Vec<BootEntry> {
    let mut changes = between(&now.proxies, &after.proxies);
    changes.extend(between(&now.rules, &after.rules));
    changes.extend(between(&now.routes, &after.routes));
    let names = |index| now.interface(index).map(|interface| interface.name);
    changes.into_iter().map(|change| BootEntry { text: change.named(&names), change }).collect()
}

/// The permanent entries that differ.
fn neighbours(snapshot: &Snapshot, made: &Routing) -> Vec<BootNeighbour> {
    let held = snapshot.neighbours.iter().filter(|it| it.state.is_permanent());
    let now: BTreeMap<_, _> = held.filter_map(|it| Some(((it.interface, it.address), it.mac?))).collect();
    let later: BTreeMap<_, _> =
        made.neighbours.iter().map(|(interface, address, mac)| ((*interface, *address), *mac)).collect();
    let both: BTreeSet<_> = now.keys().chain(later.keys()).collect();
    let differ = both.into_iter().filter(|key| now.get(key) != later.get(key));
    let told = differ.filter_map(|key| {
        let interface = snapshot.interface(key.0)?.name;
        Some(BootNeighbour {
            address: key.1,
            interface,
            now: now.get(key).copied(),
            at_boot: later.get(key).copied(),
        })
    });
    told.collect()
}

#[cfg(test)]
mod tests;
