//! Facts about the kernel, one a file of `scenarios/`: run through the model and on the kernel.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use arpflux_core::predict::{Learning, Missing, Model, Outgoing, Verdict};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::Mac;
use serde::Deserialize;

use crate::Worker;
use crate::ask::{Ask, Expected};
use crate::case::{Case, Command, Kinds};
use crate::host::Host;
use crate::learn::Told;
use crate::own;
use crate::wire::Answers;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    /// The numbers of the facts in docs/kernels.md.
    #[expect(dead_code, reason = "for readers")]
    facts: Vec<u32>,
    nics: usize,
    step: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    note: String,
    /// Whether the rules have been changed by now, in this step or before.
    #[serde(default)]
    rules_changed: bool,
    #[serde(default)]
    local_routes_added: bool,
    /// Arguments of `ip`, `sysctl PATH=VALUE` below `net/ipv4`, or `far ethN up|down`.
    #[serde(rename = "do", default)]
    commands: Vec<String>,
    /// How long the kernel may take for that, in ms: it looks at carriers once a second at most.
    #[serde(default = "soon")]
    within_ms: u64,
    /// The machine's neighbour table gets room for so many more entries. Only on a machine of our own.
    neighbour_room: Option<u32>,
    #[serde(default)]
    ask: Vec<Question>,
    /// Afterwards: packets that the host sends itself.
    #[serde(default)]
    own: Vec<OwnPacket>,
    /// Afterwards, in order: frames that say something of their sender.
    #[serde(default)]
    tell: Vec<Frame>,
    /// Afterwards: many requests at once.
    #[serde(default)]
    burst: Vec<Burst>,
}

/// A packet of the host's own, and the request it asks with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnPacket {
    to: Ipv4Addr,
    from: Option<Ipv4Addr>,
    by: Option<String>,
    /// The interface whose MAC the request has; absent: the host asks nobody.
    asks: Option<String>,
    /// The sender's address in the request.
    tell: Option<Ipv4Addr>,
    /// Whether that teaches others a wrong MAC.
    #[serde(default)]
    teaches_wrong_mac: bool,
}

/// A frame, and what the host learns from it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    on: String,
    from: Ipv4Addr,
    #[serde(rename = "for")]
    target: Ipv4Addr,
    #[serde(default)]
    reply: bool,
    #[serde(default)]
    unicast: bool,
    /// How long to wait before it, in ms.
    #[serde(default)]
    after_ms: u64,
    /// `nothing`, `keeps_other`, `takes` or `takes_confirmed`.
    learning: String,
}

/// The same request, so many times at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Burst {
    on: String,
    from: Ipv4Addr,
    #[serde(rename = "for")]
    target: Ipv4Addr,
    count: u32,
    answers: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    on: String,
    from: Ipv4Addr,
    #[serde(rename = "for")]
    target: Ipv4Addr,
    #[serde(default)]
    unicast: bool,
    /// The interface whose MAC answers, or `none`; absent where kernels differ, and then the model alone
    /// says what is right.
    answer: Option<String>,
    reason: Option<String>,
    /// What the model lacks to say anything: then the kernel alone must do as `answer` says.
    missing: Option<String>,
    /// The kernel from which on this is so; before it, model and kernel only have to agree.
    since: Option<(u32, u32)>,
}

/// Carrier changes reach the routes a moment later.
const fn soon() -> u64 {
    15
}

fn command(line: &str) -> Command {
    if let Some(rest) = line.strip_prefix("sysctl ") {
        let (path, value) = rest.split_once('=').expect("sysctl PATH=VALUE");
        return Command::Sysctl(path.into(), value.parse().expect("a number"));
    }
    if let Some(line) = line.strip_prefix("nft ") {
        return Command::Nft(line.into());
    }
    for (word, program) in
        [("arptables ", "arptables-nft"), ("arptables-legacy ", "arptables-legacy"), ("tc ", "tc")]
    {
        if let Some(line) = line.strip_prefix(word) {
            return Command::Filter(program, line.into());
        }
    }
    if let Some(rest) = line.strip_prefix("far eth") {
        let (nic, state) = rest.split_once(' ').expect("far ethN up|down");
        return Command::Far(nic.parse().expect("a number"), state == "up");
    }
    Command::Ip(line.into())
}

