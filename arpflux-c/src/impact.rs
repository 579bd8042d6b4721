//! What a plan does to answers.

use std::ffi::{CString, c_char};
use std::net::IpAddr;
use std::ptr;

use arpflux_core::json;
use arpflux_core::plan::{Effect, Impact, Turn};

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle, Lent, of};
use crate::ip::arpflux_ip;
use crate::plan::{self, arpflux_plan};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Which requests are answered otherwise after a plan. It never changes; free it with `arpflux_impact_free`.
pub struct arpflux_impact {
    _private: [u8; 0],
}

/// Requests that fare otherwise afterwards, borrowed from an impact.
pub struct arpflux_effect {
    _private: [u8; 0],
}

/// How an answer changes.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_turn {
    /// Whether there is an answer cannot be told before or afterwards.
    Unclear = 0,
    /// There was an answer and there is none any more.
    Loses = 1,
    /// The answer has another MAC.
    Moves = 2,
    /// There was no answer and now there is one.
    Gains = 3,
}

struct Owned {
    impact: Impact,
    text: CString,
    effects: Vec<Record>,
}

impl Handle for Owned {
    type C = arpflux_impact;
    const NAME: &'static str = "arpflux_impact";
}

struct Record {
    effect: Effect,
    text: CString,
    interface: CString,
    before: Option<CString>,
    after: Option<CString>,
}

impl Lent for Record {
    type C = arpflux_effect;
}

impl Record {
    fn new(effect: &Effect) -> Self {
        let (before, after) = match &effect.turn {
            Turn::Loses { mac } => (Some(mac), None),
            Turn::Moves { from, to } => (Some(from), Some(to)),
            Turn::Gains { mac } => (None, Some(mac)),
            Turn::Unclear => (None, None),
        };
        let text = |mac: Option<&arpflux_core::types::Mac>| mac.map(|mac| string::c_string(&mac.to_string()));
        Self {
            text: string::c_string(&effect.to_string()),
            interface: string::c_name(&effect.interface),
            before: text(before),
            after: text(after),
            effect: effect.clone(),
        }
    }
}

/// What a plan does to answers on the host that `before` was taken from, for all senders and all targets. `policy` is the one the plan
/// was made for: effects on what it does not name come first.
///
/// Returns an impact to be freed with `arpflux_impact_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_impact(
    plan: *const arpflux_plan,
    before: *const arpflux_snapshot,
    policy: *const arpflux_policy,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_impact {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let plan = handle::get::<plan::Owned>(plan)?;
            let before = handle::get::<snapshot::Owned>(before)?;
            let policy = handle::get::<policy::Owned>(policy)?;
            let impact = plan.plan.impact(&before.snapshot, &policy.0)?;
            let text = string::c_string(&impact.to_string());
            let effects = impact.effects.iter().map(Record::new).collect();
            Ok(handle::give(Owned { impact, text, effects }))
        })
    }
}

/// How many effects there are; 0: no answer changes (or NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_count(impact: *const arpflux_impact) -> usize {
    getter(0, || Some(handle::find::<Owned>(impact)?.effects.len()))
}

/// How many effects are on addresses that the policy does not name; they come first. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_victim_count(impact: *const arpflux_impact) -> usize {
    getter(0, || Some(handle::find::<Owned>(impact)?.impact.victims().count()))
}

/// The effect at a place, from 0. Borrowed from the impact; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_at(
    impact: *const arpflux_impact,
    at: usize,
) -> *const arpflux_effect {
    handle::lend(impact, |owned: &Owned| &owned.effects, at)
}

/// All of it for people, several lines. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_text(impact: *const arpflux_impact) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(impact)?.text.as_ptr()))
}

/// How the answer changes; `ARPFLUX_TURN_UNCLEAR` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_turn(effect: *const arpflux_effect) -> arpflux_turn {
    of(effect, arpflux_turn::Unclear, |record: &Record| match record.effect.turn {
        Turn::Unclear => arpflux_turn::Unclear,
        Turn::Loses { .. } => arpflux_turn::Loses,
        Turn::Moves { .. } => arpflux_turn::Moves,
        Turn::Gains { .. } => arpflux_turn::Gains,
    })
}

/// The effect as one line. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_text(effect: *const arpflux_effect) -> *const c_char {
    of(effect, ptr::null(), |record: &Record| record.text.as_ptr())
}

/// The interface that is asked. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_interface(effect: *const arpflux_effect) -> *const c_char {
    of(effect, ptr::null(), |record: &Record| record.interface.as_ptr())
}

/// The MAC that answers before. Borrowed; NULL if there is no answer, or it cannot be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_mac_before(effect: *const arpflux_effect) -> *const c_char {
    of(effect, ptr::null(), |record: &Record| record.before.as_ref().map_or(ptr::null(), |mac| mac.as_ptr()))
}

/// The MAC that answers afterwards. Borrowed; NULL if there is no answer, or it cannot be told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_mac_after(effect: *const arpflux_effect) -> *const c_char {
    of(effect, ptr::null(), |record: &Record| record.after.as_ref().map_or(ptr::null(), |mac| mac.as_ptr()))
}

/// Whether the policy names the addresses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_is_named(effect: *const arpflux_effect) -> bool {
    of(effect, false, |record: &Record| record.effect.named)
}

/// Whether all neighbours of the interface are among those who ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_is_for_neighbours(effect: *const arpflux_effect) -> bool {
    of(effect, false, |record: &Record| record.effect.neighbours)
}

/// How many ranges of addresses asked for there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_target_count(effect: *const arpflux_effect) -> usize {
    of(effect, 0, |record: &Record| record.effect.targets.len())
}

/// The first address of the range at a place, from 0; of family 0 beyond the last. `*last`, where that is not NULL, gets the last one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_effect_target_at(
    effect: *const arpflux_effect,
    at: usize,
    last: *mut arpflux_ip,
) -> arpflux_ip {
    of(effect, arpflux_ip::NONE, |record: &Record| {
        let Some(range) = record.effect.targets.get(at) else { return arpflux_ip::NONE };
        if !last.is_null() {
            // SAFETY: the caller says that it may be written.
            unsafe { last.write(IpAddr::V4(range.last).into()) };
        }
        IpAddr::V4(range.first).into()
    })
}

/// The impact as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_to_json(
    impact: *const arpflux_impact,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(impact)?.impact)?))
        })
    }
}

/// Frees an impact, and with it all that was borrowed from it. NULL and impacts already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_free(impact: *mut arpflux_impact) {
    getter((), || {
        handle::free::<Owned>(impact);
        Some(())
    });
}
