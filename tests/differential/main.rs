//! The model against the running kernel: random hosts in namespaces, real requests, every answer compared.
//!
//! `cargo test -p arpflux-tests --test differential` asks some 22,000 requests. More, other or single hosts
//! by the environment:
//!
//! - `ARPFLUX_HOSTS`: how many hosts (200, and 160 with rules of nftables), each gets about 110 requests;
//! - `ARPFLUX_SEED`: the first seed (1); a host is drawn from one seed;
//! - `ARPFLUX_WORKERS`: how many threads (2);
//! - `ARPFLUX_UNTIL_MISMATCH`: stop at the first host with a mismatch;
//! - `ARPFLUX_VERBOSE`: print every command of each host;
//! - `ARPFLUX_RECORD`: a folder to keep snapshots, requests and the kernel's answers in.
//!
//! A mismatch prints the host as commands, the request, what was expected and why, what came, where the
//! snapshot is stored, and the command that replays it.

mod ask;
mod case;
mod host;
mod learn;
mod own;
mod rng;
mod ruleset;
mod scenarios;
mod wire;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arpflux_core::predict::{ArpRequest, Model, Reason, Verdict};
use arpflux_core::snapshot::{InterfaceFlags, LinkKind, Snapshot};
use arpflux_core::types::{IfIndex, Mac};
use arpflux_tests::anonymous::Anonymous;
use nix::libc;
use nix::sched::{CloneFlags, unshare};

use ask::{Ask, Expected, Histogram, Interesting};
use case::{Case, Kinds};
use host::{Host, ip_batch};
use rng::Rng;
use wire::{Answers, Frame, Wire, asker};

const REQUESTS: usize = 110;
/// Fewer than may wait for a proxied answer (`proxy_qlen`).
const CHUNK: usize = 55;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One worker: a namespace for the wires, and hosts one after the other.
struct Worker {
    wire: Arc<Wire>,
    thread: i32,
    number: u32,
    histogram: Histogram,
    mismatches: Vec<String>,
    kinds: Kinds,
    /// Whether the hosts have rules of nftables.
    rules: bool,
}

