//! What a judgement rests on, piece by piece.

use serde::{Serialize, Serializer};

/// What a piece of evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EvidenceKind {
    /// Several MACs answered the same request of a third host.
    SameRequest,
    /// A MAC that claims the address was itself answered about it.
    OwnRequest,
    /// The claims passed from one MAC to another.
    Moves,
    /// They passed back within ten seconds.
    Returned,
    /// Replies that nobody seen had asked for.
    Unasked,
    /// Frames in another's name: the Ethernet source is not the ARP sender, and claims the address itself.
    AnothersName,
    /// The Ethernet source is not the ARP sender.
    EthernetSource,
    /// What was sent to a MAC was answered from it.
    Straight,
    /// What was sent to one MAC was answered from another.
    Linked,
    /// The MACs stand side by side in one manufacturer's block.
    Neighbours,
    /// The same MACs answer together for other addresses.
    Together,
    /// Each of the MACs answers for another address alone.
    Alone,
    /// A MAC claims addresses of several other MACs.
    ManyAddresses,
    /// Each of the MACs answers askers of its own.
    AskersApart,
    /// What one MAC asks, another asks once more at once.
    Copied,
    /// Times to live of packets from the address.
    TimeToLive,
    /// How long answers took.
    Delay,
    /// A virtual MAC of a group.
    VirtualMac,
    /// What the routers of a group say themselves.
    Group,
    /// Packets that take another way since somebody told their sender so.
    Diverted,
    /// What a log says.
    Log,
    /// Flags of neighbour discovery.
    Flags,
    /// Answers to those who ask whether an address is free.
    Denials,
    /// What the caller knows about hosts.
    Known,
    /// It was asked whether the address is free, and taken all the same.
    Probed,
    /// The address was used as the sender of requests.
    Asks,
    /// Claims that found no room.
    Unlisted,
    /// Nothing tells more; what would.
    Open,
}

/// A frame of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Frame {
    /// Which file of [`crate::Report::files`], from 0.
    pub file: u32,
    /// Which record of it, from 1; of text which of the frames in it.
    pub frame: u64,
    /// When, in ns since the capture began; `None` without a clock. JSON has seconds.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    #[serde(serialize_with = "seconds", rename = "at_s")]
    pub at: Option<u64>,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds<S: Serializer>(nanoseconds: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    nanoseconds.map(|nanoseconds| nanoseconds as f64 / 1e9).serialize(serializer)
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Evidence {
    /// What it is about.
    pub kind: EvidenceKind,
    /// It speaks against the verdict, not for it.
    pub against: bool,
    /// In a sentence.
    pub text: String,
    /// How often it was seen.
    pub count: u32,
    /// Where: the first time and the last.
    pub frames: Vec<Frame>,
}

impl Evidence {
    pub(crate) fn new(kind: EvidenceKind, text: String) -> Self {
        Self { kind, against: false, text, count: 0, frames: Vec::new() }
    }

    pub(crate) fn against(self) -> Self {
        Self { against: true, ..self }
    }

    pub(crate) fn count(self, count: u32) -> Self {
        Self { count, ..self }
    }
}
