//! Frames as text, in the style of `tcpdump -e -n`.

use std::fmt;
use std::net::Ipv4Addr;

use super::arp::{Arp, Operation};
use super::ethernet::{EtherType, Ethernet};
use super::ipv4::Ipv4;
use super::ndp::{Ipv6, Ndp};

/// The bytes of a frame, shown on one line in the style of `tcpdump -e -n`.
///
/// Total: bytes that are no frame are shown as such.
#[derive(Debug, Clone, Copy)]
pub struct Printed<'a>(pub &'a [u8]);

/// A link-layer address of any length, shown as hexadecimal pairs.
#[derive(Debug, Clone, Copy)]
pub struct PrintedMac<'a>(pub &'a [u8]);

impl fmt::Display for PrintedMac<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(frame) = Ethernet::parse(self.0) else {
            return write!(f, "[not an Ethernet frame], length {}", self.0.len());
        };
        let first = frame.tags.iter().next().map_or(frame.ether_type, |tag| tag.protocol);
        write!(
            f,
            "{} > {}, {first}, length {}: ",
            PrintedMac(&frame.source),
            PrintedMac(&frame.destination),
            self.0.len()
        )?;
        for tag in frame.tags.iter() {
            write!(f, "vlan {}, p {}, ", tag.vlan(), tag.priority())?;
        }
        if !frame.tags.is_empty() {
            write!(f, "{}, ", frame.ether_type)?;
        }
        match frame.ether_type {
            EtherType::ARP => match Arp::parse(frame.payload) {
                Ok(arp) => print_arp(f, &arp),
                Err(why) => write!(f, "arp [{why}]"),
            },
            EtherType::IPV4 => match Ipv4::parse(frame.payload) {
                Ok(packet) => print_ipv4(f, &packet),
                Err(why) => write!(f, "IP [{why}]"),
            },
            EtherType::IPV6 => match Ipv6::parse(frame.payload) {
                Ok(packet) => print_ipv6(f, &packet),
                Err(why) => write!(f, "IP6 [{why}]"),
            },
            _ => write!(f, "{} bytes", frame.payload.len()),
        }
    }
}

/// A protocol address: dotted if it has four bytes, hexadecimal otherwise.
struct Address<'a>(&'a [u8]);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match <[u8; 4]>::try_from(self.0) {
            Ok(octets) => Ipv4Addr::from(octets).fmt(f),
            Err(_) => PrintedMac(self.0).fmt(f),
        }
    }
}

fn print_arp(f: &mut fmt::Formatter<'_>, arp: &Arp<'_>) -> fmt::Result {
    let (sender, target) = (Address(arp.sender_protocol), Address(arp.target_protocol));
    match arp.operation {
        Operation::Request => {
            write!(f, "arp who-has {target}")?;
            if arp.target_hardware.iter().any(|byte| *byte != 0) {
                write!(f, " ({})", PrintedMac(arp.target_hardware))?;
            }
            write!(f, " tell {sender}")
        }
        Operation::Reply => {
            write!(f, "arp reply {sender} is-at {}", PrintedMac(arp.sender_hardware))
        }
        Operation::Other(code) => write!(f, "arp operation {code}, {sender} to {target}"),
    }
}

fn print_ipv4(f: &mut fmt::Formatter<'_>, packet: &Ipv4<'_>) -> fmt::Result {
    write!(f, "{} > {}: ", packet.source, packet.destination)?;
    match packet.echo() {
        Some(echo) => write!(
            f,
            "ICMP echo {}, id {}, seq {}, length {}",
            if echo.reply { "reply" } else { "request" },
            echo.id,
            echo.sequence,
            packet.payload.len()
        ),
        None => {
            let name = match packet.protocol {
                1 => "ICMP",
                6 => "tcp",
                17 => "UDP",
                other => return write!(f, "ip-proto-{other} {}", packet.payload.len()),
            };
            write!(f, "{name}, length {}", packet.payload.len())
        }
    }
}

fn print_ipv6(f: &mut fmt::Formatter<'_>, packet: &Ipv6<'_>) -> fmt::Result {
    write!(f, "{} > {}: ", packet.source, packet.destination)?;
    match packet.ndp() {
        Ok(Ndp::Solicitation { target, .. }) => {
            write!(f, "ICMP6, neighbor solicitation, who has {target}, length {}", packet.payload.len())
        }
        Ok(Ndp::Advertisement { target, target_mac, .. }) => {
            write!(f, "ICMP6, neighbor advertisement, tgt is {target}")?;
            if let Some(mac) = target_mac {
                write!(f, " at {mac}")?;
            }
            write!(f, ", length {}", packet.payload.len())
        }
        Err(_) if packet.next_header == super::ICMPV6 => {
            write!(f, "ICMP6, length {}", packet.payload.len())
        }
        Err(_) => write!(f, "next-header {}, length {}", packet.next_header, packet.payload.len()),
    }
}
