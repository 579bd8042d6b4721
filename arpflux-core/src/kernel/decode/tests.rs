//! Both decoders, ours and `netlink-packet-route`, over the same bytes from the running kernel.

use std::net::IpAddr;
use std::process::Command;

use netlink_packet_core::ParseableParametrized as _;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Theirs;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::link::{
    AfSpecInet, AfSpecUnspec, InetDevConf, InfoKind, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteVia};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};

use super::*;
use crate::kernel::netlink::{Messages, NetlinkSocket};
use crate::kernel::testing::in_new_netns;
use crate::snapshot::{Interface, Route, Rule};
use crate::sysctl::Sysctl;

const SETUP: &str = "
    link set lo up
    link add eth0 address 02:00:00:00:00:01 mtu 1400 type veth peer name p0
    link add br0 type bridge
    link set p0 master br0
    link set eth0 up
    link set p0 up
    link add link eth0 name mv0 type macvlan mode bridge
    addr add 10.0.0.1/24 brd + dev eth0
    addr add 10.1.0.1 peer 10.1.0.9/32 dev eth0
    addr add fd00::1/64 dev eth0 nodad
    addr add fd01::1 peer fd01::2/128 dev eth0 nodad
    route add 10.9.0.0/16 via 10.0.0.7 metric 5
    route add blackhole 10.8.0.0/16
    route add throw 10.8.3.0/24 table 70000
    route add 10.7.0.0/16 nexthop via 10.0.0.3 weight 3 nexthop dev eth0 weight 256
    route add 10.5.0.0/16 tos 0x10 dev eth0 src 10.0.0.1
    route add 10.4.0.0/16 via inet6 fd00::9 dev eth0
    nexthop add id 7 via 10.0.0.8 dev eth0
    route add 10.6.0.0/16 nhid 7
    -6 route add fd02::/64 via fd00::5
    rule add from 10.0.0.1 table 1000 pref 100
    rule add iif eth0 fwmark 5/7 to 10.0.0.0/8 table 1001 ipproto tcp dport 80-90 pref 101 suppress_prefixlength 0
    rule add not from 10.0.0.0/8 goto 32766 pref 102
    rule add oif gone0 uidrange 0-0 sport 7 prohibit pref 103
    rule add tun_id 77 table main suppress_ifgroup 7 pref 104 protocol 175
    -6 rule add from fd00::/64 l3mdev pref 100
    neigh add proxy 10.0.0.77 dev eth0 protocol 175
    neigh add proxy fd00::77 dev eth0
    neigh add 10.0.0.88 lladdr 02:00:00:00:00:88 dev eth0
";

/// Messages of one dump: types and payloads.
fn capture(kind: u16, body: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut messages = Messages::new();
    messages.begin(kind, 0, body);
    let mut captured = Vec::new();
    NetlinkSocket::open()
        .unwrap()
        .dump(&mut messages, |kind, payload| {
            captured.push((kind, payload.to_vec()));
            Ok(())
        })
        .unwrap();
    assert!(!captured.is_empty());
    captured
}

fn family(family: i32, len: usize) -> Vec<u8> {
    let mut body = vec![0; len];
    body[0] = family as u8;
    body
}

fn prepared<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    in_new_netns(|| {
        set_up();
        work()
    })
}

/// A host that has one of each.
pub(super) fn set_up() {
    for line in SETUP.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let status = Command::new("ip").args(line.split(' ')).status().unwrap();
        assert!(status.success(), "ip {line}");
    }
}

fn theirs((kind, payload): &(u16, Vec<u8>)) -> Theirs {
    Theirs::parse_with_param(payload, *kind).unwrap()
}

fn proxy_request() -> Vec<u8> {
    let mut body = vec![0; 12];
    body[10] = 8;
    body
}

