//! Good, bad, or not to be told: what every claim of every stage comes to.
//!
//! A claim that something unread or undecided leaves open is neither good nor bad. It is never counted as
//! good, and says what is missing, what that leaves open, how to get it known, and what the answer is apart
//! from that.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::filter::Protocol;
use crate::predict::{Missing, MissingSet};
use crate::snapshot::{Address, Interference, Snapshot};
use crate::types::IfIndex;
use crate::words::listed;

/// What a claim comes to. Of several claims the worst counts: bad, then undetermined, then good.
///
/// ```
/// use arpflux_core::judgement::Judgement;
///
/// let open = Judgement::Undetermined { missing: Vec::new(), apart: Some(true) };
/// assert_eq!(Judgement::Good.and(open.clone()).ok(), None);
/// assert_eq!(open.and(Judgement::Bad).ok(), Some(false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Judgement {
    /// It holds.
    #[default]
    Good,
    /// It does not hold.
    Bad,
    /// Nothing bad is known, and something that decides is not known.
    Undetermined {
        /// What could not be read or decided.
        missing: Vec<Gap>,
        /// Whether it holds apart from that: with all that is missing taken to be without effect. `None`: that
        /// cannot be told either.
        apart: Option<bool>,
    },
}

impl Judgement {
    /// Good or bad.
    #[must_use]
    pub const fn of(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }

    /// `Some(true)` if it is good, `Some(false)` if it is bad; `None` if that cannot be told.
    #[must_use]
    pub const fn ok(&self) -> Option<bool> {
        match self {
            Self::Good => Some(true),
            Self::Bad => Some(false),
            Self::Undetermined { .. } => None,
        }
    }

    /// The worse of the two. What is missing for both is listed once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bad, _) | (_, Self::Bad) => Self::Bad,
            (Self::Good, other) | (other, Self::Good) => other,
            (
                Self::Undetermined { mut missing, apart: a },
                Self::Undetermined { missing: theirs, apart: b },
            ) => {
                add(&mut missing, theirs);
                Self::Undetermined { missing, apart: both(a, b) }
            }
        }
    }

    /// What is missing; nothing unless it is undetermined.
    #[must_use]
    pub fn missing(&self) -> &[Gap] {
        match self {
            Self::Undetermined { missing, .. } => missing,
            Self::Good | Self::Bad => &[],
        }
    }

    /// The exit code of the command: see [`crate::exit::Exit`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        crate::exit::Exit::from(self).code()
    }

    /// The stable name, as JSON and C have it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Undetermined { .. } => "undetermined",
        }
    }
}

impl FromIterator<Judgement> for Judgement {
    /// The worst of all; good if there is none.
    fn from_iter<I: IntoIterator<Item = Judgement>>(all: I) -> Self {
        all.into_iter().fold(Self::Good, Self::and)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Judgement {
    /// `"ok"` (true, false, null), `"missing"`, and where that is not empty `"ok_apart_from_that"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ok", &self.ok())?;
        map.serialize_entry("missing", self.missing())?;
        if let Self::Undetermined { apart, .. } = self {
            map.serialize_entry("ok_apart_from_that", apart)?;
        }
        map.end()
    }
}

/// What [`Judgement`] writes, as it is read.
#[derive(Deserialize)]
struct Written {
    ok: Option<bool>,
    #[serde(default)]
    missing: Vec<Gap>,
    ok_apart_from_that: Option<bool>,
}

impl<'de> Deserialize<'de> for Judgement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { ok, missing, ok_apart_from_that: apart } = Written::deserialize(deserializer)?;
        Ok(match ok {
            Some(true) => Self::Good,
            Some(false) => Self::Bad,
            None => Self::Undetermined { missing, apart },
        })
    }
}

/// Whether both hold; `None` where that cannot be told.
pub(crate) const fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
    }
}

/// Something that could not be read or decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Gap {
    /// What it is.
    pub missing: Missing,
    /// The same as a sentence, with the chain, interface or file at fault.
    pub what: String,
    /// What that leaves open.
    pub leaves_open: String,
    /// How to get it read or decided.
    pub how: String,
}

impl Gap {
    /// All of `missing`, as it concerns ARP frames on `interfaces`.
    #[must_use]
    pub fn all(
        snapshot: &Snapshot,
        missing: MissingSet,
        interfaces: &[IfIndex],
        leaves_open: &str,
    ) -> Vec<Gap> {
        Self::of(snapshot, false, missing, interfaces, leaves_open)
    }

