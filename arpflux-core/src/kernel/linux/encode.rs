//! From changes to netlink messages.
//!
//! Rules and routes are few and rich, and go through `netlink-packet-route`. Proxy entries come by the
//! ten thousand and are written straight into the buffer. Sysctls are as well: the crate's set request
//! leaves out values that are 0.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, Emitable, NetlinkSerializable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteProtocol,
    RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::rule::{
    RuleAction as ActionOut, RuleAttribute, RuleFlags as FlagsOut, RuleMessage, RulePortRange, RuleUidRange,
};
use nix::libc::{AF_INET, AF_INET6};

use crate::kernel::netlink::Messages;
use crate::kernel::uapi::{
    FRA_IIFNAME, FRA_OIFNAME, IFLA_AF_SPEC, IFLA_INET_CONF, NDA_DST, NDA_PROTOCOL, NDTA_NAME, NDTA_PARMS,
    NDTPA_IFINDEX, NDTPA_PROXY_DELAY, NLM_F_CREATE, NTF_PROXY, NUD_PERMANENT, RTM_DELNEIGH, RTM_DELROUTE,
    RTM_DELRULE, RTM_NEWNEIGH, RTM_NEWROUTE, RTM_NEWRULE, RTM_SETLINK, RTM_SETNEIGHTBL,
};
use crate::snapshot::{NextHop, NextHopFlags, ProxyEntry, Route, Rule, RuleAction, RuleFlags, table};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName};

/// A message of one kind. The crate's sum of all kinds would bring the encoders of all of them along, links'
/// being the largest by far.
pub(super) struct Request<T> {
    kind: u16,
    message: T,
}

impl<T: Emitable> NetlinkSerializable for Request<T> {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.message.buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        self.message.emit(buffer);
    }
}

/// Adds or deletes a proxy entry. Permanent, or the loss of carrier would drop it.
pub(super) fn proxy(messages: &mut Messages, add: bool, entry: &ProxyEntry) {
    let mut body = [0u8; 12];
    body[0] = family(entry.address.is_ipv6()) as u8;
    body[4..8].copy_from_slice(&entry.interface.map_or(0, |index| index.0).to_ne_bytes());
    body[8..10].copy_from_slice(&NUD_PERMANENT.to_ne_bytes());
    body[10] = entry.flags | NTF_PROXY;
    match add {
        true => messages.begin(RTM_NEWNEIGH, NLM_F_CREATE, &body),
        false => messages.begin(RTM_DELNEIGH, 0, &body),
    }
    messages.ip(NDA_DST, entry.address);
    if add && entry.protocol != 0 {
        messages.attribute(NDA_PROTOCOL, &[entry.protocol]);
    }
}

/// Sets one value of an interface by `RTM_SETLINK`: nested attributes, unlike in dumps (`inet_set_link_af()`).
pub(super) fn sysctl(messages: &mut Messages, interface: IfIndex, sysctl: Sysctl, value: i32) {
    let mut body = [0u8; 16];
    body[4..8].copy_from_slice(&interface.0.to_ne_bytes());
    messages.begin(RTM_SETLINK, 0, &body);
    messages.nest(IFLA_AF_SPEC, |messages| {
        messages.nest(AF_INET as u16, |messages| {
            messages.nest(IFLA_INET_CONF, |messages| {
                messages.attribute(sysctl.devconf(), &value.to_ne_bytes());
            });
        });
    });
}

/// Sets `proxy_delay` in milliseconds, of an interface or of `default`. Unlike the file below `/proc`, which
/// counts hundredths of a second, it takes back any value that it gave (`neightbl_set()`).
pub(super) fn proxy_delay(messages: &mut Messages, interface: Option<IfIndex>, milliseconds: u64) {
    messages.begin(RTM_SETNEIGHTBL, 0, &[AF_INET as u8, 0, 0, 0]);
    messages.attribute(NDTA_NAME, b"arp_cache\0");
    messages.nest(NDTA_PARMS, |messages| {
        if let Some(index) = interface {
            messages.attribute(NDTPA_IFINDEX, &index.0.to_ne_bytes());
        }
        messages.attribute(NDTPA_PROXY_DELAY, &milliseconds.to_ne_bytes());
    });
}

