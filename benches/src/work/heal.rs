//! How soon `watch` puts right what somebody changed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::plan::PROTOCOL;
use arpflux_core::snapshot::{ProxyEntry, Route, Snapshot};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::watch::{Drift, Options, Outcome, Watcher};
use arpflux_core::{Host, Result, apply};

use crate::measure::print;

/// The median over `rounds` changes of the time from before the change until its effect is gone. The
/// result is the number of rounds; a change that is not healed within 10 s is an error. With `-worst` behind `what`, the
/// longest time instead of the median.
pub fn run(what: &str, interface: &str, rounds: usize) -> Result<()> {
    let (what, is_worst) = what.strip_suffix("-worst").map_or((what, false), |what| (what, true));
    let host = Host::current()?;
    let snapshot = host.snapshot()?;
    let interface = snapshot
        .interfaces
        .iter()
        .find(|i| i.name.to_string() == interface)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such interface").on(interface))?;
    let state = std::env::temp_dir().join(format!("arpflux-bench-{}", std::process::id()));
    let options = Options::default().heal(true).apply(apply::Options::default().state_dir(&state));
    let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
    let stray = ProxyEntry::new(Ipv4Addr::new(10, 255, 255, 1).into(), Some(interface.index));
    // Of all interfaces where there are to be rules: those of one subnet get some.
    let burst = Burst::named(what);
    let hosts = match burst {
        Some(_) => String::new(),
        None => format!("interfaces = [\"{}\"]\negress = \"unmanaged\"\n", interface.name),
    };
    let policy = arpflux_core::Policy::from_toml(
        &format!(
            "version = 1\n[host]\n{hosts}strategy = \"strict\"\nforeign_proxies = \"remove\"\nannounce = false\n"
        ),
        "policy",
    )?;
    let mut watcher = Watcher::new(&host, policy, options)?;
    // The first look puts the host right, and what that comes to is judged.
    let begun = Instant::now();
    while watcher.status().judgement.is_none() || begun.elapsed() < Duration::from_secs(1) {
        watcher.wait(Some(Duration::from_millis(200)))?;
    }
    let stop = AtomicBool::new(false);
    let (sender, lines) = channel();
    let mut times = std::thread::scope(|scope_| {
        let watching = scope_.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                for drift in watcher.wait(Some(Duration::from_millis(100)))? {
                    // Nobody else reads them.
                    let _ = sender.send((Instant::now(), drift));
                }
            }
            Ok(())
        });
        let measured = match burst {
            Some(burst) => bursts(burst, rounds, scope, &lines),
            None => measure(what, rounds, scope, &stray),
        };
        stop.store(true, Ordering::Relaxed);
        match watching.join() {
            Ok(Ok(())) => measured,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(ErrorKind::Internal, "the watching thread panicked")),
        }
    })?;
    let _ = std::fs::remove_dir_all(&state);
    times.sort_unstable();
    eprintln!("the longest of {rounds}: {:?}", times[times.len() - 1]);
    let told = times[if is_worst { times.len() - 1 } else { times.len() / 2 }].as_nanos() as i128;
    print(told, told, rounds)
}

