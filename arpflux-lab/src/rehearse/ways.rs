//! Packets between a twin and those around it: neighbours, gateways, guests, and the rest of the world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use arpflux_core::harm::{Around, ELSEWHERE};
use arpflux_core::outward::{RehearsedWay, WayEnd, WayHost};
use arpflux_core::predict::Neighbours;
use arpflux_core::snapshot::{Interface, MacvlanMode, Scope, Snapshot, WireMap};
use arpflux_core::types::{IfIndex, Ipv4Net, Mac};
use arpflux_core::words::counted;
use arpflux_core::{Error, ErrorKind, Result};

use crate::twin::{CARD, Twin};
use crate::{Host, NewRoute, ping};

/// The most hosts that are made around a twin.
const PLACES_MOST: usize = 64;
/// The most ways that are tried.
const WAYS_MOST: usize = 1024;
/// The most addresses of the host that each is tried with.
const OWN_MOST: usize = 16;
/// What guests send everything to (as pods of Calico do); they are told its MAC, since who answers is asked elsewhere.
const GUEST_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// How gateways and the rest of the world reach each other.
const FAR_NET: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// Who lives around a twin, and what is tried between them.
pub(super) struct Ways {
    places: Vec<Place>,
    world: Option<Host>,
    tries: Vec<Try>,
}

/// A host around the twin.
struct Place {
    host: Host,
    who: WayHost,
    /// Its addresses: one, but for what stands for several guests.
    addresses: Vec<Ipv4Addr>,
    subnet: Option<Ipv4Net>,
    /// The interface of the twin on whose link it is.
    interface: IfIndex,
    /// Its own card, where it is taken from its wire while that is asked: it has addresses that are asked for there.
    card: Option<&'static str>,
}

/// Where an echo request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Twin,
    Place(usize),
    World,
}

/// An echo request.
struct Try {
    start: Start,
    source: Option<Ipv4Addr>,
    target: Ipv4Addr,
    from: WayEnd,
    to: WayEnd,
}

impl Ways {
    /// Makes the hosts around a twin, and chooses what is tried.
    pub(super) fn new(twin: &mut Twin, snapshot: &Snapshot, open: &mut Vec<String>) -> Result<Self> {
        let around = Around::of(snapshot);
        let mut this = Self { places: Vec::new(), world: None, tries: Vec::new() };
        this.make_neighbours(twin, snapshot, &around, open)?;
        this.make_guests(twin, snapshot, &around, open)?;
        let near_far = this.places.iter().any(|place| place.subnet.is_some_and(|net| overlap(net, FAR_NET)));
        if near_far {
            open.push(format!(
                "the rest of the world is not tried: {FAR_NET}, where it stands, is a subnet here"
            ));
        } else {
            this.make_world(twin)?;
        }
        this.choose(snapshot);
        if let more @ 1.. = this.tries.len().saturating_sub(WAYS_MOST) {
            open.push(format!("{more} of {} ways of packets: they are too many", this.tries.len()));
            this.tries.truncate(WAYS_MOST);
        }
        this.plug_in(false)?;
        Ok(this)
    }

