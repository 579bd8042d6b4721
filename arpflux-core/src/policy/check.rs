//! What makes no sense in a policy, wherever it came from: a file, Rust, C or Python.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::{Policy, Strategy};
use crate::error::{Error, ErrorKind};
use crate::snapshot::PROXY_DELAY_STEP;

/// The largest [`super::HostPolicy::proxy_delay`], in ms.
pub(super) const PROXY_DELAY_MAX: u64 = 60_000;
/// The longest [`super::ProxyPolicy::owner`], in bytes.
const OWNER_MAX: usize = 255;

/// A part of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `host.interfaces`.
    Interfaces,
    /// One of `host.interfaces`.
    Interface(usize),
    /// `host.proxy_delay`.
    ProxyDelay,
    /// The owner of a `[[proxy]]`.
    Owner(usize),
    /// The addresses of a `[[proxy]]`.
    Addresses(usize),
    /// One of the addresses of a `[[proxy]]`.
    Address(usize, usize),
    /// The addresses of a `[[service]]`.
    ServiceAddresses(usize),
    /// One of the addresses of a `[[service]]`.
    ServiceAddress(usize, usize),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interfaces => f.write_str("host.interfaces"),
            Self::Interface(i) => write!(f, "host.interfaces[{i}]"),
            Self::ProxyDelay => f.write_str("host.proxy_delay"),
            Self::Owner(proxy) => write!(f, "proxy[{proxy}].owner"),
            Self::Addresses(proxy) => write!(f, "proxy[{proxy}].addresses"),
            Self::Address(proxy, i) => write!(f, "proxy[{proxy}].addresses[{i}]"),
            Self::ServiceAddresses(service) => write!(f, "service[{service}].addresses"),
            Self::ServiceAddress(service, i) => write!(f, "service[{service}].addresses[{i}]"),
        }
    }
}

