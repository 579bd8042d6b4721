//! Drop-ins for systemd-networkd.
//!
//! networkd removes rules and routes that it does not know when it starts or an interface comes up
//! (`ManageForeignRoutingPolicyRules=`, `ManageForeignRoutes=`, both on by default), and sets
//! `proxy_ndp` of each interface to what its file says. So they are given to it: in a drop-in beside
//! the `.network` file that it uses for the interface, which it names in
//! `/run/systemd/netif/links/INDEX`.
//!
//! A `.network` file for several interfaces would give the routes of one to all of them, and where
//! networkd has no file it takes no drop-in. Then it gets none of them, as two who make the same rules
//! would make them twice; it is told to leave alone what it does not know, and the unit or a hook brings
//! rules and routes back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Desired, FileState, Layout, Root};
use crate::error::Result;
use crate::plan::{Change, PROTOCOL};
use crate::snapshot::{NextHopFlags, Route, RouteKind, Rule, RuleAction, Scope, Snapshot};
use crate::state::Object;
use crate::sysctl::Ipv6Sysctl;
use crate::types::{IfIndex, IpNet};

/// Where the administrator's files are.
const FOLDER: &str = "/etc/systemd/network";
/// The name of the drop-in, in each `NAME.network.d`.
const DROP_IN: &str = "90-arpflux.conf";
/// Where networkd is told to leave alone what it does not know.
pub(super) const LENIENT: &str = "/etc/systemd/networkd.conf.d/90-arpflux.conf";
/// `RTPROT_STATIC`: what networkd marks with what its files say.
const STATIC: u8 = 4;

/// Whether it is the path of a drop-in of ours, below the root.
pub(super) fn is_drop_in(path: &Path) -> bool {
    let inside =
        path.strip_prefix(FOLDER).ok().and_then(|inside| Some((inside.parent()?, inside.file_name()?)));
    inside.is_some_and(|(folder, name)| {
        name == DROP_IN
            && folder.components().count() == 1
            && folder.to_string_lossy().ends_with(".network.d")
    })
}

const HEADING: &str = "# Written by `arpflux apply --persist`.\n";

pub(super) fn drop_ins(used: bool, desired: &Desired, layout: &Layout) -> Result<Vec<(PathBuf, FileState)>> {
    let root = Root::open(&layout.root)?;
    let mut files: BTreeMap<PathBuf, FileState> =
        existing(&root, layout)?.into_iter().map(|path| (path, FileState::Absent)).collect();
    files.insert(layout.below(LENIENT), FileState::Absent);
    if !used {
        return Ok(files.into_iter().collect());
    }
    let networks = networks(&root, layout)?;
    let carried = Carried::of(desired, &networks);
    for (index, network) in &networks {
        let Some(text) = carried.text(*index, desired) else { continue };
        let Some(name) = network.file_name() else { continue };
        let mut folder = PathBuf::from(FOLDER).join(name).into_os_string();
        folder.push(".d");
        let path = layout.below(Path::new(&folder)).join(DROP_IN);
        files.insert(path, FileState::text(format!("{HEADING}{text}"), 0o644));
    }
    if carried.by_table.is_empty() && !desired.routes.is_empty() {
        let text = format!(
            "{HEADING}# A file for several interfaces cannot carry the routes of one of them.\n\
             [Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n"
        );
        files.insert(layout.below(LENIENT), FileState::text(text, 0o644));
    }
    Ok(files.into_iter().collect())
}

/// By the file of which interface each table goes, with the rules that lead there: all, or none.
struct Carried {
    by_table: HashMap<u32, IfIndex>,
    interfaces: HashSet<IfIndex>,
}

impl Carried {
    fn of(desired: &Desired, networks: &BTreeMap<IfIndex, PathBuf>) -> Self {
        let mut by_table: HashMap<u32, Option<IfIndex>> = HashMap::new();
        for route in &desired.routes {
            let carrier = by_table.entry(route.table).or_insert_with(|| hop(route));
            // Routes that reject have no interface: they go with the others of their table.
            *carrier = match (*carrier, hop(route)) {
                (Some(first), Some(own)) if networks.contains_key(&own) => {
                    networks.contains_key(&first).then_some(first)
                }
                (_, Some(_)) => None,
                (first, None) => first.filter(|first| networks.contains_key(first)),
            };
        }
        let all = by_table.into_iter().map(|(table, carrier)| Some((table, carrier?))).collect();
        let by_table: Option<HashMap<u32, IfIndex>> = all;
        Self { by_table: by_table.unwrap_or_default(), interfaces: networks.keys().copied().collect() }
    }

