//! From a tree of values to a policy: the one path for TOML and JSON.

use std::net::IpAddr;
use std::str::FromStr;

use super::check::{self, Part};
use super::nearest::nearest;
use super::source::{Source, quoted};
use super::tree::{Entry, Node, Value};
use super::{
    Egress, ForeignProxies, HostPolicy, Policy, ProxyArp, ProxyPolicy, ServiceAnswer, ServicePolicy,
    Strategy, VERSION,
};
use crate::error::{Error, ErrorKind, Result};
use crate::types::IpNet;

const ROOT_KEYS: &[&str] = &["version", "host", "proxy", "service"];
const HOST_KEYS: &[&str] =
    &["interfaces", "strategy", "egress", "announce", "foreign_proxies", "proxy_arp", "proxy_delay"];
const PROXY_KEYS: &[&str] = &["owner", "addresses", "interface"];
const SERVICE_KEYS: &[&str] = &["addresses", "answer"];

/// Makes a policy of `root` and checks it.
pub(super) fn policy(source: Source<'_>, root: &Node<'_>) -> Result<Policy> {
    let reader = Reader { source };
    let table = reader.table(root, "the policy", ROOT_KEYS)?;
    reader.version(root, table.get("version"))?;
    let (host, proxies, services) = (table.get("host"), table.get("proxy"), table.get("service"));
    if host.is_none() && proxies.is_none() && services.is_none() {
        return Err(source
            .error(root.at, "the policy is empty: it says nothing about the host or any address")
            .hint("write [host] for the host's own addresses, [[proxy]] for those of others, or [[service]] for those that several hosts hold"));
    }
    let policy = Policy {
        host: host.map_or_else(|| Ok(HostPolicy::default()), |node| reader.host(node))?,
        proxies: proxies.map_or_else(|| Ok(Vec::new()), |node| reader.proxies(node))?,
        services: services.map_or_else(|| Ok(Vec::new()), |node| reader.services(node))?,
    };
    match check::fault(&policy) {
        None => Ok(policy),
        Some(fault) => {
            let message = match fault.other.and_then(|part| offset(root, part)) {
                Some(at) => format!("{} (also in line {})", fault.message, source.position(at).0),
                None => fault.message,
            };
            let at = offset(root, fault.part).unwrap_or(root.at);
            Err(source.error(at, message).hint(fault.hint))
        }
    }
}

/// Where a part of the policy stands.
fn offset(root: &Node<'_>, part: Part) -> Option<usize> {
    let proxy = |p: usize| item(key(root, "proxy")?, p);
    let service = |s: usize| key(item(key(root, "service")?, s)?, "addresses");
    let node = match part {
        Part::Interfaces => key(key(root, "host")?, "interfaces"),
        Part::Interface(i) => item(key(key(root, "host")?, "interfaces")?, i),
        Part::ProxyDelay => key(key(root, "host")?, "proxy_delay"),
        Part::Owner(p) => key(proxy(p)?, "owner"),
        Part::Addresses(p) => key(proxy(p)?, "addresses"),
        Part::Address(p, a) => item(key(proxy(p)?, "addresses")?, a),
        Part::ServiceAddresses(s) => service(s),
        Part::ServiceAddress(s, a) => item(service(s)?, a),
    };
    Some(node?.at)
}

fn key<'n, 't>(node: &'n Node<'t>, name: &str) -> Option<&'n Node<'t>> {
    match &node.value {
        Value::Table(entries) => entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node),
        _ => None,
    }
}

fn item<'n, 't>(node: &'n Node<'t>, i: usize) -> Option<&'n Node<'t>> {
    match &node.value {
        Value::Array(items) => items.get(i),
        _ => None,
    }
}

/// The keys of a table, each known and there once.
struct Table<'n, 't>(&'n [Entry<'t>]);

impl<'n, 't> Table<'n, 't> {
    fn get(&self, key: &str) -> Option<&'n Node<'t>> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

struct Reader<'t> {
    source: Source<'t>,
}

