//! The acts of the demo, one function each.

use std::fs::File;
use std::io::BufWriter;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::observe::{Observed, ask, concerns, nic_of, observe, round_trip};
use super::scenario::{CONTAINERS, Scenario, addresses};
use super::{Check, Report, Row, Seen, Telling};
use crate::page::{CLIENT, NICS, POLICY};
use crate::{Recorded, Recorder, write_pcap};
use arpflux_core::apply::Options;
use arpflux_core::error::{Error, Result};
use arpflux_core::frame::Printed;
use arpflux_core::policy::Policy;
use arpflux_core::snapshot::Snapshot;
use arpflux_core::wire::Filter;
use arpflux_core::{Host, Plan};

/// Answers for addresses that nobody proxies come at once.
const SOON: Duration = Duration::from_millis(150);
/// Answers for proxied addresses take up to 0.8 s.
const LATE: Duration = Duration::from_secs(1);
/// Pings each way in the proof.
const PINGS: u16 = 100;

pub(super) struct Demo<'a> {
    out: PathBuf,
    options: Options,
    tell: &'a mut dyn FnMut(Telling),
    scenario: Scenario,
    checks: Vec<Check>,
    files: Vec<PathBuf>,
    start: Instant,
}

impl<'a> Demo<'a> {
    pub fn new(out: &Path, state: &Path, tell: &'a mut dyn FnMut(Telling)) -> Result<Self> {
        let start = Instant::now();
        std::fs::create_dir_all(out).map_err(|error| Error::file("make folder", out, &error))?;
        Ok(Self {
            out: out.to_path_buf(),
            options: Options::default().state_dir(state),
            tell,
            scenario: Scenario::new()?,
            checks: Vec::new(),
            files: Vec::new(),
            start,
        })
    }

    pub fn run(mut self) -> Result<Report> {
        self.introduce();
        self.example_one()?;
        self.arp_filter()?;
        self.example_two()?;
        let before = self.example_three()?;
        let (snapshot, host) = self.snapshot()?;
        let plan = self.plan(&snapshot)?;
        let receipt = host.apply(&plan, self.options.clone())?.leave();
        self.check(
            format!(
                "applied as one transaction, {} of {} changes re-read from the kernel",
                receipt.verified,
                receipt.changes.len()
            ),
            receipt.verified == receipt.changes.len() && !receipt.changes.is_empty(),
            || format!("{:?}", receipt.notes),
        );
        for note in &receipt.notes {
            self.text(note.clone());
        }
        let after = self.prove()?;
        self.again(&host)?;
        self.take_back(&host, &snapshot, &before)?;
        Ok(self.report(&before, &after))
    }

    fn act(&mut self, title: &str) {
        (self.tell)(Telling::Act(title.to_string()));
    }

    fn text(&mut self, text: impl Into<String>) {
        (self.tell)(Telling::Text(text.into()));
    }

    fn command(&mut self, text: &str) {
        (self.tell)(Telling::Command(text.to_string()));
    }

    fn check(&mut self, claim: impl Into<String>, ok: bool, seen: impl FnOnce() -> String) {
        let check = Check { claim: claim.into(), ok, seen: (!ok).then(seen) };
        (self.tell)(Telling::Check(check.clone()));
        self.checks.push(check);
    }

    fn frames(&mut self, frames: &[Recorded], most: usize, notable: impl Fn(&str) -> bool) {
        for frame in frames.iter().take(most) {
            let text = Printed(&frame.frame).to_string();
            let notable = notable(&text);
            (self.tell)(Telling::Frame { text, notable });
        }
        if frames.len() > most {
            self.text(format!("… and {} frames more", frames.len() - most));
        }
    }

    fn save(&mut self, name: &str, frames: &[Recorded]) -> Result<()> {
        let path = self.out.join(name);
        let failed = |error: std::io::Error| Error::file("write", &path, &error);
        let file = File::create(&path).map_err(failed)?;
        write_pcap(BufWriter::new(file), frames).map_err(failed)?;
        self.files.push(path);
        Ok(())
    }

