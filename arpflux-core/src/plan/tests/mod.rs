//! Plans for hosts that are not there.

mod answered;
pub(crate) mod host;
mod order;
mod plain;
mod random;
mod refused;
mod scenario;
mod tables;

pub(crate) use host::Host;

use super::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::types::IfIndex;

pub(crate) const OPENVZ_POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth3", "eth4"]
[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
[[proxy]]
owner = "102"
addresses = ["192.168.18.102"]
interface = "eth4"
"#;

pub(crate) fn policy(text: &str) -> Policy {
    let text = if text.contains("version") { text.to_owned() } else { format!("version = 1\n{text}") };
    Policy::from_toml(&text, "policy.toml").unwrap()
}

/// The plan, after checking what every plan must keep.
pub(crate) fn plan(host: &Host, text: &str) -> Plan {
    checked(&host.0, &policy(text))
}

pub(crate) fn checked(before: &Snapshot, policy: &Policy) -> Plan {
    let plan = policy.plan(before).unwrap();
    let after = before.with(&plan.changes);
    let again = policy.plan(&after).unwrap();
    assert!(again.is_empty(), "a second plan changes {:#?}\nafter {:#?}", again.changes, plan.changes);
    assert!(again.announcements.is_empty());
    let restored = after.with(&plan.inverse().changes);
    assert_eq!(host::comparable(&restored), host::comparable(before), "the inverse of {:#?}", plan.changes);
    assert_eq!(plan.inverse().inverse().changes, plan.changes);
    assert_eq!(plan.in_order().changes, plan.changes);
    assert_eq!(plan.inverse().in_order().changes, plan.inverse().changes);
    for index in plan.changes.iter().filter_map(super::Change::interface) {
        assert!(plan.interfaces.iter().any(|identity| identity.index == index), "{index} is not identified");
    }
    plan
}

pub(crate) fn refusal(host: &Host, text: &str) -> crate::Error {
    policy(text).plan(&host.0).expect_err(text)
}

/// The first thing that the policy wants and cannot have, while the rest of it is planned.
pub(crate) fn unmet(host: &Host, text: &str) -> crate::Error {
    let (plan, desired) = policy(text).plan_and_desired(&host.0).expect(text);
    let error = desired.unmet.first().unwrap_or_else(|| panic!("{text}: all is met")).clone();
    assert!(!plan.is_empty(), "{text}: the rest is planned");
    assert!(plan.decisions.iter().any(|why| why.contains(error.message())), "{:?}", plan.decisions);
    error
}

pub(crate) fn index(number: u32) -> IfIndex {
    IfIndex(number)
}
