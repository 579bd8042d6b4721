//! Whose scripts there are, and how the calls come into them.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

const VZCTL: &str = include_str!("vzctl.sh");
const LIBVZCTL: &str = include_str!("libvzctl.sh");

/// Whose scripts they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// vzctl, up to 4.11: `vps-functions`.
    Vzctl,
    /// libvzctl of OpenVZ 7: `vz-functions`.
    Libvzctl,
}

impl Version {
    /// The name of its functions file.
    #[must_use]
    pub const fn functions(self) -> &'static str {
        match self {
            Self::Vzctl => "vps-functions",
            Self::Libvzctl => "vz-functions",
        }
    }

    /// Our own file of functions: its name, and its text.
    pub(super) const fn hook(self) -> (&'static str, &'static str) {
        match self {
            Self::Vzctl => ("vzctl.sh", VZCTL),
            Self::Libvzctl => ("libvzctl.sh", LIBVZCTL),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Vzctl => "vzctl",
            Self::Libvzctl => "libvzctl (OpenVZ 7)",
        })
    }
}

/// How the calls come in; see the [module](super) text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// One line at the end of the functions file.
    Functions,
    /// Wrappers in `script.d` that lock functions.
    Locked,
    /// One line at the end of `vz.conf`.
    VzConf,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Functions, Self::Locked, Self::VzConf];

    /// The way that is right from start to end for every script of both versions.
    #[must_use]
    pub const fn usual(_version: Version) -> Self {
        Self::Functions
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::Locked => "locked",
            Self::VzConf => "vz-conf",
        }
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Way {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|way| way.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "there is no such way")
                .on(format!("{text:?}"))
                .hint("write functions, locked or vz-conf")
        })
    }
}
