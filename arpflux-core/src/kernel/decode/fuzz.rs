//! Every decoder of netlink messages against mutated ones: no panic, whatever the kernel sends.

use std::process::Command;

use super::*;
use crate::kernel::netlink::{Messages, NetlinkSocket};
use crate::kernel::testing::{fuzz, in_new_netns};

/// How many of the decoders take it; all get it.
fn decode(payload: &[u8]) -> u64 {
    let mut hops = NextHops::default();
    let is_hop = hops.add(payload);
    for id in [1, 7, u32::MAX] {
        let _ = hops.resolve(id);
    }
    let mut taken = [
        link(payload).is_some(),
        address(payload).is_some(),
        neighbour(payload).is_some(),
        proxy(payload).is_some(),
        neighbour_params(payload).is_some(),
        neighbour_table(payload).is_some(),
        route(payload).is_some(),
        rule(payload).is_some(),
        bridge_vlans(payload).is_some(),
        is_hop,
        nftables::table(payload).is_some(),
        nftables::chain(payload).is_some(),
        nftables::rule(payload).is_some(),
    ]
    .into_iter()
    .filter(|taken| *taken)
    .count();
    if let Some((mut set, intervals)) = nftables::set(payload) {
        let mut bounds = Vec::new();
        nftables::elements(payload, &mut set, &mut bounds);
        set.elements = nftables::Bound::join(bounds, intervals);
        taken += 1;
    }
    taken as u64
}

/// What the kernel answers to a dump.
fn dumped(netlink: &mut NetlinkSocket, kind: u16, body: &[u8], names: &[(u16, &str)]) -> Vec<Vec<u8>> {
    let mut messages = Messages::new();
    messages.begin(kind, 0, body);
    for (attribute, name) in names {
        messages.attribute(*attribute, &[name.as_bytes(), &[0]].concat());
    }
    let mut payloads = Vec::new();
    let each = |_, payload: &[u8]| {
        payloads.push(payload.to_vec());
        Ok(())
    };
    netlink.dump(&mut messages, each).unwrap();
    payloads
}

/// Messages of the running kernel about a host that has one of each.
fn corpus() -> Vec<Vec<u8>> {
    in_new_netns(|| {
        tests::set_up();
        let mut netlink = NetlinkSocket::open().unwrap();
        let family = |family: i32, len: usize| [&[family as u8][..], &vec![0; len - 1]].concat();
        let mut proxies = vec![0; 12];
        proxies[10] = 8;
        let mut all = Vec::new();
        for (kind, body) in [
            (18, vec![0; 16]),
            (22, family(AF_INET, 8)),
            (22, family(AF_INET6, 8)),
            (26, family(AF_INET, 12)),
            (26, family(AF_INET6, 12)),
            (34, family(AF_INET, 12)),
            (34, family(AF_INET6, 12)),
            (30, vec![0; 12]),
            (30, proxies),
            (66, family(AF_INET, 4)),
            (106, vec![0; 8]),
        ] {
            all.extend(dumped(&mut netlink, kind, &body, &[]));
        }
        const RULES: &str = "add table arp t; add chain arp t c { type filter hook input priority 0; policy drop; }; \
            add set arp t s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9 }; }; \
            add map arp t m { type ipv4_addr : verdict; elements = { 10.0.0.1 : accept }; }; \
            add rule arp t c arp saddr ip @s counter accept; add rule arp t c arp saddr ip vmap @m; \
            add rule arp t c iifname \"eth*\" limit rate 5/second arp operation request drop";
        // Where there is no nft, or no nftables in the kernel, what it would have sent is left out.
        if Command::new("nft").arg(RULES).status().is_ok_and(|status| status.success()) {
            let mut netlink =
                NetlinkSocket::open_protocol(netlink_sys::protocols::NETLINK_NETFILTER).unwrap();
            let body = [3, 0, 0, 0];
            for kind in [1, 4, 7, 10] {
                all.extend(dumped(&mut netlink, 10 << 8 | kind, &body, &[]));
            }
            for set in ["s", "m"] {
                all.extend(dumped(&mut netlink, 10 << 8 | 13, &body, &[(1, "t"), (2, set)]));
            }
        }
        all.retain(|payload| payload.len() <= 8192);
        all
    })
}

#[test]
fn no_message_of_netlink_is_too_odd() {
    let corpus = corpus();
    assert!(corpus.len() > 40, "{}", corpus.len());
    fuzz::run("netlink", corpus, fuzz::Inputs::Bytes, 20_000, 2, decode);
}
