//! A plan in few lines: what is alike is told once, and what it comes to in one line.

use std::fmt;

use super::{Change, Impact, Plan, Turn};
use crate::harm::{Assessment, overview};
use crate::predict::Outcome;
use crate::snapshot::{Route, RouteKind, Rule, Snapshot};
use crate::state::{Object, route_in_words, rule_in_words};
use crate::types::IfIndex;
use crate::words::{counted, folded, thousands};

/// What becomes of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// It comes.
    Add,
    /// It gets another value.
    Change,
    /// It goes.
    Delete,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Change => "~",
            Self::Delete => "-",
        })
    }
}

impl From<&Change> for Sign {
    fn from(change: &Change) -> Self {
        match (change.before.is_there(), change.after.is_there()) {
            (false, true) => Self::Add,
            (true, false) => Self::Delete,
            _ => Self::Change,
        }
    }
}

/// Changes that are alike, in one line. `Display`: `~ arp_ignore 0 -> 1 on eth0, eth3, eth4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// What becomes of them.
    pub sign: Sign,
    /// What they are.
    pub text: String,
    /// How many.
    pub count: usize,
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sign, self.text)
    }
}

impl Plan {
    /// The changes, those that are alike in one line, in the order of the first of each.
    #[must_use]
    pub fn folded(&self) -> Vec<Folded> {
        let name = |index: IfIndex| {
            let known = self.interfaces.iter().find(|identity| identity.index == index);
            known.map_or_else(|| format!("if{index}"), |identity| identity.name.to_string())
        };
        // What is the same of all, before and after what differs.
        let mut groups: Vec<((Sign, String, String), Vec<String>)> = Vec::new();
        for change in &self.changes {
            let (sign, before, each, after) = parts(change, &name);
            let key = (sign, before, after);
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, all)) => all.push(each),
                None => groups.push((key, vec![each])),
            }
        }
        let line = |((sign, before, after), each): ((Sign, String, String), Vec<String>)| Folded {
            sign,
            text: format!("{before}{}{after}", folded(&each)),
            count: each.len(),
        };
        groups.into_iter().map(line).collect()
    }

    /// How many things come, change and go, and what that does; `assessment`: what [`Plan::assess`] said.
    #[must_use]
    pub fn sum(&self, before: &Snapshot, assessment: &Assessment) -> Sum {
        let count = |sign| self.changes.iter().filter(|change| Sign::from(*change) == sign).count();
        let stop =
            |after| overview(before, self.concerns_ipv6()).0.count(Outcome::Flux).saturating_sub(after);
        Sum {
            add: count(Sign::Add),
            change: count(Sign::Change),
            delete: count(Sign::Delete),
            stop_floating: assessment.floating.map(stop),
            announcements: self.announcements.len(),
            harm: assessment.harm.len(),
            unknown: assessment.unknown,
        }
    }
}

/// The sign, and the words before what differs, what differs, and the words after it.
fn parts(change: &Change, name: &dyn Fn(IfIndex) -> String) -> (Sign, String, String, String) {
    let values = || [change.before, change.after].map(|value| change.object.in_words(value)).join(" -> ");
    let (before, each, after) = match &change.object {
        Object::Sysctl { scope, sysctl } => {
            (format!("{sysctl} {} on ", values()), scope.to_string(), String::new())
        }
        Object::Ipv6Sysctl { scope, sysctl } => {
            (format!("IPv6 {sysctl} {} on ", values()), scope.to_string(), String::new())
        }
        Object::ProxyDelay { scope } => {
            (format!("proxy_delay {} on ", values()), scope.to_string(), String::new())
        }
        Object::Proxy { address, interface } => {
            let on = interface.map_or_else(|| "all interfaces".into(), name);
            ("proxy ".into(), address.to_string(), format!(" on {on}"))
        }
        Object::Rule(rule) => rule_parts(rule),
        Object::Route(route) => route_parts(route, name),
    };
    (change.into(), before, each, after)
}

/// Rules differ by their source, and where each source has a table of its own, by that.
fn rule_parts(rule: &Rule) -> (String, String, String) {
    let words = rule_in_words(rule);
    let (Some((priority, rest)), Some(_)) = (words.split_once(" from "), rule.source) else {
        return (String::new(), format!("rule {words}"), String::new());
    };
    let own = format!(" lookup {}", rule.table);
    let (each, rest) = match rest.split_once(&own) {
        Some((source, rest)) => (format!("{source}{own}"), rest.to_owned()),
        None => {
            let (source, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            (source.to_owned(), format!(" {rest}"))
        }
    };
    (format!("rule {priority} from "), each, rest)
}

/// Routes to one place differ by their interface and table.
fn route_parts(route: &Route, name: &dyn Fn(IfIndex) -> String) -> (String, String, String) {
    let ([hop], RouteKind::Unicast) = (route.next_hops.as_slice(), route.kind) else {
        return (String::new(), format!("route in {}", route_in_words(route, name)), String::new());
    };
    let to = match route.destination.prefix_len() {
        0 => "default".to_owned(),
        _ => route.destination.to_string(),
    };
    let via = hop.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
    let by = hop.interface.map_or_else(|| "nothing".into(), name);
    (format!("route {to}{via} by "), format!("{by} (table {})", route.table), String::new())
}

/// What a plan comes to. `Display`: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Entries, rules and routes that come.
    pub add: usize,
    /// Settings that get another value.
    pub change: usize,
    /// Entries, rules and routes that go.
    pub delete: usize,
    /// Addresses that have several MACs before and not afterwards; `None`: not worked out.
    pub stop_floating: Option<usize>,
    /// Addresses that are announced afterwards.
    pub announcements: usize,
    /// What would be lost.
    pub harm: usize,
    /// Addresses of which cannot be told who answers for them afterwards.
    pub unknown: usize,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { add, change, delete, .. } = self;
        let [add, change, delete] = [add, change, delete].map(|count| thousands(*count));
        write!(f, "{add} to add, {change} to change, {delete} to delete")?;
        if let Some(count) = self.stop_floating.filter(|count| *count > 0) {
            write!(f, "; {} floating", counted(count, "address stops", "addresses stop"))?;
        }
        if self.announcements > 0 {
            write!(f, "; {}", counted(self.announcements, "announcement", "announcements"))?;
        }
        match self.harm {
            0 if self.unknown > 0 => f.write_str("; harm: none that can be told"),
            0 => f.write_str("; harm: none"),
            count => write!(f, "; HARM: {}", counted(count, "loss", "losses")),
        }
    }
}

impl Impact {
    /// The effects that somebody may notice: what cannot be told before nor afterwards, and for senders that are
    /// no neighbours, is none.
    pub fn noticed(&self) -> impl Iterator<Item = &super::Effect> {
        self.effects.iter().filter(|effect| effect.neighbours || effect.turn != Turn::Unclear)
    }
}
