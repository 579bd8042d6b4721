//! Random packet filters for a host: rules of nftables and of ip6tables over nftables.

use std::net::Ipv6Addr;

use arpflux_core::frame::solicited_node;

use crate::case::{Case, Command};
use crate::rng::Rng;

struct Draw<'r> {
    rng: &'r mut Rng,
    addresses: Vec<Ipv6Addr>,
    nics: usize,
    lines: Vec<String>,
    /// The chains of the table that rules may jump to, the last one first.
    callable: Vec<&'static str>,
}

impl Case {
    /// The same host with filters.
    pub fn with_rules(mut self) -> Self {
        let mut rng = Rng::new(self.seed ^ 0xf117e4);
        let mut addresses: Vec<Ipv6Addr> =
            ["fd00:1::1", "fd00:1::99", "fd00:2::1", "fe80::99", "::", "ff02::1", "2001:db8::1"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        for command in &self.commands {
            let Command::Ip(line) = command else { continue };
            let named = line.split([' ', '/']).filter_map(|word| word.parse::<Ipv6Addr>().ok());
            addresses.extend(named.flat_map(|address| [address, solicited_node(address)]));
        }
        let mut draw =
            Draw { rng: &mut rng, addresses, nics: self.nics, lines: Vec::new(), callable: Vec::new() };
        for (family, hooks, share) in [
            ("ip6", &["prerouting", "input", "output", "postrouting", "forward"][..], 50),
            ("inet", &["ingress", "prerouting", "input", "output", "postrouting", "forward"], 60),
            ("netdev", &["ingress", "egress"], 30),
            ("bridge", &["prerouting", "input", "output", "postrouting"], 20),
        ] {
            if draw.rng.percent(share) {
                draw.table(family, hooks);
            }
        }
        let lines = std::mem::take(&mut draw.lines);
        let old = draw.old_rules();
        self.commands.extend(lines.into_iter().map(Command::Nft));
        self.commands.extend(old.into_iter().map(Command::Ip6tables));
        self
    }
}

impl Draw<'_> {
    fn table(&mut self, family: &'static str, hooks: &[&str]) {
        self.lines.push(format!("add table {family} t"));
        self.callable.clear();
        let elements: Vec<String> = (0..1 + self.rng.below(4)).map(|_| self.address().to_string()).collect();
        self.lines.push(format!("add set {family} t known {{ type ipv6_addr; }}"));
        self.lines.push(format!("add element {family} t known {{ {} }}", elements.join(", ")));
        for name in ["last", "more"] {
            self.lines.push(format!("add chain {family} t {name}"));
            for _ in 0..self.rng.below(3) {
                self.rule(family, name, "");
            }
            self.callable.push(name);
        }
        for hook in hooks {
            if self.rng.percent(40) {
                continue;
            }
            let policy = if self.rng.percent(20) { "drop" } else { "accept" };
            let priority = self.rng.one_of(&[-300, -150, -2, 0, 3]);
            let devices = match *hook {
                "ingress" | "egress" if self.rng.percent(50) => {
                    format!("device eth{} ", self.rng.below(self.nics))
                }
                "ingress" | "egress" => "devices = { eth0, eth1 } ".into(),
                _ => String::new(),
            };
            self.lines.push(format!(
                "add chain {family} t {hook} {{ type filter hook {hook} {devices}priority {priority}; policy {policy}; }}"
            ));
            // What most firewalls begin with, so that not all is dropped by the policy.
            if self.rng.percent(40) {
                let known =
                    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept";
                self.lines.push(format!("add rule {family} t {hook} {known}"));
            }
            for _ in 0..1 + self.rng.below(4) {
                self.rule(family, hook, hook);
            }
        }
    }

    fn rule(&mut self, family: &str, chain: &str, hook: &str) {
        let matches: Vec<String> = (0..self.rng.below(4)).map(|_| self.matches(family, hook)).collect();
        let statement = self.statement(family, hook);
        self.lines.push(format!("add rule {family} t {chain} {} {statement}", matches.join(" ")));
    }

    fn address(&mut self) -> Ipv6Addr {
        let at = self.addresses[self.rng.below(self.addresses.len())].to_bits();
        let beside = if self.rng.percent(30) { self.rng.below(5) as u128 } else { 2 };
        Ipv6Addr::from_bits(at.wrapping_add(beside).wrapping_sub(2))
    }

    fn prefix(&mut self) -> String {
        let length = self.rng.one_of(&[3, 8, 10, 16, 32, 48, 64, 104, 120, 127, 128]);
        let network = self.address().to_bits() & (u128::MAX << (128 - length));
        format!("{}/{length}", Ipv6Addr::from_bits(network))
    }

    fn range(&mut self) -> String {
        let (a, b) = (self.address(), self.address());
        if a == b { a.to_string() } else { format!("{}-{}", a.min(b), a.max(b)) }
    }