#[test]
fn both_decoders_read_the_same() {
    prepared(|| {
        let mut count = 0;
        for captured in capture(18, &[0; 16]) {
            let Theirs::NewLink(theirs) = theirs(&captured) else { panic!("{captured:?}") };
            compare_link(&link(&captured.1).unwrap().interface, &theirs);
            count += 1;
        }
        for body in [family(AF_INET, 8), family(AF_INET6, 8)] {
            for captured in capture(22, &body) {
                let Theirs::NewAddress(theirs) = theirs(&captured) else { panic!("{captured:?}") };
                let ours = address(&captured.1).unwrap();
                assert_eq!(
                    (ours.interface.0, ours.prefix_len),
                    (theirs.header.index, theirs.header.prefix_len)
                );
                assert_eq!(ours.scope.0, u8::from(theirs.header.scope));
                for attribute in &theirs.attributes {
                    match attribute {
                        AddressAttribute::Local(local) => assert_eq!(ours.local, *local),
                        AddressAttribute::Address(other) => {
                            assert!(
                                ours.peer == Some(*other) || (ours.peer.is_none() && ours.local == *other)
                            );
                        }
                        AddressAttribute::Broadcast(broadcast) => {
                            assert_eq!(ours.broadcast, Some(IpAddr::V4(*broadcast)));
                        }
                        AddressAttribute::Flags(flags) => assert_eq!(ours.flags.bits(), flags.bits()),
                        _ => {}
                    }
                }
                count += 1;
            }
        }
        for body in [family(AF_INET, 12), family(AF_INET6, 12)] {
            for captured in capture(26, &body) {
                let Theirs::NewRoute(theirs) = theirs(&captured) else { panic!("{captured:?}") };
                compare_route(&route(&captured.1).unwrap().route, &theirs);
                count += 1;
            }
            for captured in capture(34, &body) {
                let Theirs::NewRule(theirs) = theirs(&captured) else { panic!("{captured:?}") };
                compare_rule(&rule(&captured.1).unwrap().rule, &theirs);
                count += 1;
            }
        }
        for captured in capture(30, &proxy_request()) {
            let Theirs::NewNeighbour(theirs) = theirs(&captured) else { panic!("{captured:?}") };
            let ours = proxy(&captured.1).unwrap();
            assert_eq!(ours.interface.map_or(0, |index| index.0), theirs.header.ifindex);
            assert_eq!(Some(ours.address), destination(&theirs));
            let protocol = theirs.attributes.iter().find_map(|attribute| match attribute {
                NeighbourAttribute::Protocol(protocol) => Some(u8::from(*protocol)),
                _ => None,
            });
            assert_eq!(ours.protocol, protocol.unwrap_or(0));
            assert!(neighbour(&captured.1).is_none());
            count += 1;
        }
        for captured in capture(30, &[0; 12]) {
            let Theirs::NewNeighbour(theirs) = theirs(&captured) else { panic!("{captured:?}") };
            let ours = neighbour(&captured.1).unwrap();
            assert_eq!(
                (ours.interface.0, ours.state.0),
                (theirs.header.ifindex, u16::from(theirs.header.state))
            );
            assert_eq!(Some(ours.address), destination(&theirs));
            let mac = theirs.attributes.iter().find_map(|attribute| match attribute {
                NeighbourAttribute::LinkLayerAddress(mac) => Some(mac.as_slice()),
                _ => None,
            });
            assert_eq!(ours.mac.as_ref().map(crate::types::Mac::as_bytes), mac);
            count += 1;
        }
        assert!(count > 40, "{count}");
    });
}

