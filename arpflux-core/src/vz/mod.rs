//! Containers of vzctl and OpenVZ 7: their addresses published on the right interface only, when and
//! while the containers run.
//!
//! The scripts of vzctl publish the address of a container as a proxy entry on every interface, announce
//! it from every one, and let its packets leave by whichever has the first route. What is here takes the
//! place of that part of the scripts ([`setup`] installs it) and does it through the policy engine:
//!
//! - Where an address belongs is said by the policy file (`[[proxy]]` with the container's id as owner)
//!   or by `ARPFLUX_IF="eth3"` in the container's own file; see [`assigned`].
//! - What is published is kept in a registry, changed in the same transaction as the kernel's state:
//!   whatever is killed when, the next call ends in the state before or after.
//! - An address is published after its route exists, and withdrawn before the route goes.
//! - One address is one container's. A second one that wants it is refused, and stopping that one leaves
//!   the first alone.

mod assignment;
mod call;
mod claim;
mod conf;
mod detect;
mod node;
mod plan;
mod registry;
pub mod setup;
mod veid;

pub use assignment::{Places, assigned};
pub use call::{ADDRESSES_MAX, Call, Purpose, address};
pub use conf::{ADDRESSES as CONF_ADDRESSES, Conf, INTERFACE as CONF_INTERFACE};
pub use detect::{Asking, Detection, Unasked};
pub use node::{ANNOUNCE_AGAIN, Done, Node, Standing, Taken};
pub(crate) use node::{REGISTRY, of_file, registry, registry_file, standing};
pub use plan::{Idle, leads_behind};
pub(crate) use plan::{lacking, prepend, with_published};
pub use registry::{Held, Registry};
pub use veid::Veid;

use std::path::Path;

/// Whether a file of this path is changed by transactions of this module.
pub(crate) fn writes(path: &Path) -> bool {
    node::writes(path) || setup::writes(path)
}
