//! A random host with IPv6, as commands drawn from a seed.

use std::fmt;
use std::net::Ipv6Addr;

use crate::rng::Rng;

/// One thing done to the namespace; what the kernel refuses is left out of the host.
#[derive(Debug, Clone)]
pub enum Command {
    /// An argument list for `ip`; `@2` stands for the far end of eth2.
    Ip(String),
    /// A value below `/proc/sys/net/ipv6`.
    Sysctl(String, i64),
    /// A program joins the group on the interface.
    Join(String, Ipv6Addr),
    /// A command for `nft`.
    Nft(String),
    /// An argument list for `ip6tables` over nftables.
    Ip6tables(String),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(line) => write!(f, "ip -6 {line}"),
            Self::Nft(line) => write!(f, "nft '{line}'"),
            Self::Ip6tables(line) => write!(f, "ip6tables-nft {line}"),
            Self::Sysctl(path, value) => write!(f, "echo {value} > /proc/sys/net/ipv6/{path}"),
            Self::Join(device, group) => write!(f, "# a program joins {group} on {device}"),
        }
    }
}

/// A host.
#[derive(Debug, Clone)]
pub struct Case {
    pub seed: u64,
    pub nics: usize,
    pub commands: Vec<Command>,
}

struct Draw {
    rng: Rng,
    commands: Vec<Command>,
    devices: Vec<String>,
}

impl Case {
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let nics = 2 + rng.below(3);
        let mut draw = Draw { rng, commands: Vec::new(), devices: Vec::new() };
        draw.interfaces(nics);
        draw.sysctls();
        draw.addresses();
        draw.routes();
        draw.proxies();
        draw.last();
        Self { seed, nics, commands: draw.commands }
    }
}

impl Draw {
    fn ip(&mut self, line: impl Into<String>) {
        self.commands.push(Command::Ip(line.into()));
    }

    fn set(&mut self, path: impl Into<String>, value: i64) {
        self.commands.push(Command::Sysctl(path.into(), value));
    }

    fn device(&mut self) -> String {
        self.devices[self.rng.below(self.devices.len())].clone()
    }

    /// An address near the start of a prefix, so that hosts and neighbours meet; some have the same last 24 bits.
    fn near(&mut self) -> Ipv6Addr {
        let net = self.rng.pick(&[
            "2001:db8:1::",
            "2001:db8:1::",
            "2001:db8:1::",
            "2001:db8:2::",
            "fd00:5::",
            "2001:db8:1:0:1::",
            "fe80::",
        ]);
        let net: Ipv6Addr = net.parse().unwrap();
        Ipv6Addr::from_bits(net.to_bits() | self.rng.below(12) as u128)
    }

    fn length(&mut self) -> u8 {
        self.rng.one_of(&[64, 64, 64, 64, 64, 112, 128, 127, 126, 48])
    }

    fn interfaces(&mut self, nics: usize) {
        // Addresses count at once but where it is said otherwise.
        self.set("conf/default/accept_dad", 0);
        self.set("conf/all/accept_dad", 0);
        if self.rng.percent(10) {
            self.set("conf/default/forwarding", 1);
        }
        for nic in 0..nics {
            self.ip(format!("link add eth{nic} address 02:00:00:00:01:{nic:02x} type veth peer name @{nic}"));
            self.devices.push(format!("eth{nic}"));
        }
        let mut free = nics;
        if nics > 2 && self.rng.percent(25) {
            free -= 1;
            self.ip("link add br0 address 02:00:00:00:02:00 type bridge");
            self.ip(format!("link set eth{free} master br0"));
            self.devices.push("br0".into());
        }
        if self.rng.percent(25) {
            let mode = self.rng.pick(&["bridge", "private", "vepa"]);
            let lower = self.rng.below(free);
            self.ip(format!(
                "link add mv0 link eth{lower} address 02:00:00:00:03:00 type macvlan mode {mode}"
            ));
            self.devices.push("mv0".into());
        }
        self.ip("link set lo up");
        for device in self.devices.clone() {
            if self.rng.percent(3) {
                self.ip(format!("link set {device} arp off"));
            }
            if self.rng.percent(97) {
                self.ip(format!("link set {device} up"));
            }
        }
    }

    fn sysctls(&mut self) {
        if self.rng.percent(65) {
            self.set("conf/all/forwarding", 1);
        }
        if self.rng.percent(50) {
            self.set("conf/all/proxy_ndp", 1);
        }
        for device in self.devices.clone() {
            for _ in 0..self.rng.below(4) {
                let (name, value) = match self.rng.below(10) {
                    0..=2 => ("forwarding", self.rng.one_of(&[0, 1, 1])),
                    3..=5 => ("proxy_ndp", self.rng.one_of(&[0, 1, 1])),
                    6 => ("force_forwarding", 1),
                    7 => ("use_oif_addrs_only", 1),
                    8 => ("force_tllao", 1),
                    _ => ("ignore_routes_with_linkdown", 1),
                };
                self.set(format!("conf/{device}/{name}"), value);
            }
            if self.rng.percent(2) {
                self.set(format!("conf/{device}/disable_ipv6"), 1);
            }
            // At once, or so late that no answer comes while anybody waits.
            let delay = if self.rng.percent(12) { 10_000_000 } else { 0 };
            self.set(format!("neigh/{device}/proxy_delay"), delay);
            if self.rng.percent(20) {
                // Detection takes longer than the host is asked.
                self.set(format!("conf/{device}/accept_dad"), 1);
                self.set(format!("conf/{device}/dad_transmits"), 1000);
                if self.rng.percent(40) {
                    self.set(format!("conf/{device}/optimistic_dad"), 1);
                }
            }
        }
    }

