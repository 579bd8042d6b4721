//! What one interface does with the requests of one class of senders, or of all of them.

use crate::predict::{ArpRequest, Model, Request, Verdict};
use crate::types::IfIndex;

/// How those fare that ask one interface for one class of targets: whether anybody is answered, looked for up to the
/// first one.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Who gets an answer, as a class of senders.
    pub(super) answered: Option<Asker>,
    /// Somebody of whom it cannot be told, where nobody is known to get one.
    pub(super) open: Option<Asker>,
    /// The interface that answers: the master of a port.
    pub(super) answers_as: Option<IfIndex>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Silent,
    Answered,
    Open,
}

/// One class of senders, or the target itself (`None`), which is a class of its own for ARP alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) class: Option<u32>,
    pub(super) unicast: bool,
}

impl Row {
    pub(super) fn ask(
        &mut self,
        model: &Model<'_>,
        class: Option<u32>,
        requests: impl IntoIterator<Item = Request>,
    ) {
        for request in requests {
            let asker = Asker { class, unicast: request.is_unicast() };
            let verdict = model.answer(&request);
            if let Verdict::Answers { interface, .. } = verdict {
                self.answers_as = Some(interface);
            }
            match Fate::of(&verdict) {
                Fate::Silent => {}
                Fate::Answered => self.answered = self.answered.or(Some(asker)),
                Fate::Open => self.open = self.open.or(Some(asker)),
            }
        }
    }
}

impl Fate {
    pub(super) const fn of(verdict: &Verdict) -> Self {
        match verdict.answers() {
            Some(true) => Self::Answered,
            Some(false) => Self::Silent,
            None => Self::Open,
        }
    }
}

/// The request to all, and by unicast.
pub(super) fn both_ways(interface: IfIndex, sender: u32, target: u32) -> [ArpRequest; 2] {
    [false, true].map(|unicast| ArpRequest {
        unicast,
        ..ArpRequest::broadcast(interface, sender.into(), target.into())
    })
}
