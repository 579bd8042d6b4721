use std::net::Ipv4Addr;

use super::*;
use crate::policy::Policy;
use crate::proof::testing::{Host, Rng};
use crate::segment::{Outcome, answers, infer};
use crate::snapshot::{InterfaceFlags, RouteKind, Scope, Snapshot, table};
use crate::sysctl::Sysctl;
use crate::types::Mac;

/// A node with two NICs on one wire, and the route to each container that runs there.
fn node(number: u8, containers: &[u8]) -> Snapshot {
    let mut host = Host::new();
    for (index, name) in [(2, "eth0"), (3, "eth3")] {
        host.up(index, name);
        host.0.interfaces.last_mut().unwrap().mac = Mac::ethernet([2, number, 0, 0, 0, index as u8]);
        host.address(index, &format!("10.0.{index}.{number}"), 16, Scope::UNIVERSE);
        host.set(index, Sysctl::Forwarding, 1);
    }
    host.interface(4, "venet0", InterfaceFlags::UP | InterfaceFlags::NOARP);
    host.set(4, Sysctl::Forwarding, 1);
    run(&mut host.0, containers);
    host.0
}

/// The containers that run on a node are those.
fn run(node: &mut Snapshot, containers: &[u8]) {
    node.routes.retain(|route| route.next_hops[0].interface != Some(crate::types::IfIndex(4)));
    let mut host = Host(std::mem::take(node));
    for container in containers {
        host.route(table::MAIN, RouteKind::Unicast, &format!("10.0.100.{container}/32"), 4, Scope::LINK);
    }
    *node = host.0;
}

fn policy(containers: &[u8]) -> Policy {
    let addresses: Vec<String> = containers.iter().map(|one| format!("\"10.0.100.{one}\"")).collect();
    let proxy = match addresses.is_empty() {
        true => String::new(),
        false => format!(
            "[[proxy]]\nowner = \"ct\"\naddresses = [{}]\ninterface = \"eth3\"\n",
            addresses.join(", ")
        ),
    };
    let text = format!(
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\nannounce = false\nforeign_proxies = \"remove\"\n{proxy}"
    );
    Policy::from_toml(&text, "policy").unwrap()
}

/// A node as its policy says.
fn settled(number: u8, containers: &[u8]) -> Snapshot {
    let node = node(number, containers);
    node.with(&policy(containers).plan(&node).unwrap().changes)
}

fn ordered(nodes: &[Snapshot], wanted: &[Vec<u8>], at_once: usize) -> (Vec<Plan>, Order) {
    let names: Vec<String> = (1..=nodes.len()).map(|number| format!("node{number}")).collect();
    let members: Vec<Member<'_>> =
        names.iter().zip(nodes).map(|(name, node)| Member::new(name, node).unwrap()).collect();
    let plans: Vec<Plan> =
        nodes.iter().zip(wanted).map(|(node, wanted)| policy(wanted).plan(node).unwrap()).collect();
    let stop = Stop::default();
    let segments = infer(&members, &stop).unwrap().segments;
    let order = order(&members, &plans, &segments, at_once, &stop).unwrap();
    (plans, order)
}

fn steps(order: &Order) -> Vec<String> {
    order.steps.iter().map(ToString::to_string).collect()
}

