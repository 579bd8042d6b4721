//! The model of neighbour discovery against the running kernel: random hosts in namespaces, real solicitations, every
//! answer compared, with its MAC, its flags and whether it waits.
//!
//! More, other or single hosts by the environment: `ARPFLUX_HOSTS` (60), `ARPFLUX_SEED` (1), `ARPFLUX_VERBOSE`.

mod case;
mod host;
mod proofs;
#[path = "../differential/rng.rs"]
mod rng;
mod ruleset;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use arpflux_core::frame::{Ndp, solicited_node, solicited_node_mac};
use arpflux_core::predict::{Advertised, Missing, Model, Reason, Solicitation, Verdict};
use arpflux_core::snapshot::{AddressFlags, LinkKind, Snapshot};
use arpflux_core::types::Mac;
use arpflux_tests::anonymous::Anonymous;
use nix::sched::{CloneFlags, unshare};

use case::{Case, Command};
use host::{Heard, Host, decides};
use rng::Rng;

const QUESTIONS: usize = 100;
const CHUNK: usize = 25;
/// How long silence is waited for.
const QUIET: Duration = Duration::from_millis(40);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A solicitation, in terms of the case.
#[derive(Debug, Clone, Copy)]
struct Ask {
    nic: usize,
    number: u32,
    to: Option<Mac>,
    source: Ipv6Addr,
    target: Ipv6Addr,
}

impl Ask {
    /// The MAC that it is asked with, which names it.
    fn asker(&self) -> Mac {
        let [a, b, c, d] = self.number.to_be_bytes();
        Mac::ethernet([0x02, 0xa9, a, b, c, d])
    }

    fn frame(&self) -> Vec<u8> {
        let probe = self.source.is_unspecified();
        let source_mac = (!probe).then(|| self.asker());
        let message = Ndp::Solicitation { target: self.target, source_mac };
        let to = match self.to {
            Some(mac) => (mac, self.target),
            None => (solicited_node_mac(self.target), solicited_node(self.target)),
        };
        message.to_frame((self.asker(), self.source), to)
    }

    /// The interfaces that handle it.
    fn solicitations(&self, snapshot: &Snapshot) -> Vec<Solicitation> {
        let name = format!("eth{}", self.nic);
        let Some(nic) = snapshot.interface_named(&name.parse().unwrap()) else { return Vec::new() };
        let on = |interface| Solicitation {
            interface,
            source: self.source,
            source_mac: Some(self.asker()),
            target: self.target,
            unicast: self.to.is_some(),
        };
        let above = snapshot
            .interfaces
            .iter()
            .filter(|upper| upper.kind == Some(LinkKind::Macvlan) && upper.link == Some(nic.index));
        match self.to {
            None => [nic].into_iter().chain(above).map(|interface| on(interface.index)).collect(),
            Some(mac) => {
                let upper = above.into_iter().find(|upper| upper.mac == mac);
                vec![on(upper.map_or(nic.index, |upper| upper.index))]
            }
        }
    }
}

/// An answer as it is compared.
type Answer = (Mac, Advertised);

fn sorted(mut answers: Vec<Answer>) -> Vec<Answer> {
    answers.sort_by_key(|(mac, flags)| {
        (mac.as_bytes().to_vec(), flags.router, flags.solicited, flags.overrides)
    });
    answers
}

/// What the model says: the answers that come at once; `None`: it cannot be told.
fn expected(verdicts: &[Verdict]) -> Option<Vec<Answer>> {
    let mut answers = Vec::new();
    for verdict in verdicts {
        match verdict {
            Verdict::Answers { mac, advertised: Some(flags), delay: None, .. } => {
                answers.push((*mac, *flags));
            }
            // Delays of the hosts are so long that nobody waits for the answer.
            Verdict::Answers { delay: Some(_), .. } | Verdict::Silent { .. } => {}
            Verdict::Answers { advertised: None, .. } => panic!("an advertisement has flags"),
            Verdict::Undetermined { .. } => return None,
        }
    }
    Some(sorted(answers))
}

/// Sends questions and gives the answers of each.
fn ask_all(host: &mut Host, asks: &[Ask], awaited: usize, quiet: Duration) -> io::Result<Vec<Vec<Answer>>> {
    for ask in asks {
        host.send(ask.nic, &ask.frame())?;
    }
    let mut heard: Vec<Heard> = Vec::new();
    let mut wait = Duration::from_secs(if awaited > 0 { 1 } else { 0 }).max(quiet);
    while let Some(one) = host.hear(wait)? {
        heard.push(one);
        wait = if heard.len() < awaited { Duration::from_secs(1).max(quiet) } else { quiet };
    }
    let answers = asks.iter().map(|ask| {
        let of = heard.iter().filter(|one| {
            let to = if ask.source.is_unspecified() {
                Mac::ethernet([0x33, 0x33, 0, 0, 0, 1])
            } else {
                ask.asker()
            };
            one.nic == ask.nic && one.to == to && one.message.target() == ask.target
        });
        sorted(of.filter_map(answer).collect())
    });
    Ok(answers.collect())
}

