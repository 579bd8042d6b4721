//! Going through everything that the snapshot leaves open.
//!
//! The decision is written as if everything were known. Where it needs something unknown it asks the
//! [`Oracle`], which says one of the possible answers and has the decision run again for each of the
//! others. Where all runs end alike the unknown did not matter.

use super::missing::{Missing, MissingSet};

/// How many questions one run may ask. More than any real host has; beyond it the first answer stands
/// and the verdict becomes undetermined.
const QUESTIONS: usize = 10;

/// The answers of one run.
#[derive(Debug, Clone, Default)]
pub(super) struct Oracle {
    path: [(u8, u8); QUESTIONS],
    len: usize,
    at: usize,
    asked: MissingSet,
    /// Answers that must stay the same within a run, by [`Missing`].
    kept: [Option<bool>; Missing::ALL.len()],
    pub(super) overflow: bool,
    /// The interfaces that the arrival interface was compared with, where somebody wants to know ([`super::classes`]).
    pub(super) compared: Option<Vec<u32>>,
}

impl Oracle {
    /// One of `of` possibilities, from 0. Asked again in the same run, it may say another one.
    pub(super) fn choose(&mut self, missing: Missing, of: usize) -> usize {
        if of <= 1 {
            return 0;
        }
        if self.at >= QUESTIONS || of > 255 {
            self.overflow = true;
            self.asked = self.asked.and(MissingSet::only(missing));
            return 0;
        }
        if self.at == self.len {
            self.path[self.at] = (0, of as u8);
            self.len += 1;
            self.asked = self.asked.and(MissingSet::only(missing));
        }
        let chosen = self.path[self.at].0;
        self.at += 1;
        usize::from(chosen)
    }

    /// Yes or no, the same for the whole run.
    pub(super) fn ask(&mut self, missing: Missing) -> bool {
        if let Some(known) = self.kept[missing as usize] {
            return known;
        }
        let answer = self.choose(missing, 2) == 1;
        self.kept[missing as usize] = Some(answer);
        answer
    }

    /// Goes to the next combination of answers; `false` when all were tried.
    pub(super) fn advance(&mut self) -> bool {
        self.at = 0;
        self.kept = Default::default();
        while self.len > 0 {
            let (chosen, of) = &mut self.path[self.len - 1];
            if *chosen + 1 < *of {
                *chosen += 1;
                return true;
            }
            self.len -= 1;
        }
        false
    }

    /// Notes that it counts whether the arrival interface is this one.
    #[inline(always)]
    pub(super) fn compare(&mut self, interface: u32) {
        if let Some(compared) = &mut self.compared
            && !compared.contains(&interface)
        {
            compared.push(interface);
        }
    }

    /// What was asked in all runs so far.
    pub(super) const fn asked(&self) -> MissingSet {
        self.asked
    }
}
