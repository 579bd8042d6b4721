//! Steps as sentences.

use std::fmt;

use super::step::{Lookup, Purpose, Step};
use crate::snapshot::{RouteKind, ValueSource, table};
use crate::types::IfName;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { interface, sender, target, unicast } => {
                let to = match unicast {
                    true => "sent to its MAC",
                    false if target.is_ipv6() => "multicast",
                    false => "broadcast",
                };
                if sender.is_unspecified() {
                    write!(f, "A probe for {target} arrives on {interface}, {to}.")
                } else {
                    write!(f, "{sender} asks for {target} on {interface}, {to}.")
                }
            }
            Self::Handed { from, to, kind } => {
                write!(f, "{from} belongs to the {kind} {to}, which takes the frame: its settings count.")
            }
            Self::Interface { interface, reason } => write!(f, "{interface} drops it: {reason}."),
            Self::Refused { address, reason } => write!(f, "{address} gets no answer: {reason}."),
            Self::Sysctl { interface, sysctl, value, source, passes, meaning } => {
                let verb = if *passes { "lets it pass" } else { "stops it" };
                let from = origin(*source, interface);
                write!(f, "{sysctl} is {value} on {interface}{from} and {verb}: {meaning}.")
            }
            Self::Ipv6Sysctl { interface, sysctl, value, source, passes, meaning } => {
                let verb = if *passes { "lets it pass" } else { "stops it" };
                let from = origin(*source, interface);
                write!(f, "{sysctl} of IPv6 is {value} on {interface}{from} and {verb}: {meaning}.")
            }
            Self::Route(lookup) => lookup.fmt(f),
            Self::LocalAddress { address, local: true, interfaces } => {
                write!(f, "{address} is an address of this host{}.", on(interfaces))
            }
            Self::LocalAddress { address, .. } => write!(f, "{address} is not an address of this host."),
            Self::SenderAddress { address, interfaces } if interfaces.is_empty() => {
                write!(
                    f,
                    "The sender {address} is not an address of this host, which is all that is checked."
                )
            }
            Self::SenderAddress { address, interfaces } => {
                write!(f, "The sender {address} is an address of this host{}: refused.", on(interfaces))
            }
            Self::ProxyEntry { address, found: false, .. } => {
                write!(f, "There is no proxy entry for {address} here.")
            }
            Self::ProxyEntry { address, interface: Some(interface), .. } => {
                write!(f, "There is a proxy entry for {address} on {interface}.")
            }
            Self::ProxyEntry { address, interface: None, .. } => {
                write!(f, "There is a proxy entry for {address} on all interfaces.")
            }
            Self::Delayed { interface, below_ms, queue } => write!(
                f,
                "The answer waits a random time below {below_ms} ms (proxy_delay of {interface}), up to {queue} others may wait as well."
            ),
            Self::Filter { chain, answer } => {
                write!(f, "{chain} drops the {}.", if *answer { "answer" } else { "request" })
            }
            Self::Unknown { missing, detail } => write!(f, "Not known: {} ({detail}).", missing.text()),
            Self::Verdict { reason, mac: Some(mac), interface: Some(interface) } => {
                write!(f, "{interface} answers with {mac}: {reason}.")
            }
            Self::Verdict { reason, .. } => write!(f, "No answer: {reason}."),
        }
    }
}

fn origin(source: ValueSource, interface: &IfName) -> String {
    match source {
        ValueSource::All => " (from all)".into(),
        ValueSource::Interface => format!(" (from {interface} itself)"),
        ValueSource::Both => String::new(),
        ValueSource::Absent => " (this kernel has no such sysctl)".into(),
    }
}

fn on(interfaces: &[IfName]) -> String {
    let names: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
    if names.is_empty() { String::new() } else { format!(" (on {})", names.join(", ")) }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.purpose {
            Purpose::Target => write!(f, "The way to {address}")?,
            Purpose::Sender => write!(f, "The way back to {address}")?,
            Purpose::Answer => write!(f, "The way of an answer from {} to {address}", self.from)?,
            Purpose::Own => write!(f, "The way of an own packet to {address}")?,
        }
        let (Some(kind), Some(destination), Some(table)) = (self.kind, self.destination, self.table) else {
            return match self.rule {
                Some(rule) => write!(f, " is rejected by rule {rule}."),
                None => f.write_str(": no route."),
            };
        };
        write!(f, ": {}{destination}", word(kind))?;
        if let Some(interface) = self.interface {
            write!(f, " by {interface}")?;
        }
        if self.next_hops > 1 {
            write!(f, " and {} more", self.next_hops - 1)?;
        }
        match table {
            table::LOCAL => f.write_str(", table local")?,
            table::MAIN => f.write_str(", table main")?,
            table::DEFAULT => f.write_str(", table default")?,
            other => write!(f, ", table {other}")?,
        }
        match self.rule {
            Some(rule) => write!(f, ", rule {rule}."),
            None => f.write_str("."),
        }
    }
}

fn word(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "",
        RouteKind::Local => "local ",
        RouteKind::Broadcast => "broadcast ",
        RouteKind::Anycast => "anycast ",
        RouteKind::Multicast => "multicast ",
        RouteKind::Blackhole => "blackhole ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        RouteKind::Throw => "throw ",
        RouteKind::Other(_) => "unknown kind ",
    }
}
