//! Rules and routes that files of the managers make at boot, as far as one line says them whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::files::Files;
use super::ip::{self, IpCommand, Made, Tables, net};
use super::shell::Unfollowed;
use super::{network_manager, networkd};
use crate::snapshot::{Interface, Route, Rule, RuleFlags, Snapshot, table};
use crate::types::{IfIndex, IpNet, Mac};

/// What is made at boot.
#[derive(Debug, Default)]
pub(super) struct Routing {
    /// Rules, and whether the file says their priority.
    rules: Vec<(Rule, bool)>,
    routes: Vec<Route>,
    /// Permanent entries of neighbours.
    pub(super) neighbours: Vec<(IfIndex, IpAddr, Mac)>,
    tables: Tables,
}

impl Routing {
    /// What the files of managers make, and the commands after them; and what of these was not understood.
    pub(super) fn load(
        files: &Files<'_>,
        snapshot: &Snapshot,
        commands: &[IpCommand],
    ) -> (Self, Vec<Unfollowed>) {
        let mut this = Self { tables: Tables::load(files), ..Self::default() };
        let names = networkd::Conf::load(files).tables;
        for (interface, text) in networkd::texts(files, snapshot) {
            for (section, settings) in sections(&text) {
                let number = |name: &str| names.get(name).copied().or_else(|| number_of_table(name));
                match section {
                    "RoutingPolicyRule" => {
                        this.rules.extend(networkd_rule(&settings, &number).map(|rule| (rule, true)));
                    }
                    "Neighbor" => this.neighbours.extend(networkd_neighbour(&settings, interface)),
                    "Route" => this.routes.extend(networkd_route(&settings, interface, &number)),
                    _ => {}
                }
            }
        }
        for text in network_manager::keyfiles(files) {
            this.keyfile(&text, snapshot);
        }
        let mut unfollowed = Vec::new();
        for command in commands {
            match command.made(&this.tables, snapshot) {
                Some(made) => this.command(made),
                None => {
                    let text = format!("ip {}", command.words.join(" "));
                    let why = "it says more about rules or routes than is followed";
                    unfollowed.push(Unfollowed::new(&command.file, command.line, &text, why));
                }
            }
        }
        (this, unfollowed)
    }

    fn command(&mut self, made: (Made, bool)) {
        match made {
            (Made::Rule(rule, said), false) => self.rules.push((rule, said)),
            (Made::Rule(rule, said), true) => self.rules.retain(|(made, _)| !same_rule(&rule, said, made)),
            (Made::Route(route), false) => self.routes.push(route),
            (Made::Route(route), true) => self.routes.retain(|made| !same_route(&route, made)),
            (Made::Emptied(table), _) => self.routes.retain(|made| made.table != table),
            (Made::Neighbour(address, interface, mac), deletes) => {
                self.neighbours.retain(|(on, held, _)| (*on, *held) != (interface, address));
                self.neighbours.extend((!deletes).then_some((interface, address, mac)));
            }
            (Made::Nothing, _) => {}
        }
    }

