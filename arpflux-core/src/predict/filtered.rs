//! What filters do with a frame on its way in, and with the answer on its way out.

use super::ArpRequest;
use super::index::{Model, Port, Upper};
use super::missing::Missing;
use super::reason::Reason;
use super::reply::Run;
use super::request::{Advertised, Solicitation};
use super::step::{Step, Trace};
use super::verdict::Via;
use crate::filter::{
    BROADCAST, Content, Device, Devices, DiscoveryContent, Family, Fate, Frame, HOST, Hook, MULTICAST,
    OTHERHOST, Protocol, Rules,
};
use crate::frame::{ALL_NODES, solicited_node, solicited_node_mac};
use crate::snapshot::{LinkKind, PortFrames, Reach};
use crate::types::{IfIndex, Mac};

/// The interfaces that a frame passes, from the one that it arrives on at the bottom to the one that answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    slots: [usize; LEVELS],
    len: usize,
}

/// More than the kernel allows.
const LEVELS: usize = 8;

impl Path {
    const fn of(slot: usize) -> Self {
        Self { slots: [slot; LEVELS], len: 1 }
    }

    /// From the bottom up.
    fn slots(&self) -> &[usize] {
        &self.slots[..self.len]
    }

    fn top(&self) -> usize {
        self.slots[self.len - 1]
    }

    fn push(&mut self, slot: usize) -> bool {
        let room = self.len < LEVELS;
        if room {
            self.slots[self.len] = slot;
            self.len += 1;
        }
        room
    }
}

impl<'r, 's, T: Trace> Run<'r, 's, T> {
    /// Filters, the decision, and filters again: why there is an answer, and with which MAC if not the interface's
    /// own.
    pub(super) fn answer(&mut self, slot: usize, request: &ArpRequest) -> Result<(Via, Option<Mac>), Reason> {
        if self.model.rules.is_empty() {
            return Ok((self.process(slot, request.sender, request.target)?, None));
        }
        let path = self.path(request.interface, slot);
        let asked = Frame::new(&self.content(slot, request, false));
        let frame = self.received(&path, asked, request.unicast)?;
        let (Some(sender), Some(target)) = (frame.sender(), frame.target()) else {
            return Err(Reason::FilterRewrites);
        };
        if !frame.is_request() {
            return Err(Reason::FilterRewrites);
        }
        let via = self.process(slot, sender, target)?;
        let mac = self.model.ports[slot].mac;
        let answer = Content {
            reply: true,
            source_mac: Some(mac),
            destination_mac: frame.sender_mac(),
            sender_mac: Some(mac),
            sender: target,
            target_mac: frame.sender_mac(),
            target: sender,
        };
        let sent = self.sent(&path, Frame::new(&answer)).map_err(|_| Reason::FilterDropsAnswer)?;
        // Whoever asked hears it, and it tells of the address asked for.
        let reaches = frame.sender_mac() == request.sender_mac && sent.is_like(&Frame::new(&answer));
        match sent.sender_mac() {
            Some(mac) if reaches && sent.sender() == Some(request.target) => Ok((via, Some(mac))),
            _ => Err(Reason::FilterRewrites),
        }
    }

    /// Whether filters let the solicitation in and the advertisement out.
    pub(super) fn passes_filters(
        &mut self,
        slot: usize,
        solicitation: &Solicitation,
        (via, advertised): (Via, Advertised),
    ) -> Result<(), Reason> {
        let model = self.model;
        if model.discovering().rules.is_empty() {
            return Ok(());
        }
        let (source, target, mac) = (solicitation.source, solicitation.target, model.ports[slot].mac);
        let (to, destination) = match solicitation.unicast {
            true => (mac, target),
            false => (solicited_node_mac(target), solicited_node(target)),
        };
        let path = self.path(solicitation.interface, slot);
        let asked = Frame::discovery(&DiscoveryContent {
            advertises: None,
            source_mac: solicitation.source_mac,
            destination_mac: Some(to),
            source: Some(source),
            destination,
            target,
        });
        let received = self.received(&path, asked, solicitation.unicast)?;
        let (all_macs, all_nodes) = ALL_NODES;
        let probe = source.is_unspecified();
        let flags = [advertised.router, advertised.solicited, advertised.overrides];
        let answer = Frame::discovery(&DiscoveryContent {
            advertises: Some(flags.into_iter().fold(0, |all, flag| all << 1 | u8::from(flag))),
            source_mac: Some(mac),
            destination_mac: if probe { Some(all_macs) } else { solicitation.source_mac },
            source: (via == Via::Local).then_some(target),
            destination: if probe { all_nodes } else { source },
            target,
        });
        let sent = self.sent(&path, answer)?;
        // Rules of routes may go by marks, and a rule of a filter may have set one.
        let marked = received.mark() != Some(0) || sent.mark() != Some(0);
        let by_marks = || model.snapshot.rules.iter().any(|rule| rule.fwmask != 0);
        if marked && by_marks() && !self.unknown(slot, Missing::Netfilter) {
            return Err(Reason::FilterDropsAnswer);
        }
        Ok(())
    }

