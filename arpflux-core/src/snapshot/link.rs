//! Kinds of links, and what is asked of them: the one place where a kind decides anything.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Interface, InterfaceFlags, Snapshot};
use crate::types::IfIndex;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $reach:ident, $ports:ident;)*) => {
        /// The kind of an interface, as its driver names it (`IFLA_INFO_KIND`).
        ///
        /// It is written as that name. A name that this build does not know is kept, and what depends on
        /// the kind is then undetermined.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum LinkKind {
            $($(#[$doc])* $variant,)*
            /// A kind that this build does not know.
            Other(String),
        }

        impl LinkKind {
            /// Every kind that this build knows.
            pub const KNOWN: &'static [LinkKind] = &[$(LinkKind::$variant),*];

            /// The driver's name: `veth`.
            #[must_use]
            pub fn name(&self) -> &str {
                match self { $(Self::$variant => $name,)* Self::Other(name) => name }
            }

            /// Where frames go that are sent through an interface of this kind.
            #[must_use]
            pub const fn reach(&self) -> Reach {
                match self { $(Self::$variant => Reach::$reach,)* Self::Other(_) => Reach::Unknown }
            }

            /// What becomes of the frames that arrive at a port of an interface of this kind.
            #[must_use]
            pub const fn ports(&self) -> PortFrames {
                match self { $(Self::$variant => PortFrames::$ports,)* Self::Other(_) => PortFrames::Unknown }
            }
        }

        impl From<&str> for LinkKind {
            fn from(name: &str) -> Self {
                match name { $($name => Self::$variant,)* _ => Self::Other(name.to_owned()) }
            }
        }
    };
}

kinds! {
    /// batman-adv: a mesh.
    Batadv = "batadv", Ports, Unknown;
    /// IP in UDP.
    Bareudp = "bareudp", Tunnel, None;
    /// Several NICs as one.
    Bond = "bond", Ports, Bonded;
    /// A bridge.
    Bridge = "bridge", Ports, Bridged;
    /// A port of a switch chip.
    Dsa = "dsa", Outside, None;
    /// An interface that swallows what it is sent.
    Dummy = "dummy", Nowhere, None;
    /// ERSPAN over IPv4.
    Erspan = "erspan", Tunnel, None;
    /// Geneve.
    Geneve = "geneve", Tunnel, None;
    /// GRE over IPv4.
    Gre = "gre", Tunnel, None;
    /// Ethernet in GRE over IPv4.
    Gretap = "gretap", Tunnel, None;
    /// GPRS tunnelling.
    Gtp = "gtp", Tunnel, None;
    /// HSR and PRP: one ring out of two NICs.
    Hsr = "hsr", Ports, Unknown;
    /// Takes packets of other interfaces for traffic control.
    Ifb = "ifb", Nowhere, None;
    /// GRE over IPv6.
    Ip6gre = "ip6gre", Tunnel, None;
    /// Ethernet in GRE over IPv6.
    Ip6gretap = "ip6gretap", Tunnel, None;
    /// IP over IPv6.
    Ip6tnl = "ip6tnl", Tunnel, None;
    /// IP over IPv4.
    Ipip = "ipip", Tunnel, None;
    /// A partition of an InfiniBand port.
    Ipoib = "ipoib", Outside, None;
    /// Shares the MAC of the interface below.
    Ipvlan = "ipvlan", Lower, None;
    /// The same, read by a program.
    Ipvtap = "ipvtap", Lower, None;
    /// Encrypts what passes through the interface below.
    Macsec = "macsec", LowerTagged, None;
    /// Has a MAC of its own on the interface below.
    Macvlan = "macvlan", Lower, None;
    /// The same, read by a program.
    Macvtap = "macvtap", Lower, None;
    /// Two ends, with programs at each.
    Netkit = "netkit", Peer, None;
    /// A simulated NIC.
    Netdevsim = "netdevsim", Nowhere, None;
    /// Sees all netlink messages.
    Nlmon = "nlmon", Nowhere, None;
    /// A port of Open vSwitch's own, or its datapath.
    Openvswitch = "openvswitch", Ports, Unknown;
    /// OpenVPN in the kernel.
    Ovpn = "ovpn", Tunnel, None;
    /// PPP.
    Ppp = "ppp", Tunnel, None;
    /// A NIC behind a modem's multiplexer.
    Rmnet = "rmnet", LowerTagged, None;
    /// IPv6 over IPv4.
    Sit = "sit", Tunnel, None;
    /// Several NICs as one, led by a program.
    Team = "team", Ports, Bonded;
    /// Frames or packets of a program (a virtual machine, a VPN).
    Tun = "tun", Program, None;
    /// Two ends.
    Veth = "veth", Peer, None;
    /// NICs of one virtual function that fail over.
    VirtWifi = "virt_wifi", Lower, None;
    /// A VLAN of the interface below.
    Vlan = "vlan", LowerTagged, None;
    /// A routing table of its own.
    Vrf = "vrf", Nowhere, Kept;
    /// An IPsec tunnel.
    Vti = "vti", Tunnel, None;
    /// An IPsec tunnel over IPv6.
    Vti6 = "vti6", Tunnel, None;
    /// VXLAN.
    Vxlan = "vxlan", Tunnel, None;
    /// WireGuard.
    Wireguard = "wireguard", Tunnel, None;
    /// A modem.
    Wwan = "wwan", Outside, None;
    /// An IPsec interface.
    Xfrm = "xfrm", Tunnel, None;
}

