//! What rules look at beside the bytes of a frame.

use super::frame::{Device, Devices, Frame, Protocol};
use super::run::Registers;
use super::{Family, Meta};
use crate::frame::ICMPV6;

/// What the rules of a chain see beside the frame, by where the kernel calls it.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) family: Family,
    /// The state of the connection; `None`: not known.
    pub(super) tracking: Option<u32>,
}

/// `nft_meta_get_eval()`.
pub(super) fn load_meta(
    meta: Meta,
    seen: Seen,
    devices: &Devices<'_>,
    frame: &Frame,
    register: usize,
    registers: &mut Registers,
) -> bool {
    let mut word = |value: Option<u32>| {
        registers.store(register, &value.unwrap_or(0).to_ne_bytes(), if value.is_some() { 0 } else { 0xf });
        true
    };
    let number = |device: Option<Device<'_>>| Some(device.map_or(0, |device| device.index));
    let name = |device: Option<Device<'_>>| {
        let mut name = [0; 16];
        let bytes = device.map_or(&[][..], |device| device.name);
        let len = bytes.len().min(15);
        name[..len].copy_from_slice(&bytes[..len]);
        name
    };
    match meta {
        // Traffic control sees the tag's (skb_protocol()).
        Meta::Protocol => {
            let tag = frame.tagged && seen.family == Family::TrafficControl;
            registers.store(register, &frame.protocol.ether_type(), if tag { 3 } else { 0 });
        }
        Meta::Family => {
            let number = match seen.family {
                Family::Arp | Family::Arptables => 3,
                Family::Netdev | Family::TrafficControl => 5,
                Family::Bridge | Family::Ebtables => 7,
                // Of the family inet it is that of the packet.
                Family::Ip6 | Family::Inet => 10,
            };
            registers.store(register, &[number], 0);
        }
        Meta::Mark => return word(frame.mark),
        Meta::PacketType => {
            let value = frame.packet_type;
            registers.store(register, &[value.unwrap_or(0)], u64::from(value.is_none()));
        }
        Meta::Iif => return word(number(devices.input)),
        Meta::Oif => return word(number(devices.output)),
        Meta::Iifname => registers.store(register, &name(devices.input), 0),
        Meta::Oifname => registers.store(register, &name(devices.output), 0),
        // On its way out a frame counts as one of the device's own, though it came in by none.
        Meta::Iiftype if seen.family == Family::Netdev => {
            let Some(device) = devices.input.or(devices.output) else { return false };
            registers.store(register, &device.link_type.to_ne_bytes(), 0);
        }
        Meta::Iiftype | Meta::Oiftype => {
            let of = if meta == Meta::Iiftype { devices.input } else { devices.output };
            let Some(device) = of else { return false };
            registers.store(register, &device.link_type.to_ne_bytes(), 0);
        }
        Meta::Iifgroup | Meta::Oifgroup => {
            let of = if meta == Meta::Iifgroup { devices.input } else { devices.output };
            let Some(device) = of else { return false };
            return word(Some(device.group));
        }
        Meta::L4protocol => match frame.protocol {
            Protocol::Arp => return false,
            Protocol::Discovery => registers.store(register, &[ICMPV6], 0),
        },
        Meta::ConntrackState => return word(seen.tracking),
        Meta::Absent => return false,
        Meta::Unknown => registers.store(register, &[0; 16], 0xffff),
    }
    true
}
