//! Routes and rules to be made, as `ip route` and `ip rule` take them.

use std::net::IpAddr;

use arpflux_core::snapshot::{RouteKind, Scope};
use arpflux_core::types::{IfIndex, IfName, IpNet};
use arpflux_core::{Error, ErrorKind, Result};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};

use super::rtnl::family;

pub(super) fn prefix(text: &str) -> Result<IpNet> {
    let parsed = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => text.parse().ok(),
    };
    parsed.ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "not an address or prefix")
            .on(format!("{text:?}"))
            .hint("write it as 192.168.18.0/24")
    })
}

/// A route to be added or deleted.
#[derive(Debug, Clone)]
pub struct NewRoute {
    destination: IpNet,
    kind: RouteType,
    device: Option<IfName>,
    via: Option<IpAddr>,
    source: Option<IpAddr>,
    table: u32,
    metric: Option<u32>,
    scope: Option<RouteScope>,
}

impl NewRoute {
    /// A unicast route of the main table to a prefix (or an address: a host route).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if `destination` is neither.
    pub fn to(destination: &str) -> Result<Self> {
        Ok(Self {
            destination: prefix(destination)?.trunc(),
            kind: RouteType::Unicast,
            device: None,
            via: None,
            source: None,
            table: 254,
            metric: None,
            scope: None,
        })
    }

    /// By which interface.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if that is no name of one.
    pub fn device(mut self, name: &str) -> Result<Self> {
        self.device = Some(name.parse()?);
        Ok(self)
    }

    /// Through which gateway.
    #[must_use]
    pub fn via(mut self, gateway: IpAddr) -> Self {
        self.via = Some(gateway);
        self
    }

    /// With which source address.
    #[must_use]
    pub fn source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// In which table.
    #[must_use]
    pub fn table(mut self, table: u32) -> Self {
        self.table = table;
        self
    }

    /// With which metric; lower is preferred.
    #[must_use]
    pub fn metric(mut self, metric: u32) -> Self {
        self.metric = Some(metric);
        self
    }

    /// Of which kind, if not unicast: local, blackhole and so on.
    #[must_use]
    pub fn kind(mut self, kind: RouteKind) -> Self {
        self.kind = kind.number().into();
        self
    }

    /// With this scope instead of what `ip route` would choose.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope.0.into());
        self
    }

    /// The message that adds or deletes it; `device` is the number of the interface.
    pub(super) fn message(&self, device: Option<IfIndex>) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = family(self.destination.addr());
        header.destination_prefix_length = self.destination.prefix_len();
        header.table = u8::try_from(self.table).unwrap_or(0);
        header.protocol = RouteProtocol::Static;
        header.kind = self.kind;
        // As iproute2: host for local ones, link for broadcast and for unicast without gateway.
        header.scope = self.scope.unwrap_or(match (self.kind, self.via) {
            (RouteType::Local, _) => RouteScope::Host,
            (RouteType::Broadcast | RouteType::Anycast | RouteType::Multicast, _)
            | (RouteType::Unicast, None) => RouteScope::Link,
            _ => RouteScope::Universe,
        });
        let attributes = &mut message.attributes;
        if self.destination.prefix_len() > 0 {
            attributes.push(RouteAttribute::Destination(self.destination.addr().into()));
        }
        attributes.push(RouteAttribute::Table(self.table));
        attributes.extend(device.map(|index| RouteAttribute::Oif(index.0)));
        attributes.extend(self.via.map(|gateway| RouteAttribute::Gateway(gateway.into())));
        attributes.extend(self.source.map(|source| RouteAttribute::PrefSource(source.into())));
        attributes.extend(self.metric.map(RouteAttribute::Priority));
        message
    }

    pub(super) fn interface(&self) -> Option<&IfName> {
        self.device.as_ref()
    }

    pub(super) fn destination(&self) -> IpNet {
        self.destination
    }
}

