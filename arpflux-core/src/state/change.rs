//! One step of one object.

use super::{Object, Value};

/// What takes an object from one value to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub object: Object,
    /// What it is before.
    pub before: Value,
    /// What it is afterwards.
    pub after: Value,
}

impl Change {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { object: self.object, before: self.after, after: self.before }
    }
}
