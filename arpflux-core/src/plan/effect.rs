//! What changes do to a snapshot, as the kernel would: to see the state after a plan without a kernel.

mod lists;

use foldhash::HashMap;

use super::{Change, Edit, SysctlScope};
use crate::snapshot::{Interface, InterfaceFlags, NextHopFlags, Route, RouteKind, Rule, Snapshot};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

/// With fewer changes than this, looking through the lists costs less than an index of them.
const FEW: usize = 16;

impl Snapshot {
    /// The state after `changes`, made in order.
    ///
    /// Follows the kernel in what one write does to others: `forwarding` of `all` is copied to `default`
    /// and to every interface, and is `ip_forward` as well (`inet_forward_change()`); any change of IPv4
    /// rules, and any route of type local, is remembered ([`crate::snapshot::RoutingMemory`]). It does not
    /// foresee that a write to `default` reaches interfaces that were never written one by one and have
    /// no address yet: no dump shows which those are.
    #[must_use]
    pub fn with(&self, changes: &[Change]) -> Snapshot {
        let mut after = self.clone();
        after.change_all(changes);
        after
    }

    /// Makes `changes` in order, in time that grows with their number and that of the entries, not with
    /// the product. See [`Snapshot::with`].
    pub fn change_all(&mut self, changes: &[Change]) {
        // Sysctls, proxy entries, rules and routes do not depend on each other; but whether a next hop
        // is dead goes by a sysctl as well, and by the order of the two.
        let alone = |change: &Change| match change {
            Change::Sysctl { sysctl, .. } => *sysctl == Sysctl::IgnoreRoutesWithLinkdown,
            _ => false,
        };
        if changes.len() < FEW || changes.iter().any(alone) || !self.rules.is_sorted_by_key(lists::order) {
            changes.iter().for_each(|change| self.change(change));
            return;
        }
        for change in changes {
            match change {
                Change::Proxy { .. } => {}
                Change::Rule { rule, .. } => self.remember_rule(rule),
                Change::Route { edit, route } => self.remember_route(*edit, route),
                _ => self.change(change),
            }
        }
        lists::edit(self, changes);
    }

    /// Makes one change. An entry that is there already is not added twice, one that is not there is
    /// not removed. See [`Snapshot::with`].
    pub fn change(&mut self, change: &Change) {
        match change {
            Change::Sysctl { scope, sysctl, after, .. } => self.set_sysctl(*scope, *sysctl, *after),
            Change::Ipv6Sysctl { scope, sysctl, after, .. } => self.set_ipv6_sysctl(*scope, *sysctl, *after),
            Change::ProxyDelay { scope, after, .. } => {
                if let SysctlScope::Interface { index, .. } = scope
                    && let Some(interface) = self.interface_mut(*index)
                {
                    interface.neigh.proxy_delay = *after;
                }
            }
            Change::Proxy { edit, entry } => {
                // The kernel's key is address and interface; adding again replaces flags and protocol.
                let same = self
                    .proxies
                    .iter()
                    .position(|held| (held.address, held.interface) == (entry.address, entry.interface));
                match (edit, same) {
                    (Edit::Add, None) => self.proxies.push(*entry),
                    (Edit::Add, Some(at)) => self.proxies[at] = *entry,
                    (Edit::Remove, Some(at)) => drop(self.proxies.remove(at)),
                    (Edit::Remove, None) => {}
                }
            }
            Change::Rule { edit, rule } => self.edit_rule(*edit, rule),
            Change::Route { edit, route } => self.edit_route(*edit, route),
        }
    }

    fn interface_mut(&mut self, index: IfIndex) -> Option<&mut Interface> {
        let at = self.interfaces.binary_search_by_key(&index, |interface| interface.index).ok()?;
        self.interfaces.get_mut(at)
    }

