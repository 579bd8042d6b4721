//! The value of a sysctl that counts, and where it comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Interface, Snapshot};
use crate::sysctl::{Combine, Sysctl};

/// Where an effective value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ValueSource {
    /// `net.ipv4.conf.all` decided.
    All,
    /// The interface's own value decided.
    Interface,
    /// Both hold the value.
    Both,
    /// The kernel has no such sysctl; the value is what it does without.
    Absent,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Interface => "interface",
            Self::Both => "all and interface",
            Self::Absent => "absent",
        })
    }
}

/// A sysctl's value as the kernel uses it on one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Effective {
    /// The value after combining `all` and the interface's.
    pub value: i32,
    /// Which of the two decided.
    pub source: ValueSource,
}

impl Snapshot {
    /// The effective value of `sysctl` on `interface`: `all` and the interface's own combined as
    /// [`Sysctl::combine`] says.
    #[must_use]
    pub fn effective(&self, interface: &Interface, sysctl: Sysctl) -> Effective {
        combine(sysctl, self.all.get(sysctl), interface.sysctls.get(sysctl))
    }
}

fn combine(sysctl: Sysctl, all: Option<i32>, own: Option<i32>) -> Effective {
    let source_of_on = |all: bool, own: bool| match (all, own) {
        (true, false) => ValueSource::All,
        (false, true) => ValueSource::Interface,
        _ => ValueSource::Both,
    };
    match (sysctl.combine(), all, own) {
        (_, None, None) | (Combine::InterfaceOnly, _, None) => {
            Effective { value: 0, source: ValueSource::Absent }
        }
        (Combine::InterfaceOnly, _, Some(own)) => Effective { value: own, source: ValueSource::Interface },
        (Combine::Max, all, own) => {
            let (all, own) = (all.unwrap_or(i32::MIN), own.unwrap_or(i32::MIN));
            Effective { value: all.max(own), source: source_of_on(all >= own, own >= all) }
        }
        (Combine::Or, all, own) => {
            let (all, own) = (all.unwrap_or(0) != 0, own.unwrap_or(0) != 0);
            Effective { value: i32::from(all || own), source: source_of_on(all, own) }
        }
        (Combine::And, all, own) => {
            let (all, own) = (all.unwrap_or(0) != 0, own.unwrap_or(0) != 0);
            Effective { value: i32::from(all && own), source: source_of_on(!all, !own) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maximum_and_or_and_who_decided() {
        let ignore = |all, own| combine(Sysctl::ArpIgnore, Some(all), Some(own));
        assert_eq!(ignore(5, 1), Effective { value: 5, source: ValueSource::All });
        assert_eq!(ignore(0, 1), Effective { value: 1, source: ValueSource::Interface });
        assert_eq!(ignore(1, 1), Effective { value: 1, source: ValueSource::Both });
        assert_eq!(ignore(-7, -9), Effective { value: -7, source: ValueSource::All });
        let filter = |all, own| combine(Sysctl::ArpFilter, Some(all), Some(own));
        assert_eq!(filter(0, 2), Effective { value: 1, source: ValueSource::Interface });
        assert_eq!(filter(1, 0), Effective { value: 1, source: ValueSource::All });
        assert_eq!(filter(0, 0), Effective { value: 0, source: ValueSource::Both });
        let forwarding = combine(Sysctl::Forwarding, Some(1), Some(0));
        assert_eq!(forwarding, Effective { value: 0, source: ValueSource::Interface });
        assert_eq!(combine(Sysctl::ArpFilter, None, None).source, ValueSource::Absent);
        let evict = combine(Sysctl::ArpEvictNocarrier, Some(0), Some(1));
        assert_eq!(evict, Effective { value: 0, source: ValueSource::All });
    }
}
