//! A random host: what is done to a new namespace, as a list of commands drawn from a seed.

use std::fmt;
use std::net::Ipv4Addr;

use crate::rng::Rng;

/// One thing done to the namespace.
#[derive(Debug, Clone)]
pub enum Command {
    /// An argument list for `ip`; one that fails is left out of the host, which hurts nobody.
    Ip(String),
    /// A value below `/proc/sys/net/ipv4`.
    Sysctl(String, i32),
    /// Sets the far end of an interface's pair up or down.
    Far(usize, bool),
    /// A proxy entry without a device, which `ip` cannot make.
    WildProxy(Ipv4Addr),
    /// A line for `nft`; one that it refuses is left out.
    Nft(String),
    /// The same for another program: `arptables-nft`, `arptables-legacy`, `tc`.
    Filter(&'static str, String),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(line) => write!(f, "ip {line}"),
            Self::Sysctl(path, value) => write!(f, "echo {value} > /proc/sys/net/ipv4/{path}"),
            Self::Far(nic, up) => {
                write!(f, "# the far end of eth{nic} is set {}", if *up { "up" } else { "down" })
            }
            Self::Nft(line) => write!(f, "nft '{line}'"),
            Self::Filter(program, line) => write!(f, "{program} {line}"),
            Self::WildProxy(address) => write!(f, "# a proxy entry for {address} without a device"),
        }
    }
}

/// A host.
#[derive(Debug, Clone)]
pub struct Case {
    pub seed: u64,
    pub nics: usize,
    pub commands: Vec<Command>,
    /// Whether rules were changed: the host's memory of that is not to be seen, but it is known here.
    pub rules_changed: bool,
    /// The same of local routes.
    pub local_routes_added: bool,
    /// Whether a rule of a filter cannot be decided.
    pub undecided: bool,
    /// Addresses worth asking for, and asking from.
    pub addresses: Vec<Ipv4Addr>,
}

/// Which kinds of interfaces the kernel has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kinds {
    pub vlan: bool,
    pub bond: bool,
    pub vrf: bool,
    pub ipvlan: bool,
    pub dummy: bool,
}

struct Draw {
    rng: Rng,
    case: Case,
    devices: Vec<String>,
    subnets: Vec<(Ipv4Addr, u8)>,
}

const IGNORE: &[i32] = &[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 7, 8, 9, 99, -1];
const RP_FILTER: &[i32] = &[0, 0, 1, 1, 2, 2, 3, -1];
const MEDIUM: &[i32] = &[0, 1, 1, 2, 2, -1];
const SWITCHES: &[&str] = &[
    "arp_filter",
    "accept_local",
    "route_localnet",
    "proxy_arp",
    "proxy_arp",
    "proxy_arp",
    "proxy_arp_pvlan",
    "proxy_arp_pvlan",
    "send_redirects",
    "shared_media",
    "drop_gratuitous_arp",
    "ignore_routes_with_linkdown",
    "bc_forwarding",
    "arp_filter",
];

impl Case {
    /// A host with nothing but interfaces that are up.
    pub fn bare(nics: usize) -> Self {
        let mut commands: Vec<Command> = (0..nics).map(pair).collect();
        commands.extend((0..nics).map(|nic| Command::Far(nic, true)));
        commands.push(Command::Ip("link set lo up".into()));
        commands.extend((0..nics).map(|nic| Command::Ip(format!("link set eth{nic} up"))));
        Self {
            seed: 0,
            nics,
            commands,
            rules_changed: false,
            local_routes_added: false,
            undecided: false,
            addresses: Vec::new(),
        }
    }

    pub fn draw(seed: u64, kinds: Kinds) -> Self {
        let mut rng = Rng::new(seed);
        let nics = 2 + rng.below(4);
        let case = Case {
            seed,
            nics,
            commands: Vec::new(),
            rules_changed: false,
            local_routes_added: false,
            undecided: false,
            addresses: Vec::new(),
        };
        let mut draw = Draw { rng, case, devices: Vec::new(), subnets: Vec::new() };
        draw.subnets();
        draw.interfaces(kinds);
        draw.addresses();
        draw.sysctls();
        draw.routes();
        draw.rules();
        draw.proxies();
        draw.last();
        draw.case
    }
}

