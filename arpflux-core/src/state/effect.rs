//! What changes do to a snapshot, as the kernel would: to see the state after them without a kernel.

use std::borrow::Cow;
use std::mem;
use std::net::IpAddr;

use foldhash::HashMap;

use super::lists::{Entries, Routes};
use super::object::settled_rule;
use super::{Change, Object, SysctlScope, Value};
use crate::frame::solicited_node;
use crate::snapshot::{
    Interface, InterfaceFlags, NextHopFlags, ProxyEntry, Route, RouteKind, Rule, Snapshot,
};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

/// The objects of a snapshot, to be looked up and changed.
///
/// Follows the kernel in what one write does to others: `forwarding` of `all` is copied to `default` and to every
/// interface, and is `ip_forward` as well (`inet_forward_change()`); any change of IPv4 rules, and any route of type
/// local, is remembered ([`crate::snapshot::RoutingMemory`]). It does not foresee that a write to `default` reaches
/// interfaces that were never written one by one and have no address yet: no dump shows which those are.
///
/// ```
/// use arpflux_core::Snapshot;
/// use arpflux_core::state::{Change, Object, State, Value};
///
/// let snapshot = Snapshot::default();
/// let object = Object::Proxy { address: "192.168.18.101".parse()?, interface: None };
/// let add = Change::add((object, Value::Entry { flags: 0, protocol: 175 }));
/// let mut state = State::of(&snapshot).with([&add]);
/// assert!(state.get(&add.object).is_there());
/// assert_eq!(state.into_snapshot().proxies.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct State<'s> {
    /// Without the lists that are indexed.
    snapshot: Cow<'s, Snapshot>,
    /// Indexed when first needed, as the next two.
    proxies: Option<Entries<(IpAddr, Option<IfIndex>), ProxyEntry>>,
    rules: Option<Entries<Rule, Rule>>,
    routes: Option<Routes>,
}

impl From<Snapshot> for State<'_> {
    fn from(snapshot: Snapshot) -> Self {
        Self { snapshot: Cow::Owned(snapshot), proxies: None, rules: None, routes: None }
    }
}

impl<'s> State<'s> {
    /// The state that `snapshot` shows.
    #[must_use]
    pub fn of(snapshot: &'s Snapshot) -> Self {
        Self { snapshot: Cow::Borrowed(snapshot), proxies: None, rules: None, routes: None }
    }

