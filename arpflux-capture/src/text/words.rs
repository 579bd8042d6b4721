//! What tcpdump, the summaries of Wireshark, both `arping`s and arp-scan print, word by word.

use arpflux_core::frame::Operation;

use super::table::Field;
use super::value::{Address, ipv4, number, tunnel_number};
use super::{Found, Text};
use crate::record::{Tunnel, TunnelKind};

/// What the words so far want next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expect {
    #[default]
    Nothing,
    /// Behind `MAC >`.
    FrameDestination,
    /// Behind `who-has`.
    Target,
    /// Behind `who-has X`: `tell`, perhaps with an address in brackets before.
    Tell { target: u32 },
    /// Behind `who-has X tell`.
    Sender { target: u32 },
    /// Behind `X is-at`.
    Owner { sender: u32 },
    /// Behind `X >`.
    PacketDestination { source: u32 },
    /// Behind `vlan`.
    VlanId,
    /// Behind `vni`.
    Vni,
    /// Behind `ttl`.
    Ttl,
    /// Behind `Announcement`.
    Announced,
    /// Behind `Probe`.
    Probed,
    /// Behind `ARPING`, of arping's first line.
    Pinged,
    /// Behind `reply from`, of iputils' arping.
    Answerer,
    /// Behind `reply from X`.
    AnswererMac { sender: u32 },
    /// Behind `bytes from`, of the other arping.
    AnsweringMac,
    /// Behind `bytes from MAC`.
    AnswererBehind { mac: Address },
    /// Behind the name of a field, in tshark's JSON.
    Field(Field),
    /// The same, in bytes.
    Raw(Field),
}

/// The word before, as far as the next one may refer to it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Last {
    #[default]
    Other,
    Mac(Address),
    Ipv4(u32),
    /// `Who`, of `Who has`.
    Who,
    /// `is` behind an address, of `is at`.
    Is(u32),
    /// An address that begins a line, as arp-scan prints one before its MAC.
    First(u32),
    /// A number that begins a line, as Wireshark numbers its lines.
    Number,
    /// `reply`, of `reply from`.
    Reply,
    /// `bytes`, of `bytes from`.
    Bytes,
}

impl Text {
    /// Takes a word that the one before called for; `None` if it is another one.
    pub(super) fn expected(&mut self, expected: Expect, word: &[u8]) -> Option<bool> {
        match expected {
            Expect::Nothing => None,
            Expect::FrameDestination => {
                let Some(mac) = Address::parse(word) else {
                    self.source = Address::default();
                    return None;
                };
                self.destination = mac;
                Some(false)
            }
            Expect::Target => {
                self.target_mac = Address::default();
                self.expect = Expect::Tell { target: ipv4(word)? };
                Some(false)
            }
            Expect::Tell { target } => {
                self.expect = match word {
                    b"tell" | b"Tell" => Expect::Sender { target },
                    // `Who has 10.0.0.1? (ARP Probe)`
                    b"Probe" => return Some(self.request(0, target)),
                    b"ARP" => expected,
                    _ => {
                        self.target_mac = Address::parse(word)?;
                        expected
                    }
                };
                Some(false)
            }
            Expect::Sender { target } => Some(self.request(ipv4(word)?, target)),
            Expect::Probed => Some(self.request(0, ipv4(word)?)),
            Expect::Announced if matches!(word, b"ARP" | b"for") => {
                self.expect = expected;
                Some(false)
            }
            Expect::Announced => {
                let address = ipv4(word)?;
                Some(self.request(address, address))
            }
            Expect::Owner { sender } => {
                let mac = Address::parse(word)?;
                self.counts.without_mac += u64::from(self.source.len == 0);
                Some(self.reply(sender, mac))
            }
            Expect::Pinged => Some(self.request(0, ipv4(word)?)),
            Expect::Answerer => {
                self.expect = Expect::AnswererMac { sender: ipv4(word)? };
                Some(false)
            }
            Expect::AnswererMac { sender } => Some(self.reply(sender, Address::parse(word)?)),
            Expect::AnsweringMac => {
                self.expect = Expect::AnswererBehind { mac: Address::parse(word)? };
                Some(false)
            }
            Expect::AnswererBehind { mac } => Some(self.reply(ipv4(word)?, mac)),
            Expect::Field(field) => self.field(field, word),
            Expect::Raw(field) => self.raw_field(field, word),
            Expect::PacketDestination { source } => {
                self.found = Found::Ipv4 { source, destination: ipv4(word)? };
                Some(true)
            }
            Expect::VlanId => {
                self.vlans = self.vlans.inside(number(word).and_then(|id| u16::try_from(id).ok())?);
                Some(false)
            }
            Expect::Vni => {
                let kind = self.next_tunnel.map_or(TunnelKind::Vxlan, |tunnel| tunnel.kind);
                self.next_tunnel = Some(Tunnel { kind, id: tunnel_number(word)? });
                Some(false)
            }
            Expect::Ttl => {
                self.ttl = Some(number(word).and_then(|ttl| u8::try_from(ttl).ok())?);
                Some(false)
            }
        }
    }