/// An interface; `@` stands for its far end.
fn pair(nic: usize) -> Command {
    Command::Ip(format!("link add eth{nic} address 02:00:00:00:01:{nic:02x} type veth peer name @{nic}"))
}

impl Draw {
    fn ip(&mut self, line: impl Into<String>) {
        self.case.commands.push(Command::Ip(line.into()));
    }

    fn sysctl(&mut self, path: String, value: i32) {
        self.case.commands.push(Command::Sysctl(path, value));
    }

    fn subnets(&mut self) {
        let all: &[(&str, u8)] = &[
            ("10.1.0.0", 24),
            ("10.1.0.0", 24),
            ("10.1.0.0", 16),
            ("10.1.1.0", 24),
            ("10.2.0.0", 24),
            ("192.168.5.0", 28),
            ("172.16.0.0", 12),
        ];
        for _ in 0..1 + self.rng.below(3) {
            let (net, len) = all[self.rng.below(all.len())];
            self.subnets.push((net.parse().unwrap(), len));
        }
    }

    /// A random address of a random subnet, near its start so that hosts and neighbours meet.
    fn near(&mut self) -> Ipv4Addr {
        let (net, _) = self.subnets[self.rng.below(self.subnets.len())];
        Ipv4Addr::from_bits(net.to_bits() + 1 + self.rng.below(12) as u32)
    }

    fn device(&mut self) -> String {
        self.devices[self.rng.below(self.devices.len())].clone()
    }

    fn remember(&mut self, address: Ipv4Addr) {
        self.case.addresses.push(address);
    }

    fn interfaces(&mut self, kinds: Kinds) {
        // Interfaces born after `default` was written start with it, others follow it while they have no
        // address and were never set themselves.
        for _ in 0..self.rng.below(2) {
            let name = self.rng.pick(&["arp_ignore", "rp_filter", "arp_filter", "proxy_arp"]);
            let value = self.rng.below(3) as i32;
            self.sysctl(format!("conf/default/{name}"), value);
        }
        for nic in 0..self.case.nics {
            self.ip(format!("link add eth{nic} address 02:00:00:00:01:{nic:02x} type veth peer name @{nic}"));
        }
        for nic in 0..self.case.nics {
            self.case.commands.push(Command::Far(nic, true));
            self.devices.push(format!("eth{nic}"));
        }
        let mut free = self.case.nics;
        if free > 2 && self.rng.percent(25) {
            free -= 1;
            self.ip("link add br0 address 02:00:00:00:02:00 type bridge");
            self.ip(format!("link set eth{free} master br0"));
            self.devices.push("br0".into());
            if self.rng.percent(40) && free > 2 {
                free -= 1;
                self.ip(format!("link set eth{free} master br0"));
            }
        }
        if kinds.bond && free > 2 && self.rng.percent(40) {
            free -= 1;
            let mode = self.rng.pick(&["balance-rr", "active-backup", "balance-xor", "802.3ad"]);
            self.ip(format!("link add bond0 address 02:00:00:00:04:00 type bond mode {mode} miimon 100"));
            self.ip(format!("link set eth{free} master bond0"));
            self.devices.push("bond0".into());
        }
        if kinds.vrf && free > 2 && self.rng.percent(40) {
            free -= 1;
            self.case.rules_changed = true;
            self.ip("link add vrf0 type vrf table 110");
            self.ip(format!("link set eth{free} master vrf0"));
            self.ip("link set vrf0 up");
            self.devices.push("vrf0".into());
        }
        if self.rng.percent(25) {
            let mode = self.rng.pick(&["bridge", "private", "vepa"]);
            let lower = self.rng.below(free);
            self.ip(format!(
                "link add mv0 link eth{lower} address 02:00:00:00:03:00 type macvlan mode {mode}"
            ));
            self.devices.push("mv0".into());
        } else if self.rng.percent(10) {
            let lower = self.rng.below(free);
            self.ip(format!("link add mv0 link eth{lower} type macvlan mode passthru"));
            self.devices.push("mv0".into());
        } else if kinds.vlan && self.rng.percent(40) {
            let lower = self.rng.below(free);
            self.ip(format!("link add vl0 link eth{lower} address 02:00:00:00:05:00 type vlan id 10"));
            self.devices.push("vl0".into());
        } else if kinds.ipvlan && self.rng.percent(30) {
            let lower = self.rng.below(free);
            self.ip(format!("link add iv0 link eth{lower} type ipvlan mode l2"));
            self.devices.push("iv0".into());
        }
        if kinds.dummy && self.rng.percent(30) {
            self.ip("link add dm0 type dummy");
            self.devices.push("dm0".into());
        }
        self.ip("link set lo up");
        for device in self.devices.clone() {
            if self.rng.percent(15) {
                let group = 1 + self.rng.below(2);
                self.ip(format!("link set {device} group {group}"));
            }
            if self.rng.percent(2) {
                self.ip(format!("link set {device} arp off"));
            }
            if self.rng.percent(96) {
                self.ip(format!("link set {device} up"));
            }
        }
    }

