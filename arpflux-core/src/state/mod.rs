//! The state of the kernel as objects that have a value each, and what changes do to it.
//!
//! An [`Object`] is a thing in the kernel, a [`Value`] what it is at one moment, a [`Change`] takes it from one value to
//! another. A [`State`] looks objects up in a snapshot; [`State::with`] is the only statement of what changes do:
//! planning, applying, undoing and checking all ask it.

mod change;
mod effect;
mod lists;
mod object;
mod value;

#[cfg(test)]
mod tests;

pub use change::Change;
#[cfg(feature = "kernel")]
pub(crate) use change::between;
pub use effect::State;
pub use object::{Object, SysctlScope, table_name};
pub(crate) use object::{proxy_in_words, route_in_words, rule_in_words, settled_route};
pub use value::Value;
