//! What one line of `ip rule`, `ip route` or `ip neigh` makes (`iprule.c`, `iproute.c`, `ipneigh.c` of iproute2).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::files::Files;
use crate::snapshot::{Route, RouteKind, Rule, RuleAction, Snapshot, table};
use crate::types::{IfIndex, IpNet, Mac};

/// A command as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpCommand {
    pub(super) ipv6: bool,
    /// From the object on: `rule add from …`.
    pub(super) words: Vec<String>,
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

/// What commands make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// A rule, and whether the line says its priority: otherwise the kernel takes the next one below the others.
    Rule(Rule, bool),
    Route(Route),
    Neighbour(IpAddr, IfIndex, Mac),
    /// A table that is emptied.
    Emptied(u32),
    /// Nothing that is looked at: an interface that is not there.
    Nothing,
}

/// The names of tables in `rt_tables`.
#[derive(Debug, Default)]
pub(super) struct Tables(HashMap<String, u32>);

impl Tables {
    pub(super) fn load(files: &Files<'_>) -> Self {
        let folders = ["/usr/lib/iproute2", "/usr/share/iproute2", "/etc/iproute2"];
        let mut this = Self::default();
        for folder in folders {
            this.read(&files.text(format!("{folder}/rt_tables")).unwrap_or_default());
        }
        for seen in files
            .by_name(&folders.map(|it| format!("{it}/rt_tables.d")).each_ref().map(String::as_str), "conf")
        {
            this.read(&files.text(seen).unwrap_or_default());
        }
        this
    }

    fn read(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            if let (Some(number), Some(name)) = (words.next().and_then(number), words.next()) {
                self.0.insert(name.into(), number);
            }
        }
    }

    /// The number of a table by its number or name.
    pub(super) fn number(&self, text: &str) -> Option<u32> {
        match text {
            "main" => Some(table::MAIN),
            "default" => Some(table::DEFAULT),
            "local" => Some(table::LOCAL),
            text => number(text).or_else(|| self.0.get(text).copied()),
        }
    }
}

