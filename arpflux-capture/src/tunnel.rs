//! Frames inside of frames: each tunnel is a wire of its own.

use arpflux_core::frame::EtherType;

use crate::link::{Frame, content, ethernet};
use crate::record::{Read, Tunnel, TunnelKind, Unread, Vlans, Wire};

const UDP: u8 = 17;
const GRE: u8 = 47;
const IPIP: u8 = 4;
const IPV6: u8 = 41;
/// Ethernet inside of GRE and GENEVE ("transparent Ethernet bridging").
const BRIDGING: u16 = 0x6558;
const ARP: u16 = EtherType::ARP.0;
/// Frames inside of frames beyond this are not followed.
const DEEPEST: u8 = 3;

impl<'r, 'a> Frame<'r, 'a> {
    /// The same one wire further in.
    fn inside(self, kind: TunnelKind, id: u32) -> Self {
        let wire = Wire { vlans: Vlans::NONE, tunnel: Some(Tunnel { kind, id }), ..self.wire };
        Self { wire, depth: self.depth + 1, ..self }
    }

    fn ethernet_inside(self, kind: TunnelKind, id: u32, data: Option<&'a [u8]>) -> Read<'a> {
        match data {
            _ if self.depth >= DEEPEST => Read::Unread(Unread::Tunnel("tunnels in tunnels")),
            Some(data) => ethernet(self.inside(kind, id), data),
            None => Read::Cut,
        }
    }
}

/// ARP without an Ethernet frame around it.
fn arp_inside<'a>(frame: Frame<'_, 'a>, kind: TunnelKind, id: u32, data: Option<&'a [u8]>) -> Read<'a> {
    let inside = Frame { source: &[], destination: &[], ..frame.inside(kind, id) };
    data.map_or(Read::Cut, |data| content(inside, EtherType::ARP, data))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<2>).map(|bytes| u16::from_be_bytes(*bytes))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<4>).map(|bytes| u32::from_be_bytes(*bytes))
}

/// The frame inside an IP packet, if it is one of a tunnel.
#[inline]
pub(crate) fn ip<'a>(frame: Frame<'_, 'a>, protocol: u8, payload: &'a [u8]) -> Option<Read<'a>> {
    match protocol {
        UDP => udp(frame, payload),
        GRE => gre(frame, payload),
        IPIP => packet_inside(frame, EtherType::IPV4, payload),
        IPV6 => packet_inside(frame, EtherType::IPV6, payload),
        50 => Some(Read::Unread(Unread::Encapsulated)),
        97 => Some(Read::Unread(Unread::Tunnel("EtherIP"))),
        115 => Some(Read::Unread(Unread::Tunnel("L2TP"))),
        _ => None,
    }
}

/// The frame inside an IP packet that is inside another one; what is no tunnel in turn is told of by the outer packet.
fn packet_inside<'a>(frame: Frame<'_, 'a>, kind: EtherType, packet: &'a [u8]) -> Option<Read<'a>> {
    if frame.depth >= DEEPEST {
        return Some(Read::Unread(Unread::Tunnel("tunnels in tunnels")));
    }
    match content(Frame { depth: frame.depth + 1, ..frame }, kind, packet) {
        Read::Sighting(sighting) if sighting.wire.tunnel == frame.wire.tunnel => None,
        Read::Other => None,
        read => Some(read),
    }
}

/// The frame inside an IP packet without a link layer.
pub(crate) fn raw<'a>(frame: Frame<'_, 'a>, packet: &'a [u8]) -> Option<Read<'a>> {
    let kind = match packet.first()? >> 4 {
        4 => EtherType::IPV4,
        6 => EtherType::IPV6,
        _ => return None,
    };
    packet_inside(frame, kind, packet)
}

fn udp<'a>(frame: Frame<'_, 'a>, datagram: &'a [u8]) -> Option<Read<'a>> {
    let port = be16(datagram, 2)?;
    let payload = datagram.get(8..)?;
    match port {
        // IANA's, Linux's old default, and the generic protocol extension.
        4789 | 8472 | 4790 => {
            let (flags, vni) = (*payload.first()?, be32(payload, 4)? >> 8);
            // The number is valid; of the extension, what follows is Ethernet.
            let is_frame =
                flags & 0x08 != 0 && (port != 4790 || flags & 0x04 == 0 || payload.get(3) == Some(&3));
            is_frame.then(|| frame.ethernet_inside(TunnelKind::Vxlan, vni, payload.get(8..)))
        }
        6081 => {
            let (head, kind, vni) = (*payload.first()?, be16(payload, 2)?, be32(payload, 4)? >> 8);
            let length = 8 + usize::from(head & 0x3f) * 4;
            let inside = payload.get(length..);
            match kind {
                _ if head >> 6 != 0 => None,
                BRIDGING => Some(frame.ethernet_inside(TunnelKind::Geneve, vni, inside)),
                ARP => Some(arp_inside(frame, TunnelKind::Geneve, vni, inside)),
                _ => None,
            }
        }
        5247 => Some(Read::Unread(Unread::Tunnel("CAPWAP"))),
        37008 => Some(Read::Unread(Unread::Tunnel("TZSP"))),
        1701 => Some(Read::Unread(Unread::Tunnel("L2TP"))),
        _ => on_any_port(frame, payload),
    }
}