impl Worker {
    /// Runs a scenario; what is not as it says is returned.
    fn scenario(
        &mut self,
        name: &str,
        scenario: &Scenario,
        limit: Option<&Limit>,
    ) -> io::Result<Vec<String>> {
        // The far ends are named by it.
        self.number += 1;
        let mut case = Case::bare(scenario.nics);
        let (mut rules_changed, mut local_routes_added) = (false, false);
        let mut wrong = Vec::new();
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
                let wire = std::sync::Arc::clone(&self.wire);
                let mut host = Host::build(&case, &wire, self.thread, format!("s{:x}", self.number))?;
                for step in &scenario.step {
                    rules_changed |= step.rules_changed;
                    local_routes_added |= step.local_routes_added;
                    case.commands = step.commands.iter().map(|line| command(line)).collect();
                    host.carry_out(&case.commands, true)?;
                    std::thread::sleep(Duration::from_millis(step.within_ms));
                    if let (Some(room), Some(limit)) = (step.neighbour_room, limit) {
                        limit.leave_room(&mut host, room)?;
                    }
                    let mut snapshot = host.snapshot()?;
                    snapshot.routing.rules_changed = Some(rules_changed);
                    snapshot.routing.local_routes_added = Some(local_routes_added);
                    snapshot.routing.realms = Some(false);
                    let mut found = Vec::new();
                    for question in &step.ask {
                        found.extend(self.question(&snapshot, question)?);
                    }
                    for packet in &step.own {
                        found.extend(self.own_packet(&snapshot, packet)?);
                    }
                    for frame in &step.tell {
                        found.extend(self.told(&case, &mut host, &snapshot, frame)?);
                    }
                    for burst in &step.burst {
                        found.extend(self.burst(&snapshot, burst)?);
                    }
                    let place = format!("{name} ({}), {}", scenario.title, step.note);
                    wrong.extend(found.iter().map(|text| format!("{place}: {text}")));
                }
                host.clear();
                Ok(wrong)
            });
            match inside.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn question(&mut self, snapshot: &Snapshot, question: &Question) -> io::Result<Option<String>> {
        let named = |name: &str| {
            let name = name.parse().expect("an interface name");
            snapshot.interface_named(&name).unwrap_or_else(|| panic!("no interface {name}"))
        };
        let nic = named(&question.on);
        let to = if question.unicast { nic.mac } else { Mac::BROADCAST };
        let ask = Ask { nic: nic.index, to, vlan: None, sender: question.from, target: question.target };
        let model = Model::new(snapshot).unwrap();
        let expected = Expected::of(&model, &ask);
        let mut answers = Answers::default();
        let number = self.number;
        self.send(snapshot, &ask)?;
        let awaited = expected.macs.as_ref().map_or(usize::MAX, |macs| macs.len().max(1));
        // 300 ms are the longest delay that a scenario sets.
        self.collect(&mut answers, awaited, if expected.delay() > 0 { 500 } else { 40 })?;
        let got = answers.of(number, ask.target);
        let line = format!("{} asks for {} on {}", question.from, question.target, question.on);
        let steps = |verdicts: &[(_, Verdict)]| {
            verdicts.iter().map(|(request, _)| model.explain(request).to_string()).collect::<String>()
        };
        let missing: Vec<_> = expected
            .verdicts
            .iter()
            .filter_map(|(_, verdict)| match verdict {
                Verdict::Undetermined { missing } => Some(missing.iter().map(Missing::code)),
                _ => None,
            })
            .flatten()
            .collect();
        if missing != question.missing.iter().map(String::as_str).collect::<Vec<_>>() {
            return Ok(Some(format!("{line}: missing is {missing:?}, should be {:?}", question.missing)));
        }
        if missing.is_empty() && expected.macs.as_ref() != Some(&got) {
            let text = steps(&expected.verdicts);
            return Ok(Some(format!(
                "{line}: the model says {:?}, the kernel {got:?}\n{text}",
                expected.macs
            )));
        }
        let old = question.since.is_some_and(|since| kernel_version() < since);
        if old {
            return Ok(None);
        }
        if let Some(answer) = &question.answer {
            let wanted: Vec<_> = match answer.as_str() {
                "none" => Vec::new(),
                name => named(name).mac.octets().into_iter().collect(),
            };
            if wanted != got {
                return Ok(Some(format!("{line}: should be answered by {answer}, came {got:?}")));
            }
        }
        let reason = expected.verdicts.first().and_then(|(_, verdict)| verdict.reason());
        if let (Some(wanted), Some(reason)) = (&question.reason, reason)
            && wanted != reason.code()
        {
            let text = steps(&expected.verdicts);
            return Ok(Some(format!("{line}: the reason should be {wanted}, is {}\n{text}", reason.code())));
        }
        Ok(None)
    }
}

impl Worker {
    fn own_packet(&mut self, snapshot: &Snapshot, packet: &OwnPacket) -> io::Result<Option<String>> {
        let index = |name: &String| {
            let name = name.parse().expect("an interface name");
            snapshot.interface_named(&name).map(|interface| interface.index)
        };
        let by = packet.by.as_ref().and_then(index);
        let expected = Model::new(snapshot).unwrap().outgoing(packet.to, packet.from, by);
        let line = format!("to {} from {:?} by {:?}", packet.to, packet.from, packet.by);
        let wanted = packet.asks.as_ref().and_then(index);
        let said = match expected {
            Outgoing::Asks { interface, sender, .. } => (Some(interface), Some(sender)),
            _ => (None, None),
        };
        if said != (wanted, packet.tell) || expected.teaches_wrong_mac(snapshot) != packet.teaches_wrong_mac {
            return Ok(Some(format!("{line}: the model says {expected:?}")));
        }
        let _sink = own::sink()?;
        let socket = own::socket(snapshot, packet.from, by)?;
        while self.wire.receive(0)?.is_some() {}
        let sent = socket.send_to(b"arpflux", (packet.to, 9));
        let (_, right, came) = self.compare(&expected, packet.to, &sent)?;
        Ok((!right).then(|| format!("{line}: the model says {expected:?}, {sent:?}, came {came:?}")))
    }