/// As `strtoul()` takes it: `0x` and a leading zero count.
fn number(text: &str) -> Option<u32> {
    match (text.strip_prefix("0x"), text.strip_prefix('0').filter(|rest| !rest.is_empty())) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (_, Some(octal)) => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

/// An address with or without a length.
pub(super) fn net(text: &str) -> Option<IpNet> {
    let whole = |address: IpAddr| IpNet::new(address, if address.is_ipv4() { 32 } else { 128 }).ok();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

fn anywhere(ipv6: bool) -> Option<IpNet> {
    let address = if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    IpNet::new(address, 0).ok()
}

/// Whether a text has a command that adds or deletes rules or routes.
pub(super) fn is_mentioned(text: &str) -> bool {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || ";&|(){}`\"'=".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    words.iter().enumerate().any(|(at, word)| {
        let mut rest = words.iter().skip(at + 1).skip_while(|word| word.starts_with('-'));
        word.rsplit('/').next() == Some("ip")
            && rest.next().is_some_and(|object| is(object, "rule", 2) || is(object, "route", 1))
            && rest.next().is_some_and(|verb| changes(verb))
    })
}

fn changes(verb: &str) -> bool {
    ["add", "append", "change", "prepend", "replace", "del", "delete", "flush", "a", "d"].contains(&verb)
}

/// iproute2 takes the beginning of a word for the word.
fn is(text: &str, word: &str, least: usize) -> bool {
    text.len() >= least && word.starts_with(text)
}

impl IpCommand {
    /// The command of these words if it is about rules, routes or neighbours and changes them. `None` as well for what
    /// only shows them.
    pub(super) fn of(words: &[&str]) -> Option<(bool, Vec<String>)> {
        let (object, rest) = words.split_first()?;
        let object = match () {
            () if is(object, "route", 1) => "route",
            () if is(object, "rule", 2) => "rule",
            () if is(object, "neighbour", 1) || is(object, "neighbor", 1) => "neigh",
            () => return None,
        };
        if !rest.first().is_some_and(|verb| changes(verb)) {
            return None;
        }
        let words = std::iter::once(object).chain(rest.iter().copied()).map(str::to_owned).collect();
        // The family is that of the first address; without one it is IPv4, or what -6 says.
        Some((rest.iter().any(|word| word.contains("::")), words))
    }

    /// What it makes, and whether it takes that away instead; `None` if it says more than is understood.
    pub(super) fn made(&self, tables: &Tables, snapshot: &Snapshot) -> Option<(Made, bool)> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let [object, verb, rest @ ..] = words.as_slice() else { return None };
        let deletes = verb.starts_with('d');
        if *verb == "flush" {
            let ("route", ["table", name]) = (*object, rest) else { return None };
            return Some((Made::Emptied(tables.number(name)?), true));
        }
        let made = match *object {
            "rule" => rule(rest, self.ipv6, tables).map(|(rule, said)| Made::Rule(rule, said)),
            "route" => route(rest, self.ipv6, tables, snapshot),
            _ => neighbour(rest, snapshot),
        };
        made.map(|made| (made, deletes))
    }
}

/// `from 192.0.2.1 table 100 priority 5`.
pub(super) fn rule(words: &[&str], ipv6: bool, tables: &Tables) -> Option<(Rule, bool)> {
    let (mut priority, mut rule) = (None, Rule { ipv6, ..Rule::lookup(0, table::MAIN) });
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let action = match word {
            "blackhole" => Some(RuleAction::Blackhole),
            "unreachable" => Some(RuleAction::Unreachable),
            "prohibit" => Some(RuleAction::Prohibit),
            _ => None,
        };
        if let Some(action) = action {
            (rule.action, rule.table) = (action, table::UNSPEC);
            continue;
        }
        let value = words.next()?;
        let prefix =
            || if ["all", "any", "default"].contains(&value) { Some(None) } else { net(value).map(Some) };
        match word {
            "from" => rule.source = prefix()?,
            "to" => rule.destination = prefix()?,
            "iif" | "dev" => rule.iif = Some(value.parse().ok()?),
            "oif" => rule.oif = Some(value.parse().ok()?),
            "fwmark" => {
                let (mark, mask) =
                    value.split_once('/').map_or((value, None), |(mark, mask)| (mark, Some(mask)));
                (rule.fwmark, rule.fwmask) = (number(mark)?, mask.map_or(Some(u32::MAX), number)?);
            }
            "table" | "lookup" | "t" => rule.table = tables.number(value)?,
            "priority" | "pref" | "preference" | "prio" | "order" => priority = Some(number(value)?),
            "suppress_prefixlength" | "sup_pl" => rule.suppress_prefix_len = Some(value.parse().ok()?),
            "proto" | "protocol" => {}
            _ => return None,
        }
    }
    rule.ipv6 |= [rule.source, rule.destination].into_iter().flatten().any(|net| net.addr().is_ipv6());
    rule.priority = priority.unwrap_or(0);
    Some((rule, priority.is_some()))
}

fn route(words: &[&str], mut ipv6: bool, tables: &Tables, snapshot: &Snapshot) -> Option<Made> {
    let (mut destination, mut gateway, mut device, mut metric) = (None, None, None, 0);
    let (mut number, mut kind) = (table::MAIN, RouteKind::Unicast);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "unicast" | "onlink" => {}
            "blackhole" => kind = RouteKind::Blackhole,
            "unreachable" => kind = RouteKind::Unreachable,
            "prohibit" => kind = RouteKind::Prohibit,
            "throw" => kind = RouteKind::Throw,
            "local" => kind = RouteKind::Local,
            "via" => {
                let value =
                    words.next().filter(|word| !["inet", "inet6"].contains(word)).or_else(|| words.next())?;
                gateway = Some(value.parse::<IpAddr>().ok()?);
            }
            "dev" | "oif" => device = Some(words.next()?),
            "table" | "t" => number = tables.number(words.next()?)?,
            "metric" | "priority" | "preference" | "pref" => metric = words.next()?.parse().ok()?,
            "src" | "proto" | "protocol" | "scope" | "mtu" | "advmss" | "initcwnd" | "initrwnd" | "realm" => {
                words.next()?;
            }
            "default" | "all" | "any" if destination.is_none() => destination = Some(None),
            "to" => {}
            word if destination.is_none() => destination = Some(Some(net(word)?)),
            _ => return None,
        }
    }
    ipv6 |= gateway.is_some_and(|gateway| gateway.is_ipv6());
    let destination = destination?.or_else(|| anywhere(ipv6))?;
    if ![RouteKind::Unicast, RouteKind::Local].contains(&kind) {
        let route = Route { table: number, kind, metric, ..Route::new(destination, IfIndex(0)) };
        return Some(Made::Route(Route { next_hops: Vec::new(), ..route }));
    }
    let interface = match (device, gateway) {
        (Some(name), _) => match snapshot.interfaces.iter().find(|it| it.name.to_string() == name) {
            Some(interface) => interface.index,
            None => return Some(Made::Nothing),
        },
        (None, Some(gateway)) => holder(snapshot, gateway)?,
        (None, None) => return None,
    };
    let route = match gateway {
        Some(gateway) => Route::via(destination, interface, gateway),
        None => Route::new(destination, interface),
    };
    Some(Made::Route(Route { table: number, kind, metric, ..route }))
}

