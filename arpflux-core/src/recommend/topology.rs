//! What sort of host a snapshot shows: which interfaces lead to a wire, which of them share one, and what
//! else lives there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::plan::PROTOCOL;
use crate::segment::Wires;
use crate::snapshot::{Address, Index, Interface, PortFrames, Reach, RouteKind, Snapshot, WireMap, table};
use crate::types::{IfIndex, IfName, IpNet, Mac};
use crate::words::listed;
use serde::Serialize;

/// Interfaces of network plugins of Kubernetes, and of kube-proxy, by name.
pub(crate) const PLUGIN_NAMES: [&str; 9] = [
    "kube-ipvs0",
    "kube-bridge",
    "nodelocaldns",
    "cni0",
    "cilium_host",
    "vxlan.calico",
    "weave",
    "antrea-gw0",
    "ovn-k8s-mp0",
];
/// The same by how their names begin.
pub(crate) const PLUGIN_PREFIXES: [&str; 3] = ["cali", "flannel.", "lxc_health"];

/// A sort of host. One host may be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Topology {
    /// A virtual machine of a cloud that answers ARP itself, so that only the way out matters.
    CloudHost,
    /// A Kubernetes node: a network plugin owns interfaces and routes.
    KubernetesNode,
    /// Containers or virtual machines behind the host: proxy entries, host routes, bridges of their own.
    ContainerHost,
    /// Addresses on `lo` or a dummy that belong to a service, as on a real server behind LVS.
    ServiceAddress,
    /// Many interfaces in one subnet, or several InfiniBand ones.
    MultiRail,
    /// Several interfaces in one subnet.
    OneSubnet,
    /// Default routes by several interfaces.
    TwoUplinks,
    /// Several interfaces, each in a subnet of its own.
    SeveralSubnets,
    /// One interface, or none.
    OneInterface,
}

/// A sort of host that was recognised, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Seen {
    /// Which sort.
    pub topology: Topology,
    /// By what it was recognised, as a sentence.
    pub text: String,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// InfiniBand's `ARPHRD_*` number.
const INFINIBAND: u16 = 32;
/// From how many interfaces in one subnet it is called multi-rail.
const RAILS: usize = 4;

/// A snapshot with what recommending asks of it.
#[derive(Debug)]
pub(super) struct Context<'s> {
    pub snapshot: &'s Snapshot,
    /// The interfaces that lead to a wire with other hosts: they speak ARP and hold an address of a subnet. By
    /// number, as those of the snapshot.
    pub nics: Vec<&'s Interface>,
    /// Interfaces with addresses that were left out, and why.
    pub left_out: Vec<String>,
    /// Those of one wire, where there are several.
    pub shared: Vec<Vec<&'s Interface>>,
    /// Which interfaces hear one another.
    pub wires: WireMap,
    /// Interfaces that are up and have no address, so that it is not known which wire they are on.
    pub unknown: Vec<IfIndex>,
    /// The interfaces of default routes of table main, the preferred one first.
    pub uplinks: Vec<IfIndex>,
    /// Single addresses that are routed elsewhere than to a NIC, by the interface they are behind.
    pub behind: BTreeMap<IfIndex, Vec<Ipv4Addr>>,
    pub seen: Vec<Seen>,
    index: Index<'s>,
}