    pub(super) fn content(&self, slot: usize, request: &ArpRequest, reply: bool) -> Content {
        let to = if request.unicast { self.model.ports[slot].mac } else { Mac::BROADCAST };
        Content {
            reply,
            source_mac: request.sender_mac,
            destination_mac: Some(to),
            sender_mac: request.sender_mac,
            sender: request.sender,
            target_mac: Some(Mac::NONE),
            target: request.target,
        }
    }

    /// The interfaces from the one that a frame arrives on, and those below it, up to the one that answers. Where
    /// it came by one of several ports, each is tried.
    pub(super) fn path(&mut self, arrival: IfIndex, top: usize) -> Path {
        let model = self.model;
        let Some(arrival) = model.slot(arrival) else { return Path::of(top) };
        let mut downwards = Path::of(arrival);
        while let Some(below) = self.below(downwards.top()) {
            if !downwards.push(below) {
                break;
            }
        }
        let mut path = Path::of(downwards.top());
        for slot in downwards.slots().iter().rev().skip(1) {
            path.push(*slot);
        }
        while path.top() != top {
            let next = match model.ports[path.top()].upper {
                Upper::Bridge { slot, .. } | Upper::Bond { slot, .. } => slot,
                Upper::Other | Upper::None => top,
            };
            if !path.push(next) {
                break;
            }
        }
        path
    }

    /// The interface below another one, or one of its ports.
    fn below(&mut self, slot: usize) -> Option<usize> {
        let model = self.model;
        let interface = model.interface(slot);
        if matches!(interface.reach(), Reach::Lower | Reach::LowerTagged) && interface.link_netnsid.is_none()
        {
            return model.slot(interface.link?);
        }
        let kind = interface.kind.as_ref()?;
        if !matches!(kind.ports(), PortFrames::Bridged | PortFrames::Bonded) {
            return None;
        }
        let is_port = |port: &Port| match port.upper {
            Upper::Bridge { slot: upper, forwards: passes } => upper == slot && passes,
            Upper::Bond { slot: upper, active } => upper == slot && active != Some(false),
            Upper::Other | Upper::None => false,
        };
        let ports = || model.ports.iter().enumerate().filter(|(_, port)| port.up && is_port(port));
        let chosen = self.oracle.choose(Missing::Netfilter, ports().count());
        ports().nth(chosen).map(|(place, _)| place)
    }

    /// The rules that frames of a protocol pass.
    fn rules(&self, protocol: Protocol) -> &'r Rules<'s> {
        match protocol {
            Protocol::Arp => &self.model.rules,
            Protocol::Discovery => &self.model.discovering().rules,
        }
    }

    /// The frame as it gets to `arp_process()` or `icmpv6_rcv()`.
    pub(super) fn received(&mut self, path: &Path, mut frame: Frame, unicast: bool) -> Result<Frame, Reason> {
        let to = frame.destination_mac();
        let packet_type = |slot: usize| match (unicast, frame.protocol) {
            (false, Protocol::Arp) => BROADCAST,
            (false, Protocol::Discovery) => MULTICAST,
            (true, _) if Some(self.model.ports[slot].mac) == to => HOST,
            (true, _) => OTHERHOST,
        };
        let slots = path.slots();
        let types: [u8; LEVELS] =
            std::array::from_fn(|at| slots.get(at).map_or(HOST, |slot| packet_type(*slot)));
        for (at, slot) in slots.iter().copied().enumerate() {
            frame = frame.received(types[at]);
            frame.tagged = self.is_tagged(path, at);
            let input = Devices { input: self.model.device(slot), output: None };
            // sch_handle_ingress() comes before nf_ingress().
            self.pass((Family::TrafficControl, Hook::Ingress), &input, &mut frame)?;
            self.pass((Family::Netdev, Hook::Ingress), &input, &mut frame)?;
            if self.is_bridged(path, at) {
                // br_handle_frame().
                frame = frame.received(types[at + 1]);
                for hook in [Hook::Prerouting, Hook::Input] {
                    self.pass((Family::Bridge, hook), &input, &mut frame)?;
                }
            }
        }
        if frame.packet_type == Some(OTHERHOST) {
            return Err(Reason::FilterDropsRequest);
        }
        let input = Devices { input: self.model.device(path.top()), output: None };
        match frame.protocol {
            Protocol::Arp => self.pass((Family::Arp, Hook::Input), &input, &mut frame)?,
            Protocol::Discovery => {
                for hook in [Hook::Prerouting, Hook::Input] {
                    self.pass((Family::Ip6, hook), &input, &mut frame)?;
                }
            }
        }
        Ok(frame)
    }

