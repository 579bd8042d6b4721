//! One typed change of the kernel's state, and its inverse.

use serde::{Deserialize, Serialize};

use crate::snapshot::{ProxyEntry, Route, Rule, Snapshot};
use crate::state::{self, Object, State, SysctlScope, Value};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

/// Whether an entry comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// It is not there and shall be.
    Add,
    /// It is there and shall not be.
    Remove,
}

impl Edit {
    /// The other one.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Add => Self::Remove,
            Self::Remove => Self::Add,
        }
    }
}

/// One change. Each carries what was there before, so that [`Change::inverse`] is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", try_from = "super::read::Fields")]
#[non_exhaustive]
pub enum Change {
    /// A sysctl below `net.ipv4.conf` gets another value.
    Sysctl {
        /// The folder.
        scope: SysctlScope,
        /// The sysctl.
        sysctl: Sysctl,
        /// Its value now.
        before: i32,
        /// Its value afterwards.
        after: i32,
    },
    /// A sysctl below `net.ipv6.conf` gets another value.
    Ipv6Sysctl {
        /// The folder.
        scope: SysctlScope,
        /// The sysctl.
        sysctl: Ipv6Sysctl,
        /// Its value now.
        before: i32,
        /// Its value afterwards.
        after: i32,
    },
    /// `net.ipv4.neigh.INTERFACE.proxy_delay` gets another value.
    ProxyDelay {
        /// The folder; never `all`, which does not exist.
        scope: SysctlScope,
        /// Its value now, in ms.
        before: u64,
        /// Its value afterwards, in ms.
        after: u64,
    },
    /// A proxy entry comes or goes.
    Proxy {
        /// Whether it comes or goes.
        edit: Edit,
        /// The entry.
        entry: ProxyEntry,
    },
    /// A policy routing rule comes or goes.
    Rule {
        /// Whether it comes or goes.
        edit: Edit,
        /// The rule; boxed, as rules are rare and large beside proxy entries.
        rule: Box<Rule>,
    },
    /// A route comes or goes.
    Route {
        /// Whether it comes or goes.
        edit: Edit,
        /// The route; boxed like a rule.
        route: Box<Route>,
    },
}