    /// The same of frames of neighbour discovery with `ipv6`.
    #[must_use]
    pub fn of(
        snapshot: &Snapshot,
        ipv6: bool,
        missing: MissingSet,
        interfaces: &[IfIndex],
        leaves_open: &str,
    ) -> Vec<Gap> {
        let frames = if ipv6 { "neighbour discovery" } else { "ARP frames" };
        let mut gaps = Vec::new();
        for missing in missing.iter() {
            let concerns = |interface: &Option<IfIndex>| {
                interface.is_none_or(|index| interfaces.is_empty() || interfaces.contains(&index))
            };
            let name = |index: IfIndex| snapshot.name_of(index);
            let called = |program: &Option<String>| {
                program.as_ref().map_or_else(String::new, |name| format!(" ({name})"))
            };
            let known = gaps.len();
            for other in snapshot.interference_of(ipv6) {
                let told = match (missing, other) {
                    (Missing::Netfilter, Interference::Netfilter { chain, interface })
                        if concerns(interface) =>
                    {
                        format!("the rules of {chain} see {frames}, and what they do is not worked out")
                    }
                    (Missing::TrafficControl, Interference::TrafficControl { interface, program })
                        if concerns(&Some(*interface)) =>
                    {
                        let name = name(*interface);
                        let called = called(program);
                        format!(
                            "the traffic control filter on {name}{called} sees {frames}, and what it does is not worked out"
                        )
                    }
                    (Missing::Xdp, Interference::Xdp { interface, program })
                        if concerns(&Some(*interface)) =>
                    {
                        let (name, called) = (name(*interface), called(program));
                        format!("what the XDP program on {name}{called} does with {frames} is not known")
                    }
                    (Missing::Listener, Interference::Listener { interface }) if concerns(interface) => {
                        let on = interface.map_or_else(|| "every interface".to_owned(), name);
                        let what = if ipv6 { "IPv6 frames" } else { "ARP" };
                        format!("a program listens for {what} on {on} and may answer")
                    }
                    (Missing::NeighbourTable, Interference::FullNeighbourTable { entries, limit }) => {
                        format!(
                            "the neighbour table is full ({entries} of {limit}), and who is new may get no answer"
                        )
                    }
                    (Missing::Unreadable, Interference::Unreadable { what, needs: Some(needs) }) => {
                        format!("{what} cannot be read without {needs}")
                    }
                    (Missing::Unreadable, Interference::Unreadable { what, needs: None }) => {
                        format!("not readable: {what}")
                    }
                    _ => continue,
                };
                add(&mut gaps, [Gap::new(missing, told, leaves_open)]);
            }
            if missing == Missing::LinkOption {
                let set = snapshot.interfaces.iter().filter(|interface| !interface.open_options.is_empty());
                let told = set.map(|interface| {
                    let options = listed(&interface.open_options);
                    let what =
                        format!("what {options} of {} does with {frames} is not modelled", interface.name);
                    Gap::new(missing, what, leaves_open)
                });
                add(&mut gaps, told);
            }
            let open = match missing {
                Missing::Netfilter | Missing::TrafficControl => {
                    snapshot.open_filters(Protocol::of(ipv6), missing == Missing::TrafficControl)
                }
                _ => Vec::new(),
            };
            if !open.is_empty() {
                let chains = listed(&open);
                let every = if ipv6 { "frame of neighbour discovery" } else { "ARP frame" };
                let told = format!("what the rules of {chains} do with every {every} cannot be told");
                add(&mut gaps, [Gap::new(missing, told, leaves_open)]);
            }
            if gaps.len() == known {
                let told = match missing {
                    Missing::KernelVersion => {
                        format!("it is not known how Linux {} behaves here", snapshot.kernel.release)
                    }
                    _ => format!("it is not known {}", missing.text()),
                };
                add(&mut gaps, [Gap::new(missing, told, leaves_open)]);
            }
        }
        gaps
    }

    /// The wires of interfaces that have no address.
    #[must_use]
    pub(crate) fn wires(snapshot: &Snapshot, interfaces: &[IfIndex], leaves_open: &str) -> Self {
        let names: Vec<String> = interfaces.iter().map(|index| snapshot.name_of(*index)).collect();
        // An IPv6 address says nothing of who asks for IPv4 addresses there.
        let ipv6 =
            |held: &Address| held.local.is_ipv6() && held.is_public() && interfaces.contains(&held.interface);
        let none = if snapshot.addresses.iter().any(ipv6) { "no IPv4 subnet" } else { "no address" };
        let what = match names.as_slice() {
            [name] => format!("it is not known on which wire {name} is: it is up and has {none}"),
            names => format!(
                "it is not known on which wires {} are: they are up and have {none}",
                crate::words::folded(names)
            ),
        };
        Self::new(Missing::Wire, what, leaves_open)
    }

    /// Wires that only subnets tell apart.
    pub(crate) fn apart(snapshot: &Snapshot, one: IfIndex, other: IfIndex, leaves_open: &str) -> Self {
        let (one, other) = (snapshot.name_of(one.min(other)), snapshot.name_of(one.max(other)));
        let what = format!(
            "whether {one} and {other} share a wire is not known: their subnets differ, and a neighbour with the same MAC \
             is on both"
        );
        Self::new(Missing::Wire, what, leaves_open)
    }

