//! Snapshots that nobody's kernel made.

use arpflux_core::ErrorKind;
use arpflux_core::filter::{Chain, Expression, Family, Hook, Verdict};
use arpflux_core::snapshot::{BridgePortState, Interface, LinkKind, MacvlanMode, Snapshot};
use arpflux_core::types::{IfIndex, Mac};
use arpflux_lab::twin::Twin;
use arpflux_tests::iproute::in_new_netns;

use crate::host::{make, snapshot};

/// A host with one card, and a way to give it more interfaces.
fn host() -> (Snapshot, impl Fn(u32, &str, &str, Option<u32>) -> Interface) {
    let _wires = make("card eth0 lan\n ip addr add 10.0.0.1/24 dev eth0");
    let host = snapshot();
    let card = host.interfaces.last().unwrap().clone();
    let like = move |index: u32, name: &str, kind: &str, link: Option<u32>| {
        let mut one = card.clone();
        (one.index, one.name) = (IfIndex(index), name.parse().unwrap());
        (one.kind, one.link, one.link_netnsid) = (Some(LinkKind::from(kind)), link.map(IfIndex), None);
        one.mac = Mac::ethernet([2, 0, 0, 0, 1, index as u8]);
        one.macvlan_mode = Some(MacvlanMode::Bridge);
        one.came = None;
        one
    };
    (host, like)
}

fn left_out(snapshot: &Snapshot) -> Vec<String> {
    Twin::build(snapshot).unwrap().left_out().iter().map(|one| one.what.clone()).collect()
}

#[test]
fn links_that_stand_on_one_another_are_left_out() {
    in_new_netns(|| {
        let (mut host, like) = host();
        host.interfaces.extend([like(50, "a", "macvlan", Some(51)), like(51, "b", "macvlan", Some(50))]);
        assert_eq!(left_out(&host), ["a (macvlan)", "b (macvlan)"]);
    });
}

#[test]
fn bridges_that_are_joined_twice_are_parted() {
    in_new_netns(|| {
        let (mut host, like) = host();
        host.interfaces.extend([like(60, "br0", "bridge", None), like(61, "br1", "bridge", None)]);
        for (index, master) in [(62, 60), (63, 61), (64, 60), (65, 61)] {
            let peer = if index % 2 == 0 { index + 1 } else { index - 1 };
            let mut port = like(index, &format!("v{index}"), "veth", Some(peer));
            port.master = Some(IfIndex(master));
            port.bridge_port_state = Some(BridgePortState::Forwarding);
            host.interfaces.push(port);
        }
        assert_eq!(left_out(&host), ["v65 (veth)", "v64 (veth)"]);
    });
}

#[test]
fn what_no_kernel_takes_is_left_out() {
    in_new_netns(|| {
        let (mut host, like) = host();
        let mut group = like(70, "m", "bridge", None);
        group.mac = Mac::ethernet([1, 0, 0x5e, 0, 0, 1]);
        host.interfaces.extend([group, like(u32::MAX, "n", "bridge", None)]);
        assert_eq!(left_out(&host), ["m (bridge)", "n (bridge)"]);
    });
}

#[test]
fn more_than_is_built_is_refused_by_name() {
    in_new_netns(|| {
        let (mut host, like) = host();
        host.interfaces
            .extend((0..600).map(|number| like(100 + number, &format!("d{number}"), "dummy", None)));
        let error = Twin::build(&host).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("602 interfaces"), "{error}");
    });
}

#[test]
fn few_records_that_hold_much_are_refused_by_name() {
    in_new_netns(|| {
        let (host, _) = host();
        let refused = |host: &Snapshot, said: &str| {
            let error = Twin::build(host).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains(said), "{error}");
        };
        let mut routes = host.clone();
        let route = routes.routes.iter_mut().find(|route| !route.next_hops.is_empty()).unwrap();
        route.next_hops = vec![route.next_hops[0].clone(); 1_000_000];
        refused(&routes, "next hops");
        routes.routes.iter_mut().for_each(|route| route.next_hops.truncate(5000));
        refused(&routes, "5000 next hops of a route");
        let chain = || Chain::at(Hook::Ingress, Family::Netdev, "cards", "in");
        let mut steps = host.clone();
        let drop = Expression::Decide { verdict: Verdict::Drop };
        steps.filters.chains.push(chain().rules(vec![vec![drop; 1_000_000]]));
        refused(&steps, "1000000 steps of rules of filters");
        let mut devices = host;
        let mut on = chain();
        on.base.as_mut().unwrap().devices = vec!["eth0".into(); 1_000_000];
        devices.filters.chains.push(on);
        refused(&devices, "1000000 devices of filters");
    });
}
