//! Fields that tshark was asked for: `-T json`, `-T pdml`, `-T fields` with a heading (`-E header=y`) and without; and rows of
//! arpwatch's `arp.dat`.

use super::value::{Address, ipv4, number, seconds, trim};
use crate::record::TunnelKind;

/// Fields that are of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Time,
    Date,
    SinceBegin,
    Vlan,
    Tunnel(TunnelKind),
    Source,
    Destination,
    Operation,
    SenderMac,
    Sender,
    TargetMac,
    Target,
    Ipv4Source,
    Ipv4Destination,
    TimeToLive,
    Ipv6Source,
    Solicitation,
    Advertisement,
    Router,
    Solicited,
    Overrides,
    Named,
}

/// What tshark calls them.
const NAMES: [(&[u8], Field); 27] = [
    (b"frame.time_epoch", Field::Time),
    (b"frame.time", Field::Date),
    (b"frame.time_utc", Field::Date),
    (b"frame.time_relative", Field::SinceBegin),
    (b"vlan.id", Field::Vlan),
    (b"vxlan.vni", Field::Tunnel(TunnelKind::Vxlan)),
    (b"geneve.vni", Field::Tunnel(TunnelKind::Geneve)),
    (b"eth.src", Field::Source),
    (b"eth.dst", Field::Destination),
    (b"sll.src.eth", Field::Source),
    (b"wlan.sa", Field::Source),
    (b"wlan.da", Field::Destination),
    (b"arp.opcode", Field::Operation),
    (b"arp.src.hw_mac", Field::SenderMac),
    (b"arp.src.proto_ipv4", Field::Sender),
    (b"arp.dst.hw_mac", Field::TargetMac),
    (b"arp.dst.proto_ipv4", Field::Target),
    (b"ip.src", Field::Ipv4Source),
    (b"ip.dst", Field::Ipv4Destination),
    (b"ip.ttl", Field::TimeToLive),
    (b"ipv6.src", Field::Ipv6Source),
    (b"icmpv6.nd.ns.target_address", Field::Solicitation),
    (b"icmpv6.nd.na.target_address", Field::Advertisement),
    (b"icmpv6.nd.na.flag.r", Field::Router),
    (b"icmpv6.nd.na.flag.s", Field::Solicited),
    (b"icmpv6.nd.na.flag.o", Field::Overrides),
    (b"icmpv6.opt.linkaddr", Field::Named),
];

impl Field {
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        NAMES.iter().find(|(name, _)| *name == word).map(|(_, field)| *field)
    }

    /// As `-T ek` calls it: `arp_arp_src_hw_mac`.
    pub(super) fn of_ek(word: &[u8]) -> Option<Self> {
        let layer = word.iter().position(|byte| *byte == b'_')?;
        let is_alike = |(one, other): (&u8, &u8)| one == other || (*one == b'.' && *other == b'_');
        let word = &word[layer + 1..];
        let is_it = |name: &[u8]| name.len() == word.len() && name.iter().zip(word).all(is_alike);
        NAMES.iter().find(|(name, _)| is_it(name)).map(|(_, field)| *field)
    }
}

/// Layers that tshark names fields of first.
const LAYERS: [&[u8]; 11] =
    [b"frame", b"eth", b"arp", b"ip", b"ipv6", b"icmpv6", b"vlan", b"_ws", b"sll", b"wlan", b"vxlan"];

/// Most columns of a table; more are no table of ours.
const MOST: usize = 64;

/// A heading of fields, and where in a row the next word stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    fields: Vec<Option<Field>>,
    separator: Option<u8>,
    /// Tabs stand between the columns, and two of them around an empty cell.
    tabbed: bool,
    /// The line at hand is the heading.
    heading: bool,
    at: usize,
}

impl Columns {
    /// Whether there was a heading.
    pub(super) fn are_known(&self) -> bool {
        !self.fields.is_empty()
    }

    /// A line begins.
    pub(super) fn begin_line(&mut self) {
        (self.heading, self.at) = (false, 0);
    }

    /// No row follows any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether the line at hand is the heading.
    pub(super) fn is_heading(&self) -> bool {
        self.heading
    }

    /// Whether a word of the heading is none: rows follow it in the same line.
    pub(super) fn runs_on(&self, word: &[u8]) -> bool {
        let is_value = |part: &[u8]| ipv4(part).is_some() || Address::parse(part).is_some();
        self.heading && word.split(|byte| b",;|".contains(byte)).any(|part| is_value(trim(part)))
    }