impl Worker {
    fn new(kinds: Kinds, rules: bool) -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok(Self {
            wire: Arc::new(Wire::open()?),
            thread: nix::unistd::gettid().as_raw(),
            number: 0,
            histogram: Histogram::default(),
            mismatches: Vec::new(),
            kinds,
            rules,
        })
    }

    fn run(&mut self, seed: u64) -> io::Result<()> {
        let mut case = Case::draw(seed, self.kinds);
        if self.rules {
            case = case.with_rules();
        }
        if setting("ARPFLUX_VERBOSE", 0) != 0 {
            for command in &case.commands {
                eprintln!("{command}");
            }
        }
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET)?;
                self.on(&case)
            });
            match inside.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Builds the host in the calling thread's namespace and asks it.
    fn on(&mut self, case: &Case) -> io::Result<()> {
        let label = format!("w{:x}", case.seed & 0xfff_ffff);
        let wire = Arc::clone(&self.wire);
        let mut host = Host::build(case, &wire, self.thread, label)?;
        let mut rng = Rng::new(case.seed ^ 0x5eed);
        let result = self.ask_all(case, &mut host, &mut rng);
        host.clear();
        self.histogram.hosts += 1;
        result
    }

    fn ask_all(&mut self, case: &Case, host: &mut Host<'_>, rng: &mut Rng) -> io::Result<()> {
        let seen = host.snapshot()?;
        let snapshot = known(case, &seen);
        let (model, unaided) = (Model::new(&snapshot).unwrap(), Model::new(&seen).unwrap());
        if let Ok(folder) = std::env::var("ARPFLUX_RECORD") {
            let path = std::path::Path::new(&folder).join(format!("{}.json", case.seed));
            std::fs::write(path, snapshot.to_json().map_err(io::Error::other)?)?;
        }
        let nics: Vec<_> = snapshot
            .interfaces
            .iter()
            .filter(|interface| interface.name.to_string().starts_with("eth"))
            // Nothing can arrive on one that is up and has no carrier.
            .filter(|nic| nic.carrier || !nic.flags.contains(InterfaceFlags::UP))
            .collect();
        if nics.is_empty() {
            return Ok(());
        }
        let interesting = Interesting::of(case, &snapshot, rng);
        let mut asks = Vec::new();
        for _ in 0..REQUESTS {
            let nic = nics[rng.below(nics.len())];
            let upper = |kind: &str| {
                snapshot.interfaces.iter().find(|upper| {
                    upper.kind.as_ref().map(LinkKind::name) == Some(kind)
                        && upper.link == Some(nic.index)
                        && upper.link_netnsid.is_none()
                })
            };
            let target = interesting.target(rng);
            let mut ask = Ask {
                nic: nic.index,
                to: Mac::BROADCAST,
                vlan: None,
                sender: interesting.sender(rng, target),
                target,
            };
            if let Some(vlan) = upper("vlan").filter(|_| rng.percent(50)) {
                ask.vlan = vlan.vlan_id;
                if rng.percent(20) {
                    ask.to = vlan.mac;
                }
            } else if rng.percent(20) && upper("ipvlan").is_none() {
                // The MAC of the interface, or of what stands above it.
                let master = nic.master.and_then(|index| snapshot.interface(index));
                let above = master.filter(|master| master.vrf_table.is_none()).or_else(|| upper("macvlan"));
                ask.to = above.filter(|_| rng.percent(50)).map_or(nic.mac, |above| above.mac);
            }
            asks.push(ask);
        }
        self.anonymised(case, &model, &asks);
        for chunk in asks.chunks(CHUNK) {
            self.ask_chunk(case, host, &model, &unaided, chunk)?;
        }
        self.own_packets(case, host, &interesting, rng)?;
        self.learning(case, host, &interesting, rng)?;
        if case.undecided {
            return Ok(());
        }
        self.announcing(case, host, rng)
    }

    /// The model says the same of the host with other names, addresses and MACs.
    fn anonymised(&mut self, case: &Case, model: &Model<'_>, asks: &[Ask]) {
        let Some(other) = Anonymous::of(model.snapshot()) else {
            self.histogram.not_anonymised += 1;
            return;
        };
        let of_other = Model::new(&other.snapshot).unwrap();
        for (request, verdict) in asks.iter().flat_map(|ask| Expected::of(model, ask).verdicts) {
            if let Some(text) = other.request(&of_other, &request, &verdict) {
                self.mismatches.push(format!("seed {}: {text}", case.seed));
            }
        }
    }

    fn ask_chunk(
        &mut self,
        case: &Case,
        host: &mut Host<'_>,
        model: &Model<'_>,
        unaided: &Model<'_>,
        asks: &[Ask],
    ) -> io::Result<()> {
        let expected: Vec<Expected> = asks.iter().map(|ask| Expected::of(model, ask)).collect();
        let first = self.number;
        let awaited: usize =
            expected.iter().filter_map(|expected| expected.macs.as_ref()).map(Vec::len).sum();
        let delay = expected.iter().map(Expected::delay).max().unwrap_or(0);
        for ask in asks {
            self.send(model.snapshot(), ask)?;
        }
        let mut answers = Answers::default();
        self.collect(&mut answers, awaited, 40 + delay)?;
        for (at, (ask, expected)) in asks.iter().zip(&expected).enumerate() {
            self.histogram.add(expected);
            let got = answers.of(first + at as u32, ask.target);
            if expected.macs.as_ref() == Some(&got) {
                self.record(case, ask, &expected.verdicts, &got)?;
            }
            let said = Expected::of(unaided, ask);
            if let (Some(a), Some(b)) = (&said.macs, &expected.macs)
                && a != b
            {
                let text = self.report(case, model, ask, &got, "the snapshot without memory says otherwise");
                self.mismatches.push(text);
            }
            if expected.macs.as_ref().is_some_and(|macs| *macs != got) {
                self.settle(case, host, ask)?;
            }
        }
        Ok(())
    }

    /// With `ARPFLUX_RECORD`: keeps what was asked and what the kernel did, so that a changed model can be
    /// checked without a kernel. A line of JSON for each interface that handled a frame alone.
    fn record(
        &mut self,
        case: &Case,
        ask: &Ask,
        verdicts: &[(ArpRequest, Verdict)],
        got: &[[u8; 6]],
    ) -> io::Result<()> {
        let (Ok(folder), [(request, _)]) = (std::env::var("ARPFLUX_RECORD"), verdicts) else { return Ok(()) };
        let line = serde_json::json!({
            "interface": request.interface,
            "sender": ask.sender,
            "target": ask.target,
            "unicast": request.unicast,
            "mac": got.first().map(|mac| Mac::ethernet(*mac)),
        });
        let path = std::path::Path::new(&folder).join(format!("{}.jsonl", case.seed));
        let mut file = std::fs::File::options().create(true).append(true).open(path)?;
        writeln!(file, "{line}")
    }

    /// Asks again by itself, after looking again: only what stays different counts.
    fn settle(&mut self, case: &Case, host: &mut Host<'_>, ask: &Ask) -> io::Result<()> {
        let mut text = String::new();
        let mut different = 0;
        for _ in 0..200 {
            self.histogram.asked_again += 1;
            std::thread::sleep(Duration::from_millis(30));
            let refused = host.neighbour_table()?.refused;
            let snapshot = known(case, &host.snapshot()?);
            let model = Model::new(&snapshot).unwrap();
            let expected = Expected::of(&model, ask);
            let mut answers = Answers::default();
            let number = self.number;
            self.send(&snapshot, ask)?;
            // Longer than anything takes, so that an answer too many is seen as well.
            self.collect(&mut answers, usize::MAX, 60 + 2 * expected.delay())?;
            let got = answers.of(number, ask.target);
            if expected.macs.as_ref().is_none_or(|macs| *macs == got) {
                return Ok(());
            }
            // The machine's one neighbour table was full meanwhile: then the kernel drops answers of its
            // own, whatever the host (other tests may have filled it).
            if host.neighbour_table()?.refused != refused {
                continue;
            }
            text = self.report(case, &model, ask, &got, "the kernel does otherwise");
            different += 1;
            if different == 2 {
                break;
            }
        }
        if text.is_empty() {
            text =
                "the neighbour table of this machine (net.ipv4.neigh.default.gc_thresh3) stays full".into();
        }
        self.mismatches.push(text);
        Ok(())
    }

    fn send(&mut self, snapshot: &Snapshot, ask: &Ask) -> io::Result<()> {
        let number = self.number;
        self.number += 1;
        let frame = Frame {
            to: ask.to,
            vlan: ask.vlan,
            reply: false,
            sender_mac: asker(number),
            sender: ask.sender.octets(),
            target_mac: [0; 6],
            target: ask.target.octets(),
        };
        self.send_frame(snapshot, ask.nic, &frame.bytes())
    }

    /// Sends a frame so that it arrives on `nic`.
    fn send_frame(&self, snapshot: &Snapshot, nic: IfIndex, frame: &[u8]) -> io::Result<()> {
        // A veth's link is its peer.
        let far = snapshot.interface(nic).and_then(|nic| nic.link).unwrap_or(IfIndex(0));
        for _ in 0..1000 {
            match self.wire.send(far.0, frame) {
                Ok(()) => return Ok(()),
                Err(error) => match error.raw_os_error() {
                    // The far end is down: nothing arrives.
                    Some(libc::ENETDOWN | libc::ENXIO) => return Ok(()),
                    // The processor's queue is full.
                    Some(libc::ENOBUFS) => std::thread::sleep(Duration::from_millis(2)),
                    _ => return Err(error),
                },
            }
        }
        Err(io::Error::other("the kernel's queue stays full"))
    }

    /// Takes in answers until `awaited` are there and no more come, or for `wait_ms`.
    fn collect(&mut self, answers: &mut Answers, awaited: usize, wait_ms: u64) -> io::Result<()> {
        let until = Instant::now() + Duration::from_millis(wait_ms);
        loop {
            let left = until.saturating_duration_since(Instant::now()).as_millis() as i32;
            let enough = answers.count() >= awaited;
            // One more millisecond for those that should not come.
            let wait = if enough { left.min(1) } else { left };
            match self.wire.receive(wait)? {
                Some(reply) => answers.add(&reply),
                None if enough || left <= 0 => return Ok(()),
                None => {}
            }
        }
    }

    fn report(&self, case: &Case, model: &Model<'_>, ask: &Ask, got: &[[u8; 6]], what: &str) -> String {
        let mut text = String::new();
        let mut line = |words: String| {
            text += &words;
            text.push('\n');
        };
        line(format!("MISMATCH, seed {}: {what}", case.seed));
        for command in &case.commands {
            line(format!("    {command}"));
        }
        let name = model.snapshot().name_of(ask.nic);
        line(format!(
            "  {} asks for {} on {name}, to {}, vlan {:?}",
            ask.sender, ask.target, ask.to, ask.vlan
        ));
        let expected = Expected::of(model, ask);
        for (request, verdict) in &expected.verdicts {
            line(format!("  expected of {}: {verdict}", model.snapshot().name_of(request.interface)));
            for step in &model.explain(request).steps {
                line(format!("      {step}"));
            }
        }
        let got: Vec<String> = got.iter().map(|mac| Mac::ethernet(*mac).to_string()).collect();
        line(format!("  came: {}", if got.is_empty() { "nothing".into() } else { got.join(", ") }));
        let path = std::env::temp_dir().join(format!("arpflux-differential-{}.json", case.seed));
        let stored =
            model.snapshot().to_json().map_err(io::Error::other).and_then(|json| std::fs::write(&path, json));
        match stored {
            Ok(()) => line(format!("  snapshot: {}", path.display())),
            Err(error) => line(format!("  the snapshot could not be stored: {error}")),
        }
        line(replay(case));
        text
    }
}