    fn addresses(&mut self) {
        for device in self.devices.clone() {
            let count = self.rng.one_of(&[0, 1, 1, 1, 1, 2, 2, 3]);
            for _ in 0..count {
                let (net, len) = self.subnets[self.rng.below(self.subnets.len())];
                let address = Ipv4Addr::from_bits(net.to_bits() + 1 + self.rng.below(12) as u32);
                self.remember(address);
                let scope = self.rng.pick(&["", "", "", "", "", " scope host", " scope link"]);
                let line = match self.rng.below(12) {
                    0 => format!("addr add {address}/32 dev {device}{scope}"),
                    1 => {
                        let peer = self.near();
                        format!("addr add {address} peer {peer}/32 dev {device}{scope}")
                    }
                    2 => {
                        let peer = self.near();
                        format!("addr add {address} peer {peer}/{len} dev {device}{scope}")
                    }
                    3 => format!("addr add {address}/{len} dev {device} noprefixroute{scope}"),
                    4..=6 => format!("addr add {address}/{len} brd + dev {device}{scope}"),
                    _ => format!("addr add {address}/{len} dev {device}{scope}"),
                };
                self.ip(line);
            }
        }
        if self.rng.percent(35) {
            let address = self.near();
            self.remember(address);
            let scope = self.rng.pick(&["", "", " scope host", " scope link"]);
            self.ip(format!("addr add {address}/32 dev lo{scope}"));
        }
        if self.rng.percent(15) {
            let address = self.rng.pick(&["10.60.0.1/16", "10.1.0.130/25", "10.2.0.1/24", "127.9.0.1/8"]);
            self.ip(format!("addr add {address} dev lo"));
        }
    }

    fn sysctls(&mut self) {
        let forward = self.rng.percent(60);
        self.sysctl("ip_forward".into(), i32::from(forward));
        let mut scopes: Vec<String> = self.devices.clone();
        scopes.push("all".into());
        for scope in scopes {
            // `all` counts for every interface, so less of it leaves more to see.
            let count = if scope == "all" { self.rng.below(3) } else { self.rng.below(4) };
            for _ in 0..count {
                let (name, value) = match self.rng.below(10) {
                    0 | 1 => ("arp_ignore", self.rng.one_of(IGNORE)),
                    2 | 3 => ("rp_filter", self.rng.one_of(RP_FILTER)),
                    4 if scope != "all" => {
                        // Alone it does nothing.
                        self.sysctl(format!("conf/{scope}/proxy_arp"), 1);
                        ("medium_id", self.rng.one_of(MEDIUM))
                    }
                    5 if scope != "all" => ("forwarding", self.rng.one_of(&[0, 1, 1])),
                    6 => ("arp_announce", self.rng.one_of(&[0, 1, 1, 2, 2, 3])),
                    _ => (self.rng.one_of(SWITCHES), self.rng.one_of(&[0, 1, 1, 1, 2])),
                };
                self.sysctl(format!("conf/{scope}/{name}"), value);
            }
        }
        for device in self.devices.clone() {
            let delay = if self.rng.percent(3) { 3 } else { 0 };
            self.sysctl(format!("neigh/{device}/proxy_delay"), delay);
        }
        // Redirects on, the default, make much alike; off on half the hosts.
        if self.rng.percent(50) {
            self.sysctl("conf/all/send_redirects".into(), 0);
            for device in self.devices.clone() {
                if self.rng.percent(70) {
                    self.sysctl(format!("conf/{device}/send_redirects"), 0);
                }
            }
        }
    }

