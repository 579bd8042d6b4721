//! Plans that are edited: what is left out takes along what belongs to it, and an order that was lost is
//! found again.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::desired::{RouteKey, route_key};
use super::{Announcement, Change, Plan, SysctlScope};
use crate::error::{Error, ErrorKind, Result};
use crate::predict::{ArpRequest, Model, Neighbours};
use crate::snapshot::{Route, Snapshot};
use crate::state::{Object, Value};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

impl Plan {
    /// An empty plan that may be applied in any network namespace, to put changes into that were made by
    /// hand. A plan made from a snapshot is for the namespace of that.
    #[must_use]
    pub fn for_any_namespace() -> Self {
        Self { any_namespace: true, ..Self::default() }
    }

    /// The plan with those of its changes for which `keep` says so, in their order. An announcement goes
    /// with the first change that it is about (of its address, or of how its interface answers), an
    /// interface's identity with all that is done on it.
    ///
    /// ```
    /// use arpflux_core::plan::Plan;
    /// use arpflux_core::state::Object;
    ///
    /// let plan = Plan::default().filter(|change| matches!(change.object, Object::Sysctl { .. }));
    /// assert!(plan.is_empty() && plan.announcements.is_empty());
    /// ```
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&Change) -> bool) -> Self {
        let (changes, left_out): (Vec<&Change>, Vec<&Change>) =
            self.changes.iter().partition(|change| keep(change));
        if left_out.is_empty() {
            return self.clone();
        }
        let mut announcements = self.announcements.clone();
        let tables: HashMap<u32, HashSet<IpAddr>> = sources_by_table(&self.changes);
        let about = About::of(&left_out, &tables);
        announcements.retain(|announcement| !changes.is_empty() && !about.concerns(announcement));
        let announced = announcements.iter().map(|announcement| announcement.interface);
        let still: HashSet<IfIndex> =
            changes.iter().filter_map(|change| change.interface()).chain(announced).collect();
        let no_more: HashSet<IfIndex> = left_out
            .iter()
            .filter_map(|change| change.interface())
            .filter(|at| !still.contains(at))
            .collect();
        let mut decisions = self.decisions.clone();
        decisions.push(format!("{} of {} changes were left out", left_out.len(), self.changes.len()));
        Self {
            schema: self.schema,
            netns: self.netns.clone(),
            any_namespace: self.any_namespace,
            interfaces: self
                .interfaces
                .iter()
                .filter(|known| !no_more.contains(&known.index))
                .copied()
                .collect(),
            decisions,
            silence: self.silence.clone(),
            changes: changes.into_iter().cloned().collect(),
            announcements,
        }
    }

    /// The plan without those changes for which `leave_out` says so: the opposite of [`Plan::filter`].
    #[must_use]
    pub fn without(&self, mut leave_out: impl FnMut(&Change) -> bool) -> Self {
        self.filter(|change| !leave_out(change))
    }

    /// The same changes in the order of the [module](super) text, in which no address falls silent on the
    /// way. A plan that is in order, or the inverse of one that is, stays as it is, as does one that changes
    /// something twice: there the order is part of what is meant.
    #[must_use]
    pub fn in_order(&self) -> Self {
        let mut seen = HashSet::default();
        let ordered = ordered(&self.changes);
        // One that goes makes room for one that comes, be it the same.
        let changed = |change: &'_ Change| {
            let comes = matches!(change.object, Object::Route(_)) && change.after.is_there();
            (change.object.clone(), comes)
        };
        if ordered == self.changes || !self.changes.iter().all(|change| seen.insert(changed(change))) {
            return self.clone();
        }
        let inverse = self.inverse().changes;
        let changes = if self::ordered(&inverse) == inverse { self.changes.clone() } else { ordered };
        Self { changes, ..self.clone() }
    }

    /// Whether somebody answers for each address that is announced, on the interface it is announced from,
    /// once the changes of the plan are made: otherwise peers would send to a host that is silent.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with the address.
    #[cfg_attr(not(feature = "kernel"), expect(dead_code, reason = "transactions alone call it"))]
    pub(crate) fn check_announcements(&self, before: &Snapshot) -> Result<()> {
        if self.announcements.is_empty() {
            return Ok(());
        }
        let after = before.with(&self.changes);
        let held: HashSet<(IpAddr, IfIndex)> =
            after.addresses.iter().map(|held| (held.local, held.interface)).collect();
        let entries: HashSet<(IpAddr, Option<IfIndex>)> =
            after.proxies.iter().map(|entry| (entry.address, entry.interface)).collect();
        let mut judged: Option<(Model<'_>, Neighbours<'_>)> = None;
        for Announcement { interface, address } in self.announcements.iter().copied() {
            let stands_there = held.contains(&(address, interface))
                || entries.contains(&(address, Some(interface)))
                || entries.contains(&(address, None));
            let answered = stands_there
                || match address {
                    IpAddr::V4(target) => {
                        let (model, neighbours) =
                            judged.get_or_insert_with(|| (Model::of(&after), Neighbours::new(&after)));
                        let sender = neighbours.of(interface, target);
                        let request = ArpRequest::broadcast(interface, sender, target);
                        model.reply(&request).answers() != Some(false)
                    }
                    IpAddr::V6(_) => false,
                };
            if !answered {
                let name = after.name_of(interface);
                let why = format!(
                    "{name} does not answer for it after these changes: peers that are told so would send to nobody"
                );
                return Err(Error::new(ErrorKind::Refused, why).during("apply").on(address).hint(
                    "leave changes out by `Plan::filter` or `Plan::without`, which take announcements along",
                ));
            }
        }
        Ok(())
    }
}

