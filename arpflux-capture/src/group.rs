//! Packets by which routers agree who of them has an address: VRRP, CARP, HSRP and GLBP.

use arpflux_core::types::{Mac, Redundancy};

/// What a router says of itself in a group. Addresses are whole: `::ffff:0:0/96` stands for IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPacket<'a> {
    /// The protocol: of VRRP and CARP one.
    pub protocol: Redundancy,
    /// Its name and version, for people.
    pub name: &'static str,
    /// The number of the group.
    pub group: u16,
    /// What the router is, or does.
    pub role: Role,
    /// The higher, the more it is master.
    pub priority: u32,
    /// How long until its next packet, in ns; 0 if it does not say.
    pub interval: u64,
    /// A virtual MAC that it hands out (GLBP).
    pub forwarder: Option<Mac>,
    /// The group's addresses, one after the other, as they stand in the packet.
    addresses: &'a [u8],
    /// How many bytes each takes: 4 or 16.
    width: usize,
}

/// What a router is in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It has the addresses: VRRP's master, HSRP's and GLBP's active router.
    Master,
    /// It gives them up.
    Resigns,
    /// Anything else.
    Other,
}

/// The protocol number of VRRP and CARP.
pub(crate) const VRRP: u8 = 112;
const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

impl<'a> GroupPacket<'a> {
    /// The group's addresses; none of CARP, which does not name them.
    pub fn addresses(&self) -> impl Iterator<Item = u128> + use<'a> {
        let packet = *self;
        packet.addresses.chunks_exact(packet.width.max(1)).map(|address| match address.first_chunk::<16>() {
            Some(octets) => u128::from_be_bytes(*octets),
            None => {
                let octets = address.first_chunk::<4>().copied().unwrap_or_default();
                0xffff << 32 | u128::from(u32::from_be_bytes(octets))
            }
        })
    }

    /// VRRP (RFC 3768, RFC 9568) or CARP. `width` as the IP version says.
    pub(crate) fn vrrp(packet: &'a [u8], width: usize) -> Option<Self> {
        let [head, group, priority, count, a, b] = *packet.first_chunk::<6>()?;
        let new = |name, priority, interval| Self {
            protocol: Redundancy::Vrrp,
            name,
            group: u16::from(group),
            role: Role::Master,
            priority,
            interval,
            forwarder: None,
            addresses: &[],
            width,
        };
        // CARP took VRRP's number and version; its packets are 36 bytes long and count seven words of proof.
        if head == 0x21 && count == 7 && packet.len() == 36 {
            let (skew, base) = (priority, u64::from(b));
            return Some(new("CARP", 255 - u32::from(skew), base * SECOND + u64::from(skew) * SECOND / 256));
        }
        let (name, interval) = match head {
            0x21 => ("VRRP version 2", u64::from(b) * SECOND),
            // Hundredths of a second, in twelve bits.
            0x31 => ("VRRP version 3", (u64::from(a & 0xf) << 8 | u64::from(b)) * 10 * MILLISECOND),
            _ => return None,
        };
        let addresses = packet.get(8..8 + usize::from(count) * width)?;
        let role = if priority == 0 { Role::Resigns } else { Role::Master };
        Some(Self { role, addresses, ..new(name, u32::from(priority), interval) })
    }

    /// What runs over UDP.
    #[inline]
    pub(crate) fn udp(datagram: &'a [u8]) -> Option<Self> {
        let port = u16::from_be_bytes(*datagram.get(2..)?.first_chunk()?);
        match port {
            1985 | 2029 => Self::hsrp(datagram.get(8..)?),
            3222 => Self::glbp(datagram.get(8..)?),
            _ => None,
        }
    }

    fn hsrp(packet: &'a [u8]) -> Option<Self> {
        const RESIGN: u8 = 2;
        let role = |operation, active: bool| match operation {
            RESIGN => Role::Resigns,
            _ if active => Role::Master,
            _ => Role::Other,
        };
        // Version 1 (RFC 2281).
        if let Some(&[0, operation @ 0..=2, state, hello, _, priority, group, 0]) = packet.first_chunk::<8>()
        {
            return Some(Self {
                protocol: Redundancy::Hsrp,
                name: "HSRP",
                group: u16::from(group),
                role: role(operation, state == 16),
                priority: u32::from(priority),
                interval: u64::from(hello) * SECOND,
                forwarder: None,
                addresses: packet.get(16..20)?,
                width: 4,
            });
        }
        // Version 2: fields with a type and a length, the group's state first.
        let state = packet.get(..42)?;
        let [1, 40, 2, operation @ 0..=2, current, version, high, low] = *state.first_chunk::<8>()? else {
            return None;
        };
        let number = |at: usize| state[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let width = if version == 6 { 16 } else { 4 };
        Some(Self {
            protocol: Redundancy::Hsrp2,
            name: "HSRP version 2",
            group: u16::from_be_bytes([high, low]),
            role: role(operation, current == 6),
            priority: number(14),
            interval: u64::from(number(18)) * MILLISECOND,
            forwarder: None,
            addresses: &state[26..26 + width],
            width,
        })
    }

    fn glbp(packet: &'a [u8]) -> Option<Self> {
        const HELLO: u8 = 1;
        const FORWARDER: u8 = 2;
        let [1, _, high, low] = *packet.first_chunk::<4>()? else { return None };
        let mut found = Self {
            protocol: Redundancy::Glbp,
            name: "GLBP",
            group: u16::from_be_bytes([high, low]),
            role: Role::Other,
            priority: 0,
            interval: 0,
            forwarder: None,
            addresses: &[],
            width: 4,
        };
        let mut rest = packet.get(12..)?;
        while let Some(&[kind, length]) = rest.first_chunk::<2>() {
            // The length counts type and length, too.
            let (field, next) = rest.split_at_checked(usize::from(length).max(2))?;
            rest = next;
            match (kind, field.len()) {
                (HELLO, 28..) => {
                    found.role = if field[3] == 32 { Role::Master } else { Role::Other };
                    found.priority = u32::from(field[5]);
                    let hello = field[8..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                    found.interval = u64::from(hello) * MILLISECOND;
                    found.width = if field[22] == 2 { 16 } else { 4 };
                    found.addresses = field.get(24..24 + found.width)?;
                }
                (FORWARDER, 20..) => found.forwarder = Mac::from_bytes(&field[14..20]).ok(),
                _ => {}
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_vrrp_and_carp_are_told_apart() {
        let two = [0x21, 51, 200, 1, 0, 1, 0xba, 0x52, 192, 168, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let packet = GroupPacket::vrrp(&two, 4).unwrap();
        assert_eq!((packet.name, packet.group, packet.role), ("VRRP version 2", 51, Role::Master));
        assert_eq!((packet.priority, packet.interval), (200, SECOND));
        assert_eq!(packet.addresses().collect::<Vec<_>>(), [0xffff_c0a8_0001]);
        let mut resigns = two;
        resigns[2] = 0;
        assert_eq!(GroupPacket::vrrp(&resigns, 4).unwrap().role, Role::Resigns);

        let mut three = [0x31, 7, 100, 1, 0x00, 0x32, 0, 0].to_vec();
        three.extend(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).octets());
        let packet = GroupPacket::vrrp(&three, 16).unwrap();
        assert_eq!((packet.name, packet.interval), ("VRRP version 3", SECOND / 2));
        assert_eq!(packet.addresses().collect::<Vec<_>>(), [0xfe80 << 112 | 1]);
        assert!(GroupPacket::vrrp(&three[..20], 16).is_none(), "cut within its address");

        let mut carp = [0x21, 9, 100, 7, 0, 1].to_vec();
        carp.resize(36, 0);
        let packet = GroupPacket::vrrp(&carp, 4).unwrap();
        assert_eq!((packet.name, packet.group, packet.addresses().count()), ("CARP", 9, 0));
    }

    #[test]
    fn hsrp_and_glbp() {
        let udp = |port: u16, packet: &[u8]| [&[7, 193], &port.to_be_bytes()[..], &[0; 4], packet].concat();
        let one = udp(1985, &[0, 0, 16, 3, 10, 120, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        let packet = GroupPacket::udp(&one).unwrap();
        assert_eq!((packet.name, packet.group, packet.role), ("HSRP", 5, Role::Master));
        assert_eq!((packet.priority, packet.interval), (120, 3 * SECOND));
        assert_eq!(packet.addresses().collect::<Vec<_>>(), [0xffff_0a00_0001]);

        let mut two = vec![1, 40, 2, 0, 6, 4, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 110, 0, 0, 0x0b, 0xb8];
        two.extend([0, 0, 0x27, 0x10, 10, 0, 0, 1]);
        two.resize(42, 0);
        let two = udp(1985, &two);
        let packet = GroupPacket::udp(&two).unwrap();
        assert_eq!((packet.name, packet.group, packet.role), ("HSRP version 2", 258, Role::Master));
        assert_eq!((packet.priority, packet.interval), (110, 3 * SECOND));
        assert_eq!(packet.addresses().collect::<Vec<_>>(), [0xffff_0a00_0001]);

        let mut glbp = vec![1, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1];
        glbp.extend([1, 28, 0, 32, 0, 150, 0, 0, 0, 0, 0x0b, 0xb8, 0, 0, 0x27, 0x10, 0, 0, 0, 0, 0, 0, 1, 4]);
        glbp.extend([10, 0, 0, 1]);
        glbp.extend([2, 20, 1, 32, 0, 167, 100, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0xb4, 0, 10, 1]);
        let glbp = udp(3222, &glbp);
        let packet = GroupPacket::udp(&glbp).unwrap();
        assert_eq!((packet.name, packet.group, packet.role), ("GLBP", 10, Role::Master));
        assert_eq!(packet.addresses().collect::<Vec<_>>(), [0xffff_0a00_0001]);
        assert_eq!(packet.forwarder, Some(Mac::ethernet([0, 7, 0xb4, 0, 10, 1])));
    }
}
