//! The names that the core has, for the test that compares the package's enums with them.

use arpflux_capture::{Certainty, Class, Format, Redundancy};
use arpflux_core::apply::Outcome;
use arpflux_core::diagnose::{FindingId, Severity};
use arpflux_core::persist::{FileState, Manager};
use arpflux_core::predict::{Missing, Reason, Via};
use arpflux_core::snapshot::{Certainty as WireCertainty, Interference, RouteKind, RuleAction, ValueSource};
use arpflux_core::state::Object;
use arpflux_core::verify::CheckKind;
use arpflux_core::watch::Cause;
use arpflux_core::wire::detect::Claim;
use arpflux_core::wire::probe::Judgement;
use arpflux_core::{Error, ErrorKind, segment, watch};
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The names of an enum that serde reads, out of what it says of a name that is none.
fn read<T: DeserializeOwned>(wrong: &Value) -> Vec<String> {
    let said = serde_json::from_value::<T>(wrong.clone()).err().map(|error| error.to_string());
    let said = said.unwrap_or_default();
    let expected = said.split_once("expected ").map_or("", |(_, expected)| expected);
    // `a`, `b`: every second piece.
    let names = expected.split('`').skip(1).step_by(2);
    // What the kernel has and the core has no name for goes by its number.
    names.filter(|name| *name != "other").map(str::to_owned).collect()
}

/// What serde writes, or the tag of what it writes.
fn written(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(fields)) => fields.get("outcome").map_or_else(String::new, written),
        other => format!("{other:?}"),
    }
}

/// The names of an enum, all of whose members are listed: one that is missing fails to compile.
macro_rules! listed {
    ($enum:ty { $($member:ident),* }, $name:expr) => {{
        let _complete = |one: $enum| match one {
            $(<$enum>::$member => {})*
        };
        vec![$($name(&<$enum>::$member)),*]
    }};
}

/// By enum: every name that the core knows.
#[pyfunction]
pub fn _names() -> Vec<(&'static str, Vec<String>)> {
    let none = json!("?");
    let error = || Error::new(ErrorKind::Internal, "");
    let outcomes = [
        watch::Outcome::Reported,
        watch::Outcome::Healed,
        watch::Outcome::Failed { error: error() },
        watch::Outcome::Impossible { error: error() },
        watch::Outcome::Possible,
    ];
    let _complete = |one: watch::Outcome| match one {
        watch::Outcome::Reported | watch::Outcome::Healed | watch::Outcome::Possible => {}
        watch::Outcome::Failed { .. } | watch::Outcome::Impossible { .. } => {}
    };
    vec![
        ("AddressClass", read::<Class>(&none)),
        ("CaptureFormat", Format::ALL.iter().map(|format| format.name().to_owned()).collect()),
        ("Cause", listed!(Cause { Start, Sysctl, Event, Proxies, Poll, Policy, Lost }, written)),
        ("Certainty", listed!(Certainty { Proved, Likely, Suspected }, written)),
        ("ChangeKind", Object::KINDS.iter().map(|kind| (*kind).to_owned()).collect()),
        ("CheckKind", read::<CheckKind>(&none)),
        ("Claim", listed!(Claim { Probing, Proxies, Holds }, written)),
        ("DriftOutcome", outcomes.iter().map(written).collect()),
        ("ErrorKind", ErrorKind::ALL.iter().map(|kind| kind.name().to_owned()).collect()),
        ("FileKind", read::<FileState>(&json!({"is": "?"}))),
        ("FindingId", FindingId::ALL.iter().map(ToString::to_string).collect()),
        ("InterferenceKind", read::<Interference>(&json!({"kind": "?"}))),
        (
            "Judgement",
            listed!(Judgement { Silent, One, Flux, Proxied, Several }, |one: &Judgement| one
                .name()
                .to_owned()),
        ),
        ("Manager", Manager::ALL.iter().map(|manager| manager.name().to_owned()).collect()),
        ("Missing", Missing::ALL.iter().map(|missing| missing.code().to_owned()).collect()),
        ("Outcome", read::<Outcome>(&none)),
        ("Reason", Reason::ALL.iter().map(|reason| reason.code().to_owned()).collect()),
        ("Redundancy", read::<Redundancy>(&none)),
        ("RouteKind", read::<RouteKind>(&none)),
        ("RuleAction", read::<RuleAction>(&none)),
        (
            "SegmentOutcome",
            listed!(segment::Outcome { Duplicate, Flux, Undetermined, Single, Nobody }, written),
        ),
        ("Severity", Severity::ALL.iter().map(|severity| severity.name().to_owned()).collect()),
        ("ValueSource", listed!(ValueSource { All, Interface, Both, Absent }, written)),
        ("Via", listed!(Via { Local, ProxyEntry, ProxyArp, ProxyPvlan }, written)),
        ("WireCertainty", listed!(WireCertainty { Unknown, Likely, Known }, written)),
    ]
}