    fn told(
        &mut self,
        case: &Case,
        host: &mut Host<'_>,
        snapshot: &Snapshot,
        frame: &Frame,
    ) -> io::Result<Option<String>> {
        let name = frame.on.parse().expect("an interface name");
        let nic = snapshot.interface_named(&name).expect("an interface");
        std::thread::sleep(Duration::from_millis(frame.after_ms));
        let to = if frame.unicast { nic.mac } else { Mac::BROADCAST };
        let ask = Ask { nic: nic.index, to, vlan: None, sender: frame.from, target: frame.target };
        let told = Told { ask, reply: frame.reply, same_mac: true, changed_ms: 20 + frame.after_ms };
        let outcomes = self.tell(case, host, &[told])?;
        let [outcome] = outcomes.as_slice() else { return Ok(Some(format!("{frame:?}: not handled"))) };
        let learning = match outcome.learning {
            Learning::Nothing => "nothing",
            Learning::KeepsOther => "keeps_other",
            Learning::Takes { confirmed: false } => "takes",
            Learning::Takes { confirmed: true } => "takes_confirmed",
            Learning::Undetermined { .. } => "undetermined",
        };
        if learning != frame.learning {
            return Ok(Some(format!("{frame:?}: the model says {learning}")));
        }
        Ok(outcome.wrong.clone())
    }

    /// As long as the first answers are not due before the last request, the queue decides.
    fn burst(&mut self, snapshot: &Snapshot, burst: &Burst) -> io::Result<Option<String>> {
        let name = burst.on.parse().expect("an interface name");
        let nic = snapshot.interface_named(&name).expect("an interface").index;
        let ask = Ask { nic, to: Mac::BROADCAST, vlan: None, sender: burst.from, target: burst.target };
        let expected = Expected::of(&Model::new(snapshot).unwrap(), &ask);
        let said = match expected.verdicts.first() {
            // One more than may wait: the queue is looked at before it grows (pneigh_enqueue()).
            Some((_, Verdict::Answers { delay: Some(delay), .. })) => burst.count.min(delay.queue + 1),
            Some((_, Verdict::Answers { delay: None, .. })) => burst.count,
            _ => 0,
        };
        let line = format!("{burst:?}");
        if said != burst.answers {
            return Ok(Some(format!("{line}: the model says {said}")));
        }
        let mut came = Vec::new();
        // An answer that is due early makes room for another one.
        for _ in 0..5 {
            for _ in 0..burst.count {
                self.send(snapshot, &ask)?;
            }
            let mut answers = Answers::default();
            self.collect(&mut answers, usize::MAX, 100 + expected.delay())?;
            came.push(answers.count());
            if came.last() == Some(&(burst.answers as usize)) {
                return Ok(None);
            }
        }
        Ok(Some(format!("{line}: came {came:?}")))
    }
}

/// The limit of the machine's neighbour table.
struct Limit(std::fs::File);

impl Limit {
    /// The calling thread must be in the first namespace, where alone it is to be seen. `None`: this machine
    /// is not ours alone.
    fn open() -> Option<Self> {
        std::env::var_os("ARPFLUX_OWN_MACHINE")?;
        let path = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";
        Some(Self(std::fs::File::options().read(true).write(true).open(path).expect("the limit")))
    }

    fn set(&self, limit: u32) -> io::Result<()> {
        (&self.0).write_all(limit.to_string().as_bytes())
    }

    /// Leaves room for `room` more entries than there are, once no more of them go.
    fn leave_room(&self, host: &mut Host<'_>, room: u32) -> io::Result<()> {
        let mut entries = u32::MAX;
        for _ in 0..50 {
            let now = host.neighbour_table()?.entries;
            if now == entries {
                break;
            }
            entries = now;
            std::thread::sleep(Duration::from_millis(300));
        }
        self.set(entries + room)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = self.set(1024);
    }
}

fn kernel_version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[test]
fn facts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let scenarios: Vec<(String, Scenario)> = files
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a readable file");
            let scenario =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(), scenario)
        })
        .collect();
    assert!(scenarios.len() >= 30, "only {} scenarios in {}", scenarios.len(), folder.display());
    let limit = Limit::open();
    // A thread of its own: it leaves its namespace.
    let (asked, wrong) = std::thread::spawn(move || {
        let mut worker = Worker::new(Kinds::default(), false).expect("a namespace for the wires");
        let mut wrong = Vec::new();
        for (name, scenario) in &scenarios {
            if limit.is_none() && scenario.step.iter().any(|step| step.neighbour_room.is_some()) {
                println!("{name} needs a machine of its own: tests/support/kernels runs it");
                continue;
            }
            wrong.extend(
                worker
                    .scenario(name, scenario, limit.as_ref())
                    .unwrap_or_else(|error| panic!("{name}: {error}")),
            );
        }
        (worker.number, wrong)
    })
    .join()
    .expect("the scenarios ran");
    println!("{asked} questions of {} scenarios", files.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