    /// The drop-in of an interface; `None` if there is nothing to say.
    fn text(&self, index: IfIndex, desired: &Desired) -> Option<String> {
        let mut text = String::new();
        let proxy_ndp = desired.names.iter().any(|(number, name)| {
            *number == index && desired.ipv6_sysctls.contains(&(*name, Ipv6Sysctl::ProxyNdp, 1))
        });
        if proxy_ndp && self.interfaces.contains(&index) {
            text += "\n[Network]\nIPv6ProxyNDP=yes\n";
        }
        // All rules of a source go with the table of its interface, in the order in which they are tried.
        let of_table = desired.rules.iter().filter(|rule| self.by_table.get(&rule.table) == Some(&index));
        let sources: HashSet<IpNet> = of_table.filter_map(|rule| rule.source).collect();
        let mine = desired.rules.iter().filter(|rule| rule.source.is_some_and(|net| sources.contains(&net)));
        for rule in mine {
            text += &rule_section(rule);
        }
        for route in &desired.routes {
            let carrier = self.by_table.get(&route.table);
            if carrier.is_some_and(|carrier| hop(route).unwrap_or(*carrier) == index) {
                text += &route_section(route);
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

fn hop(route: &Route) -> Option<IfIndex> {
    route.next_hops.iter().find_map(|hop| hop.interface)
}

/// Our drop-ins that are there.
fn existing(root: &Root, layout: &Layout) -> Result<Vec<PathBuf>> {
    let folder = layout.below(FOLDER);
    let names = root.names(&folder)?.into_iter().map(|name| folder.join(name));
    let folders = names.filter(|path| path.extension().is_some_and(|e| e == "d"));
    Ok(folders.map(|path| path.join(DROP_IN)).filter(|path| root.has_entry(path)).collect())
}

/// The `.network` files that networkd uses, each for one interface alone.
fn networks(root: &Root, layout: &Layout) -> Result<BTreeMap<IfIndex, PathBuf>> {
    let mut users: HashMap<PathBuf, Vec<IfIndex>> = HashMap::new();
    let links = layout.below("/run/systemd/netif/links");
    for name in root.names(&links)? {
        let Some(index) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let state = root.text(&links.join(name))?.unwrap_or_default();
        if let Some(file) = state.lines().find_map(|line| line.strip_prefix("NETWORK_FILE=")) {
            users.entry(file.into()).or_default().push(IfIndex(index));
        }
    }
    let mut alone = BTreeMap::new();
    for (file, users) in users {
        if let [only] = users[..]
            && is_for_one(&root.text(&layout.below(&file))?.unwrap_or_default())
        {
            alone.insert(only, file);
        }
    }
    Ok(alone)
}

/// Whether a `.network` file names one interface, so that none that comes later gets the same routes.
fn is_for_one(text: &str) -> bool {
    let mut in_match = false;
    text.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            in_match = line == "[Match]";
        }
        let key = |name: &str| line.strip_prefix(name)?.trim_start().strip_prefix('=').map(str::trim);
        let one = |value: &str| !value.is_empty() && !value.contains([' ', '*', '?', '[', '!', ',']);
        in_match && ["Name", "MACAddress", "PermanentMACAddress"].into_iter().filter_map(key).any(one)
    })
}

fn rule_section(rule: &Rule) -> String {
    let mut text = format!("\n[RoutingPolicyRule]\nPriority={}\n", rule.priority);
    // Writing to a String cannot fail.
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
    text
}

fn route_section(route: &Route) -> String {
    let mut text = format!("\n[Route]\nDestination={}\nTable={}\n", route.destination, route.table);
    let kind = match route.kind {
        RouteKind::Blackhole => Some("blackhole"),
        RouteKind::Unreachable => Some("unreachable"),
        RouteKind::Prohibit => Some("prohibit"),
        RouteKind::Throw => Some("throw"),
        _ => None,
    };
    if let Some(kind) = kind {
        let _ = writeln!(text, "Type={kind}");
    }
    if route.kind == RouteKind::Unicast && route.scope == Scope::LINK {
        let _ = writeln!(text, "Scope=link");
    }
    if let Some(hop) = route.next_hops.first() {
        if let Some(gateway) = hop.gateway {
            let _ = writeln!(text, "Gateway={gateway}");
        }
        if hop.flags.contains(NextHopFlags::ONLINK) {
            let _ = writeln!(text, "GatewayOnLink=yes");
        }
    }
    if let Some(source) = route.preferred_source {
        let _ = writeln!(text, "PreferredSource={source}");
    }
    if route.metric != 0 {
        let _ = writeln!(text, "Metric={}", route.metric);
    }
    text
}

/// The sections of our drop-ins that are there.
pub(super) fn sections(layout: &Layout) -> Result<HashSet<String>> {
    let mut sections = HashSet::new();
    let root = Root::open(&layout.root)?;
    for path in existing(&root, layout)? {
        if let FileState::Regular { text, .. } = root.read(&path)? {
            sections.extend(text.split("\n\n").map(|section| section.trim().to_owned()));
        }
    }
    Ok(sections)
}

/// Whether the sections say so.
pub(super) fn has_rule(sections: &HashSet<String>, rule: &Rule) -> bool {
    sections.contains(rule_section(rule).trim())
}

/// Whether the sections say so.
pub(super) fn has_route(sections: &HashSet<String>, route: &Route) -> bool {
    sections.contains(route_section(route).trim())
}

/// What networkd has made of our drop-ins.
#[derive(Debug)]
pub(super) struct Made {
    rules: Vec<Rule>,
    routes: Vec<Route>,
}

impl Made {
    /// Finds it; `None` if there is nothing.
    ///
    /// # Errors
    /// If a drop-in cannot be read.
    pub fn find(snapshot: &Snapshot, layout: &Layout) -> Result<Option<Self>> {
        let sections = sections(layout)?;
        if sections.is_empty() {
            return Ok(None);
        }
        let rules = snapshot.rules.iter().filter(|it| it.protocol == STATIC && has_rule(&sections, it));
        let routes = snapshot.routes.iter().filter(|it| it.protocol == STATIC && has_route(&sections, it));
        let made = Self { rules: rules.cloned().collect(), routes: routes.cloned().collect() };
        Ok((!made.rules.is_empty() || !made.routes.is_empty()).then_some(made))
    }

