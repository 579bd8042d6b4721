//! One step of one object.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use super::{Object, SysctlScope, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::{ProxyEntry, Route, Rule};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

/// What takes an object from one value to another.
///
/// ```
/// use arpflux_core::state::{Change, Object, SysctlScope, Value};
/// use arpflux_core::Sysctl;
///
/// let object = Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::ArpIgnore };
/// let change = Change::set(object.clone(), 0, 1);
/// assert_eq!(change.inverse(), Change { object, before: Value::Number(1), after: Value::Number(0) });
/// assert_eq!(change.to_string(), "set net.ipv4.conf.all.arp_ignore: 0 -> 1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// The object.
    pub object: Object,
    /// What it is before.
    pub before: Value,
    /// What it is afterwards.
    pub after: Value,
}

impl Change {
    /// A sysctl gets another value.
    #[must_use]
    pub fn set(object: Object, before: impl Into<i64>, after: impl Into<i64>) -> Self {
        Self { object, before: Value::Number(before.into()), after: Value::Number(after.into()) }
    }

    /// A proxy entry, rule or route comes.
    #[must_use]
    pub fn add(thing: impl Into<(Object, Value)>) -> Self {
        let (object, after) = thing.into();
        Self { object, before: Value::Absent, after }
    }

    /// A proxy entry, rule or route goes.
    #[must_use]
    pub fn remove(thing: impl Into<(Object, Value)>) -> Self {
        Self::add(thing).inverse()
    }

    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { object: self.object.clone(), before: self.after, after: self.before }
    }

    /// The interface that the change is about, if it is one.
    #[must_use]
    pub fn interface(&self) -> Option<IfIndex> {
        self.object.interface()
    }

    /// The proxy entry that comes or goes, if it is about one.
    #[must_use]
    pub fn entry(&self) -> Option<ProxyEntry> {
        let Object::Proxy { address, interface } = self.object else { return None };
        [self.after, self.before].iter().find_map(|value| match *value {
            Value::Entry { flags, protocol } => Some(ProxyEntry { address, interface, flags, protocol }),
            Value::Number(_) | Value::Present | Value::Absent | Value::Unknown | Value::Gone => None,
        })
    }

    /// Whether the object can have both values.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] with the value that it cannot have.
    pub fn check(&self) -> Result<()> {
        match [self.before, self.after].into_iter().find(|value| !self.object.can_be(*value)) {
            None => Ok(()),
            Some(value) => Err(Error::new(ErrorKind::InvalidData, format!("it cannot be {value}"))
                .on(self.object.to_string())),
        }
    }

    /// The same in steps that the kernel can take: it does not replace all of an entry. None if the object cannot have
    /// one of the values.
    #[cfg_attr(not(feature = "kernel"), expect(dead_code, reason = "transactions alone call it"))]
    pub(crate) fn steps(self) -> Vec<Self> {
        if self.check().is_err() {
            return Vec::new();
        }
        match self.before.is_there() && self.after.is_there() {
            true => {
                let go = Self { after: Value::Absent, ..self.clone() };
                vec![go, Self { before: Value::Absent, ..self }]
            }
            false => vec![self],
        }
    }
}

/// What leads from the entries, rules or routes that are there to others: those that come before those that go, as
/// silence is worse than a wrong answer for a moment longer.
#[cfg(feature = "kernel")]
pub(crate) fn between<T: Clone + Into<(Object, Value)>>(before: &[T], after: &[T]) -> Vec<Change> {
    let objects =
        |list: &[T]| -> foldhash::HashSet<Object> { list.iter().map(|one| one.clone().into().0).collect() };
    let missing_in = |there: foldhash::HashSet<Object>| {
        move |one: &&T| {
            let (object, _) = (*one).clone().into();
            !there.contains(&object)
        }
    };
    let come = after.iter().filter(missing_in(objects(before))).cloned().map(Change::add);
    let go = before.iter().filter(missing_in(objects(after))).cloned().map(Change::remove);
    come.chain(go).collect()
}

impl From<ProxyEntry> for (Object, Value) {
    fn from(ProxyEntry { address, interface, flags, protocol }: ProxyEntry) -> Self {
        (Object::Proxy { address, interface }, Value::Entry { flags, protocol })
    }
}

impl From<Rule> for (Object, Value) {
    fn from(rule: Rule) -> Self {
        (Object::Rule(Box::new(rule)), Value::Present)
    }
}

impl From<Route> for (Object, Value) {
    fn from(route: Route) -> Self {
        (Object::Route(Box::new(route)), Value::Present)
    }
}

/// What is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    object: Object,
    before: Value,
    after: Value,
}

/// What versions before 0.1 wrote into plans, journals and receipts.
#[derive(Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
enum Former {
    Sysctl { scope: SysctlScope, sysctl: Sysctl, before: i32, after: i32 },
    Ipv6Sysctl { scope: SysctlScope, sysctl: Ipv6Sysctl, before: i32, after: i32 },
    ProxyDelay { scope: SysctlScope, before: u64, after: u64 },
    Proxy { edit: Edit, entry: ProxyEntry },
    Rule { edit: Edit, rule: Rule },
    Route { edit: Edit, route: Route },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Edit {
    Add,
    Remove,
}

impl Edit {
    fn of(self, thing: impl Into<(Object, Value)>) -> Change {
        match self {
            Self::Add => Change::add(thing),
            Self::Remove => Change::remove(thing),
        }
    }
}

impl From<Former> for Change {
    fn from(former: Former) -> Self {
        let delay = |value| i64::try_from(value).unwrap_or(i64::MAX);
        match former {
            Former::Sysctl { scope, sysctl, before, after } => {
                Self::set(Object::Sysctl { scope, sysctl }, before, after)
            }
            Former::Ipv6Sysctl { scope, sysctl, before, after } => {
                Self::set(Object::Ipv6Sysctl { scope, sysctl }, before, after)
            }
            Former::ProxyDelay { scope, before, after } => {
                Self::set(Object::ProxyDelay { scope }, delay(before), delay(after))
            }
            Former::Proxy { edit, entry } => edit.of(entry),
            Former::Rule { edit, rule } => edit.of(rule),
            Former::Route { edit, route } => edit.of(route),
        }
    }
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let change = match fields.contains_key("change") {
            true => Former::deserialize(Json::Object(fields)).map(Self::from),
            false => Written::deserialize(Json::Object(fields))
                .map(|Written { object, before, after }| Self { object, before, after }),
        };
        let change = change.map_err(serde::de::Error::custom)?;
        change.check().map_err(serde::de::Error::custom)?;
        Ok(change)
    }
}
