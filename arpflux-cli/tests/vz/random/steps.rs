//! What may happen to a node.

use std::process::Stdio;
use std::time::Duration;

use super::programs::{Asked, PROGRAMS};
use super::{By, CONTAINERS, POLICY, Run};
use crate::bench::{Libvzctl, Said, Version, Vzctl};

/// Each does one thing, and says what. Most do something else where they have nothing to do.
type Step = fn(&mut Run) -> String;

/// How often each of them is drawn.
const STEPS: [(usize, Step); 14] = [
    (8, Run::start_or_stop),
    (2, Run::the_same_again),
    (4, Run::apply),
    (3, Run::trial),
    (5, Run::watch),
    (6, Run::rollback),
    (4, Run::program),
    (2, Run::a_persons_entry),
    (3, Run::sync),
    (4, Run::a_hand),
    (2, Run::card_down_and_up),
    (2, Run::upgrade),
    (3, Run::killed),
    (3, Run::at_the_same_time),
];

impl Run {
    /// One step, drawn at random; gives what it was.
    pub(super) fn step(&mut self) -> String {
        let mut at = self.rng.below(STEPS.iter().map(|(often, _)| often).sum());
        for (often, step) in STEPS {
            if at < often {
                return step(self);
            }
            at -= often;
        }
        unreachable!("the sum is that of all")
    }

    /// The call of a script that starts or stops a container.
    fn script(&mut self, at: usize, version: Version, start: bool) -> Said {
        let kind = &CONTAINERS[at];
        let addresses: Vec<String> = kind.addresses.iter().map(ToString::to_string).collect();
        self.bench.version = version;
        match start {
            true => self.bench.start_quick(kind.veid, &addresses.join(" ")),
            false => self.bench.stop(kind.veid, &addresses.join(" ")),
        }
    }

    fn turn(&mut self, at: usize) -> String {
        let kind = &CONTAINERS[at];
        let route = |run: &Self, verb: &str| {
            kind.addresses.iter().for_each(|address| run.ip(&format!("route {verb} {address} dev venet0")));
        };
        let by = self.running[at];
        let next =
            by.unwrap_or_else(|| self.rng.pick(&[By::Scripts(Vzctl), By::Scripts(Libvzctl), By::Program]));
        match next {
            By::Scripts(version) => {
                let said = self.script(at, version, by.is_none());
                self.good(&said);
            }
            By::Program if by.is_none() => {
                route(self, "add");
                self.container_in_c(Asked::Publish, kind);
            }
            By::Program => {
                self.container_in_c(Asked::Withdraw, kind);
                route(self, "del");
            }
        }
        self.running[at] = by.is_none().then_some(next);
        format!("{} of {} by {next:?}", if by.is_none() { "start" } else { "stop" }, kind.veid)
    }

    fn start_or_stop(&mut self) -> String {
        let at = self.rng.below(CONTAINERS.len());
        self.turn(at)
    }

    /// A start of what runs, a stop of what does not.
    fn the_same_again(&mut self) -> String {
        let at = self.rng.below(CONTAINERS.len());
        let version = match self.running[at] {
            Some(By::Program) => return self.turn(at),
            Some(By::Scripts(version)) => version,
            None => self.rng.pick(&[Vzctl, Libvzctl]),
        };
        let said = self.script(at, version, self.running[at].is_some());
        self.good(&said);
        format!("{} again, by {version:?}, as it was", CONTAINERS[at].veid)
    }

    fn apply(&mut self) -> String {
        let policy = self.rng.pick(&[
            POLICY,
            POLICY,
            "version = 1\n[host]\n",
            "version = 1\n[host]\ninterfaces = [\"eth0\"]\n",
        ]);
        self.bench.write("another.toml", policy);
        let said = self.arpflux(&["apply", "--policy", "another.toml", "--accept-harm"]);
        format!("apply of {policy:?} ({})", said.code)
    }

    /// A change on trial, and what a person does about it.
    fn trial(&mut self) -> String {
        let said = self.arpflux(&["apply", "--policy", "policy.toml", "--accept-harm", "--confirm", "1m"]);
        let end = self.rng.pick(&["confirm", "rollback"]);
        let ended = self.arpflux(&[end]);
        // Where the trial was refused, this took back what came before, the setup maybe.
        self.set_up();
        format!("apply on trial ({}), {end} ({})", said.code, ended.code)
    }

    /// The boot unit is started, or stopped.
    fn watch(&mut self) -> String {
        if self.watch.is_some() {
            self.heals();
            self.watch_ends();
            return "the boot unit ends".into();
        }
        self.watch_begins();
        "the boot unit begins".into()
    }

    fn rollback(&mut self) -> String {
        let id = match self.rng.below(3) {
            0 => None,
            1 => Some("--all".to_owned()),
            _ => {
                let said = self.arpflux(&["rollback", "--list", "--json"]);
                let list: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
                let all = list["transactions"].as_array().unwrap().clone();
                let ids: Vec<u64> =
                    all.iter().filter(|one| one["by"] != "vz").filter_map(|one| one["id"].as_u64()).collect();
                (!ids.is_empty()).then(|| self.rng.pick(&ids).to_string())
            }
        };
        let arguments: Vec<&str> = std::iter::once("rollback").chain(id.as_deref()).collect();
        let said = self.arpflux(&arguments);
        // The first of all was the setup itself.
        self.set_up();
        format!("{} ({})", arguments.join(" "), said.code)
    }

