//! How a [`Change`] is read: as one record of all the fields that a change can have.
//!
//! What serde derives for an enum with its tag among the fields keeps the fields aside, untyped, until it knows
//! the tag, and needs a second reader for each type in them: more code than all else that reads plans.

use serde::Deserialize;
use serde_json::Number;

use super::{Change, Edit, SysctlScope};
use crate::json::{need, none_left};
use crate::snapshot::{ProxyEntry, Route, Rule};
use crate::sysctl::Ipv6Sysctl;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Sysctl,
    Ipv6Sysctl,
    ProxyDelay,
    Proxy,
    Rule,
    Route,
}

/// All fields of all changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    change: Kind,
    scope: Option<SysctlScope>,
    sysctl: Option<String>,
    before: Option<Number>,
    after: Option<Number>,
    edit: Option<Edit>,
    entry: Option<ProxyEntry>,
    rule: Option<Box<Rule>>,
    route: Option<Box<Route>>,
}

impl Fields {
    /// The sysctl's name, and its values before and after.
    fn setting(&mut self) -> Result<(String, i32, i32), String> {
        let small = |number: Number| match number.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => Err(format!("invalid value: {number}, expected i32")),
        };
        let name = need(&mut self.sysctl, "sysctl")?;
        Ok((name, small(need(&mut self.before, "before")?)?, small(need(&mut self.after, "after")?)?))
    }
}

impl TryFrom<Fields> for Change {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        let scope = |fields: &mut Fields| need(&mut fields.scope, "scope");
        let edit = |fields: &mut Fields| need(&mut fields.edit, "edit");
        let change = match fields.change {
            Kind::Sysctl => {
                let (name, before, after) = fields.setting()?;
                let sysctl = name.parse().map_err(|error: crate::Error| error.to_string())?;
                Self::Sysctl { scope: scope(&mut fields)?, sysctl, before, after }
            }
            Kind::Ipv6Sysctl => {
                let (name, before, after) = fields.setting()?;
                let sysctl = Ipv6Sysctl::ALL.iter().copied().find(|sysctl| sysctl.name() == name);
                let sysctl = sysctl.ok_or_else(|| format!("unknown sysctl of net.ipv6.conf `{name}`"))?;
                Self::Ipv6Sysctl { scope: scope(&mut fields)?, sysctl, before, after }
            }
            Kind::ProxyDelay => {
                let large = |number: Number| {
                    number.as_u64().ok_or_else(|| format!("invalid value: {number}, expected u64"))
                };
                let before = large(need(&mut fields.before, "before")?)?;
                let after = large(need(&mut fields.after, "after")?)?;
                Self::ProxyDelay { scope: scope(&mut fields)?, before, after }
            }
            Kind::Proxy => Self::Proxy { edit: edit(&mut fields)?, entry: need(&mut fields.entry, "entry")? },
            Kind::Rule => Self::Rule { edit: edit(&mut fields)?, rule: need(&mut fields.rule, "rule")? },
            Kind::Route => Self::Route { edit: edit(&mut fields)?, route: need(&mut fields.route, "route")? },
        };
        none_left(&[
            ("scope", fields.scope.is_some()),
            ("sysctl", fields.sysctl.is_some()),
            ("before", fields.before.is_some()),
            ("after", fields.after.is_some()),
            ("edit", fields.edit.is_some()),
            ("entry", fields.entry.is_some()),
            ("rule", fields.rule.is_some()),
            ("route", fields.route.is_some()),
        ])?;
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Scope;

    fn read(text: &str) -> Result<Change, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn each_change_is_read_as_it_was_written() {
        let eth0 = SysctlScope::Interface { index: crate::types::IfIndex(2), name: "eth0".parse().unwrap() };
        let mut changes = vec![
            Change::Sysctl { scope: eth0, sysctl: crate::Sysctl::ArpIgnore, before: -1, after: i32::MAX },
            Change::ProxyDelay { scope: SysctlScope::Default, before: 0, after: u64::MAX },
        ];
        for sysctl in Ipv6Sysctl::ALL.iter().copied() {
            changes.push(Change::Ipv6Sysctl { scope: SysctlScope::All, sysctl, before: 0, after: i32::MIN });
        }
        let entry =
            ProxyEntry { address: "fd00::1".parse().unwrap(), interface: None, flags: 0, protocol: 184 };
        changes.push(Change::Proxy { edit: Edit::Add, entry });
        changes
            .extend(Rule::defaults().map(|rule| Change::Rule { edit: Edit::Remove, rule: Box::new(rule) }));
        let route = Route {
            table: 1000,
            kind: crate::snapshot::RouteKind::Blackhole,
            destination: "10.0.0.0/8".parse().unwrap(),
            source: None,
            tos: 0,
            metric: 7,
            scope: Scope(0),
            protocol: 184,
            preferred_source: None,
            next_hops: Vec::new(),
            nexthop_id: Some(1),
        };
        changes.push(Change::Route { edit: Edit::Add, route: Box::new(route) });
        for change in changes {
            assert_eq!(read(&serde_json::to_string(&change).unwrap()).unwrap(), change);
        }
    }

    #[test]
    fn what_is_missing_or_not_of_this_change_is_refused() {
        for (text, said) in [
            (r#"{"scope":"all"}"#, "missing field `change`"),
            (r#"{"change":"other"}"#, "unknown variant `other`"),
            (r#"{"change":"proxy_delay","scope":"all","before":1}"#, "missing field `after`"),
            (
                r#"{"change":"proxy_delay","scope":"all","before":1,"after":2,"edit":"add"}"#,
                "unknown field `edit`",
            ),
            (r#"{"change":"proxy_delay","scope":"all","before":1,"after":-2}"#, "expected u64"),
            (
                r#"{"change":"sysctl","scope":"all","sysctl":"arp_ignore","before":1,"after":2147483648}"#,
                "expected i32",
            ),
            (
                r#"{"change":"sysctl","scope":"all","sysctl":"proxy_ndp","before":1,"after":2}"#,
                "not an ARP-relevant sysctl",
            ),
            (
                r#"{"change":"ipv6_sysctl","scope":"all","sysctl":"arp_ignore","before":1,"after":2}"#,
                "unknown sysctl",
            ),
            (r#"{"change":"rule","edit":"add"}"#, "missing field `rule`"),
            (r#"{"change":"rule","edit":"add","more":1}"#, "unknown field `more`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
