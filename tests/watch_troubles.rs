//! One thing that the policy cannot have stops nothing else: what drifts meanwhile is put right, the trouble is told, is open
//! as long as it lasts, and is over afterwards.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use arpflux_core::Policy;
use arpflux_core::judgement::Judgement;
use arpflux_core::watch::{Drift, Outcome, Watcher};
use arpflux_tests::iproute::ip;
use arpflux_tests::watched::{Node, POLICY, PROXIED, policy, until, until_so};

/// A value, an entry and a rule drift, of what the trouble is not about: `eth0`, the container on `eth3`, and a source.
fn drift(node: &Node, source: &str) {
    node.hn.sysctl("net.ipv4.conf.eth0.arp_ignore", 0).unwrap();
    node.hn.proxy("eth0", PROXIED.parse().unwrap()).unwrap();
    let rules = node.host.snapshot().unwrap().rules;
    let of = |source: &str| {
        let is = |rule: &&arpflux_core::snapshot::Rule| {
            rule.protocol == 175 && rule.source.is_some_and(|net| net.addr().to_string() == source)
        };
        rules.iter().find(is).map(|rule| rule.priority)
    };
    let priority = of(source).expect("a rule of that source");
    let lines = format!("rule del pref {priority} from {source}");
    node.hn.run(move || ip(&lines)).unwrap();
}

fn is_right(node: &Node, source: &str) -> bool {
    let rules = node.host.snapshot().unwrap().rules;
    node.hn.read_sysctl("net.ipv4.conf.eth0.arp_ignore").unwrap() == "1"
        && !node.proxies().contains(&(PROXIED.into(), "eth0".into()))
        && rules.iter().any(|rule| {
            rule.protocol == 175 && rule.source.is_some_and(|net| net.addr().to_string() == source)
        })
}

fn is_trouble(line: &Drift) -> bool {
    matches!(line.outcome, Outcome::Impossible { .. } | Outcome::Misanswered { .. })
}

fn is_over(line: &Drift) -> bool {
    matches!(line.outcome, Outcome::Possible | Outcome::Recovered)
}

/// Makes the trouble, lets something else drift, ends it; what was open meanwhile.
#[track_caller]
fn goes_on(name: &str, trouble: impl Fn(&Node), source: &str, end: impl Fn(&Node)) -> String {
    let node = Node::new(name);
    let mut watcher = node.at_rest();
    trouble(&node);
    until(&mut watcher, is_trouble);
    let is_open = |watcher: &Watcher| watcher.status().open.iter().any(|line| !line.is_empty());
    assert!(is_open(&watcher), "{:?}", watcher.status());
    drift(&node, source);
    until_so(&mut watcher, "the rest is put right", |_| is_right(&node, source));
    // Not over because of that.
    watcher.wait(Some(Duration::from_millis(700))).unwrap();
    assert!(is_open(&watcher), "{:?}", watcher.status());
    assert!(watcher.status().metrics().lines().any(|line| line == "arpflux_watch_ok 0"));
    assert_eq!(watcher.judgement(), Judgement::Bad);
    let open = watcher.status().open.join("\n");
    end(&node);
    until(&mut watcher, is_over);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    assert!(node.is_kept());
    open
}

fn run(node: &Node, lines: &'static str) {
    node.hn.run(move || ip(lines)).unwrap();
}

#[test]
fn a_rule_of_others() {
    let begin = |node: &Node| run(node, "rule add pref 100 from 192.168.18.11 lookup main");
    let open = goes_on("rule", begin, "192.168.18.12", |node| run(node, "rule del pref 100"));
    assert!(open.contains("100"), "{open}");
}

#[test]
fn an_interface_that_is_renamed() {
    let begin = |node: &Node| run(node, "link set eth4 down\nlink set eth4 name x4\nlink set x4 up");
    let end = |node: &Node| run(node, "link set x4 down\nlink set x4 name eth4\nlink set eth4 up");
    let open = goes_on("renamed", begin, "192.168.18.11", end);
    assert!(open.contains("eth4"), "{open}");
}

