//! Where the scripts are.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Version;
use crate::error::{Error, ErrorKind, Result};

/// Where the packages of distributions put the scripts.
pub const SCRIPT_FOLDERS: [&str; 6] = [
    "/usr/libexec/libvzctl/scripts",
    "/usr/lib64/libvzctl/scripts",
    "/usr/libexec/vzctl/scripts",
    "/usr/lib/vzctl/scripts",
    "/usr/lib64/vzctl/scripts",
    "/usr/share/vzctl/scripts",
];

/// An installation of vzctl or libvzctl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Installation {
    /// Whose scripts they are.
    pub version: Version,
    /// Their folder.
    pub scripts: PathBuf,
}

impl Installation {
    /// What is in `folder`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no functions file of either version, [`ErrorKind::Refused`] if
    /// there are both.
    pub fn at(folder: &Path) -> Result<Self> {
        let is = |version: Version| folder.join(version.functions()).is_file();
        let error = |kind, message: &str| {
            Error::new(kind, message)
                .during("look for vzctl")
                .on(folder)
                .hint("name the folder that holds vps-functions or vz-functions (--scripts)")
        };
        let version = match (is(Version::Vzctl), is(Version::Libvzctl)) {
            (true, false) => Version::Vzctl,
            (false, true) => Version::Libvzctl,
            (true, true) => {
                return Err(error(ErrorKind::Refused, "there are the scripts of two versions in it"));
            }
            (false, false) => {
                return Err(error(ErrorKind::NotFound, "neither vps-functions nor vz-functions is there"));
            }
        };
        Ok(Self { version, scripts: folder.to_owned() })
    }

    /// The one of this machine.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none in [`SCRIPT_FOLDERS`].
    pub fn find() -> Result<Self> {
        let found = SCRIPT_FOLDERS.iter().find_map(|folder| Self::at(Path::new(folder)).ok());
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "no scripts of vzctl or libvzctl were found")
                .during("look for vzctl")
                .on(SCRIPT_FOLDERS.join(", "))
                .hint("name the folder that holds vps-functions or vz-functions (--scripts)")
        })
    }
}