/// The command that asks a host again.
fn replay(case: &Case) -> String {
    let rules = case.commands.iter().any(|command| matches!(command, case::Command::Nft(_)));
    let name = if rules { "random_rules" } else { "random_hosts" };
    let test = format!("cargo test -p arpflux-tests --test differential {name} -- --nocapture");
    format!("  replay: ARPFLUX_SEED={} ARPFLUX_HOSTS=1 {test}", case.seed)
}

/// The snapshot with what no dump shows but the case knows.
fn known(case: &Case, snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    snapshot.routing.rules_changed = Some(case.rules_changed);
    snapshot.routing.local_routes_added = Some(case.local_routes_added);
    snapshot.routing.realms = Some(false);
    snapshot
}

/// Which kinds of interfaces this kernel has: tried in a namespace of its own.
fn kinds() -> Kinds {
    let tried = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        let lines = [
            "link add kind0 type dummy",
            "link add kind1 type bond",
            "link add kind2 type vrf table 110",
            "link add veth0 type veth peer name veth1",
            "link add kind3 link veth0 type vlan id 10",
            "link add kind4 link veth1 type ipvlan mode l2",
        ];
        ip_batch(&lines.map(String::from), false).ok()?;
        let names = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
        let has = |name: &str| names.lines().any(|line| line.trim_start().starts_with(&format!("{name}:")));
        Some(Kinds {
            dummy: has("kind0"),
            bond: has("kind1"),
            vrf: has("kind2"),
            vlan: has("kind3"),
            ipvlan: has("kind4"),
        })
    });
    tried.join().ok().flatten().unwrap_or_default()
}

