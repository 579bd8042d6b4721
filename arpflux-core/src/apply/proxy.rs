//! Small plans for single proxy entries, for scripts that add and remove them one by one.

use crate::error::{Error, ErrorKind, Result};
use crate::plan::next_hop;
use crate::plan::{Announcement, Change, InterfaceIdentity, PROTOCOL, Plan, published};
use crate::snapshot::{Index, Interface, ProxyEntry, Snapshot};
use crate::types::{IfIndex, IfName};
use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

/// What [`add_proxies`] makes besides the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddProxies {
    /// Entries of the same addresses on other interfaces, and on all interfaces, go.
    pub only: bool,
    /// The peers are told, also where nothing has to be changed.
    pub announce: bool,
}

fn find<'a>(snapshot: &'a Snapshot, name: &IfName) -> Result<&'a Interface> {
    snapshot.interface_named(name).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "there is no such interface")
            .during("plan proxy entry")
            .on(*name)
            .hint("`ip link` lists the interfaces")
    })
}

fn finished(snapshot: &Snapshot, changes: Vec<Change>, announcements: Vec<Announcement>) -> Plan {
    let touched: BTreeSet<IfIndex> = changes.iter().filter_map(Change::interface).collect();
    let interfaces = touched
        .into_iter()
        .filter_map(|index| snapshot.interface(index))
        .map(InterfaceIdentity::from)
        .collect();
    Plan { netns: snapshot.netns.clone(), interfaces, changes, announcements, ..Plan::default() }
}

/// A plan after which `interface` answers for `addresses`. Without changes where it does already.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such interface; [`ErrorKind::Refused`] if the host itself has
/// one of the addresses, or its routes go through one.
pub fn add_proxies(
    snapshot: &Snapshot,
    interface: &IfName,
    addresses: &[IpAddr],
    how: AddProxies,
) -> Result<Plan> {
    let interface = find(snapshot, interface)?;
    let wanted: BTreeSet<IpAddr> = addresses.iter().copied().collect();
    let own: HashSet<IpAddr> = snapshot.addresses.iter().map(|address| address.local).collect();
    if let Some(held) = wanted.iter().find(|address| own.contains(*address)) {
        return Err(Error::new(ErrorKind::Refused, "this host has the address itself")
            .during("plan proxy entry")
            .on(*held)
            .hint("proxy entries are for addresses behind this host"));
    }
    let index = Index::new(snapshot);
    if let Some(refused) = wanted.iter().find_map(|address| next_hop::refuse(&index, *address)) {
        return Err(refused);
    }
    let there: HashSet<(IpAddr, Option<IfIndex>)> =
        snapshot.proxies.iter().map(|entry| (entry.address, entry.interface)).collect();
    let mut changes: Vec<Change> = Vec::new();
    let mut announcements: Vec<Announcement> = Vec::new();
    for address in &wanted {
        if !there.contains(&(*address, Some(interface.index))) {
            let entry = ProxyEntry {
                address: *address,
                interface: Some(interface.index),
                flags: 0,
                protocol: PROTOCOL,
            };
            changes.push(Change::add(entry));
        }
    }
    // Who asks for it has everybody told, also of what is right already: somebody may have learned another MAC.
    if how.announce {
        let told =
            wanted.iter().map(|address| Announcement { interface: interface.index, address: *address });
        announcements.extend(told);
    }
    if how.only {
        // After the additions: no address is without an answer in between.
        let elsewhere = snapshot
            .proxies
            .iter()
            .rev()
            .filter(|entry| wanted.contains(&entry.address) && entry.interface != Some(interface.index));
        changes.extend(elsewhere.copied().map(Change::remove));
    }
    Ok(finished(snapshot, changes, announcements))
}

/// A plan after which no entry for `addresses` is left: on `interface`, or anywhere. With the last entry of an
/// address goes its source routing, if arpflux made it. Empty where there is nothing.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such interface.
pub fn remove_proxies(snapshot: &Snapshot, interface: Option<&IfName>, addresses: &[IpAddr]) -> Result<Plan> {
    let interface = interface.map(|name| find(snapshot, name)).transpose()?.map(|interface| interface.index);
    let unwanted: HashSet<IpAddr> = addresses.iter().copied().collect();
    let goes = |entry: &&ProxyEntry| {
        unwanted.contains(&entry.address) && (interface.is_none() || entry.interface == interface)
    };
    // The newest first: the kernel looks through each bucket from its newest entry on.
    let gone: Vec<ProxyEntry> = snapshot.proxies.iter().rev().filter(goes).copied().collect();
    let mut changes: Vec<Change> = gone.iter().copied().map(Change::remove).collect();
    if snapshot.rules.iter().any(|rule| rule.protocol == PROTOCOL) {
        let unwanted = unwanted.into_iter().collect();
        changes.extend(published::orphans(&published::without(snapshot, &gone), &unwanted));
    }
    Ok(Plan { silence: addresses.to_vec(), ..finished(snapshot, changes, Vec::new()) })
}