#[test]
fn an_address_is_withdrawn_where_it_leaves_before_it_is_published_where_it_goes() {
    let mut nodes = [settled(1, &[1]), settled(2, &[2, 3]), settled(3, &[])];
    run(&mut nodes[0], &[1, 3]);
    run(&mut nodes[1], &[2]);
    let (_, order) = ordered(&nodes, &[vec![1, 3], vec![2], vec![]], 1);
    assert_eq!(
        steps(&order),
        ["1. on node2: withdraw 10.0.100.3", "2. on node1: apply", "3. on node2: apply"]
    );
    let doubts: Vec<String> = order.doubts.iter().map(ToString::to_string).collect();
    assert_eq!(doubts, ["10.0.100.3: nobody may answer from step 1 until step 2 is made"]);
    assert_eq!(order.judgement, Judgement::Good);
    let json: serde_json::Value = serde_json::from_str(&order.to_json().unwrap()).unwrap();
    assert_eq!((&json["ok"], &json["steps"][0]["action"]), (&true.into(), &"withdraw".into()));
    assert_eq!(
        json["batches"],
        serde_json::json!([
            [{"host": "node1", "withdraw": [{"host": "node2", "addresses": ["10.0.100.3"]}]}],
            [{"host": "node2", "withdraw": []}],
        ])
    );
    assert_eq!(json["unchanged"], serde_json::json!(["node3"]));
    assert_eq!((&json["doubts"][0]["ok"], &json["doubts"][0]["text"]), (&true.into(), &(*doubts[0]).into()));

    // Two that swap their containers, and one where something else is new, which goes first.
    let mut nodes = [settled(1, &[1]), settled(2, &[2]), node(3, &[9])];
    run(&mut nodes[0], &[2]);
    run(&mut nodes[1], &[1]);
    let wanted = [vec![2], vec![1], vec![9]];
    let (_, order) = ordered(&nodes, &wanted, 1);
    assert_eq!(
        steps(&order),
        [
            "1. on node3: apply",
            "2. on node2: withdraw 10.0.100.2",
            "3. on node1: apply",
            "4. on node2: apply"
        ]
    );
    assert_eq!(order.judgement, Judgement::Good, "{:?}", order.doubts);
    let (_, order) = ordered(&nodes, &wanted, 2);
    assert_eq!(order.steps.iter().map(|step| step.batch).collect::<Vec<_>>(), [1, 2, 2, 3, 3]);
    // Of two that are changed at once each has what it takes itself.
    let takes = |turn: &Turn| (turn.host.clone(), turn.withdraw.clone());
    let of = |host: &str, address: &str| Withdrawal {
        host: host.to_owned(),
        addresses: vec![address.parse().unwrap()],
    };
    assert_eq!(
        order.batches.iter().map(|batch| batch.iter().map(takes).collect()).collect::<Vec<Vec<_>>>(),
        [
            vec![("node3".to_owned(), vec![])],
            vec![
                ("node1".to_owned(), vec![of("node2", "10.0.100.2")]),
                ("node2".to_owned(), vec![of("node1", "10.0.100.1")]),
            ],
        ]
    );
    assert_eq!(order.judgement, Judgement::Good, "{:?}", order.doubts);
}

#[test]
fn what_stays_wrong_is_said() {
    // The old node's policy keeps what it does not name.
    let nodes = [settled(1, &[1]), settled(2, &[])];
    let keep = Policy::from_toml(
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\nannounce = false\n",
        "policy",
    )
    .unwrap();
    let mut second = nodes[1].clone();
    run(&mut second, &[1]);
    let members = [Member::new("a", &nodes[0]).unwrap(), Member::new("b", &second).unwrap()];
    let plans = [keep.plan(&nodes[0]).unwrap(), policy(&[1]).plan(&second).unwrap()];
    let stop = Stop::default();
    let segments = infer(&members, &stop).unwrap().segments;
    let found = order(&members, &plans, &segments, 1, &stop).unwrap();
    assert_eq!((&found.judgement, found.doubts[0].ok), (&Judgement::Bad, Some(false)));
    assert_eq!(found.doubts[0].to_string(), "10.0.100.1: a, b answer from step 1 on, and when all is done");
    // One that loses its address to nobody.
    let plans = [policy(&[]).plan(&nodes[0]).unwrap(), Plan::default()];
    let members = [Member::new("a", &nodes[0]).unwrap(), Member::new("b", &nodes[1]).unwrap()];
    let found = order(&members, &plans, &segments, 1, &stop).unwrap();
    assert_eq!(
        found.doubts[0].to_string(),
        "10.0.100.1: nobody may answer from step 1 on, and when all is done"
    );
    assert_eq!(found.judgement, Judgement::Bad);
    assert!(order(&members, &plans[..1], &segments, 1, &stop).is_err());
    stop.raise();
    assert_eq!(order(&members, &plans, &segments, 1, &stop).unwrap_err().kind(), ErrorKind::Interrupted);
}

