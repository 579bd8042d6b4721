//! Changes and plans in words.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Change, InterfaceIdentity, Plan};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, SCHEMA};
use crate::snapshot::ProxyEntry;
use crate::snapshot::json::without;
use crate::state::{Object, Value, proxy_in_words};
pub(crate) use crate::state::{route_in_words, rule_in_words};
use crate::text;
use crate::types::{IfIndex, IfName};

/// What is looked at first.
#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

/// What a name is found by where only a number is at hand; without, `if7`.
type Names<'n> = &'n dyn Fn(IfIndex) -> String;

fn number(index: IfIndex) -> String {
    format!("if{index}")
}

impl fmt::Display for Change {
    /// One line, without the names of interfaces that the change itself does not carry: see [`Change::in_words`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(&[]))
    }
}

impl Change {
    /// One line, with interfaces called as they are in `interfaces`, usually [`Plan::interfaces`]:
    /// `set net.ipv4.conf.eth0.arp_ignore: 0 -> 1`, `add proxy entry 192.168.18.101 on eth3`.
    #[must_use]
    pub fn in_words(&self, interfaces: &[InterfaceIdentity]) -> String {
        self.named(&|index| {
            interfaces.iter().find(|identity| identity.index == index).map(|identity| identity.name)
        })
    }

    /// The same, with interfaces as `names` gives them.
    pub(crate) fn named(&self, names: &dyn Fn(IfIndex) -> Option<IfName>) -> String {
        let object = self.object.name(names);
        match (self.before, self.after) {
            (Value::Absent, _) => format!("add {object}"),
            (_, Value::Absent) => format!("remove {object}"),
            (before, after) => {
                let [before, after] = [before, after].map(|value| self.object.in_words(value));
                format!("set {object}: {before} -> {after}")
            }
        }
    }

    /// The full name of the sysctl, its value before and after, of a change that sets one.
    pub(crate) fn setting(&self) -> Option<(String, String, String)> {
        self.object.scope()?;
        let [before, after] = [self.before, self.after].map(|value| self.object.in_words(value));
        Some((self.object.to_string(), before, after))
    }
}

fn family(ipv6: bool) -> &'static str {
    if ipv6 { "IPv6 " } else { "" }
}

/// `192.168.18.101 on eth3`.
pub(crate) fn proxy(entry: &ProxyEntry, names: Names<'_>) -> String {
    proxy_in_words(entry.address, entry.interface, names)
}

impl fmt::Display for Plan {
    /// For people: what changes, grouped and aligned, then what was decided and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |index: IfIndex| {
            let known = self.interfaces.iter().find(|identity| identity.index == index);
            known.map_or_else(|| number(index), |identity| identity.name.to_string())
        };
        if self.is_empty() {
            writeln!(f, "Nothing to change.")?;
        }
        self.settings(f)?;
        for (heading, kind) in [("proxy entries", "proxy"), ("rules", "rule"), ("routes", "route")] {
            for ipv6 in [false, true] {
                let is = |object: &Object| (object.kind(), object.is_ipv6()) == (kind, ipv6);
                let of = self.changes.iter().filter(|change| is(&change.object));
                let (added, removed): (Vec<_>, Vec<_>) = of.partition(|change| change.after.is_there());
                if added.is_empty() && removed.is_empty() {
                    continue;
                }
                writeln!(f, "{}{heading}", family(ipv6))?;
                let signed = added.iter().map(|c| ('+', c)).chain(removed.iter().map(|c| ('-', c)));
                for (sign, change) in signed {
                    if let Some(line) = change.object.line(&names) {
                        writeln!(f, "  {sign} {line}")?;
                    }
                }
            }
        }
        if !self.announcements.is_empty() {
            writeln!(f, "announced afterwards")?;
            for announcement in &self.announcements {
                writeln!(f, "    {} from {}", announcement.address, names(announcement.interface))?;
            }
        }
        if !self.decisions.is_empty() {
            writeln!(f, "because")?;
            for decision in &self.decisions {
                writeln!(f, "    {decision}")?;
            }
        }
        Ok(())
    }
}

impl Plan {
    /// The sysctls, aligned: name, value before, value after.
    fn settings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings: Vec<_> = self.changes.iter().filter_map(Change::setting).collect();
        let name = settings.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
        let before_width = settings.iter().map(|(_, before, _)| before.len()).max().unwrap_or(0);
        if !settings.is_empty() {
            writeln!(f, "sysctls")?;
        }
        for (key, before, after) in &settings {
            writeln!(f, "  ~ {key:name$}  {before:>before_width$} -> {after}")?;
        }
        Ok(())
    }

    /// The plan as one JSON object with `"schema": 1`. Reading it back gives an equal plan.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self).map_err(|error| error.during("write plan"))
    }

    /// Reads what [`Plan::to_json`] or serde wrote, what `arpflux plan --json` printed, or the `plan` of a finding.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the text is not a plan, of another schema, or has a field that is not known:
    /// what is half understood is not carried out.
    pub fn from_json(text: &str) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidData, message).during("read plan");
        let unreadable = |error: serde_json::Error| invalid(error.to_string()).because(error);
        let version: Version<'_> = serde_json::from_str(text).map_err(unreadable)?;
        let other = version.schema.map(RawValue::get).filter(|schema| *schema != SCHEMA.to_string());
        if let Some(other) = other {
            return Err(
                invalid(json::unknown(&other)).hint("make the plan again with this version of arpflux")
            );
        }
        // What was worked out of the plan is no part of it.
        without(text, &["rows", "impact", "harm", "unknown", "missing"])
            .and_then(|rest| serde_json::from_str(&rest))
            .map_err(unreadable)
    }

    /// Reads a file that [`Plan::to_json`] or `arpflux plan --json` wrote, of at most 256 MiB.
    ///
    /// # Errors
    /// Any failure to read it, and those of [`Plan::from_json`], which name the file.
    pub fn from_path(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_json(&text::read(path, text::LARGEST)?).map_err(|error| error.on_file(path))
    }
}
