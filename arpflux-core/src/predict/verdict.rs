//! The outcome of a prediction.

use serde::Serialize;

use crate::types::Mac;

/// What the kernel does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It answers.
    Answers {
        /// With this MAC.
        mac: Mac,
    },
    /// It does not.
    Silent,
    /// That cannot be told from the snapshot.
    Undetermined {
        /// What is missing.
        missing: Vec<String>,
    },
}
