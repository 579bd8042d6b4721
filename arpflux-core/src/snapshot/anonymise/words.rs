//! Texts in a snapshot that are neither names of interfaces nor addresses: what arpflux and the tools of packet filters write
//! themselves stays, everything else is replaced.

use std::collections::{BTreeMap, BTreeSet};

/// Words of arpflux, of filters' tools and of the kernel's messages, as they stand in [`Interference`](super::super::Interference)
/// and in names of tables and chains.
const KNOWN: &str = "nftables arp bridge netdev ip6 inet ip tc arptables ebtables ip6tables iptables table tables chain \
    filter input output forward prerouting postrouting nat mangle raw security broute brouting ingress egress the ruleset rights of root \
    IPv4 IPv6 routes, because they kept changing while were read interfaces that kernel describes in an unknown way sysctls \
    net.ipv4 net.ipv4.conf.all and default /proc/sys (not permitted) CAP_NET_ADMIN CAP_NET_RAW CAP_BPF CAP_SYS_ADMIN traffic control number \
    /proc/thread-self/net/packet /proc/thread-self/net/arp_tables_names /proc/thread-self/net/ip6_tables_names \
    snapshot, which a newer version arpflux wrote limit quota connlimit match target counter log ct fib queue meta payload lookup";

/// What a text is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Table,
    Chain,
    Set,
    Kind,
    /// Anything else.
    Word,
}

impl Of {
    const fn title(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Chain => "chain",
            Self::Set => "set",
            Self::Kind => "kind",
            Self::Word => "word",
        }
    }
}

pub(super) fn is_known(word: &str) -> bool {
    let plain = |word: &str| word.len() < 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    // Sets that nft makes for a rule.
    let of_a_rule = ["__set", "__map"].iter().any(|start| word.strip_prefix(start).is_some_and(plain));
    let mut known = KNOWN.split_ascii_whitespace();
    word.is_empty() || plain(word) || of_a_rule || known.any(|known| known.eq_ignore_ascii_case(word))
}

/// What stands for each text.
#[derive(Debug, Default)]
pub(super) struct Words {
    there: BTreeSet<(Of, String)>,
    images: BTreeMap<(Of, String), String>,
}

impl Words {
    pub(super) fn insert(&mut self, of: Of, word: &str) {
        if !is_known(word) {
            self.there.insert((of, word.to_owned()));
        }
    }

    pub(super) fn of(&self, of: Of, word: &str) -> Option<&str> {
        self.images.get(&(of, word.to_owned())).map(String::as_str)
    }

    /// What stands for a word, whatever it is the name of.
    pub(super) fn any(&self, word: &str) -> Option<&str> {
        [Of::Table, Of::Chain, Of::Set].into_iter().find_map(|of| self.of(of, word))
    }

    pub(super) fn ready(&mut self) {
        let taken: BTreeSet<&String> = self.there.iter().map(|(_, word)| word).collect();
        let mut number = 0;
        for (of, word) in &self.there {
            let image = loop {
                number += 1;
                let image = format!("{}{number}", of.title());
                if !taken.contains(&image) {
                    break image;
                }
            };
            self.images.insert((*of, word.clone()), image);
        }
    }
}