    /// A neighbour in each subnet of each wire, and the gateways.
    fn make_neighbours(
        &mut self,
        twin: &Twin,
        snapshot: &Snapshot,
        around: &Around,
        open: &mut Vec<String>,
    ) -> Result<()> {
        let map = WireMap::of(snapshot);
        let mut neighbours = Neighbours::new(snapshot);
        let mut done = BTreeSet::new();
        let mut left = 0;
        for (index, subnets) in &around.subnets {
            let Some(wire) = map.number(*index).filter(|_| twin.has(*index)) else { continue };
            for subnet in subnets.iter().filter(|subnet| done.insert((wire, **subnet))) {
                let on_wire = around.gateways.iter().filter(|(on, _)| map.number(**on) == Some(wire));
                let gateways: BTreeSet<Ipv4Addr> =
                    on_wire.flat_map(|(_, all)| all).copied().filter(|one| subnet.contains(one)).collect();
                let other = neighbours.of(*index, subnet.network());
                let neighbour = (!gateways.contains(&other)).then_some((other, WayHost::Neighbour));
                let hosts = gateways.iter().map(|gateway| (*gateway, WayHost::Gateway)).chain(neighbour);
                for (address, who) in hosts {
                    if self.places.len() >= PLACES_MOST {
                        left += 1;
                        continue;
                    }
                    let mac = mac_of(snapshot, &map, wire, address);
                    let make = || -> Result<Option<Host>> {
                        let made = twin.neighbour(wire, who_in_words(who), mac)?;
                        let Some((host, card)) = made else { return Ok(None) };
                        host.address(&card, &format!("{address}/{}", subnet.prefix_len()))?;
                        Ok(Some(host))
                    };
                    match make() {
                        Ok(host) => self.places.extend(host.map(|host| Place {
                            host,
                            who,
                            addresses: vec![address],
                            subnet: Some(*subnet),
                            interface: *index,
                            card: None,
                        })),
                        Err(error) => open.push(format!("packets of {address}: {error}")),
                    }
                }
            }
        }
        if left > 0 {
            open.push(format!("packets of {}: they are too many", counted(left, "neighbour", "neighbours")));
        }
        Ok(())
    }

    /// Who is behind interfaces of the host: all behind one of them stand on one host.
    fn make_guests(
        &mut self,
        twin: &mut Twin,
        snapshot: &Snapshot,
        around: &Around,
        open: &mut Vec<String>,
    ) -> Result<()> {
        let map = WireMap::of(snapshot);
        for (index, guests) in &around.routed {
            let Some(near) = snapshot.interface(*index).filter(|_| twin.has(*index)) else { continue };
            let mut not_tried = |why: &str| {
                open.push(format!("packets of {} behind {}: {why}", in_words(guests), near.name));
            };
            // Its siblings are heard by macvlans alone, and not on the wire.
            if near.macvlan_mode == Some(MacvlanMode::Bridge) {
                not_tried("who is on a macvlan is not built");
                continue;
            }
            if self.places.len() >= PLACES_MOST {
                not_tried("they are too many");
                continue;
            }
            match make_guest(twin, map.number(*index), near, guests) {
                // Behind a veth pair that is here whole, they are on the host itself.
                Ok(None) => {}
                Ok(Some((host, card))) => self.places.push(Place {
                    host,
                    who: WayHost::Guest,
                    addresses: guests.clone(),
                    subnet: None,
                    interface: *index,
                    card,
                }),
                Err(error) => not_tried(&error.to_string()),
            }
        }
        Ok(())
    }

    /// The rest of the world: one host that all gateways lead to, and that answers by the gateway of each subnet.
    fn make_world(&mut self, twin: &Twin) -> Result<()> {
        let mut led: BTreeMap<Ipv4Net, usize> = BTreeMap::new();
        for (number, place) in
            self.places.iter().enumerate().filter(|(_, place)| place.who == WayHost::Gateway)
        {
            led.extend(
                place.subnet.filter(|subnet| !led.contains_key(subnet)).map(|subnet| (subnet, number)),
            );
        }
        if led.is_empty() {
            return Ok(());
        }
        let switch = twin.far_switch()?;
        let world = twin.far_host()?;
        world.plug(&switch, CARD, Mac::NONE)?;
        world.address(CARD, &format!("{ELSEWHERE}/{}", FAR_NET.prefix_len()))?;
        const FAR: &str = "far";
        let gateways = self.places.iter().enumerate().filter(|(_, place)| place.who == WayHost::Gateway);
        for ((number, place), address) in gateways.zip(FAR_NET.hosts()) {
            place.host.plug(&switch, FAR, Mac::NONE)?;
            place.host.address(FAR, &format!("{address}/{}", FAR_NET.prefix_len()))?;
            place.host.sysctl("net.ipv4.ip_forward", 1)?;
            place.host.route(&NewRoute::to("0.0.0.0/0")?.device(FAR)?.via(ELSEWHERE.into()))?;
            for (subnet, _) in led.iter().filter(|(_, leads)| **leads == number) {
                world.route(&NewRoute::to(&subnet.to_string())?.device(CARD)?.via(address.into()))?;
            }
        }
        self.world = Some(world);
        Ok(())
    }

