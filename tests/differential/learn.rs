//! What a host learns from frames, and what it announces by itself, against the model.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arpflux_core::predict::{Entry, Event, Learning, Model, Received};
use arpflux_core::snapshot::{Interface, InterfaceFlags, LinkKind, Neighbour, Snapshot};
use arpflux_core::types::{IfIndex, Mac};

use crate::ask::{Ask, Interesting, receivers};
use crate::case::{Case, Command};
use crate::host::Host;
use crate::rng::Rng;
use crate::wire::{Frame, asker};
use crate::{Worker, known, replay};

/// Frames a round, and rounds: the second round meets the entries that the first one made.
const FRAMES: usize = 12;
const ROUNDS: usize = 2;
const PERMANENT: u16 = 0x80;
const NOARP: u16 = 0x40;
const REACHABLE: u16 = 0x02;
/// Stale, or on the way from there to being checked.
const STALE: u16 = 0x04 | 0x08 | 0x10;

/// A frame that says something of its sender, in terms that stay true when the snapshot is taken again.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub ask: Ask,
    pub reply: bool,
    /// Whether the frame's target MAC is the sender's.
    pub same_mac: bool,
    /// How old an entry that there is may be taken to be, in ms; it only has to be on the right side of
    /// `locktime`.
    pub changed_ms: u64,
}

/// What became of the entry of one interface that handles a frame.
pub struct Outcome {
    pub told: Told,
    pub learning: Learning,
    /// What is not as it should be, if anything is.
    pub wrong: Option<String>,
}

impl Worker {
    /// Sends frames to the host and compares what becomes of its neighbour entries.
    pub fn learning(
        &mut self,
        case: &Case,
        host: &mut Host<'_>,
        interesting: &Interesting,
        rng: &mut Rng,
    ) -> io::Result<()> {
        let seen = host.snapshot()?;
        self.settings(host, &seen, rng)?;
        for _ in 0..ROUNDS {
            let snapshot = known(case, &host.snapshot()?);
            let told = draw(&snapshot, interesting, rng);
            for Outcome { told, wrong, .. } in self.tell(case, host, &told)? {
                if let Some(text) = wrong
                    && let Some(text) = self.tell_again(case, host, told, text)?
                {
                    self.mismatches.push(text);
                }
            }
        }
        Ok(())
    }

    /// Sets what decides about learning, and makes some entries.
    fn settings(&mut self, host: &mut Host<'_>, snapshot: &Snapshot, rng: &mut Rng) -> io::Result<()> {
        let mut commands = Vec::new();
        if rng.percent(30) {
            commands.push(Command::Sysctl("conf/all/arp_accept".into(), rng.one_of(&[0, 1, 2, 3, -1])));
        }
        for interface in &snapshot.interfaces {
            let name = interface.name;
            commands.push(Command::Sysctl(
                format!("conf/{name}/arp_accept"),
                rng.one_of(&[0, 0, 1, 1, 2, 2, 2, 3, -1]),
            ));
            // Either every entry is too fresh to be changed, or none is.
            commands.push(Command::Sysctl(format!("neigh/{name}/locktime"), rng.one_of(&[0, 1_000_000])));
        }
        host.carry_out(&commands, false)
    }