    fn program(&mut self) -> String {
        let policy = self.rng.pick(&PROGRAMS);
        let at = self.rng.below(CONTAINERS.len());
        match self.rng.below(4) {
            0 => self.in_c(policy),
            1 => self.in_python(policy, true),
            2 => {
                self.in_python(policy, false);
                self.container_in_c(Asked::Preview { running: self.running[at].is_some() }, &CONTAINERS[at]);
                return format!("plans in Python ({policy:?}) and C ({})", CONTAINERS[at].veid);
            }
            _ => {
                self.container_in_c(Asked::Sync, &CONTAINERS[at]);
                return "sync in C".into();
            }
        }
        format!("a program plans and applies {policy:?}")
    }

    fn a_persons_entry(&mut self) -> String {
        let add = self.arpflux(&["proxy", "add", "--interface", "eth4", "192.168.18.150"]);
        let del = self.rng.below(2) == 0;
        let code = if del { self.arpflux(&["proxy", "del", "192.168.18.150"]).code } else { add.code };
        format!("proxy add ({}), taken back: {del} ({code})", add.code)
    }

    fn sync(&mut self) -> String {
        self.vz("sync");
        self.arpflux(&["recover"]);
        "sync, recover".into()
    }

    /// Somebody takes a part of what a running container stands on: told, and mended.
    fn a_hand(&mut self) -> String {
        let running: Vec<usize> = (0..CONTAINERS.len()).filter(|at| self.running[*at].is_some()).collect();
        if running.is_empty() {
            return self.start_or_stop();
        }
        let kind = &CONTAINERS[self.rng.pick(&running)];
        let address = self.rng.pick(kind.addresses);
        let part = self.rng.below(5);
        match part {
            0 => self.ip(&format!("neigh del proxy {address} dev {}", kind.interface)),
            1 => self.ip(&format!("rule del pref 17501 from {address}")),
            2 => self.ip(&format!("rule del pref 17500 from {address}")),
            3 => self.bench.hn.sysctl(&format!("net/ipv4/conf/{}/forwarding", kind.interface), 0).unwrap(),
            _ => self.bench.hn.proxy("eth0", address.into()).unwrap(),
        }
        let said = self.bench.vz(&["status"]);
        // The boot unit may have been faster.
        assert!(
            said.code == 1 || self.watch.is_some() && said.code == 0,
            "{part}: {said:?}\n{:#?}",
            self.done
        );
        self.vz("sync");
        format!("a hand took part {part} of {address}, status ({}), sync", said.code)
    }

    fn card_down_and_up(&mut self) -> String {
        let name = self.rng.pick(&["eth0", "eth3", "eth4"]);
        self.ip(&format!("link set {name} down"));
        self.ip(&format!("link set {name} up"));
        let dark =
            CONTAINERS.iter().zip(self.running).any(|(kind, by)| by.is_some() && kind.interface == name);
        let said = self.bench.vz(&["status"]);
        let told = said.code == i32::from(dark) || self.watch.is_some();
        assert!(told, "{name}: {said:?}\n{:#?}", self.done);
        self.vz("sync");
        format!("{name} down and up, status ({}), sync", said.code)
    }

    /// The package's new scripts come, without the line that calls arpflux; the unit of `arpflux-vz.path` mends that.
    fn upgrade(&mut self) -> String {
        self.bench.version = self.rng.pick(&[Vzctl, Libvzctl]);
        let name = self.bench.version.functions();
        let shipped = std::fs::read_to_string(self.bench.path("etc/vz/arpflux").join(name)).unwrap();
        std::fs::write(self.bench.scripts().join(name), shipped).unwrap();
        let said = self.bench.vz(&["status"]);
        assert!(said.code == 1 && said.stdout.contains(name), "{said:?}\n{:#?}", self.done);
        self.vz("setup");
        format!("an upgrade took the line out of {name}, setup")
    }

    /// Somebody is killed in the midst.
    fn killed(&mut self) -> String {
        let policy = ["apply", "--policy", "policy.toml", "--accept-harm"];
        let what = self.rng.pick(&[&policy[..], &["rollback"], &["rollback", "--all"], &["recover"]]);
        let after = Duration::from_micros(self.rng.below(40_000) as u64);
        let mut command = self.command(what);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = self.bench.hn.run(|| command.spawn().unwrap()).unwrap();
        std::thread::sleep(after);
        let _ = child.kill();
        let code = child.wait().unwrap().code();
        self.arpflux(&["recover"]);
        self.set_up();
        self.vz("sync");
        format!("{} killed after {after:?} ({code:?}), recover, sync", what.join(" "))
    }

    /// A container starts or stops while a person is at work.
    fn at_the_same_time(&mut self) -> String {
        let policy = ["apply", "--policy", "policy.toml", "--accept-harm"];
        let what = self.rng.pick(&[&policy[..], &["rollback"], &["rollback", "--all"], &["vz", "sync"]]);
        let mut command = match what {
            ["vz", verb] => self.bench.vz_command(&[verb]),
            _ => self.command(what),
        };
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = self.bench.hn.run(|| command.spawn().unwrap()).unwrap();
        std::thread::sleep(Duration::from_micros(self.rng.below(20_000) as u64));
        let at = self.rng.below(CONTAINERS.len());
        let turned = if what[0] == "rollback" {
            // It may take the calls out of the scripts.
            self.container_in_c(Asked::Sync, &CONTAINERS[at]);
            "sync in C".into()
        } else {
            self.turn(at)
        };
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 1 | 2 | 4)), "{what:?}: {code:?}\n{:#?}", self.done);
        self.set_up();
        format!("{} ({code:?}), meanwhile {turned}", what.join(" "))
    }
}
