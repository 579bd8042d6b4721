//! The tables of `arptables` and `ebtables` as they were before nftables, told in the words of nftables.

mod arptables;
mod ebtables;
#[cfg(test)]
mod tests;

pub(super) use arptables::mangled;
pub(in crate::kernel) use arptables::{Places, arptables};
pub(in crate::kernel) use ebtables::ebtables;

use nix::libc;

use crate::filter::{Bytes, Comparison, Expression, Header, Meta, Verdict};

/// Fields of a table's bytes; all `None` beyond the end.
#[derive(Clone, Copy)]
struct Blob<'a>(&'a [u8]);

impl<'a> Blob<'a> {
    fn bytes(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(len)?)
    }

    fn from(self, at: usize) -> Option<Self> {
        self.0.get(at..).map(Blob)
    }

    fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn u16(self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
    }

    fn u32(self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
    }

    fn i32(self, at: usize) -> Option<i32> {
        self.0.get(at..)?.first_chunk().copied().map(i32::from_ne_bytes)
    }

    /// A name that ends at a NUL; names end up on terminals.
    fn name(self, at: usize, len: usize) -> Option<String> {
        let bytes = self.bytes(at, len)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(len);
        Some(bytes[..end].escape_ascii().to_string())
    }
}

/// The conditions of a rule, as expressions.
#[derive(Default)]
struct Conditions(Vec<Expression>);

/// Any register will do: each condition loads it anew.
const REGISTER: u8 = 4;

impl Conditions {
    fn compare(&mut self, value: &[u8], inverted: bool) {
        let by = if inverted { Comparison::NotEqual } else { Comparison::Equal };
        self.0.push(Expression::Compare { register: REGISTER, by, value: Bytes(value.to_vec()) });
    }

    /// Bytes of the frame under a mask.
    fn field(&mut self, (header, offset): (Header, u32), value: &[u8], mask: &[u8], inverted: bool) {
        let all = |byte| mask.iter().all(|one| *one == byte);
        if all(0) && value.iter().all(|byte| *byte == 0) && !inverted {
            return;
        }
        self.0.push(Expression::Load { header, offset, len: value.len() as u32, register: REGISTER });
        if !all(0xff) {
            let (mask, xor) = (Bytes(mask.to_vec()), Bytes(vec![0; value.len()]));
            self.0.push(Expression::Mask { from: REGISTER, to: REGISTER, mask, xor });
        }
        self.compare(value, inverted);
    }

    /// The name of an interface, of which so many bytes count.
    fn device(&mut self, meta: Meta, name: &[u8], counts: usize, inverted: bool) {
        match name.get(..counts) {
            Some(name) if counts > 0 => {
                self.0.push(Expression::LoadMeta { meta, register: REGISTER });
                self.compare(name, inverted);
            }
            // Every name matches, so none does not.
            _ if inverted => self.0.push(Expression::Decide { verdict: Verdict::Break }),
            _ => {}
        }
    }

    /// Something that lets the rule go on or not.
    fn unknown(&mut self) {
        self.0.push(Expression::Unknown { name: "match".into() });
    }

    fn then(mut self, last: Option<Expression>) -> Vec<Expression> {
        self.0.extend(last);
        self.0
    }
}

/// `NF_DROP` and `NF_ACCEPT`.
fn of_netfilter(verdict: i32) -> Option<Verdict> {
    match verdict {
        libc::NF_DROP => Some(Verdict::Drop),
        libc::NF_ACCEPT => Some(Verdict::Accept),
        _ => None,
    }
}
