//! One finding and what it rests on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{FindingId, Severity};
use crate::plan::{Impact, Plan};
use crate::predict::Verdict;
use crate::snapshot::ValueSource;
use crate::sysctl::Sysctl;
use crate::types::IfName;

/// What is wrong, why, and what to do. `Display` gives it as text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// Which finding it is.
    pub id: FindingId,
    /// How bad it is here.
    pub severity: Severity,
    /// The interfaces and addresses it is about.
    pub objects: Objects,
    /// What happens, in one sentence.
    pub what: String,
    /// Why the kernel does that, in one sentence.
    pub why: String,
    /// What to do, in one sentence.
    pub remedy: String,
    /// What decided, and where it comes from; never empty.
    pub evidence: Vec<Evidence>,
    /// The changes that do what `remedy` says; `None` where no change of arpflux does it.
    pub plan: Option<Plan>,
    /// What the plan does to answers, elsewhere too. `None` without a plan, and where it was not computed
    /// ([`super::Options::impact`]).
    pub remedy_changes: Option<Impact>,
    /// The page about it.
    pub link: String,
    /// What is missing and may make it otherwise, one clause each; empty: it is certain. It holds apart from that.
    pub unless: Vec<String>,
}

impl Finding {
    /// Whether it holds whatever else may be missing.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.unless.is_empty()
    }

    /// Whether it says of all that `other` is about what that one says.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let Objects { interfaces, addresses } = &self.objects;
        self.id == other.id
            && other.objects.interfaces.iter().all(|name| interfaces.contains(name))
            && other.objects.addresses.iter().all(|address| addresses.contains(address))
    }

    /// What it depends on, as a sentence; `None` if it is certain.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        (!self.is_certain())
            .then(|| format!("This holds apart from what is not known: {}.", self.unless.join("; ")))
    }
}

/// The interfaces and addresses that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Objects {
    /// Interfaces, those that are at fault first.
    pub interfaces: Vec<IfName>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// A fact that decided, with where it comes from. `Display` gives one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "evidence", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Evidence {
    /// The value of a sysctl of `net.ipv4.conf` as it counts on an interface.
    Sysctl {
        /// The interface.
        interface: IfName,
        /// The sysctl.
        sysctl: Sysctl,
        /// The value that counts.
        value: i32,
        /// Whether it is that of `all` or the interface's own.
        source: ValueSource,
        /// `net.ipv4.conf.all`, where the kernel has it.
        all: Option<i32>,
        /// `net.ipv4.conf.INTERFACE`, where the kernel has it.
        own: Option<i32>,
    },
    /// Another setting, by its full name.
    Setting {
        /// Its name: `net.ipv4.neigh.eth0.proxy_delay`.
        name: String,
        /// Its value.
        value: String,
    },
    /// What becomes of an ARP request or a neighbour solicitation.
    Request {
        /// The interface that it arrives on.
        interface: IfName,
        /// Who asks; 0.0.0.0 is an RFC 5227 probe, `::` one of RFC 4862.
        sender: IpAddr,
        /// The address asked for.
        target: IpAddr,
        /// What the kernel does.
        verdict: Verdict,
    },
    /// How a packet of the host leaves.
    Packet {
        /// Its source address.
        source: Ipv4Addr,
        /// Where it goes.
        destination: Ipv4Addr,
        /// The interface that it leaves by.
        interface: IfName,
        /// The sender address of the ARP request that is sent for it, if one is.
        request_from: Option<Ipv4Addr>,
    },
    /// A proxy entry.
    Proxy {
        /// Its address.
        address: IpAddr,
        /// Its interface; `None`: it counts on all.
        interface: Option<IfName>,
    },
    /// An address and the interface that holds it.
    Address {
        /// The address with the length of its prefix: `10.0.0.1/24`, `10.0.0.1 peer 10.0.0.2/32`.
        address: String,
        /// Its interface.
        interface: IfName,
    },
    /// A route, rule or anything else that a tool prints.
    Fact {
        /// What it is, in words.
        text: String,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sysctl { interface, sysctl, value, all, own, .. } => {
                write!(f, "{sysctl} counts as {value} on {interface}")?;
                match (all, own) {
                    (Some(all), Some(own)) => write!(
                        f,
                        ": net.ipv4.conf.{interface}.{sysctl} = {own}, net.ipv4.conf.all.{sysctl} = {all}"
                    ),
                    (None, Some(own)) => write!(f, ": net.ipv4.conf.{interface}.{sysctl} = {own}"),
                    (Some(all), None) => write!(f, ": net.ipv4.conf.all.{sysctl} = {all}"),
                    (None, None) => f.write_str(": this kernel has no such setting"),
                }
            }
            Self::Setting { name, value } => write!(f, "{name} = {value}"),
            Self::Request { interface, sender, target, verdict } => {
                if sender.is_unspecified() {
                    write!(f, "{interface}, probed for {target}, {verdict}")
                } else {
                    write!(f, "{interface}, asked by {sender} for {target}, {verdict}")
                }
            }
            Self::Packet { source, destination, interface, request_from } => {
                write!(f, "a packet from {source} to {destination} leaves by {interface}")?;
                match request_from {
                    Some(sender) => write!(f, ", after an ARP request from {sender}"),
                    None => Ok(()),
                }
            }
            Self::Proxy { address, interface: Some(interface) } => {
                write!(f, "proxy entry for {address} on {interface}")
            }
            Self::Proxy { address, interface: None } => {
                write!(f, "proxy entry for {address} on every interface")
            }
            Self::Address { address, interface } => write!(f, "{interface} holds {address}"),
            Self::Fact { text } => f.write_str(text),
        }
    }
}
