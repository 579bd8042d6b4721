//! The few rtnetlink requests that the lab needs, one function for each.
//!
//! They are encoded and decoded by `netlink-packet-route` alone: what the lab makes and sees does not depend on
//! the code that it is there to test.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arpflux_core::types::{IfIndex, IfName, IpNet, Mac};
use arpflux_core::{Error, ErrorKind, Result};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    BridgePortState, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;

/// In the header of a dump's messages: what it lists changed meanwhile.
const NLM_F_DUMP_INTR: u16 = 0x10;

/// A connection to the kernel that several threads share.
pub(super) struct Rtnl(Mutex<Connection>);

impl Rtnl {
    /// Opens one in the calling thread's namespace.
    pub fn open() -> Result<Self> {
        Connection::open().map(|connection| Self(Mutex::new(connection)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while it was held cannot leave it half used: answers of another request are passed over.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Rtnl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rtnl")
    }
}

/// A connection that belongs to the namespace of the thread that opened it.
pub(super) struct Connection {
    socket: Socket,
    sequence: u32,
}

impl Connection {
    pub fn open() -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("open", "netlink socket", &error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Has the kernel carry out one request.
    pub fn change(&mut self, message: Message, flags: u16) -> Result<()> {
        self.change_all([message], flags, None)
    }

    /// Has the kernel carry out requests, all of which are tried; a refusal with the errno `fine` is none.
    fn change_all(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
        flags: u16,
        fine: Option<i32>,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        let mut waiting = HashSet::new();
        for message in messages {
            self.encode(message, flags | NLM_F_ACK, &mut bytes);
            waiting.insert(self.sequence);
        }
        self.send(&bytes)?;
        let mut result = Ok(());
        while !waiting.is_empty() {
            self.receive(|header, payload| {
                if let NetlinkPayload::Error(error) = payload
                    && waiting.remove(&header.sequence_number)
                    && let errno @ 1.. = -error.raw_code()
                    && Some(errno) != fine
                    && result.is_ok()
                {
                    result = Err(Error::os("", "", errno));
                }
            })?;
        }
        result
    }

    /// Asks for one object.
    fn ask(&mut self, message: Message) -> Result<Message> {
        let mut bytes = Vec::new();
        self.encode(message, 0, &mut bytes);
        self.send(&bytes)?;
        let sequence = self.sequence;
        let mut answer = None;
        while answer.is_none() {
            self.receive(|header, payload| {
                if header.sequence_number == sequence {
                    answer = match payload {
                        NetlinkPayload::InnerMessage(message) => Some(Ok(message)),
                        NetlinkPayload::Error(error) => Some(Err(Error::os("", "", -error.raw_code()))),
                        _ => None,
                    };
                }
            })?;
        }
        answer.unwrap_or_else(|| Err(Error::new(ErrorKind::NotFound, "the kernel did not answer")))
    }

    /// Lists objects; again, up to ten times, if they changed meanwhile.
    fn dump(&mut self, message: Message) -> Result<Vec<Message>> {
        for _ in 0..10 {
            let mut bytes = Vec::new();
            self.encode(message.clone(), NLM_F_DUMP, &mut bytes);
            self.send(&bytes)?;
            let sequence = self.sequence;
            let (mut found, mut over, mut changed) = (Vec::new(), None, false);
            while over.is_none() {
                self.receive(|header, payload| {
                    if header.sequence_number != sequence {
                        return;
                    }
                    changed |= header.flags & NLM_F_DUMP_INTR != 0;
                    match payload {
                        NetlinkPayload::InnerMessage(message) => found.push(message),
                        NetlinkPayload::Error(error) => {
                            over = Some(Err(Error::os("", "", -error.raw_code())));
                        }
                        NetlinkPayload::Done(_) => over = Some(Ok(())),
                        _ => {}
                    }
                })?;
            }
            over.unwrap_or(Ok(()))?;
            if !changed {
                return Ok(found);
            }
        }
        Err(Error::new(ErrorKind::Raced, "it kept changing while it was read"))
    }

    fn encode(&mut self, message: Message, flags: u16, bytes: &mut Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }

    fn send(&self, bytes: &[u8]) -> Result<()> {
        let sent = self.socket.send(bytes, 0);
        sent.map(drop).map_err(|error| Error::io("ask the kernel", "netlink socket", &error))
    }

    /// The messages of one datagram.
    fn receive(&self, mut each: impl FnMut(NetlinkHeader, NetlinkPayload<Message>)) -> Result<()> {
        let received = self.socket.recv_from_full();
        let (bytes, _) = received.map_err(|error| Error::io("ask the kernel", "netlink socket", &error))?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<Message>::deserialize(rest)
                .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()).during("read netlink"))?;
            let length = usize::try_from(message.header.length).unwrap_or(0).next_multiple_of(4);
            rest = rest.get(length.max(16)..).unwrap_or_default();
            each(message.header, message.payload);
        }
        Ok(())
    }
}

