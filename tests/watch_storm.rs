//! Bursts of drift of ten kinds, while interfaces come and go: each time the policy is kept again soon, and everything
//! that drifted was told.
//!
//! `ARPFLUX_STORM` is how many drifts there are (default 120), `ARPFLUX_STORM_SEED` which ones.
#![allow(missing_docs, reason = "a test")]

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use arpflux_core::judgement::Judgement;
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::watch::{Drift, Options, Outcome, Watcher};
use arpflux_core::{Host, Policy, Snapshot, apply, verify};
use arpflux_lab::{Host as Node, Lab, Switch};

/// `eth0` to `eth5` stay; `eth6` comes and goes.
const CARDS: u64 = 6;
const GUEST: &str = "eth6";
const PROXIED: u64 = 24;
const KINDS: [&str; 10] = [
    "arp_ignore written",
    "arp_announce written",
    "forwarding written",
    "entry lost",
    "entry on a wrong interface",
    "rule lost",
    "rules flushed",
    "own table flushed",
    "route of an own table replaced",
    "interface down and up",
];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Numbers that look random and are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn card(number: u64) -> String {
    format!("eth{number}")
}

fn proxied(number: u64) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 18, 100 + number as u8)
}

/// The interface that the policy wants a proxied address on: each has its share.
fn publisher(number: u64) -> String {
    card(number % CARDS)
}

fn policy() -> Policy {
    let names: Vec<String> = (0..=CARDS).map(|number| format!("\"{}\"", card(number))).collect();
    let mut text = format!("version = 1\n[host]\nannounce = false\ninterfaces = [{}]\n", names.join(", "));
    for number in 0..PROXIED {
        text += &format!(
            "[[proxy]]\nowner = \"{number}\"\ninterface = \"{}\"\naddresses = [\"{}\"]\n",
            publisher(number),
            proxied(number)
        );
    }
    Policy::from_toml(&text, "policy.toml").unwrap()
}

struct Bench {
    node: Node,
    host: Host,
    lan: Switch,
    policy: Policy,
    _lab: Lab,
}

