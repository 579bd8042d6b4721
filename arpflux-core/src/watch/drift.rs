//! What was found, and what was done about it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::plan::{Change, InterfaceIdentity};

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
    Over,
}

fn as_text<S: Serializer>(error: &Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}

/// The host was found to be otherwise than the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Drift {
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// What made the watcher look.
    pub cause: Cause,
    /// What it takes to put it right: `before` is what was found, `after` what the policy says.
    pub changes: Vec<Change>,
    /// The interfaces that the changes are about.
    #[serde(skip)]
    pub interfaces: Vec<InterfaceIdentity>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// From the moment the watcher woke up to the end of the repair, in microseconds.
    pub took_us: u64,
    /// How often it was found since it was told last: more than once where somebody changes it again and again.
    pub times: u64,
    /// The time in which that was, in milliseconds.
    pub within_ms: u64,
}

impl Drift {
    pub(super) fn now_ms() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.cause)?;
        match &self.outcome {
            Outcome::Possible => return write!(f, "the policy can be kept again"),
            Outcome::Over => return write!(f, "as the policy says again"),
            Outcome::Impossible { error } => return write!(f, "the policy cannot be kept now: {error}"),
            Outcome::Reported => write!(f, "not as the policy says")?,
            Outcome::Healed => write!(f, "put right in {} us", self.took_us)?,
            Outcome::Failed { error } => write!(f, "could not be put right: {error}")?,
        }
        if self.times > 1 {
            let (times, seconds) = (self.times, self.within_ms / 1000);
            write!(
                f,
                "; again, {times} times in {seconds} s: something else keeps changing it (another policy, sysctl.d, a \
                       program that manages the network)"
            )?;
        }
        for change in &self.changes {
            write!(f, "\n  {}", change.in_words(&self.interfaces))?;
        }
        Ok(())
    }
}
