//! vzctl's configuration files, read as vzctl writes them: never executed.
//!
//! A line is `KEY="value"`; vzctl itself takes everything from the first quote to the last one
//! (`parse_line()`), a shell reads the file as well. What the two would read differently (a
//! substitution, a variable, quotes within quotes) is refused where a value is used.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use super::call::{self, shown};
use crate::error::{Error, ErrorKind, Result};
use crate::types::IfName;

/// No configuration file is larger, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// The interface that a container's addresses are published on: our own key.
pub const INTERFACE: &str = "ARPFLUX_IF";
/// The container's addresses: vzctl's key.
pub const ADDRESSES: &str = "IP_ADDRESS";

/// The text of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    name: String,
    text: String,
}

impl Conf {
    /// A text; `name` stands for the file in messages.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Reads a file of at most 1 MiB; `None` if there is none. Bytes that are not UTF-8 are replaced: they
    /// may stand in comments.
    ///
    /// # Errors
    /// Any failure to read it, and [`ErrorKind::InvalidData`] if it is no file or too large.
    pub fn from_path(path: &Path) -> Result<Option<Self>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let name = path.display().to_string();
        let failed = |error: &std::io::Error| Error::file("read", path, error);
        // Never blocks on a FIFO.
        let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let odd = |what: &str| Err(Error::new(ErrorKind::InvalidData, what).during("read").on(name.clone()));
        if !file.metadata().map_err(|error| failed(&error))?.is_file() {
            return odd("it is not a file");
        }
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        if bytes.len() as u64 > FILE_MAX {
            return odd("it is larger than 1 MiB");
        }
        Ok(Some(Self::new(name, String::from_utf8_lossy(&bytes))))
    }

    /// The value of the last line that sets `key`, and the number of that line, from 1.
    fn value(&self, key: &str) -> Option<(usize, &str)> {
        let set = self.text.lines().enumerate().filter_map(|(number, line)| {
            Some((number + 1, line.trim().strip_prefix(key)?.strip_prefix('=')?))
        });
        let (number, raw) = set.last()?;
        Some((number, unquoted(raw)))
    }

    /// The interface that [`INTERFACE`] names. An empty value is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`], with file and line, if the value is no interface name: one that only
    /// a shell could make sense of, for example.
    pub fn interface(&self) -> Result<Option<IfName>> {
        let Some((line, value)) = self.value(INTERFACE) else { return Ok(None) };
        if value.is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| {
            Error::new(ErrorKind::InvalidPolicy, why)
                .during("read policy")
                .on(format!("{}:{line}", self.name))
                .hint("write one name, as in ARPFLUX_IF=\"eth3\"; the file is read, never executed")
        };
        if value.contains(['$', '`', '"', '\'', '\\', ';', '&', '|', '<', '>', '(', ')']) {
            return Err(wrong(format!("{INTERFACE} is {}, which is more than a name", shown(value))));
        }
        value.parse().map(Some).map_err(|error: Error| wrong(error.message().to_owned()))
    }

    /// The addresses that [`ADDRESSES`] lists; words that are none are passed over, as they are vzctl's
    /// business.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let value = self.value(ADDRESSES).map_or("", |(_, value)| value);
        let words = value.split_ascii_whitespace().take(call::ADDRESSES_MAX);
        words
            .filter_map(|word| call::address(word).ok())
            .filter(|address| !address.is_unspecified())
            .collect()
    }
}

/// A value without its quotes, and without a comment behind it.
fn unquoted(raw: &str) -> &str {
    let raw = raw.trim_end();
    for quote in ['"', '\''] {
        let Some(inside) = raw.strip_prefix(quote) else { continue };
        // A comment behind the closing quote may hold quotes of its own; vzctl writes none.
        if let Some((value, rest)) = inside.split_once(quote)
            && (rest.trim().is_empty() || rest.trim_start().starts_with('#'))
        {
            return value.trim();
        }
        return inside.rsplit_once(quote).map_or(raw, |(value, _)| value).trim();
    }
    raw.split_once(" #").map_or(raw, |(value, _)| value).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(text: &str) -> Result<Option<String>> {
        Ok(Conf::new("101.conf", text).interface()?.map(|name| name.to_string()))
    }

    #[test]
    fn as_vzctl_writes_it() {
        let text = "# made by vzctl\nONBOOT=\"yes\"\nIP_ADDRESS=\"192.168.18.101 192.168.18.111/24 fd00::1 0.0.0.0\"\n\
                    HOSTNAME=\"web\"\nARPFLUX_IF=\"eth3\"\n";
        let conf = Conf::new("101.conf", text);
        assert_eq!(conf.interface().unwrap().unwrap().to_string(), "eth3");
        let addresses: Vec<String> = conf.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.168.18.101", "192.168.18.111", "fd00::1"]);
        assert_eq!(Conf::new("x", "").addresses(), [] as [IpAddr; 0]);
    }

    #[test]
    fn as_people_write_it() {
        for text in [
            "ARPFLUX_IF=eth3",
            "  ARPFLUX_IF='eth3'  ",
            "ARPFLUX_IF=\"eth3\" # the second card",
            "ARPFLUX_IF=eth3 # \"x\"",
            "ARPFLUX_IF=\"eth0\"\nARPFLUX_IF=\"eth3\"",
            "ARPFLUX_IF=\"eth3\"\r\n",
            "ARPFLUX_IF=\" eth3 \"",
        ] {
            assert_eq!(interface(text).unwrap().as_deref(), Some("eth3"), "{text}");
        }
        for text in [
            "",
            "#ARPFLUX_IF=\"eth3\"",
            "ARPFLUX_IFS=\"eth3\"",
            "XARPFLUX_IF=eth3",
            "ARPFLUX_IF=\"\"",
            "ARPFLUX_IF = eth3",
        ] {
            assert_eq!(interface(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_could_read_is_refused_with_its_line() {
        for value in [
            "\"$(touch /tmp/owned)\"",
            "`id`",
            "\"$DEV\"",
            "eth3;id",
            "\"eth0 eth3\"",
            "\"eth\"3\"",
            "../../etc",
            "\"a-very-long-name-0\"",
        ] {
            let error = interface(&format!("# first\nARPFLUX_IF={value}\n")).unwrap_err();
            assert_eq!((error.kind(), error.object()), (ErrorKind::InvalidPolicy, "101.conf:2"), "{error}");
        }
    }

    #[test]
    fn files() {
        let folder = std::env::temp_dir().join(format!("arpflux-vz-conf-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("101.conf");
        assert_eq!(Conf::from_path(&path).unwrap(), None);
        std::fs::write(&path, b"# \xff\nARPFLUX_IF=\"eth3\"\n").unwrap();
        assert!(Conf::from_path(&path).unwrap().unwrap().interface().unwrap().is_some());
        std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert_eq!(Conf::from_path(&path).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(Conf::from_path(&folder).unwrap_err().kind(), ErrorKind::InvalidData);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
