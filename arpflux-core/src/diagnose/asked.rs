//! What neighbours are answered for proxy entries, of both families.

use std::net::IpAddr;

use super::Evidence;
use super::context::Context;
use crate::predict::{Request, Verdict};
use crate::snapshot::{Interface, ProxyEntry};

/// A proxy entry on an interface, what is asked of it, and what becomes of that.
pub(super) struct Asked<'s> {
    pub entry: ProxyEntry,
    pub interface: &'s Interface,
    pub sender: IpAddr,
    pub request: Request,
    pub verdict: Verdict,
}

impl Asked<'_> {
    pub(super) fn evidence(&self) -> Evidence {
        Evidence::Request {
            interface: self.interface.name,
            sender: self.sender,
            target: self.entry.address,
            verdict: self.verdict,
        }
    }
}

/// Asks a neighbour's question for each entry, on each interface that it counts on. One of IPv6 counts on its interface
/// alone.
pub(super) fn asked<'s>(context: &Context<'s>) -> Vec<Asked<'s>> {
    let mut asked = Vec::new();
    for entry in &context.snapshot.proxies {
        let on: Vec<&Interface> = match entry.interface {
            Some(index) => context.listener(index).into_iter().collect(),
            None if entry.address.is_ipv4() => context.listeners.clone(),
            None => Vec::new(),
        };
        for interface in on {
            let sender = context.sender_of_family(interface.index, entry.address);
            let Some(request) = Request::ordinary(interface.index, sender, entry.address) else { continue };
            let verdict = context.answer(&request);
            asked.push(Asked { entry: *entry, interface, sender, request, verdict });
        }
    }
    asked
}
