//! How an [`Interference`](super::Interference) is read, tested.

#[cfg(test)]
mod tests {
    use super::super::Interference;
    use crate::types::IfIndex;

    #[test]
    fn each_kind_is_read_as_it_was_written() {
        let interface = IfIndex(3);
        for interference in [
            Interference::Netfilter { chain: "a b".into(), interface: None },
            Interference::Netfilter { chain: "a b".into(), interface: Some(interface) },
            Interference::TrafficControl { interface, program: None },
            Interference::TrafficControl { interface, program: Some("from_wire".into()) },
            Interference::Xdp { interface, program: None },
            Interference::Listener { interface: None },
            Interference::Listener { interface: Some(interface) },
            Interference::FullNeighbourTable { entries: 1, limit: 2 },
            Interference::Unreadable { what: "it".into(), needs: None },
            Interference::Unreadable { what: "it".into(), needs: Some("CAP_NET_ADMIN".into()) },
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