fn answer(heard: &Heard) -> Option<Answer> {
    let Ndp::Advertisement { router, solicited, overrides, target_mac, .. } = heard.message else {
        return None;
    };
    // The option may be left out; if it is there it says the same.
    let mac = target_mac.unwrap_or(heard.from);
    assert_eq!(mac, heard.from, "{heard:?}");
    Some((mac, Advertised { router, solicited, overrides }))
}

/// Addresses worth asking for and from.
struct Interesting {
    own: Vec<Ipv6Addr>,
    proxied: Vec<Ipv6Addr>,
    others: Vec<Ipv6Addr>,
    senders: Vec<Ipv6Addr>,
    /// A probe for these would end their detection, and change the host.
    fragile: HashSet<Ipv6Addr>,
}

impl Interesting {
    fn of(snapshot: &Snapshot, rng: &mut Rng) -> Self {
        let v6 = |address: IpAddr| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        };
        let own: Vec<Ipv6Addr> = snapshot.addresses.iter().filter_map(|held| v6(held.local)).collect();
        let proxied: Vec<Ipv6Addr> = snapshot.proxies.iter().filter_map(|entry| v6(entry.address)).collect();
        let mut others: Vec<Ipv6Addr> = Vec::new();
        for held in &snapshot.addresses {
            others.extend(held.peer.and_then(v6));
            others.extend(v6(held.subnet().network()));
        }
        for on in snapshot.discovery.iter().flat_map(|discovery| &discovery.interfaces) {
            others.extend(&on.anycast);
        }
        for net in ["2001:db8:1::", "2001:db8:2::", "fd00:5::", "fe80::", "2001:db8:9::"] {
            let net: Ipv6Addr = net.parse().unwrap();
            others.push(Ipv6Addr::from_bits(net.to_bits() | rng.below(12) as u128));
        }
        // Few senders: each that is answered becomes a neighbour, and the machine has one table for them.
        let mut senders: Vec<Ipv6Addr> =
            snapshot.neighbours.iter().filter_map(|entry| v6(entry.address)).collect();
        for _ in 0..5 {
            let net: Ipv6Addr = rng.pick(&["2001:db8:1::", "2001:db8:2::", "fe80::"]).parse().unwrap();
            senders.push(Ipv6Addr::from_bits(net.to_bits() | (0x40 + rng.below(4) as u128)));
            senders.push(Ipv6Addr::from_bits(net.to_bits() | rng.below(12) as u128));
        }
        senders.retain(|sender| !sender.is_unspecified() && !sender.is_multicast());
        senders.push("2001:db8:77::1".parse().unwrap());
        senders.push("::ffff:10.0.0.1".parse().unwrap());
        let detecting =
            |flags: AddressFlags| flags.intersects(AddressFlags::TENTATIVE | AddressFlags::OPTIMISTIC);
        let fragile = snapshot.addresses.iter().filter(|held| detecting(held.flags));
        Self { fragile: fragile.filter_map(|held| v6(held.local)).collect(), own, proxied, others, senders }
    }

    fn target(&self, rng: &mut Rng) -> Ipv6Addr {
        let of = |list: &[Ipv6Addr], rng: &mut Rng| (!list.is_empty()).then(|| list[rng.below(list.len())]);
        let chosen = match rng.below(100) {
            0..=49 => of(&self.own, rng),
            50..=79 => of(&self.proxied, rng),
            80..=95 => of(&self.others, rng),
            96 => Some(Ipv6Addr::LOCALHOST),
            97 => Some("ff02::1".parse().unwrap()),
            _ => Some("2001:db8:ffff::1".parse().unwrap()),
        };
        chosen.unwrap_or(self.others[0])
    }

    fn sender(&self, rng: &mut Rng) -> Ipv6Addr {
        match rng.below(100) {
            0..=84 => self.senders[rng.below(self.senders.len())],
            85..=92 if !self.own.is_empty() => self.own[rng.below(self.own.len())],
            93 => Ipv6Addr::LOCALHOST,
            94 => "ff02::5".parse().unwrap(),
            _ => self.senders[0],
        }
    }
}

#[derive(Debug, Default)]
struct Histogram {
    hosts: u64,
    asked: u64,
    answered: u64,
    undetermined: u64,
    restless: u64,
    not_anonymised: u64,
    reasons: BTreeMap<&'static str, u64>,
    missing: BTreeMap<&'static str, u64>,
}

