//! What a twin's kernel is told besides its interfaces: sysctls, addresses, routes, rules, entries.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::snapshot::{
    Address, AddressFlags, Interface, NeighParams, Route, RouteKind, Rule, Snapshot, table,
};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::SysctlValues;
use arpflux_core::{Error, Result};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags as FlagsOut, AddressMessage, AddressScope,
};

use super::Twin;
use crate::host::write_sysctl;
use crate::rtnl;

impl Twin {
    fn kernel<R: Send>(&self, work: impl FnOnce(&mut LinuxKernel) -> Result<R> + Send) -> Result<R> {
        self.host.run(|| work(&mut LinuxKernel::open()?))?
    }

    /// What its kernel holds now, as the ordinary reader says it.
    pub(super) fn read(&self) -> Result<Snapshot> {
        self.kernel(LinuxKernel::snapshot)
    }

    /// Makes changes one by one; those that the kernel refuses are returned with its words.
    pub(super) fn try_all(&self, changes: Vec<Change>) -> Result<Vec<(Change, Error)>> {
        self.kernel(|kernel| {
            let one = |change: Change| {
                let made = kernel.make(std::slice::from_ref(&change));
                made.err().map(|failed| (change, failed.error))
            };
            Ok(changes.into_iter().filter_map(one).collect())
        })
    }

    fn try_or_leave_out(&mut self, changes: Vec<Change>) -> Result<()> {
        for (change, error) in self.try_all(changes)? {
            let host = &self.blueprint.host;
            let name = change.object.name(&|index| host.interface(index).map(|one| one.name));
            self.blueprint.leave_out(name, format!("this kernel refuses it: {error}"));
        }
        Ok(())
    }

    /// The sysctls of the namespace: those that new interfaces start with among them.
    pub(super) fn set_namespace(&mut self) -> Result<()> {
        let host = self.blueprint.host.clone();
        let now = self.read()?;
        let mut changes = settings(SysctlScope::All, &now.all, &host.all);
        changes.extend(settings(SysctlScope::Default, &now.default, &host.default));
        self.try_or_leave_out(changes)?;
        let mut values = vec![("ip_forward", host.ip_forward), ("ip_nonlocal_bind", host.ip_nonlocal_bind)];
        values.extend(host.fib_multipath_hash_policy.map(|value| ("fib_multipath_hash_policy", value)));
        if let Some(by_neighbour) = host.routing.multipath_by_neighbour {
            values.push(("fib_multipath_use_neigh", by_neighbour.into()));
        }
        for (name, value) in values {
            let path = format!("net/ipv4/{name}");
            if let Err(error) = self.host.run(|| write_sysctl(path, &value.to_string()))? {
                self.blueprint.leave_out(format!("net.ipv4.{name}"), error.to_string());
            }
        }
        Ok(())
    }

    /// The sysctls of each interface.
    pub(super) fn set_interfaces(&mut self) -> Result<()> {
        let host = self.blueprint.host.clone();
        let now = self.read()?;
        let mut changes = Vec::new();
        for one in &host.interfaces {
            let Some(made) = now.interface(one.index) else { continue };
            let scope = SysctlScope::Interface { index: one.index, name: one.name };
            changes.extend(settings(scope, &made.sysctls, &one.sysctls));
            if made.neigh.proxy_delay != one.neigh.proxy_delay {
                let delay = |neigh: &NeighParams| i64::try_from(neigh.proxy_delay).unwrap_or(i64::MAX);
                changes.push(Change::set(
                    Object::ProxyDelay { scope },
                    delay(&made.neigh),
                    delay(&one.neigh),
                ));
            }
        }
        self.try_or_leave_out(changes)?;
        for one in &host.interfaces {
            if let Some(made) = now.interface(one.index) {
                self.set_queue(one, made)?;
            }
        }
        Ok(())
    }

