//! Whether two MACs are one host's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arpflux_core::types::Mac;

use super::Known;
use super::single::only_denies;
use crate::evidence::EvidenceKind;
use crate::report::Certainty;
use crate::table::{Address, Key, Link, LinkKind, Table};
use arpflux_core::types::VirtualMac;

/// What the table as a whole says about its MACs.
pub(super) struct Context<'a> {
    pub table: &'a Table,
    known: BTreeMap<Mac, usize>,
    /// Two MACs that answered the same requests, with the number of addresses they did it for.
    together: BTreeMap<(Mac, Mac), u32>,
    /// MACs that answered for an address alone, and at once.
    pub alone: BTreeSet<Mac>,
    /// For MACs that share addresses: with which others.
    partners: BTreeMap<Mac, BTreeSet<Mac>>,
    /// For MACs that pushed replies on others: for how many addresses.
    pub pushed: BTreeMap<Mac, u32>,
    /// For MACs that pushed replies without a name on others: for how many addresses.
    pub nameless: BTreeMap<Mac, u32>,
    /// MACs that have addresses only when somebody asks whether they are free: how many, from three on.
    pub denies: BTreeMap<Mac, u32>,
    /// MACs with an address whose packets no router has counted down.
    pub fresh: HashMap<Mac, Vec<Key>>,
}

/// Why two MACs are taken for one host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kin {
    pub certainty: Certainty,
    pub kind: EvidenceKind,
    pub why: &'static str,
}

/// What joins the MACs of one address: for each of them its group, and the reason that joined it last.
pub(super) struct Kinships {
    links: Vec<(usize, usize, Kin)>,
    count: usize,
}

impl Kinships {
    /// The surest way from one to the other, over others if need be: as sure as its weakest part.
    pub(super) fn between(&self, one: usize, other: usize) -> Option<Kin> {
        [Certainty::Proved, Certainty::Likely].into_iter().find_map(|least| {
            let mut reached: Vec<Option<Option<Kin>>> = vec![None; self.count];
            reached[one] = Some(None);
            let mut open = vec![one];
            while let Some(at) = open.pop() {
                for (a, b, kin) in &self.links {
                    let next = if *a == at {
                        *b
                    } else if *b == at {
                        *a
                    } else {
                        continue;
                    };
                    if kin.certainty <= least && reached[next].is_none() {
                        let before = reached[at].flatten();
                        let weaker = before.filter(|before| before.certainty > kin.certainty).unwrap_or(*kin);
                        reached[next] = Some(Some(weaker));
                        open.push(next);
                    }
                }
            }
            reached[other].flatten()
        })
    }
}

/// MACs of one card lie close together.
const NEAR: u64 = 64;
/// Blocks that hypervisors give out in sequence to different machines: Hyper-V, and vCenter.
const SEQUENTIAL: [u64; 2] = [0x00_15_5d, 0x00_50_56];
/// What joined two MACs so long before or after, in ns, says nothing any more: addresses move on.
const AGES: u64 = 600_000_000_000;

/// Whether two MACs are likely of one card, by their numbers.
pub(super) fn near(one: Mac, other: Mac) -> bool {
    let number = |mac: Mac| {
        let octets = mac.octets().filter(|octets| VirtualMac::of(*octets).is_none())?;
        let [a, b, c, d, e, f] = octets;
        Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    };
    let (Some(one), Some(other)) = (number(one), number(other)) else { return false };
    let block = one >> 24;
    let local = block >> 16 & 2 != 0;
    !local && !SEQUENTIAL.contains(&block) && other >> 24 == block && one.abs_diff(other) <= NEAR
}

