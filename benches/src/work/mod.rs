//! The pieces of work, a module each.

pub mod capture;
pub mod count;
pub mod heal;
pub mod plan;
pub mod predict;
pub mod probe;
pub mod proof;
pub mod proxies;
pub mod scale;
pub mod snapshot;
pub mod sysctls;
pub mod verbs;
