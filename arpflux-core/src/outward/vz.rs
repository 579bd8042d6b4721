//! Records of `arpflux vz`.

use serde::Serialize;

use crate::persist::FileChange;
use crate::types::IfName;
use crate::vz::setup::Integration;
use crate::vz::{Detection, Standing};
use crate::wire::detect::Detected;

/// What `vz announce` sent.
#[derive(Debug, Serialize)]
pub struct Announced {
    /// How many frames.
    pub frames: usize,
}

/// The interfaces where addresses of a container belong.
#[derive(Debug, Serialize)]
pub struct Nics {
    /// Their names.
    pub interfaces: Vec<IfName>,
}

/// One address of a container, and how it stands.
#[derive(Debug, Serialize)]
pub struct Published<'a> {
    #[serde(flatten)]
    standing: &'a Standing,
    /// Whether it is as it should be.
    right: bool,
    /// How it stands, in words.
    state: String,
}

impl<'a> Published<'a> {
    /// The record of an address.
    #[must_use]
    pub fn new(standing: &'a Standing) -> Self {
        Self { standing, right: standing.is_right(), state: standing.state() }
    }
}

/// What is published, and whether the scripts call arpflux.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    /// `null`: it is, but a change on trial is overdue.
    right: Option<bool>,
    /// A change on trial that was not undone in time, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue: Option<String>,
    /// Whether the scripts call arpflux; `None`: there are none.
    pub integration: Option<Integration>,
    registry: String,
    addresses: Vec<Published<'a>>,
}

impl<'a> Status<'a> {
    /// It is right if nothing has to be put right: no address, and no damage of the integration; `None`: there are no scripts.
    #[must_use]
    pub fn new(integration: Option<Integration>, registry: String, addresses: &'a [Standing]) -> Self {
        let damaged = matches!(integration, Some(Integration::Damaged { .. }));
        let right = Standing::all_right(addresses) != Some(false) && !damaged;
        let addresses = addresses.iter().map(Published::new).collect();
        Self { right: Some(right), overdue: None, integration, registry, addresses }
    }

    /// With what [`Host::overdue`](crate::Host::overdue) said: then nothing is right for certain.
    #[must_use]
    pub fn overdue(mut self, sentence: Option<String>) -> Self {
        self.right = self.right.filter(|right| !right || sentence.is_none());
        self.overdue = sentence;
        self
    }

    /// Whether nothing has to be put right; `None` while a change on trial is overdue.
    #[must_use]
    pub const fn is_right(&self) -> Option<bool> {
        self.right
    }
}

/// What `vz setup` and `vz uninstall` wrote.
#[derive(Debug, Serialize)]
pub struct Files<'a> {
    /// Whether anything was written.
    pub changed: bool,
    /// The files.
    pub files: &'a [FileChange],
    /// What would overwrite them.
    pub warnings: Vec<String>,
}

/// Whether somebody else has addresses of a container.
#[derive(Debug, Serialize)]
pub struct ContainerDetection<'a> {
    /// `null`: nothing was asked for.
    free: Option<bool>,
    addresses: &'a [Detected],
}

impl<'a> ContainerDetection<'a> {
    /// What was found out.
    #[must_use]
    pub fn new(detection: &'a Detection) -> Self {
        Self { free: detection.is_free(), addresses: &detection.found }
    }
}