    /// A frame of the interface at the top as it leaves at the bottom.
    pub(super) fn sent(&mut self, path: &Path, mut frame: Frame) -> Result<Frame, Reason> {
        // arp_xmit() comes before the kernel notes where the Ethernet header is, ndisc_send_skb() before there is one.
        frame.has_link = false;
        let output = Devices { input: None, output: self.model.device(path.top()) };
        match frame.protocol {
            Protocol::Arp => self.pass((Family::Arp, Hook::Output), &output, &mut frame)?,
            Protocol::Discovery => {
                for hook in [Hook::Output, Hook::Postrouting] {
                    self.pass((Family::Ip6, hook), &output, &mut frame)?;
                }
            }
        }
        frame.has_link = true;
        let slots = path.slots();
        for (at, slot) in slots.iter().copied().enumerate().rev() {
            frame.tagged = self.is_tagged(path, at);
            let output = Devices { input: None, output: self.model.device(slot) };
            self.pass((Family::Netdev, Hook::Egress), &output, &mut frame)?;
            self.pass((Family::TrafficControl, Hook::Egress), &output, &mut frame)?;
            if at > 0 && self.is_bridged(path, at - 1) {
                let output = Devices { input: None, output: self.model.device(slots[at - 1]) };
                for hook in [Hook::Output, Hook::Postrouting] {
                    self.pass((Family::Bridge, hook), &output, &mut frame)?;
                }
            }
        }
        Ok(frame)
    }

    /// Whether the interface at `at` is a port of a bridge, the next one.
    fn is_bridged(&self, path: &Path, at: usize) -> bool {
        at + 1 < path.len && matches!(self.model.ports[path.slots[at]].upper, Upper::Bridge { .. })
    }

    /// Whether frames of the path carry a VLAN tag on the interface at `at`.
    fn is_tagged(&self, path: &Path, at: usize) -> bool {
        let above = path.slots().iter().skip(at + 1);
        above.into_iter().any(|slot| self.model.interface(*slot).vlan_id.is_some())
    }

    fn pass(
        &mut self,
        (family, hook): (Family, Hook),
        devices: &Devices<'_>,
        frame: &mut Frame,
    ) -> Result<(), Reason> {
        let rules = self.rules(frame.protocol);
        let missing = match family {
            Family::TrafficControl => Missing::TrafficControl,
            _ => Missing::Netfilter,
        };
        let oracle = &mut *self.oracle;
        let mut choose = |possibilities| oracle.choose(missing, possibilities);
        let answer = matches!(hook, Hook::Output | Hook::Egress | Hook::Postrouting);
        let chain = match rules.run(family, hook, devices, frame, &mut choose) {
            Fate::Passes => return Ok(()),
            Fate::Dropped(chain) => chain,
            Fate::Redirected(chain, to, arrives) => match self.redirected(hook, devices, to, arrives) {
                true => return Ok(()),
                false => chain,
            },
        };
        if T::ON {
            self.trace.push(Step::Filter { chain: rules.title(chain), answer });
        }
        Err(if answer { Reason::FilterDropsAnswer } else { Reason::FilterDropsRequest })
    }

    /// Whether a frame that traffic control hands to another interface goes on here all the same.
    fn redirected(&mut self, hook: Hook, devices: &Devices<'_>, to: IfIndex, arrives: bool) -> bool {
        let model = self.model;
        let Some(slot) = model.slot(to).filter(|slot| model.ports[*slot].up) else { return false };
        if model.interface(slot).kind == Some(LinkKind::Ifb) && !arrives {
            // An ifb gives it back behind these hooks (ifb_ri_tasklet()), which spares it those of nftables.
            let here = if hook == Hook::Ingress { devices.input } else { devices.output };
            let filtered = model.rules.has_on(Family::Netdev, hook, here)
                || [Family::Netdev, Family::TrafficControl]
                    .into_iter()
                    .any(|family| model.rules.has_on(family, Hook::Egress, model.device(slot)));
            return !filtered || self.oracle.choose(Missing::TrafficControl, 2) == 1;
        }
        // What leaves elsewhere is not seen here any more. What arrives elsewhere may be answered there, and an answer
        // may take another way to who asked.
        let gone = hook == Hook::Ingress && !arrives;
        !gone && self.oracle.choose(Missing::TrafficControl, 2) == 1
    }
}

impl<'s> Model<'s> {
    /// An interface as filters see it.
    fn device(&self, slot: usize) -> Option<Device<'s>> {
        let interface = self.interface(slot);
        Some(Device {
            index: interface.index.0,
            name: interface.name.as_bytes(),
            link_type: interface.link_type,
            group: interface.group,
        })
    }
}