    /// Whether a file makes this rule, whoever made it now.
    pub(super) fn has_rule(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|(made, said)| same_rule(made, *said, rule))
    }

    /// Whether a file makes this route, whoever made it now.
    pub(super) fn has_route(&self, route: &Route) -> bool {
        self.routes.iter().any(|made| same_route(made, route))
    }

    /// What is made at boot and is not there now.
    pub(super) fn missing(&self, snapshot: &Snapshot) -> (Vec<Rule>, Vec<Route>) {
        let mut rules = Vec::new();
        // The kernel takes the number before that of the rule that comes second (`fib_default_rule_pref()`).
        let mut free = [32_766; 2];
        for (made, said) in &self.rules {
            let free = &mut free[usize::from(made.ipv6)];
            let priority = if *said { made.priority } else { *free - 1 };
            *free = (*free).min(priority.max(1));
            if !snapshot.rules.iter().any(|rule| same_rule(made, *said, rule)) {
                rules.push(Rule { priority, ..made.clone() });
            }
        }
        let routes =
            self.routes.iter().filter(|made| !snapshot.routes.iter().any(|route| same_route(made, route)));
        (rules, routes.cloned().collect())
    }

    /// `routeN=DESTINATION[,GATEWAY[,METRIC]]` with `routeN_options=`, `addressN=ADDRESS,GATEWAY`, `gateway=`,
    /// `route-table=` and `routing-ruleN=` as `ip rule` has it.
    fn keyfile(&mut self, text: &str, snapshot: &Snapshot) {
        let sections = sections(text);
        let get = |section: &str, key: &str| -> Option<&str> {
            let (_, settings) = sections.iter().find(|(name, _)| *name == section)?;
            settings.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
        };
        let mac = get("ethernet", "mac-address").or_else(|| get("802-3-ethernet", "mac-address"));
        let takes = |interface: &&Interface| match (get("connection", "interface-name"), mac) {
            (None, None) => false,
            (name, mac) => {
                name.is_none_or(|name| interface.name.to_string() == name)
                    && mac.is_none_or(|mac| interface.mac.to_string().eq_ignore_ascii_case(mac))
            }
        };
        let found = snapshot.interfaces.iter().find(takes);
        let Some(interface) = found.filter(|_| get("connection", "autoconnect") != Some("false")) else {
            return;
        };
        for section in ["ipv4", "ipv6"] {
            let own =
                get(section, "route-table").and_then(|number| number.parse().ok()).filter(|it| *it != 0);
            let settings = sections.iter().filter(|(name, _)| *name == section).flat_map(|(_, it)| it);
            for (key, value) in settings {
                let is_numbered = |word: &str| {
                    key.strip_prefix(word).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
                };
                let mut parts = value.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
                let (first, second, metric) = (parts.next(), parts.next(), parts.next());
                if key.starts_with("routing-rule") {
                    let words: Vec<&str> = value.split_whitespace().collect();
                    self.rules
                        .extend(ip::rule(&words, section == "ipv6", &self.tables).filter(|(_, said)| *said));
                } else if is_numbered("route") {
                    let options = get(section, &format!("{key}_options")).unwrap_or_default();
                    let table = table_of_options(options).map(|table| table.or(own).unwrap_or(table::MAIN));
                    self.via(interface, first, second, metric, table);
                } else if is_numbered("address") || is_numbered("addresses") {
                    self.via(interface, None, second, None, own.or(Some(table::MAIN)));
                } else if *key == "gateway" {
                    self.via(interface, None, first, None, own.or(Some(table::MAIN)));
                }
            }
        }
    }

    /// A route of a keyfile; NetworkManager gives its own metrics to those without one.
    fn via(
        &mut self,
        interface: &Interface,
        destination: Option<&str>,
        gateway: Option<&str>,
        metric: Option<&str>,
        table: Option<u32>,
    ) {
        let pairs = [("Destination", destination), ("Gateway", gateway), ("Metric", metric)];
        let given: Vec<(&str, &str)> =
            pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let route = networkd_route(&given, interface, &number_of_table);
        self.routes.extend(route.zip(table).map(|(route, table)| Route { table, ..route }));
    }
}

/// The table that `routeN_options=` names; `None` if they make no plain route.
fn table_of_options(options: &str) -> Option<Option<u32>> {
    let mut table = None;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=')? {
            ("table", number) => table = Some(number.parse().ok()?),
            ("type", kind) if kind != "unicast" => return None,
            _ => {}
        }
    }
    Some(table)
}

/// A rule of ours says the same as one of a file's whoever made it, and whichever priority it got where none is `said`.
fn same_rule(made: &Rule, said: bool, other: &Rule) -> bool {
    let priority = if said { made.priority } else { other.priority };
    let flags = other.flags - RuleFlags::INVERT;
    let own = Rule { protocol: other.protocol, flags, priority, ..made.clone() };
    own == *other
}

/// The same destination by the same way; a metric that the file does not say is the manager's.
fn same_route(made: &Route, other: &Route) -> bool {
    let hop = |route: &Route| route.next_hops.first().map(|hop| (hop.interface, hop.gateway));
    (made.table, made.destination.trunc(), hop(made)) == (other.table, other.destination.trunc(), hop(other))
        && (made.metric == 0 || made.metric == other.metric)
}