/// The one interface in whose subnet an address is.
fn holder(snapshot: &Snapshot, address: IpAddr) -> Option<IfIndex> {
    let near = snapshot.addresses.iter().filter(|held| held.subnet().contains(&address));
    let mut found: Vec<IfIndex> = near.map(|held| held.interface).collect();
    found.dedup();
    match found[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// `192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent`.
fn neighbour(words: &[&str], snapshot: &Snapshot) -> Option<Made> {
    let (mut address, mut mac, mut device, mut is_kept) = (None, None, None, true);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "lladdr" => mac = Some(words.next()?.parse::<Mac>().ok()?),
            "dev" => device = Some(words.next()?),
            "nud" | "state" => is_kept = words.next()? == "permanent",
            "router" | "to" => {}
            "proxy" => return Some(Made::Nothing),
            word => address = Some(word.parse::<IpAddr>().ok()?),
        }
    }
    let named = snapshot.interfaces.iter().find(|it| Some(it.name.to_string().as_str()) == device);
    match (address, named, mac) {
        (Some(address), Some(interface), Some(mac)) if is_kept => {
            Some(Made::Neighbour(address, interface.index, mac))
        }
        (Some(_), ..) => Some(Made::Nothing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::host::Host;

    fn made(text: &str) -> Option<Made> {
        let host = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "eth1", &["10.0.1.1/24"]).0;
        let mut tables = Tables::default();
        tables.read("# names\n100 wan\n0xc8\tlan # with a comment\n");
        let words: Vec<&str> = text.split_whitespace().collect();
        let (ipv6, words) = IpCommand::of(&words)?;
        let command = IpCommand { ipv6, words, file: "/f".into(), line: 1 };
        command.made(&tables, &host).map(|(made, _)| made)
    }

    #[test]
    fn rules_and_routes_are_read_as_iproute2_does() {
        let Some(Made::Rule(rule, false)) = made("rule add from 10.0.0.1 table wan") else { panic!() };
        assert_eq!((rule.source, rule.table), (net("10.0.0.1/32"), 100));
        let Some(Made::Rule(rule, true)) = made("ru a fwmark 0x1/0xff lookup lan pref 010 iif eth1") else {
            panic!()
        };
        assert_eq!((rule.fwmark, rule.fwmask, rule.table, rule.priority), (1, 255, 200, 8));
        let Some(Made::Route(route)) =
            made("r replace default via 10.0.1.254 table lan metric 7 src 10.0.1.1")
        else {
            panic!()
        };
        assert_eq!((route.table, route.metric, route.next_hops[0].interface), (200, 7, Some(IfIndex(3))));
        let Some(Made::Route(route)) = made("route add blackhole 10.9.0.0/16") else { panic!() };
        assert_eq!((route.kind, route.next_hops.len()), (RouteKind::Blackhole, 0));
        assert_eq!(made("route add default via 10.0.0.254 dev eth9"), Some(Made::Nothing));
        assert!(matches!(
            made("neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0"),
            Some(Made::Neighbour(..))
        ));
    }

    #[test]
    fn what_says_more_than_is_understood_is_left_out() {
        for text in [
            "rule add not from 10.0.0.1 table 5",
            "rule add from 10.0.0.1 table nowhere",
            "rule add ipproto tcp dport 22 table 5",
            "route add default nexthop via 10.0.0.2 nexthop via 10.0.1.2",
            "route add default via 10.7.0.1",
            "route flush root 10/8",
            "rule flush",
            "rule add from",
        ] {
            assert_eq!(made(text), None, "{text}");
        }
        assert_eq!(made("rule show"), None);
    }

    #[test]
    fn a_script_that_changes_rules_or_routes_is_known_by_its_words() {
        for text in
            ["/sbin/ip -4 rule add from $X", "x=$(ip ro replace $A)", "[ -e /x ] && ip rule del pref 5"]
        {
            assert!(is_mentioned(text), "{text}");
        }
        for text in ["nft add rule ip filter input drop", "ip route show", "# the rule add", "ip link add x"]
        {
            assert!(!is_mentioned(text), "{text}");
        }
    }
}