    /// Takes a word of the heading, or one that begins it; says whether it is one. So many tabs stand before it in its line.
    pub(super) fn heads(&mut self, word: &[u8], begins_line: bool, tabs: usize) -> bool {
        if begins_line {
            let is_name = |part: &[u8]| {
                let layer = part.split(|byte| *byte == b'.').next();
                part.contains(&b'.') && layer.is_some_and(|layer| LAYERS.contains(&layer))
            };
            let separator = word.iter().copied().find(|byte| b",;|".contains(byte));
            let mut parts = word.split(|byte| Some(*byte) == separator);
            if !parts.all(|part| !part.is_empty() && is_name(part)) {
                return false;
            }
            (self.fields, self.separator, self.heading, self.tabbed) = (Vec::new(), separator, true, false);
        }
        if self.heading {
            self.tabbed |= tabs > 0;
            let separator = self.separator;
            self.fields.extend(word.split(|byte| Some(*byte) == separator).map(Field::of));
            self.fields.truncate(MOST);
        }
        self.heading
    }

    /// The cells of a word, each with its field, and whether the last of them ends a row.
    pub(super) fn cells<'a>(&mut self, word: &'a [u8], tabs: usize) -> (Vec<(Field, &'a [u8])>, bool) {
        let separator = self.separator;
        if self.tabbed {
            self.at = tabs;
        }
        let mut cells = Vec::new();
        for cell in word.split(|byte| Some(*byte) == separator) {
            if let Some(Some(field)) = self.fields.get(self.at) {
                cells.push((*field, cell));
            }
            self.at += 1;
        }
        (cells, self.at == self.fields.len())
    }
}

/// A word of a row without a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Operation(u16),
    Number(u64),
    Time(u64),
    Mac(Address),
    Ipv4(u32),
}

/// A row without a heading: ARP's operation, then MAC and address of sender and target, in either order.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    tokens: Vec<Token>,
    /// Words of another kind in the line.
    others: usize,
    /// Addresses and MACs in the line.
    addresses: usize,
    /// The line told something.
    told: bool,
}

/// What a row holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub time: Option<u64>,
    /// Both link-layer addresses, if they stand before.
    pub frame: Option<(Address, Address)>,
    pub operation: u16,
    pub sender: (u32, Address),
    pub target: (u32, Address),
}

/// A number of seconds since 1970 is no less: nobody kept such a list before 1989.
const MOMENT: u64 = 600_000_000;

impl Row {
    /// Whether the line at hand is a row in which names stand for addresses.
    pub(super) fn is_broken(&self) -> bool {
        !self.told && self.addresses >= 3 && self.others <= 3
    }

    /// The line told something, perhaps in another form than this one.
    pub(super) fn has_told(&mut self) {
        self.told = true;
    }

    /// A line begins.
    pub(super) fn begin_line(&mut self) {
        *self = Self::default();
    }

    /// A row of arpwatch's list as far as its third word: MAC, address and when it was seen last, in ns.
    pub(super) fn known(&self) -> Option<(Address, u32, u64)> {
        match *self.tokens {
            [Token::Mac(mac), Token::Ipv4(address), Token::Number(time)]
                if time >= MOMENT && self.others == 0 =>
            {
                Some((mac, address, time.checked_mul(1_000_000_000)?))
            }
            _ => None,
        }
    }

    /// Takes the next word.
    pub(super) fn word(&mut self, word: &[u8]) -> Option<Told> {
        let token = if let Some(address) = ipv4(word) {
            Token::Ipv4(address)
        } else if let Some(mac) = Address::parse(word) {
            Token::Mac(mac)
        } else if let Some(number) = number(word) {
            if matches!(number, 1 | 2) { Token::Operation(number as u16) } else { Token::Number(number) }
        } else if let Some(time) = seconds(word) {
            Token::Time(time)
        } else {
            self.others += 1;
            return None;
        };
        self.addresses += usize::from(matches!(token, Token::Mac(_) | Token::Ipv4(_)));
        if self.others > 0 || self.tokens.len() >= MOST {
            return None;
        }
        self.tokens.push(token);
        let (before, row) = self.tokens.split_at_checked(self.tokens.len().checked_sub(5)?)?;
        let (operation, sender, target) = match *row {
            [Token::Operation(operation), Token::Mac(a), Token::Ipv4(b), Token::Mac(c), Token::Ipv4(d)]
            | [Token::Operation(operation), Token::Ipv4(b), Token::Mac(a), Token::Ipv4(d), Token::Mac(c)] => {
                (operation, (b, a), (d, c))
            }
            _ => return None,
        };
        let frame = match *before {
            [.., Token::Mac(source), Token::Mac(destination)] => Some((source, destination)),
            _ => None,
        };
        let time = before.iter().find_map(|token| match token {
            Token::Time(time) => Some(*time),
            _ => None,
        });
        Some(Told { time, frame, operation, sender, target })
    }
}
