//! A verdict with the steps that led to it.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::index::Model;
use super::request::Request;
use super::step::{Step, Written};
use super::verdict::Verdict;
use crate::filter::Protocol;
use crate::snapshot::Interference;

/// What the kernel does with a request, and why. `Display` gives one sentence a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The request.
    pub request: Request,
    /// What the kernel does.
    pub verdict: Verdict,
    /// How it comes to that. Where the verdict is undetermined: how it would come to one of the possible
    /// ends.
    pub steps: Vec<Step>,
}

impl Model<'_> {
    /// What the kernel does with a request of either family, and why. The verdict is that of [`Model::answer`].
    #[must_use]
    pub fn explain<R: Copy + Into<Request>>(&self, request: &R) -> Explanation {
        let request: Request = (*request).into();
        let mut steps = Vec::new();
        let verdict = match &request {
            Request::Arp(request) => self.decide(request, &mut steps),
            Request::Solicitation(solicitation) => self.decide(solicitation, &mut steps),
        };
        if let Verdict::Undetermined { missing } = verdict {
            let known: Vec<_> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::Unknown { missing, .. } => Some(*missing),
                    _ => None,
                })
                .collect();
            for missing in missing.iter().filter(|missing| !known.contains(missing)) {
                let detail = self.detail(missing, &request);
                steps.push(Step::Unknown { missing, detail });
            }
        }
        Explanation { request, verdict, steps }
    }

    /// Which chain, interface or file it is about.
    fn detail(&self, missing: super::Missing, request: &Request) -> String {
        use super::Missing;
        let snapshot = self.snapshot;
        let arp = matches!(request, Request::Arp(_));
        if matches!(missing, Missing::Netfilter | Missing::TrafficControl) {
            let open = snapshot.open_filters(Protocol::of(!arp), missing == Missing::TrafficControl);
            if !open.is_empty() {
                return crate::words::listed(&open);
            }
        }
        let named =
            snapshot.interference_of(!arp).iter().find_map(|interference| match (missing, interference) {
                (Missing::Netfilter, Interference::Netfilter { chain, .. }) => Some(chain.clone()),
                (Missing::NeighbourTable, Interference::FullNeighbourTable { entries, limit }) => {
                    Some(format!("{entries} of {limit}"))
                }
                (Missing::Unreadable, Interference::Unreadable { what, .. }) => Some(what.clone()),
                (Missing::TrafficControl, Interference::TrafficControl { interface, program })
                | (Missing::Xdp, Interference::Xdp { interface, program }) => {
                    let name = snapshot.name_of(*interface);
                    Some(program.as_ref().map_or(name.clone(), |program| format!("{program} on {name}")))
                }
                (Missing::Listener, Interference::Listener { interface: Some(interface) }) => {
                    Some(snapshot.name_of(*interface))
                }
                _ => None,
            });
        named.unwrap_or_else(|| match missing {
            Missing::KernelVersion => snapshot.kernel.release.clone(),
            _ => snapshot.name_of(request.interface()),
        })
    }
}

impl Serialize for Explanation {
    /// The verdict's fields, then `steps`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let serde_json::Value::Object(verdict) =
            serde_json::to_value(self.verdict).map_err(S::Error::custom)?
        else {
            return Err(S::Error::custom("a verdict is an object"));
        };
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &verdict {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("steps", &self.steps.iter().map(Written).collect::<Vec<_>>())?;
        map.end()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        match self.verdict {
            Verdict::Undetermined { .. } => writeln!(f, "So it cannot be told whether there is an answer."),
            _ => Ok(()),
        }
    }
}