    fn addresses(&mut self) {
        let mut devices = self.devices.clone();
        if self.rng.percent(30) {
            devices.push("lo".into());
        }
        for device in devices {
            for _ in 0..self.rng.one_of(&[0, 1, 1, 1, 2, 2, 3]) {
                let (address, length) = (self.near(), self.length());
                let line = match self.rng.below(10) {
                    0 => {
                        let peer = self.near();
                        format!("addr add {address} peer {peer}/{length} dev {device}")
                    }
                    1 => format!("addr add {address}/{length} dev {device} noprefixroute"),
                    2 => format!("addr add {address}/{length} dev {device} preferred_lft 0"),
                    3 | 4 => format!("addr add {address}/{length} dev {device} nodad"),
                    5 => format!("addr add {address}/{length} dev {device} optimistic"),
                    _ => format!("addr add {address}/{length} dev {device}"),
                };
                self.ip(line);
            }
            if self.rng.percent(8) {
                self.ip(format!("addr flush dev {device} scope link"));
            }
        }
    }

    fn prefix(&mut self) -> String {
        let near = self.near();
        match self.rng.below(8) {
            0 => "default".into(),
            1..=3 => format!("{near}/128"),
            4 => "2001:db8:1::/64".into(),
            5 => "2001:db8::/32".into(),
            6 => "2001:db8:9::/48".into(),
            _ => "ff02::/16".into(),
        }
    }

    fn routes(&mut self) {
        for _ in 0..self.rng.below(6) {
            let (prefix, device, gateway) = (self.prefix(), self.device(), self.near());
            let table = self.rng.pick(&["", "", "", " table 100", " table 101", " table local"]);
            let line = match self.rng.below(8) {
                0 => format!("route add {prefix} via {gateway} dev {device} onlink{table}"),
                1 => format!("route add blackhole {prefix}{table}"),
                2 => format!("route add unreachable {prefix} metric 9{table}"),
                3 => format!("route add throw {prefix}{table}"),
                4 => format!("route add local {prefix} dev {device} table local"),
                _ => format!("route add {prefix} dev {device}{table}"),
            };
            self.ip(line);
        }
        for _ in 0..self.rng.one_of(&[0, 0, 0, 1, 1, 2]) {
            let preference = self.rng.one_of(&[0, 100, 200, 40000]);
            let (near, device) = (self.near(), self.device());
            let selector = match self.rng.below(7) {
                0 => format!("from {near}"),
                1 => format!("to {near}"),
                2 => format!("iif {device}"),
                3 => "from 2001:db8::/32".into(),
                4 => format!("not from {near}"),
                5 => "from all fwmark 7".into(),
                _ => "from all".into(),
            };
            let action = self.rng.pick(&[
                "lookup 100",
                "lookup 101",
                "lookup main",
                "lookup main suppress_prefixlength 0",
                "blackhole",
                "prohibit",
                "goto 32766",
                "nop",
            ]);
            self.ip(format!("rule add {selector} pref {preference} {action}"));
        }
        if self.rng.percent(4) {
            let device = self.device();
            self.ip(format!("route del multicast ff00::/8 dev {device} table local"));
        }
        if self.rng.percent(4) {
            self.ip("rule add from all pref 5 lookup local");
            self.ip("rule del pref 0");
        }
    }

    fn proxies(&mut self) {
        for _ in 0..self.rng.below(7) {
            let (address, device) = (self.near(), self.device());
            let router = self.rng.pick(&["", "", " router"]);
            self.ip(format!("neigh add proxy {address} dev {device}{router}"));
        }
        for _ in 0..self.rng.below(3) {
            let (address, device) = (self.near(), self.device());
            let state = self.rng.pick(&["permanent", "noarp"]);
            self.ip(format!("neigh add {address} lladdr 02:00:00:00:09:09 dev {device} nud {state}"));
        }
        if self.rng.percent(10) {
            let (address, device) = (self.near(), self.device());
            self.commands.push(Command::Join(device, arpflux_core::frame::solicited_node(address)));
        }
    }

    fn last(&mut self) {
        if self.rng.percent(8) {
            let device = self.device();
            self.ip(format!("link set {device} down"));
            if self.rng.percent(60) {
                self.ip(format!("link set {device} up"));
            }
        }
        if self.rng.percent(8) {
            let device = self.device();
            let value = self.rng.one_of(&[0, 1]);
            self.set(format!("conf/{device}/forwarding"), value);
        }
        if self.rng.percent(3) {
            let device = self.device();
            self.ip(format!("link set {device} mtu 1200"));
        }
    }
}
