//! Drop-ins for systemd-networkd.
//!
//! networkd removes rules and routes that it does not know when it starts or an interface comes up
//! (`ManageForeignRoutingPolicyRules=`, `ManageForeignRoutes=`, both on by default). So they are
//! given to it: in a drop-in beside the `.network` file that it uses for the interface, which it
//! names in `/run/systemd/netif/links/INDEX`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Desired, FileState, Layout};
use crate::error::Result;
use crate::snapshot::{Route, RouteKind, Rule, RuleAction, Scope};
use crate::types::IfIndex;

/// The name of the drop-in, in each `NAME.network.d`.
const DROP_IN: &str = "90-arpflux.conf";

pub(super) fn drop_ins(used: bool, desired: &Desired, layout: &Layout) -> Result<Vec<(PathBuf, FileState)>> {
    let mut files = Vec::new();
    for folder in existing(layout) {
        files.push((folder.join(DROP_IN), FileState::Absent));
    }
    if !used {
        return Ok(files);
    }
    let mut networks: Vec<(PathBuf, Vec<IfIndex>)> = Vec::new();
    for (index, _) in &desired.names {
        if let Some(network) = network_file(*index, layout) {
            match networks.iter_mut().find(|(path, _)| *path == network) {
                Some((_, indexes)) => indexes.push(*index),
                None => networks.push((network, vec![*index])),
            }
        }
    }
    let mut rules_written = false;
    for (network, indexes) in networks {
        let Some(name) = network.file_name() else { continue };
        let mut text = String::from("# Written by `arpflux apply --persist`.\n");
        // Rules belong to the host, not to an interface: once is enough.
        if !rules_written {
            for rule in &desired.rules {
                rule_section(&mut text, rule);
            }
            rules_written = true;
        }
        for route in &desired.routes {
            let leaves_here =
                route.next_hops.iter().any(|hop| hop.interface.is_some_and(|i| indexes.contains(&i)));
            if leaves_here {
                route_section(&mut text, route);
            }
        }
        let mut folder = PathBuf::from("/etc/systemd/network").join(name).into_os_string();
        folder.push(".d");
        let path = layout.below(Path::new(&folder)).join(DROP_IN);
        files.retain(|(other, _)| *other != path);
        files.push((path, FileState::text(text, 0o644)));
    }
    Ok(files)
}

/// The folders of the administrator that already hold a drop-in of ours.
fn existing(layout: &Layout) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(layout.below("/etc/systemd/network"));
    let mut folders: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "d") && path.join(DROP_IN).exists())
        .collect();
    folders.sort();
    folders
}

/// The `.network` file that networkd uses for an interface.
fn network_file(index: IfIndex, layout: &Layout) -> Option<PathBuf> {
    let state = std::fs::read_to_string(layout.below(format!("/run/systemd/netif/links/{index}"))).ok()?;
    state.lines().find_map(|line| line.strip_prefix("NETWORK_FILE=")).map(PathBuf::from)
}

fn rule_section(text: &mut String, rule: &Rule) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n[RoutingPolicyRule]\nPriority={}", rule.priority);
    if let Some(source) = rule.source {
        let _ = writeln!(text, "From={source}");
    }
    if let Some(destination) = rule.destination {
        let _ = writeln!(text, "To={destination}");
    }
    if rule.action == RuleAction::Table {
        let _ = writeln!(text, "Table={}", rule.table);
    }
    if let Some(length) = rule.suppress_prefix_len {
        let _ = writeln!(text, "SuppressPrefixLength={length}");
    }
    let _ = writeln!(text, "Family={}", if rule.ipv6 { "ipv6" } else { "ipv4" });
}

fn route_section(text: &mut String, route: &Route) {
    let _ = writeln!(text, "\n[Route]\nDestination={}\nTable={}", route.destination, route.table);
    if route.kind == RouteKind::Unicast && route.scope == Scope::LINK {
        let _ = writeln!(text, "Scope=link");
    }
    if let Some(gateway) = route.next_hops.first().and_then(|hop| hop.gateway) {
        let _ = writeln!(text, "Gateway={gateway}");
    }
    if let Some(source) = route.preferred_source {
        let _ = writeln!(text, "PreferredSource={source}");
    }
    if route.metric != 0 {
        let _ = writeln!(text, "Metric={}", route.metric);
    }
}