/// VXLAN and GENEVE on ports of their own: where all that is fixed in their headers is so, and an Ethernet frame follows.
fn on_any_port<'a>(frame: Frame<'_, 'a>, payload: &'a [u8]) -> Option<Read<'a>> {
    let (header, inside) = payload.split_first_chunk::<8>()?;
    let number = be32(header, 4)? >> 8;
    let kind = match *header {
        [0x08, 0, 0, 0, _, _, _, 0] => TunnelKind::Vxlan,
        // Without options.
        [0, flags, 0x65, 0x58, _, _, _, 0] if flags & 0x3f == 0 => TunnelKind::Geneve,
        _ => return None,
    };
    let is_frame = inside.get(6)? & 1 == 0
        && match (be16(inside, 12)?, inside.get(14..)?) {
            (ARP, [0, 1, 8, 0, 6, 4, ..]) => true,
            (0x0800, [first, ..]) => first >> 4 == 4,
            (0x86dd, [first, ..]) => first >> 4 == 6,
            (0x8100 | 0x88a8, _) => true,
            _ => false,
        };
    is_frame.then(|| frame.ethernet_inside(kind, number, Some(inside)))
}

fn gre<'a>(frame: Frame<'_, 'a>, packet: &'a [u8]) -> Option<Read<'a>> {
    const ERSPAN: u16 = 0x88be;
    const ERSPAN_3: u16 = 0x22eb;
    let (flags, kind) = (be16(packet, 0)?, be16(packet, 2)?);
    let mut length = 4;
    if flags & 0x8000 != 0 {
        length += 4;
    }
    let key = if flags & 0x2000 != 0 { be32(packet, length).unwrap_or_default() } else { 0 };
    if flags & 0x2000 != 0 {
        length += 4;
    }
    let sequence = flags & 0x1000 != 0;
    if sequence {
        length += 4;
    }
    let session = |at: usize| u32::from(be16(packet, at).unwrap_or_default() & 0x3ff);
    match kind {
        // NVGRE's key is a number of 24 bits and a flow of eight; a plain key is taken whole.
        BRIDGING => Some(frame.ethernet_inside(TunnelKind::Gre, key, packet.get(length..))),
        ARP => Some(arp_inside(frame, TunnelKind::Gre, key, packet.get(length..))),
        0x0800 | 0x86dd => packet_inside(frame, EtherType(kind), packet.get(length..)?),
        // Type I has no header of its own.
        ERSPAN if !sequence => Some(frame.ethernet_inside(TunnelKind::Erspan, 0, packet.get(length..))),
        ERSPAN => {
            Some(frame.ethernet_inside(TunnelKind::Erspan, session(length + 2), packet.get(length + 8..)))
        }
        ERSPAN_3 => {
            let more = if packet.get(length + 11).is_some_and(|low| low & 1 != 0) { 8 } else { 0 };
            let inside = packet.get(length + 12 + more..);
            Some(frame.ethernet_inside(TunnelKind::Erspan, session(length + 2), inside))
        }
        _ => None,
    }
}

/// The frame inside one of another EtherType.
pub(crate) fn ether_type<'a>(frame: Frame<'_, 'a>, kind: EtherType, payload: &'a [u8]) -> Option<Read<'a>> {
    match kind.0 {
        0x8847 | 0x8848 => mpls(frame, payload),
        0x88e7 => {
            let service = be32(payload, 0)? & 0xff_ffff;
            Some(frame.ethernet_inside(TunnelKind::Pbb, service, payload.get(4..)))
        }
        // Encrypted between neighbours; PPPoE and others carry no ARP.
        0x88e5 => Some(Read::Unread(Unread::Tunnel("MACsec"))),
        0x22f3 => Some(Read::Unread(Unread::Tunnel("TRILL"))),
        0x4305 => Some(Read::Unread(Unread::Tunnel("batman-adv"))),
        0x8903 => Some(Read::Unread(Unread::Tunnel("FabricPath"))),
        _ => None,
    }
}

/// Labels, then IP, or a pseudo-wire with its control word, or one without.
fn mpls<'a>(frame: Frame<'_, 'a>, mut payload: &'a [u8]) -> Option<Read<'a>> {
    loop {
        let entry = be32(payload, 0)?;
        payload = &payload[4..];
        if entry & 0x100 == 0 {
            continue;
        }
        let inside = |data| frame.ethernet_inside(TunnelKind::Mpls, entry >> 12, data);
        return Some(match payload.first()? >> 4 {
            4 => content(frame, EtherType::IPV4, payload),
            6 => content(frame, EtherType::IPV6, payload),
            // A control word begins with four zero bits (RFC 4385), and so do many MACs.
            0 => match (inside(payload.get(4..)), inside(Some(payload))) {
                (read @ Read::Sighting(_), _) | (_, read @ Read::Sighting(_)) | (read, _) => read,
            },
            _ => inside(Some(payload)),
        });
    }
}
