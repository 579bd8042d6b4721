//! How bad a finding is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// How bad a finding is; later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; many healthy hosts have it.
    Info,
    /// It goes wrong under conditions that do occur.
    Warning,
    /// It goes wrong now.
    Error,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Severity; 3] = [Self::Info, Self::Warning, Self::Error];

    /// Its name, in lower case, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|severity| severity.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "not a severity")
                .on(format!("{text:?}"))
                .hint("it is one of info, warning, error")
        })
    }
}
