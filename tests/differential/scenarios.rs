//! Facts about the kernel, one a file of `scenarios/`: run through the model and on the kernel.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use arpflux_core::predict::{Model, Verdict};
use arpflux_core::snapshot::{RoutingMemory, Snapshot};
use arpflux_core::types::Mac;
use serde::Deserialize;

use crate::Worker;
use crate::ask::{Ask, Expected};
use crate::case::{Case, Command, Kinds};
use crate::host::Host;
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
    #[serde(rename = "do")]
    commands: Vec<String>,
    ask: Vec<Question>,
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
    /// The kernel from which on this is so; before it, model and kernel only have to agree.
    since: Option<(u32, u32)>,
}

fn command(line: &str) -> Command {
    if let Some(rest) = line.strip_prefix("sysctl ") {
        let (path, value) = rest.split_once('=').expect("sysctl PATH=VALUE");
        return Command::Sysctl(path.into(), value.parse().expect("a number"));
    }
    if let Some(rest) = line.strip_prefix("far eth") {
        let (nic, state) = rest.split_once(' ').expect("far ethN up|down");
        return Command::Far(nic.parse().expect("a number"), state == "up");
    }
    Command::Ip(line.into())
}

impl Worker {
    /// Runs a scenario; what is not as it says is returned.
    fn scenario(&mut self, name: &str, scenario: &Scenario) -> io::Result<Vec<String>> {
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
                    // Carrier changes reach the routes a moment later.
                    std::thread::sleep(Duration::from_millis(15));
                    let seen = host.snapshot()?;
                    let routing = RoutingMemory {
                        rules_changed: Some(rules_changed),
                        local_routes_added: Some(local_routes_added),
                        realms: Some(false),
                    };
                    let snapshot = Snapshot { routing, ..seen };
                    for question in &step.ask {
                        if let Some(text) = self.question(&snapshot, question)? {
                            wrong.push(format!("{name} ({}), {}: {text}", scenario.title, step.note));
                        }
                    }
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
        let model = Model::new(snapshot);
        let expected = Expected::of(&model, &ask);
        let mut answers = Answers::default();
        let number = self.number;
        self.send(snapshot, &ask)?;
        let awaited = expected.macs.as_ref().map_or(usize::MAX, |macs| macs.len().max(1));
        // 300 ms are the longest delay that a scenario sets.
        self.collect(&mut answers, awaited, if expected.delay() > 0 { 500 } else { 40 })?;
        let got = answers.of(number);
        let line = format!("{} asks for {} on {}", question.from, question.target, question.on);
        let steps = |verdicts: &[(_, Verdict)]| {
            verdicts.iter().map(|(request, _)| model.explain(request).to_string()).collect::<String>()
        };
        if expected.macs.as_ref() != Some(&got) {
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
    // A thread of its own: it leaves its namespace.
    let (asked, wrong) = std::thread::spawn(move || {
        let mut worker = Worker::new(Kinds::default()).expect("a namespace for the wires");
        let mut wrong = Vec::new();
        for (name, scenario) in &scenarios {
            wrong.extend(worker.scenario(name, scenario).unwrap_or_else(|error| panic!("{name}: {error}")));
        }
        (worker.number, wrong)
    })
    .join()
    .expect("the scenarios ran");
    println!("{asked} questions of {} scenarios", files.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