    fn set_queue(&mut self, one: &Interface, made: &Interface) -> Result<()> {
        // The file of locktime counts hundredths of a second.
        let values = [
            ("proxy_qlen", u64::from(made.neigh.proxy_qlen), u64::from(one.neigh.proxy_qlen)),
            ("locktime", made.neigh.locktime / 10, one.neigh.locktime / 10),
        ];
        for (name, now, wanted) in values {
            let path = format!("net/ipv4/neigh/{}/{name}", one.name);
            if now != wanted
                && let Err(error) = self.host.run(|| write_sysctl(path, &wanted.to_string()))?
            {
                self.blueprint.leave_out(format!("net.ipv4.neigh.{}.{name}", one.name), error.to_string());
            }
        }
        Ok(())
    }

    pub(super) fn set_addresses(&mut self) -> Result<()> {
        let wanted = self.blueprint.host.addresses.clone();
        let key = |held: &Address| (held.interface, held.local, held.subnet());
        let keys: HashSet<_> = wanted.iter().map(key).collect();
        let now = self.read()?;
        let there: HashSet<_> = now.addresses.iter().map(key).collect();
        for held in now.addresses.iter().filter(|held| held.local.is_ipv4() && !keys.contains(&key(held))) {
            // 127.0.0.1 came with lo.
            self.host.rtnl().change(Message::DelAddress(address(held)), 0)?;
        }
        for held in wanted.iter().filter(|held| !there.contains(&key(held))) {
            let made = self.host.rtnl().change(Message::NewAddress(address(held)), NLM_F_CREATE | NLM_F_EXCL);
            if let Err(error) = made {
                let name = self.blueprint.host.name_of(held.interface);
                let what = format!("{}/{} on {name}", held.local, held.prefix_len);
                self.blueprint.leave_out(what, format!("this kernel refuses it: {error}"));
                self.blueprint.host.addresses.retain(|other| key(other) != key(held));
            }
        }
        Ok(())
    }

    pub(super) fn set_entries(&mut self) -> Result<()> {
        let entries = self.blueprint.host.proxies.iter().copied().map(Change::add).collect();
        self.try_or_leave_out(entries)?;
        for entry in self.blueprint.host.neighbours.clone() {
            let made = rtnl::permanent(&mut self.host.rtnl(), entry.interface, entry.address, entry.mac);
            if let Err(error) = made {
                let what = format!("permanent neighbour {}", entry.address);
                self.blueprint.leave_out(what, format!("this kernel refuses it: {error}"));
            }
        }
        Ok(())
    }

    pub(super) fn set_rules(&mut self) -> Result<()> {
        let wanted = self.blueprint.host.rules.clone();
        let now: Vec<Rule> = self.read()?.rules.into_iter().filter(|rule| !rule.ipv6).collect();
        let objects = |rules: &[Rule]| -> HashSet<Object> { rules.iter().cloned().map(object).collect() };
        let (have, want) = (objects(&now), objects(&wanted));
        let come =
            wanted.iter().filter(|rule| !have.contains(&object((*rule).clone()))).cloned().map(Change::add);
        let go =
            now.iter().filter(|rule| !want.contains(&object((*rule).clone()))).cloned().map(Change::remove);
        let mut changes: Vec<Change> = come.chain(go).collect();
        if changes.is_empty() && self.blueprint.host.routing.rules_changed == Some(true) {
            // The kernel remembers that they were changed once.
            let passing = Rule::lookup(32_000, table::MAIN);
            changes = vec![Change::add(passing.clone()), Change::remove(passing)];
        }
        self.try_or_leave_out(changes)
    }

