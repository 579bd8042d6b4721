//! Names of all enumerators, for logs: as the JSON has them.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::LazyLock;

use arpflux_core::ErrorKind;
use arpflux_core::apply::{Maker, Outcome};
use arpflux_core::state::Object;
use arpflux_core::watch::Cause;
use arpflux_core::wire::probe::Judgement;
use serde::Serialize;

use crate::string;

/// The name of a number; `unknown` for one that this version does not know.
fn name(names: &[&'static CStr], value: u32) -> *const c_char {
    usize::try_from(value).ok().and_then(|at| names.get(at)).unwrap_or(&c"unknown").as_ptr()
}

/// The names that the core has for the values behind 1, 2, 3 and so on.
type Names = LazyLock<Vec<CString>>;

/// The names of values, as the core writes them in JSON.
fn names<T: Serialize>(values: &[T]) -> Vec<CString> {
    let name = |value| arpflux_core::json::line(value).unwrap_or_default();
    values.iter().map(|value| string::c_string(name(value).trim_matches('"'))).collect()
}

fn core_name(names: &'static Names, value: u32) -> *const c_char {
    let at = usize::try_from(value).ok().and_then(|value| value.checked_sub(1));
    at.and_then(|at| names.get(at)).map_or(c"unknown", CString::as_c_str).as_ptr()
}

static CODES: LazyLock<BTreeMap<u32, CString>> = LazyLock::new(|| {
    ErrorKind::ALL.iter().map(|kind| (kind.code(), string::c_string(kind.name()))).collect()
});

/// The name of an `ARPFLUX_CODE_...`, such as `"not_found"`; `"unknown"` for any other number. Static, as all names are.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_code_name(code: u32) -> *const c_char {
    match (code, CODES.get(&code)) {
        (0, _) => c"ok".as_ptr(),
        (_, Some(name)) => name.as_ptr(),
        (_, None) => c"unknown".as_ptr(),
    }
}

/// The name of an `ARPFLUX_ANSWER_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_answer_name(answer: u32) -> *const c_char {
    name(&[c"undetermined", c"answers", c"silent"], answer)
}

/// The name of an `ARPFLUX_CAUSE_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_cause_name(cause: u32) -> *const c_char {
    static CAUSES: Names = LazyLock::new(|| {
        names(&[
            Cause::Start,
            Cause::Sysctl,
            Cause::Event,
            Cause::Proxies,
            Cause::Poll,
            Cause::Policy,
            Cause::Lost,
            Cause::Asked,
        ])
    });
    core_name(&CAUSES, cause)
}

/// The name of an `ARPFLUX_CLAIM_KIND_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_claim_kind_name(kind: u32) -> *const c_char {
    name(&[c"unknown", c"exactly_one", c"nothing_but", c"answers", c"never", c"leaves_by"], kind)
}

/// The name of an `ARPFLUX_JUDGED_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_judged_name(judged: u32) -> *const c_char {
    name(&[c"undetermined", c"good", c"bad"], judged)
}

/// The name of an `ARPFLUX_JUDGEMENT_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_judgement_name(judgement: u32) -> *const c_char {
    static JUDGEMENTS: Names = LazyLock::new(|| {
        names(&[Judgement::Silent, Judgement::One, Judgement::Flux, Judgement::Proxied, Judgement::Several])
    });
    core_name(&JUDGEMENTS, judgement)
}

/// The name of an `ARPFLUX_MAKER_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_maker_name(maker: u32) -> *const c_char {
    static MAKERS: Names = LazyLock::new(|| names(&[Maker::Person, Maker::Watch, Maker::Vz]));
    core_name(&MAKERS, maker)
}

/// The name of an `ARPFLUX_OUTCOME_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_outcome_name(outcome: u32) -> *const c_char {
    static OUTCOMES: Names =
        LazyLock::new(|| names(&[Outcome::Unchanged, Outcome::Applied, Outcome::Pending, Outcome::Undone]));
    core_name(&OUTCOMES, outcome)
}

/// The name of an `ARPFLUX_PROOF_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_proof_name(proof: u32) -> *const c_char {
    name(&[c"undetermined", c"proved", c"refuted"], proof)
}

/// The name of an `ARPFLUX_REMEDY_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_remedy_name(remedy: u32) -> *const c_char {
    let names = &[
        c"unknown",
        c"reported",
        c"healed",
        c"failed",
        c"impossible",
        c"possible",
        c"recovered",
        c"contested",
        c"waiting",
        c"unrecorded",
        c"misanswered",
        c"undetermined",
        c"ended",
    ];
    name(names, remedy)
}

/// The name of an `ARPFLUX_SUBJECT_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_subject_name(subject: u32) -> *const c_char {
    static SUBJECTS: Names =
        LazyLock::new(|| Object::KINDS.iter().map(|kind| string::c_string(kind)).collect());
    core_name(&SUBJECTS, subject)
}

/// The name of an `ARPFLUX_WIRE_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_wire_name(wire: u32) -> *const c_char {
    name(&[c"none", c"own", c"peer"], wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: *const c_char) -> &'static str {
        // SAFETY: all names are static and end in NUL.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap()
    }

    /// That each number has the name of the value that the library gives it for.
    #[test]
    fn each_number_has_its_name() {
        use crate::apply::{arpflux_maker as maker, arpflux_outcome as outcome};
        use crate::change::arpflux_subject as subject;
        use crate::probe::arpflux_judgement as judgement;
        use crate::watch::arpflux_cause as cause;
        for (name, expected) in [
            (arpflux_cause_name(cause::Start as u32), "start"),
            (arpflux_cause_name(cause::Policy as u32), "policy"),
            (arpflux_cause_name(cause::Lost as u32), "lost"),
            (arpflux_outcome_name(outcome::Unchanged as u32), "unchanged"),
            (arpflux_outcome_name(outcome::Undone as u32), "undone"),
            (arpflux_maker_name(maker::Person as u32), "person"),
            (arpflux_maker_name(maker::Containers as u32), "vz"),
            (arpflux_judgement_name(judgement::Silent as u32), "silent"),
            (arpflux_judgement_name(judgement::Several as u32), "several"),
            (arpflux_subject_name(subject::Sysctl as u32), "sysctl"),
            (arpflux_subject_name(subject::Route as u32), "route"),
            (arpflux_remedy_name(crate::watch::arpflux_remedy::Recovered as u32), "recovered"),
            (arpflux_claim_kind_name(crate::proof::arpflux_claim_kind::LeavesBy as u32), "leaves_by"),
            (arpflux_claim_kind_name(6), "unknown"),
            (arpflux_wire_name(crate::verify::arpflux_wire::Peer as u32), "peer"),
            (arpflux_cause_name(0), "unknown"),
            (arpflux_cause_name(cause::Asked as u32), "asked"),
            (arpflux_cause_name(9), "unknown"),
            (arpflux_cause_name(u32::MAX), "unknown"),
            (arpflux_code_name(0), "ok"),
            (arpflux_code_name(9999), "unknown"),
        ] {
            assert_eq!(text(name), expected);
        }
        for kind in ErrorKind::ALL {
            assert_eq!(text(arpflux_code_name(kind.code())), kind.name());
            assert_eq!(crate::code::arpflux_code::from(*kind) as u32, kind.code(), "{kind:?}");
        }
    }
}
