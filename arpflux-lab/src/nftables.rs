//! Tables of nftables, as requests to the kernel (`linux/netfilter/nf_tables.h`): of a snapshot's filters, in one
//! transaction each.

mod expression;

use arpflux_core::filter::{Answer, Base, Bytes, Chain, Element, Family, Hook, Set, Verdict};
use arpflux_core::{Error, ErrorKind, Result};
use netlink_sys::{Socket, SocketAddr};
use nix::libc;

pub(crate) use self::expression::not_made;

/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const NEW_SET: u16 = NFTABLES << 8 | 9;
const NEW_ELEMENTS: u16 = NFTABLES << 8 | 12;
const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
/// What makes something new, behind what is there.
const CREATE: u16 = REQUEST | (libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_APPEND) as u16;
const NESTED: u16 = 0x8000;
/// `NFTA_LIST_ELEM`.
const ELEMENT: u16 = 1;
/// An attribute has less than 64 KiB: so many elements go into one request.
const ELEMENTS_AT_ONCE: usize = 200;
/// `NFT_DATA_VERDICT`.
const VERDICTS: u32 = 0xffff_ff00;

/// A table with its chains, in the kernel's words for its family.
pub(crate) struct Table<'a> {
    /// `NFPROTO_*`.
    pub family: u8,
    pub name: &'a str,
    pub chains: Vec<Chain>,
    pub sets: Vec<&'a Set>,
}

/// The kernel's number of a family that nftables has.
pub(crate) const fn number(family: Family) -> Option<u8> {
    match family {
        Family::Arp => Some(3),
        Family::Netdev => Some(5),
        Family::Bridge => Some(7),
        // Hosts are built for ARP, which those of IPv6 never see.
        Family::Arptables | Family::Ebtables | Family::TrafficControl | Family::Ip6 | Family::Inet => None,
    }
}

/// Makes a table in the calling thread's namespace, whole or not at all.
///
/// # Errors
/// What the kernel says to the first request that it refuses.
pub(crate) fn make(table: &Table<'_>) -> Result<()> {
    let mut batch = Batch::default();
    batch.message(BATCH_BEGIN, REQUEST, 0, NFTABLES);
    batch.message(NEW_TABLE, CREATE, table.family, 0);
    batch.text(1, table.name);
    for chain in &table.chains {
        batch.chain(table, chain);
    }
    for (number, set) in (1..).zip(&table.sets) {
        batch.set(table, set, number);
    }
    for chain in &table.chains {
        for rule in &chain.rules {
            batch.message(NEW_RULE, CREATE, table.family, 0);
            batch.text(1, table.name);
            batch.text(2, &chain.name);
            batch.nest(4, |batch| {
                rule.iter().for_each(|one| batch.nest(ELEMENT, |batch| batch.expression(one)));
            });
        }
    }
    let last = batch.sequence;
    batch.message(BATCH_END, REQUEST, 0, NFTABLES);
    send(batch.sealed(), last)
}

/// Sends a transaction and waits until all but its two ends are acknowledged.
fn send(bytes: &[u8], last: u32) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("make", "rules of nftables", &error);
    let mut socket = Socket::new(netlink_sys::protocols::NETLINK_NETFILTER).map_err(failed)?;
    socket.bind_auto().map_err(failed)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
    socket.send(bytes, 0).map_err(failed)?;
    loop {
        let (answer, _) = socket.recv_from_full().map_err(failed)?;
        let mut rest = &answer[..];
        while let Some(header) = rest.first_chunk::<20>() {
            let word = |at: usize| {
                header[at..].first_chunk().map_or(0, |bytes: &[u8; 4]| u32::from_ne_bytes(*bytes))
            };
            let (length, sequence, errno) = (word(0) as usize, word(8), word(16).cast_signed());
            if u32::from(u16::from_ne_bytes([header[4], header[5]])) != libc::NLMSG_ERROR as u32 {
                return Err(Error::new(ErrorKind::Internal, "nftables answered what nobody asked"));
            }
            if errno != 0 {
                return Err(Error::os("make", "rules of nftables", -errno));
            }
            if sequence == last {
                return Ok(());
            }
            rest = rest.get(length.next_multiple_of(4).max(20)..).unwrap_or_default();
        }
    }
}

/// Messages one after the other.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where the last message begins.
    start: usize,
    sequence: u32,
}

impl Batch {
    /// Begins a message.
    fn message(&mut self, kind: u16, flags: u16, family: u8, subsystem: u16) {
        self.close();
        self.start = self.bytes.len();
        self.sequence += 1;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        // `struct nfgenmsg`.
        self.bytes.extend_from_slice(&[family, 0]);
        self.bytes.extend_from_slice(&subsystem.to_be_bytes());
    }

    /// Writes the length of the last message.
    fn close(&mut self) {
        let length = (self.bytes.len() - self.start) as u32;
        if let Some(place) = self.bytes.get_mut(self.start..self.start + 4) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn sealed(&mut self) -> &[u8] {
        self.close();
        &self.bytes
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&value[..usize::from(length) - 4]);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.attribute(kind | NESTED, &[]);
        inner(self);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn text(&mut self, kind: u16, text: &str) {
        self.attribute(kind, &[text.as_bytes(), &[0]].concat());
    }

    fn number(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_be_bytes());
    }