    fn all(&mut self, sysctl: &str, value: i32) -> Result<()> {
        let key = format!("net.ipv4.conf.all.{sysctl}");
        self.command(&format!("HN# sysctl -w {key}={value}"));
        self.scenario.hn.sysctl(&key, value)
    }

    fn introduce(&mut self) {
        self.act("The hardware node, its client and one wire");
        for nic in &NICS {
            self.text(format!("HN      {}  {}  {}/24", nic.name, nic.mac, nic.address));
        }
        self.text(format!("client  eth0  {}  {CLIENT}/24", crate::page::CLIENT_MAC));
    }

    /// Records at the client what a ping of `target` causes, and until `wait` is over.
    fn ping(&mut self, target: Ipv4Addr, wait: Duration) -> Result<Vec<Recorded>> {
        self.scenario.clear_caches()?;
        self.command(&format!("client# ping -c 2 {target}"));
        let start = Instant::now();
        let recorder = Recorder::start(&[(&self.scenario.client, "eth0")], Filter::All)?;
        self.scenario.client.ping(None, target, 2)?;
        std::thread::sleep(wait.saturating_sub(start.elapsed()));
        recorder.stop()
    }

    /// Who answers for the node's own addresses.
    fn own_addresses(&self) -> Result<Vec<(Ipv4Addr, Vec<String>)>> {
        let targets: Vec<_> = NICS.iter().map(|nic| nic.address).collect();
        Ok(ask(&self.scenario, &targets, SOON)?
            .into_iter()
            .map(|(target, one)| {
                let mut names: Vec<_> = one.replies.iter().map(|reply| nic_of(reply.mac)).collect();
                names.sort();
                (target, names)
            })
            .collect())
    }

    fn example_one(&mut self) -> Result<()> {
        self.act("Example One: the kernel's defaults");
        let mut elsewhere = None;
        for nic in &NICS {
            let frames = self.ping(nic.address, SOON)?;
            if nic.address == NICS[0].address {
                self.frames(&frames, 12, |line| line.contains("arp reply 192.168.18.10 "));
                self.save("1-example-one.pcap", &frames)?;
            } else {
                self.text(format!("… {} frames", frames.len()));
            }
            elsewhere = elsewhere.or(round_trip(&frames).filter(|(to, from)| to != from));
        }
        let answers = self.own_addresses()?;
        self.check(
            "all three interfaces answer for each address of the node: flux",
            answers.iter().all(|(_, names)| names.len() == 3),
            || format!("{answers:?}"),
        );
        let said = elsewhere.map_or_else(
            || "a ping goes to one interface and its reply comes from another".to_string(),
            |(to, from)| format!("a ping goes to {} and its reply comes from {}", nic_of(to), nic_of(from)),
        );
        self.check(said, elsewhere.is_some(), || "every reply came from where the ping went".into());
        Ok(())
    }

    fn arp_filter(&mut self) -> Result<()> {
        self.act("A simple fix that does not do here: arp_filter");
        self.all("arp_filter", 1)?;
        let frames = self.ping(NICS[2].address, SOON)?;
        self.frames(&frames, 4, |line| line.contains("arp reply"));
        self.save("2-arp-filter.pcap", &frames)?;
        let answers = self.own_addresses()?;
        self.check(
            "one interface answers, but the same one for all three addresses: that of the first route",
            answers.iter().all(|(_, names)| names.len() == 1 && *names == answers[0].1),
            || format!("{answers:?}"),
        );
        self.all("arp_filter", 0)
    }

    fn example_two(&mut self) -> Result<()> {
        self.act("Example Two: arp_ignore and arp_announce cure the node's own addresses");
        self.all("arp_ignore", 1)?;
        self.all("arp_announce", 2)?;
        let frames = self.ping(NICS[0].address, SOON)?;
        self.frames(&frames, 8, |line| line.contains("arp reply"));
        self.save("3-example-two.pcap", &frames)?;
        let answers = self.own_addresses()?;
        self.check(
            "each address of the node is answered by its own interface only",
            answers.iter().zip(&NICS).all(|((_, names), nic)| *names == [nic.name]),
            || format!("{answers:?}"),
        );
        Ok(())
    }