fn measure(what: &str, rounds: usize, scope: SysctlScope, stray: &ProxyEntry) -> Result<Vec<Duration>> {
    let mut kernel = LinuxKernel::open()?;
    let change = match what {
        "sysctl" => Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 1, 0),
        "proxy" => Change::add(*stray),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "sysctl or proxy").on(what)),
    };
    let mut times = Vec::new();
    for round in 0..rounds {
        // At moments that have nothing to do with the watcher's polling.
        std::thread::sleep(Duration::from_millis(50 + (round as u64 * 37) % 60));
        let begun = Instant::now();
        kernel.make(std::slice::from_ref(&change)).map_err(|failed| failed.error)?;
        loop {
            let healed = match what {
                "sysctl" => kernel.sysctl(&scope, Sysctl::ArpIgnore)? == 1,
                _ => !kernel.proxies()?.iter().any(|entry| entry.address == stray.address),
            };
            if healed {
                break;
            }
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(Error::new(ErrorKind::TimedOut, "not healed within 10 s"));
            }
            // Reading all entries costs as much as the watcher's own look: not so often as to disturb it.
            std::thread::sleep(Duration::from_micros(if what == "sysctl" { 20 } else { 2_000 }));
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// What drifts at once, or nearly.
#[derive(Clone, Copy)]
enum Burst {
    /// All rules of arpflux removed one after the other, then a sysctl written.
    Rules,
    /// Two rules removed, 2 to 12 ms apart.
    Pair,
    /// The routes of the own tables replaced by others, which stand in the way.
    Routes,
    /// The card set down and up.
    Link,
}

impl Burst {
    fn named(what: &str) -> Option<Self> {
        Some(match what {
            "rules" => Self::Rules,
            "pair" => Self::Pair,
            "routes" => Self::Routes,
            "link" => Self::Link,
            _ => return None,
        })
    }

    /// Makes it so; the number of rules and routes that have to come again.
    fn make(
        self,
        round: usize,
        rest: &Snapshot,
        kernel: &mut LinuxKernel,
        scope: SysctlScope,
    ) -> Result<usize> {
        let rules = rest.rules.iter().filter(|rule| rule.protocol == PROTOCOL).cloned().map(Change::remove);
        let routes = rest.routes.iter().filter(|route| route.protocol == PROTOCOL);
        let mut make = |changes: &[Change]| kernel.make(changes).map_err(|failed| failed.error);
        match self {
            Self::Rules => {
                let mut burst: Vec<Change> = rules.collect();
                let count = burst.len();
                burst.push(Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 1, 0));
                make(&burst)?;
                Ok(count)
            }
            Self::Pair => {
                let two: Vec<Change> = rules.take(2).collect();
                for rule in &two {
                    make(std::slice::from_ref(rule))?;
                    std::thread::sleep(Duration::from_millis(2 + 2 * (round % 6) as u64));
                }
                Ok(two.len())
            }
            Self::Routes => {
                let by = |route: &Route| Some(rest.name_of(route.next_hops.first()?.interface?));
                let lines: Vec<String> = routes
                    .filter_map(|route| {
                        let (to, by, table) = (&route.destination, by(route)?, route.table);
                        Some(format!("route replace {to} dev {by} table {table} proto static\n"))
                    })
                    .collect();
                ip_batch(&lines.concat())?;
                Ok(lines.len())
            }
            Self::Link => {
                let SysctlScope::Interface { index, name } = scope else { return Ok(0) };
                ip_batch(&format!("link set {name} down\nlink set {name} up\n"))?;
                let by = |route: &&Route| route.next_hops.iter().any(|hop| hop.interface == Some(index));
                Ok(routes.filter(by).count())
            }
        }
    }

    /// The time after which it is made that its last event was.
    fn after(self, round: usize) -> Duration {
        match self {
            Self::Pair => Duration::from_millis(2 + 2 * (round % 6) as u64),
            Self::Rules | Self::Routes | Self::Link => Duration::ZERO,
        }
    }
}

fn ip_batch(lines: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("run", "ip -batch", &error);
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(lines.as_bytes()).map_err(failed)?;
    }
    ip.wait().map_err(failed)?;
    Ok(())
}

/// From the last event of a burst to the last of it being right again.
fn bursts(
    burst: Burst,
    rounds: usize,
    scope: SysctlScope,
    lines: &Receiver<(Instant, Drift)>,
) -> Result<Vec<Duration>> {
    let mut kernel = LinuxKernel::open()?;
    let coming = Coming::listen()?;
    let (mut times, mut told) = (Vec::new(), Vec::new());
    let late = |_| Error::new(ErrorKind::TimedOut, "not healed within 10 s");
    for round in 0..rounds {
        // Long enough that no fight is seen in it.
        std::thread::sleep(Duration::from_millis(500));
        // What is there may have other numbers than the last time.
        let rest = kernel.snapshot()?;
        lines.try_iter().for_each(drop);
        coming.objects.try_iter().for_each(drop);
        let count = burst.make(round, &rest, &mut kernel, scope)?;
        let now = Instant::now();
        let last = now.checked_sub(burst.after(round)).unwrap_or(now);
        let mut right = last;
        for _ in 0..count {
            right = coming.objects.recv_timeout(Duration::from_secs(10)).map_err(late)?;
        }
        while kernel.sysctl(&scope, Sysctl::ArpIgnore)? != 1 {
            std::thread::sleep(Duration::from_micros(200));
            right = Instant::now();
        }
        let (mut healed, mut at) = (0, last);
        while healed < count {
            let (when, drift) = lines.recv_timeout(Duration::from_secs(10)).map_err(late)?;
            if drift.outcome == Outcome::Healed {
                (healed, at) = (healed + drift.count, when);
            }
        }
        told.push(at.saturating_duration_since(last));
        // More than was lost where the numbers are other ones.
        let right = coming.objects.try_iter().last().map_or(right, |more| more.max(right));
        times.push(right.saturating_duration_since(last));
    }
    told.sort_unstable();
    eprintln!("told after {:?} (median), {:?} (the longest)", told[told.len() / 2], told[told.len() - 1]);
    Ok(times)
}

/// Rules and routes of arpflux as they come, by `ip monitor`, which the watch knows nothing of.
struct Coming {
    objects: Receiver<Instant>,
    monitor: Child,
}

impl Coming {
    fn listen() -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("run", "ip monitor", &error);
        let mut monitor = Command::new("ip")
            .args(["monitor", "rule", "route"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (sender, objects) = channel();
        let own = format!("proto {PROTOCOL}");
        if let Some(output) = monitor.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                    let came = !line.starts_with("Deleted") && line.contains(&own);
                    if came && sender.send(Instant::now()).is_err() {
                        return;
                    }
                }
            });
        }
        // Until it listens.
        std::thread::sleep(Duration::from_millis(500));
        Ok(Self { objects, monitor })
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}