/// Where frames go that are sent through an interface, as far as its kind tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// Onto a wire of its own, which leads out of the machine.
    Outside,
    /// Onto the wire of the interface below, as if it stood beside it ([`Interface::link`]).
    Lower,
    /// Through the interface below, but apart from that one's own frames: a VLAN.
    LowerTagged,
    /// Where its ports lead.
    Ports,
    /// To its other end, in this namespace or another.
    Peer,
    /// To a program of this host: a virtual machine, a VPN.
    Program,
    /// To the far end of a tunnel.
    Tunnel,
    /// Nowhere.
    Nowhere,
    /// It cannot be told: the kind is not known.
    Unknown,
}

/// What becomes of frames that arrive at a port of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PortFrames {
    /// The bridge takes them, if the port forwards.
    Bridged,
    /// The bond or team takes them, if the port is active.
    Bonded,
    /// The port keeps them: a VRF only chooses the routing table.
    Kept,
    /// Nothing: an interface of this kind has no ports.
    None,
    /// It cannot be told: they are taken in a way that is not modelled, or the kind is not known.
    Unknown,
}

impl PortFrames {
    /// Whether the frames are those of the interface that the port belongs to; `None`: it cannot be told.
    #[must_use]
    pub const fn taken(self) -> Option<bool> {
        match self {
            Self::Bridged | Self::Bonded => Some(true),
            Self::Kept | Self::None => Some(false),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LinkKind {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(name.into())
    }
}

impl Serialize for LinkKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for LinkKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(|name| Self::from(name.as_ref()))
    }
}

impl Interface {
    /// Where frames go that are sent through it. What has no kind is a NIC, or `lo`.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match &self.kind {
            _ if self.flags.contains(InterfaceFlags::LOOPBACK) => Reach::Nowhere,
            None => Reach::Outside,
            Some(kind) => kind.reach(),
        }
    }

    /// The interface below whose wire it shares: that of a macvlan or ipvlan, not that of a VLAN. `None`
    /// also if it is in another namespace.
    #[must_use]
    pub fn shares_wire_of(&self) -> Option<IfIndex> {
        match self.reach() {
            Reach::Lower if self.link_netnsid.is_none() => self.link,
            _ => None,
        }
    }

    /// Whether containers and virtual machines hang on to such an interface, rather than a wire: the other
    /// end of a veth, a program, or nothing at all.
    #[must_use]
    pub fn is_inner(&self) -> bool {
        matches!(self.reach(), Reach::Peer | Reach::Program | Reach::Nowhere)
    }
}

impl Snapshot {
    /// The bridge, bond or VRF that an interface is a port of.
    #[must_use]
    pub fn master_of(&self, interface: &Interface) -> Option<&Interface> {
        self.interface(interface.master?)
    }

    /// What becomes of the frames that arrive at an interface: of those of a port, its bridge or bond may
    /// take them. An interface that is nobody's port keeps them.
    #[must_use]
    pub fn frames_of(&self, interface: &Interface) -> PortFrames {
        match self.master_of(interface) {
            None => PortFrames::Kept,
            Some(Interface { vrf_table: Some(_), .. }) => PortFrames::Kept,
            // Something without a kind took it in: a driver of its own.
            Some(Interface { kind: None, .. }) => PortFrames::Unknown,
            Some(Interface { kind: Some(kind), .. }) => match kind.ports() {
                // It has ports all the same, so it is not what it was when this was written.
                PortFrames::None => PortFrames::Unknown,
                known @ (PortFrames::Bridged
                | PortFrames::Bonded
                | PortFrames::Kept
                | PortFrames::Unknown) => known,
            },
        }
    }