    fn matches(&mut self, family: &str, hook: &str) -> String {
        let side = self.rng.pick(&["saddr", "daddr"]);
        let not = self.rng.pick(&["", "", "!= "]);
        let incoming = !matches!(hook, "output" | "egress" | "postrouting");
        let nic = self.rng.below(self.nics);
        let of_ip = matches!(family, "ip6" | "inet");
        match self.rng.below(100) {
            0..=14 => format!("ip6 {side} {not}{}", self.address()),
            15..=26 => format!("ip6 {side} {not}{}", self.prefix()),
            27..=30 => format!("ip6 {side} {not}{}", self.range()),
            31..=36 => format!("ip6 {side} {not}{{ {}, {} }}", self.address(), self.address()),
            37..=40 => format!("ip6 {side} {not}@known"),
            41..=43 => {
                format!("ip6 saddr . ip6 daddr {{ {} . {} }}", self.address(), self.address())
            }
            44..=52 => {
                let kinds = ["nd-neighbor-solicit", "nd-neighbor-advert", "echo-request", "nd-router-advert"];
                format!("icmpv6 type {not}{}", self.rng.pick(&kinds))
            }
            53..=55 => "icmpv6 code 0".into(),
            // The target; below, its last byte, which no ranges of addresses have.
            56..=58 => format!("@th,64,128 {not}{:#x}", self.address().to_bits()),
            59..=61 => format!("ip6 nexthdr {not}ipv6-icmp"),
            62..=63 => "ip6 hoplimit 255".into(),
            64..=66 => format!("meta l4proto {not}{}", self.rng.pick(&["ipv6-icmp", "tcp", "{ tcp, udp }"])),
            67..=68 if of_ip => format!("meta nfproto {}", self.rng.pick(&["ipv6", "ipv4"])),
            69..=70 => format!("meta protocol {}", self.rng.pick(&["ip6", "ip", "arp"])),
            71..=79 if of_ip => format!(
                "ct state {not}{}",
                self.rng.pick(&["invalid", "untracked", "new", "established,related", "{ new, untracked }"])
            ),
            80..=81 if of_ip => "ct status confirmed".into(),
            82..=84 => format!("meta pkttype {}", self.rng.pick(&["multicast", "host", "other"])),
            85..=92 => {
                let names = [format!("\"eth{nic}\""), "\"eth*\"".into(), "\"br0\"".into()];
                let name = &names[self.rng.below(3)];
                let iif = incoming != self.rng.percent(10);
                format!("{} {not}{name}", if iif { "iifname" } else { "oifname" })
            }
            93 if family == "inet" => format!("ip {side} 10.1.0.1"),
            94 => "tcp dport 22".into(),
            96 => "meta mark 0x5".into(),
            95 => "ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00".into(),
            97 => "@th,184,8 0x1".into(),
            98 => "limit rate 1/hour".into(),
            _ => "meta mark != 0x7".into(),
        }
    }

    fn statement(&mut self, family: &str, hook: &str) -> String {
        let chain = self.callable.last().copied();
        match self.rng.below(100) {
            0..=29 => "drop".into(),
            30..=44 => "accept".into(),
            45..=54 => "counter".into(),
            55..=62 => "meta mark set 0x5".into(),
            63..=76 => match chain {
                Some(chain) => format!("{} {chain}", self.rng.pick(&["jump", "goto"])),
                None => "return".into(),
            },
            77..=80 => "return".into(),
            81..=86 => {
                let verdict = chain.map_or("accept".into(), |chain| format!("jump {chain}"));
                format!("icmpv6 type vmap {{ nd-neighbor-solicit : {verdict}, nd-neighbor-advert : drop }}")
            }
            87..=90 if matches!(family, "ip6" | "inet") && matches!(hook, "input" | "output") => {
                "reject".into()
            }
            91..=93 => "notrack".into(),
            _ => "continue".into(),
        }
    }

    /// Rules as `ip6tables` writes them, among them those with which common firewalls begin.
    fn old_rules(&mut self) -> Vec<String> {
        if self.rng.percent(60) {
            return Vec::new();
        }
        let mut lines = vec!["-N more".to_string()];
        for chain in ["more", "INPUT", "OUTPUT"] {
            for _ in 0..self.rng.below(5) {
                let (address, prefix, nic) = (self.address(), self.prefix(), self.rng.below(self.nics));
                let not = self.rng.pick(&["", "", "! "]);
                let side = self.rng.pick(&["-s", "-d"]);
                let direction = if chain == "OUTPUT" { "-o" } else { "-i" };
                let condition = match self.rng.below(12) {
                    0 => format!("{not}{side} {address}"),
                    1 => format!("{not}{side} {prefix}"),
                    2 if chain != "more" => format!("{not}{direction} eth{nic}"),
                    3 => format!("-m conntrack {not}--ctstate {}", self.rng.pick(&["INVALID", "UNTRACKED"])),
                    4 => "-m conntrack --ctstate RELATED,ESTABLISHED".into(),
                    5 => format!(
                        "-p ipv6-icmp -m icmp6 {not}--icmpv6-type {}",
                        self.rng.pick(&["neighbour-solicitation", "neighbour-advertisement", "echo-request"])
                    ),
                    6 => "-p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255".into(),
                    7 => "-m rt --rt-type 0".into(),
                    8 => "-p tcp -m tcp --dport 22".into(),
                    9 => "-m comment --comment words".into(),
                    10 => "-p ipv6-icmp -m hl --hl-lt 255".into(),
                    _ => "-m state --state INVALID".into(),
                };
                let target = match self.rng.below(10) {
                    0..=3 => "DROP",
                    4 | 5 => "ACCEPT",
                    6 if chain != "more" => "more",
                    7 => "REJECT",
                    8 => "LOG",
                    _ => "RETURN",
                };
                lines.push(format!("-A {chain} {condition} -j {target}"));
            }
        }
        if self.rng.percent(15) {
            lines.push(format!("-P {} DROP", self.rng.pick(&["INPUT", "OUTPUT"])));
        }
        lines
    }
}