    fn example_three(&mut self) -> Result<Observed> {
        self.act("Example Three: containers, published by vzctl on every interface");
        self.scenario.start_containers()?;
        for container in &CONTAINERS {
            for nic in &NICS {
                self.command(&format!("HN# ip neigh add proxy {} dev {}", container.address, nic.name));
            }
        }
        let frames = self.ping(CONTAINERS[0].address, LATE)?;
        self.frames(&frames, 12, |line| line.contains("arp reply 192.168.18.101 "));
        self.save("4-example-three.pcap", &frames)?;
        let targets: Vec<_> = CONTAINERS.iter().map(|container| container.address).collect();
        let answers = observe(&self.scenario, &targets, LATE)?;
        self.check(
            "all three interfaces answer for each container, arp_ignore or not: proxied addresses are not its business",
            answers.values().all(|seen| seen.answered_by.len() == 3),
            || format!("{answers:?}"),
        );
        self.check(
            "whatever interface answers, container packets leave by eth0",
            answers.values().all(|seen| seen.left_by == ["eth0"]),
            || format!("{answers:?}"),
        );
        self.text("Back to the defaults, with the containers as vzctl leaves them:");
        self.all("arp_ignore", 0)?;
        self.all("arp_announce", 0)?;
        self.scenario.clear_caches()?;
        let targets: Vec<_> = addresses().map(|(_, address, _)| address).collect();
        let before = observe(&self.scenario, &targets, LATE)?;
        self.check(
            "before: every address floats between three interfaces",
            before.values().all(|seen| seen.answered_by.len() == 3),
            || format!("{before:?}"),
        );
        Ok(before)
    }

    fn snapshot(&mut self) -> Result<(Snapshot, Host)> {
        let host = Host::from(self.scenario.hn.netns().try_clone()?);
        Ok((host.snapshot()?, host))
    }

    fn plan(&mut self, snapshot: &Snapshot) -> Result<Plan> {
        self.act("The policy: 101 by eth3 only, 102 by eth4 only, eth0 for the node alone");
        for line in POLICY.lines().filter(|line| !line.is_empty()) {
            self.text(line);
        }
        self.command("HN# arpflux apply --policy policy.toml");
        let plan = Policy::from_toml(POLICY, "policy.toml")?.plan(snapshot)?;
        for line in plan.to_string().lines() {
            self.text(line);
        }
        self.check("the plan has something to do", !plan.is_empty(), || "it is empty".into());
        Ok(plan)
    }

    /// The proof on the wire, with the policy in force.
    fn prove(&mut self) -> Result<Observed> {
        self.act("The proof: asked from the client, and 100 pings each way");
        let targets: Vec<_> = addresses().map(|(_, address, _)| address).collect();
        let after = observe(&self.scenario, &targets, LATE)?;
        for (owner, address, wanted) in addresses() {
            let seen = after.get(&address).cloned().unwrap_or_default();
            self.check(
                format!("{address} ({owner}): answered by {wanted} only, leaves by {wanted} only"),
                seen.answered_by == [wanted] && seen.left_by == [wanted],
                || format!("{seen:?}"),
            );
        }
        let places: Vec<_> = NICS.iter().map(|nic| (&self.scenario.hn, nic.name)).collect();
        let recorder = Recorder::start(&places, Filter::All)?;
        let pings = self.ping_each_way()?;
        let frames = recorder.stop()?;
        self.check(
            format!("{PINGS} pings each way between the client and both containers: all answered once"),
            pings.iter().all(|(received, duplicates)| (*received, *duplicates) == (PINGS, 0)),
            || format!("(received, duplicates): {pings:?}"),
        );
        for (place, nic) in NICS.iter().enumerate() {
            let here: Vec<_> = frames.iter().filter(|frame| frame.place == place).cloned().collect();
            self.save(&format!("5-proof-{}.pcap", nic.name), &here)?;
            for container in &CONTAINERS {
                let count = here.iter().filter(|frame| concerns(frame, &[container.address])).count();
                if nic.name == container.wanted {
                    // Each ping is a request and a reply, each way.
                    self.check(
                        format!("{}: {count} frames of container {}", nic.name, container.id),
                        count >= 4 * usize::from(PINGS),
                        || format!("fewer than {}", 4 * PINGS),
                    );
                } else {
                    self.check(
                        format!("{}: no frame of container {}, ARP or IP, in or out", nic.name, container.id),
                        count == 0,
                        || format!("{count} of {} frames", here.len()),
                    );
                }
            }
        }
        Ok(after)
    }