/// A policy routing rule to be added or deleted.
#[derive(Debug, Clone, Default)]
pub struct NewRule {
    ipv6: bool,
    from: Option<IpNet>,
    to: Option<IpNet>,
    incoming: Option<IfName>,
    outgoing: Option<IfName>,
    priority: Option<u32>,
    mark: Option<(u32, u32)>,
    table: Option<u32>,
    action: Option<u8>,
    suppress_prefix_length: Option<u32>,
    inverted: bool,
}

impl NewRule {
    /// An IPv4 rule that matches everything and looks up `table`.
    #[must_use]
    pub fn lookup(table: u32) -> Self {
        Self { table: Some(table), ..Self::default() }
    }

    /// An IPv4 rule that matches everything and ends in an action (`FR_ACT_*`: 3 nop, 6 blackhole,
    /// 7 unreachable, 8 prohibit).
    #[must_use]
    pub fn action(action: u8) -> Self {
        Self { action: Some(action), ..Self::default() }
    }

    /// An IPv6 rule instead.
    #[must_use]
    pub fn ipv6(mut self) -> Self {
        self.ipv6 = true;
        self
    }

    /// Only packets from a prefix.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if that is none.
    pub fn from(mut self, source: &str) -> Result<Self> {
        self.from = Some(prefix(source)?.trunc());
        Ok(self)
    }

    /// Only packets to a prefix.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if that is none.
    pub fn to(mut self, destination: &str) -> Result<Self> {
        self.to = Some(prefix(destination)?.trunc());
        Ok(self)
    }

    /// Only packets that came in by an interface.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if that is no name of one.
    pub fn iif(mut self, name: &str) -> Result<Self> {
        self.incoming = Some(name.parse()?);
        Ok(self)
    }

    /// Only packets of sockets bound to an interface.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if that is no name of one.
    pub fn oif(mut self, name: &str) -> Result<Self> {
        self.outgoing = Some(name.parse()?);
        Ok(self)
    }

    /// At which place; lower is asked first.
    #[must_use]
    pub fn priority(mut self, priority: u32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Only packets with this mark under this mask.
    #[must_use]
    pub fn mark(mut self, mark: u32, mask: u32) -> Self {
        self.mark = Some((mark, mask));
        self
    }

    /// Routes with a prefix of that length or shorter do not count.
    #[must_use]
    pub fn suppress_prefix_length(mut self, length: u32) -> Self {
        self.suppress_prefix_length = Some(length);
        self
    }

    /// Matches what it would not.
    #[must_use]
    pub fn inverted(mut self) -> Self {
        self.inverted = true;
        self
    }

    /// The message that adds or deletes it.
    pub(super) fn message(&self) -> RuleMessage {
        let length = |prefix: Option<IpNet>| prefix.map_or(0, |prefix| prefix.prefix_len());
        let prefixes = [self.from, self.to];
        let ipv6 = self.ipv6 || prefixes.iter().flatten().any(|prefix| prefix.addr().is_ipv6());
        let mut message = RuleMessage::default();
        message.header.family = if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
        message.header.dst_len = length(self.to);
        message.header.src_len = length(self.from);
        message.header.table = self.table.and_then(|table| u8::try_from(table).ok()).unwrap_or(0);
        message.header.action = self.action.map_or(RuleAction::ToTable, RuleAction::from);
        if self.inverted {
            message.header.flags = RuleFlags::Invert;
        }
        let addressed =
            |prefix: Option<IpNet>| prefix.filter(|prefix| prefix.prefix_len() > 0).map(|p| p.addr());
        let attributes = &mut message.attributes;
        attributes.extend(addressed(self.from).map(RuleAttribute::Source));
        attributes.extend(addressed(self.to).map(RuleAttribute::Destination));
        attributes.extend(self.incoming.map(|name| RuleAttribute::Iifname(name.to_string())));
        attributes.extend(self.outgoing.map(|name| RuleAttribute::Oifname(name.to_string())));
        attributes.extend(self.priority.map(RuleAttribute::Priority));
        attributes.extend(self.table.map(RuleAttribute::Table));
        if let Some((mark, mask)) = self.mark {
            attributes.extend([RuleAttribute::FwMark(mark), RuleAttribute::FwMask(mask)]);
        }
        attributes.extend(self.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
        message
    }
}
