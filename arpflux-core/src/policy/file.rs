//! Policies as text and in files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::read::{self, file_error};
use super::source::Source;
use super::{HostPolicy, Policy, ProxyPolicy, ServicePolicy, VERSION, check, tree};
use crate::error::{Error, ErrorKind, Result};
use crate::json;

/// The largest policy file that is read, in bytes: over 100,000 `[[proxy]]` entries.
pub const FILE_SIZE_MAX: u64 = 16 << 20;

/// The file form, with its version.
#[derive(Serialize)]
struct Out<'a> {
    version: u32,
    host: &'a HostPolicy,
    #[serde(rename = "proxy", skip_serializing_if = "<[_]>::is_empty")]
    proxies: &'a [ProxyPolicy],
    #[serde(rename = "service", skip_serializing_if = "<[_]>::is_empty")]
    services: &'a [ServicePolicy],
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.out().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The values of another reader have no places in a text.
        let source = Source { name: "policy", text: "" };
        read::policy(source, &tree::Node::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Policy {
    /// Reads the TOML form. `source_name` stands for the file in messages, which begin with
    /// `NAME:LINE:COLUMN`.
    ///
    /// ```
    /// use arpflux_core::Policy;
    ///
    /// let error = Policy::from_toml("version = 1\n[host]\nstratgey = \"strict\"\n", "policy.toml").unwrap_err();
    /// assert_eq!(error.object(), "policy.toml:3:1");
    /// assert!(error.to_string().contains("did you mean strategy?"));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] if the text is not TOML, has unknown keys or wrong types, or says
    /// what makes no sense: an address twice, one that no host can have, no interface at all.
    pub fn from_toml(text: &str, source_name: &str) -> Result<Self> {
        let source = Source { name: source_name, text };
        read::policy(source, &tree::from_toml(source)?)
    }

    /// Reads the JSON form, which has the same structure; see [`Policy::from_toml`].
    ///
    /// # Errors
    /// As [`Policy::from_toml`].
    pub fn from_json(text: &str, source_name: &str) -> Result<Self> {
        let source = Source { name: source_name, text };
        read::policy(source, &tree::from_json(source)?)
    }

    /// Reads a file whose name ends in `.toml` or `.json`, of at most [`FILE_SIZE_MAX`] bytes.
    ///
    /// # Errors
    /// Any failure to read it; [`ErrorKind::InvalidPolicy`] as [`Policy::from_toml`], and for a file
    /// that is too large, not UTF-8 or of another ending.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let json = match path.extension().and_then(|ending| ending.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("toml") => false,
            Some(ending) if ending.eq_ignore_ascii_case("json") => true,
            _ => {
                return Err(file_error(&name, "it is neither a .toml nor a .json file")
                    .hint("give the file the ending of what is in it"));
            }
        };
        let io = |error: std::io::Error| Error::file("read policy", path, &error);
        let mut bytes = Vec::new();
        File::open(path).map_err(io)?.take(FILE_SIZE_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > FILE_SIZE_MAX {
            return Err(file_error(&name, format!("it is larger than {FILE_SIZE_MAX} bytes"))
                .hint("this is hardly a policy: check the name"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            file_error(&format!("{name}:{line}"), "it is not UTF-8 text").hint("save it as UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if json { Self::from_json(text, &name) } else { Self::from_toml(text, &name) }
    }

    /// The TOML form. Reading it back gives an equal policy.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(&self.out())
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()).during("write policy"))
    }

    /// The JSON form. Reading it back gives an equal policy.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::pretty(&self.out()).map_err(|error| error.during("write policy"))
    }

    fn out(&self) -> Out<'_> {
        Out { version: VERSION, host: &self.host, proxies: &self.proxies, services: &self.services }
    }

    /// Checks what reading a file checks, for a policy that was made otherwise: no address or interface
    /// twice, none that no host can have, no interface list that is empty. [`Policy::plan`] does it too.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`], naming the part at fault.
    pub fn check(&self) -> Result<()> {
        match check::fault(self) {
            None => Ok(()),
            Some(fault) => Err(fault.into_error()),
        }
    }
}
