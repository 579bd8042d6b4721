//! What was done, what was checked, and how to take it back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{Log, State};
use crate::error::Result;
use crate::harm::Assessment;
use crate::json;
use crate::persist::FileChange;
use crate::plan::{Change, InterfaceIdentity};

/// Something that was changed by somebody else after arpflux had changed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// What it is about: `net.ipv4.conf.eth0.arp_ignore`.
    pub object: String,
    /// What arpflux had made it.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// What it was before arpflux changed it.
    pub former: String,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { object, expected, found, former } = self;
        write!(f, "{object} is {found}, not {expected} as arpflux left it (before that: {former})")
    }
}

/// Who made a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// Somebody, by a command or by a program.
    #[default]
    Person,
    /// A watch that heals.
    Watch,
    /// The scripts of containers.
    Vz,
}

impl std::fmt::Display for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Person => "person",
            Self::Watch => "watch",
            Self::Vz => "vz",
        })
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// It stands.
    Applied,
    /// It is in force, and is undone unless it is confirmed in time.
    Pending,
    /// It was taken back.
    Undone,
}

/// What a transaction did. Its number names it in `rollback` and `confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// Its number, rising from 1 in each namespace; `None` if there was nothing to do.
    pub id: Option<u64>,
    /// Who made it.
    pub by: Maker,
    /// What became of it.
    pub outcome: Outcome,
    /// The transaction that this one took back, if it is a rollback.
    pub rollback_of: Option<u64>,
    /// The transaction that took this one back since, where several are listed.
    pub taken_back_by: Option<u64>,
    /// Why it was undone, if it was.
    pub reason: Option<String>,
    /// The changes, in the order they were made. Each says what was there before.
    pub changes: Vec<Change>,
    /// The files that were changed with them; on trial: that will be, once it is confirmed.
    pub files: Vec<FileChange>,
    /// How many of them were read again from the kernel and found as they should be.
    pub verified: usize,
    /// What was left alone because somebody else had changed it.
    pub conflicts: Vec<Conflict>,
    /// Whatever else is worth knowing, one sentence each.
    pub notes: Vec<String>,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// The command line that made it.
    pub command: String,
    /// How to take it back.
    pub undo: Option<String>,
    /// How long it still waits for confirmation, in ms.
    #[serde(rename = "remaining_ms", serialize_with = "milliseconds", deserialize_with = "of_milliseconds")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub remaining: Option<Duration>,
    /// What could not be told of the harm that it may do, when it was applied; in receipts of other verbs nothing.
    #[serde(flatten)]
    pub assessment: Assessment,
    #[serde(skip)]
    pub(crate) interfaces: Vec<InterfaceIdentity>,
    /// Whether peers were told who owns the addresses.
    #[serde(skip)]
    pub(crate) announced: bool,
}

fn of_milliseconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
}

fn milliseconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|value| value.as_millis()).serialize(serializer)
}

impl Receipt {
    /// The interfaces that the changes touch and rely on, as they were when these were made.
    #[must_use]
    pub fn interfaces(&self) -> &[InterfaceIdentity] {
        &self.interfaces
    }

    /// The receipt of a run that had nothing to do.
    pub(crate) fn unchanged(notes: Vec<String>) -> Self {
        Self {
            id: None,
            by: Maker::default(),
            outcome: Outcome::Unchanged,
            rollback_of: None,
            taken_back_by: None,
            reason: None,
            changes: Vec::new(),
            files: Vec::new(),
            verified: 0,
            conflicts: Vec::new(),
            notes,
            started: super::lock::unix_seconds(),
            command: super::lock::command(),
            undo: None,
            remaining: None,
            assessment: Assessment::default(),
            interfaces: Vec::new(),
            announced: false,
        }
    }

    /// The receipt of what a journal says.
    pub(crate) fn of(log: &Log) -> Self {
        let header = &log.header;
        let mut receipt = Self {
            id: Some(header.id),
            by: header.by,
            outcome: Outcome::Undone,
            rollback_of: header.rollback_of,
            changes: log.changes.clone(),
            files: log.files.clone(),
            conflicts: header.conflicts.clone(),
            started: header.started,
            command: header.command.clone(),
            interfaces: header.interfaces.clone(),
            announced: header.announced,
            ..Self::unchanged(Vec::new())
        };
        match &log.state {
            State::Open => receipt.notes.push("cut off: `arpflux recover` undoes it".into()),
            State::Pending(pending) => {
                receipt.outcome = Outcome::Pending;
                receipt.verified = pending.verified;
                receipt.notes.clone_from(&pending.notes);
                receipt.undo = Some(format!("arpflux rollback {}", header.id));
                let left = pending.deadline.saturating_sub(super::confirm::now());
                receipt.remaining = Some(Duration::from_millis(left));
            }
            State::Applied(applied) => {
                receipt.outcome = Outcome::Applied;
                receipt.verified = applied.verified;
                receipt.notes.clone_from(&applied.notes);
                receipt.undo = Some(format!("arpflux rollback {}", header.id));
            }
            State::Undone(undone) => {
                receipt.notes.push(format!("undone: {}", undone.reason));
                receipt.reason = Some(undone.reason.clone());
                receipt.conflicts.extend(undone.conflicts.iter().cloned());
            }
        }
        receipt
    }

    /// Whether it is on trial still though its time is over: the process that was to undo it is gone. What changes
    /// something next undoes it, or `recover`.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.outcome == Outcome::Pending && self.remaining == Some(Duration::ZERO)
    }

    /// Whether nothing was changed because nothing had to be.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.outcome == Outcome::Unchanged
    }

    /// The receipt as one JSON object with `"schema": 1`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self).map_err(|error| error.during("write receipt"))
    }
}
