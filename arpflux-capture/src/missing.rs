//! What was read, and what of it was not understood.

use serde::Serialize;

use crate::record::Unread;
use crate::source::Counts;

/// Why something is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MissingKind {
    /// There was no record at all.
    Empty,
    /// No packet of ARP or neighbour discovery among the records.
    NoArp,
    /// Frames of a link type that is not read.
    LinkType,
    /// Frames in a tunnel that is not opened.
    Tunnel,
    /// Frames that are encrypted.
    Encrypted,
    /// Frames that the capture cut.
    Cut,
    /// Packets whose lengths, types or checksums cannot be.
    Malformed,
    /// Text in which a part of the MACs is hidden.
    Masked,
    /// Text without the MACs of those who ask.
    NoMacs,
    /// Text in which packets begin, and are not there whole.
    BrokenText,
    /// Text of a switch about a MAC that moves between its ports.
    MacMoves,
    /// Text about neighbour discovery.
    NeighbourText,
    /// What the host of the snapshot did, and the model does not, or cannot tell.
    Unexplained,
    /// No interface of the snapshot was seen to send ARP or neighbour discovery.
    HostAbsent,
    /// The table was full.
    Full,
    /// Frames came too fast and were lost.
    Lost,
    /// The file could not be read to its end.
    Damaged,
}

/// Something that was not looked at or not understood: nothing is known about it, good or bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Missing {
    /// Why.
    pub reason: MissingKind,
    /// How many frames, lines or packets.
    pub count: u64,
    /// In a sentence, with what to do.
    pub text: String,
}

impl Missing {
    pub(crate) fn new(reason: MissingKind, count: u64, text: String) -> Self {
        Self { reason, count, text }
    }
}

/// One file, or one interface, that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FileReport {
    /// Its name as it was given.
    pub file: String,
    /// `pcap`, `pcapng`, `text` or `live`; `None` if it could not be opened.
    pub format: Option<&'static str>,
    /// Whether it was compressed: with gzip, zstd, xz or lz4.
    pub compressed: bool,
    /// Records in all.
    pub records: u64,
    /// Of these, ARP, neighbour discovery and IP frames that could be read.
    pub read: u64,
    /// Frames cut before their addresses ended.
    pub cut: u64,
    /// Packets whose lengths, types or checksums cannot be.
    pub malformed: u64,
    /// Frames that could not be read: link types, tunnels, encryption.
    pub unread: u64,
    /// It ends within a record; what came before was read.
    pub ends_early: bool,
    /// Its times are how long after the line before, and were added up.
    pub deltas: bool,
    /// Why it could not be read, or not to its end.
    pub error: Option<String>,
}

/// What of a file was not understood.
pub(crate) fn of_file(file: &FileReport, counts: &Counts, arp: u64) -> Vec<Missing> {
    let mut missing = Vec::new();
    let name = &file.file;
    let records = counts.records;
    let mut add = |reason, count: u64, text: String| {
        if count > 0 {
            missing.push(Missing::new(reason, count, format!("{name}: {text}")));
        }
    };
    for (why, count) in &counts.unread {
        match why {
            Unread::LinkType(link_type) => {
                let called = link_type.name().map_or_else(String::new, |name| format!(" ({name})"));
                let text = format!(
                    "{count} of {records} frames have link type {}{called}, which is not read",
                    link_type.0
                );
                add(MissingKind::LinkType, *count, text);
            }
            Unread::Encrypted => {
                let text = format!(
                    "{count} of {records} frames are encrypted 802.11: decrypt them, or capture on the interface itself"
                );
                add(MissingKind::Encrypted, *count, text);
            }
            Unread::Encapsulated => {
                let text = format!(
                    "{count} of {records} frames are encrypted by IPsec (ESP): if there is a tunnel with frames in it, capture behind its end"
                );
                add(MissingKind::Encrypted, *count, text);
            }
            Unread::Tunnel(protocol) => {
                add(
                    MissingKind::Tunnel,
                    *count,
                    format!("{count} of {records} frames are inside {protocol}, which is not opened"),
                );
            }
        }
    }
    add(
        MissingKind::Cut,
        counts.cut,
        format!(
            "{} of {records} frames were cut before their addresses ended: capture with tcpdump -s 0",
            counts.cut
        ),
    );
    let text = counts.text;
    add(
        MissingKind::Masked,
        text.masked,
        format!(
            "{} MACs are masked: the lines with them were left out; give the capture with whole MACs, or with each replaced by another",
            text.masked
        ),
    );
    add(
        MissingKind::BrokenText,
        text.broken,
        format!(
            "{} packets of ARP in it could not be read: lines are cut, or have names in place of addresses; print them with \
             tcpdump -e -n, one packet on a line",
            text.broken
        ),
    );
    add(
        MissingKind::NeighbourText,
        text.ndp,
        format!(
            "{} lines about neighbour discovery lack flags or MACs: print them with tcpdump -v -e -n",
            text.ndp
        ),
    );
    add(
        MissingKind::MacMoves,
        text.mac_moves,
        format!(
            "{} lines say that a MAC moves between ports of a switch: a loop, two hosts with one MAC, or one that moves; \
             ARP does not show which",
            text.mac_moves
        ),
    );
    if arp == 0 {
        add(
            MissingKind::Malformed,
            counts.malformed,
            format!(
                "{} of {records} frames hold malformed ARP or neighbour discovery (lengths, types, checksums), and none a sound one",
                counts.malformed
            ),
        );
    }
    missing
}
