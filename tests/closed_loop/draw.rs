//! A random but plausible host, with neighbours on its wires and guests behind it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use arpflux_core::types::Mac;
use arpflux_lab::{Host, Lab, NewRoute, NewRule, Switch};

use crate::rng::Rng;

/// The host under test and those around it.
pub struct Site {
    _lab: Lab,
    pub node: Host,
    /// One on each wire, with its interface `eth0` and the wire's subnets: the address is the first of each.
    pub peers: Vec<(Host, Vec<Subnet>)>,
    /// Containers and guests, each with an address.
    pub guests: Vec<(Host, Ipv4Addr)>,
    /// What it is made of, for the report of a fault.
    pub words: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub struct Subnet(pub [u8; 3]);

impl Subnet {
    pub fn host(self, last: u8) -> Ipv4Addr {
        let Self([a, b, c]) = self;
        Ipv4Addr::new(a, b, c, last)
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.octets()[..3] == self.0
    }

    fn text(self) -> String {
        format!("{}/24", self.host(0))
    }
}

/// What stands on a wire: an interface with the addresses that have a subnet there.
struct Nic {
    name: String,
    wire: usize,
    held: Vec<(Subnet, Ipv4Addr)>,
}

struct Draw<'r> {
    rng: &'r mut Rng,
    switches: Vec<Switch>,
    subnets: Vec<Vec<Subnet>>,
    used: BTreeSet<Ipv4Addr>,
    nics: Vec<Nic>,
    site: Site,
}

const SUBNETS: [Subnet; 4] =
    [Subnet([10, 0, 1]), Subnet([10, 0, 2]), Subnet([192, 0, 2]), Subnet([203, 0, 113])];

pub fn draw(rng: &mut Rng) -> Site {
    let lab = Lab::new().unwrap();
    let node = lab.host("node").unwrap();
    let site = Site { node, peers: Vec::new(), guests: Vec::new(), words: Vec::new(), _lab: lab };
    let mut draw = Draw {
        rng,
        switches: Vec::new(),
        subnets: Vec::new(),
        used: BTreeSet::new(),
        nics: Vec::new(),
        site,
    };
    draw.wires();
    for number in 0..draw.rng.one_of(&[1, 2, 2, 3, 3, 4]) {
        draw.nic(number);
    }
    for _ in 0..draw.rng.one_of(&[0, 0, 1, 1, 2]) {
        draw.extra();
    }
    let gateway = draw.subnets[0][0];
    if draw.nics.iter().any(|nic| nic.wire == 0 && nic.held.iter().any(|(net, _)| net.0 == gateway.0)) {
        draw.site.node.route(&NewRoute::to("0.0.0.0/0").unwrap().via(gateway.host(1).into())).unwrap();
    }
    draw.rules_of_others();
    draw.sysctls();
    draw.site
}

