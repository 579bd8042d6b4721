//! What was found, and what was done about it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use super::status::Status;
use crate::diagnose::Severity;
use crate::error::Error;
use crate::plan::{Change, InterfaceIdentity};

/// So many changes of one drift are printed and leave as JSON; [`Drift::count`] says how many there are.
const SHOWN: usize = 20;
/// So many bytes of them as JSON, and half as many of an error: no line is longer than 16 KiB.
const BYTES: usize = 8 << 10;

/// What made the watcher look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The watch began.
    Start,
    /// Somebody wrote a sysctl.
    Sysctl,
    /// The kernel told of an interface, address, route or rule.
    Event,
    /// The list of proxy entries was another one.
    Proxies,
    /// The regular look at everything.
    Poll,
    /// There is a new policy.
    Policy,
    /// The kernel lost events, so everything was looked at.
    Lost,
    /// Somebody asked.
    Asked,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "at the start",
            Self::Sysctl => "a sysctl was written",
            Self::Event => "the network changed",
            Self::Proxies => "proxy entries changed",
            Self::Poll => "found by the regular look",
            Self::Policy => "there is a new policy",
            Self::Lost => "events were lost, so everything was looked at",
            Self::Asked => "asked for",
        })
    }
}

/// What became of a drift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Only told.
    Reported,
    /// Put right.
    Healed,
    /// It could not be put right.
    Failed {
        /// Why.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// The policy cannot be kept on the host as it is now: an interface is missing, for one.
    Impossible {
        /// Why.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// The policy can be kept again.
    Possible,
    /// What was told before is as the policy says again, by somebody else's hand.
    Recovered,
    /// Somebody else changes it again and again: it is put right with pauses, and told once a minute.
    Contested {
        /// What is known of the other.
        by: Option<String>,
    },
    /// Somebody else's transaction is in the way: what it changes is put right afterwards, all else meanwhile.
    Waiting {
        /// Whose.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// Repairs are made, and cannot be written down in the state folder: nothing can take them back.
    Unrecorded {
        /// Why.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// Addresses are not answered for as the policy says, and nothing that the policy may change puts that right.
    Misanswered {
        /// Which.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// Whether addresses are answered for as the policy says cannot be told.
    Undetermined {
        /// What is missing for that.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// The watch ends with this, or could not begin.
    Ended {
        /// Why.
        #[serde(serialize_with = "as_text")]
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        error: Error,
    },
    /// What is so now, because it was asked for.
    Asked {
        /// It.
        status: Box<Status>,
    },
}

fn as_text<S: Serializer>(error: &Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shortened(error.to_string()))
}

/// A text of no more than half of [`BYTES`].
fn shortened(mut text: String) -> String {
    if text.len() > BYTES / 2 {
        let end = (0..=BYTES / 2).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text += " …";
    }
    text
}

/// Those changes that are shown.
pub(super) fn shown(changes: &[Change]) -> impl Iterator<Item = &Change> {
    changes.iter().take(SHOWN)
}

/// The first changes, as many as a line may have.
fn first<S: Serializer>(changes: &[Change], serializer: S) -> Result<S::Ok, S::Error> {
    let mut left = BYTES;
    let fits = |change: &&Change| {
        let length = serde_json::to_string(change).map_or(0, |text| text.len());
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    };
    serializer.collect_seq(shown(changes).take_while(fits))
}

impl Outcome {
    /// Why, where something failed or is not to be had.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed { error }
            | Self::Impossible { error }
            | Self::Waiting { error }
            | Self::Unrecorded { error }
            | Self::Misanswered { error }
            | Self::Undetermined { error }
            | Self::Ended { error } => Some(error),
            Self::Reported
            | Self::Healed
            | Self::Possible
            | Self::Recovered
            | Self::Contested { .. }
            | Self::Asked { .. } => None,
        }
    }

    /// How bad it is: an error is what the watch cannot put right, a warning what is not right for now.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Healed | Self::Possible | Self::Recovered | Self::Asked { .. } => Severity::Info,
            Self::Reported
            | Self::Contested { .. }
            | Self::Waiting { .. }
            | Self::Unrecorded { .. }
            | Self::Undetermined { .. } => Severity::Warning,
            Self::Failed { .. } | Self::Impossible { .. } | Self::Misanswered { .. } | Self::Ended { .. } => {
                Severity::Error
            }
        }
    }

    /// Whether two tell of the same trouble: how long somebody has the lock, or the number in a failure, makes no
    /// news of it; that what he does is on trial now does.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Waiting { error: a }, Self::Waiting { error: b }) => a.operation() == b.operation(),
            (Self::Failed { error: a }, Self::Failed { error: b })
            | (Self::Unrecorded { error: a }, Self::Unrecorded { error: b }) => a.kind() == b.kind(),
            _ => self == other,
        }
    }
}