impl Change {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Self::Sysctl { scope, sysctl, before, after } => {
                Self::Sysctl { scope, sysctl, before: after, after: before }
            }
            Self::Ipv6Sysctl { scope, sysctl, before, after } => {
                Self::Ipv6Sysctl { scope, sysctl, before: after, after: before }
            }
            Self::ProxyDelay { scope, before, after } => {
                Self::ProxyDelay { scope, before: after, after: before }
            }
            Self::Proxy { edit, entry } => Self::Proxy { edit: edit.inverse(), entry },
            Self::Rule { edit, rule } => Self::Rule { edit: edit.inverse(), rule },
            Self::Route { edit, route } => Self::Route { edit: edit.inverse(), route },
        }
    }

    /// The interface that the change is about, if it is one.
    #[must_use]
    pub fn interface(&self) -> Option<IfIndex> {
        self.object().interface()
    }

    /// What the change is about.
    #[must_use]
    pub fn object(&self) -> Object {
        match self {
            Self::Sysctl { scope, sysctl, .. } => Object::Sysctl { scope: *scope, sysctl: *sysctl },
            Self::Ipv6Sysctl { scope, sysctl, .. } => Object::Ipv6Sysctl { scope: *scope, sysctl: *sysctl },
            Self::ProxyDelay { scope, .. } => Object::ProxyDelay { scope: *scope },
            Self::Proxy { entry, .. } => Object::Proxy { address: entry.address, interface: entry.interface },
            Self::Rule { rule, .. } => Object::Rule(rule.clone()),
            Self::Route { route, .. } => Object::Route(route.clone()),
        }
    }

    /// The changes that make `step` of an object; none if there is no way from its one value to the other.
    #[cfg_attr(not(feature = "kernel"), expect(dead_code, reason = "transactions alone call it"))]
    pub(crate) fn making(step: &state::Change) -> Vec<Self> {
        let (before, after) = (step.before, step.after);
        let number = |value| i32::try_from(value).ok();
        let (gone, come) = (before.is_there().then_some(Edit::Remove), after.is_there().then_some(Edit::Add));
        let edits = gone.into_iter().chain(come);
        match (&step.object, before, after) {
            (Object::Sysctl { scope, sysctl }, Value::Number(before), Value::Number(after)) => {
                let values = number(before).zip(number(after)).into_iter();
                let (scope, sysctl) = (*scope, *sysctl);
                values.map(|(before, after)| Self::Sysctl { scope, sysctl, before, after }).collect()
            }
            (Object::Ipv6Sysctl { scope, sysctl }, Value::Number(before), Value::Number(after)) => {
                let values = number(before).zip(number(after)).into_iter();
                let (scope, sysctl) = (*scope, *sysctl);
                values.map(|(before, after)| Self::Ipv6Sysctl { scope, sysctl, before, after }).collect()
            }
            (Object::ProxyDelay { scope }, Value::Number(before), Value::Number(after)) => {
                let (before, after) = (before.unsigned_abs(), after.unsigned_abs());
                vec![Self::ProxyDelay { scope: *scope, before, after }]
            }
            (Object::Proxy { address, interface }, _, _) => {
                let entry = |value| match value {
                    Value::Entry { flags, protocol } => {
                        Some(ProxyEntry { address: *address, interface: *interface, flags, protocol })
                    }
                    Value::Number(_) | Value::Present | Value::Absent | Value::Unknown | Value::Gone => None,
                };
                let gone = entry(before).map(|entry| Self::Proxy { edit: Edit::Remove, entry });
                let come = entry(after).map(|entry| Self::Proxy { edit: Edit::Add, entry });
                gone.into_iter().chain(come).collect()
            }
            (Object::Rule(rule), _, _) => edits.map(|edit| Self::Rule { edit, rule: rule.clone() }).collect(),
            (Object::Route(route), _, _) => {
                edits.map(|edit| Self::Route { edit, route: route.clone() }).collect()
            }
            (Object::Sysctl { .. } | Object::Ipv6Sysctl { .. } | Object::ProxyDelay { .. }, _, _) => {
                Vec::new()
            }
        }
    }
}

impl From<&Change> for state::Change {
    fn from(change: &Change) -> Self {
        let edited = |edit: Edit, there: Value| match edit {
            Edit::Add => (Value::Absent, there),
            Edit::Remove => (there, Value::Absent),
        };
        let delay = |value: u64| Value::Number(state::in_steps(value).unwrap_or(i64::MAX));
        let (before, after) = match change {
            Change::Sysctl { before, after, .. } | Change::Ipv6Sysctl { before, after, .. } => {
                (Value::Number((*before).into()), Value::Number((*after).into()))
            }
            Change::ProxyDelay { before, after, .. } => (delay(*before), delay(*after)),
            Change::Proxy { edit, entry } => {
                edited(*edit, Value::Entry { flags: entry.flags, protocol: entry.protocol })
            }
            Change::Rule { edit, .. } | Change::Route { edit, .. } => edited(*edit, Value::Present),
        };
        Self { object: change.object(), before, after }
    }
}

impl Snapshot {
    /// The state after `changes`, made in order, as [`State`] tells.
    #[must_use]
    pub fn with(&self, changes: &[Change]) -> Snapshot {
        State::of(self).with(changes.iter().map(Into::into)).into_snapshot()
    }

    /// Makes `changes` in order. See [`Snapshot::with`].
    pub fn change_all(&mut self, changes: &[Change]) {
        let state = State::from(std::mem::take(self));
        *self = state.with(changes.iter().map(Into::into)).into_snapshot();
    }

    /// Makes one change. See [`Snapshot::with`].
    pub fn change(&mut self, change: &Change) {
        self.change_all(std::slice::from_ref(change));
    }
}
