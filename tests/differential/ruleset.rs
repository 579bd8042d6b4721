//! Random filters for a host: rules of nftables and of the older arptables, filters of traffic control.

use std::net::Ipv4Addr;

use crate::case::{Case, Command};
use crate::rng::Rng;

struct Draw<'r> {
    rng: &'r mut Rng,
    addresses: Vec<Ipv4Addr>,
    nics: usize,
    /// For `nft`.
    lines: Vec<String>,
    /// For other programs.
    others: Vec<Command>,
    /// The chains of the table that rules may jump to, the last one first.
    callable: Vec<&'static str>,
    undecided: bool,
}

impl Case {
    /// The same host with filters for ARP.
    pub fn with_rules(mut self) -> Self {
        let mut rng = Rng::new(self.seed ^ 0xf117e4);
        let mut addresses = self.addresses.clone();
        // Senders of the suite, and neighbours of the subnets.
        addresses.extend(
            [[10, 1, 0, 200], [10, 2, 0, 200], [192, 168, 5, 9], [8, 8, 8, 8], [10, 1, 0, 9]]
                .map(Ipv4Addr::from),
        );
        let mut draw = Draw {
            rng: &mut rng,
            addresses,
            nics: self.nics,
            lines: Vec::new(),
            others: Vec::new(),
            callable: Vec::new(),
            undecided: false,
        };
        draw.tables();
        draw.arptables();
        draw.traffic_control();
        self.undecided = draw.undecided;
        self.commands.extend(draw.lines.into_iter().map(Command::Nft));
        self.commands.extend(draw.others);
        self
    }
}

