//! Names of all enumerators, for logs: as the JSON has them.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::LazyLock;

use arpflux_core::ErrorKind;

use crate::string;

/// The name of a number; `unknown` for one that this version does not know.
fn name(names: &[&'static CStr], value: u32) -> *const c_char {
    usize::try_from(value).ok().and_then(|at| names.get(at)).unwrap_or(&c"unknown").as_ptr()
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
    name(&[c"unknown", c"start", c"sysctl", c"event", c"proxies", c"poll", c"policy", c"lost"], cause)
}

/// The name of an `ARPFLUX_JUDGED_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_judged_name(judged: u32) -> *const c_char {
    name(&[c"undetermined", c"good", c"bad"], judged)
}

/// The name of an `ARPFLUX_JUDGEMENT_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_judgement_name(judgement: u32) -> *const c_char {
    name(&[c"unknown", c"silent", c"one", c"flux", c"proxied", c"several"], judgement)
}

/// The name of an `ARPFLUX_MAKER_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_maker_name(maker: u32) -> *const c_char {
    name(&[c"unknown", c"person", c"watch", c"vz"], maker)
}

/// The name of an `ARPFLUX_OUTCOME_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_outcome_name(outcome: u32) -> *const c_char {
    name(&[c"unknown", c"unchanged", c"applied", c"pending", c"undone"], outcome)
}

/// The name of an `ARPFLUX_PROOF_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_proof_name(proof: u32) -> *const c_char {
    name(&[c"undetermined", c"proved", c"refuted"], proof)
}

/// The name of an `ARPFLUX_REMEDY_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_remedy_name(remedy: u32) -> *const c_char {
    name(&[c"unknown", c"reported", c"healed", c"failed", c"impossible", c"possible", c"over"], remedy)
}

/// The name of an `ARPFLUX_SUBJECT_...`.
#[unsafe(no_mangle)]
pub extern "C" fn arpflux_subject_name(subject: u32) -> *const c_char {
    name(&[c"unknown", c"sysctl", c"ipv6_sysctl", c"proxy_delay", c"proxy", c"rule", c"route"], subject)
}

#[cfg(test)]
mod tests {
    use arpflux_core::apply::{Maker, Outcome};
    use arpflux_core::json;
    use arpflux_core::watch::Cause;

    use super::*;

    fn text(name: *const c_char) -> &'static str {
        // SAFETY: all names are static and end in NUL.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap()
    }

    #[test]
    fn names_are_those_of_the_json() {
        let same = |name, json: arpflux_core::Result<String>| {
            assert_eq!(format!("\"{}\"", text(name)), json.unwrap());
        };
        let causes = [
            Cause::Start,
            Cause::Sysctl,
            Cause::Event,
            Cause::Proxies,
            Cause::Poll,
            Cause::Policy,
            Cause::Lost,
        ];
        for (value, cause) in (1..).zip(causes) {
            same(arpflux_cause_name(value), json::line(&cause));
        }
        for outcome in [Outcome::Unchanged, Outcome::Applied, Outcome::Pending, Outcome::Undone] {
            let value = crate::apply::arpflux_outcome::from(outcome) as u32;
            same(arpflux_outcome_name(value), json::line(&outcome));
        }
        for (value, maker) in (1..).zip([Maker::Person, Maker::Watch, Maker::Vz]) {
            same(arpflux_maker_name(value), json::line(&maker));
        }
        for kind in ErrorKind::ALL {
            assert_eq!(text(arpflux_code_name(kind.code())), kind.name());
        }
        assert_eq!((text(arpflux_code_name(0)), text(arpflux_code_name(9999))), ("ok", "unknown"));
        assert_eq!((text(arpflux_cause_name(8)), text(arpflux_cause_name(u32::MAX))), ("unknown", "unknown"));
        assert_eq!(text(arpflux_remedy_name(crate::watch::arpflux_remedy::Over as u32)), "over");
        assert_eq!(text(arpflux_subject_name(crate::change::arpflux_subject::Route as u32)), "route");
    }
}
