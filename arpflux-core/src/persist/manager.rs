//! Which programs configure the network of a host.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Desired, FileState, Layout, Root, hooks, networkd};
use crate::error::{Error, ErrorKind, Result};

/// A program that configures the network, or starts what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Manager {
    /// systemd itself: a unit applies the policy at boot and watches it.
    Systemd,
    /// systemd-networkd: rules and routes become drop-ins, or it would remove them as foreign.
    Networkd,
    /// Debian's ifupdown and its successors: a script in `if-up.d`.
    Ifupdown,
    /// NetworkManager: a dispatcher script.
    NetworkManager,
}

impl Manager {
    /// Every manager known.
    pub const ALL: &'static [Manager] =
        &[Self::Systemd, Self::Networkd, Self::Ifupdown, Self::NetworkManager];

    /// Its name on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Networkd => "networkd",
            Self::Ifupdown => "ifupdown",
            Self::NetworkManager => "network-manager",
        }
    }

    /// Whether its files have the whole policy applied, and not only parts of it.
    #[must_use]
    pub const fn applies(self) -> bool {
        match self {
            Self::Systemd | Self::Ifupdown | Self::NetworkManager => true,
            Self::Networkd => false,
        }
    }

    /// Whether all of its files are there, whatever is in them.
    pub(super) fn is_installed(self, layout: &Layout) -> bool {
        self.files(true, &Desired::default(), layout).is_ok_and(|files| {
            let root = Root::open(&layout.root);
            root.is_ok_and(|root| !files.is_empty() && files.iter().all(|(path, _)| root.has_entry(path)))
        })
    }

    /// The managers in use on the host whose files are below the layout's root.
    ///
    /// networkd counts if it keeps state for interfaces or has `.network` files of the administrator,
    /// NetworkManager if it runs, ifupdown if there is an `interfaces` file and a folder for hooks.
    #[must_use]
    pub fn detect(layout: &Layout) -> Vec<Self> {
        let Ok(root) = Root::open(&layout.root) else { return Vec::new() };
        let exists = |path: &str| root.exists(&layout.below(path));
        let has_network_file = || {
            let names = root.names(&layout.below("/etc/systemd/network")).unwrap_or_default();
            names.iter().any(|name| Path::new(name).extension().is_some_and(|e| e == "network"))
        };
        let mut found = Vec::new();
        if exists("/run/systemd/system")
            || exists("/lib/systemd/systemd")
            || exists("/usr/lib/systemd/systemd")
        {
            found.push(Self::Systemd);
        }
        if exists("/run/systemd/netif/links") || has_network_file() {
            found.push(Self::Networkd);
        }
        if exists("/etc/network/interfaces") && exists("/etc/network/if-up.d") {
            found.push(Self::Ifupdown);
        }
        if exists("/run/NetworkManager") || exists("/etc/NetworkManager/system-connections") {
            found.push(Self::NetworkManager);
        }
        found
    }

    /// The files it wants, or, where it is not `used`, the same paths without anything.
    pub(super) fn files(
        self,
        used: bool,
        desired: &Desired,
        layout: &Layout,
    ) -> Result<Vec<(PathBuf, FileState)>> {
        let mut files = match self {
            Self::Systemd => hooks::unit(layout)?,
            Self::Networkd => networkd::drop_ins(used, desired, layout)?,
            Self::Ifupdown => hooks::if_up(layout)?,
            Self::NetworkManager => hooks::dispatcher(layout)?,
        };
        if !used {
            for (_, state) in &mut files {
                *state = FileState::Absent;
            }
        }
        Ok(files)
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Manager {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|manager| manager.name() == name).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "not a manager of the network")
                .on(format!("{name:?}"))
                .hint("known: systemd, networkd, ifupdown, network-manager")
        })
    }
}