/// Goes through the steps change by change, those of one batch in any order, and looks at the wire each time.
fn walk(
    rng: &mut Rng,
    nodes: &mut [Snapshot],
    plans: &[Plan],
    order: &Order,
    moved: &BTreeSet<Ipv4Addr>,
) -> usize {
    let names: Vec<String> = (1..=nodes.len()).map(|number| format!("node{number}")).collect();
    let segment = Segment::known(
        (0..nodes.len())
            .flat_map(|member| {
                [2, 3].map(|index| super::super::Port { member, interface: crate::types::IfIndex(index) })
            })
            .collect(),
    );
    let mut states = 0;
    for batch in 1..=order.steps.last().map_or(0, |step| step.batch) {
        let mut queues: Vec<(usize, Vec<Change>)> = Vec::new();
        for step in order.steps.iter().filter(|step| step.batch == batch) {
            let host = names.iter().position(|name| *name == step.host).unwrap();
            let withdrawn: BTreeSet<IpAddr> = step.addresses.iter().copied().collect();
            // What is withdrawn is gone when the policy is applied later.
            let left = plans[host].changes.iter().filter(|change| match change.object {
                Object::Proxy { address, interface } if !change.after.is_there() => nodes[host]
                    .proxies
                    .iter()
                    .any(|entry| entry.address == address && entry.interface == interface),
                _ => true,
            });
            let changes: Vec<Change> = match step.action {
                Action::Withdraw => withdrawal(&plans[host], &withdrawn).into_iter().cloned().collect(),
                Action::Apply => left.cloned().collect(),
            };
            queues.push((host, changes.into_iter().rev().collect()));
        }
        while !queues.is_empty() {
            let at = rng.below(queues.len() as u64) as usize;
            let host = queues[at].0;
            match queues[at].1.pop() {
                Some(change) => nodes[host].change(&change),
                None => {
                    queues.remove(at);
                }
            }
            let members: Vec<Member<'_>> =
                names.iter().zip(&*nodes).map(|(name, node)| Member::new(name, node).unwrap()).collect();
            let found = answers(&members, &segment, &Stop::default()).unwrap();
            states += 1;
            for address in moved {
                let outcome =
                    found.iter().find(|answer| answer.address == *address).map(|answer| answer.outcome);
                let doubted = |state: DoubtState| {
                    order.doubts.iter().any(|doubt| {
                        doubt.address == IpAddr::V4(*address)
                            && doubt.state == state
                            && doubt.from_batch <= batch
                            && doubt.until_batch.is_none_or(|until| batch <= until)
                    })
                };
                match outcome {
                    Some(Outcome::Single) => {}
                    None | Some(Outcome::Nobody) => {
                        assert!(doubted(DoubtState::Nobody), "{address}: {order:?}");
                    }
                    other => panic!("{address}: {other:?} in batch {batch}: {order:?}"),
                }
            }
        }
    }
    states
}

/// Containers move at random between nodes; `days` on which some of them do.
fn month(seed: u64, count: u8, days: usize, containers: u8) -> (usize, usize) {
    let mut rng = Rng(seed);
    let mut place: Vec<usize> = (0..containers).map(|_| rng.below(u64::from(count)) as usize).collect();
    let on = |place: &[usize], node: usize| -> Vec<u8> {
        (0..containers).filter(|container| place[usize::from(*container)] == node).collect()
    };
    let mut nodes: Vec<Snapshot> =
        (0..usize::from(count)).map(|node| settled(node as u8 + 1, &on(&place, node))).collect();
    let (mut moves, mut states) = (0, 0);
    for _ in 0..days {
        let mut moved = BTreeSet::new();
        for _ in 0..=rng.below(4) {
            let container = rng.below(u64::from(containers)) as u8;
            let to = rng.below(u64::from(count)) as usize;
            if std::mem::replace(&mut place[usize::from(container)], to) != to {
                moved.insert(Ipv4Addr::new(10, 0, 100, container));
            }
        }
        moves += moved.len();
        let wanted: Vec<Vec<u8>> = (0..usize::from(count)).map(|node| on(&place, node)).collect();
        for (node, wanted) in nodes.iter_mut().zip(&wanted) {
            run(node, wanted);
        }
        let at_once = 1 + rng.below(4) as usize;
        let (plans, order) = ordered(&nodes, &wanted, at_once);
        assert_eq!(order.judgement, Judgement::Good, "{order:?}");
        states += walk(&mut rng, &mut nodes, &plans, &order, &moved);
        for (node, wanted) in nodes.iter().zip(&wanted) {
            assert!(policy(wanted).plan(node).unwrap().is_empty(), "the end is what was wanted");
        }
    }
    (moves, states)
}

/// A month over 20 nodes; `ARPFLUX_MONTHS` for more.
#[test]
fn a_month_of_random_moves_has_no_moment_with_two_answers() {
    let months = std::env::var("ARPFLUX_MONTHS").ok().and_then(|text| text.parse().ok());
    let (mut moves, mut states) = (0, 0);
    for seed in 0..months.unwrap_or(1) {
        let (more, looked) = month(seed, 20, 30, 60);
        (moves, states) = (moves + more, states + looked);
    }
    println!("{moves} moves, {states} states");
    assert!(moves > 30 && states > moves);
}
