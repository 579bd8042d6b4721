//! Lines of logs about addresses: arpwatch's, those of BSD kernels, and of switches and routers.
//!
//! ```text
//! arpwatch: flip flop 10.0.0.1 00:0c:29:b3:a2:54 (00:0c:29:b3:a2:5e) eth0
//! kernel: arp: 10.0.0.1 moved from 00:0c:29:b3:a2:54 to 00:0c:29:b3:a2:5e on em0
//! KERN_ARP_ADDR_CHANGE: arp info overwritten for 10.0.0.1 from 00:0c:29:b3:a2:54 to 00:0c:29:b3:a2:5e
//! %IP-4-DUPADDR: Duplicate address 10.0.0.1 on Vlan1, sourced by 000c.29b3.a254
//! %ARP-3-DUP_SRC_IP: Source address of packet received from 000c.29b3.a254 on Vlan10 is duplicate of local, 10.0.0.1
//! ```

use super::value::{Address, ipv4};

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The new MAC stands first, then the old one.
    NewOld,
    /// The old one first.
    OldNew,
    /// The new one alone.
    New,
    /// One that has what another has too.
    Duplicate,
}

/// The word before, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Before {
    #[default]
    Other,
    Flip,
    New,
    Ethernet,
    Using,
    Duplicate,
    Address,
}

/// A line so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    kind: Option<Kind>,
    before: Before,
    /// `changed` or `reused`, of arpwatch's `changed ethernet address`.
    changed: bool,
    address: Option<u32>,
    macs: [Address; 2],
    count: usize,
    /// It told already that its MAC moves.
    moves: bool,
}

/// What a line came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// An address has another MAC than before, or another one as well.
    Address { address: u32, from: Address, to: Address, duplicate: bool },
    /// A MAC moves between ports of a switch.
    MacMoves,
}

impl Line {
    /// Takes the next word.
    pub(super) fn word(&mut self, word: &[u8]) -> Option<Told> {
        let before = std::mem::take(&mut self.before);
        let begin = |line: &mut Self, kind, keeps_macs: bool| {
            line.kind = Some(kind);
            line.count = if keeps_macs { line.count } else { 0 };
        };
        match (word, before) {
            (b"flip", _) => self.before = Before::Flip,
            (b"new", _) => self.before = Before::New,
            (b"ethernet", _) => self.before = Before::Ethernet,
            (b"using", _) => self.before = Before::Using,
            (b"changed" | b"reused", _) => self.changed = true,
            (b"flop", Before::Flip) | (b"mismatch", Before::Ethernet) => {
                self.address = None;
                begin(self, Kind::NewOld, false);
            }
            (b"address", Before::Ethernet) if self.changed => {
                self.address = None;
                begin(self, Kind::NewOld, false);
            }
            (b"station" | b"activity", Before::New) | (b"overwritten", _) => {
                self.address = None;
                begin(self, Kind::New, false);
            }
            (b"from", _) if self.kind == Some(Kind::New) => self.kind = Some(Kind::OldNew),
            (b"moved", Before::Address) => begin(self, Kind::OldNew, false),
            (b"moved" | b"flapping", _) if self.count > 0 && !self.moves => {
                self.moves = true;
                return Some(Told::MacMoves);
            }
            (b"Duplicate" | b"duplicate", _) | (b"my", Before::Using) => {
                self.address = None;
                self.before = Before::Duplicate;
                begin(self, Kind::Duplicate, true);
            }
            // Wireshark's own opinion of a frame that is there to be judged.
            (b"use", Before::Duplicate) => *self = Self::default(),
            (b"detected", _) if self.kind == Some(Kind::Duplicate) => *self = Self::default(),
            _ => return self.plain(word),
        }
        None
    }

    fn plain(&mut self, word: &[u8]) -> Option<Told> {
        if let Some(address) = ipv4(word) {
            self.before = Before::Address;
            // Behind what says it, the first one; before, the last.
            if self.kind.is_none() || self.address.is_none() {
                self.address = Some(address);
            }
        } else if let Some(mac) = Address::parse(word) {
            match self.kind {
                None => (self.macs[0], self.count) = (mac, 1),
                Some(_) if self.count < 2 => {
                    self.macs[self.count] = mac;
                    self.count += 1;
                }
                Some(_) => {}
            }
        } else {
            return None;
        }
        let (kind, address) = (self.kind?, self.address?);
        let none = Address::default();
        let [first, second] = self.macs;
        let (from, to) = match (kind, self.count) {
            (Kind::NewOld, 2) => (second, first),
            (Kind::OldNew, 2) => (first, second),
            (Kind::New | Kind::Duplicate, 1..) => (none, first),
            _ => return None,
        };
        *self = Self::default();
        Some(Told::Address { address, from, to, duplicate: kind == Kind::Duplicate })
    }
}

/// What a word of a mail of arpwatch stands behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Label {
    #[default]
    Other,
    Ip,
    Ethernet,
    Old,
    OldEthernet,
    IpAddress,
    EthernetAddress,
    OldEthernetAddress,
}

/// A mail of arpwatch, which has one value on a line:
///
/// ```text
///           ip address: 10.0.0.1
///     ethernet address: 0:c:29:11:22:33
/// old ethernet address: 0:c:29:b3:a2:54
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mail {
    label: Label,
    address: Option<u32>,
    new: Option<Address>,
}

impl Mail {
    /// Takes the next word.
    pub(super) fn word(&mut self, word: &[u8], begins_line: bool) -> Option<Told> {
        let label = if begins_line { Label::Other } else { std::mem::take(&mut self.label) };
        self.label = match (word, label) {
            (b"ip", _) if begins_line => Label::Ip,
            (b"ethernet", _) if begins_line => Label::Ethernet,
            (b"old", _) if begins_line => Label::Old,
            (b"ethernet", Label::Old) => Label::OldEthernet,
            (b"address", Label::Ip) => Label::IpAddress,
            (b"address", Label::Ethernet) => Label::EthernetAddress,
            (b"address", Label::OldEthernet) => Label::OldEthernetAddress,
            _ => Label::Other,
        };
        match label {
            Label::IpAddress => (self.address, self.new) = (ipv4(word), None),
            Label::EthernetAddress => self.new = Address::parse(word),
            Label::OldEthernetAddress => {
                let (address, to, from) = (self.address.take()?, self.new.take()?, Address::parse(word)?);
                return Some(Told::Address { address, from, to, duplicate: false });
            }
            _ => {}
        }
        None
    }
}
