//! Routes and rules to be made, as `ip route` and `ip rule` take them.

use std::net::IpAddr;

use nix::libc;

use super::rtnl::family;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::netlink::{Messages, NetlinkSocket};
use crate::snapshot::{RouteKind, Scope};
use crate::types::{IfIndex, IfName, IpNet};

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
    kind: u8,
    device: Option<IfName>,
    via: Option<IpAddr>,
    source: Option<IpAddr>,
    table: u32,
    metric: Option<u32>,
    scope: Option<u8>,
}

impl NewRoute {
    /// A unicast route of the main table to a prefix (or an address: a host route).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if `destination` is neither.
    pub fn to(destination: &str) -> Result<Self> {
        Ok(Self {
            destination: prefix(destination)?.trunc(),
            kind: 1,
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
        self.kind = match kind {
            RouteKind::Unicast => 1,
            RouteKind::Local => 2,
            RouteKind::Broadcast => 3,
            RouteKind::Anycast => 4,
            RouteKind::Multicast => 5,
            RouteKind::Blackhole => 6,
            RouteKind::Unreachable => 7,
            RouteKind::Prohibit => 8,
            RouteKind::Throw => 9,
            RouteKind::Other(number) => number,
        };
        self
    }

    /// With this scope instead of what `ip route` would choose.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope.0);
        self
    }

    /// `device` resolves names in the namespace at hand.
    pub(super) fn send(
        &self,
        socket: &mut NetlinkSocket,
        kind: u16,
        flags: u16,
        device: impl FnOnce(&mut NetlinkSocket, &IfName) -> Result<IfIndex>,
    ) -> Result<()> {
        const LOCAL: u8 = 2;
        const LAST_FORWARDED: u8 = 1;
        const PROTOCOL_STATIC: u8 = 4;
        // As iproute2: host for local ones, link for broadcast and for unicast without gateway.
        let scope = self.scope.unwrap_or(match (self.kind, self.via) {
            (LOCAL, _) => libc::RT_SCOPE_HOST,
            (3..=5, _) | (LAST_FORWARDED, None) => libc::RT_SCOPE_LINK,
            _ => libc::RT_SCOPE_UNIVERSE,
        });
        let table = u8::try_from(self.table).unwrap_or(0);
        let mut messages = Messages::new();
        messages.begin(
            kind,
            flags,
            &[
                family(self.destination.addr()),
                self.destination.prefix_len(),
                0,
                0,
                table,
                PROTOCOL_STATIC,
                scope,
                self.kind,
                0,
                0,
                0,
                0,
            ],
        );
        if self.destination.prefix_len() > 0 {
            messages.ip(libc::RTA_DST, self.destination.addr());
        }
        messages.attribute(libc::RTA_TABLE, &self.table.to_ne_bytes());
        if let Some(name) = &self.device {
            let index = device(socket, name)?;
            messages.attribute(libc::RTA_OIF, &index.0.to_ne_bytes());
        }
        if let Some(gateway) = self.via {
            messages.ip(libc::RTA_GATEWAY, gateway);
        }
        if let Some(source) = self.source {
            messages.ip(libc::RTA_PREFSRC, source);
        }
        if let Some(metric) = self.metric {
            messages.attribute(libc::RTA_PRIORITY, &metric.to_ne_bytes());
        }
        socket
            .change(&mut messages)
            .map_err(|error| error.during("change route").on(self.destination.to_string()))
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

    pub(super) fn send(&self, socket: &mut NetlinkSocket, kind: u16, flags: u16) -> Result<()> {
        const FRA_DST: u16 = 1;
        const FRA_SRC: u16 = 2;
        const FRA_IIFNAME: u16 = 3;
        const FRA_PRIORITY: u16 = 6;
        const FRA_FWMARK: u16 = 10;
        const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
        const FRA_TABLE: u16 = 15;
        const FRA_FWMASK: u16 = 16;
        const FRA_OIFNAME: u16 = 17;
        const TO_TABLE: u8 = 1;
        const INVERT: u32 = 2;
        let length = |prefix: Option<IpNet>| prefix.map_or(0, |prefix| prefix.prefix_len());
        let ipv6 = self.ipv6 || [self.from, self.to].iter().flatten().any(|p| p.addr().is_ipv6());
        let mut body = [0; 12];
        body[0] = if ipv6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
        body[1] = length(self.to);
        body[2] = length(self.from);
        body[4] = self.table.and_then(|table| u8::try_from(table).ok()).unwrap_or(0);
        body[7] = self.action.unwrap_or(TO_TABLE);
        body[8..12].copy_from_slice(&(if self.inverted { INVERT } else { 0 }).to_ne_bytes());
        let mut messages = Messages::new();
        messages.begin(kind, flags, &body);
        for (attribute, prefix) in [(FRA_SRC, self.from), (FRA_DST, self.to)] {
            if let Some(prefix) = prefix.filter(|prefix| prefix.prefix_len() > 0) {
                messages.ip(attribute, prefix.addr());
            }
        }
        for (attribute, name) in [(FRA_IIFNAME, &self.incoming), (FRA_OIFNAME, &self.outgoing)] {
            if let Some(name) = name {
                let mut text = name.as_bytes().to_vec();
                text.push(0);
                messages.attribute(attribute, &text);
            }
        }
        for (attribute, value) in [
            (FRA_PRIORITY, self.priority),
            (FRA_TABLE, self.table),
            (FRA_FWMARK, self.mark.map(|(mark, _)| mark)),
            (FRA_FWMASK, self.mark.map(|(_, mask)| mask)),
            (FRA_SUPPRESS_PREFIXLEN, self.suppress_prefix_length),
        ] {
            if let Some(value) = value {
                messages.attribute(attribute, &value.to_ne_bytes());
            }
        }
        socket.change(&mut messages).map_err(|error| error.during("change rule"))
    }
}