impl Draw<'_> {
    fn wires(&mut self) {
        let mut left = SUBNETS.to_vec();
        for wire in 0..self.rng.one_of(&[1, 1, 2, 2]) {
            let switch = self.site._lab.switch(&format!("wire{wire}")).unwrap();
            let count = if self.rng.percent(20) { 2 } else { 1 };
            let nets: Vec<Subnet> = (0..count).map(|_| left.remove(self.rng.below(left.len()))).collect();
            let peer = self.site._lab.host(&format!("peer{wire}")).unwrap();
            peer.plug(&switch, "eth0", Mac::ethernet([2, 0, 0, 1, 0, wire as u8])).unwrap();
            for net in &nets {
                peer.address("eth0", &format!("{}/24", net.host(1))).unwrap();
                self.used.insert(net.host(1));
            }
            // A router would tell guests that other networks are unreachable, and ask for them from its first address
            // meanwhile: where strict validation lets only one of its addresses be answered by each card, whether
            // they reach the others would hang on who asked first.
            peer.sysctl("net.ipv4.ip_forward", 0).unwrap();
            self.site.peers.push((peer, nets.clone()));
            self.switches.push(switch);
            self.subnets.push(nets);
        }
    }

    fn address(&mut self, wire: usize) -> (Subnet, Ipv4Addr) {
        loop {
            let nets = &self.subnets[wire];
            let net = nets[self.rng.below(nets.len())];
            let address = net.host(10 + self.rng.below(200) as u8);
            if self.used.insert(address) {
                return (net, address);
            }
        }
    }

    fn nic(&mut self, number: usize) {
        let wire = if number == 0 || self.rng.percent(70) { 0 } else { self.rng.below(self.switches.len()) };
        let kinds = ["plain", "plain", "plain", "plain", "bridge", "macvlan", "down", "empty"];
        let kind = if number == 0 { self.rng.pick(&kinds[..6]) } else { self.rng.pick(&kinds) };
        let node = self.site.node.clone();
        let eth = format!("eth{number}");
        let mac = Mac::ethernet([2, 0, 0, 0, 0, number as u8]);
        node.plug(&self.switches[wire], &eth, mac).unwrap();
        let mut name = eth.clone();
        if kind == "bridge" {
            name = format!("vmbr{number}");
            node.bridge(&name, &[&eth]).unwrap();
            node.up(&name).unwrap();
        }
        let mut held = Vec::new();
        for _ in 0..if kind == "empty" { 0 } else { self.rng.one_of(&[1, 1, 1, 2]) } {
            let (net, address) = self.address(wire);
            let length = if self.rng.percent(8) { 32 } else { 24 };
            node.address(&name, &format!("{address}/{length}")).unwrap();
            if length < 32 {
                held.push((net, address));
            }
            self.site.words.push(format!("{name} ({kind}, wire {wire}) {address}/{length}"));
        }
        if kind == "empty" {
            self.site.words.push(format!("{name} (wire {wire}) without an address"));
        }
        if kind == "macvlan" {
            let (_, address) = self.address(wire);
            let length = if self.rng.percent(60) { 24 } else { 32 };
            let macvlan = format!("mv{number}");
            node.macvlan(&eth, &macvlan, 4, Mac::ethernet([2, 0, 0, 0, 1, number as u8])).unwrap();
            node.up(&macvlan).unwrap();
            node.address(&macvlan, &format!("{address}/{length}")).unwrap();
            self.site.words.push(format!("{macvlan} on {eth} {address}/{length}"));
        }
        if kind == "down" {
            node.carrier(&eth, false).unwrap();
        }
        self.nics.push(Nic { name, wire, held });
    }

    fn guest(&mut self, interface: &str, address: Ipv4Addr, length: u8) -> Host {
        let guest = self.site._lab.host(interface).unwrap();
        self.site.node.connect(interface, &guest, "eth0").unwrap();
        guest.address("eth0", &format!("{address}/{length}")).unwrap();
        self.site.node.sysctl("net.ipv4.ip_forward", 1).unwrap();
        self.site.guests.push((guest.clone(), address));
        guest
    }

    fn extra(&mut self) {
        let number = self.site.guests.len();
        let with_subnet: Vec<usize> =
            (0..self.nics.len()).filter(|at| !self.nics[*at].held.is_empty()).collect();
        let kind = self.rng.pick(&["container", "container", "docker", "service"]);
        if kind == "docker" {
            let (port, bridge) = (format!("vd{number}"), format!("docker{number}"));
            let net = Subnet([172, 17, number as u8]);
            let guest = self.guest(&port, net.host(2), 24);
            self.site.node.bridge(&bridge, &[&port]).unwrap();
            self.site.node.up(&bridge).unwrap();
            self.site.node.address(&bridge, &format!("{}/24", net.host(1))).unwrap();
            guest.route(&NewRoute::to("0.0.0.0/0").unwrap().via(net.host(1).into())).unwrap();
            self.site.words.push(format!("{bridge} with a guest"));
            return;
        }
        if with_subnet.is_empty() {
            return;
        }
        let nic = with_subnet[self.rng.below(with_subnet.len())];
        let (_, address) = self.address(self.nics[nic].wire);
        if kind == "service" {
            self.site.node.address("lo", &format!("{address}/32")).unwrap();
            self.site.words.push(format!("lo {address}/32"));
            return;
        }
        let veth = format!("ve{number}");
        let guest = self.guest(&veth, address, 32);
        guest.route(&NewRoute::to("0.0.0.0/0").unwrap().device("eth0").unwrap()).unwrap();
        let node = &self.site.node;
        node.route(&NewRoute::to(&format!("{address}/32")).unwrap().device(&veth).unwrap()).unwrap();
        node.sysctl(&format!("net/ipv4/conf/{veth}/proxy_arp"), 1).unwrap();
        let everywhere = self.rng.percent(50);
        for at in if everywhere { with_subnet } else { vec![nic] } {
            node.proxy(&self.nics[at].name, address.into()).unwrap();
        }
        self.site.words.push(format!(
            "{veth} {address}, published on {}",
            match everywhere {
                true => "each",
                false => &self.nics[nic].name,
            }
        ));
    }

    fn rules_of_others(&mut self) {
        let style = self.rng.pick(&["none", "none", "none", "tables", "defaults only", "but the first"]);
        if style == "none" {
            return;
        }
        self.site.words.push(format!("rules by source of others: {style}"));
        for (number, nic) in self.nics.iter().filter(|nic| !nic.held.is_empty()).enumerate() {
            if style == "but the first" && number == 0 {
                continue;
            }
            let (net, source) = nic.held[0];
            let table = 101 + number as u32;
            let route = |to: &str| NewRoute::to(to).unwrap().device(&nic.name).unwrap().table(table);
            if style != "defaults only" {
                self.site.node.route(&route(&net.text()).source(source.into())).unwrap();
            }
            let default = route("0.0.0.0/0").via(net.host(1).into());
            if self.site.node.route(&default).is_err() {
                continue;
            }
            for (_, held) in &nic.held {
                let rule = NewRule::lookup(table).from(&format!("{held}/32")).unwrap();
                self.site.node.rule(&rule.priority(1000 + number as u32)).unwrap();
            }
        }
    }

    fn sysctls(&mut self) {
        let names: Vec<String> =
            ["all".to_owned()].into_iter().chain(self.nics.iter().map(|nic| nic.name.clone())).collect();
        let knobs: [(&str, &[u8], u64); 7] = [
            ("rp_filter", &[0, 1, 2], 70),
            ("rp_filter", &[0, 1, 2], 30),
            ("arp_ignore", &[1, 1, 2, 8], 25),
            ("arp_announce", &[1, 2], 25),
            ("arp_filter", &[1], 20),
            ("proxy_arp", &[1], 15),
            ("accept_local", &[1], 10),
        ];
        for (at, (sysctl, values, percent)) in knobs.into_iter().enumerate() {
            if self.rng.percent(percent) {
                let name = if at == 0 { "all" } else { &names[self.rng.below(names.len())] };
                let value = self.rng.one_of(values);
                self.site.node.sysctl(&format!("net/ipv4/conf/{name}/{sysctl}"), value).unwrap();
                self.site.words.push(format!("{name}.{sysctl}={value}"));
            }
        }
        // In hundredths of a second: answers for proxied addresses are to be there soon.
        for nic in &self.nics {
            self.site.node.sysctl(&format!("net/ipv4/neigh/{}/proxy_delay", nic.name), 5).unwrap();
        }
        if self.rng.percent(40) {
            self.site.node.sysctl("net.ipv4.ip_forward", 1).unwrap();
        }
    }
}