/// What is wrong with a part of a policy.
#[derive(Debug)]
pub(super) struct Fault {
    /// Which part.
    pub part: Part,
    /// The part that it is at odds with.
    pub other: Option<Part>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Fault {
    fn new(part: Part, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { part, other: None, message: message.into(), hint: hint.into() }
    }

    fn against(mut self, other: Part) -> Self {
        self.other = Some(other);
        self
    }

    /// The error for a policy that has no text.
    pub(super) fn into_error(self) -> Error {
        let message = match self.other {
            Some(other) => format!("{} (also {other})", self.message),
            None => self.message,
        };
        Error::new(ErrorKind::InvalidPolicy, message)
            .during("check policy")
            .on(self.part.to_string())
            .hint(self.hint)
    }
}

/// The first thing that makes no sense in `policy`.
pub(super) fn fault(policy: &Policy) -> Option<Fault> {
    host_fault(policy).or_else(|| proxies_fault(policy)).or_else(|| services_fault(policy))
}

fn host_fault(policy: &Policy) -> Option<Fault> {
    let host = &policy.host;
    if let Some(interfaces) = &host.interfaces {
        if interfaces.is_empty() && host.strategy != Strategy::Unmanaged {
            return Some(Fault::new(
                Part::Interfaces,
                "it is empty, but the strategy is not \"unmanaged\"",
                "name interfaces, leave the key out to mean all that hold an IPv4 address, or write \
                 strategy = \"unmanaged\"",
            ));
        }
        let mut seen = HashMap::new();
        for (i, name) in interfaces.iter().enumerate() {
            if let Some(first) = seen.insert(name, i) {
                let fault = Fault::new(Part::Interface(i), format!("{name} is named twice"), "name it once");
                return Some(fault.against(Part::Interface(first)));
            }
        }
    }
    let delay = host.proxy_delay?;
    if delay > PROXY_DELAY_MAX || delay % PROXY_DELAY_STEP != 0 {
        let near = delay.min(PROXY_DELAY_MAX) / PROXY_DELAY_STEP * PROXY_DELAY_STEP;
        return Some(Fault::new(
            Part::ProxyDelay,
            format!("{delay} is not a multiple of {PROXY_DELAY_STEP} ms up to {PROXY_DELAY_MAX} ms"),
            format!("the kernel counts it in 1/100 s: write {near}"),
        ));
    }
    None
}

fn proxies_fault(policy: &Policy) -> Option<Fault> {
    let count = policy.proxies.iter().map(|proxy| proxy.addresses.len()).sum();
    // As numbers, and without where they stand: ten thousand fit into the processor's nearest memory.
    let mut v4: HashSet<u32> = HashSet::with_capacity(count);
    let mut v6: HashSet<u128> = HashSet::new();
    for (p, proxy) in policy.proxies.iter().enumerate() {
        if proxy.owner.is_empty() {
            return Some(Fault::new(
                Part::Owner(p),
                "the owner is empty",
                "write the container's id or any other label",
            ));
        }
        if proxy.owner.len() > OWNER_MAX || proxy.owner.chars().any(char::is_control) {
            return Some(Fault::new(
                Part::Owner(p),
                format!("the owner is longer than {OWNER_MAX} bytes or has control characters"),
                "write the container's id or any other short label",
            ));
        }
        if proxy.addresses.is_empty() {
            return Some(Fault::new(
                Part::Addresses(p),
                format!("owner {:?} has no addresses", proxy.owner),
                "write at least one, or leave this [[proxy]] out",
            ));
        }
        for (a, address) in proxy.addresses.iter().enumerate() {
            let part = Part::Address(p, a);
            if let Some((message, hint)) = wrong_sort(*address) {
                return Some(Fault::new(part, message, hint));
            }
            let new = match address {
                IpAddr::V4(v4_address) => v4.insert(v4_address.to_bits()),
                IpAddr::V6(v6_address) => v6.insert(v6_address.to_bits()),
            };
            if !new {
                let fault = Fault::new(
                    part,
                    format!("{address} is named twice"),
                    "one interface only can answer for an address: name it once",
                );
                let first = first_place(policy, *address).unwrap_or(part);
                return Some(fault.against(first));
            }
        }
    }
    None
}

fn services_fault(policy: &Policy) -> Option<Fault> {
    if policy.services.is_empty() {
        return None;
    }
    let proxied = policy.proxies.iter().enumerate().flat_map(|(p, proxy)| {
        proxy.addresses.iter().enumerate().map(move |(a, address)| (*address, Part::Address(p, a)))
    });
    let mut seen: HashMap<IpAddr, Part> = proxied.collect();
    for (s, service) in policy.services.iter().enumerate() {
        if service.addresses.is_empty() {
            return Some(Fault::new(
                Part::ServiceAddresses(s),
                "it has no addresses",
                "write at least one, or leave this [[service]] out",
            ));
        }
        for (a, address) in service.addresses.iter().enumerate() {
            let part = Part::ServiceAddress(s, a);
            if let Some((message, hint)) = wrong_sort(*address) {
                return Some(Fault::new(part, message, hint));
            }
            if address.is_ipv6() {
                return Some(Fault::new(
                    part,
                    format!("{address} is an IPv6 address, and [[service]] is about who answers ARP"),
                    "leave it out: IPv6 has no ARP",
                ));
            }
            if let Some(first) = seen.insert(*address, part) {
                let fault = Fault::new(
                    part,
                    format!("{address} is named twice"),
                    "an address is one host's to publish ([[proxy]]) or shared by several ([[service]]): name it once",
                );
                return Some(fault.against(first));
            }
        }
    }
    None
}

/// Where an address of `[[proxy]]` is named first.
#[cold]
fn first_place(policy: &Policy, wanted: IpAddr) -> Option<Part> {
    let places = policy.proxies.iter().enumerate().flat_map(|(p, proxy)| {
        proxy.addresses.iter().enumerate().map(move |(a, address)| (Part::Address(p, a), address))
    });
    places.into_iter().find(|(_, address)| **address == wanted).map(|(part, _)| part)
}

/// Why no host can be asked for `address` by ARP or neighbour discovery, and what to write instead.
fn wrong_sort(address: IpAddr) -> Option<(String, String)> {
    let sort = match address {
        IpAddr::V4(v4) if v4.is_unspecified() => "stands for no address",
        IpAddr::V4(v4) if v4.octets()[0] == 0 => "is of 0.0.0.0/8, which no host has",
        IpAddr::V4(v4) if v4.is_loopback() => "is a loopback address",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "is the broadcast address",
        IpAddr::V4(v4) if v4.is_multicast() => "is a multicast address",
        IpAddr::V4(_) => return None,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => {
                let message = format!("{address} is an IPv4 address in IPv6 form");
                return Some((message, format!("write {v4}")));
            }
            None if v6.is_unspecified() => "stands for no address",
            None if v6.is_loopback() => "is the loopback address",
            None if v6.is_multicast() => "is a multicast address",
            None if v6.is_unicast_link_local() => "is a link-local address, which no router passes on",
            None => return None,
        },
    };
    Some((format!("{address} {sort}"), "write the address of one host, such as 192.168.18.101".to_owned()))
}