    /// Received and duplicate answers: client to 101, client to 102, 101 to client, 102 to client.
    fn ping_each_way(&self) -> Result<Vec<(u16, u16)>> {
        let scenario = &self.scenario;
        let pairs: Vec<_> = CONTAINERS
            .iter()
            .map(|container| (&scenario.client, container.address))
            .chain(scenario.containers.iter().map(|container| (container, CLIENT)))
            .collect();
        std::thread::scope(|scope| {
            let running: Vec<_> =
                pairs.into_iter().map(|(from, to)| scope.spawn(move || from.ping(None, to, PINGS))).collect();
            running
                .into_iter()
                .map(|thread| match thread.join() {
                    Ok(pings) => pings.map(|pings| (pings.received, pings.duplicates)),
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        })
    }

    fn again(&mut self, host: &Host) -> Result<()> {
        let snapshot = host.snapshot()?;
        let plan = Policy::from_toml(POLICY, "policy.toml")?.plan(&snapshot)?;
        self.check("applied again, it finds nothing to do", plan.is_empty(), || {
            format!("{} changes", plan.changes.len())
        });
        Ok(())
    }

    fn take_back(&mut self, host: &Host, snapshot: &Snapshot, before: &Observed) -> Result<()> {
        self.act("Taken back");
        self.command("HN# arpflux rollback");
        host.rollback(None, false, &self.options)?;
        let now = host.snapshot()?;
        self.check(
            "the namespace holds exactly what it held before: addresses, sysctls, routes, rules, proxy entries",
            settled(&now) == settled(snapshot),
            || difference(&settled(snapshot), &settled(&now)),
        );
        let targets: Vec<_> = before.keys().copied().collect();
        let again: Vec<_> =
            ask(&self.scenario, &targets, LATE)?.iter().map(|(_, one)| one.replies.len()).collect();
        self.check("and on the wire every address floats again", again.iter().all(|macs| *macs == 3), || {
            format!("MACs for each address: {again:?}")
        });
        Ok(())
    }

    fn report(self, before: &Observed, after: &Observed) -> Report {
        let seen = |observed: &Observed, address: Ipv4Addr| -> Seen {
            observed.get(&address).cloned().unwrap_or_default()
        };
        Report {
            ok: self.checks.iter().all(|check| check.ok) && !self.checks.is_empty(),
            addresses: addresses()
                .map(|(owner, address, wanted)| Row {
                    address,
                    owner,
                    wanted: wanted.to_string(),
                    before: seen(before, address),
                    after: seen(after, address),
                })
                .collect(),
            checks: self.checks,
            files: self.files,
            took_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// A snapshot without what changes by itself, and without orders that mean nothing.
fn settled(snapshot: &Snapshot) -> Snapshot {
    let mut settled = snapshot.clone();
    settled.neighbours.clear();
    // Sticky in the kernel, once there was a rule of any kind: nothing takes it back.
    settled.routing = arpflux_core::snapshot::RoutingMemory::default();
    settled.proxies.sort();
    settled.routes.sort_by_key(|route| format!("{route:?}"));
    settled
}

/// The first words in which two snapshots differ.
fn difference(before: &Snapshot, now: &Snapshot) -> String {
    let lines = |snapshot: &Snapshot| format!("{snapshot:#?}");
    let (before, now) = (lines(before), lines(now));
    before.lines().zip(now.lines()).find(|(before, now)| before != now).map_or_else(
        || "one has more entries".into(),
        |(before, now)| format!("{} became {}", before.trim(), now.trim()),
    )
}