impl Histogram {
    fn add(&mut self, verdicts: &[Verdict], expected: Option<&Vec<Answer>>) {
        self.asked += 1;
        self.answered += u64::from(expected.is_some_and(|answers| !answers.is_empty()));
        self.undetermined += u64::from(expected.is_none());
        for verdict in verdicts {
            let delayed = matches!(verdict, Verdict::Answers { delay: Some(_), .. });
            if let Some(reason) = verdict.reason() {
                *self.reasons.entry(if delayed { "delayed" } else { reason.code() }).or_default() += 1;
            }
            for missing in verdict.missing().iter() {
                *self.missing.entry(missing.code()).or_default() += 1;
            }
        }
    }
}

/// Asks one host; what was not as the model says.
fn ask_host(case: &Case, histogram: &mut Histogram) -> io::Result<Vec<String>> {
    let label = format!("n{:x}", case.seed & 0xff_ffff);
    let mut host = Host::build(&case.commands, case.nics, &label)?;
    let mut rng = Rng::new(case.seed ^ 0x5eed);
    let snapshot = host.at_rest()?;
    let model = Model::new(&snapshot).map_err(io::Error::other)?;
    let interesting = Interesting::of(&snapshot, &mut rng);
    let up: Vec<usize> = (0..case.nics).filter(|nic| is_up(&snapshot, *nic)).collect();
    if up.is_empty() {
        return Ok(Vec::new());
    }
    let mut asks: Vec<Ask> = Vec::new();
    for number in 0..QUESTIONS as u32 {
        let (nic, target) = (up[rng.below(up.len())], interesting.target(&mut rng));
        let probe = rng.percent(20) && !interesting.fragile.contains(&target);
        let source = if probe { Ipv6Addr::UNSPECIFIED } else { interesting.sender(&mut rng) };
        let unicast = rng.percent(if probe { 5 } else { 35 });
        let to = unicast.then(|| mac_for(&snapshot, nic, &mut rng));
        let begun = asks.len() / CHUNK * CHUNK;
        let asked_already = |other: &Ask| other.source.is_unspecified() && other.target == target;
        // An answer to a probe goes to all and does not say which it answers.
        if probe && asks[begun..].iter().any(asked_already) {
            continue;
        }
        asks.push(Ask { nic, number, to, source, target });
    }
    let mut wrong = anonymised(case, &model, &asks, histogram);
    let mut counted = Vec::new();
    for chunk in asks.chunks(CHUNK) {
        let verdicts: Vec<Vec<Verdict>> = chunk
            .iter()
            .map(|ask| ask.solicitations(&snapshot).iter().map(|one| model.advertise(one)).collect())
            .collect();
        let expected: Vec<Option<Vec<Answer>>> = verdicts.iter().map(|verdicts| expected(verdicts)).collect();
        let awaited = expected.iter().flatten().map(Vec::len).sum();
        let got = ask_all(&mut host, chunk, awaited, QUIET)?;
        for (((ask, verdicts), expected), got) in chunk.iter().zip(verdicts).zip(expected).zip(got) {
            if let Some(answers) = &expected
                && *answers != got
            {
                // On a busy machine an answer may come late: once more, alone and with patience.
                let got = ask_all(&mut host, &[*ask], answers.len(), Duration::from_millis(400))?.remove(0);
                if *answers != got {
                    wrong.push(report(case, &model, ask, answers, &got));
                }
            }
            counted.push((verdicts, expected));
        }
    }
    histogram.hosts += 1;
    if decides(&host.snapshot()?) != decides(&snapshot) {
        // Something changed while it was asked, which no prediction is about.
        histogram.restless += 1;
        if !wrong.is_empty() {
            println!("seed {}: changed while it was asked, {} answers not counted", case.seed, wrong.len());
        }
        return Ok(Vec::new());
    }
    for (verdicts, expected) in counted {
        histogram.add(&verdicts, expected.as_ref());
    }
    Ok(wrong)
}

/// What the model says otherwise of the host with other names, addresses and MACs.
fn anonymised(case: &Case, model: &Model<'_>, asks: &[Ask], histogram: &mut Histogram) -> Vec<String> {
    let Some(other) = Anonymous::of(model.snapshot()) else {
        histogram.not_anonymised += 1;
        return Vec::new();
    };
    let of_other = Model::new(&other.snapshot).unwrap();
    let asked = asks.iter().flat_map(|ask| ask.solicitations(model.snapshot()));
    let differ = asked.filter_map(|one| other.solicitation(&of_other, &one, &model.advertise(&one)));
    differ.map(|text| format!("seed {}: {text}", case.seed)).collect()
}