#[test]
fn an_interface_that_is_gone() {
    let begin = |node: &Node| node.hn.delete("eth4").unwrap();
    let end = |node: &Node| {
        node.hn.plug(&node.lan, "eth4", "00:0c:29:b3:a2:5e".parse().unwrap()).unwrap();
        node.hn.address("eth4", "192.168.18.12/24").unwrap();
    };
    goes_on("gone", begin, "192.168.18.11", end);
}

#[test]
fn an_interface_that_is_made_a_port_of_a_bridge() {
    let begin =
        |node: &Node| run(node, "link add brx type bridge\nlink set brx up\nlink set eth4 master brx");
    let end = |node: &Node| run(node, "link set eth4 nomaster\nlink del brx");
    let open = goes_on("port", begin, "192.168.18.11", end);
    assert!(open.contains("eth4"), "{open}");
}

#[test]
fn an_interface_that_speaks_no_arp() {
    let begin = |node: &Node| run(node, "link set eth4 arp off");
    let open = goes_on("noarp", begin, "192.168.18.11", |node| run(node, "link set eth4 arp on"));
    assert!(open.contains("eth4"), "{open}");
}

#[test]
fn a_value_of_all_that_silences_the_host() {
    let write = |node: &Node, value| node.hn.sysctl("net.ipv4.conf.all.arp_ignore", value).unwrap();
    goes_on("all", |node| write(node, 8), "192.168.18.11", |node| write(node, 0));
}

/// From the start on.
#[test]
fn an_interface_that_never_was_there() {
    let node = Node::new("never");
    let text = POLICY.replace("\"eth4\"]", "\"eth4\", \"eth7\"]");
    let mut watcher = node.watcher_of(&Policy::from_toml(&text, "policy.toml").unwrap(), true);
    until(&mut watcher, is_trouble);
    until_so(&mut watcher, "the rest is kept", |_| node.is_kept());
    drift(&node, "192.168.18.11");
    until_so(&mut watcher, "the rest is put right", |_| is_right(&node, "192.168.18.11"));
    assert_eq!(watcher.judgement(), Judgement::Bad);
    watcher.set_policy(policy()).unwrap();
    until(&mut watcher, is_over);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
}

/// What cannot be put right for as long as somebody would be cut off by it.
#[test]
fn a_repair_that_fails_each_time() {
    let text = arpflux_tests::watched::POLICY.replace("[host]", "[host]\nforeign_proxies = \"remove\"");
    let policy = arpflux_core::Policy::from_toml(&text, "policy.toml").unwrap();
    let node = Node::new("fails");
    node.hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    run(
        &node,
        "link add ve0 type veth peer name ve1\nlink set ve0 up\nlink set ve1 up\nroute add 192.168.18.77 dev ve0",
    );
    // The only answer for it.
    node.hn.proxy("eth4", "192.168.18.77".parse().unwrap()).unwrap();
    let mut watcher = node.watcher_of(&policy, true);
    let has_failed = |line: &Drift| matches!(line.outcome, Outcome::Failed { .. });
    let lines = until(&mut watcher, has_failed);
    let failed = lines.iter().find(|line| has_failed(line)).unwrap();
    assert_eq!(failed.count, 1, "{failed}");
    assert!(failed.to_string().contains("192.168.18.77"), "{failed}");
    until_so(&mut watcher, "the rest is made so", |_| is_right(&node, "192.168.18.12"));
    for _ in 0..3 {
        drift(&node, "192.168.18.12");
        until_so(&mut watcher, "the rest is put right", |_| is_right(&node, "192.168.18.12"));
    }
    let status = watcher.status();
    assert!(
        status.failed > 0 && status.open.iter().any(|line| line.contains("could not be put right")),
        "{status:?}"
    );
    assert_eq!(watcher.judgement(), Judgement::Bad);
    // It is told once, however often it is tried.
    let more = watcher.wait(Some(Duration::from_secs(6))).unwrap();
    assert!(!more.iter().any(has_failed), "{more:#?}");
    // Somebody takes it away himself.
    node.hn.delete_proxy("eth4", "192.168.18.77".parse().unwrap()).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
}