    fn prefix(&mut self) -> String {
        let near = self.near();
        let wide = |len: u32| Ipv4Addr::from_bits(near.to_bits() & (u32::MAX << (32 - len)));
        match self.rng.below(12) {
            0 => "default".into(),
            1..=3 => format!("{near}/32"),
            4 => format!("{}/24", wide(24)),
            5 => format!("{}/28", wide(28)),
            6 => format!("{}/16", wide(16)),
            7 => "10.60.5.0/24".into(),
            8 => "10.60.0.0/16".into(),
            9 => "127.0.5.0/24".into(),
            _ => {
                let net = 64 + self.rng.below(8);
                let inside = Ipv4Addr::new(10, net as u8, 0, 1 + self.rng.below(4) as u8);
                self.remember(inside);
                format!("10.{net}.0.0/16")
            }
        }
    }

    fn routes(&mut self) {
        if self.rng.percent(60) {
            let gateway = self.near();
            let device = self.device();
            self.ip(format!("route add default via {gateway} dev {device} onlink"));
            if self.rng.percent(15) {
                let (gateway, device) = (self.near(), self.device());
                self.ip(format!("route append default via {gateway} dev {device} onlink"));
            }
        }
        if self.rng.percent(15) {
            // Nexthop objects: one, a group, a blackhole.
            let (device, other, gateway) = (self.device(), self.device(), self.near());
            self.ip(format!("nexthop add id 1 via {gateway} dev {device} onlink"));
            self.ip(format!("nexthop add id 2 dev {other}"));
            self.ip("nexthop add id 3 group 1/2");
            self.ip("nexthop add id 4 blackhole");
            for _ in 0..2 {
                let (prefix, id) = (self.prefix(), 1 + self.rng.below(4));
                self.ip(format!("route append {prefix} nhid {id}"));
            }
        }
        for _ in 0..self.rng.below(9) {
            let prefix = self.prefix();
            let device = self.device();
            let table = self.rng.one_of(&[
                "",
                "",
                "",
                "",
                " table 100",
                " table 101",
                " table default",
                " table 100",
            ]);
            let metric = self.rng.pick(&["", "", "", " metric 5", " metric 50"]);
            let tos = self.rng.pick(&["", "", "", "", "", "", "", "", " tos 0x10"]);
            let line = match self.rng.below(20) {
                0 => format!("route append blackhole {prefix}{table}{metric}"),
                1 => format!("route append unreachable {prefix}{table}{metric}"),
                2 => format!("route append prohibit {prefix}{table}{metric}"),
                3 | 4 => format!("route append throw {prefix}{table}{metric}"),
                5 => format!("route append broadcast {prefix} dev {device}{table}{metric}"),
                6 => format!("route append anycast {prefix} dev {device}{table}{metric}"),
                7 | 8 => {
                    let other = self.device();
                    let (a, b) = (self.near(), self.near());
                    format!(
                        "route append {prefix}{table}{metric} nexthop via {a} dev {device} onlink nexthop via {b} dev {other} onlink"
                    )
                }
                9 | 10 => {
                    let gateway = self.near();
                    format!("route append {prefix} via {gateway} dev {device} onlink{table}{metric}{tos}")
                }
                11 => format!("route append {prefix} dev lo{table}{metric}{tos}"),
                12 => format!("route append {prefix} dev {device} scope host{table}{metric}{tos}"),
                _ => format!("route append {prefix} dev {device}{table}{metric}{tos}"),
            };
            self.ip(line);
        }
        if self.rng.percent(20) {
            self.case.local_routes_added = true;
            // Surely taken, so that the kernel surely remembers.
            self.ip("route add local 198.18.255.1/32 dev lo table 200");
            for _ in 0..self.rng.below(3) {
                let (prefix, device) = (self.prefix(), self.device());
                let table = self.rng.pick(&[" table local", " table local", "", " table 100"]);
                self.ip(format!("route append local {prefix} dev {device}{table}"));
            }
        }
    }