impl<'t> Reader<'t> {
    fn table<'n>(&self, node: &'n Node<'t>, what: &str, known: &'static [&str]) -> Result<Table<'n, 't>> {
        let Value::Table(entries) = &node.value else {
            return Err(self.wrong_type(
                node,
                what,
                "a table",
                &format!("its keys are {}", known.join(", ")),
            ));
        };
        for (i, entry) in entries.iter().enumerate() {
            if !known.contains(&&*entry.key) {
                return Err(self.unknown_key(entry, what, known));
            }
            if let Some(first) = entries[..i].iter().find(|earlier| earlier.key == entry.key) {
                let line = self.source.position(first.at).0;
                return Err(self
                    .source
                    .error(entry.at, format!("{} is there twice (also in line {line})", entry.key))
                    .hint("write it once"));
            }
        }
        Ok(Table(entries))
    }

    fn unknown_key(&self, entry: &Entry<'t>, what: &str, known: &'static [&str]) -> Error {
        let error = self.source.error(entry.at, format!("unknown key {} in {what}", quoted(&entry.key)));
        let near = nearest(&entry.key, known.iter().copied());
        let homes = [
            ("[host]", HOST_KEYS),
            ("[[proxy]]", PROXY_KEYS),
            ("[[service]]", SERVICE_KEYS),
            ("the top level", ROOT_KEYS),
        ];
        // The likeliest slip with a key is its other number: `interface` in [host].
        let one_letter =
            |word: &str| word.strip_suffix('s').unwrap_or(word) == entry.key.trim_end_matches('s');
        for (home, keys) in homes.into_iter().filter(|_| !near.is_some_and(one_letter)) {
            if !std::ptr::eq(keys, known) && keys.contains(&&*entry.key) {
                return error.hint(format!("it belongs in {home}"));
            }
        }
        match near {
            _ if entry.key == "schema" => error.hint(
                "a policy has version = 1 instead; what has a schema is a plan (`arpflux apply --plan FILE`) or a snapshot (--snapshot FILE)",
            ),
            Some(word) => error.hint(format!("did you mean {word}? The keys are {}", known.join(", "))),
            None => error.hint(format!("the keys are {}", known.join(", "))),
        }
    }

    fn wrong_type(&self, node: &Node<'t>, what: &str, wanted: &str, hint: &str) -> Error {
        let found = match &node.value {
            Value::Text(text) => format!("the string {}", quoted(text)),
            Value::Integer(number) => format!("the number {number}"),
            Value::Bool(value) => value.to_string(),
            other => other.kind().to_owned(),
        };
        self.source.error(node.at, format!("{what} must be {wanted}, not {found}")).hint(hint.to_owned())
    }

    fn version(&self, root: &Node<'t>, node: Option<&Node<'t>>) -> Result<()> {
        let Some(node) = node else {
            return Err(self
                .source
                .error(root.at, "it has no version")
                .hint(format!("write version = {VERSION} at the top")));
        };
        match node.value {
            Value::Integer(number) if number == i64::from(VERSION) => Ok(()),
            Value::Integer(number) => Err(self
                .source
                .error(node.at, format!("version {number} is not known"))
                .hint(format!("this build reads version = {VERSION}"))),
            _ => Err(self.wrong_type(node, "version", "a number", &format!("write version = {VERSION}"))),
        }
    }

    fn host(&self, node: &Node<'t>) -> Result<HostPolicy> {
        let table = self.table(node, "[host]", HOST_KEYS)?;
        let mut host = HostPolicy::default();
        if let Some(node) = table.get("interfaces") {
            let hint = "write interfaces = [\"eth0\", \"eth1\"]";
            let names = self.items(node, "interfaces", "an array of interface names", hint)?;
            host.interfaces =
                Some(names.iter().map(|name| self.interface(name, hint)).collect::<Result<Vec<_>>>()?);
        }
        if let Some(node) = table.get("strategy") {
            host.strategy = self.choice(
                node,
                "strategy",
                &[
                    ("auto", Strategy::Auto),
                    ("strict", Strategy::Strict),
                    ("filter", Strategy::Filter),
                    ("unmanaged", Strategy::Unmanaged),
                ],
            )?;
        }
        if let Some(node) = table.get("egress") {
            let choices = [("source-routed", Egress::SourceRouted), ("unmanaged", Egress::Unmanaged)];
            host.egress = self.choice(node, "egress", &choices)?;
        }
        if let Some(node) = table.get("announce") {
            host.announce = match node.value {
                Value::Bool(value) => value,
                _ => {
                    let hint = "write announce = true or announce = false";
                    return Err(self.wrong_type(node, "announce", "true or false", hint));
                }
            };
        }
        if let Some(node) = table.get("foreign_proxies") {
            let choices = [("keep", ForeignProxies::Keep), ("remove", ForeignProxies::Remove)];
            host.foreign_proxies = self.choice(node, "foreign_proxies", &choices)?;
        }
        if let Some(node) = table.get("proxy_arp") {
            let choices = [("keep", ProxyArp::Keep), ("off", ProxyArp::Off)];
            host.proxy_arp = self.choice(node, "proxy_arp", &choices)?;
        }
        if let Some(node) = table.get("proxy_delay") {
            host.proxy_delay = match node.value {
                Value::Integer(number) if number >= 0 => Some(number.unsigned_abs()),
                _ => {
                    let hint = "write proxy_delay = 0 to answer at once, or leave it out";
                    return Err(self.wrong_type(node, "proxy_delay", "a number of milliseconds", hint));
                }
            };
        }
        Ok(host)
    }

    fn proxies(&self, node: &Node<'t>) -> Result<Vec<ProxyPolicy>> {
        let hint = "write each under a heading [[proxy]] of its own, with two brackets";
        let items = self.items(node, "proxy", "an array of tables", hint)?;
        items.iter().map(|item| self.proxy(item)).collect()
    }

    fn services(&self, node: &Node<'t>) -> Result<Vec<ServicePolicy>> {
        let hint = "write each under a heading [[service]] of its own, with two brackets";
        let items = self.items(node, "service", "an array of tables", hint)?;
        items.iter().map(|item| self.service(item)).collect()
    }

    fn service(&self, node: &Node<'t>) -> Result<ServicePolicy> {
        let table = self.table(node, "[[service]]", SERVICE_KEYS)?;
        let addresses =
            self.needed(node, &table, "[[service]]", "addresses", "addresses = [\"192.168.18.200\"]")?;
        let answer = self.needed(
            node,
            &table,
            "[[service]]",
            "answer",
            "answer = \"never\" (another host answers) or \"holder\" (the interface that holds it)",
        )?;
        let choices = [("never", ServiceAnswer::Never), ("holder", ServiceAnswer::Holder)];
        Ok(ServicePolicy {
            addresses: self.addresses(addresses)?,
            answer: self.choice(answer, "answer", &choices)?,
        })
    }

    fn proxy(&self, node: &Node<'t>) -> Result<ProxyPolicy> {
        let table = self.table(node, "[[proxy]]", PROXY_KEYS)?;
        let needed = |key, example| self.needed(node, &table, "[[proxy]]", key, example);
        let (owner, addresses, interface) = (
            needed("owner", "owner = \"101\", the container's id or any other label")?,
            needed("addresses", "addresses = [\"192.168.18.101\"]")?,
            needed("interface", "interface = \"eth3\", the only one that answers")?,
        );
        let owner = match &owner.value {
            Value::Text(text) => text.clone().into_owned(),
            Value::Integer(number) => {
                let hint = format!("write owner = \"{number}\"");
                return Err(self.wrong_type(owner, "owner", "a string", &hint));
            }
            _ => return Err(self.wrong_type(owner, "owner", "a string", "write owner = \"101\"")),
        };
        let addresses = self.addresses(addresses)?;
        let interface = self.interface(interface, "write interface = \"eth3\"")?;
        Ok(ProxyPolicy { owner, addresses, interface })
    }

    /// The value of a key that a table must have.
    fn needed<'n>(
        &self,
        node: &Node<'t>,
        table: &Table<'n, 't>,
        what: &str,
        key: &str,
        example: &str,
    ) -> Result<&'n Node<'t>> {
        table.get(key).ok_or_else(|| {
            self.source.error(node.at, format!("this {what} has no {key}")).hint(format!("add {example}"))
        })
    }

    fn addresses(&self, node: &Node<'t>) -> Result<Vec<IpAddr>> {
        let hint = match &node.value {
            Value::Text(text) => format!("write addresses = [{}]", quoted(text)),
            _ => "write addresses = [\"192.168.18.101\"]".to_owned(),
        };
        let items = self.items(node, "addresses", "an array of addresses", &hint)?;
        items.iter().map(|item| self.address(item)).collect()
    }

    fn items<'n>(&self, node: &'n Node<'t>, what: &str, wanted: &str, hint: &str) -> Result<&'n [Node<'t>]> {
        match &node.value {
            Value::Array(items) => Ok(items),
            _ => Err(self.wrong_type(node, what, wanted, hint)),
        }
    }

    fn interface<I: FromStr<Err = Error>>(&self, node: &Node<'t>, hint: &str) -> Result<I> {
        let Value::Text(text) = &node.value else {
            return Err(self.wrong_type(node, "an interface", "a string", hint));
        };
        text.parse().map_err(|error: Error| {
            let message = format!("{} is {}", quoted(text), error.message());
            self.source.error(node.at, message).hint("`ip link` lists the names")
        })
    }

    fn address(&self, node: &Node<'t>) -> Result<IpAddr> {
        let Value::Text(text) = &node.value else {
            return Err(self.wrong_type(node, "an address", "a string", "write \"192.168.18.101\""));
        };
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        let error = self.source.error(node.at, format!("{} is not an IPv4 or IPv6 address", quoted(text)));
        Err(match text.trim().parse::<IpNet>() {
            Ok(net) if net.prefix_len() == net.max_prefix_len() => {
                error.hint(format!("write {} without the prefix length", net.addr()))
            }
            Ok(_) => error.hint("a prefix stands for many addresses: write each one of them"),
            Err(_) => match text.trim().parse::<IpAddr>() {
                Ok(address) => error.hint(format!("write \"{address}\" without the blanks")),
                Err(_) if text.contains('%') => error.hint("leave out the % and what follows it"),
                Err(_) => match without_leading_zeros(text) {
                    Some(address) => error.hint(format!("write \"{address}\" without leading zeros")),
                    None => {
                        error.hint("write it as 192.168.18.101 or 2001:db8::101; names are not looked up")
                    }
                },
            },
        })
    }

    fn choice<T: Copy>(&self, node: &Node<'t>, what: &str, choices: &[(&'static str, T)]) -> Result<T> {
        let names = choices.iter().map(|(name, _)| *name);
        let list = names.clone().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let Value::Text(text) = &node.value else {
            return Err(self.wrong_type(node, what, "a string", &format!("write one of {list}")));
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| name == text) {
            return Ok(*value);
        }
        let error = self.source.error(node.at, format!("{what} cannot be {}", quoted(text)));
        Err(match nearest(text, names) {
            Some(word) => error.hint(format!("did you mean \"{word}\"? It is one of {list}")),
            None => error.hint(format!("write one of {list}")),
        })
    }
}

/// `192.168.018.101` is a common slip, and ambiguous: some programs read it as octal.
fn without_leading_zeros(text: &str) -> Option<IpAddr> {
    let parts: Vec<String> = text
        .trim()
        .split('.')
        .map(|part| part.parse::<u8>().ok().map(|number| number.to_string()))
        .collect::<Option<_>>()?;
    parts.join(".").parse().ok()
}

/// An error about a file that could not be read as a policy at all.
#[cold]
pub(super) fn file_error(name: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidPolicy, message).during("read policy").on(name.to_owned())
}