impl Draw<'_> {
    fn tables(&mut self) {
        if self.rng.percent(75) {
            self.table("arp", &["input", "output"]);
        }
        if self.rng.percent(45) {
            self.table("netdev", &["ingress", "egress"]);
        }
        if self.rng.percent(30) {
            self.table("bridge", &["prerouting", "input", "output", "postrouting"]);
        }
        if self.rng.percent(15) {
            // The family inet never sees ARP.
            self.lines.push("add table inet t".into());
            self.lines.push(
                "add chain inet t c { type filter hook ingress device eth0 priority 0; policy drop; }".into(),
            );
        }
    }

    /// Rules of arptables as it was before nftables. Which comes first at one hook and priority is not told, so there
    /// are none beside rules of nftables that write.
    fn arptables(&mut self) {
        let writes = self.lines.iter().any(|line| line.starts_with("add rule arp") && line.contains(" set "));
        if writes || self.rng.percent(75) {
            return;
        }
        let alone = !self.lines.iter().any(|line| line.starts_with("add chain arp"));
        let mut lines = vec!["-N more".to_string()];
        for chain in ["more", "INPUT", "OUTPUT"] {
            for _ in 0..self.rng.below(4) {
                let (address, prefix, nic) = (self.address(), self.prefix(), self.rng.below(self.nics));
                let not = self.rng.pick(&["", "", "! "]);
                let side = self.rng.pick(&["-s", "-d"]);
                let direction = if (chain == "OUTPUT") != self.rng.percent(5) { "-o" } else { "-i" };
                let condition = match self.rng.below(8) {
                    0 | 1 => format!("{not}{side} {address}"),
                    2 => format!("{not}{side} {prefix}"),
                    3 if chain != "more" => format!("{not}{direction} eth{nic}"),
                    4 if chain != "more" => format!("{direction} eth+ {side} {address}"),
                    5 => format!("--opcode {}", self.rng.pick(&["1", "2"])),
                    6 => format!("{not}--source-mac 02:00:00:00:01:0{nic}"),
                    _ => format!("-s {prefix} {not}-d {address}"),
                };
                let target = match self.rng.below(10) {
                    0..=4 => "DROP".to_string(),
                    5 => "ACCEPT".into(),
                    6 if chain != "more" => "more".into(),
                    7 if alone => format!("mangle --mangle-ip-s {address}"),
                    8 if alone => format!("mangle --mangle-ip-d {address} --mangle-target DROP"),
                    _ => "RETURN".into(),
                };
                lines.push(format!("-A {chain} {condition} -j {target}"));
            }
        }
        if self.rng.percent(15) {
            lines.push(format!("-P {} DROP", self.rng.pick(&["INPUT", "OUTPUT"])));
        }
        self.others.extend(lines.into_iter().map(|line| Command::Filter("arptables-legacy", line)));
    }

    /// Filters by address, and what is redirected: to an ifb, which gives it back, or elsewhere, from where nothing
    /// comes back.
    fn traffic_control(&mut self) {
        if self.rng.percent(70) {
            return;
        }
        for line in [
            "link add ifb8 type ifb",
            "link add gone8 type bridge",
            "link set gone8 up arp off",
            self.rng.pick(&["link set ifb8 up", "link set ifb8 up", "link set ifb8 down"]),
        ] {
            self.others.push(Command::Ip(line.into()));
        }
        let nic = self.rng.below(self.nics);
        let mut lines = vec![format!("qdisc add dev eth{nic} clsact")];
        for number in 1..=1 + self.rng.below(3) {
            let address = self.address();
            let protocol = self.rng.pick(&["arp", "arp", "all", "ip"]);
            let octets = address.octets();
            let half = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
            let condition = match self.rng.below(4) {
                0 => "match u32 0 0".to_string(),
                1 => format!("match u32 {:#x} 0xffffffff at 24", address.to_bits()),
                2 => format!("match u16 {} 0xffff at 14 match u16 {} 0xffff at 16", half(0), half(2)),
                _ => format!("match u16 1 0xffff at 6 match u32 {:#x} 0xffffff00 at 24", address.to_bits()),
            };
            let action = match self.rng.below(6) {
                0 | 1 => "flowid 1:1".to_string(),
                2 => "action mirred egress redirect dev ifb8".into(),
                3 => "action mirred egress mirror dev gone8".into(),
                _ => "action mirred egress redirect dev gone8".into(),
            };
            lines.push(format!(
                "filter add dev eth{nic} ingress protocol {protocol} prio {number} u32 {condition} {action}"
            ));
        }
        self.others.extend(lines.into_iter().map(|line| Command::Filter("tc", line)));
    }

    fn table(&mut self, family: &'static str, hooks: &[&str]) {
        self.lines.push(format!("add table {family} t"));
        self.callable.clear();
        for name in ["last", "more"] {
            self.lines.push(format!("add chain {family} t {name}"));
            for _ in 0..self.rng.below(3) {
                self.rule(family, name, "");
            }
            self.callable.push(name);
        }
        let elements: Vec<String> = (0..1 + self.rng.below(4)).map(|_| self.address().to_string()).collect();
        self.lines.push(format!("add set {family} t known {{ type ipv4_addr; }}"));
        self.lines.push(format!("add element {family} t known {{ {} }}", elements.join(", ")));
        for hook in hooks {
            if self.rng.percent(40) {
                continue;
            }
            for number in 0..1 + self.rng.below(2) {
                let name = format!("{hook}{number}");
                let policy = if self.rng.percent(15) { "drop" } else { "accept" };
                let priority = self.rng.below(7) as i32 - 3;
                let devices = match family {
                    "netdev" if self.rng.percent(50) => format!("device eth{} ", self.rng.below(self.nics)),
                    "netdev" => "devices = { eth0, eth1 } ".into(),
                    _ => String::new(),
                };
                self.lines.push(format!(
                    "add chain {family} t {name} {{ type filter hook {hook} {devices}priority {priority}; policy {policy}; }}"
                ));
                for _ in 0..1 + self.rng.below(4) {
                    self.rule(family, &name, hook);
                }
            }
        }
    }

    fn rule(&mut self, family: &str, chain: &str, hook: &str) {
        let matches: Vec<String> = (0..self.rng.below(4)).map(|_| self.matches(hook)).collect();
        let statement = self.statement(family, hook);
        self.lines.push(format!("add rule {family} t {chain} {} {statement}", matches.join(" ")));
    }

    fn address(&mut self) -> Ipv4Addr {
        let at = self.addresses[self.rng.below(self.addresses.len())].to_bits();
        let beside = if self.rng.percent(30) { self.rng.below(5) as u32 } else { 2 };
        Ipv4Addr::from_bits(at.wrapping_add(beside).wrapping_sub(2))
    }

    fn prefix(&mut self) -> String {
        let (address, length) = (self.address(), self.rng.one_of(&[8, 13, 16, 20, 24, 27, 31, 32]));
        format!("{}/{length}", Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - length))))
    }

    fn range(&mut self) -> String {
        let (a, b) = (self.address(), self.address());
        if a == b { a.to_string() } else { format!("{}-{}", a.min(b), a.max(b)) }
    }

    fn matches(&mut self, hook: &str) -> String {
        let side = self.rng.pick(&["saddr", "daddr"]);
        let not = self.rng.pick(&["", "", "!= "]);
        let incoming = !matches!(hook, "output" | "egress" | "postrouting");
        let nic = self.rng.below(self.nics);
        match self.rng.below(100) {
            0..=19 => format!("arp {side} ip {not}{}", self.address()),
            20..=29 => format!("arp {side} ip {not}{}", self.prefix()),
            30..=34 => format!("arp {side} ip {not}{}", self.range()),
            35..=37 => format!("arp {side} ip {} {}", self.rng.pick(&["<", "<=", ">", ">="]), self.address()),
            38..=44 => {
                format!("arp {side} ip {not}{{ {}, {}, {} }}", self.address(), self.address(), self.address())
            }
            // Not overlapping, or nft refuses the set.
            45..=50 => format!(
                "arp {side} ip {not}{{ 10.1.0.0-10.1.0.3, 10.2.0.0/24, {}/32 }}",
                self.rng.pick(&["8.8.8.8", "10.1.0.200"])
            ),
            51..=54 => format!("arp {side} ip {not}@known"),
            55..=58 => format!(
                "arp saddr ip . arp daddr ip {{ {} . {}, {} . {} }}",
                self.address(),
                self.address(),
                self.address(),
                self.address()
            ),
            59..=61 => format!("arp saddr ip . arp daddr ip {{ {} . 10.0.0.0/8 }}", self.prefix()),
            62..=69 => format!("arp operation {not}{}", self.rng.pick(&["request", "reply"])),
            70 => "arp htype 1 arp plen 4".into(),
            71..=74 => format!("ether type {}", self.rng.pick(&["arp", "ip"])),
            75..=77 => format!("ether daddr {not}ff:ff:ff:ff:ff:ff"),
            78 => format!("ether saddr {not}02:00:00:00:01:0{nic}"),
            79..=81 => format!("meta protocol {}", self.rng.pick(&["arp", "ip"])),
            82..=85 => format!("meta pkttype {}", self.rng.pick(&["broadcast", "host", "other"])),
            86..=92 => {
                let names = [format!("\"eth{nic}\""), "\"eth*\"".into(), "\"br0\"".into()];
                let name = &names[self.rng.below(3)];
                // Now and then by the direction that this hook has not.
                let iif = incoming != self.rng.percent(10);
                format!("{} {not}{name}", if iif { "iifname" } else { "oifname" })
            }
            93 => format!("{} eth{nic}", if incoming { "iif" } else { "oif" }),
            94..=95 => "meta mark 0x5".into(),
            96 => format!("@nh,192,16 {not}0x0a01"),
            97 => {
                // No ranges of addresses have these last bytes.
                self.undecided = true;
                "@nh,208,16 0x0001".into()
            }
            98 => format!("{} default", if incoming { "iifgroup" } else { "oifgroup" }),
            _ => {
                self.undecided = true;
                "limit rate 1/hour".into()
            }
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
                format!(
                    "arp {} ip vmap {{ {}/32 : drop, 10.2.0.0/24 : {verdict}, 10.1.0.0-10.1.0.20 : accept }}",
                    self.rng.pick(&["saddr", "daddr"]),
                    self.rng.pick(&["8.8.8.8", "10.3.0.1"])
                )
            }
            // What is not for bridges may be written into: these say what they send on elsewhere.
            87..=92 if family != "bridge" => format!("arp saddr ip set {}", self.address()),
            93..=95 if family != "bridge" && hook != "output" => {
                format!("arp daddr ip set {}", self.address())
            }
            96..=97 => "arp saddr ether set 02:00:00:00:0f:0f".into(),
            _ => "continue".into(),
        }
    }
}
