//! Words of tshark's JSON (`-T json`, `ek`, `jsonraw`) and PDML: names of fields, and their values.

use super::Text;
use super::table::Field;
use super::words::Expect;

impl Text {
    /// Whether a line that begins so is JSON without white space.
    pub(super) fn is_dense_json(line: &[u8]) -> bool {
        [&b"{\""[..], b"[{\"", b",{\""].iter().any(|begin| line.starts_with(begin))
    }

    /// Notes a line of JSON without white space that ends within an object: something wrapped it, and cut words.
    pub(super) fn count_braces(&mut self, space: &[u8]) {
        for byte in space {
            match byte {
                b'{' => self.braces = self.braces.saturating_add(1),
                b'}' => self.braces = self.braces.saturating_sub(1),
                b'\n' if self.braces > 0 => {
                    self.counts.broken += 1;
                    self.braces = 0;
                }
                _ => {}
            }
        }
    }

    /// Whether a word begins another packet than the one at hand.
    pub(super) fn begins_packet(&self, raw: &[u8]) -> bool {
        raw.starts_with(b"\"_index\"") || self.pdml && matches!(raw, b"<packet>" | b"</pdml>")
    }

    /// Takes a word of JSON or PDML; `None` if it is neither.
    pub(super) fn of_tshark(&mut self, raw: &[u8]) -> Option<bool> {
        self.pdml = raw == b"<pdml" || self.pdml && raw != b"</pdml>";
        if self.begins_packet(raw) {
            self.frame();
            return Some(false);
        }
        if self.pdml {
            return Some(self.of_pdml(raw));
        }
        let name = raw.strip_prefix(b"\"")?;
        let end = name.iter().position(|byte| *byte == b'"')?;
        let (name, value) = (&name[..end], name[end + 1..].strip_prefix(b":")?);
        let (field, is_raw) = match name.strip_suffix(b"_raw") {
            Some(name) => (Field::of(name)?, true),
            None => (Field::of(name).or_else(|| Field::of_ek(name))?, false),
        };
        self.addresses = true;
        if value.is_empty() {
            self.expect = if is_raw { Expect::Raw(field) } else { Expect::Field(field) };
            return Some(false);
        }
        let value = super::value::trim(value);
        Some(self.field(field, value) == Some(true))
    }

    fn of_pdml(&mut self, raw: &[u8]) -> bool {
        let value = |name: &[u8]| raw.strip_prefix(name)?.split(|byte| *byte == b'"').next();
        if let Some(name) = value(b"name=\"") {
            self.fields.name = Field::of(name);
        } else if let (Some(value), Some(field)) = (value(b"show=\""), self.fields.name) {
            self.fields.name = None;
            self.addresses = true;
            return self.field(field, value) == Some(true);
        }
        false
    }

    /// Takes a value of `-T jsonraw`, which is the bytes of the frame.
    pub(super) fn raw_field(&mut self, field: Field, word: &[u8]) -> Option<bool> {
        if word.is_empty() {
            // The bracket before it.
            self.expect = Expect::Raw(field);
            return Some(false);
        }
        let digits = std::str::from_utf8(word).ok()?;
        let groups = |width: usize, mark: &str| {
            let parts: Vec<&str> =
                (0..digits.len()).step_by(width).filter_map(|at| digits.get(at..at + width)).collect();
            parts.join(mark)
        };
        let number = || u64::from_str_radix(digits, 16).ok();
        let value = match field {
            Field::Source | Field::Destination | Field::SenderMac | Field::TargetMac | Field::Named => {
                groups(2, ":")
            }
            Field::Sender | Field::Target | Field::Ipv4Source | Field::Ipv4Destination => {
                std::net::Ipv4Addr::from(u32::try_from(number()?).ok()?).to_string()
            }
            Field::Ipv6Source | Field::Solicitation | Field::Advertisement => groups(4, ":"),
            Field::Operation | Field::Vlan | Field::TimeToLive | Field::Tunnel(_) => number()?.to_string(),
            Field::Router | Field::Solicited | Field::Overrides => digits.to_string(),
            // It has no bytes in the frame.
            Field::Time | Field::SinceBegin | Field::Date => return Some(false),
        };
        self.field(field, value.as_bytes())
    }
}