    /// Sends frames, and says of each interface that handles one whether its entry became what it should.
    pub fn tell(&mut self, case: &Case, host: &mut Host<'_>, all: &[Told]) -> io::Result<Vec<Outcome>> {
        // Two ticks of the kernel's clock: nothing is younger than that.
        std::thread::sleep(Duration::from_millis(25));
        let refused = host.neighbour_table()?.refused;
        let before = known(case, &host.snapshot()?);
        let model = Model::new(&before).unwrap();
        let mut expected = Vec::new();
        let mut entries = HashSet::new();
        for told in all {
            let requests = receivers(&before, &told.ask);
            let handlers: Vec<_> = requests
                .iter()
                .filter_map(|request| model.handler(request.interface, request.unicast))
                .map(|handler| (handler, told.ask.sender))
                .collect();
            // Each entry is only spoken of once, or nothing could be said about the order.
            if handlers.iter().any(|key| entries.contains(key)) {
                continue;
            }
            entries.extend(handlers);
            let mac = asker(self.number);
            self.number += 1;
            let target_mac = if told.same_mac { mac } else { [0x02, 0, 0, 0, 9, 9] };
            for request in requests {
                let handler = model.handler(request.interface, request.unicast);
                let received = Received {
                    interface: request.interface,
                    reply: told.reply,
                    sender: told.ask.sender,
                    sender_mac: Mac::ethernet(mac),
                    target: told.ask.target,
                    target_mac: Mac::ethernet(target_mac),
                    unicast: request.unicast,
                    entry: entry(find(&before, handler, told.ask.sender), told.changed_ms),
                };
                expected.push((*told, mac, handler, model.learns(&received)));
            }
            let frame = Frame {
                to: told.ask.to,
                vlan: told.ask.vlan,
                reply: told.reply,
                sender_mac: mac,
                sender: told.ask.sender.octets(),
                target_mac,
                target: told.ask.target.octets(),
            };
            self.send_frame(&before, told.ask.nic, &frame.bytes())?;
        }
        std::thread::sleep(Duration::from_millis(10));
        while self.wire.receive(0)?.is_some() {}
        let after = known(case, &host.snapshot()?);
        if host.neighbour_table()?.refused != refused {
            // Other tests filled the machine's one table of neighbours.
            return Ok(Vec::new());
        }
        let mut outcomes = Vec::new();
        for (told, mac, handler, learning) in expected {
            let (was, is) = (find(&before, handler, told.ask.sender), find(&after, handler, told.ask.sender));
            let (name, right) = match learning {
                Learning::Undetermined { .. } => ("undetermined", true),
                Learning::Nothing => ("nothing", is.and_then(|is| is.mac) == was.and_then(|was| was.mac)),
                Learning::KeepsOther => {
                    ("keeps_other", is.and_then(|is| is.mac) == was.and_then(|was| was.mac))
                }
                Learning::Takes { confirmed } => (
                    if confirmed { "takes_confirmed" } else { "takes" },
                    is.is_some_and(|is| {
                        is.mac == Some(Mac::ethernet(mac))
                            && is.state.0 & if confirmed { REACHABLE } else { STALE } != 0
                    }),
                ),
            };
            *self.histogram.learned.entry(name).or_default() += 1;
            let text = || {
                let mut text = format!("MISMATCH, seed {}, learning:\n", case.seed);
                for command in &case.commands {
                    text += &format!("    {command}\n");
                }
                let name = before.name_of(told.ask.nic);
                let handler = handler.and_then(|handler| before.interface(handler)).map(|handler| {
                    format!("{}, locktime {}, {:?}", handler.name, handler.neigh.locktime, handler.sysctls)
                });
                text += &format!(
                    "  {told:?} on {name}, handled by {handler:?}\n  expected {learning:?}, was {was:?}, is {is:?}\n"
                );
                text + &replay(case) + "\n"
            };
            outcomes.push(Outcome { told, learning, wrong: (!right).then(text) });
        }
        Ok(outcomes)
    }

