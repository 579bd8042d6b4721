//! What a transaction leaves though it was made before: proxy entries and source routing of containers that run,
//! and what these stand on. With strict source validation an entry without its rule and table answers nobody.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::path::Path;

use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::persist::{FileChange, FileState};
use crate::plan::published::source_of;
use crate::snapshot::Snapshot;
use crate::state::{Change, Object, SysctlScope, Value};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;
use crate::vz::{self, Registry};

/// The containers' registry as it is once `files` are changed.
///
/// # Errors
/// If it cannot be read.
pub(super) fn registry(folder: &Folder, files: &[FileChange]) -> Result<Registry> {
    let path = folder.path_of(vz::REGISTRY);
    let path = Path::new(&path);
    match files.iter().find(|file| file.path == path) {
        Some(file) => vz::of_file(&file.after, path),
        None => vz::of_file(&FileState::read(path)?, path),
    }
}

/// Whether the addresses of `registry` keep what their entries stand on. A plan that was made before they were
/// published may take it away, though every value is still as it saw it.
pub(super) fn check(changes: &[Change], snapshot: &Snapshot, registry: &Registry) -> Result<()> {
    if registry.held.is_empty() || changes.is_empty() {
        return Ok(());
    }
    let before = vz::lacking(snapshot, registry);
    let after = snapshot.with(changes);
    for (address, lacks) in vz::lacking(&after, registry) {
        let Some(held) = registry.held.get(&address).filter(|_| !before.contains_key(&address)) else {
            continue;
        };
        let interface = after.interface_named(&held.interface).map(|interface| interface.index);
        if after.proxies.iter().any(|entry| entry.address == address && entry.interface == interface) {
            let owner = &held.owner;
            return Err(Error::new(
                ErrorKind::Changed,
                format!(
                    "{address} of container {owner} is published now, and would lack: {}",
                    lacks.join("; ")
                ),
            )
            .during("apply")
            .on("plan")
            .hint("make the plan again"));
        }
    }
    Ok(())
}

/// Takes out of `inverse` what would silence an address of `registry`, or take away what the source routing of an
/// entry needs that stays. Gives one sentence if anything is left.
pub(super) fn keep(inverse: &mut Vec<Change>, snapshot: &Snapshot, registry: &Registry) -> Option<String> {
    let mut kept: BTreeSet<IpAddr> = BTreeSet::new();
    let index = |address: &IpAddr| {
        let held = registry.held.get(address)?;
        snapshot.interface_named(&held.interface).map(|interface| interface.index)
    };
    // First entries and rules of containers, then what these lead to.
    inverse.retain(|change| {
        let address = match &change.object {
            _ if change.after.is_there() => None,
            Object::Proxy { address, interface } if index(address) == *interface => {
                registry.held.contains_key(address).then_some(*address)
            }
            Object::Rule(rule) => source_of(rule).filter(|address| registry.held.contains_key(address)),
            _ => None,
        };
        kept.extend(address);
        address.is_none()
    });
    let after = snapshot.with(inverse);
    let published: BTreeMap<IpAddr, Option<IfIndex>> =
        after.proxies.iter().map(|entry| (entry.address, entry.interface)).collect();
    let mut tables: BTreeMap<u32, IpAddr> = BTreeMap::new();
    for rule in &after.rules {
        if let Some(address) = source_of(rule).filter(|address| published.contains_key(address)) {
            tables.entry(rule.table).or_insert(address);
        }
    }
    let containers: HashSet<&IpAddr> = registry.held.keys().collect();
    let answering: BTreeMap<(IfIndex, bool), IpAddr> = published
        .iter()
        .filter(|(address, _)| containers.contains(address))
        .filter_map(|(address, interface)| Some((((*interface)?, address.is_ipv6()), *address)))
        .collect();
    let of = |scope: &SysctlScope, v6: bool| match scope {
        SysctlScope::Interface { index, .. } => answering.get(&(*index, v6)).copied(),
        SysctlScope::All | SysctlScope::Default => None,
    };
    inverse.retain(|change| {
        let address = match (&change.object, change.after) {
            (Object::Route(route), _) => tables.get(&route.table).copied(),
            (Object::Sysctl { scope, sysctl: Sysctl::Forwarding }, Value::Number(0)) => of(scope, false),
            (Object::Ipv6Sysctl { scope, sysctl: Ipv6Sysctl::ProxyNdp }, Value::Number(0)) => of(scope, true),
            _ => None,
        };
        kept.extend(address);
        address.is_none()
    });
    if kept.is_empty() {
        return None;
    }
    let names = kept.iter().map(|address| match registry.held.get(address) {
        Some(held) => format!("{address} (container {})", held.owner),
        None => address.to_string(),
    });
    Some(format!(
        "left as it is, as the addresses stand on it that are published now: {}; what they need goes with the \
         last of them",
        crate::words::listed(names)
    ))
}