    /// Whether every port of a bridge is one of containers or virtual machines, so that no wire is behind
    /// it: `Some(false)` with a port that may lead outside. `None`: it is no bridge, or has a port of a kind
    /// that is not known.
    #[must_use]
    pub fn is_inner_bridge(&self, bridge: &Interface) -> Option<bool> {
        let Some(LinkKind::Bridge | LinkKind::Openvswitch) = bridge.kind else { return None };
        let mut unknown = false;
        for port in self.interfaces.iter().filter(|port| port.master == Some(bridge.index)) {
            if port.reach() == Reach::Unknown {
                unknown = true;
            } else if !port.is_inner() {
                return Some(false);
            }
        }
        if unknown { None } else { Some(true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::host::Host;
    use crate::predict::{ArpRequest, MissingSet, Model, Verdict};
    use crate::snapshot::BondPortState;

    #[test]
    fn each_kind_is_read_as_it_was_written() {
        for kind in LinkKind::KNOWN {
            let text = serde_json::to_string(kind).unwrap();
            assert_eq!(serde_json::from_str::<LinkKind>(&text).unwrap(), *kind, "{text}");
            assert_ne!(kind.reach(), Reach::Unknown);
        }
        let later = LinkKind::from("quantum");
        assert_eq!((later.name(), later.reach(), later.ports().taken()), ("quantum", Reach::Unknown, None));
    }

    /// `eth0`, a port of `br0` of that kind, which has the address.
    fn port_of(kind: Option<&str>) -> Snapshot {
        let mut host = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "br0", &[]).0;
        host.interfaces[1].master = Some(IfIndex(3));
        host.interfaces[1].bond_port_state = Some(BondPortState::Active);
        host.interfaces[2].kind = kind.map(LinkKind::from);
        host
    }

    #[test]
    fn what_the_master_is_decides_who_gets_the_frames_of_a_port() {
        for (kind, taken) in [
            (Some("bridge"), Some(true)),
            (Some("bond"), Some(true)),
            (Some("team"), Some(true)),
            (Some("vrf"), Some(false)),
            (Some("openvswitch"), None),
            (Some("veth"), None),
            (Some("quantum"), None),
            (None, None),
        ] {
            let host = port_of(kind);
            assert_eq!(host.frames_of(&host.interfaces[1]).taken(), taken, "{kind:?}");
            let request = ArpRequest::broadcast(IfIndex(2), [10, 0, 0, 9].into(), [10, 0, 0, 1].into());
            let verdict = Model::new(&host).unwrap().reply(&request);
            let unknown =
                matches!(verdict, Verdict::Undetermined { missing } if missing != MissingSet::default());
            assert_eq!(unknown, taken.is_none(), "{kind:?}: {verdict:?}");
        }
    }

    #[test]
    fn a_bridge_is_inner_while_all_its_ports_are() {
        for (port, inner) in [
            (Some("veth"), Some(true)),
            (Some("netkit"), Some(true)),
            (Some("tun"), Some(true)),
            (Some("dummy"), Some(true)),
            (Some("vlan"), Some(false)),
            (Some("vxlan"), Some(false)),
            (None, Some(false)),
            (Some("quantum"), None),
        ] {
            let mut host = port_of(Some("bridge"));
            host.interfaces[1].kind = port.map(LinkKind::from);
            assert_eq!(host.is_inner_bridge(&host.interfaces[2]), inner, "{port:?}");
            assert_eq!(host.is_inner_bridge(&host.interfaces[1]), None, "{port:?} is no bridge");
        }
    }

    #[test]
    fn what_stands_beside_the_interface_below_shares_its_wire() {
        for (kind, shares) in [
            ("macvlan", true),
            ("macvtap", true),
            ("ipvlan", true),
            ("ipvtap", true),
            ("vlan", false),
            ("macsec", false),
            ("veth", false),
            ("quantum", false),
        ] {
            let mut host = port_of(None);
            host.interfaces[1].kind = Some(kind.into());
            host.interfaces[1].link = Some(IfIndex(3));
            assert_eq!(host.interfaces[1].shares_wire_of().is_some(), shares, "{kind}");
            host.interfaces[1].link_netnsid = Some(0);
            assert_eq!(host.interfaces[1].shares_wire_of(), None, "{kind} in another namespace");
        }
    }
}