fn compare_link(ours: &Interface, theirs: &LinkMessage) {
    assert_eq!(ours.index.0, theirs.header.index);
    assert_eq!(ours.link_type, u16::from(theirs.header.link_layer_type));
    assert_eq!(ours.flags.bits(), theirs.header.flags.bits());
    let mut compared = 0;
    for attribute in &theirs.attributes {
        compared += 1;
        match attribute {
            LinkAttribute::IfName(name) => assert_eq!(ours.name.as_str(), Some(name.as_str())),
            LinkAttribute::Address(mac) => assert_eq!(ours.mac.as_bytes(), mac),
            LinkAttribute::Mtu(mtu) => assert_eq!(ours.mtu, *mtu),
            LinkAttribute::Group(group) => assert_eq!(ours.group, *group),
            LinkAttribute::Carrier(carrier) => assert_eq!(ours.carrier, *carrier == 1),
            LinkAttribute::Controller(index) => assert_eq!(ours.master, Some(IfIndex(*index))),
            LinkAttribute::Link(index) => assert_eq!(ours.link, interface(*index)),
            LinkAttribute::LinkNetNsId(id) => assert_eq!(ours.link_netnsid, Some(*id)),
            LinkAttribute::LinkInfo(infos) => {
                let kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.clone()),
                    _ => None,
                });
                assert_eq!(ours.kind.as_ref().map(|kind| InfoKind::from(kind.name())), kind);
            }
            LinkAttribute::AfSpecUnspec(families) => {
                let conf = families.iter().find_map(|family| match family {
                    AfSpecUnspec::Inet(inet) => inet.iter().find_map(|inet| match inet {
                        AfSpecInet::DevConf(conf) => Some(*conf),
                        _ => None,
                    }),
                    _ => None,
                });
                for sysctl in Sysctl::ALL {
                    assert_eq!(ours.sysctls.get(*sysctl), conf.map(|conf| of(&conf, *sysctl)), "{sysctl}");
                }
            }
            _ => compared -= 1,
        }
    }
    assert!(compared >= 5);
}

fn of(conf: &InetDevConf, sysctl: Sysctl) -> i32 {
    match sysctl {
        Sysctl::Forwarding => conf.forwarding,
        Sysctl::ProxyArp => conf.proxy_arp,
        Sysctl::SendRedirects => conf.send_redirects,
        Sysctl::SharedMedia => conf.shared_media,
        Sysctl::RpFilter => conf.rp_filter,
        Sysctl::ArpFilter => conf.arpfilter,
        Sysctl::MediumId => conf.medium_id,
        Sysctl::ArpAnnounce => conf.arp_announce,
        Sysctl::ArpIgnore => conf.arp_ignore,
        Sysctl::PromoteSecondaries => conf.promote_secondaries,
        Sysctl::ArpAccept => conf.arp_accept,
        Sysctl::ArpNotify => conf.arp_notify,
        Sysctl::AcceptLocal => conf.accept_local,
        Sysctl::SrcValidMark => conf.src_vmark,
        Sysctl::ProxyArpPvlan => conf.proxy_arp_pvlan,
        Sysctl::RouteLocalnet => conf.route_localnet,
        Sysctl::IgnoreRoutesWithLinkdown => conf.ignore_routes_with_linkdown,
        Sysctl::DropGratuitousArp => conf.drop_gratuitous_arp,
        Sysctl::BcForwarding => conf.bc_forwarding,
        Sysctl::ArpEvictNocarrier => conf.arp_evict_nocarrier,
    }
}

fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => plain(address),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

fn compare_route(ours: &Route, theirs: &RouteMessage) {
    let header = &theirs.header;
    assert_eq!(ours.destination.prefix_len(), header.destination_prefix_length);
    assert_eq!((ours.tos, ours.scope.0), (header.tos, u8::from(header.scope)));
    assert_eq!(ours.protocol, u8::from(header.protocol));
    let mut metric = 0;
    let mut single = None;
    for attribute in &theirs.attributes {
        match attribute {
            RouteAttribute::Destination(address) => assert_eq!(Some(ours.destination.addr()), plain(address)),
            RouteAttribute::PrefSource(address) => assert_eq!(ours.preferred_source, plain(address)),
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::Table(table) => assert_eq!(ours.table, *table),
            RouteAttribute::NhId(id) => assert_eq!(ours.nexthop_id, Some(*id)),
            RouteAttribute::Oif(index) => single = Some(IfIndex(*index)),
            RouteAttribute::MultiPath(hops) => {
                assert_eq!(ours.next_hops.len(), hops.len());
                for (ours, theirs) in ours.next_hops.iter().zip(hops) {
                    assert_eq!(ours.interface, interface(theirs.interface_index));
                    assert_eq!(ours.weight, u16::from(theirs.hops) + 1);
                    assert_eq!(ours.flags.bits(), u32::from(theirs.flags.bits()));
                    assert_eq!(ours.gateway, gateway(&theirs.attributes));
                }
            }
            _ => {}
        }
    }
    assert_eq!(ours.metric, metric);
    if let Some(single) = single {
        assert_eq!(ours.next_hops.len(), 1);
        assert_eq!(ours.next_hops[0].interface, Some(single));
        assert_eq!(ours.next_hops[0].gateway, gateway(&theirs.attributes));
        assert_eq!(ours.next_hops[0].flags.bits(), header.flags.bits() & 0xff);
    }
}

