//! What of a proof differs by family: who stands for all that ask, how they ask, and for which addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::contradiction::Evidence;
use super::prover::{Hosts, Proof, Prover};
use super::row::{Asker, Fate, Row};
use crate::predict::{Request, SolicitorClass, Verdict, solicitors};
use crate::snapshot::Address;
use crate::types::{IfIndex, IpNet, Ipv6Net};

/// fe80::/10: whoever solicits may do so from such an address.
const LINK_LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);

impl Prover<'_> {
    /// By unicast or not: requests are asked about both ways, solicitations as they go to all.
    pub(super) const fn ways(target: IpAddr) -> &'static [bool] {
        match target {
            IpAddr::V4(_) => &[false, true],
            IpAddr::V6(_) => &[false],
        }
    }

    /// The classes of those who ask for IPv6 addresses.
    pub(crate) fn solicitors(&self) -> &[SolicitorClass] {
        self.solicitors.get_or_init(|| solicitors(&[self.model.snapshot()]))
    }

    /// Whether an interface answers nobody for an address, as is seen without asking.
    pub(super) fn certainly_silent(&self, interface: IfIndex, target: IpAddr) -> bool {
        match target {
            IpAddr::V4(target) => self.model.never_answers(interface, target),
            IpAddr::V6(target) => self.model.never_advertised(interface, target),
        }
    }

    /// How those fare that ask an interface for an address.
    pub(super) fn row(&mut self, interface: IfIndex, target: IpAddr) -> Rc<Row> {
        if let IpAddr::V4(target) = target {
            let class = self.view(interface).targets.class_of(target);
            return self.row_of_class(interface, class as u32);
        }
        let one_answers = self.answers_alone(interface);
        let mut row = Row::default();
        for (class, asking) in (0..).zip(self.solicitors()) {
            if self.stop.is_raised() || (one_answers && row.answered.is_some()) {
                break;
            }
            let request = self.request(interface, asking.one.into(), target, false);
            row.ask(&self.model, Some(class), [request]);
        }
        Rc::new(row)
    }

    /// How many requests stand for all those to an interface for one address: one for each class of senders and one
    /// for the target itself, each sent to all and to the interface alone; of IPv6, one for each class of senders.
    pub(super) fn cases(&mut self, interface: IfIndex, target: IpAddr) -> u64 {
        let IpAddr::V4(target) = target else { return self.solicitors().len() as u64 };
        let senders = self.senders(interface);
        if let Some((of, latest, cases)) = &self.counted
            && (Rc::ptr_eq(of, &senders) && *latest == target)
        {
            return *cases;
        }
        // A class of which the target is the only member asks for itself.
        let itself = senders.members[senders.class_of(target)].other.is_none();
        let cases = 2 * (senders.classes() as u64 + u64::from(!itself));
        self.counted = Some((senders, target, cases));
        cases
    }

    /// The classes of senders that would ask an interface for `target`, each with an example: its
    /// neighbours in the subnets around the target or, where none is, in any. Of IPv6, in any of its subnets, or in those of the
    /// host around the target where it has none. No class comes twice.
    pub(super) fn neighbours(&mut self, interface: IfIndex, target: IpAddr) -> Rc<Hosts> {
        let subnets: Vec<IpNet> = match target {
            IpAddr::V4(target) => {
                let all = self.index.subnets(interface);
                let around = all.iter().any(|subnet| subnet.contains(&target));
                let near = all.iter().filter(|subnet| !around || subnet.contains(&target));
                near.copied().map(IpNet::V4).collect()
            }
            IpAddr::V6(_) => {
                let own: Vec<IpNet> =
                    self.index.held(interface).iter().filter_map(|held| global(held)).collect();
                let of_the_host = self.model.snapshot().addresses.iter().filter_map(global);
                match own.is_empty() {
                    true => of_the_host.filter(|subnet| subnet.contains(&target)).collect(),
                    false => own,
                }
            }
        };
        self.hosts_in(interface, target, subnets)
    }

    /// The classes of senders that are hosts of `subnets` or, where an IPv6 address is asked for, have a link-local address;
    /// each with an example.
    pub(super) fn hosts_in(
        &mut self,
        interface: IfIndex,
        target: IpAddr,
        mut subnets: Vec<IpNet>,
    ) -> Rc<Hosts> {
        if target.is_ipv6() {
            subnets.push(IpNet::V6(LINK_LOCAL));
        }
        let (solicitors, senders) = match target {
            IpAddr::V4(_) => (&[][..], Some(self.senders(interface))),
            IpAddr::V6(_) => {
                (self.solicitors.get_or_init(|| solicitors(&[self.model.snapshot()])).as_slice(), None)
            }
        };
        // A subnet with very many single routes has as many intervals: they are gone through once.
        let space = &self.space;
        let own = senders.as_ref().filter(|senders| !space.is_common(senders)).map(|_| interface);
        let hosts = self.hosts.entry((own, subnets)).or_insert_with_key(|(_, subnets)| {
            let mut seen =
                vec![false; senders.as_ref().map_or(solicitors.len(), |senders| senders.classes())];
            let mut found = Vec::new();
            let mut add = |class: u32, example: IpAddr| {
                if !std::mem::replace(&mut seen[class as usize], true) {
                    found.push((class, example));
                }
            };
            for subnet in subnets {
                if let (IpNet::V4(subnet), Some(senders)) = (subnet, &senders) {
                    let hosts = space.neighbours(*subnet);
                    hosts.for_each(|(interval, host)| add(senders.of[interval], Ipv4Addr::from(host).into()));
                }
                let of_subnet =
                    (0..).zip(solicitors).filter(|(_, class)| subnet.contains(&IpAddr::V6(class.one)));
                of_subnet.for_each(|(class, asking)| add(class, asking.one.into()));
            }
            Rc::new(found)
        });
        Rc::clone(hosts)
    }

    /// A sender that may well ask `interface`, for an example of silence.
    pub(super) fn somebody(&mut self, interface: IfIndex, target: IpAddr) -> IpAddr {
        let neighbours = self.neighbours(interface, target);
        let other = neighbours.iter().map(|(_, example)| *example).find(|example| *example != target);
        other.unwrap_or_else(|| match target {
            IpAddr::V4(_) => self.model.snapshot().elsewhere().into(),
            IpAddr::V6(_) => LINK_LOCAL.addr().into(),
        })
    }

    /// Of an IPv6 prefix: whatever an interface may have to answer for, and one that stands for all others. These are answered
    /// nowhere, but that something beside the kernel may answer for each.
    pub(super) fn who_may_be_answered_for(&self, targets: Ipv6Net) -> Vec<IpAddr> {
        let snapshot = self.model.snapshot();
        let held = snapshot.addresses.iter().map(|held| held.local);
        let proxied = snapshot.proxies.iter().map(|entry| entry.address);
        let on = snapshot.discovery.iter().flat_map(|discovery| &discovery.interfaces);
        let anycast = on.flat_map(|on| &on.anycast).copied().map(IpAddr::V6);
        let within = |target: &IpAddr| IpNet::V6(targets).contains(target);
        let mut found: BTreeSet<IpAddr> = held.chain(proxied).chain(anycast).filter(within).collect();
        let mut all = targets.network().to_bits()..=targets.broadcast().to_bits();
        let other = all.find(|other| !found.contains(&Ipv6Addr::from_bits(*other).into()));
        found.extend(other.map(|other| IpAddr::V6(Ipv6Addr::from_bits(other))));
        found.into_iter().collect()
    }

    /// What becomes of a request.
    pub(super) fn fate(&self, interface: IfIndex, sender: IpAddr, target: IpAddr, unicast: bool) -> Fate {
        Fate::of(&self.model.answer(&self.request(interface, sender, target, unicast)))
    }

    pub(super) fn asked(
        &self,
        interface: IfIndex,
        sender: IpAddr,
        target: IpAddr,
        unicast: bool,
    ) -> Evidence {
        let request = self.request(interface, sender, target, unicast);
        Evidence::Request { request, verdict: self.model.answer(&request) }
    }

    /// A request from `sender`, with the MAC that it has where an entry tells.
    fn request(&self, interface: IfIndex, sender: IpAddr, target: IpAddr, unicast: bool) -> Request {
        let mac = match sender {
            IpAddr::V4(_) => None,
            IpAddr::V6(sender) => self.model.fixed_mac(interface, sender),
        };
        let probe = Request::probe(interface, target);
        Request::new(interface, (sender, mac), target, unicast).unwrap_or(probe)
    }

    /// The request of a host that gets an answer or, where none does, of `asker`, who does.
    pub(super) fn answered(&mut self, interface: IfIndex, target: IpAddr, asker: Asker) -> Evidence {
        match self.answered_host(&[interface], target) {
            Some((sender, unicast)) => self.asked(interface, sender, target, unicast),
            None => self.evidence(interface, target, asker),
        }
    }

    pub(super) fn undetermined(&mut self, interface: IfIndex, target: IpAddr, asker: Asker) -> Proof {
        match self.evidence(interface, target, asker) {
            Evidence::Request { request, verdict: Verdict::Undetermined { missing } } => {
                Proof::Undetermined { missing, request }
            }
            other => self.refuted(vec![other]),
        }
    }

    /// The request of `asker` for `target` itself, which is of the class that was evaluated.
    fn evidence(&mut self, interface: IfIndex, target: IpAddr, asker: Asker) -> Evidence {
        let sender = match target {
            IpAddr::V4(address) => {
                let view = self.view(interface);
                let member = |class: u32| view.senders.members[class as usize].except(address.into());
                asker.class.and_then(member).map(|sender| Ipv4Addr::from(sender).into())
            }
            IpAddr::V6(_) => asker.class.map(|class| self.solicitors()[class as usize].one.into()),
        };
        self.asked(interface, sender.unwrap_or(target), target, asker.unicast)
    }
}

/// The subnet of an IPv6 address where others live, unless it is that of link-local ones.
fn global(held: &Address) -> Option<IpNet> {
    match held.subnet() {
        IpNet::V6(net) if net.prefix_len() < 128 && !net.addr().is_unicast_link_local() => {
            Some(net.trunc().into())
        }
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}