/// Asks random hosts, with random rules of nftables if `rules`.
fn ask_hosts(hosts: u64, rules: bool) -> Histogram {
    let seed = setting("ARPFLUX_SEED", 1);
    let workers = setting("ARPFLUX_WORKERS", 2).max(1);
    let until_mismatch = setting("ARPFLUX_UNTIL_MISMATCH", 0) != 0;
    let kinds = kinds();
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let total = Mutex::new((Histogram::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut worker = Worker::new(kinds, rules).expect("a namespace for the wires");
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= hosts || (until_mismatch && !worker.mismatches.is_empty()) {
                        break;
                    }
                    worker
                        .run(seed + at)
                        .unwrap_or_else(|error| panic!("host of seed {}: {error}", seed + at));
                }
                let mut total = total.lock().expect("no worker died");
                total.0.merge(worker.histogram);
                total.1.extend(worker.mismatches);
            });
        }
    });
    let (histogram, mismatches) = total.into_inner().expect("no worker died");
    println!("{histogram}kinds: {kinds:?}; {:.1} s", started.elapsed().as_secs_f64());
    for text in mismatches.iter().take(10) {
        println!("{text}");
    }
    for text in mismatches.iter().skip(10) {
        // The seed is enough to see the rest.
        println!("{} … {}", text.lines().next().unwrap_or_default(), text.lines().last().unwrap_or_default());
    }
    assert!(mismatches.is_empty(), "{} mismatches", mismatches.len());
    histogram
}