fn compare_rule(ours: &Rule, theirs: &RuleMessage) {
    assert_eq!(ours.ipv6, theirs.header.family == AddressFamily::Inet6);
    assert_eq!(ours.source.map_or(0, |net| net.prefix_len()), theirs.header.src_len);
    assert_eq!(ours.destination.map_or(0, |net| net.prefix_len()), theirs.header.dst_len);
    assert_eq!(ours.flags.bits(), theirs.header.flags.bits());
    for attribute in &theirs.attributes {
        match attribute {
            RuleAttribute::Priority(number) => assert_eq!(ours.priority, *number),
            RuleAttribute::Table(number) => assert_eq!(ours.table, *number),
            RuleAttribute::Source(address) => assert_eq!(ours.source.map(|net| net.addr()), Some(*address)),
            RuleAttribute::Destination(address) => {
                assert_eq!(ours.destination.map(|net| net.addr()), Some(*address));
            }
            RuleAttribute::Iifname(name) => assert_eq!(ours.iif.unwrap().as_str(), Some(name.as_str())),
            RuleAttribute::Oifname(name) => assert_eq!(ours.oif.unwrap().as_str(), Some(name.as_str())),
            RuleAttribute::Goto(number) => assert_eq!(ours.goto, Some(*number)),
            RuleAttribute::FwMark(number) => assert_eq!(ours.fwmark, *number),
            RuleAttribute::FwMask(number) => assert_eq!(ours.fwmask, *number),
            RuleAttribute::TunId(number) => assert_eq!(ours.tunnel_id, Some(*number)),
            RuleAttribute::SuppressPrefixLen(number) => {
                assert_eq!(ours.suppress_prefix_len.unwrap_or(u32::MAX), *number);
            }
            RuleAttribute::SuppressIfGroup(number) => {
                assert_eq!(ours.suppress_group.unwrap_or(u32::MAX), *number);
            }
            RuleAttribute::L3MDev(on) => assert_eq!(ours.l3mdev, *on),
            RuleAttribute::UidRange(range) => assert_eq!(ours.uids, Some((range.start, range.end))),
            RuleAttribute::Protocol(protocol) => assert_eq!(ours.protocol, u8::from(*protocol)),
            RuleAttribute::SourcePortRange(range) => {
                assert_eq!(ours.source_ports, Some((range.start, range.end)));
            }
            RuleAttribute::DestinationPortRange(range) => {
                assert_eq!(ours.destination_ports, Some((range.start, range.end)));
            }
            _ => {}
        }
    }
}

fn destination(message: &NeighbourMessage) -> Option<IpAddr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

/// Cut short anywhere, or with any byte changed, a message is read or refused: never a panic.
#[test]
fn damaged_messages_do_no_harm() {
    prepared(|| {
        let mut all = Vec::new();
        for (kind, body) in [
            (18, vec![0; 16]),
            (22, family(AF_INET, 8)),
            (26, family(AF_INET, 12)),
            (34, family(AF_INET, 12)),
            (30, proxy_request()),
            (66, family(AF_INET, 4)),
            (106, vec![0; 8]),
        ] {
            all.extend(capture(kind, &body));
        }
        let mut tried = 0usize;
        let mut read = |bytes: &[u8]| {
            tried += 1;
            let _ = (link(bytes), address(bytes), route(bytes), rule(bytes), neighbour(bytes), proxy(bytes));
            let _ = (neighbour_params(bytes), NextHops::default().add(bytes));
        };
        for (_, payload) in &all {
            for cut in 0..payload.len() {
                read(&payload[..cut]);
            }
            let mut damaged = payload.clone();
            for place in 0..payload.len() {
                for value in [0, 1, 3, 5, 0x7f, 0xff] {
                    damaged[place] = value;
                    read(&damaged);
                }
                damaged[place] = payload[place];
            }
        }
        assert!(tried > 10_000, "{tried}");
    });
}