/// The host was found to be otherwise than the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Drift {
    /// The number of this line of this watch, from 1: where one is missing, it could not be written.
    pub number: u64,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// The name of the host.
    pub host: String,
    /// What tells this policy from another: the same text in another order is the same policy.
    pub policy: String,
    /// How bad it is.
    pub severity: Severity,
    /// What made the watcher look.
    pub cause: Cause,
    /// What it takes to put it right: `before` is what was found, `after` what the policy says. As JSON the first 20.
    #[serde(serialize_with = "first")]
    pub changes: Vec<Change>,
    /// How many changes there are.
    pub count: usize,
    /// The interfaces that the first 20 changes are about: their names beside their numbers.
    pub interfaces: Vec<InterfaceIdentity>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// From the moment the watcher woke up to the end of the repair, in microseconds.
    pub took_us: u64,
    /// How often it was put right since it was told last: more than once where somebody changes it again and again.
    pub times: u64,
    /// The time in which that was, in milliseconds.
    pub within_ms: u64,
}

impl Drift {
    /// The line of a watch that ends with an error, or that could not begin: in the form of all others. `number` and `policy` are those
    /// of its last line; 0 and empty if there was none.
    #[must_use]
    pub fn ended(error: Error, number: u64, policy: &str) -> Self {
        let outcome = Outcome::Ended { error };
        Self {
            number: number + 1,
            at_ms: Self::now_ms(),
            host: host_name(),
            policy: policy.to_owned(),
            severity: outcome.severity(),
            cause: if number == 0 { Cause::Start } else { Cause::Event },
            changes: Vec::new(),
            count: 0,
            interfaces: Vec::new(),
            outcome,
            took_us: 0,
            times: 1,
            within_ms: 0,
        }
    }

    pub(super) fn now_ms() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The name of this host.
pub(super) fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into())
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.cause)?;
        let error = |error: &Error| shortened(error.to_string());
        match &self.outcome {
            Outcome::Possible => write!(f, "the policy can be kept again")?,
            Outcome::Recovered => write!(f, "as the policy says again")?,
            Outcome::Impossible { error: why } => {
                write!(f, "this of the policy cannot be kept now (all else is): {}", error(why))?;
            }
            Outcome::Reported => write!(f, "not as the policy says")?,
            Outcome::Healed => write!(f, "put right in {} us", self.took_us)?,
            Outcome::Failed { error: why } => write!(f, "could not be put right: {}", error(why))?,
            Outcome::Contested { by } => {
                let (times, seconds) = (self.times, self.within_ms.div_ceil(1000).max(1));
                write!(
                    f,
                    "put back {times} times in the last {seconds} s: something else keeps changing it"
                )?;
                match by {
                    Some(by) => write!(f, " ({by})")?,
                    None => write!(f, " (another policy, sysctl.d, a program that manages the network)")?,
                }
            }
            Outcome::Waiting { error: why } => {
                write!(f, "put right as far as this leaves it: {}", error(why))?;
            }
            Outcome::Unrecorded { error: why } => {
                write!(f, "put right, but nothing can take that back: {}", error(why))?;
            }
            Outcome::Misanswered { error: why } => write!(f, "wrong answers: {}", error(why))?,
            Outcome::Undetermined { error: why } => write!(f, "{}", error(why))?,
            Outcome::Ended { error: why } => write!(f, "the watch ends: {}", error(why))?,
            Outcome::Asked { status } => write!(f, "{status}")?,
        }
        for change in shown(&self.changes) {
            write!(f, "\n  {}", shortened(change.in_words(&self.interfaces)))?;
        }
        match self.changes.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
