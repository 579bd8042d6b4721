//! A snapshot that a stranger may see: names, addresses and MACs replaced, alike wherever they stand, so that the model says
//! the same of it.
//!
//! What is kept is what decides: subnets and routes contain what they contained, in the order in which they did; loopback,
//! link-local, multicast, private and public addresses are still that; a virtual router's MAC is still one of its protocol; an
//! IPv4 address keeps its last byte, so that whoever stands for a neighbour of a subnet is the same. Numbers stay
//! (indexes, tables, VLANs, marks, sysctls), and so do the first addresses of a range that is special as a whole subnet
//! (10.0.0.1/8).

mod filters;
mod names;
mod origins;
mod records;
mod tree;
mod words;

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::names::Names;
use self::tree::Tree;
use self::words::Words;
use super::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{IfName, IpNet, Mac};

/// What a number is, its first bit at the top of a `u128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    V4,
    V6,
    Mac,
}

/// What stands for the names, addresses and MACs of one snapshot. Another one made of the same snapshot replaces otherwise.
///
/// ```
/// use arpflux_core::snapshot::{Anonymiser, Builder};
///
/// let host = Builder::new().nic("wan-berlin", &["8.8.4.4/24"]).build()?;
/// let anonymiser = Anonymiser::of(&host)?;
/// let anonymous = anonymiser.snapshot(&host)?;
/// assert_eq!(anonymous.interfaces[1].name.to_string(), "if2");
/// assert_eq!(anonymous.addresses[1].local, anonymiser.address(host.addresses[1].local));
/// assert!(!anonymous.to_json()?.contains("8.8.4"));
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Anonymiser {
    v4: Tree,
    /// The first 104 bits: the last 24 are also those of the group that is asked for an address (RFC 4291 section 2.7.1).
    v6: Tree,
    low: Tree,
    macs: Tree,
    /// What is on the host's links and larger than a /24, each once.
    wide: Vec<IpNet>,
    names: Names,
    words: Words,
    secret: RandomState,
}

impl Snapshot {
    /// The same host with other names, addresses and MACs: see [`Anonymiser`].
    ///
    /// # Errors
    /// As [`Anonymiser::of`].
    pub fn anonymised(&self) -> Result<Self> {
        Anonymiser::of(self)?.snapshot(self)
    }
}

impl Anonymiser {
    /// Finds what stands for what, by a secret that is drawn anew each time.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if a packet filter looks at an address in a way that cannot be kept: at bits in its middle, or
    /// whether it is above another. Those of [`Snapshot::check`].
    pub fn of(snapshot: &Snapshot) -> Result<Self> {
        snapshot.check()?;
        let mut new = Self {
            v4: Tree::new(24),
            v6: Tree::new(104),
            low: Tree::new(24),
            macs: Tree::new(48),
            wide: Vec::new(),
            names: Names::default(),
            words: Words::default(),
            secret: RandomState::new(),
        };
        new.pin_ranges();
        records::walk(&mut snapshot.clone(), &mut records::Pass::Collects(&mut new))?;
        [&mut new.v4, &mut new.v6, &mut new.low, &mut new.macs].into_iter().for_each(Tree::ready);
        new.names.ready()?;
        new.words.ready();
        Ok(new)
    }

    /// The snapshot that it was made of, with everything replaced.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is another snapshot, with a name that is not known.
    pub fn snapshot(&self, snapshot: &Snapshot) -> Result<Snapshot> {
        let mut anonymous = snapshot.clone();
        records::walk(&mut anonymous, &mut records::Pass::Replaces(self))?;
        anonymous.check().map_err(|error| error.during("anonymise snapshot"))?;
        Ok(anonymous)
    }

