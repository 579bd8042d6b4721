//! What is counted of an address, and of what lies between two of its MACs.

use arpflux_core::types::Mac;

use super::claim::{Claim, Mark, Seen};

/// What was seen between two MACs of one address; the first is the one that claimed it first.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Relation {
    /// Which of the address's MACs.
    pub one: u32,
    pub other: u32,
    /// Both answered one request of a third host.
    pub contested: Mark,
    /// One was answered by the other about the address that it claims itself.
    pub defended: Mark,
    /// One spoke in the other's name, by an Ethernet source of its own; and who did.
    pub named: Mark,
    pub named_by: Option<Mac>,
    /// One sent the requests of the other to all once more at once; and which did.
    pub copied: Mark,
    pub copied_by: Option<Mac>,
    /// Which of them claimed it last, and since when; `None`: the first one since it came.
    pub holder: Option<u32>,
    pub since: u64,
    /// The claims passed from one to the other.
    pub moves: Mark,
    /// Of these, begun with a gratuitous ARP.
    pub announced: u32,
    /// Of these, within a second of the move before.
    pub quick: u32,
    /// Of these, back within ten seconds to one that had claimed it before.
    pub returns: Mark,
    /// Of these, begun neither by an announcement nor in answer to a request.
    pub returns_unannounced: u32,
    /// The other asked whether the address is free, was answered by the first, and took it all the same.
    pub probed: bool,
}

/// An address on a wire.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// In the order of their first claims; never empty.
    pub claims: Vec<Claim>,
    pub relations: Vec<Relation>,
    /// Requests of others that more than one MAC answered.
    pub contested: Mark,
    /// How often the claims passed from one MAC to another, one after the other.
    pub moves: u32,
    /// A log says that two have it, and which MAC it names last.
    pub logged: Mark,
    pub logged_by: Option<Mac>,
    /// How many claims came from MACs beyond the limit.
    pub unlisted: u32,
    /// Who sent a probe that was answered; looked at again when it takes the address.
    pub probers: Vec<(Mac, Mac)>,
    /// Whose claim was the last, and since when.
    pub(super) current: u32,
    pub(super) since: u64,
}

impl Address {
    pub(super) fn new(mac: Mac, seen: Seen) -> Self {
        Self {
            claims: vec![Claim::new(mac, seen)],
            relations: Vec::new(),
            contested: Mark::default(),
            moves: 0,
            logged: Mark::default(),
            logged_by: None,
            unlisted: 0,
            probers: Vec::new(),
            current: 0,
            since: seen.time,
        }
    }

    #[inline]
    pub(crate) fn find(&self, mac: Mac) -> Option<usize> {
        self.claims.iter().position(|claim| claim.mac == mac)
    }

    /// What lies between two of its MACs.
    pub(super) fn between(&mut self, a: usize, b: usize) -> &mut Relation {
        let (one, other) = (a.min(b) as u32, a.max(b) as u32);
        let at = self.relations.iter().position(|known| (known.one, known.other) == (one, other));
        let at = at.unwrap_or_else(|| {
            self.relations.push(Relation { one, other, ..Relation::default() });
            self.relations.len() - 1
        });
        &mut self.relations[at]
    }

    /// Takes in what was seen of the same address on what turns out to be the same wire.
    pub(super) fn join(&mut self, from: Self) {
        let mut place = Vec::with_capacity(from.claims.len());
        for claim in &from.claims {
            match self.find(claim.mac) {
                Some(at) => {
                    self.claims[at].join(claim);
                    place.push(at);
                }
                None => {
                    self.claims.push(claim.clone());
                    place.push(self.claims.len() - 1);
                }
            }
        }
        for relation in &from.relations {
            let mine = self.between(place[relation.one as usize], place[relation.other as usize]);
            mine.contested.join(&relation.contested);
            mine.defended.join(&relation.defended);
            mine.named.join(&relation.named);
            mine.copied.join(&relation.copied);
            mine.copied_by = mine.copied_by.or(relation.copied_by);
            mine.moves.join(&relation.moves);
            mine.returns.join(&relation.returns);
            if let Some(holder) = relation.holder.filter(|_| relation.since >= mine.since) {
                (mine.holder, mine.since) = (Some(place[holder as usize] as u32), relation.since);
            }
            mine.announced = mine.announced.saturating_add(relation.announced);
            mine.quick = mine.quick.saturating_add(relation.quick);
            mine.returns_unannounced = mine.returns_unannounced.saturating_add(relation.returns_unannounced);
            mine.probed |= relation.probed;
            mine.named_by = mine.named_by.or(relation.named_by);
        }
        self.contested.join(&from.contested);
        self.logged.join(&from.logged);
        self.logged_by = self.logged_by.or(from.logged_by);
        self.moves = self.moves.saturating_add(from.moves);
        self.unlisted = self.unlisted.saturating_add(from.unlisted);
        if from.since > self.since {
            (self.current, self.since) = (place[from.current as usize] as u32, from.since);
        }
    }
}