#[test]
fn random_hosts() {
    let hosts = setting("ARPFLUX_HOSTS", 200);
    let histogram = ask_hosts(hosts, false);
    if hosts >= 200 {
        // A suite that cannot fail proves nothing: both outcomes often, every reason that can come up.
        assert!(histogram.answered * 5 > histogram.requests, "too few answers");
        assert!(histogram.silent * 5 > histogram.requests, "too few silences");
        assert!(histogram.undetermined * 20 < histogram.requests, "too much undetermined");
        let often = |counts: &BTreeMap<&str, u64>, outcomes: &[&str]| {
            for outcome in outcomes {
                assert!(counts.get(outcome).is_some_and(|count| *count > 50), "{outcome}: {counts:?}");
            }
        };
        often(&histogram.own, &["asks", "no_request", "unreachable"]);
        often(&histogram.learned, &["nothing", "keeps_other", "takes", "takes_confirmed"]);
        often(&histogram.announced, &["silent", "announces"]);
        let elsewhere = [
            // No request can arrive on these in this set-up, or the kernel lacks the kind.
            Reason::NoInterface,
            Reason::LoopbackInterface,
            Reason::Ipv4Disabled,
            Reason::Ipv4DisabledBehind,
            Reason::BridgePortBlocked,
            Reason::BondBackupPort,
            // Of IPv6: tests/discovery has them.
            Reason::Anycast,
            Reason::Ipv6Disabled,
            Reason::GroupNotJoined,
            Reason::UnicastProbe,
            Reason::Tentative,
            Reason::OtherInterface,
            Reason::NoSourceAddress,
            Reason::FixedNeighbour,
            Reason::ProxyNdpOff,
            Reason::NoCarrier,
            Reason::FilterDropsRequest,
            Reason::FilterDropsAnswer,
            Reason::FilterRewrites,
        ];
        let absent: Vec<_> = Reason::ALL
            .iter()
            .filter(|reason| !elsewhere.contains(reason) && !histogram.reasons.contains_key(reason.code()))
            .collect();
        assert!(absent.is_empty(), "reasons that never came up: {absent:?}");
    }
}

#[test]
fn random_rules() {
    let hosts = setting("ARPFLUX_HOSTS", 160);
    let histogram = ask_hosts(hosts, true);
    if hosts >= 160 {
        assert!(histogram.answered * 12 > histogram.requests, "too few answers");
        assert!(
            histogram.not_anonymised * 4 < histogram.hosts * 3,
            "{} not anonymised",
            histogram.not_anonymised
        );
        assert!(histogram.undetermined * 20 < histogram.requests, "too much undetermined");
        for reason in [Reason::FilterDropsRequest, Reason::FilterDropsAnswer, Reason::FilterRewrites] {
            assert!(histogram.reasons.contains_key(reason.code()), "{reason} never came up");
        }
    }
}