impl<'a> Context<'a> {
    pub(super) fn new(table: &'a Table, known: &Known) -> Self {
        let hosts = known.hosts.iter().enumerate();
        let mut context = Self {
            table,
            known: hosts.flat_map(|(host, macs)| macs.iter().map(move |mac| (*mac, host))).collect(),
            together: BTreeMap::new(),
            alone: BTreeSet::new(),
            partners: BTreeMap::new(),
            pushed: BTreeMap::new(),
            nameless: BTreeMap::new(),
            denies: BTreeMap::new(),
            fresh: HashMap::new(),
        };
        for (key, address) in &table.addresses {
            for claim in &address.claims {
                if claim.pushes && claim.nameless {
                    *context.nameless.entry(claim.mac).or_default() += 1;
                }
                if only_denies(claim) {
                    *context.denies.entry(claim.mac).or_default() += 1;
                }
                if claim.ttl.is_fresh() {
                    context.fresh.entry(claim.mac).or_default().push(*key);
                }
            }
            if let [only] = address.claims.as_slice() {
                if only.prompt > only.late {
                    context.alone.insert(only.mac);
                }
                continue;
            }
            for relation in &address.relations {
                let ends = [relation.one, relation.other].map(|at| address.claims[at as usize].mac);
                let ends = (ends[0].min(ends[1]), ends[0].max(ends[1]));
                if relation.contested.count > 0 {
                    *context.together.entry(ends).or_default() += 1;
                }
                context.partners.entry(ends.0).or_default().insert(ends.1);
                context.partners.entry(ends.1).or_default().insert(ends.0);
            }
            for claim in address.claims.iter().filter(|claim| claim.pushes) {
                *context.pushed.entry(claim.mac).or_default() += 1;
            }
        }
        context.denies.retain(|_, addresses| *addresses >= 3);
        context
    }

    /// How many other MACs this one shares addresses with.
    pub(super) fn partners(&self, mac: Mac) -> usize {
        self.partners.get(&mac).map_or(0, BTreeSet::len)
    }

    /// Whether the caller knows two MACs as different hosts'.
    pub(super) fn are_known_apart(&self, one: Mac, other: Mac) -> bool {
        matches!((self.known.get(&one), self.known.get(&other)), (Some(a), Some(b)) if a != b)
    }

    /// What joins the MACs of an address.
    pub(super) fn kin(&self, entry: &Address) -> Kinships {
        let claims = &entry.claims;
        let mut links = Vec::new();
        for (other, b) in claims.iter().enumerate() {
            for (one, a) in claims.iter().enumerate().take(other) {
                let times = (a.first.time.max(b.first.time), a.last.time.min(b.last.time));
                links.extend(self.kin_of_two(a.mac, b.mac, times).map(|kin| (one, other, kin)));
            }
        }
        Kinships { links, count: claims.len() }
    }

    /// `times`: when both claimed the address.
    fn kin_of_two(&self, one: Mac, other: Mac, times: (u64, u64)) -> Option<Kin> {
        let kin = |certainty, kind, why| Some(Kin { certainty, kind, why });
        match (self.known.get(&one), self.known.get(&other)) {
            (Some(a), Some(b)) if a == b => {
                return kin(Certainty::Proved, EvidenceKind::Known, "its MACs are known to be one host's");
            }
            (Some(_), Some(_)) => return None,
            _ => {}
        }
        let ends = (one.min(other), one.max(other));
        let link = self.table.links.get(&ends).filter(|link| is_near_in_time(link, times));
        if link.is_some_and(|link| link.kind == LinkKind::Answered) {
            let why = "what was sent to one MAC alone was answered from another: they are one host's";
            return kin(Certainty::Proved, EvidenceKind::Linked, why);
        }
        if link.is_some() {
            let why = "packets sent to one MAC came back from another by way of a router";
            return kin(Certainty::Likely, EvidenceKind::Linked, why);
        }
        if near(one, other) {
            let why = "its MACs stand side by side in one manufacturer's block, as those of one host do";
            return kin(Certainty::Likely, EvidenceKind::Neighbours, why);
        }
        let together = self.together.get(&ends).is_some_and(|addresses| *addresses > 1);
        if together && !self.alone.contains(&one) && !self.alone.contains(&other) {
            let why = "the same MACs answer together for other addresses, and none of them for any alone";
            return kin(Certainty::Likely, EvidenceKind::Together, why);
        }
        None
    }
}

fn is_near_in_time(link: &Link, times: (u64, u64)) -> bool {
    let (begin, end) = (times.0.min(times.1), times.0.max(times.1));
    link.mark.first.time <= end.saturating_add(AGES) && link.mark.last.time.saturating_add(AGES) >= begin
}