    /// What stands for an address.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> IpAddr {
        self.network(address, 128)
    }

    /// What stands for the first `bits` of an address.
    fn network(&self, address: IpAddr, bits: u8) -> IpAddr {
        match number(address) {
            (Space::V4, value) => {
                let image = self.bits(Space::V4, value, bits.min(32)) >> 96;
                Ipv4Addr::from_bits(image as u32).into()
            }
            (space, value) => Ipv6Addr::from_bits(self.bits(space, value, bits)).into(),
        }
    }

    /// What stands for a prefix.
    #[must_use]
    pub fn prefix(&self, prefix: IpNet) -> IpNet {
        let len = prefix.prefix_len();
        let bits = if prefix == prefix.trunc() { len } else { 128 };
        IpNet::new(self.network(prefix.addr(), bits), len).unwrap_or(prefix)
    }

    /// What stands for a MAC. That of a tunnel is the address of its end.
    #[must_use]
    pub fn mac(&self, mac: Mac) -> Mac {
        let mut bytes = mac.as_bytes().to_vec();
        match bytes.len() {
            6 => self.replace(Space::Mac, &mut bytes, 48),
            4 => self.replace(Space::V4, &mut bytes, 32),
            16 => self.replace(Space::V6, &mut bytes, 128),
            _ if bytes.iter().all(|byte| *byte == 0) => {}
            _ => {
                let old = bytes.clone();
                for (at, chunk) in bytes.chunks_mut(8).enumerate() {
                    let new = self.secret.hash_one((at, &old)).to_ne_bytes();
                    chunk.iter_mut().zip(new).for_each(|(byte, new)| *byte = new);
                }
            }
        }
        Mac::from_bytes(&bytes).unwrap_or(mac)
    }

    /// What stands for a name of an interface; `None`: nothing of the snapshot is called so.
    #[must_use]
    pub fn name(&self, name: &IfName) -> Option<IfName> {
        IfName::from_bytes(self.names.of(name.as_bytes())?).ok()
    }

    /// Replaces the first `bits` of some bytes that are the beginning of a number.
    fn replace(&self, space: Space, bytes: &mut [u8], bits: u8) {
        let image = self.bits(space, left(bytes), bits).to_be_bytes();
        bytes.iter_mut().zip(image).for_each(|(byte, new)| *byte = new);
    }

    /// The same of the ends of a range of numbers with so many bits.
    fn replace_range(&self, space: Space, from: &mut [u8], to: &mut [u8], width: u8) {
        match tree::is_prefix(left(from), left(to) | !mask(width)) {
            Some(bits) => {
                self.replace(space, from, bits);
                let ones = (left(from) | !mask(bits)).to_be_bytes();
                to.iter_mut().zip(ones).for_each(|(byte, new)| *byte = new);
            }
            None => [from, to].into_iter().for_each(|end| self.replace(space, end, width)),
        }
    }

    /// What stands for the first `bits` of a number.
    fn bits(&self, space: Space, value: u128, bits: u8) -> u128 {
        let kept = |from: u8| value & !mask(from) & mask(bits);
        match space {
            Space::V4 => self.v4.map(value, bits) | kept(24),
            Space::V6 if value >> 120 == 0xff => {
                if value >> 24 & GROUP == SOLICITED {
                    value & mask(bits.min(104)) | self.low(value, bits)
                } else if value << 16 >> 32 == 0 || bits <= 16 {
                    value & mask(bits)
                } else {
                    let other = self.secret.hash_one((value & mask(bits), bits));
                    value & mask(16) | (u128::from(other) << 16 & mask(bits) & !mask(16))
                }
            }
            // That of an IPv4 address (RFC 4291 section 2.5.5.2).
            Space::V6 if value >> 32 == 0xffff && bits >= 96 => {
                value & mask(96) | self.bits(Space::V4, value << 96, bits - 96) >> 96
            }
            Space::V6 => self.v6.map(value, bits) | self.low(value, bits),
            // Google's cloud makes the MAC of the address.
            Space::Mac if value >> 112 == OF_ADDRESS && bits >= 16 => {
                value & mask(16) | self.bits(Space::V4, value << 16, bits - 16) >> 16
            }
            // That of the group of IPv6 addresses that end so.
            Space::Mac if value >> 104 == 0x33_33ff && bits > 24 => {
                value & mask(24) | self.low(value >> 80, bits + 80) << 80
            }
            Space::Mac if value >> 120 & 1 == 1 && value >> 96 != 0x0100_5e7f && bits >= 8 => {
                value & mask(bits)
            }
            Space::Mac => self.macs.map(value, bits),
        }
    }

    /// The same of the last 24 bits of an IPv6 address. Small numbers stay.
    fn low(&self, value: u128, bits: u8) -> u128 {
        match bits.checked_sub(104) {
            None | Some(0) => 0,
            Some(_) if value & 0xff_ff00 == 0 => value & 0xff & mask(bits),
            Some(bits) => self.low.map(value << 104, bits) >> 104,
        }
    }

    /// Makes room for the first `bits` of a number.
    fn insert(&mut self, space: Space, value: u128, bits: u8) {
        match space {
            Space::V4 => self.v4.insert(value),
            Space::V6 if value >> 32 == 0xffff => self.v4.insert(value << 96),
            Space::V6 => {
                if value >> 120 != 0xff {
                    self.v6.insert(value & mask(104));
                }
                if bits > 104 {
                    self.low.insert(value << 104);
                }
            }
            Space::Mac if value >> 112 == OF_ADDRESS => self.v4.insert(value << 16),
            Space::Mac if value >> 104 == 0x33_33ff => self.low.insert(value << 24),
            Space::Mac => self.macs.insert(value),
        }
    }

    fn insert_net(&mut self, net: IpNet) {
        let (space, value) = number(net.addr());
        self.insert(space, value, net.prefix_len());
    }

    /// A filter looks whether a number of so many bits is from one to another.
    fn insert_range(&mut self, space: Space, from: u128, to: u128, width: u8) -> Result<()> {
        let to = to | !mask(width);
        if let Some(bits) = tree::is_prefix(from, to) {
            self.insert(space, from, bits);
            return Ok(());
        }
        let done = match space {
            Space::V4 => self.v4.range(from, to, 24),
            Space::Mac => self.macs.range(from, to, 48),
            Space::V6 if from >> 24 == to >> 24 => {
                self.v6.insert(from & mask(104));
                self.low.range(from << 104, to << 104 | !mask(24), 24)
            }
            Space::V6 => {
                self.low.pin(from << 104, 0, 24);
                self.low.pin(to << 104, 0, 24);
                self.v6.range(from, to, 104)
            }
        };
        done.ok_or_else(|| unsupported("a packet filter looks whether an address is above or below another"))
    }

    /// Keeps what the first and last address are of what is on a link.
    fn insert_subnet(&mut self, subnet: IpNet) {
        let len = subnet.prefix_len();
        match (subnet.network(), subnet.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                if (8..24).contains(&len) && !self.wide.contains(&subnet.trunc()) {
                    self.wide.push(subnet.trunc());
                }
                for end in [first, last] {
                    self.v4.pin(u128::from(end.to_bits()) << 96, len, 24);
                }
            }
            (IpAddr::V6(first), _) => self.v6.pin(first.to_bits(), len, 104),
            (IpAddr::V4(_), IpAddr::V6(_)) => {}
        }
    }

    /// Keeps which address comes behind a route within a subnet: the first that is left is whom the model takes for an
    /// ordinary neighbour.
    fn insert_within(&mut self, route: IpNet) {
        let within = |subnet: &IpNet| subnet.contains(&route) && *subnet != route;
        if let (Space::V4, last) = number(route.broadcast())
            && self.wide.iter().any(within)
            && let Some(next) = last.checked_add(1 << 96)
        {
            self.v4.insert(next);
            self.v4.pin(next, (last ^ next).leading_zeros() as u8, 24);
        }
    }

    /// What is special stays so.
    fn pin_ranges(&mut self) {
        const V4: [(u32, u8); 15] = [
            (0x0000_0000, 32),
            (0x0a00_0000, 8),
            (0x6440_0000, 10),
            (0x7f00_0000, 8),
            (0x7f00_0001, 32),
            (0xa9fe_0000, 16),
            (0xac10_0000, 12),
            (0xc0a8_0000, 16),
            (0xe000_0000, 24),
            (0xf000_0000, 4),
            (0xffff_ffff, 32),
            (0x0000_0000, 8),
            (0xe000_0000, 3),
            (0x8000_0000, 1),
            (0xff00_0000, 8),
        ];
        const V6: [(u128, u8); 8] = [
            (0, 104),
            (0x2000 << 112, 3),
            (0xfc00 << 112, 8),
            (0xfd00 << 112, 8),
            (0xfe80 << 112, 64),
            (0xfec0 << 112, 10),
            (0xff00 << 112, 8),
            (0xffff << 32, 96),
        ];
        /// The ranges of [`VirtualMac`](crate::types::VirtualMac), and what no NIC has.
        const MACS: [(u64, u8); 20] = [
            (0, 48),
            (0xffff_ffff_ffff, 48),
            (0x4201 << 32, 16),
            (0x3333 << 32, 16),
            (0x0000_5e00_0100, 40),
            (0x0000_5e00_0200, 40),
            (0x0000_0c07_ac00, 40),
            (0x0000_0c9f_f000, 36),
            (0x02bf_0000_0000, 16),
            (0x03bf_0000_0000, 16),
            (0x0100_5e7f_0000, 32),
            (0x0009_0f09_0000, 32),
            (0x001c_7f00_0000, 32),
            (0x001c_7300_0099, 48),
            (0x4438_39ff_0000, 32),
            (0x0022_bdf8_19ff, 48),
            (0x0250_5656_4452, 48),
            (0xeeee_eeee_eeee, 48),
            (0x1234_5678_9abc, 48),
            (0x0007_b400_0000, 30),
        ];
        V4.iter().for_each(|(value, bits)| self.v4.pin(u128::from(*value) << 96, 0, *bits));
        V6.iter().for_each(|(value, bits)| self.v6.pin(*value, 0, *bits));
        MACS.iter().for_each(|(value, bits)| self.macs.pin(u128::from(*value) << 80, 0, *bits));
        self.low.pin(0, 0, 16);
        // Whether a MAC is a group's, and whether a vendor's.
        for first in 0..128u128 {
            self.macs.pin(first << 121, 6, 8);
        }
    }
}

/// The first 104 bits of the group that is asked for an address, and which of them count: not the scope.
const SOLICITED: u128 = 0xff00 << 88 | 0x1ff;
const GROUP: u128 = (1 << 104) - 1 - (0xff << 88);
/// The first two bytes of a MAC that is made of an IPv4 address.
const OF_ADDRESS: u128 = 0x4201;

/// An address as a number.
fn number(address: IpAddr) -> (Space, u128) {
    match address {
        IpAddr::V4(v4) => (Space::V4, u128::from(v4.to_bits()) << 96),
        IpAddr::V6(v6) => (Space::V6, v6.to_bits()),
    }
}

/// So many ones, and zeros behind.
const fn mask(bits: u8) -> u128 {
    if bits == 0 { 0 } else { u128::MAX << (128 - bits as u32) }
}

/// Bytes as the beginning of a number.
fn left(bytes: &[u8]) -> u128 {
    (0..).zip(bytes).take(16).map(|(at, byte)| u128::from(*byte) << (120 - 8 * at)).sum()
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, what)
        .during("anonymise snapshot")
        .hint("that cannot be kept with other addresses: take the rule out of the snapshot's file, or replace by hand")
}

#[cfg(test)]
mod tests;