    fn chain(&mut self, table: &Table<'_>, chain: &Chain) {
        self.message(NEW_CHAIN, CREATE, table.family, 0);
        self.text(1, table.name);
        self.text(3, &chain.name);
        let Some(base) = &chain.base else { return };
        self.nest(4, |batch| {
            batch.number(1, hook(table.family, base.hook));
            batch.number(2, base.priority.cast_unsigned());
            batch.devices(base);
        });
        self.number(5, if base.drops { 0 } else { 1 });
        self.text(7, "filter");
    }

    fn devices(&mut self, base: &Base) {
        const NAME: u16 = 1;
        const PREFIX: u16 = 2;
        match base.devices.as_slice() {
            [] => {}
            [one] if !one.ends_with('*') => self.text(3, one),
            many => self.nest(4, |batch| {
                for device in many {
                    match device.strip_suffix('*') {
                        Some(prefix) => batch.text(PREFIX, prefix),
                        None => batch.text(NAME, device),
                    }
                }
            }),
        }
    }

    fn set(&mut self, table: &Table<'_>, set: &Set, number: u32) {
        const INTERVAL: u32 = 0x4;
        const MAP: u32 = 0x8;
        const CONCATENATION: u32 = 0x80;
        const END: u32 = 1;
        const CATCH_ALL: u32 = 2;
        let several = set.fields.len() > 1;
        let ranges = set.elements.iter().any(|element| element.from != element.to);
        let mut flags = 0;
        flags |= if ranges { INTERVAL } else { 0 };
        flags |= if several { CONCATENATION } else { 0 };
        let answers = set.elements.iter().map(|element| &element.answer).chain(&set.otherwise);
        let map = answers.clone().find(|answer| **answer != Answer::Nothing);
        flags |= if map.is_some() { MAP } else { 0 };
        self.message(NEW_SET, CREATE, table.family, 0);
        self.text(1, table.name);
        self.text(2, &set.name);
        self.number(3, flags);
        let padded = set.fields.iter().map(|field| u32::from(*field).next_multiple_of(4)).sum::<u32>();
        let key = if several { padded } else { set.fields.first().map_or(0, |field| u32::from(*field)) };
        self.number(5, key);
        match map {
            Some(Answer::Verdict(_)) => self.number(6, VERDICTS),
            Some(Answer::Value(value)) => {
                self.number(6, 0);
                self.number(7, value.0.len() as u32);
            }
            _ => {}
        }
        if several {
            self.nest(9, |batch| {
                batch.nest(2, |batch| {
                    for field in &set.fields {
                        batch.nest(ELEMENT, |batch| batch.number(1, u32::from(*field)));
                    }
                });
            });
        }
        self.number(10, number);
        // Of one field, each interval is two elements: where it begins, and where the next key is none of it.
        let bounds = ranges && !several;
        for some in set.elements.chunks(ELEMENTS_AT_ONCE) {
            self.elements(table, set, number);
            self.nest(3, |batch| {
                for Element { from, to, answer, .. } in some {
                    batch.nest(ELEMENT, |batch| {
                        batch.nest(1, |batch| batch.attribute(1, &from.0));
                        batch.answer(answer);
                        if ranges && several {
                            batch.nest(10, |batch| batch.attribute(1, &to.0));
                        }
                    });
                    if let Some(end) = after(to).filter(|_| bounds) {
                        batch.nest(ELEMENT, |batch| {
                            batch.nest(1, |batch| batch.attribute(1, &end));
                            batch.number(3, END);
                        });
                    }
                }
            });
        }
        if let Some(answer) = &set.otherwise {
            self.elements(table, set, number);
            self.nest(3, |batch| {
                batch.nest(ELEMENT, |batch| {
                    batch.answer(answer);
                    batch.number(3, CATCH_ALL);
                });
            });
        }
    }

    fn elements(&mut self, table: &Table<'_>, set: &Set, number: u32) {
        self.message(NEW_ELEMENTS, CREATE, table.family, 0);
        self.text(1, table.name);
        self.text(2, &set.name);
        self.number(4, number);
    }

    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Nothing => {}
            Answer::Value(value) => self.nest(2, |batch| batch.attribute(1, &value.0)),
            Answer::Verdict(verdict) => self.nest(2, |batch| batch.verdict(verdict)),
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let (code, to) = match verdict {
            Verdict::Drop => (0, None),
            Verdict::Accept => (1, None),
            Verdict::Break => (-2, None),
            Verdict::Return => (-5, None),
            Verdict::Jump(to) => (-3, Some(to)),
            Verdict::Goto(to) => (-4, Some(to)),
            // Those that are not made are refused before.
            Verdict::Continue | Verdict::Redirect { .. } | Verdict::Unknown => (-1_i32, None),
        };
        self.nest(2, |batch| {
            batch.number(1, code.cast_unsigned());
            to.into_iter().for_each(|to| batch.text(2, to));
        });
    }
}

const fn hook(family: u8, hook: Hook) -> u32 {
    const ARP: u8 = 3;
    match hook {
        Hook::Ingress | Hook::Prerouting => 0,
        Hook::Input if family == ARP => 0,
        Hook::Output if family == ARP => 1,
        Hook::Egress | Hook::Input => 1,
        Hook::Output => 3,
        Hook::Postrouting => 4,
    }
}

/// The key behind another one; `None` behind the last.
fn after(key: &Bytes) -> Option<Vec<u8>> {
    let mut bytes = key.0.clone();
    for byte in bytes.iter_mut().rev() {
        let (more, carries) = byte.overflowing_add(1);
        *byte = more;
        if !carries {
            return Some(bytes);
        }
    }
    None
}