    fn set_sysctl(&mut self, scope: SysctlScope, sysctl: Sysctl, value: i32) {
        match scope {
            SysctlScope::All => {
                let changed = self.all.get(sysctl) != Some(value);
                self.all.set(sysctl, Some(value));
                if sysctl == Sysctl::Forwarding {
                    self.ip_forward = value;
                    if changed {
                        self.default.set(sysctl, Some(value));
                        for interface in &mut self.interfaces {
                            if interface.sysctls.get(sysctl).is_some() {
                                interface.sysctls.set(sysctl, Some(value));
                            }
                        }
                    }
                }
            }
            SysctlScope::Default => self.default.set(sysctl, Some(value)),
            SysctlScope::Interface { index, .. } => {
                if let Some(interface) = self.interface_mut(index) {
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
        let dead: HashMap<_, _> = self
            .interfaces
            .iter()
            .filter(|interface| interface.flags.contains(InterfaceFlags::UP))
            .map(|interface| {
                let ignored = self.effective(interface, Sysctl::IgnoreRoutesWithLinkdown).value != 0;
                (interface.index, ignored)
            })
            .collect();
        for route in self.routes.iter_mut().filter(|route| route.destination.addr().is_ipv4()) {
            for hop in route.next_hops.iter_mut().filter(|hop| hop.flags.contains(NextHopFlags::LINKDOWN)) {
                if let Some(dead) = hop.interface.and_then(|index| dead.get(&index)) {
                    hop.flags.set(NextHopFlags::DEAD, *dead);
                }
            }
        }
    }

    fn set_ipv6_sysctl(&mut self, scope: SysctlScope, sysctl: Ipv6Sysctl, value: i32) {
        match scope {
            SysctlScope::All => {
                self.all_ipv6.set(sysctl, Some(value));
                // addrconf_fixup_forwarding() and addrconf_sysctl_proxy_ndp(): only the first is copied.
                if sysctl == Ipv6Sysctl::Forwarding {
                    for interface in &mut self.interfaces {
                        if interface.ipv6.get(sysctl).is_some() {
                            interface.ipv6.set(sysctl, Some(value));
                        }
                    }
                }
            }
            SysctlScope::Default => {}
            SysctlScope::Interface { index, .. } => {
                if let Some(interface) = self.interface_mut(index) {
                    interface.ipv6.set(sysctl, Some(value));
                }
            }
        }
    }

    fn remember_rule(&mut self, rule: &Rule) {
        if !rule.ipv6 {
            self.routing.rules_changed = Some(true);
        }
    }

    fn edit_rule(&mut self, edit: Edit, rule: &Rule) {
        self.remember_rule(rule);
        let same = self.rules.iter().position(|held| held == rule);
        match (edit, same) {
            (Edit::Add, None) => {
                // Behind all of its own family whose priority is not larger (`fib_nl_newrule()`).
                let at = self
                    .rules
                    .iter()
                    .position(|held| (held.ipv6, held.priority) > (rule.ipv6, rule.priority))
                    .unwrap_or(self.rules.len());
                self.rules.insert(at, rule.clone());
            }
            (Edit::Remove, Some(at)) => drop(self.rules.remove(at)),
            (Edit::Add, Some(_)) | (Edit::Remove, None) => {}
        }
    }

    fn remember_route(&mut self, edit: Edit, route: &Route) {
        if edit == Edit::Add && route.kind == RouteKind::Local && route.destination.addr().is_ipv4() {
            self.routing.local_routes_added = Some(true);
        }
    }

    fn edit_route(&mut self, edit: Edit, route: &Route) {
        self.remember_route(edit, route);
        let same = self.routes.iter().position(|held| held == route);
        match (edit, same) {
            (Edit::Add, None) => {
                // Before the first of the same prefix with a larger metric, else behind the prefix's last,
                // else behind its table's last.
                let prefix =
                    |held: &Route| held.table == route.table && held.destination == route.destination;
                let at = self
                    .routes
                    .iter()
                    .position(|held| prefix(held) && held.metric > route.metric)
                    .or_else(|| self.routes.iter().rposition(prefix).map(|at| at + 1))
                    .or_else(|| {
                        self.routes
                            .iter()
                            .rposition(|held| family(held) == family(route) && held.table == route.table)
                            .map(|at| at + 1)
                    })
                    .unwrap_or(self.routes.len());
                self.routes.insert(at, route.clone());
            }
            (Edit::Remove, Some(at)) => drop(self.routes.remove(at)),
            (Edit::Add, Some(_)) | (Edit::Remove, None) => {}
        }
    }
}

fn family(route: &Route) -> bool {
    route.destination.addr().is_ipv6()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Interface, ProxyEntry};
    use crate::types::IfIndex;

    fn host() -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (index, name) in [(1, "lo"), (2, "eth0")] {
            let text = format!(
                r#"{{"index":{index},"name":"{name}","kind":null,"link_type":1,"mac":"none","flags":1,
                    "carrier":true,"master":null,"link":null,"link_netnsid":null,"mtu":1500,"vlan_id":null,
                    "macvlan_mode":null,"vrf_table":null,"sysctls":{{"forwarding":0,"arp_ignore":0}},
                    "neigh":{{"proxy_delay":800,"proxy_qlen":64,"locktime":1000}}}}"#
            );
            snapshot.interfaces.push(serde_json::from_str::<Interface>(&text).unwrap());
        }
        snapshot.all.set(Sysctl::Forwarding, Some(0));
        snapshot.default.set(Sysctl::Forwarding, Some(0));
        snapshot
    }

    fn rule(priority: u32, ipv6: bool) -> Change {
        let text = format!(
            r#"{{"ipv6":{ipv6},"priority":{priority},"source":null,"destination":null,"iif":null,"oif":null,
                "tos":0,"fwmark":0,"fwmask":0,"action":"table","table":{priority},"goto":null,
                "suppress_prefix_len":null,"suppress_group":null,"l3mdev":false,"ip_protocol":null,
                "source_ports":null,"destination_ports":null,"uids":null,"tunnel_id":null,"protocol":0,"flags":0}}"#
        );
        Change::Rule { edit: Edit::Add, rule: serde_json::from_str(&text).unwrap() }
    }

    #[test]
    fn forwarding_of_all_reaches_every_interface_and_nothing_else_does() {
        let all = |sysctl, after| Change::Sysctl { scope: SysctlScope::All, sysctl, before: 0, after };
        let after = host().with(&[all(Sysctl::Forwarding, 1), all(Sysctl::ArpIgnore, 2)]);
        assert_eq!((after.ip_forward, after.default.get(Sysctl::Forwarding)), (1, Some(1)));
        for interface in &after.interfaces {
            assert_eq!(interface.sysctls.get(Sysctl::Forwarding), Some(1));
            assert_eq!(interface.sysctls.get(Sysctl::ArpIgnore), Some(0));
        }
        // Writing the value that is there already copies nothing.
        let one = SysctlScope::Interface { index: IfIndex(2), name: "eth0".parse().unwrap() };
        let off = Change::Sysctl { scope: one, sysctl: Sysctl::Forwarding, before: 1, after: 0 };
        let again = after.with(&[off, all(Sysctl::Forwarding, 1)]);
        assert_eq!(again.interfaces[1].sysctls.get(Sysctl::Forwarding), Some(0));
    }

    #[test]
    fn rules_keep_the_order_of_their_family_and_priority() {
        let changes =
            [rule(32766, false), rule(0, false), rule(0, true), rule(100, false), rule(32766, true)];
        let after = host().with(&changes);
        let order: Vec<_> = after.rules.iter().map(|rule| (rule.ipv6, rule.priority)).collect();
        assert_eq!(order, [(false, 0), (false, 100), (false, 32766), (true, 0), (true, 32766)]);
        assert_eq!(after.routing.rules_changed, Some(true));
    }

    #[test]
    fn a_change_and_its_inverse_give_the_same_entries() {
        let entry = ProxyEntry {
            address: "10.0.0.1".parse().unwrap(),
            interface: Some(IfIndex(2)),
            flags: 0,
            protocol: super::super::PROTOCOL,
        };
        let add = Change::Proxy { edit: Edit::Add, entry };
        let before = host().with(&[rule(5, false)]);
        let there = before.with(&[add.clone(), add.clone(), rule(7, false)]);
        assert_eq!((there.proxies.len(), there.rules.len()), (1, 2));
        assert_eq!(there.with(&[rule(7, false).inverse(), add.inverse()]), before);
    }
}