    /// An address that the peer was not asked to look for.
    #[cfg(feature = "kernel")]
    pub(crate) fn not_asked(address: std::net::IpAddr) -> Self {
        let what = format!("{address} was not asked for: the peer has no interface on its subnet");
        Self::new(Missing::Peer, what, &format!("who answers for {address} on the wire"))
    }

    fn new(missing: Missing, what: String, leaves_open: &str) -> Self {
        Self { missing, what, leaves_open: leaves_open.to_owned(), how: missing.how().to_owned() }
    }
}

impl fmt::Display for Gap {
    /// One line: what is missing, what that leaves open, how to know it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, leaves_open, how, .. } = self;
        write!(f, "{what}; that leaves open {leaves_open}; {how}")
    }
}

/// Adds what is not in the list yet. Where it is, what it leaves open is told together.
pub(crate) fn add(known: &mut Vec<Gap>, more: impl IntoIterator<Item = Gap>) {
    for gap in more {
        match known.iter_mut().find(|one| (one.missing, &one.what) == (gap.missing, &gap.what)) {
            Some(one) if one.leaves_open.contains(&gap.leaves_open) => {}
            Some(one) => one.leaves_open = format!("{}; {}", one.leaves_open, gap.leaves_open),
            None => known.push(gap),
        }
    }
}

/// How many gaps the last line names.
const NAMED: usize = 3;

/// The last line of a verb that cannot tell: `2 addresses cannot be told: WHAT; apart from that both are in
/// flux. HOW.` Empty words about the rest are left out.
#[must_use]
pub fn last_line(open: &str, missing: &[Gap], apart: &str) -> String {
    let mut what: Vec<&str> = Vec::new();
    let mut how: Vec<&str> = Vec::new();
    for gap in missing {
        if !what.contains(&gap.what.as_str()) {
            what.push(&gap.what);
        }
        if !how.contains(&gap.how.as_str()) {
            how.push(&gap.how);
        }
    }
    let more = what.len().saturating_sub(NAMED);
    what.truncate(NAMED);
    how.truncate(NAMED);
    let mut line = format!("{open} cannot be told: {}", what.join("; "));
    if more > 0 {
        line += &format!("; and {more} more");
    }
    if !apart.is_empty() {
        line += &format!("; apart from that {apart}");
    }
    if !how.is_empty() {
        line += &format!(". To know: {}", how.join("; "));
    }
    line + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(apart: Option<bool>) -> Judgement {
        let gap = Gap::new(Missing::Netfilter, "the rules of c".into(), "10.0.0.1");
        Judgement::Undetermined { missing: vec![gap], apart }
    }

    #[test]
    fn of_several_the_worst_counts() {
        let all = [Judgement::Good, open(Some(true)), Judgement::Bad];
        for (a, first) in all.iter().enumerate() {
            for (b, second) in all.iter().enumerate() {
                let worse = all[a.max(b)].ok();
                assert_eq!(first.clone().and(second.clone()).ok(), worse, "{first} and {second}");
            }
        }
        assert_eq!(all.into_iter().collect::<Judgement>(), Judgement::Bad);
        assert_eq!(Judgement::from_iter([]), Judgement::Good);
        let Judgement::Undetermined { missing, apart } = open(Some(true)).and(open(Some(false))) else {
            panic!("both are undetermined")
        };
        assert_eq!((missing.len(), apart), (1, Some(false)));
    }

    #[test]
    fn each_has_its_exit_code_and_its_json() {
        assert_eq!([Judgement::Good, Judgement::Bad, open(None)].map(|one| one.exit_code()), [0, 1, 6]);
        assert_eq!(serde_json::to_string(&Judgement::Good).unwrap(), r#"{"ok":true,"missing":[]}"#);
        let text = serde_json::to_string(&open(Some(false))).unwrap();
        assert!(
            text.starts_with(r#"{"ok":null,"missing":[{"missing":"netfilter","what":"the rules of c""#),
            "{text}"
        );
        assert!(text.ends_with(r#"],"ok_apart_from_that":false}"#), "{text}");
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_to_know_it() {
        let mut snapshot = Snapshot::default();
        snapshot.interference.push(Interference::Unreadable {
            what: "the nftables ruleset".into(),
            needs: Some("CAP_NET_ADMIN".into()),
        });
        let gaps = Gap::all(&snapshot, MissingSet::only(Missing::Unreadable), &[], "2 addresses");
        assert_eq!(
            last_line("2 addresses", &gaps, "both are in flux"),
            "2 addresses cannot be told: the nftables ruleset cannot be read without CAP_NET_ADMIN; apart from that \
             both are in flux. To know: run it, or take the snapshot, as root."
        );
        for missing in Missing::ALL {
            let gaps = Gap::all(&Snapshot::default(), MissingSet::only(*missing), &[IfIndex(2)], "it");
            assert!(matches!(gaps.as_slice(), [gap] if !gap.how.is_empty()), "{gaps:?}");
        }
    }
}