    fn choose(&mut self, snapshot: &Snapshot) {
        let own = snapshot.addresses.iter().filter(|held| held.scope < Scope::HOST);
        let own: BTreeSet<Ipv4Addr> = own
            .filter_map(|held| match held.local {
                IpAddr::V4(local) if !local.is_loopback() => Some(local),
                _ => None,
            })
            .collect();
        let host = |address| WayEnd { who: WayHost::Host, address, interface: None };
        let far = || WayEnd { who: WayHost::Elsewhere, address: None, interface: None };
        let end = |place: &Place, address| WayEnd {
            who: place.who,
            address: Some(address),
            interface: snapshot.interface(place.interface).map(|one| one.name),
        };
        let mut tries = Vec::new();
        let mut add = |start, from: &WayEnd, to: &WayEnd| {
            let source = from.address;
            let target = if to.who == WayHost::Elsewhere { Some(ELSEWHERE) } else { to.address };
            let new = target.map(|target| Try { start, source, target, from: from.clone(), to: to.clone() });
            tries.extend(new);
        };
        let guests: Vec<WayEnd> = self
            .places
            .iter()
            .filter(|place| place.who == WayHost::Guest)
            .flat_map(|place| place.addresses.iter().map(|address| end(place, *address)))
            .collect();
        let reached = |subnet: Option<Ipv4Net>, who: &WayEnd| {
            subnet.is_none_or(|subnet| who.address.is_some_and(|address| subnet.contains(&address)))
        };
        for (number, place) in self.places.iter().enumerate() {
            for address in &place.addresses {
                let other = end(place, *address);
                add(Start::Twin, &host(None), &other);
                let near = own.iter().map(|own| host(Some(*own)));
                for own in near.filter(|own| reached(place.subnet, own)).take(OWN_MOST) {
                    add(Start::Place(number), &other, &own);
                    add(Start::Twin, &own, &other);
                }
                for guest in
                    guests.iter().filter(|guest| place.subnet.is_some() && reached(place.subnet, guest))
                {
                    add(Start::Place(number), &other, guest);
                    let behind = self.places.iter().position(|place| {
                        place.who == WayHost::Guest
                            && guest.address.is_some_and(|one| place.addresses.contains(&one))
                    });
                    behind.into_iter().for_each(|behind| add(Start::Place(behind), guest, &other));
                }
            }
        }
        let led = |who: &WayEnd| {
            let mut gateways = self.places.iter().filter(|place| place.who == WayHost::Gateway);
            gateways.any(|gateway| reached(gateway.subnet, who))
        };
        if self.world.is_some() {
            add(Start::Twin, &host(None), &far());
            for own in own.iter().map(|own| host(Some(*own))).filter(led).take(OWN_MOST) {
                add(Start::Twin, &own, &far());
                add(Start::World, &far(), &own);
            }
            for (number, place) in
                self.places.iter().enumerate().filter(|(_, place)| place.who == WayHost::Guest)
            {
                for guest in place.addresses.iter().map(|address| end(place, *address)).filter(led) {
                    add(Start::Place(number), &guest, &far());
                    add(Start::World, &far(), &guest);
                }
            }
        }
        self.tries = tries;
    }

    /// Tries all ways; which are answered. Nobody knows anybody's MAC when it begins, nor when it ends.
    pub(super) fn try_all(&self, twin: &Twin) -> Result<Vec<bool>> {
        self.plug_in(true)?;
        self.forget(twin)?;
        let mut answered = vec![false; self.tries.len()];
        // What the twin learns of those who send to it is forgotten before it has to ask by itself.
        self.try_from(twin, |start| start != Start::Twin, &mut answered)?;
        self.forget(twin)?;
        self.try_from(twin, |start| start == Start::Twin, &mut answered)?;
        self.plug_in(false)?;
        self.forget(twin)?;
        Ok(answered)
    }

