//! How an [`Interference`] is read: all fields of all kinds, as `plan::read` explains.

use serde::Deserialize;

use super::Interference;
use crate::json::{need, none_left};
use crate::types::IfIndex;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Netfilter,
    TrafficControl,
    Xdp,
    Listener,
    FullNeighbourTable,
    Unreadable,
}

/// All fields of all kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    kind: Kind,
    chain: Option<String>,
    interface: Option<IfIndex>,
    entries: Option<u32>,
    limit: Option<u32>,
    what: Option<String>,
}

impl TryFrom<Fields> for Interference {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        let interface = &mut fields.interface;
        let interference = match fields.kind {
            Kind::Netfilter => {
                Self::Netfilter { chain: need(&mut fields.chain, "chain")?, interface: interface.take() }
            }
            Kind::TrafficControl => Self::TrafficControl { interface: need(interface, "interface")? },
            Kind::Xdp => Self::Xdp { interface: need(interface, "interface")? },
            Kind::Listener => Self::Listener { interface: interface.take() },
            Kind::FullNeighbourTable => Self::FullNeighbourTable {
                entries: need(&mut fields.entries, "entries")?,
                limit: need(&mut fields.limit, "limit")?,
            },
            Kind::Unreadable => Self::Unreadable { what: need(&mut fields.what, "what")? },
        };
        none_left(&[
            ("chain", fields.chain.is_some()),
            ("interface", fields.interface.is_some()),
            ("entries", fields.entries.is_some()),
            ("limit", fields.limit.is_some()),
            ("what", fields.what.is_some()),
        ])?;
        Ok(interference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read_as_it_was_written() {
        let interface = IfIndex(3);
        for interference in [
            Interference::Netfilter { chain: "a b".into(), interface: None },
            Interference::Netfilter { chain: "a b".into(), interface: Some(interface) },
            Interference::TrafficControl { interface },
            Interference::Xdp { interface },
            Interference::Listener { interface: None },
            Interference::Listener { interface: Some(interface) },
            Interference::FullNeighbourTable { entries: 1, limit: 2 },
            Interference::Unreadable { what: "it".into() },
        ] {
            let text = serde_json::to_string(&interference).unwrap();
            assert_eq!(serde_json::from_str::<Interference>(&text).unwrap(), interference, "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_not_of_this_kind_is_refused() {
        for (text, said) in [
            (r#"{"interface":1}"#, "missing field `kind`"),
            (r#"{"kind":"other"}"#, "unknown variant `other`"),
            (r#"{"kind":"xdp"}"#, "missing field `interface`"),
            (r#"{"kind":"xdp","interface":1,"limit":2}"#, "unknown field `limit`"),
            (r#"{"kind":"xdp","interface":1,"more":2}"#, "unknown field `more`"),
        ] {
            let error = serde_json::from_str::<Interference>(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
