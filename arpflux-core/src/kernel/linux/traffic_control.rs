//! Filters of traffic control on the hooks that ARP frames pass, and the programs attached to the same hooks.

use nix::libc;

use super::programs::{self, Hook as Attached};
use super::read::dump;
use crate::error::Result;
use crate::filter::{Base, Chain, Expression, Family, Filters, Hook};
use crate::kernel::decode::traffic_control::{Does, Filter, filter, sees_ipv6};
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{RTM_GETQDISC, RTM_GETTFILTER, TCA_KIND};
use crate::snapshot::{Interference, Snapshot};
use crate::types::IfIndex;

/// `ffff:fff2` and `ffff:fff3`: the two hooks of clsact; ingress has the first alone.
const INGRESS: u32 = 0xffff_fff2;
const EGRESS: u32 = 0xffff_fff3;

/// Adds the filters of `clsact` and `ingress` that ARP frames meet; `of_ipv6` gets the hooks where frames of IPv6 meet any. Filters of ordinary queueing disciplines only sort frames into classes.
pub(super) fn read(
    netlink: &mut NetlinkSocket,
    messages: &mut Messages,
    snapshot: &Snapshot,
    filters: &mut Filters,
    found: &mut Vec<Interference>,
    of_ipv6: &mut Vec<Interference>,
) -> Result<()> {
    let mut hooks = Vec::new();
    messages.clear();
    messages.begin(RTM_GETQDISC, 0, &[0; 20]);
    let listed = dump(netlink, messages, |payload| {
        let Some(payload) = payload else { return hooks.clear() };
        let Some((index, rest)) = interface_of(payload) else { return };
        match attributes(rest).find(|attribute| attribute.kind == TCA_KIND).map(|a| a.text()) {
            Some(b"clsact") => hooks.extend([(index, INGRESS), (index, EGRESS)]),
            Some(b"ingress") => hooks.push((index, INGRESS)),
            _ => {}
        }
    });
    if let Err(error) = listed {
        // A kernel without traffic control.
        if error.errno() == Some(libc::EOPNOTSUPP) {
            return Ok(());
        }
        return Err(error.during("list").on("queueing disciplines"));
    }
    for (index, parent) in hooks {
        let mut body = [0u8; 20];
        body[4..8].copy_from_slice(&index.0.to_ne_bytes());
        body[12..16].copy_from_slice(&parent.to_ne_bytes());
        let (mut all, mut ipv6) = (Vec::new(), false);
        messages.clear();
        messages.begin(RTM_GETTFILTER, 0, &body);
        let listed = dump(netlink, messages, |payload| match payload {
            None => {
                all.clear();
                ipv6 = false;
            }
            Some(payload) => {
                all.extend(filter(payload));
                ipv6 |= sees_ipv6(payload);
            }
        });
        match listed {
            Ok(()) => {
                let hook = if parent == INGRESS { Hook::Ingress } else { Hook::Egress };
                let program = all.iter().find_map(|filter| match &filter.does {
                    Does::Program(name) => Some(name.clone()),
                    Does::Rule(_) => None,
                });
                if ipv6 {
                    of_ipv6.push(Interference::TrafficControl { interface: index, program: program.clone() });
                }
                if let Some(name) = program {
                    found.push(Interference::TrafficControl { interface: index, program: Some(name) });
                } else if !all.is_empty() {
                    filters.chains.push(chain(snapshot.name_of(index), hook, all));
                }
            }
            // The interface went away meanwhile.
            Err(error) if matches!(error.errno(), Some(libc::ENODEV | libc::EINVAL)) => {}
            Err(error) => return Err(error.during("list").on("traffic control filters")),
        }
    }
    for interface in &snapshot.interfaces {
        match programs::attached(interface.index, &[Attached::Ingress, Attached::Egress]) {
            Ok(names) => {
                let attached = names.into_iter().map(|name| Interference::TrafficControl {
                    interface: interface.index,
                    program: Some(name),
                });
                let before = of_ipv6.len();
                of_ipv6.extend(attached);
                found.extend_from_slice(&of_ipv6[before..]);
            }
            // A kernel before 6.6, or one that does not let us ask: only root of the machine attaches programs, and
            // only root of the machine sees them.
            Err(_) => break,
        }
    }
    Ok(())
}

/// The filters of one hook as a chain.
fn chain(device: String, hook: Hook, filters: Vec<Filter>) -> Chain {
    let mut rules: Vec<Vec<Expression>> = Vec::new();
    let mut rest = filters.into_iter().peekable();
    while let Some(first) = rest.next() {
        let (priority, kind) = (first.priority, first.kind);
        let mut group: Vec<Vec<Expression>> = Vec::new();
        let mut add = |does: Does| {
            if let Does::Rule(rule) = does {
                group.push(rule);
            }
        };
        add(first.does);
        while let Some(next) = rest.next_if(|next| next.priority == priority) {
            add(next.does);
        }
        // Flower goes by masks in the order in which they came up, which is not told.
        let same = group.windows(2).all(|pair| pair[0].last() == pair[1].last());
        if kind == "flower" && !same {
            for rule in &mut group {
                rule.insert(0, Expression::Unknown { name: "match".into() });
            }
        }
        rules.extend(group);
    }
    Chain {
        family: Family::TrafficControl,
        name: if hook == Hook::Ingress { "ingress" } else { "egress" }.to_owned(),
        base: Some(Base { hook, priority: 0, drops: false, devices: vec![device.clone()] }),
        table: device,
        rules,
    }
}

/// `struct tcmsg`: the interface, and the attributes.
fn interface_of(payload: &[u8]) -> Option<(IfIndex, &[u8])> {
    let (fixed, rest) = payload.split_first_chunk::<20>()?;
    let index = u32::from_ne_bytes(*fixed[4..].first_chunk()?);
    Some((IfIndex(index), rest))
}