    fn rules(&mut self) {
        if !self.rng.percent(50) {
            return;
        }
        self.case.rules_changed = true;
        self.ip("rule add pref 30000 lookup 500");
        if self.rng.percent(70) {
            self.ip("rule del pref 30000");
        }
        for _ in 0..self.rng.below(5) {
            let mut line = format!("rule add pref {}", 100 + self.rng.below(900));
            if self.rng.percent(15) {
                line = format!("rule add not pref {}", 100 + self.rng.below(900));
            }
            if self.rng.percent(40) {
                line += &format!(" from {}", self.selector());
            }
            if self.rng.percent(40) {
                line += &format!(" to {}", self.selector());
            }
            if self.rng.percent(25) {
                let device = if self.rng.percent(40) { "lo".into() } else { self.device() };
                line += &format!(" iif {device}");
            }
            if self.rng.percent(10) {
                line += &format!(" oif {}", self.device());
            }
            if self.rng.percent(6) {
                line += " fwmark 1";
            }
            if self.rng.percent(5) {
                line += " tos 0x10";
            }
            if self.rng.percent(5) {
                line += " ipproto udp";
            }
            line += match self.rng.below(16) {
                0 => " blackhole",
                1 => " unreachable",
                2 => " prohibit",
                3 => " goto 32766",
                4 => " goto 600",
                5 => " nop",
                6 => " lookup main suppress_prefixlength 31",
                7 => " lookup main suppress_prefixlength 0",
                8 => " lookup main suppress_ifgroup 1",
                9 => " lookup default",
                10 => " lookup local",
                11 => " lookup main",
                12 => " lookup 101",
                _ => " lookup 100",
            };
            self.ip(line);
        }
        if self.rng.percent(10) {
            self.ip("rule add pref 700 lookup local");
            self.ip("rule del pref 0");
        }
    }

    fn selector(&mut self) -> String {
        let near = self.near();
        match self.rng.below(4) {
            0 => "all".into(),
            1 => format!("{}/24", Ipv4Addr::from_bits(near.to_bits() & 0xffff_ff00)),
            2 => format!("{}/30", Ipv4Addr::from_bits(near.to_bits() & 0xffff_fffc)),
            _ => near.to_string(),
        }
    }

    fn proxies(&mut self) {
        for _ in 0..self.rng.below(8) {
            let address = match self.rng.below(3) {
                0 if !self.case.addresses.is_empty() => {
                    let at = self.rng.below(self.case.addresses.len());
                    self.case.addresses[at]
                }
                1 => Ipv4Addr::new(10, 64 + self.rng.below(8) as u8, 0, 1 + self.rng.below(4) as u8),
                _ => self.near(),
            };
            self.remember(address);
            if self.rng.percent(15) {
                self.case.commands.push(Command::WildProxy(address));
            } else {
                let device = self.device();
                self.ip(format!("neigh add proxy {address} dev {device}"));
            }
        }
    }

    /// What comes after everything is in place.
    fn last(&mut self) {
        for nic in 0..self.case.nics {
            if self.rng.percent(6) {
                self.case.commands.push(Command::Far(nic, false));
            } else if self.rng.percent(3) {
                self.ip(format!("link set eth{nic} down"));
                if self.rng.percent(50) {
                    self.ip(format!("link set eth{nic} up"));
                }
            }
        }
    }
}