/// The sources that rules of the plan send into each table.
fn sources_by_table(changes: &[Change]) -> HashMap<u32, HashSet<IpAddr>> {
    let mut sources: HashMap<u32, HashSet<IpAddr>> = HashMap::default();
    for change in changes {
        if let Object::Rule(rule) = &change.object
            && let Some(source) = rule.source
        {
            sources.entry(rule.table).or_default().insert(source.addr());
        }
    }
    sources
}

/// What changes are about.
#[derive(Default)]
struct About {
    addresses: HashSet<IpAddr>,
    interfaces: HashSet<IfIndex>,
    everything: bool,
}

impl About {
    fn of(changes: &[&Change], tables: &HashMap<u32, HashSet<IpAddr>>) -> Self {
        let mut about = Self::default();
        for change in changes {
            match &change.object {
                Object::Sysctl { scope, .. }
                | Object::Ipv6Sysctl { scope, .. }
                | Object::ProxyDelay { scope } => match scope {
                    SysctlScope::All => about.everything = true,
                    SysctlScope::Default => {}
                    SysctlScope::Interface { index, .. } => drop(about.interfaces.insert(*index)),
                },
                Object::Proxy { address, .. } => drop(about.addresses.insert(*address)),
                Object::Rule(rule) => match rule.source {
                    Some(source) => drop(about.addresses.insert(source.addr())),
                    None => about.everything = true,
                },
                Object::Route(route) => {
                    about.interfaces.extend(route.next_hops.iter().filter_map(|hop| hop.interface));
                    about.addresses.extend(tables.get(&route.table).into_iter().flatten());
                }
            }
        }
        about
    }

    fn concerns(&self, announcement: &Announcement) -> bool {
        self.everything
            || self.addresses.contains(&announcement.address)
            || self.interfaces.contains(&announcement.interface)
    }
}

/// When a change is made; see the text of [`crate::plan`].
fn rank(change: &Change) -> u8 {
    match (&change.object, change.before, change.after) {
        (Object::ProxyDelay { .. }, ..) => 0,
        (Object::Ipv6Sysctl { .. }, _, Value::Number(0)) => 14,
        (Object::Ipv6Sysctl { .. }, ..) => 1,
        (Object::Sysctl { sysctl: Sysctl::Forwarding, .. }, _, Value::Number(0)) => 15,
        (Object::Sysctl { sysctl: Sysctl::Forwarding, .. }, ..) => 2,
        (Object::Sysctl { sysctl: Sysctl::ArpIgnore, .. }, Value::Number(2 | 8), _) => 3,
        (Object::Sysctl { sysctl: Sysctl::ArpAnnounce, .. }, ..) => 11,
        (Object::Sysctl { .. }, ..) => 12,
        (Object::Route(_), _, after) => {
            if after.is_there() {
                4
            } else {
                10
            }
        }
        (Object::Proxy { .. }, _, after) => {
            if after.is_there() {
                5
            } else {
                13
            }
        }
        (Object::Rule(rule), _, after) => match after.is_there() {
            true => 6 + u8::from(rule.source.is_some()),
            false => 9 - u8::from(rule.source.is_some()),
        },
    }
}

/// The route that comes.
fn coming(change: &Change) -> Option<&Route> {
    match &change.object {
        Object::Route(route) if change.after.is_there() => Some(route),
        _ => None,
    }
}

/// The route that goes.
fn going(change: &Change) -> Option<&Route> {
    match &change.object {
        Object::Route(route) if !change.after.is_there() => Some(route),
        _ => None,
    }
}

/// The changes in order; those that may come in any order among themselves as they were.
fn ordered(changes: &[Change]) -> Vec<Change> {
    let wanted: HashSet<RouteKey> = changes.iter().filter_map(coming).map(route_key).collect();
    let (replaced, mut rest): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| going(change).is_some_and(|old| wanted.contains(&route_key(old))));
    // Rules of one kind come in the order in which the kernel tries them, and go in the opposite one.
    rest.sort_by_key(|change| {
        let place = match &change.object {
            Object::Rule(rule) if change.after.is_there() => (rule.ipv6, rule.priority),
            Object::Rule(rule) => (!rule.ipv6, u32::MAX - rule.priority),
            _ => (false, 0),
        };
        (rank(change), place)
    });
    let mut old: HashMap<RouteKey, Vec<&Change>> = HashMap::default();
    for change in replaced {
        if let Some(route) = going(change) {
            old.entry(route_key(route)).or_default().push(change);
        }
    }
    let mut ordered = Vec::with_capacity(changes.len());
    for change in rest {
        if let Some(route) = coming(change) {
            ordered.extend(old.remove(&route_key(route)).into_iter().flatten().cloned());
        }
        ordered.push(change.clone());
    }
    ordered
}

#[cfg(test)]
mod tests;