    fn reply(&mut self, sender: u32, sender_mac: Address) -> bool {
        let target_mac = self.destination;
        self.found = Found::Arp { operation: Operation::Reply, sender, target: None, sender_mac, target_mac };
        true
    }

    fn request(&mut self, sender: u32, target: u32) -> bool {
        self.counts.without_mac += u64::from(self.source.len == 0 && sender != 0);
        let (sender_mac, target_mac) = (self.source, self.target_mac);
        let target = Some(target);
        self.found = Found::Arp { operation: Operation::Request, sender, target, sender_mac, target_mac };
        true
    }

    /// Takes any other word.
    pub(super) fn unexpected(&mut self, last: Last, word: &[u8]) -> bool {
        if let (Last::First(sender), Some(mac)) = (last, Address::parse(word)) {
            return self.reply(sender, mac);
        }
        let in_frame = self.source.len > 0;
        self.expect = match (word, last) {
            (b"who-has", _) | (b"has", Last::Who) => Expect::Target,
            (b"is-at", Last::Ipv4(sender) | Last::First(sender)) | (b"at", Last::Is(sender)) => {
                Expect::Owner { sender }
            }
            // Wireshark: `ARP Announcement for 10.0.0.1`, `Gratuitous ARP for 10.0.0.1 (Request)`.
            (b"Announcement" | b"Gratuitous", _) => Expect::Announced,
            (b"Probe", _) => Expect::Probed,
            (b"ARPING", _) => Expect::Pinged,
            (b"from", Last::Reply) => Expect::Answerer,
            (b"from", Last::Bytes) => Expect::AnsweringMac,
            (b"vlan", _) if in_frame => Expect::VlanId,
            (b"vni", _) => Expect::Vni,
            (b"ttl", _) if in_frame => Expect::Ttl,
            // The last is the arrow of Wireshark's summary.
            (b">" | b"->" | b"\xe2\x86\x92", Last::Mac(source)) => {
                self.frame();
                (self.source, self.begun, self.tunnel) = (source, true, self.next_tunnel.take());
                Expect::FrameDestination
            }
            (b">", Last::Ipv4(source) | Last::First(source)) if in_frame => {
                Expect::PacketDestination { source }
            }
            _ => {
                self.last = self.plain(last, word);
                return false;
            }
        };
        false
    }

    /// What a word is to the next one.
    fn plain(&mut self, last: Last, word: &[u8]) -> Last {
        match (word, last) {
            (b"Who", _) => return Last::Who,
            (b"Geneve", _) => self.next_tunnel = Some(Tunnel { kind: TunnelKind::Geneve, id: 0 }),
            (b"reply", _) => return Last::Reply,
            (b"bytes", _) => return Last::Bytes,
            (b"is", Last::Ipv4(address) | Last::First(address)) => return Last::Is(address),
            _ => {}
        }
        if let Some(mac) = Address::parse(word) {
            Last::Mac(mac)
        } else if let Some(address) = ipv4(word) {
            if self.begins_line { Last::First(address) } else { Last::Ipv4(address) }
        } else if (self.begins_line || matches!(last, Last::Number)) && self.since_begin(word) {
            self.frame();
            self.begun = true;
            Last::Other
        } else if self.begins_line && number(word).is_some() {
            Last::Number
        } else {
            if self.clock(word) {
                self.frame();
                (self.begun, self.next_tunnel) = (true, None);
            }
            Last::Other
        }
    }
}