    /// The snapshot with all of it marked as ours.
    pub fn as_ours(&self, snapshot: &Snapshot) -> Snapshot {
        let mut ours = snapshot.clone();
        ours.rules.iter_mut().filter(|it| self.rules.contains(it)).for_each(|it| it.protocol = PROTOCOL);
        ours.routes.iter_mut().filter(|it| self.routes.contains(it)).for_each(|it| it.protocol = PROTOCOL);
        ours
    }

    /// The snapshot without any of it.
    pub fn taken_out(&self, snapshot: &Snapshot) -> Snapshot {
        let mut rest = snapshot.clone();
        rest.rules.retain(|rule| !self.rules.contains(rule));
        rest.routes.retain(|route| !self.routes.contains(route));
        rest
    }

    /// Adds the removal of all of it to changes that were planned without it: routes go immediately
    /// before those that take their place, everything else when the new rules stand.
    pub fn replace(self, changes: Vec<Change>) -> Vec<Change> {
        let mut left = self.routes;
        let mut woven = Vec::with_capacity(changes.len() + left.len() + self.rules.len());
        let place = |route: &Route| (route.table, route.destination.trunc(), route.tos, route.metric);
        for change in changes {
            if let Object::Route(route) = &change.object
                && change.after.is_there()
                && let Some(at) = left.iter().position(|old| place(old) == place(route))
            {
                woven.push(Change::remove(left.remove(at)));
            }
            woven.push(change);
        }
        woven.extend(self.rules.into_iter().map(Change::remove));
        woven.extend(left.into_iter().map(Change::remove));
        woven
    }
}
