//! Names of sysctls, in which `.` and `/` are easily confused.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sysctl::{Ipv6Sysctl, Sysctl};

/// The path of a sysctl below `/proc/sys`, such as `net/ipv4/conf/eth0.10/arp_ignore`.
///
/// In a file either separator may be used. The first one decides: if it is a slash, the text is the
/// path already; if it is a dot, dots separate and slashes stand for dots, so that
/// `net.ipv4.conf.eth0/10.arp_ignore` is the same as `net/ipv4/conf/eth0.10/arp_ignore`.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transparent))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Reads a name in either spelling. Repeated and outer separators do not count.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let swap = text.find(['.', '/']).is_some_and(|at| text.as_bytes()[at] == b'.');
        let path: String = text
            .chars()
            .map(|c| match c {
                '.' if swap => '/',
                '/' if swap => '.',
                other => other,
            })
            .collect();
        Self(path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
    }

    /// Reads a name where every dot separates, as the kernel's command line and TuneD have it.
    #[must_use]
    pub(in crate::persist) fn slashed(text: &str) -> Self {
        Self(text.replace('.', "/").split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
    }

    /// Reads a name as busybox does: in one that is spelled with dots alone, the longest of `interfaces` that fits is
    /// meant.
    #[must_use]
    pub(in crate::persist) fn among(text: &str, interfaces: &[String]) -> Self {
        let fits = |name: &&String| {
            let rest = text.strip_prefix("net.ipv4.conf.")?.strip_prefix(name.as_str())?.strip_prefix('.')?;
            (!rest.contains(['.', '/'])).then(|| Self(format!("net/ipv4/conf/{name}/{rest}")))
        };
        interfaces.iter().find_map(|name| fits(&name)).unwrap_or_else(|| Self::parse(text))
    }

    /// The folder of a key below `net.ipv4.conf`.
    #[must_use]
    pub(in crate::persist) fn interface(&self) -> Option<&str> {
        Some(self.0.strip_prefix("net/ipv4/conf/")?.split_once('/')?.0)
    }

    /// The key of `net.ipv4.conf.FOLDER.NAME`, where the folder is an interface, `all` or `default`.
    #[must_use]
    pub fn conf(folder: impl fmt::Display, sysctl: Sysctl) -> Self {
        Self(format!("net/ipv4/conf/{folder}/{sysctl}"))
    }

    /// The key of `net.ipv6.conf.FOLDER.NAME`.
    #[must_use]
    pub fn conf_v6(folder: impl fmt::Display, sysctl: Ipv6Sysctl) -> Self {
        Self(format!("net/ipv6/conf/{folder}/{sysctl}"))
    }

    /// The key of `net.ipv4.neigh.FOLDER.proxy_delay`, which counts hundredths of a second.
    #[must_use]
    pub fn proxy_delay(folder: impl fmt::Display) -> Self {
        Self(format!("net/ipv4/neigh/{folder}/proxy_delay"))
    }

    /// The path below `/proc/sys`.
    #[must_use]
    pub fn as_path(&self) -> &str {
        &self.0
    }

    /// Whether it is a pattern instead of a name.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.0.contains(['*', '?', '['])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}