    /// All hosts that send do so at once.
    fn try_from(&self, twin: &Twin, of: impl Fn(Start) -> bool, answered: &mut [bool]) -> Result<()> {
        let mut by_start: BTreeMap<Start, Vec<usize>> = BTreeMap::new();
        for (place, one) in self.tries.iter().enumerate().filter(|(_, one)| of(one.start)) {
            by_start.entry(one.start).or_default().push(place);
        }
        std::thread::scope(|scope| {
            let running: Vec<_> = by_start
                .iter()
                .map(|(start, places)| (places, scope.spawn(|| self.send(twin, *start, places))))
                .collect();
            for (places, thread) in running {
                let found = thread.join().map_err(|_| {
                    Error::new(ErrorKind::Internal, "a thread that sends echo requests panicked")
                })??;
                places.iter().zip(found).for_each(|(place, found)| answered[*place] = found);
            }
            Ok(())
        })
    }

    fn send(&self, twin: &Twin, start: Start, places: &[usize]) -> Result<Vec<bool>> {
        let requests: Vec<_> =
            places.iter().map(|place| (self.tries[*place].source, self.tries[*place].target)).collect();
        let host = match start {
            Start::Twin => Some(twin.host()),
            Start::Place(number) => self.places.get(number).map(|place| &place.host),
            Start::World => self.world.as_ref(),
        };
        host.map_or_else(|| Ok(vec![false; places.len()]), |host| host.run(|| ping::all(&requests))?)
    }

    fn forget(&self, twin: &Twin) -> Result<()> {
        let places = self.places.iter().map(|place| &place.host);
        places.chain(&self.world).chain([twin.host()]).try_for_each(Host::forget_neighbours)
    }

    fn plug_in(&self, there: bool) -> Result<()> {
        let cards = self.places.iter().filter_map(|place| Some((&place.host, place.card?)));
        cards.into_iter().try_for_each(|(host, card)| host.carrier(card, there))
    }

    /// What became of each way.
    pub(super) fn report(self, before: &[bool], after: &[bool]) -> Vec<RehearsedWay> {
        let pairs = self.tries.into_iter().zip(before.iter().zip(after));
        pairs.map(|(one, (before, after))| RehearsedWay::new(one.from, one.to, *before, *after)).collect()
    }
}

/// A host with the addresses of all who are behind an interface; and its card, if it is on a wire that is asked.
fn make_guest(
    twin: &mut Twin,
    wire: Option<usize>,
    near: &Interface,
    guests: &[Ipv4Addr],
) -> Result<Option<(Host, Option<&'static str>)>> {
    let who = who_in_words(WayHost::Guest);
    let address = |host: &Host, card: &str| {
        guests.iter().try_for_each(|guest| host.address(card, &format!("{guest}/32")))
    };
    if let Some((host, card)) = twin.behind(near.index, who)? {
        address(&host, &card)?;
        return Ok(Some((host, None)));
    }
    let Some((host, card)) = wire.map(|wire| twin.neighbour(wire, who, Mac::NONE)).transpose()?.flatten()
    else {
        return Ok(None);
    };
    address(&host, &card)?;
    let gateway = IpAddr::V4(GUEST_GATEWAY);
    host.route(&NewRoute::to(&format!("{gateway}/32"))?.device(&card)?)?;
    host.route(&NewRoute::to("0.0.0.0/0")?.device(&card)?.via(gateway))?;
    host.set_neighbour(&card, gateway, near.mac)?;
    Ok(Some((host, Some(CARD))))
}

/// The MAC that the host knows of a neighbour, so that what it was told for good goes on working.
fn mac_of(snapshot: &Snapshot, map: &WireMap, wire: usize, address: Ipv4Addr) -> Mac {
    let of_wire = snapshot
        .neighbours
        .iter()
        .filter(|entry| entry.address == IpAddr::V4(address) && map.number(entry.interface) == Some(wire));
    of_wire.filter(|entry| entry.state.is_permanent()).find_map(|entry| entry.mac).unwrap_or(Mac::NONE)
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

const fn who_in_words(who: WayHost) -> &'static str {
    match who {
        WayHost::Gateway => "a gateway",
        WayHost::Guest => "a guest",
        _ => "a neighbour",
    }
}

fn in_words(addresses: &[Ipv4Addr]) -> String {
    arpflux_core::words::listed(addresses)
}
