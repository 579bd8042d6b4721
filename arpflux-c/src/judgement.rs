//! Good, bad, or not to be told.

use arpflux_core::judgement::Judgement;

/// What a whole comes to. Only `ARPFLUX_JUDGED_GOOD` is good; no object at all, or one without anything to judge, is
/// undetermined.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_judged {
    /// Nothing bad is known, and something that decides could not be read or understood.
    Undetermined = 0,
    /// As it should be.
    Good = 1,
    /// Not as it should be.
    Bad = 2,
}

impl From<&Judgement> for arpflux_judged {
    fn from(judgement: &Judgement) -> Self {
        match judgement {
            Judgement::Good => Self::Good,
            Judgement::Bad => Self::Bad,
            Judgement::Undetermined { .. } => Self::Undetermined,
        }
    }
}