/// What is to be known of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkState {
    pub index: IfIndex,
    pub mac: Mac,
    pub flags: LinkFlags,
    operational: bool,
    /// `None` if it is not a port of a bridge.
    forwarding: Option<bool>,
}

impl LinkState {
    /// Whether frames get through it, as far as it alone is concerned.
    pub fn ready(&self) -> bool {
        self.operational && self.forwarding != Some(false)
    }

    /// Whether its queue opens soon: it has carrier, and the kernel's link watcher has not come to it yet.
    pub fn is_opening(&self) -> bool {
        self.flags.contains(LinkFlags::LowerUp) && !self.operational
    }
}

/// One interface to be made.
pub(super) struct NewLink<'a> {
    pub name: &'a IfName,
    /// Which number it gets; `None`: as the kernel chooses.
    pub index: Option<IfIndex>,
    pub kind: InfoKind,
    /// [`Mac::NONE`]: as the kernel chooses.
    pub mac: Mac,
    pub parent: Option<IfIndex>,
    pub master: Option<IfIndex>,
    pub data: Option<InfoData>,
}

impl<'a> NewLink<'a> {
    pub fn new(name: &'a IfName, kind: InfoKind) -> Self {
        Self { name, index: None, kind, mac: Mac::NONE, parent: None, master: None, data: None }
    }

    /// All of it but the kind and what belongs to that.
    fn message(&self) -> LinkMessage {
        let mut message = named(self.name, self.mac);
        message.header.index = self.index.map_or(0, |index| index.0);
        message.attributes.extend(self.parent.map(|parent| LinkAttribute::Link(parent.0)));
        message.attributes.extend(self.master.map(|master| LinkAttribute::Controller(master.0)));
        message
    }
}

fn named(name: &IfName, mac: Mac) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_string()));
    if mac != Mac::NONE {
        link.attributes.push(LinkAttribute::Address(mac.as_bytes().to_vec()));
    }
    link
}

/// Makes an interface.
pub(super) fn add_link(connection: &mut Connection, link: NewLink<'_>) -> Result<()> {
    let object = format!("{} ({})", link.name, link.kind);
    let mut message = link.message();
    let mut info = vec![LinkInfo::Kind(link.kind)];
    info.extend(link.data.map(LinkInfo::Data));
    message.attributes.push(LinkAttribute::LinkInfo(info));
    connection
        .change(Message::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
        .map_err(|error| error.during("make interface").on(object))
}

/// Makes a veth pair: one end here, the other in a namespace that may be another one.
pub(super) fn add_veth(
    connection: &mut Connection,
    near: NewLink<'_>,
    far: NewLink<'_>,
    netns: BorrowedFd<'_>,
) -> Result<()> {
    let mut peer = far.message();
    peer.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    let data = Some(InfoData::Veth(InfoVeth::Peer(peer)));
    add_link(connection, NewLink { data, ..near }).map_err(|error| error.on(format!("{} (veth)", far.name)))
}

/// Looks an interface up.
pub(super) fn link(connection: &mut Connection, name: &IfName) -> Result<LinkState> {
    let answer = connection.ask(Message::GetLink(named(name, Mac::NONE)));
    match answer.map_err(|error| error.during("look up interface").on(name.to_string()))? {
        Message::NewLink(link) => Ok(read_link(&link)),
        _ => Err(Error::new(ErrorKind::NotFound, "the kernel did not describe it")
            .during("look up interface")
            .on(name.to_string())),
    }
}

fn read_link(link: &LinkMessage) -> LinkState {
    let mut state = LinkState {
        index: IfIndex(link.header.index),
        mac: Mac::NONE,
        flags: link.header.flags,
        operational: false,
        forwarding: None,
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Address(mac) => state.mac = Mac::from_bytes(mac).unwrap_or(Mac::NONE),
            LinkAttribute::OperState(oper) => state.operational = *oper == State::Up,
            LinkAttribute::LinkInfo(info) => {
                state.forwarding = info.iter().find_map(|info| match info {
                    LinkInfo::PortData(InfoPortData::BridgePort(port)) => {
                        port.iter().find_map(|port| match port {
                            InfoBridgePort::State(state) => Some(*state == BridgePortState::Forwarding),
                            _ => None,
                        })
                    }
                    _ => None,
                });
            }
            _ => {}
        }
    }
    state
}

/// Changes an interface: the flags in `change`, and attributes.
pub(super) fn set_link(
    connection: &mut Connection,
    index: IfIndex,
    (flags, change): (LinkFlags, LinkFlags),
    attributes: Vec<LinkAttribute>,
) -> Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index.0;
    message.header.flags = flags;
    message.header.change_mask = change;
    message.attributes = attributes;
    // RTM_SETLINK would pass over the options of a port.
    connection.change(Message::NewLink(message), 0).map_err(|error| error.during("change interface"))
}

/// Sets an interface up.
pub(super) fn up(connection: &mut Connection, index: IfIndex) -> Result<()> {
    set_link(connection, index, (LinkFlags::Up, LinkFlags::Up), Vec::new())
}

