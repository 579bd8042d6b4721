//! `RTM_NEWNEXTHOP`: nexthop objects, which routes refer to by number.

use std::collections::HashMap;

use super::{interface, split, word};
use crate::kernel::netlink::attributes;
use crate::kernel::uapi::{NHA_GATEWAY, NHA_GROUP, NHA_ID, NHA_OIF};
use crate::snapshot::{NextHop, NextHopFlags};

/// All nexthop objects of a namespace.
#[derive(Debug, Default)]
pub(in crate::kernel) struct NextHops {
    single: HashMap<u32, NextHop>,
    groups: HashMap<u32, Vec<(u32, u16)>>,
}

impl NextHops {
    /// Reads `struct nhmsg` and its attributes; whether it was one.
    pub fn add(&mut self, payload: &[u8]) -> bool {
        let Some((fixed, rest)) = split::<8>(payload) else { return false };
        let mut id = None;
        let mut group = None;
        let mut hop = NextHop {
            interface: None,
            gateway: None,
            weight: 1,
            flags: NextHopFlags::from_bits_retain(word(fixed, 4)),
        };
        for attribute in attributes(rest) {
            match attribute.kind {
                NHA_ID => id = attribute.u32(),
                NHA_OIF => hop.interface = attribute.u32().and_then(interface),
                NHA_GATEWAY => hop.gateway = attribute.ip(),
                NHA_GROUP => {
                    // struct nexthop_grp: id, weight - 1 (low byte), weight - 1 (high byte), reserved.
                    let members = attribute.value.as_chunks::<8>().0.iter();
                    group = Some(
                        members
                            .map(|m| {
                                let weight = u16::from(m[4]) | u16::from(m[5]) << 8;
                                (u32::from_ne_bytes([m[0], m[1], m[2], m[3]]), weight.saturating_add(1))
                            })
                            .collect::<Vec<_>>(),
                    );
                }
                _ => {}
            }
        }
        let Some(id) = id else { return false };
        match group {
            Some(group) => drop(self.groups.insert(id, group)),
            None => drop(self.single.insert(id, hop)),
        }
        true
    }

    /// The next hops that the object of that number stands for; none for one that rejects.
    pub fn resolve(&self, id: u32) -> Vec<NextHop> {
        let one = |id: u32, weight: u16| {
            self.single
                .get(&id)
                .filter(|hop| hop.interface.is_some() || hop.gateway.is_some())
                .map(|hop| NextHop { weight, ..hop.clone() })
        };
        match self.groups.get(&id) {
            Some(members) => members.iter().filter_map(|(id, weight)| one(*id, *weight)).collect(),
            None => one(id, 1).into_iter().collect(),
        }
    }
}
