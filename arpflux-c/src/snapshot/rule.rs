//! Policy routing rules of a snapshot.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::snapshot::{Rule, RuleAction, RuleFlags};
use arpflux_core::types::IpNet;

use super::{Owned, arpflux_snapshot};
use crate::boundary::getter;
use crate::handle::{self, Lent, of};
use crate::ip::arpflux_ip;
use crate::string;

/// A policy routing rule (`ip rule`), borrowed from a snapshot or a change.
pub struct arpflux_rule {
    _private: [u8; 0],
}

/// A rule with its texts.
pub(crate) struct Record {
    rule: Rule,
    iif: Option<CString>,
    oif: Option<CString>,
}

impl Lent for Record {
    type C = arpflux_rule;
}

impl Record {
    pub(crate) fn new(rule: &Rule) -> Self {
        Self {
            iif: rule.iif.as_ref().map(string::c_name),
            oif: rule.oif.as_ref().map(string::c_name),
            rule: rule.clone(),
        }
    }
}

/// What a rule does with what it matches (`FR_ACT_*`).
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_fr_act {
    /// Any other, or no rule.
    Other = 0,
    /// Looks into the rule's table.
    Table = 1,
    /// Goes on at another rule.
    Goto = 2,
    /// Nothing.
    Nop = 3,
    /// Drops silently.
    Blackhole = 4,
    /// Drops and says "unreachable".
    Unreachable = 5,
    /// Drops and says "prohibited".
    Prohibit = 6,
}

/// How many policy routing rules of both families there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_rule_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.rules.len()))
}

/// The rule at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_rule_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const arpflux_rule {
    handle::lend(snapshot, |owned: &Owned| &owned.rules, at)
}

/// What it does; `ARPFLUX_FR_ACT_OTHER` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_action(rule: *const arpflux_rule) -> arpflux_fr_act {
    of(rule, arpflux_fr_act::Other, |record: &Record| match record.rule.action {
        RuleAction::Table => arpflux_fr_act::Table,
        RuleAction::Goto => arpflux_fr_act::Goto,
        RuleAction::Nop => arpflux_fr_act::Nop,
        RuleAction::Blackhole => arpflux_fr_act::Blackhole,
        RuleAction::Unreachable => arpflux_fr_act::Unreachable,
        RuleAction::Prohibit => arpflux_fr_act::Prohibit,
        _ => arpflux_fr_act::Other,
    })
}

/// Rules are tried in the order of this number, 0 first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_priority(rule: *const arpflux_rule) -> u32 {
    of(rule, 0, |record: &Record| record.rule.priority)
}

/// The table it looks into (254 main, 255 local).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_table(rule: *const arpflux_rule) -> u32 {
    of(rule, 0, |record: &Record| record.rule.table)
}

/// Whether it is an IPv6 rule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_is_ipv6(rule: *const arpflux_rule) -> bool {
    of(rule, false, |record: &Record| record.rule.ipv6)
}

/// Whether it matches what its selectors do not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_is_inverted(rule: *const arpflux_rule) -> bool {
    of(rule, false, |record: &Record| record.rule.flags.contains(RuleFlags::INVERT))
}

fn prefix(
    rule: *const arpflux_rule,
    length: *mut u8,
    which: impl FnOnce(&'static Rule) -> Option<&'static IpNet>,
) -> arpflux_ip {
    let Some(net) = of(rule, None, |record: &'static Record| which(&record.rule)) else {
        return arpflux_ip::NONE;
    };
    if !length.is_null() {
        // SAFETY: the caller of the function that calls this says that it may be written.
        unsafe { length.write(net.prefix_len()) };
    }
    net.addr().into()
}

/// The sources it matches: the prefix's address, and `*length` where that is not NULL. Of family 0, and nothing written, if
/// it matches all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_source(rule: *const arpflux_rule, length: *mut u8) -> arpflux_ip {
    prefix(rule, length, |rule| rule.source.as_ref())
}

/// The destinations it matches: the prefix's address, and `*length` where that is not NULL. Of family 0, and nothing
/// written, if it matches all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_destination(rule: *const arpflux_rule, length: *mut u8) -> arpflux_ip {
    prefix(rule, length, |rule| rule.destination.as_ref())
}

/// The input interface it matches; `"lo"` matches the host's own packets. Borrowed; NULL if it matches all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_iif(rule: *const arpflux_rule) -> *const c_char {
    of(rule, ptr::null(), |record: &Record| record.iif.as_ref().map_or(ptr::null(), |name| name.as_ptr()))
}

/// The output interface it matches, of bound sockets. Borrowed; NULL if it matches all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_oif(rule: *const arpflux_rule) -> *const c_char {
    of(rule, ptr::null(), |record: &Record| record.oif.as_ref().map_or(ptr::null(), |name| name.as_ptr()))
}

/// The mark it matches, under the bits of `arpflux_rule_fwmask`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_fwmark(rule: *const arpflux_rule) -> u32 {
    of(rule, 0, |record: &Record| record.rule.fwmark)
}

/// Which bits of the mark count; 0: the mark does not matter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_fwmask(rule: *const arpflux_rule) -> u32 {
    of(rule, 0, |record: &Record| record.rule.fwmask)
}

/// Routes of prefixes this long or shorter do not count (`suppress_prefixlength`), from 0 up; -1: all routes count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_suppress_prefix_len(rule: *const arpflux_rule) -> i32 {
    of(rule, -1, |record: &Record| {
        record.rule.suppress_prefix_len.and_then(|length| i32::try_from(length).ok()).unwrap_or(-1)
    })
}

/// Who made it (`RTPROT_*`); arpflux's own have 175.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_rule_protocol(rule: *const arpflux_rule) -> u8 {
    of(rule, 0, |record: &Record| record.rule.protocol)
}