/// A request to add or delete a rule.
pub(super) fn rule(add: bool, rule: &Rule) -> Request<RuleMessage> {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = address_family(rule.ipv6);
    header.src_len = rule.source.map_or(0, |net| net.prefix_len());
    header.dst_len = rule.destination.map_or(0, |net| net.prefix_len());
    header.tos = rule.tos;
    header.action = match rule.action {
        RuleAction::Table => ActionOut::ToTable,
        RuleAction::Goto => ActionOut::Goto,
        RuleAction::Nop => ActionOut::Nop,
        RuleAction::Blackhole => ActionOut::Blackhole,
        RuleAction::Unreachable => ActionOut::Unreachable,
        RuleAction::Prohibit => ActionOut::Prohibit,
        RuleAction::Other(number) => ActionOut::Other(number),
    };
    // The other flags are the kernel's to say.
    header.flags = FlagsOut::from_bits_retain((rule.flags & RuleFlags::INVERT).bits());
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(rule.protocol)));
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.extend(rule.source.map(|net| RuleAttribute::Source(net.addr())));
    attributes.extend(rule.destination.map(|net| RuleAttribute::Destination(net.addr())));
    // As bytes: a name need not be UTF-8.
    attributes.extend(rule.iif.map(|name| RuleAttribute::Other(named(FRA_IIFNAME, name))));
    attributes.extend(rule.oif.map(|name| RuleAttribute::Other(named(FRA_OIFNAME, name))));
    if rule.fwmark != 0 || rule.fwmask != 0 {
        attributes.push(RuleAttribute::FwMark(rule.fwmark));
        attributes.push(RuleAttribute::FwMask(rule.fwmask));
    }
    attributes.extend(rule.goto.map(RuleAttribute::Goto));
    attributes.extend(rule.suppress_prefix_len.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_group.map(RuleAttribute::SuppressIfGroup));
    attributes.extend(rule.l3mdev.then_some(RuleAttribute::L3MDev(true)));
    attributes.extend(rule.ip_protocol.map(|number| RuleAttribute::IpProtocol(i32::from(number).into())));
    let ports = |(start, end)| RulePortRange { start, end };
    attributes.extend(rule.source_ports.map(ports).map(RuleAttribute::SourcePortRange));
    attributes.extend(rule.destination_ports.map(ports).map(RuleAttribute::DestinationPortRange));
    attributes.extend(rule.uids.map(|(start, end)| RuleAttribute::UidRange(RuleUidRange { start, end })));
    attributes.extend(rule.tunnel_id.map(RuleAttribute::TunId));
    Request { kind: if add { RTM_NEWRULE } else { RTM_DELRULE }, message }
}

/// A request to add or delete a route.
pub(super) fn route(add: bool, route: &Route) -> Request<RouteMessage> {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = address_family(route.destination.addr().is_ipv6());
    header.destination_prefix_length = route.destination.prefix_len();
    header.source_prefix_length = route.source.map_or(0, |net| net.prefix_len());
    header.tos = route.tos;
    header.table = u8::try_from(route.table).unwrap_or(table::UNSPEC as u8);
    header.protocol = RouteProtocol::from(route.protocol);
    header.scope = RouteScope::from(route.scope.0);
    header.kind = RouteType::from(route.kind.number());
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    if route.destination.prefix_len() != 0 {
        attributes.push(RouteAttribute::Destination(address(route.destination.addr())));
    }
    attributes.extend(route.source.map(|net| RouteAttribute::Source(address(net.addr()))));
    if route.metric != 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    attributes.extend(route.preferred_source.map(|source| RouteAttribute::PrefSource(address(source))));
    match (route.nexthop_id, route.next_hops.as_slice()) {
        // The object says the rest; the kernel takes either it or next hops.
        (Some(id), _) => attributes.push(RouteAttribute::NhId(id)),
        (None, []) => {}
        (None, [only]) => {
            message.header.flags = RouteFlags::from_bits_retain(settable(only));
            attributes.extend(only.interface.map(|index| RouteAttribute::Oif(index.0)));
            attributes.extend(only.gateway.map(|gateway| towards(route, gateway)));
        }
        (None, several) => attributes.push(RouteAttribute::MultiPath(
            several
                .iter()
                .map(|hop| {
                    let mut out = RouteNextHop::default();
                    out.flags = RouteNextHopFlags::from_bits_retain(settable(hop) as u8);
                    // 1 to 256 are sent as 0 to 255.
                    out.hops = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
                    out.interface_index = hop.interface.map_or(0, |index| index.0);
                    out.attributes = hop.gateway.map(|gateway| towards(route, gateway)).into_iter().collect();
                    out
                })
                .collect(),
        )),
    }
    Request { kind: if add { RTM_NEWROUTE } else { RTM_DELROUTE }, message }
}

/// Flags of a next hop that may be asked for; the others are the kernel's to say.
fn settable(hop: &NextHop) -> u32 {
    (hop.flags & NextHopFlags::ONLINK).bits()
}

/// A gateway, of the route's own family or of the other one (`RTA_VIA`).
fn towards(route: &Route, gateway: IpAddr) -> RouteAttribute {
    if gateway.is_ipv6() == route.destination.addr().is_ipv6() {
        return RouteAttribute::Gateway(address(gateway));
    }
    RouteAttribute::Via(match gateway {
        IpAddr::V4(gateway) => RouteVia::Inet(gateway),
        IpAddr::V6(gateway) => RouteVia::Inet6(gateway),
    })
}

fn address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

fn named(kind: u16, name: IfName) -> DefaultNla {
    let mut value = name.as_bytes().to_vec();
    value.push(0);
    DefaultNla::new(kind, value)
}

fn family(ipv6: bool) -> i32 {
    if ipv6 { AF_INET6 } else { AF_INET }
}

fn address_family(ipv6: bool) -> AddressFamily {
    if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}
