//! Rules and routes that files of the managers make at boot, as far as one line says them whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::files::Files;
use super::{network_manager, networkd};
use crate::snapshot::{Interface, Route, Rule, Snapshot, table};
use crate::types::IpNet;

/// What is made at boot.
#[derive(Debug, Default)]
pub(super) struct Routing {
    rules: Vec<Rule>,
    routes: Vec<Route>,
}

impl Routing {
    pub(super) fn load(files: &Files<'_>, snapshot: &Snapshot) -> Self {
        let mut this = Self::default();
        for (interface, text) in networkd::texts(files, snapshot) {
            for (section, settings) in sections(&text) {
                match section {
                    "RoutingPolicyRule" => this.rules.extend(networkd_rule(&settings)),
                    "Route" => this.routes.extend(networkd_route(&settings, interface)),
                    _ => {}
                }
            }
        }
        for text in network_manager::keyfiles(files) {
            this.keyfile(&text, snapshot);
        }
        this
    }

    /// Whether a file makes this rule, whoever made it now.
    pub(super) fn has_rule(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|made| same_rule(made, rule))
    }

    /// Whether a file makes this route, whoever made it now.
    pub(super) fn has_route(&self, route: &Route) -> bool {
        self.routes.iter().any(|made| same_route(made, route))
    }

    /// What is made at boot and is not there now.
    pub(super) fn missing(&self, snapshot: &Snapshot) -> (Vec<Rule>, Vec<Route>) {
        let rules = self.rules.iter().filter(|made| !snapshot.rules.iter().any(|rule| same_rule(made, rule)));
        let routes =
            self.routes.iter().filter(|made| !snapshot.routes.iter().any(|route| same_route(made, route)));
        (rules.cloned().collect(), routes.cloned().collect())
    }

    /// `routeN=DESTINATION[,GATEWAY[,METRIC]]`, `routeN_options=table=T` and `routing-ruleN=` as `ip rule` has it.
    fn keyfile(&mut self, text: &str, snapshot: &Snapshot) {
        let sections = sections(text);
        let get = |section: &str, key: &str| -> Option<&str> {
            let (_, settings) = sections.iter().find(|(name, _)| *name == section)?;
            settings.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
        };
        let Some(name) = get("connection", "interface-name") else { return };
        let found = snapshot.interfaces.iter().find(|interface| interface.name.to_string() == name);
        let Some(interface) = found.filter(|_| get("connection", "autoconnect") != Some("false")) else {
            return;
        };
        for section in ["ipv4", "ipv6"] {
            let settings = sections.iter().filter(|(name, _)| *name == section).flat_map(|(_, it)| it);
            for (key, value) in settings {
                if key.starts_with("routing-rule") {
                    self.rules.extend(spoken_rule(value, section == "ipv6"));
                } else if key.strip_prefix("route").is_some_and(|rest| rest.parse::<u32>().is_ok()) {
                    let options = get(section, &format!("{key}_options")).unwrap_or_default();
                    let table = match options.split(',').find(|option| !option.is_empty()) {
                        None => Some(table::MAIN),
                        Some(option) => option.strip_prefix("table=").and_then(number_of_table),
                    };
                    // NetworkManager gives its own metrics to routes without one.
                    let mut parts = value.split([',', ';']).map(str::trim);
                    let (destination, gateway, metric) = (parts.next(), parts.next(), parts.next());
                    let pairs = [("Destination", destination), ("Gateway", gateway), ("Metric", metric)];
                    let given: Vec<(&str, &str)> = pairs
                        .into_iter()
                        .filter_map(|(key, value)| Some((key, value.filter(|it| !it.is_empty())?)))
                        .collect();
                    let route = networkd_route(&given, interface);
                    self.routes.extend(route.zip(table).map(|(route, table)| Route { table, ..route }));
                }
            }
        }
    }
}

/// A rule of ours says the same as one of a file's whoever made it.
fn same_rule(made: &Rule, other: &Rule) -> bool {
    let own = Rule { protocol: other.protocol, flags: other.flags, ..made.clone() };
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

/// An address with or without a length.
fn net(text: &str) -> Option<IpNet> {
    let whole = |address: IpAddr| IpNet::new(address, if address.is_ipv4() { 32 } else { 128 }).ok();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// `None` if it says more than is understood, or no priority: the kernel would choose one.
fn networkd_rule(settings: &[(&str, &str)]) -> Option<Rule> {
    let (mut priority, mut rule) = (None, Rule::lookup(0, table::MAIN));
    for (key, value) in settings {
        match *key {
            "Priority" => priority = value.parse().ok(),
            "Table" => rule.table = number_of_table(value)?,
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

/// `priority 5 from 192.0.2.1/32 table 100`.
fn spoken_rule(text: &str, ipv6: bool) -> Option<Rule> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut settings = Vec::new();
    for pair in words.chunks(2) {
        let [key, value] = *pair else { return None };
        let key = match key {
            "priority" | "pref" | "preference" => "Priority",
            "from" => "From",
            "to" => "To",
            "table" | "lookup" => "Table",
            "suppress_prefixlength" => "SuppressPrefixLength",
            _ => return None,
        };
        if value != "all" {
            settings.push((key, value));
        }
    }
    networkd_rule(&settings).map(|rule| Rule { ipv6, ..rule })
}

/// `None` if it says more than is understood.
fn networkd_route(settings: &[(&str, &str)], interface: &Interface) -> Option<Route> {
    let (mut destination, mut gateway, mut metric, mut table) = (None, None, 0, table::MAIN);
    for (key, value) in settings {
        match *key {
            "Destination" => destination = Some(net(value)?),
            "Gateway" => gateway = Some(value.parse::<IpAddr>().ok()?),
            "Metric" => metric = value.parse().ok()?,
            "Table" => table = number_of_table(value)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_more_than_is_understood_is_left_out() {
        let rule = networkd_rule(&[("Priority", "100"), ("From", "192.0.2.1"), ("Table", "7")]).unwrap();
        assert_eq!((rule.priority, rule.table, rule.source), (100, 7, net("192.0.2.1/32")));
        assert_eq!(networkd_rule(&[("Priority", "100"), ("IncomingInterface", "eth0")]), None);
        assert_eq!(networkd_rule(&[("From", "192.0.2.1")]), None);
        assert_eq!(spoken_rule("priority 100 from 192.0.2.1/32 table 7", false), Some(rule));
        assert_eq!(spoken_rule("priority 100 fwmark 1 table 7", false), None);
    }
}
