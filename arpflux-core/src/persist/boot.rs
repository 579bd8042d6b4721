//! What the next boot brings, and where it will differ from now.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::sysctld::{Assignment, BootSysctls, Key};
use super::{Layout, Manager, POLICY, kept_policy, networkd};
use crate::error::{ErrorKind, Result};
use crate::plan::desired::settled;
use crate::plan::{Change, Edit, PROTOCOL};
use crate::policy::Policy;
use crate::snapshot::{ProxyEntry, Route, Rule, Snapshot};
use crate::sysctl::Sysctl;
use crate::types::IfName;

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
];

/// One sysctl: what it is now, and what sets it at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootValue {
    /// Its full name, with slashes.
    pub key: Key,
    /// Its value now.
    pub now: i32,
    /// Its value after a boot; `None`: nothing sets it, so the kernel's or the driver's default comes
    /// back, which is 0 for all of these.
    pub at_boot: Option<i32>,
    /// The line that wins among all files: its own, that of `default`, or for `forwarding` that of
    /// `ip_forward` or `all`.
    pub set_by: Option<Assignment>,
    /// Lines about it that do not count, because `set_by` wins or a `-KEY` line takes it out.
    pub ignored: Vec<Assignment>,
    /// What the policy that is applied at boot makes of it afterwards.
    pub by_policy: Option<i32>,
}

impl BootValue {
    /// Whether a boot changes it.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.now != self.at_boot.unwrap_or(0)
    }
}

/// The policy that is applied at boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootPolicy {
    /// Where it is.
    pub file: String,
    /// The managers that apply it.
    pub applied_by: Vec<Manager>,
    /// Why it cannot be kept on this host, or not be seen by this user.
    pub error: Option<String>,
}

/// An entry, rule or route that a boot takes away or brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootEntry {
    /// The same in words.
    pub text: String,
    /// From now to after the boot.
    pub change: Change,
}

/// What the next boot brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootReport {
    /// The values that a file or the policy sets, and those that nothing brings back.
    pub values: Vec<BootValue>,
    /// `None`: no policy is applied at boot.
    pub policy: Option<BootPolicy>,
    /// Proxy entries of anybody, and rules and routes of ours, that come or go.
    pub entries: Vec<BootEntry>,
}

impl BootReport {
    /// How many values and entries are otherwise after a boot.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.values.iter().filter(|value| value.differs()).count() + self.entries.len()
    }
}

/// What the next boot of the host whose files are below the layout's root brings, compared with
/// `snapshot`.
///
/// Counted are `sysctl.d` as systemd-sysctl reads it, and the policy that the unit and the hooks apply
/// afterwards. A value that no file sets counts as 0. Proxy entries live in the kernel alone: only
/// the policy brings any back. Rules and routes that are not ours are taken to come from somewhere.
///
/// # Errors
/// If a file that is there cannot be read.
pub fn at_boot(snapshot: &Snapshot, layout: &Layout) -> Result<BootReport> {
    let boot = BootSysctls::load(&layout.root)?;
    let mut after = bare(snapshot, layout)?;
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
            let value = value(&boot, folder.map(|(_, name)| name), *sysctl, now);
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
                for wanted in &wanted.sysctls {
                    let same = |(index, sysctl, _): &&mut (Option<_>, Sysctl, BootValue)| {
                        *index == Some(wanted.interface) && *sysctl == wanted.sysctl
                    };
                    if let Some((.., value)) = values.iter_mut().find(same) {
                        value.at_boot = Some(wanted.value);
                        value.by_policy = Some(wanted.value);
                    }
                }
            }
            Err(error) => found.error = Some(error.to_string()),
        }
        policy = Some(found);
    }
    let told = |value: &BootValue| value.at_boot.is_some() || value.differs() || !value.ignored.is_empty();
    Ok(BootReport {
        values: values.into_iter().map(|(.., value)| value).filter(told).collect(),
        policy,
        entries: entries(snapshot, &after),
    })
}

/// The snapshot without what a boot takes away.
fn bare(snapshot: &Snapshot, layout: &Layout) -> Result<Snapshot> {
    let sections = networkd::sections(layout)?;
    let mut bare = snapshot.clone();
    bare.proxies.clear();
    bare.rules.retain(|rule| rule.protocol != PROTOCOL || networkd::has_rule(&sections, rule));
    bare.routes.retain(|route| route.protocol != PROTOCOL || networkd::has_route(&sections, route));
    Ok(bare)
}

fn value(boot: &BootSysctls, interface: Option<IfName>, sysctl: Sysctl, now: i32) -> BootValue {
    let folder = interface.map_or_else(|| "all".to_owned(), |name| name.to_string());
    let key = Key::conf(&folder, sysctl);
    // Writing either of these rewrites every interface (`inet_forward_change()`).
    let for_all = || {
        let keys = [Key::parse("net/ipv4/ip_forward"), Key::conf("all", Sysctl::Forwarding)];
        let lines = keys.into_iter().filter_map(|key| boot.winner(&key));
        (sysctl == Sysctl::Forwarding).then(|| lines.max_by_key(|line| boot.place(line))).flatten()
    };
    // What an interface starts with.
    let inherited = || interface.and_then(|_| boot.winner(&Key::conf("default", sysctl)));
    let set_by = boot.winner(&key).or_else(for_all).or_else(inherited);
    let ignored = boot.losers(&key).into_iter().filter(|line| Some(*line) != set_by).cloned().collect();
    BootValue {
        key,
        now,
        at_boot: set_by.and_then(Assignment::number),
        set_by: set_by.cloned(),
        ignored,
        by_policy: None,
    }
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
    let mut changes = Vec::new();
    let place = |entry: &ProxyEntry| (entry.address, entry.interface);
    both(&now.proxies, &after.proxies, place, |edit, entry| changes.push(Change::Proxy { edit, entry }));
    both(&now.rules, &after.rules, Rule::clone, |edit, rule| {
        changes.push(Change::Rule { edit, rule: Box::new(rule) });
    });
    both(
        &now.routes,
        &after.routes,
        |route: &Route| settled(route),
        |edit, route| {
            changes.push(Change::Route { edit, route: Box::new(route) });
        },
    );
    let names = |index| now.name_of(index);
    changes.into_iter().map(|change| BootEntry { text: change.in_words(&names), change }).collect()
}

/// Tells what is in one list only, by `key`.
fn both<T: Clone, K: Eq + std::hash::Hash>(
    now: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
    mut tell: impl FnMut(Edit, T),
) {
    let (here, there): (HashSet<K>, HashSet<K>) =
        (now.iter().map(&key).collect(), after.iter().map(&key).collect());
    now.iter().filter(|item| !there.contains(&key(item))).for_each(|item| tell(Edit::Remove, item.clone()));
    after.iter().filter(|item| !here.contains(&key(item))).for_each(|item| tell(Edit::Add, item.clone()));
}