/// The sections of a file, each as often as it is there, with their settings.
fn sections(text: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut found: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            found.push((name, Vec::new()));
        } else if let (Some((_, settings)), Some((key, value))) = (found.last_mut(), line.split_once('=')) {
            settings.push((key.trim(), value.trim()));
        }
    }
    found
}

fn number_of_table(text: &str) -> Option<u32> {
    match text {
        "main" => Some(table::MAIN),
        "default" => Some(table::DEFAULT),
        "local" => Some(table::LOCAL),
        number => number.parse().ok(),
    }
}

/// `None` if it says more than is understood, or no priority: the kernel would choose one.
fn networkd_rule(settings: &[(&str, &str)], number: &dyn Fn(&str) -> Option<u32>) -> Option<Rule> {
    let (mut priority, mut rule) = (None, Rule::lookup(0, table::MAIN));
    for (key, value) in settings {
        match *key {
            "Priority" => priority = value.parse().ok(),
            "Table" => rule.table = number(value)?,
            "From" => rule.source = Some(net(value)?),
            "To" => rule.destination = Some(net(value)?),
            "Family" if ["ipv4", "ipv6"].contains(value) => rule.ipv6 = *value == "ipv6",
            "SuppressPrefixLength" => rule.suppress_prefix_len = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    rule.ipv6 |= [rule.source, rule.destination].into_iter().flatten().any(|net| net.addr().is_ipv6());
    rule.priority = priority?;
    Some(rule)
}

/// `None` if it says more than is understood.
fn networkd_route(
    settings: &[(&str, &str)],
    interface: &Interface,
    number: &dyn Fn(&str) -> Option<u32>,
) -> Option<Route> {
    let (mut destination, mut gateway, mut metric, mut table) = (None, None, 0, table::MAIN);
    for (key, value) in settings {
        match *key {
            "Destination" => destination = Some(net(value)?),
            "Gateway" => gateway = Some(value.parse::<IpAddr>().ok()?),
            "Metric" => metric = value.parse().ok()?,
            "Table" => table = number(value)?,
            "GatewayOnLink" | "PreferredSource" | "Scope" => {}
            _ => return None,
        }
    }
    let anywhere = |gateway: &IpAddr| -> IpAddr {
        if gateway.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
    };
    let destination = destination.or_else(|| IpNet::new(anywhere(gateway.as_ref()?), 0).ok())?;
    let route = match gateway {
        Some(gateway) => Route::via(destination, interface.index, gateway),
        None => Route::new(destination, interface.index),
    };
    Some(Route { metric, table, ..route })
}

fn networkd_neighbour(settings: &[(&str, &str)], interface: &Interface) -> Option<(IfIndex, IpAddr, Mac)> {
    let get = |key: &str| settings.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    Some((interface.index, get("Address")?.parse().ok()?, get("LinkLayerAddress")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_more_than_is_understood_is_left_out() {
        let rule = |settings: &[(&str, &str)]| networkd_rule(settings, &number_of_table);
        let known = rule(&[("Priority", "100"), ("From", "192.0.2.1"), ("Table", "7")]).unwrap();
        assert_eq!((known.priority, known.table, known.source), (100, 7, net("192.0.2.1/32")));
        assert_eq!(rule(&[("Priority", "100"), ("IncomingInterface", "eth0")]), None);
        assert_eq!(rule(&[("From", "192.0.2.1")]), None);
        assert_eq!(table_of_options("table=8,onlink=true"), Some(Some(8)));
        assert_eq!((table_of_options("type=blackhole"), table_of_options("")), (None, Some(None)));
    }

    #[test]
    fn a_rule_without_a_priority_is_the_same_with_any() {
        let at = |priority| Rule { source: net("192.0.2.1/32"), ..Rule::lookup(priority, 7) };
        assert!(same_rule(&at(0), false, &at(32_765)) && !same_rule(&at(0), true, &at(32_765)));
        let inverted = Rule { flags: RuleFlags::INVERT, ..at(5) };
        assert!(!same_rule(&at(5), true, &inverted), "not from 192.0.2.1 is another");
    }
}