    /// The state after `changes`, made in order.
    #[must_use]
    pub fn with<'c>(mut self, changes: impl IntoIterator<Item = &'c Change>) -> Self {
        changes.into_iter().for_each(|change| self.make(change));
        self
    }

    /// The same as a snapshot.
    #[must_use]
    pub fn into_snapshot(self) -> Snapshot {
        let Self { snapshot, proxies, rules, routes } = self;
        let mut snapshot = snapshot.into_owned();
        if let Some(proxies) = proxies {
            snapshot.proxies = proxies.into_list();
        }
        if let Some(rules) = rules {
            snapshot.rules = rules.into_list();
            // A rule comes behind all of its own family whose priority is not larger (`fib_nl_newrule()`).
            snapshot.rules.sort_by_key(|rule| (rule.ipv6, rule.priority));
        }
        if let Some(routes) = routes {
            snapshot.routes = routes.into_list();
        }
        snapshot
    }

    /// What the object is.
    pub fn get(&mut self, object: &Object) -> Value {
        let snapshot = &*self.snapshot;
        let number = |value: Option<i32>| value.map(i64::from);
        match object {
            Object::Sysctl { scope, sysctl } => {
                let (all, default) = (snapshot.all.get(*sysctl), snapshot.default.get(*sysctl));
                self.setting(
                    scope,
                    |interface| number(interface.sysctls.get(*sysctl)),
                    number(all),
                    number(default),
                )
            }
            Object::Ipv6Sysctl { scope, sysctl } => {
                let all = snapshot.all_ipv6.get(*sysctl);
                self.setting(scope, |interface| number(interface.ipv6.get(*sysctl)), number(all), None)
            }
            Object::ProxyDelay { scope } => {
                self.setting(scope, |interface| i64::try_from(interface.neigh.proxy_delay).ok(), None, None)
            }
            Object::Proxy { address, interface } => match self.proxies().get(&(*address, *interface)) {
                Some(entry) => Value::Entry { flags: entry.flags, protocol: entry.protocol },
                None => self.absent_or_gone(*interface),
            },
            Object::Rule(rule) => match self.rules().get(&settled_rule(rule)) {
                Some(_) => Value::Present,
                None => Value::Absent,
            },
            Object::Route(route) => match self.routes().contains(route) {
                true => Value::Present,
                false => self.absent_or_gone(route.next_hops.iter().filter_map(|hop| hop.interface)),
            },
        }
    }

    fn setting(
        &self,
        scope: &SysctlScope,
        own: impl Fn(&Interface) -> Option<i64>,
        all: Option<i64>,
        default: Option<i64>,
    ) -> Value {
        let value = match scope {
            SysctlScope::All => all,
            SysctlScope::Default => default,
            SysctlScope::Interface { index, .. } => match self.snapshot.interface(*index) {
                Some(interface) => own(interface),
                None => return Value::Gone,
            },
        };
        value.map_or(Value::Unknown, Value::Number)
    }

    /// What is not there, and belongs to these interfaces.
    fn absent_or_gone(&self, interfaces: impl IntoIterator<Item = IfIndex>) -> Value {
        match interfaces.into_iter().any(|index| self.snapshot.interface(index).is_none()) {
            true => Value::Gone,
            false => Value::Absent,
        }
    }

    /// Makes one change. An entry, rule or route that is there is not added twice, one that is not there is not
    /// removed; a value that the object cannot have changes nothing.
    pub fn make(&mut self, change: &Change) {
        let there = change.after.is_there();
        match (&change.object, change.after) {
            (Object::Sysctl { scope, sysctl }, Value::Number(value)) => {
                if let Ok(value) = i32::try_from(value) {
                    self.set_sysctl(*scope, *sysctl, value);
                }
            }
            (Object::Ipv6Sysctl { scope, sysctl }, Value::Number(value)) => {
                if let Ok(value) = i32::try_from(value) {
                    self.set_ipv6_sysctl(*scope, *sysctl, value);
                }
            }
            (Object::ProxyDelay { scope }, Value::Number(value)) => {
                if let Some(index) = scope.interface()
                    && let Some(interface) = interface_mut(self.snapshot.to_mut(), index)
                {
                    interface.neigh.proxy_delay = value.unsigned_abs();
                }
            }
            // The kernel's key is address and interface; adding again replaces flags and protocol.
            (Object::Proxy { address, interface }, Value::Entry { flags, protocol }) => {
                let (address, interface) = (*address, *interface);
                self.proxies().put(ProxyEntry { address, interface, flags, protocol });
                self.proxied_group_changed(address, interface, true);
            }
            (Object::Proxy { address, interface }, Value::Absent) => {
                self.proxies().remove((*address, *interface));
                self.proxied_group_changed(*address, *interface, false);
            }
            (Object::Rule(rule), Value::Present | Value::Absent) => self.edit_rule(there, rule),
            (Object::Route(route), Value::Present | Value::Absent) => self.edit_route(there, route),
            (
                Object::Sysctl { .. }
                | Object::Ipv6Sysctl { .. }
                | Object::ProxyDelay { .. }
                | Object::Proxy { .. }
                | Object::Rule(_)
                | Object::Route(_),
                _,
            ) => {}
        }
    }

    fn proxies(&mut self) -> &mut Entries<(IpAddr, Option<IfIndex>), ProxyEntry> {
        let mut list =
            || taken(&mut self.snapshot, |snapshot| &snapshot.proxies, |snapshot| &mut snapshot.proxies);
        self.proxies.get_or_insert_with(|| Entries::new(list(), |entry| (entry.address, entry.interface)))
    }

    fn rules(&mut self) -> &mut Entries<Rule, Rule> {
        let mut list =
            || taken(&mut self.snapshot, |snapshot| &snapshot.rules, |snapshot| &mut snapshot.rules);
        self.rules.get_or_insert_with(|| Entries::new(list(), settled_rule))
    }

    fn routes(&mut self) -> &mut Routes {
        let mut list =
            || taken(&mut self.snapshot, |snapshot| &snapshot.routes, |snapshot| &mut snapshot.routes);
        self.routes.get_or_insert_with(|| Routes::new(list()))
    }

    fn set_sysctl(&mut self, scope: SysctlScope, sysctl: Sysctl, value: i32) {
        let snapshot = self.snapshot.to_mut();
        match scope {
            SysctlScope::All => {
                let changed = snapshot.all.get(sysctl) != Some(value);
                snapshot.all.set(sysctl, Some(value));
                if sysctl == Sysctl::Forwarding {
                    snapshot.ip_forward = value;
                    if changed {
                        snapshot.default.set(sysctl, Some(value));
                        for interface in &mut snapshot.interfaces {
                            if interface.sysctls.get(sysctl).is_some() {
                                interface.sysctls.set(sysctl, Some(value));
                            }
                        }
                    }
                }
            }
            SysctlScope::Default => snapshot.default.set(sysctl, Some(value)),
            SysctlScope::Interface { index, .. } => {
                if let Some(interface) = interface_mut(snapshot, index) {
                    interface.sysctls.set(sysctl, Some(value));
                }
            }
        }
        if sysctl == Sysctl::IgnoreRoutesWithLinkdown {
            self.mark_dead_hops();
        }
    }

    /// An IPv4 next hop without carrier counts as dead where `ignore_routes_with_linkdown` is on
    /// (`fib_nexthop_info()`).
    fn mark_dead_hops(&mut self) {
        let snapshot = &*self.snapshot;
        let dead: HashMap<_, _> = snapshot
            .interfaces
            .iter()
            .filter(|interface| interface.flags.contains(InterfaceFlags::UP))
            .map(|interface| {
                let ignored = snapshot.effective(interface, Sysctl::IgnoreRoutesWithLinkdown).value != 0;
                (interface.index, ignored)
            })
            .collect();
        for route in self.routes().iter_mut().filter(|route| route.destination.addr().is_ipv4()) {
            for hop in route.next_hops.iter_mut().filter(|hop| hop.flags.contains(NextHopFlags::LINKDOWN)) {
                if let Some(dead) = hop.interface.and_then(|index| dead.get(&index)) {
                    hop.flags.set(NextHopFlags::DEAD, *dead);
                }
            }
        }
    }

    fn set_ipv6_sysctl(&mut self, scope: SysctlScope, sysctl: Ipv6Sysctl, value: i32) {
        let snapshot = self.snapshot.to_mut();
        match scope {
            SysctlScope::All => {
                snapshot.all_ipv6.set(sysctl, Some(value));
                // addrconf_fixup_forwarding() and addrconf_sysctl_proxy_ndp(): only the first is copied.
                if sysctl == Ipv6Sysctl::Forwarding {
                    let has_it = |interface: &&Interface| interface.ipv6.get(sysctl).is_some();
                    let all: Vec<IfIndex> =
                        snapshot.interfaces.iter().filter(has_it).map(|interface| interface.index).collect();
                    for index in all {
                        set_ipv6_sysctl_on(snapshot, index, sysctl, value);
                    }
                }
            }
            SysctlScope::Default => {}
            SysctlScope::Interface { index, .. } => set_ipv6_sysctl_on(snapshot, index, sysctl, value),
        }
    }

    /// `pndisc_constructor()` and `pndisc_destructor()`: an interface listens to the groups of what it proxies.
    fn proxied_group_changed(&mut self, address: IpAddr, interface: Option<IfIndex>, added: bool) {
        let (IpAddr::V6(address), Some(index), Some(_)) = (address, interface, &self.snapshot.discovery)
        else {
            return;
        };
        let group = solicited_node(address);
        let listens = added
            || self.proxies().iter().any(|entry| {
                entry.interface == interface
                    && matches!(entry.address, IpAddr::V6(other) if solicited_node(other) == group)
            });
        self.snapshot.to_mut().proxied_group(index, group, listens);
    }

    fn edit_rule(&mut self, there: bool, rule: &Rule) {
        if !rule.ipv6 && self.snapshot.routing.rules_changed != Some(true) {
            self.snapshot.to_mut().routing.rules_changed = Some(true);
        }
        let key = settled_rule(rule);
        let rules = self.rules();
        match (there, rules.get(&key)) {
            (true, None) => rules.put(rule.clone()),
            (false, Some(_)) => rules.remove(key),
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn edit_route(&mut self, there: bool, route: &Route) {
        if !there {
            return self.routes().remove(route);
        }
        let local = route.kind == RouteKind::Local && route.destination.addr().is_ipv4();
        if local && self.snapshot.routing.local_routes_added != Some(true) {
            self.snapshot.to_mut().routing.local_routes_added = Some(true);
        }
        self.routes().add(route);
    }
}

impl Snapshot {
    /// The state after `changes`, made in order, as [`State`] tells.
    #[must_use]
    pub fn with(&self, changes: &[Change]) -> Snapshot {
        State::of(self).with(changes).into_snapshot()
    }

    /// Makes `changes` in order. See [`Snapshot::with`].
    pub fn change_all(&mut self, changes: &[Change]) {
        *self = State::from(mem::take(self)).with(changes).into_snapshot();
    }

    /// Makes one change. See [`Snapshot::with`].
    pub fn change(&mut self, change: &Change) {
        self.change_all(std::slice::from_ref(change));
    }
}

fn set_ipv6_sysctl_on(snapshot: &mut Snapshot, index: IfIndex, sysctl: Ipv6Sysctl, value: i32) {
    let Some(interface) = interface_mut(snapshot, index) else { return };
    let before = interface.ipv6.get(sysctl);
    interface.ipv6.set(sysctl, Some(value));
    if sysctl == Ipv6Sysctl::Forwarding && before.is_some_and(|before| (before != 0) != (value != 0)) {
        snapshot.ipv6_forwarding_changed(index, value != 0);
    }
}

fn interface_mut(snapshot: &mut Snapshot, index: IfIndex) -> Option<&mut Interface> {
    let at = snapshot.interfaces.binary_search_by_key(&index, |interface| interface.index).ok()?;
    snapshot.interfaces.get_mut(at)
}

/// A list of the snapshot: itself where it is ours, else a copy.
fn taken<T: Clone>(
    snapshot: &mut Cow<'_, Snapshot>,
    list: impl Fn(&Snapshot) -> &Vec<T>,
    list_mut: impl Fn(&mut Snapshot) -> &mut Vec<T>,
) -> Vec<T> {
    match snapshot {
        Cow::Borrowed(snapshot) => list(snapshot).clone(),
        Cow::Owned(snapshot) => mem::take(list_mut(snapshot)),
    }
}