    /// Makes the routes what they are in the snapshot: of those that the kernel made with addresses, some may have been
    /// deleted since.
    pub(super) fn set_routes(&mut self) -> Result<()> {
        let wanted = self.blueprint.host.routes.clone();
        let remembers = self.blueprint.host.routing.local_routes_added == Some(true);
        let refused = self.kernel(move |kernel| {
            if remembers {
                let mut passing = wanted.iter().find(|route| route.kind == RouteKind::Local).cloned();
                if let Some(passing) = &mut passing {
                    // A table that nothing looks into.
                    passing.table = 4_294_967_000;
                    passing.protocol = 4;
                    kernel.append_route(passing)?;
                    let _ = kernel.make(&[Change::remove(passing.clone())]);
                }
            }
            let mut refused = HashMap::new();
            let now = kernel.snapshot()?.routes;
            let now: HashMap<_, _> = alike(&now).into_iter().map(|group| (key(group[0]), group)).collect();
            for group in alike(&wanted) {
                let there = now.get(&key(group[0])).map_or(&[][..], Vec::as_slice);
                if same(there, &group) {
                    continue;
                }
                for route in there {
                    let _ = kernel.make(&[Change::remove((*route).clone())]);
                }
                for route in group {
                    if let Err(error) = kernel.append_route(route) {
                        refused.insert(route.clone(), error);
                    }
                }
            }
            let wanted: HashSet<_> = wanted.iter().map(|route| object(route.clone())).collect();
            for route in kernel.snapshot()?.routes {
                if route.destination.addr().is_ipv4() && !wanted.contains(&object(route.clone())) {
                    // It may have gone with another one.
                    let _ = kernel.make(&[Change::remove(route)]);
                }
            }
            Ok(refused)
        })?;
        for (route, error) in refused {
            let host = &self.blueprint.host;
            let name = object(route.clone()).name(&|index| host.interface(index).map(|one| one.name));
            self.blueprint.leave_out(name, format!("this kernel refuses it: {error}"));
            self.blueprint.host.routes.retain(|other| *other != route);
        }
        Ok(())
    }
}

fn object<T: Into<(Object, arpflux_core::state::Value)>>(thing: T) -> Object {
    thing.into().0
}

/// What routes have in common that the kernel keeps in an order.
fn key(route: &Route) -> (u32, arpflux_core::types::IpNet, u8, u32) {
    (route.table, route.destination, route.tos, route.metric)
}

/// Routes of one prefix and metric together, in their order; those without a gateway first, as the others need them.
fn alike(routes: &[Route]) -> Vec<Vec<&Route>> {
    let mut places = HashMap::new();
    let mut groups: Vec<Vec<&Route>> = Vec::new();
    for route in routes {
        let place = *places.entry(key(route)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(route),
            None => groups.push(vec![route]),
        }
    }
    let needs = |group: &Vec<&Route>| {
        group.iter().any(|route| route.next_hops.iter().any(|hop| hop.gateway.is_some()))
    };
    groups.sort_by_key(needs);
    groups
}

pub(super) fn same(now: &[&Route], wanted: &[&Route]) -> bool {
    let objects =
        |routes: &[&Route]| -> Vec<Object> { routes.iter().map(|route| object((*route).clone())).collect() };
    objects(now) == objects(wanted)
}

/// The changes that give a folder of sysctls its values.
fn settings(scope: SysctlScope, now: &SysctlValues, wanted: &SysctlValues) -> Vec<Change> {
    let differs = wanted.iter().filter(|(sysctl, value)| now.get(*sysctl) != Some(*value));
    differs
        .map(|(sysctl, value)| {
            let before = now.get(sysctl).unwrap_or_default();
            Change::set(Object::Sysctl { scope, sysctl }, before, value)
        })
        .collect()
}

/// The message that adds or deletes an address.
fn address(held: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = rtnl::family(held.local);
    message.header.prefix_len = held.prefix_len;
    message.header.index = held.interface.0;
    message.header.scope = AddressScope::from(held.scope.0);
    message.attributes =
        vec![AddressAttribute::Local(held.local), AddressAttribute::Address(held.peer.unwrap_or(held.local))];
    if let Some(IpAddr::V4(broadcast)) = held.broadcast {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if held.flags.contains(AddressFlags::NOPREFIXROUTE) {
        message.attributes.push(AddressAttribute::Flags(FlagsOut::Noprefixroute));
    }
    message
}
