//! Blocking netlink: a socket, requests written into a reused buffer, attributes read without copying.

#![expect(dead_code, unused_imports, reason = "the snapshot comes next")]

mod attribute;
mod message;
mod socket;

pub(crate) use attribute::{Attribute, attributes};
pub(crate) use message::Messages;
pub(crate) use socket::{BatchFailure, NetlinkSocket};