    /// Sends a frame again by itself: only what stays different counts.
    fn tell_again(
        &mut self,
        case: &Case,
        host: &mut Host<'_>,
        told: Told,
        mut text: String,
    ) -> io::Result<Option<String>> {
        for _ in 0..2 {
            self.histogram.asked_again += 1;
            std::thread::sleep(Duration::from_millis(30));
            let outcomes = self.tell(case, host, &[told])?;
            match outcomes.into_iter().find_map(|outcome| outcome.wrong) {
                Some(other) => text = other,
                None => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// Sets interfaces down and up, gives them other MACs, and compares what the kernel announces.
    pub fn announcing(&mut self, case: &Case, host: &mut Host<'_>, rng: &mut Rng) -> io::Result<()> {
        let seen = host.snapshot()?;
        let mut commands = Vec::new();
        if rng.percent(30) {
            commands.push(Command::Sysctl("conf/all/arp_notify".into(), rng.one_of(&[0, 1, 2, -1])));
        }
        for interface in &seen.interfaces {
            let value = rng.one_of(&[0, 1, 1, 1, 2, -1]);
            commands.push(Command::Sysctl(format!("conf/{}/arp_notify", interface.name), value));
        }
        host.carry_out(&commands, false)?;
        let nics: Vec<_> = seen.interfaces.iter().filter(|nic| announces_alone(&seen, nic)).collect();
        for nic in nics.iter().take(2) {
            let name = nic.name;
            let up = nic.flags.contains(InterfaceFlags::UP);
            // The way up, a new MAC while up, and a new MAC while down, which nobody hears of.
            for round in 0..3 {
                let (prepare, act, event) = match round {
                    0 => (format!("link set {name} down"), format!("link set {name} up"), Event::Up),
                    1 => (
                        format!("link set {name} up"),
                        format!("link set {name} address 02:00:00:00:0a:{:02x}", rng.below(250)),
                        Event::MacChanged,
                    ),
                    _ => (
                        format!("link set {name} down"),
                        format!("link set {name} address 02:00:00:00:0b:{:02x}", rng.below(250)),
                        Event::MacChanged,
                    ),
                };
                let mut wrong = Vec::new();
                for _ in 0..3 {
                    host.carry_out(&[Command::Ip(prepare.clone())], true)?;
                    while self.wire.receive(5)?.is_some() {}
                    host.carry_out(&[Command::Ip(act.clone())], true)?;
                    let snapshot = known(case, &host.snapshot()?);
                    let model = Model::new(&snapshot).unwrap();
                    let mac = snapshot.interface(nic.index).and_then(|nic| nic.mac.octets());
                    let expected: BTreeSet<_> = model
                        .announcements(nic.index, event)
                        .into_iter()
                        .map(|announcement| (announcement.address, announcement.mac.octets()))
                        .collect();
                    let mut came = BTreeSet::new();
                    let mut wait = 20;
                    while let Some(arp) = self.wire.receive(wait)? {
                        wait = if came.len() < expected.len() { 20 } else { 2 };
                        // A filter may write another MAC into it.
                        let own = |of: Option<[u8; 6]>| of == Some(arp.sender_mac);
                        let its = own(mac) || expected.iter().any(|(_, written)| own(*written));
                        if !arp.reply && arp.sender == arp.target && its {
                            came.insert((Ipv4Addr::from(arp.sender), Some(arp.sender_mac)));
                        }
                    }
                    if came == expected {
                        let name = if expected.is_empty() { "silent" } else { "announces" };
                        *self.histogram.announced.entry(name).or_default() += 1;
                        wrong.clear();
                        break;
                    }
                    wrong.push(format!("{act}: expected {expected:?}, came {came:?}"));
                }
                if !wrong.is_empty() {
                    let mut text = format!("MISMATCH, seed {}, announcements:\n", case.seed);
                    for command in case.commands.iter().chain(&commands) {
                        text += &format!("    {command}\n");
                    }
                    self.mismatches.push(text + "  " + &wrong.join("\n  ") + "\n" + &replay(case) + "\n");
                }
            }
            if !up {
                host.carry_out(&[Command::Ip(format!("link set {name} down"))], true)?;
            }
        }
        Ok(())
    }
}

/// Whether what an interface announces comes out by itself: nothing stands above it.
fn announces_alone(snapshot: &Snapshot, nic: &Interface) -> bool {
    nic.name.to_string().starts_with("eth")
        && nic.carrier
        && nic.master.is_none()
        && snapshot
            .interfaces
            .iter()
            .all(|upper| upper.link != Some(nic.index) || upper.link_netnsid.is_some())
}

fn draw(snapshot: &Snapshot, interesting: &Interesting, rng: &mut Rng) -> Vec<Told> {
    let nics: Vec<_> = snapshot
        .interfaces
        .iter()
        .filter(|nic| nic.name.to_string().starts_with("eth"))
        .filter(|nic| nic.carrier || !nic.flags.contains(InterfaceFlags::UP))
        .collect();
    let mut all = Vec::new();
    for _ in 0..if nics.is_empty() { 0 } else { FRAMES } {
        let nic = nics[rng.below(nics.len())];
        let upper = |kind: &str| {
            snapshot.interfaces.iter().find(|upper| {
                upper.kind.as_ref().map(LinkKind::name) == Some(kind)
                    && upper.link == Some(nic.index)
                    && upper.link_netnsid.is_none()
            })
        };
        let known: Vec<_> = snapshot
            .neighbours
            .iter()
            .filter_map(|entry| match entry.address {
                IpAddr::V4(address) if !address.is_multicast() => Some(address),
                _ => None,
            })
            .collect();
        let target = interesting.target(rng);
        let mut sender = interesting.sender(rng, target);
        if rng.percent(40) && !known.is_empty() {
            sender = known[rng.below(known.len())];
        }
        let mut ask = Ask { nic: nic.index, to: Mac::BROADCAST, vlan: None, sender, target };
        if rng.percent(45) {
            ask.target = sender;
        }
        if let Some(vlan) = upper("vlan").filter(|_| rng.percent(50)) {
            ask.vlan = vlan.vlan_id;
            if rng.percent(40) {
                ask.to = vlan.mac;
            }
        } else if rng.percent(40) && upper("ipvlan").is_none() {
            ask.to = nic.mac;
        }
        all.push(Told { ask, reply: rng.percent(50), same_mac: rng.percent(60), changed_ms: 20 });
    }
    all
}

fn find(snapshot: &Snapshot, handler: Option<IfIndex>, sender: Ipv4Addr) -> Option<&Neighbour> {
    let handler = handler?;
    let wanted = IpAddr::V4(sender);
    snapshot.neighbours.iter().find(|entry| entry.interface == handler && entry.address == wanted)
}

/// What an entry is to the model.
fn entry(found: Option<&Neighbour>, changed_ms: u64) -> Entry {
    match found {
        None => Entry::None,
        Some(found) if found.state.0 & (PERMANENT | NOARP) != 0 => Entry::Fixed,
        Some(found) if found.state.0 & (REACHABLE | STALE) != 0 => Entry::Known { changed_ms },
        Some(_) => Entry::Unresolved,
    }
}