impl<'s> Context<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, told: Option<&Wires>) -> Self {
        let wires = WireMap::with(snapshot, told.map_or(&[], Wires::wires));
        let index = Index::new(snapshot);
        let mut context = Self {
            snapshot,
            nics: Vec::new(),
            left_out: Vec::new(),
            shared: Vec::new(),
            unknown: wires.unknown(snapshot),
            wires,
            uplinks: uplinks(&index),
            index,
            behind: BTreeMap::new(),
            seen: Vec::new(),
        };
        context.sort_interfaces();
        context.find_hosts_behind();
        context.find_shared();
        context.recognise();
        context
    }

    /// Whether the host was recognised as this sort.
    pub(super) fn is(&self, topology: Topology) -> bool {
        self.seen.iter().any(|seen| seen.topology == topology)
    }

    pub(super) fn is_nic(&self, index: IfIndex) -> bool {
        self.nics.binary_search_by_key(&index, |nic| nic.index).is_ok()
    }

    pub(super) fn names<'a>(&self, interfaces: impl IntoIterator<Item = &'a Interface>) -> String {
        listed(interfaces.into_iter().map(|interface| interface.name.to_string()))
    }

    /// The IPv4 addresses of an interface that other hosts may ask for.
    pub(super) fn public(&self, index: IfIndex) -> impl Iterator<Item = (&'s Address, Ipv4Addr)> + '_ {
        self.index.held(index).iter().filter_map(|address| match address.local {
            IpAddr::V4(local) if address.is_public() => Some((*address, local)),
            _ => None,
        })
    }

    fn sort_interfaces(&mut self) {
        for interface in &self.snapshot.interfaces {
            let on_link = |address: &Address| address.subnet().prefix_len() < 32;
            let held: Vec<&Address> = self.public(interface.index).map(|(address, _)| address).collect();
            let leads_out = self.uplinks.contains(&interface.index);
            let name = interface.name;
            if self.unknown.contains(&interface.index) {
                // Settings there silence nothing of its own, and keep it from answering for the others.
                self.nics.push(interface);
                continue;
            }
            let shares = self.shares_wire(interface);
            if !interface.speaks_arp() || self.is_port(interface) || held.is_empty() && !shares {
                continue;
            }
            if let Some(peer) = held.iter().find_map(|address| address.peer) {
                self.left_out.push(format!(
                    "{name} is left out: its address has the peer {peer}, and arp_ignore=1 would silence it even \
                     towards that peer"
                ));
            } else if shares {
                self.nics.push(interface);
            } else if self.is_container_bridge(interface) {
                self.left_out.push(format!(
                    "{name} is left out: it is a bridge of containers or virtual machines, which ask it for its own \
                     address only"
                ));
            } else if held.iter().any(|address| on_link(address)) || leads_out {
                self.nics.push(interface);
            } else {
                self.left_out.push(format!(
                    "{name} is left out: its addresses have no subnet, so no wire is known there"
                ));
            }
        }
    }

    /// Whether it hears another interface that takes requests and holds an address.
    fn shares_wire(&self, interface: &Interface) -> bool {
        let others = self.wires.hear_too(self.snapshot, interface.index);
        others.into_iter().any(|other| self.public(other).next().is_some())
    }

    /// Whether a bridge or bond takes the interface's frames; a VRF does not.
    fn is_port(&self, interface: &Interface) -> bool {
        self.snapshot.frames_of(interface) != PortFrames::Kept
    }

    /// A bridge without a port that leads outside, by which no default route goes and on whose wire no other
    /// interface of the host is.
    fn is_container_bridge(&self, interface: &Interface) -> bool {
        !self.shares_wire(interface)
            && self.snapshot.is_inner_bridge(interface) == Some(true)
            && !self.uplinks.contains(&interface.index)
    }

    fn find_hosts_behind(&mut self) {
        // A gateway is no container, wherever a route says that it is.
        let hops = self.snapshot.routes.iter().flat_map(|route| &route.next_hops);
        let gateways: HashSet<IpAddr> = hops.filter_map(|hop| hop.gateway).collect();
        for route in &self.snapshot.routes {
            let IpNet::V4(net) = route.destination else { continue };
            let ours = route.protocol == PROTOCOL || route.table != table::MAIN;
            if ours || net.prefix_len() < 32 || route.kind != RouteKind::Unicast {
                continue;
            }
            if let [hop] = route.next_hops.as_slice()
                && hop.gateway.is_none()
                && let Some(index) = hop.interface
                && !self.is_nic(index)
                && !gateways.contains(&IpAddr::V4(net.addr()))
            {
                self.behind.entry(index).or_default().push(net.addr());
            }
        }
    }

    fn find_shared(&mut self) {
        let mut groups: BTreeMap<usize, Vec<&Interface>> = BTreeMap::new();
        for nic in self.nics.iter().filter(|nic| self.wires.is_connected(nic.index)) {
            if let Some(wire) = self.wires.number(nic.index) {
                groups.entry(wire).or_default().push(nic);
            }
        }
        self.shared = groups.into_values().filter(|group| group.len() > 1).collect();
    }

    fn recognise(&mut self) {
        let mut seen = Vec::new();
        let mut add = |topology, text: Option<String>| {
            if let Some(text) = text {
                seen.push(Seen { topology, text });
            }
        };
        add(Topology::CloudHost, self.cloud());
        add(Topology::KubernetesNode, self.kubernetes());
        add(Topology::ContainerHost, self.containers());
        add(Topology::ServiceAddress, self.services());
        for group in &self.shared {
            let rails = group.len() >= RAILS || group.iter().all(|nic| nic.link_type == INFINIBAND);
            let text = format!("{} share {}", self.names(group.iter().copied()), self.subnets(group));
            if rails {
                add(Topology::MultiRail, Some(format!("{text}: {} rails of one subnet", group.len())));
            } else {
                add(Topology::OneSubnet, Some(text));
            }
        }
        let out: Vec<&Interface> = self
            .uplinks
            .iter()
            .filter_map(|index| self.nics.iter().find(|nic| nic.index == *index))
            .copied()
            .collect();
        if out.len() > 1 {
            add(Topology::TwoUplinks, Some(format!("default routes leave by {}", self.names(out))));
        }
        match self.nics.as_slice() {
            [] => add(Topology::OneInterface, Some(self.none_to_manage())),
            [only] if self.unknown.contains(&only.index) => {
                add(Topology::OneInterface, Some(format!("it is not known on which wire {} is", only.name)));
            }
            [only] => {
                add(Topology::OneInterface, Some(format!("{} is the only interface on a wire", only.name)));
            }
            several if self.shared.is_empty() && self.unknown.is_empty() => {
                let text = format!("{} are in subnets of their own", self.names(several.iter().copied()));
                add(Topology::SeveralSubnets, Some(text));
            }
            several => {
                let open = several.iter().filter(|nic| self.unknown.contains(&nic.index)).copied();
                let open: Vec<&Interface> = open.collect();
                if !open.is_empty() {
                    let text = format!(
                        "{} up without an address, so which wire {} is not known; `arpflux segments` finds it out",
                        if open.len() == 1 {
                            format!("{} is", open[0].name)
                        } else {
                            format!("{} are", self.names(open.iter().copied()))
                        },
                        if open.len() == 1 { "it is on" } else { "they are on" },
                    );
                    add(Topology::SeveralSubnets, Some(text));
                }
            }
        }
        self.seen = seen;
    }

    /// Why there is no interface to manage.
    pub(super) fn none_to_manage(&self) -> String {
        match self.left_out.as_slice() {
            [] => "no interface that speaks ARP holds an IPv4 address".into(),
            left_out => left_out.join("; "),
        }
    }

    fn subnets(&self, group: &[&Interface]) -> String {
        let subnets: BTreeSet<IpNet> = group
            .iter()
            .flat_map(|nic| self.public(nic.index))
            .map(|(address, _)| address.subnet())
            .filter(|subnet| subnet.prefix_len() < 32)
            .collect();
        listed(subnets.iter().map(ToString::to_string))
    }

    /// Clouds whose fabric answers ARP for everybody: told by their kernels, and by Google's MACs, which
    /// hold the address.
    fn cloud(&self) -> Option<String> {
        let release = self.snapshot.kernel.release.as_str();
        let kernels =
            [("-aws", "AWS"), (".amzn", "AWS"), ("-azure", "Azure"), ("-gcp", "Google"), ("-gke", "Google")];
        let by_mac = |nic: &&&Interface| {
            self.public(nic.index).any(|(_, local)| {
                let [a, b, c, d] = local.octets();
                nic.mac == Mac::ethernet([0x42, 0x01, a, b, c, d])
            })
        };
        if let Some((_, cloud)) = kernels.iter().find(|(part, _)| release.contains(part)) {
            return Some(format!(
                "the kernel {release} is {cloud}'s: the fabric there answers ARP itself, so addresses cannot float"
            ));
        }
        self.nics.iter().find(by_mac).map(|nic| {
            format!(
                "{} of {} is made of its address, as Google's cloud does: the fabric answers ARP itself",
                nic.mac, nic.name
            )
        })
    }

    fn kubernetes(&self) -> Option<String> {
        let found: Vec<String> = self
            .snapshot
            .interfaces
            .iter()
            .map(|interface| interface.name.to_string())
            .filter(|name| {
                PLUGIN_NAMES.contains(&name.as_str())
                    || PLUGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            })
            .collect();
        let are = if found.len() == 1 { "is" } else { "are" };
        (!found.is_empty())
            .then(|| format!("{} {are} a Kubernetes network plugin's or kube-proxy's", listed(found)))
    }

    fn containers(&self) -> Option<String> {
        let proxied: BTreeSet<IpAddr> = self.snapshot.proxies.iter().map(|entry| entry.address).collect();
        let bridges: Vec<&Interface> =
            self.snapshot.interfaces.iter().filter(|bridge| self.is_container_bridge(bridge)).collect();
        let routed: usize = self.behind.values().map(Vec::len).sum();
        let mut words = Vec::new();
        if !proxied.is_empty() {
            let (one, several) = ("address of another host is", "addresses of other hosts are");
            words.push(format!("{} proxied", count(proxied.len(), one, several)));
        }
        if routed > 0 {
            let by = self.behind.keys().map(|index| self.snapshot.name_of(*index));
            words.push(format!(
                "{} behind {}",
                count(routed, "single address is", "single addresses are"),
                listed(by)
            ));
        }
        if !bridges.is_empty() {
            words.push(format!("{} without a port that leads outside", self.names(bridges)));
        }
        (!words.is_empty()).then(|| format!("containers or virtual machines: {}", words.join("; ")))
    }

    fn services(&self) -> Option<String> {
        let held: Vec<String> =
            self.service_addresses().map(|(address, name)| format!("{address} on {name}")).collect();
        (!held.is_empty()).then(|| format!("service addresses: {}", listed(held)))
    }

    /// Addresses on interfaces that take no requests, so that others would answer for them.
    pub(super) fn service_addresses(&self) -> impl Iterator<Item = (Ipv4Addr, IfName)> {
        let held = self
            .snapshot
            .interfaces
            .iter()
            .filter(|interface| !interface.speaks_arp() && interface.reach() == Reach::Nowhere);
        held.flat_map(|interface| self.public(interface.index).map(|(_, local)| (local, interface.name)))
    }

    /// Rules of others that choose the way by a mark, as VPNs do.
    pub(super) fn marks(&self) -> Option<u32> {
        let mut rules = self.snapshot.rules.iter();
        rules
            .find(|rule| rule.protocol != PROTOCOL && rule.fwmask != 0 && !rule.ipv6)
            .map(|rule| rule.priority)
    }

    /// The proxied addresses with the interfaces that they are published on; `None`: on all.
    pub(super) fn published(&self) -> BTreeMap<IpAddr, Vec<Option<IfIndex>>> {
        let mut published: BTreeMap<IpAddr, Vec<Option<IfIndex>>> = BTreeMap::new();
        for entry in &self.snapshot.proxies {
            published.entry(entry.address).or_default().push(entry.interface);
        }
        published
    }
}