fn is_up(snapshot: &Snapshot, nic: usize) -> bool {
    let name = format!("eth{nic}").parse().unwrap();
    snapshot.interface_named(&name).is_some_and(|interface| interface.carrier)
}

/// The MAC of the interface, or of what stands above it.
fn mac_for(snapshot: &Snapshot, nic: usize, rng: &mut Rng) -> Mac {
    let name = format!("eth{nic}").parse().unwrap();
    let Some(interface) = snapshot.interface_named(&name) else { return Mac::NONE };
    let above = snapshot
        .interfaces
        .iter()
        .find(|upper| upper.link == Some(interface.index) && upper.kind == Some(LinkKind::Macvlan));
    let master = interface.master.and_then(|index| snapshot.interface(index));
    above.or(master).filter(|_| rng.percent(50)).map_or(interface.mac, |above| above.mac)
}

fn report(case: &Case, model: &Model<'_>, ask: &Ask, expected: &[Answer], got: &[Answer]) -> String {
    let commands: Vec<String> = case.commands.iter().map(Command::to_string).collect();
    let steps: Vec<String> =
        ask.solicitations(model.snapshot()).iter().map(|one| model.explain(one).to_string()).collect();
    format!(
        "MISMATCH seed {}\n{}\n{ask:?}\nexpected {expected:?}\ngot      {got:?}\n{}",
        case.seed,
        commands.join("\n"),
        steps.join("\n")
    )
}

/// A thread with a namespace of its own without IPv6, for the far ends.
fn on_a_wire<R: Send>(work: impl FnOnce() -> io::Result<R> + Send) -> io::Result<R> {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            for scope in ["all", "default"] {
                std::fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1")?;
            }
            work()
        });
        match inside.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Asks hosts drawn from the seeds; none may answer otherwise than the model says.
fn ask_hosts(hosts: u64, with_rules: bool) -> Histogram {
    let seed = setting("ARPFLUX_SEED", 1);
    let (histogram, wrong) = on_a_wire(|| {
        let (mut histogram, mut wrong) = (Histogram::default(), Vec::new());
        for seed in seed..seed + hosts {
            let case = Case::draw(seed);
            let case = if with_rules { case.with_rules() } else { case };
            if setting("ARPFLUX_VERBOSE", 0) != 0 {
                case.commands.iter().for_each(|command| eprintln!("{command}"));
            }
            let found =
                ask_host(&case, &mut histogram).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            wrong.extend(found);
        }
        Ok((histogram, wrong))
    })
    .unwrap();
    println!("{histogram:#?}");
    for text in wrong.iter().take(8) {
        println!("{text}");
    }
    assert!(wrong.is_empty(), "{} mismatches", wrong.len());
    histogram
}

#[test]
fn random_rules() {
    let hosts = setting("ARPFLUX_HOSTS", 60);
    let histogram = ask_hosts(hosts, true);
    if hosts >= 60 {
        assert!(histogram.answered * 25 > histogram.asked, "too few answers");
        assert!(
            histogram.not_anonymised * 4 < histogram.hosts * 3,
            "{} not anonymised",
            histogram.not_anonymised
        );
        assert!(histogram.undetermined * 20 < histogram.asked, "too much undetermined");
        for reason in
            [Reason::Local, Reason::ProxyEntry, Reason::FilterDropsRequest, Reason::FilterDropsAnswer]
        {
            assert!(histogram.reasons.contains_key(reason.code()), "{reason} never came up");
        }
        assert!(histogram.missing.contains_key(Missing::Netfilter.code()), "no rule was left open");
    }
}

#[test]
fn random_hosts() {
    let hosts = setting("ARPFLUX_HOSTS", 60);
    let histogram = ask_hosts(hosts, false);
    if hosts >= 60 {
        // A suite that cannot fail proves nothing: both outcomes often, every reason that can come up.
        assert!(histogram.answered * 6 > histogram.asked, "too few answers");
        assert!(histogram.undetermined * 20 < histogram.asked, "too much undetermined");
        assert!(histogram.restless * 5 < histogram.hosts, "too many hosts that change by themselves");
        for reason in [
            Reason::Local,
            Reason::ProxyEntry,
            Reason::Anycast,
            Reason::GroupNotJoined,
            Reason::UnicastProbe,
            Reason::Tentative,
            Reason::OtherInterface,
            Reason::FixedNeighbour,
            Reason::ProxyNdpOff,
            Reason::ForwardingOff,
            Reason::NotProxied,
            Reason::MartianSender,
            Reason::LoopbackSender,
            Reason::MulticastTarget,
            Reason::NoRoute,
            Reason::RouteRejects,
        ] {
            assert!(histogram.reasons.contains_key(reason.code()), "{reason} never came up");
        }
        assert!(histogram.reasons.contains_key("delayed"), "no answer that waits came up");
    }
}
