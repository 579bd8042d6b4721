//! Packets in full, as tshark prints them with `-V` and `-O`, and Wireshark exports them as text:
//!
//! ```text
//! Frame 1: 42 bytes on wire (336 bits), 42 bytes captured (336 bits)
//! Ethernet II, Src: VMware_d2:c7:aa (00:0c:29:d2:c7:aa), Dst: Broadcast (ff:ff:ff:ff:ff:ff)
//! Address Resolution Protocol (request)
//!     Opcode: request (1)
//!     Sender MAC address: VMware_d2:c7:aa (00:0c:29:d2:c7:aa)
//! ```

use super::Text;
use super::table::Field;
use super::value::{Address, date, number, relative, time_of_day, trim};
use crate::record::TunnelKind;

/// Which header the lines are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Layer {
    #[default]
    Other,
    Frame,
    Ethernet,
    Cooked,
    Vlan,
    Internet,
    Ipv4,
    Ipv6,
    Icmp6,
    Arp,
    Geneve,
}

/// A word that the next one may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Before {
    #[default]
    Other,
    Arrival,
    Epoch,
    First,
    Sender,
    Target,
    Mac,
    Ip,
    LinkLayer,
    Neighbor,
    Version,
}

/// Where in a packet the next word stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Details {
    on: bool,
    layer: Layer,
    /// The two words before.
    before: [Before; 2],
    /// The field whose value comes on this line.
    want: Option<Field>,
    /// A solicitation, not an advertisement.
    solicits: bool,
}

/// Whether a text that starts so has packets in full: summaries of the same packets, by names perhaps, stand between them.
pub(super) fn are_there(start: &[u8]) -> bool {
    start.split(|byte| *byte == b'\n').any(|line| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty() && *word != b">");
        words.next() == Some(b"Frame") && words.next().is_some_and(is_place)
    })
}

/// `1:`
fn is_place(word: &[u8]) -> bool {
    word.strip_suffix(b":").is_some_and(|digits| number(digits).is_some())
}

/// Whether a line that begins so is of another form.
fn is_other(raw: &[u8]) -> bool {
    let word = trim(raw);
    time_of_day(word).is_some()
        || date(word).is_some()
        || relative(word).is_some()
        || Address::parse(word).is_some()
        || (raw[0] != b'0' && number(raw).is_some())
        || matches!(raw[0], b'<' | b'"' | b'{')
}

impl Text {
    /// Whether a line that begins so is the first one of a packet in full, or the first one behind it.
    pub(super) fn ends_details(&self, raw: &[u8]) -> bool {
        self.details.on && (raw == b"Frame" || is_other(raw))
    }

    /// Takes a word of a packet in full; `None` if it is none of such a packet.
    pub(super) fn detail(&mut self, raw: &[u8], begins_line: bool) -> Option<bool> {
        if begins_line {
            let details = &mut self.details;
            (details.want, details.before) = (None, [Before::Other; 2]);
            if raw == b"Frame" {
                *details = Details { on: true, layer: Layer::Frame, ..Details::default() };
                self.frame();
                return Some(false);
            }
            details.on &= !is_other(raw);
        }
        if !self.details.on {
            return None;
        }
        Some(self.take_detail(raw, begins_line))
    }

    fn take_detail(&mut self, raw: &[u8], begins_line: bool) -> bool {
        let word = trim(raw);
        let Details { layer, before: [earlier, before], want, .. } = self.details;
        if begins_line {
            self.details.layer = match raw {
                b"Ethernet" => Layer::Ethernet,
                b"802.1Q" => Layer::Vlan,
                b"Linux" => Layer::Cooked,
                b"Internet" => Layer::Internet,
                b"Address" => Layer::Arp,
                b"Generic" => Layer::Geneve,
                _ => layer,
            };
            self.fields.arp |= raw == b"Address";
        }
        if layer == Layer::Internet {
            self.details.layer = match (before, raw) {
                (Before::Version, b"4,") => Layer::Ipv4,
                (Before::Version, b"6,") => Layer::Ipv6,
                (_, b"v6") => Layer::Icmp6,
                _ => layer,
            };
        }
        self.details.before = [before, word_before(word)];
        let label = match (layer, raw) {
            (Layer::Frame, b"Time:") if [before, earlier].contains(&Before::Epoch) => Some(Field::Time),
            (Layer::Frame, b"Time:") if before == Before::Arrival => Some(Field::Date),
            (Layer::Frame, b"frame:") if before == Before::First => Some(Field::SinceBegin),
            (Layer::Ethernet, b"Src:") | (Layer::Cooked, b"Source:") => Some(Field::Source),
            (Layer::Ethernet, b"Dst:") => Some(Field::Destination),
            (Layer::Vlan, b"ID:") => Some(Field::Vlan),
            (Layer::Ipv4, b"Src:") => Some(Field::Ipv4Source),
            (Layer::Ipv4, b"Dst:") => Some(Field::Ipv4Destination),
            (Layer::Ipv4, b"Live:" | b"live:") => Some(Field::TimeToLive),
            (Layer::Ipv6, b"Src:") => Some(Field::Ipv6Source),
            (Layer::Geneve, b"(VNI):") => Some(Field::Tunnel(TunnelKind::Geneve)),
            (_, b"(VNI):") => Some(Field::Tunnel(TunnelKind::Vxlan)),
            (Layer::Arp, b"Opcode:") => Some(Field::Operation),
            (Layer::Arp, b"address:") => match (earlier, before) {
                (Before::Sender, Before::Mac) => Some(Field::SenderMac),
                (Before::Sender, Before::Ip) => Some(Field::Sender),
                (Before::Target, Before::Mac) => Some(Field::TargetMac),
                (Before::Target, Before::Ip) => Some(Field::Target),
                _ => None,
            },
            (Layer::Icmp6, b"Address:") if before == Before::Target => {
                Some(if self.details.solicits { Field::Solicitation } else { Field::Advertisement })
            }
            (Layer::Icmp6, b"address:") if before == Before::LinkLayer => Some(Field::Named),
            (Layer::Icmp6, b"Router:") => Some(Field::Router),
            (Layer::Icmp6, b"Solicited:") => Some(Field::Solicited),
            (Layer::Icmp6, b"Override:") => Some(Field::Overrides),
            _ => None,
        };
        if layer == Layer::Icmp6 && before == Before::Neighbor {
            self.details.solicits = word == b"Solicitation";
        }
        if label.is_some() {
            self.details.want = label;
            return false;
        }
        let Some(field) = want else { return false };
        // Names stand before numbers, these in brackets.
        match self.field(field, word) {
            Some(complete) => {
                self.addresses = true;
                // A date has several words.
                self.details.want = want.filter(|field| *field == Field::Date);
                complete
            }
            None => false,
        }
    }
}

fn word_before(word: &[u8]) -> Before {
    match word {
        b"Arrival" => Before::Arrival,
        b"Epoch" => Before::Epoch,
        b"first" => Before::First,
        b"Sender" => Before::Sender,
        b"Target" => Before::Target,
        b"MAC" => Before::Mac,
        b"IP" => Before::Ip,
        b"Link-layer" => Before::LinkLayer,
        b"Neighbor" => Before::Neighbor,
        b"Version" => Before::Version,
        _ => Before::Other,
    }
}