/// The interfaces of default routes of table main, the preferred one first.
fn uplinks(index: &Index<'_>) -> Vec<IfIndex> {
    let mut found: Vec<IfIndex> = Vec::new();
    let main = index.default_routes().iter().filter(|route| route.table == table::MAIN);
    for index in main.flat_map(|route| &route.next_hops).filter_map(|hop| hop.interface) {
        if !found.contains(&index) {
            found.push(index);
        }
    }
    found
}

/// The interface that a single address is routed to, by address.
pub(super) fn routed_to(context: &Context<'_>) -> HashMap<IpAddr, IfIndex> {
    // An interface with a subnet of IPv4 may have a guest behind it all the same, if its wire is another one than where the
    // guest is proxied.
    let v6 = context.snapshot.routes.iter().filter_map(|route| {
        let (index, host) = route.host_behind().filter(|(_, host)| host.is_ipv6())?;
        let entries = context.snapshot.proxies.iter().filter(|entry| entry.address == host);
        let mut on = entries.filter_map(|entry| entry.interface);
        (!on.any(|on| context.wires.share(on, index) == Some(true))).then_some((host, index))
    });
    let v4 = context.behind.iter();
    let v4 = v4.flat_map(|(index, addresses)| addresses.iter().map(|one| (IpAddr::V4(*one), *index)));
    v4.chain(v6).collect()
}

pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