/// Sets a port of a bridge up so that it floods everything and reaches no other port like itself.
pub(super) fn set_port(connection: &mut Connection, port: IfIndex, isolated: bool) -> Result<()> {
    port_options(connection, port, vec![InfoBridgePort::Learning(false), InfoBridgePort::Isolated(isolated)])
}

/// Sets options of a port of a bridge.
pub(super) fn port_options(
    connection: &mut Connection,
    port: IfIndex,
    options: Vec<InfoBridgePort>,
) -> Result<()> {
    let info =
        vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(InfoPortData::BridgePort(options))];
    let none = (LinkFlags::empty(), LinkFlags::empty());
    set_link(connection, port, none, vec![LinkAttribute::LinkInfo(info)])
        .map_err(|error| error.during("change bridge port"))
}

/// Deletes an interface.
pub(super) fn delete_link(connection: &mut Connection, index: IfIndex) -> Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index.0;
    connection.change(Message::DelLink(message), 0).map_err(|error| error.during("delete interface"))
}

/// Adds or deletes an address. `peer` is the far end's, with its prefix.
pub(super) fn address(
    connection: &mut Connection,
    add: bool,
    index: IfIndex,
    local: IpAddr,
    peer: IpNet,
    scope: u8,
) -> Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = family(local);
    message.header.prefix_len = peer.prefix_len();
    message.header.index = index.0;
    message.header.scope = AddressScope::from(scope);
    if local.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes = vec![AddressAttribute::Local(local), AddressAttribute::Address(peer.addr())];
    let (message, flags) = match add {
        true => (Message::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL),
        false => (Message::DelAddress(message), 0),
    };
    connection.change(message, flags).map_err(|error| {
        error
            .during(if add { "add address" } else { "delete address" })
            .on(format!("{local} (prefix {peer})"))
    })
}

pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// An entry of the neighbour table, or of the proxy table.
pub(super) fn entry(index: IfIndex, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = index.0;
    message.attributes.push(NeighbourAttribute::Destination(match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    }));
    message
}

/// Adds a permanent neighbour.
pub(super) fn permanent(
    connection: &mut Connection,
    index: IfIndex,
    address: IpAddr,
    mac: Option<Mac>,
) -> Result<()> {
    let mut message = entry(index, address);
    message.header.state = NeighbourState::Permanent;
    let mac = mac.and_then(|mac| mac.octets()).unwrap_or_default();
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    connection
        .change(Message::NewNeighbour(message), NLM_F_CREATE)
        .map_err(|error| error.during("add neighbour").on(address.to_string()))
}

/// Adds or deletes a proxy entry, permanent as `ip neigh add proxy` makes it.
pub(super) fn proxy(connection: &mut Connection, add: bool, index: IfIndex, address: IpAddr) -> Result<()> {
    let mut message = entry(index, address);
    message.header.flags = NeighbourFlags::Proxy;
    message.header.state = NeighbourState::Permanent;
    let (message, flags) = match add {
        true => (Message::NewNeighbour(message), NLM_F_CREATE),
        false => (Message::DelNeighbour(message), 0),
    };
    connection
        .change(message, flags)
        .map_err(|error| error.during(if add { "add proxy entry" } else { "delete proxy entry" }).on(address))
}

/// An entry of the neighbour table.
pub(super) struct Learned {
    pub index: IfIndex,
    pub address: IpAddr,
    pub mac: Mac,
    pub state: u16,
}

impl Learned {
    /// Whether it is the host's own finding: neither permanent nor of an interface without ARP.
    pub fn is_dynamic(&self) -> bool {
        self.state & (libc::NUD_PERMANENT | libc::NUD_NOARP) == 0
    }
}

/// All neighbours (`proxies` false) or proxy entries of a namespace.
pub(super) fn neighbours(connection: &mut Connection, proxies: bool) -> Result<Vec<Learned>> {
    let mut message = NeighbourMessage::default();
    if proxies {
        message.header.flags = NeighbourFlags::Proxy;
    }
    let found = connection.dump(Message::GetNeighbour(message));
    let found = found.map_err(|error| error.during("list neighbours"))?;
    Ok(found.iter().filter_map(read_neighbour).collect())
}

fn read_neighbour(message: &Message) -> Option<Learned> {
    let Message::NewNeighbour(message) = message else { return None };
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(mac) => Mac::from_bytes(mac).ok(),
        _ => None,
    });
    Some(Learned {
        index: IfIndex(message.header.ifindex),
        address: address?,
        mac: mac.unwrap_or(Mac::NONE),
        state: message.header.state.into(),
    })
}

/// Deletes neighbours; those that are gone already do not matter.
pub(super) fn forget(connection: &mut Connection, entries: &[Learned]) -> Result<()> {
    // The answers to one send have to fit the socket's queue.
    for some in entries.chunks(64) {
        let messages =
            some.iter().map(|learned| Message::DelNeighbour(entry(learned.index, learned.address)));
        connection
            .change_all(messages, 0, Some(libc::ENOENT))
            .map_err(|error| error.during("delete neighbours"))?;
    }
    Ok(())
}