impl Bench {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = lab.host("hn").unwrap();
        node.sysctl("net/ipv4/ip_forward", 1).unwrap();
        let host = Host::at(format!("/proc/self/fd/{}", node.netns().as_fd().as_raw_fd()).as_ref()).unwrap();
        let bench = Self { node, host, lan, policy: policy(), _lab: lab };
        (0..=CARDS).for_each(|number| bench.plug(number));
        assert!(bench.ip("route replace default via 192.168.18.1 dev eth0"));
        // Where the containers are.
        assert!(bench.ip("link add venet0 type veth peer name venet1"));
        ["venet0", "venet1"].iter().for_each(|name| bench.node.up(name).unwrap());
        for number in 0..PROXIED {
            assert!(bench.ip(&format!("route add {} dev venet0", proxied(number))));
        }
        bench
    }

    fn plug(&self, number: u64) {
        let mac = format!("02:00:00:00:00:{number:02x}").parse().unwrap();
        self.node.plug(&self.lan, &card(number), mac).unwrap();
        self.node.address(&card(number), &format!("192.168.18.{}/24", 10 + number)).unwrap();
    }

    /// Whether it had anything to do.
    fn ip(&self, words: &str) -> bool {
        let run = || Command::new("ip").args(words.split(' ')).stderr(Stdio::null()).status();
        self.node.run(run).unwrap().expect("ip, of iproute2").success()
    }

    /// A moment at which nothing was left to do, or what was.
    fn kept(&self) -> Result<Instant, String> {
        let now = Instant::now();
        let plan = self.host.snapshot().and_then(|snapshot| self.policy.plan(&snapshot));
        match plan {
            Ok(plan) if plan.is_empty() => Ok(now),
            Ok(plan) => Err(format!("{:?}", plan.changes)),
            // One that is changing all the time is not kept.
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Whether a line is about it.
type Is = Box<dyn Fn(&Object) -> bool>;

/// What is to be told.
struct Meant {
    kind: usize,
    card: String,
    told: Is,
}

/// Rules and tables of arpflux at rest, by interface of the source.
struct Routing {
    rules: Vec<(u32, IpAddr, u32)>,
    tables: BTreeMap<String, u32>,
}

impl Routing {
    fn of(snapshot: &Snapshot) -> Self {
        let own = snapshot.rules.iter().filter(|rule| rule.protocol == arpflux_core::plan::PROTOCOL);
        let rules: Vec<_> = own
            .filter(|rule| rule.suppress_prefix_len.is_none())
            .filter_map(|rule| Some((rule.priority, rule.source?.addr(), rule.table)))
            .collect();
        let owner = |table| {
            let route = snapshot.routes.iter().find(|route| route.table == table)?;
            route.next_hops.first()?.interface
        };
        let tables =
            rules.iter().filter_map(|(_, _, table)| Some((snapshot.name_of(owner(*table)?), *table)));
        Self { tables: tables.collect(), rules }
    }
}

fn is_sysctl(object: &Object, card: &str, wanted: Sysctl) -> bool {
    matches!(object, Object::Sysctl { scope: SysctlScope::Interface { name, .. }, sysctl }
        if *sysctl == wanted && name.to_string() == card)
}

/// One drift; `None` where nothing was left to drift.
fn drift(bench: &Bench, routing: &Routing, numbers: &mut Numbers) -> Option<Meant> {
    let kind = numbers.below(KINDS.len() as u64) as usize;
    let name = card(numbers.below(CARDS));
    let node = &bench.node;
    let sysctl = |key: &str, sysctl: Sysctl| -> (bool, Is) {
        node.sysctl(&format!("net/ipv4/conf/{name}/{key}"), 0).unwrap();
        let name = name.clone();
        (true, Box::new(move |object| is_sysctl(object, &name, sysctl)))
    };
    let entry = |which: u64| -> Is {
        Box::new(move |object| matches!(object, Object::Proxy { address, .. } if *address == proxied(which)))
    };
    let table = routing.tables[&name];
    let route: Is = Box::new(move |object| matches!(object, Object::Route(route) if route.table == table));
    let (is, told) = match kind {
        0 => sysctl("arp_ignore", Sysctl::ArpIgnore),
        1 => sysctl("arp_announce", Sysctl::ArpAnnounce),
        2 => sysctl("forwarding", Sysctl::Forwarding),
        3 => {
            let which = numbers.below(PROXIED);
            (node.delete_proxy(&publisher(which), proxied(which).into()).is_ok(), entry(which))
        }
        4 => {
            let which = numbers.below(PROXIED / CARDS) * CARDS + numbers.below(CARDS - 1);
            let wrong = card(which % CARDS + 1);
            node.proxy(&wrong, proxied(which).into()).unwrap();
            return Some(Meant { kind, card: wrong, told: entry(which) });
        }
        5 => {
            let (priority, source, table) = routing.rules[numbers.below(routing.rules.len() as u64) as usize];
            let is = bench.ip(&format!("rule del pref {priority} from {source} lookup {table}"));
            let told = move |object: &Object| matches!(object, Object::Rule(rule) if rule.source.is_some_and(|net| net.addr() == source));
            (is, Box::new(told) as Is)
        }
        6 => {
            let is = bench.ip("rule flush protocol 175");
            (is, Box::new(|object: &Object| matches!(object, Object::Rule(_))) as Is)
        }
        7 => (bench.ip(&format!("route flush table {table}")), route),
        8 => (bench.ip(&format!("route replace default via 192.168.18.2 dev {name} table {table}")), route),
        _ => {
            // Not the first: main's default route would go with it, and the own tables have theirs because of that.
            let name = card(1 + numbers.below(CARDS - 1));
            node.down(&name).unwrap();
            node.up(&name).unwrap();
            let table = routing.tables[&name];
            let told = move |object: &Object| matches!(object, Object::Route(route) if route.table == table);
            return Some(Meant { kind, card: name, told: Box::new(told) });
        }
    };
    is.then_some(Meant { kind, card: name, told })
}

/// What the watch has told so far, as it does.
struct Told {
    lines: Receiver<Drift>,
    /// Folded into one line a minute.
    contested: HashSet<Object>,
    impossible: u32,
    possible: u32,
}

impl Told {
    /// What came since the last call.
    fn objects(&mut self) -> Vec<Object> {
        let mut objects = Vec::new();
        for line in self.lines.try_iter() {
            assert!(!matches!(line.outcome, Outcome::Failed { .. }), "{line}");
            let about: Vec<Object> =
                line.changes.iter().map(|change: &Change| change.object.clone()).collect();
            match line.outcome {
                Outcome::Contested { .. } => self.contested.extend(about.iter().cloned()),
                Outcome::Impossible { .. } => self.impossible += 1,
                Outcome::Possible => self.possible += 1,
                _ => {}
            }
            objects.extend(about);
        }
        objects
    }
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    match times.last() {
        Some(worst) => {
            format!("{} bursts, median {:?}, worst {worst:?}", times.len(), times[times.len() / 2])
        }
        None => "no bursts".into(),
    }
}

#[test]
fn a_storm_of_drift_ends_each_time_with_the_policy_kept_and_all_of_it_told() {
    let (count, seed) = (setting("ARPFLUX_STORM", 120), setting("ARPFLUX_STORM_SEED", 29));
    let bench = Bench::new();
    // In memory, as the default one: it is not the disk that is measured.
    let state = std::path::Path::new("/run").join(format!("arpflux-storm-{}", std::process::id()));
    std::fs::create_dir(&state).unwrap();
    // Nothing is found by the regular look that should have been noticed.
    let options = Options::default().heal(true).look(Duration::from_secs(60));
    let options = options.apply(apply::Options::default().state_dir(&state));
    let (sender, lines) = channel();
    let over = AtomicBool::new(false);
    let mut told = Told { lines, contested: HashSet::new(), impossible: 0, possible: 0 };
    let (mut quick, mut slow, mut kinds) = (Vec::new(), Vec::new(), BTreeMap::new());
    let last = std::thread::scope(|scope| {
        let (bench, over) = (&bench, &over);
        // Told to end however this ends.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let end = End(over);
        let watching = scope.spawn(move || {
            let mut watcher = Watcher::new(&bench.host, bench.policy.clone(), options).unwrap();
            while !over.load(Ordering::Relaxed) {
                for line in watcher.wait(Some(Duration::from_millis(50))).unwrap() {
                    if matches!(line.outcome, Outcome::Failed { .. }) {
                        eprintln!("{line}");
                    }
                    let _ = sender.send(line);
                }
            }
            // The judgement of the last state.
            let deadline = Instant::now() + Duration::from_secs(30);
            while watcher.status().ok_since_ms.is_none() && Instant::now() < deadline {
                watcher.wait(Some(Duration::from_millis(50))).unwrap();
            }
            (watcher.judgement(), watcher.status())
        });
        let settled = |limit: Duration| {
            let end = Instant::now() + limit;
            loop {
                let left = match bench.kept() {
                    Ok(moment) => return moment,
                    Err(left) => left,
                };
                assert!(Instant::now() < end, "not kept after {limit:?}: {left}");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        settled(Duration::from_secs(30));
        let routing = Routing::of(&bench.host.snapshot().unwrap());
        assert_eq!(routing.tables.len() as u64, CARDS + 1, "{:?}", routing.tables);
        // News of the start.
        std::thread::sleep(Duration::from_millis(300));
        told.objects();
        let mut numbers = Numbers(2 * seed + 1);
        let (mut drifts, mut burst) = (0, 0_u64);
        while drifts < count {
            burst += 1;
            // Interfaces that the policy does not name come and go all the time; one of its own now and then.
            assert!(bench.ip(["link del d0", "link add d0 type veth peer name d1"][(burst % 2) as usize]));
            if burst % 8 == 1 {
                bench.node.delete(GUEST).unwrap();
            }
            let mut meant: Vec<Meant> = Vec::new();
            for _ in 0..=numbers.below(7) {
                if let Some(one) = drift(bench, &routing, &mut numbers) {
                    // What is set down loses a wrong entry by itself, perhaps before anybody saw it.
                    if one.kind == 9 {
                        meant.retain(|known| known.kind != 4 || known.card != one.card);
                    }
                    *kinds.entry(KINDS[one.kind]).or_insert(0_u32) += 1;
                    meant.push(one);
                }
                std::thread::sleep(Duration::from_millis(numbers.below(15)));
            }
            drifts += meant.len() as u64;
            if burst % 8 == 1 {
                bench.plug(CARDS);
            }
            let end = Instant::now();
            let contested = !told.contested.is_empty();
            let took = settled(Duration::from_secs(20)).saturating_duration_since(end);
            if contested { &mut slow } else { &mut quick }.push(took);
            // The line follows the repair.
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut objects = Vec::new();
            loop {
                objects.extend(told.objects());
                let all = || objects.iter().chain(&told.contested);
                meant.retain(|one| !all().any(|object| (one.told)(object)));
                if meant.is_empty() {
                    break;
                }
                let untold: Vec<_> = meant.iter().map(|one| (KINDS[one.kind], &one.card)).collect();
                assert!(Instant::now() < deadline, "burst {burst}: not told: {untold:?}");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        told.objects();
        drop(end);
        watching.join().unwrap()
    });
    println!("{kinds:?}");
    println!("kept again after the last event: {}", percentiles(quick.clone()));
    println!("while something is contested: {}", percentiles(slow));
    println!("{}; {} contested", last.1, told.contested.len());
    assert_eq!(kinds.len(), KINDS.len(), "not everything happened: {kinds:?}");
    assert!(told.impossible > 0 && told.possible > 0, "{} {}", told.impossible, told.possible);
    let report = verify::check(&bench.policy, &bench.host.snapshot().unwrap()).unwrap();
    assert!(report.ok(), "{report}");
    assert_eq!(last.0, Judgement::Good, "{:?}", last.1);
    assert!(last.1.open.is_empty() && last.1.failed == 0, "{:?}", last.1);
    std::fs::remove_dir_all(&state).unwrap();
}
