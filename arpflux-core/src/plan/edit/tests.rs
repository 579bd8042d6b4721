use super::*;
use crate::plan::tests::host::Host;
use crate::plan::tests::{OPENVZ_POLICY, plan};

fn announced(plan: &Plan) -> Vec<String> {
    plan.announcements.iter().map(|one| format!("{} if{}", one.address, one.interface)).collect()
}

fn is_proxy(change: &Change) -> bool {
    matches!(change.object, Object::Proxy { .. })
}

#[test]
fn announcements_and_identities_go_with_their_changes() {
    let host = Host::openvz();
    let full = plan(&host, OPENVZ_POLICY);
    assert!(announced(&full).contains(&"192.168.18.101 if3".to_owned()));
    let without = full.without(is_proxy);
    assert!(!without.changes.iter().any(is_proxy));
    assert!(!announced(&without).iter().any(|one| one.starts_with("192.168.18.101 ")), "{without}");
    assert!(without.decisions.last().unwrap().contains("were left out"));
    without.check_announcements(&host.0).unwrap();

    let one = full.filter(|change| change.interface() == Some(IfIndex(4)));
    assert!(!one.changes.is_empty());
    assert!(one.interfaces.iter().all(|known| known.index == IfIndex(4)), "{:?}", one.interfaces);
    assert!(announced(&one).is_empty(), "the rule for host routes is gone: {one}");

    assert_eq!(full.filter(|_| true), full);
    let nothing = full.filter(|_| false);
    assert!(nothing.is_empty() && nothing.announcements.is_empty() && nothing.interfaces.is_empty());
}

#[test]
fn an_announcement_that_nobody_stands_behind_is_refused() {
    let mut host = Host::openvz();
    host.0.proxies.clear();
    let full = plan(&host, OPENVZ_POLICY);
    full.check_announcements(&host.0).unwrap();
    let mut edited = full.clone();
    edited.changes.retain(|change| !is_proxy(change));
    let error = edited.check_announcements(&host.0).unwrap_err();
    assert_eq!((error.kind(), error.object()), (ErrorKind::Refused, "192.168.18.101"));
    let alone = Plan { changes: Vec::new(), ..full };
    assert_eq!(alone.check_announcements(&host.0).unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn a_lost_order_is_found_again() {
    let full = plan(&Host::openvz(), OPENVZ_POLICY);
    let mut reversed = full.clone();
    reversed.changes.reverse();
    let ordered = reversed.in_order();
    assert_ne!(ordered, reversed);
    let ranks: Vec<u8> = ordered.changes.iter().map(rank).collect();
    assert!(ranks.is_sorted(), "{ordered}");
    assert_eq!(ordered.changes.len(), full.changes.len());
    assert_eq!(full.inverse().in_order(), full.inverse());
    // Twice the same thing: the order is meant.
    let twice = [full.inverse().changes, full.changes.clone(), full.inverse().changes].concat();
    let twice = Plan { changes: twice, ..full };
    assert_eq!(twice.in_order(), twice);
}
