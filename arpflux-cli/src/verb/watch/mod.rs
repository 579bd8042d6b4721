//! `arpflux watch`.

mod lines;
mod publish;

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use arpflux_core::exit::Exit;
use arpflux_core::watch::{Options, Request, ServiceManager, Signals, Watcher};
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::{Host, Result, Stop};

use self::lines::Lines;
use self::publish::Publish;
use crate::input::{Live, PolicyFile, State, duration};
use crate::{Output, exit};

/// Keep watch over a policy: say what drifts from it, and with --heal put it right.
///
/// Interfaces that appear later, links that flap (which drops proxy entries without a word), programs
/// that rewrite sysctls, entries added on the wrong interface: each is told with the time, what it was
/// noticed by and what was done. What nothing in the policy can put right is told as well, once, and again every ten
/// minutes as long as it lasts. Runs until interrupted; under systemd it says when it is ready and feeds the watchdog.
/// The policy file is read again when it changes, and on SIGHUP; SIGUSR1 asks what is so now. The exit code is 1 if
/// the policy is not kept at the end, 6 if that cannot be told, 8 if the namespace is gone.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyFile,
    /// Put right what drifts: single values and entries at once, all else as a transaction that `arpflux rollback` can
    /// undo by its number.
    #[arg(long)]
    heal: bool,
    /// Put it right even if an address loses its last answer, or a neighbour or container its way.
    #[arg(long, requires = "heal")]
    accept_harm: bool,
    /// The time between two looks at everything, for what the kernel sends no news of; at least 100ms.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    look: Duration,
    /// Goes on in the next namespace of the same name when that of --netns is gone, as soon as there is one.
    #[arg(long, requires = "netns")]
    follow: bool,
    /// Writes what is so now to this file, in the format of OpenMetrics, for node_exporter's textfile collector.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Answers with the same whoever connects to this Unix socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Stop after this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    live: Live,
}

/// How often to look whether the policy file is another one, or the end has come.
const TURN: Duration = Duration::from_millis(500);

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid at the start, or the namespace cannot be read.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    // Before there is any thread.
    let (signals, stop) = (Signals::new(), stop_on_interrupt());
    let mut lines = Lines::start(*output);
    let ended = signals.and_then(|signals| watch_all(args, &mut lines, signals, stop?));
    let Err(error) = ended else { return ended };
    if !output.json() {
        return Err(error);
    }
    // Whoever reads the lines finds errors among them, in the same form.
    output.error_text(&error);
    let code = Exit::of_error(error.kind(), true).code();
    lines.end(error);
    Ok(code)
}

/// Watches one namespace after the other, as was asked for.
fn watch_all(args: &Args, lines: &mut Lines, signals: Signals, stop: Stop) -> Result<u8> {
    let mut run = Run {
        args,
        stop,
        signals,
        manager: ServiceManager::from_environment(),
        lines,
        publish: Publish::new(args.metrics.as_deref(), args.socket.as_deref())?,
        started: Instant::now(),
        fed: Instant::now(),
        told: String::new(),
    };
    loop {
        let host = Host::from(args.live.netns()?);
        let code = run.watch(&host)?;
        if code != exit::GONE {
            return Ok(code);
        }
        drop(host);
        if !args.follow {
            return Ok(code);
        }
        while args.live.netns().is_err() {
            if run.is_over() {
                return Ok(code);
            }
            run.feed();
            std::thread::sleep(TURN.min(run.left()));
        }
    }
}

/// What outlives one namespace.
struct Run<'a> {
    args: &'a Args,
    stop: Stop,
    signals: Signals,
    manager: ServiceManager,
    lines: &'a mut Lines,
    publish: Publish,
    started: Instant,
    /// When the watchdog was fed.
    fed: Instant,
    /// The last word to the service manager.
    told: String,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.stop.is_raised() || self.left().is_zero()
    }

    fn left(&self) -> Duration {
        self.args.duration.map_or(Duration::MAX, |end| end.saturating_sub(self.started.elapsed()))
    }

    fn feed(&mut self) {
        if self.manager.interval().is_some_and(|interval| self.fed.elapsed() >= interval) {
            self.manager.alive();
            self.fed = Instant::now();
        }
    }

    /// Says what is so now to all who are not told of each drift.
    fn publish(&mut self, watcher: &Watcher) {
        let status = watcher.status();
        let text = status.to_string();
        if text != self.told {
            self.manager.status(&text);
            self.told = text;
        }
        if let Err(error) = self.publish.update(&status) {
            self.lines.note(error.to_string());
        }
    }

    /// Watches one namespace; gives the exit code.
    fn watch(&mut self, host: &Host) -> Result<u8> {
        let args = self.args;
        let policy = args.policy.read()?;
        let mut version = version(args.policy.path());
        let apply = args.state.options().accept_harm(args.accept_harm).stop(self.stop.clone());
        let options = Options::default().heal(args.heal).look(args.look).apply(apply);
        let mut watcher = Watcher::new(host, policy, options)?;
        let mut ready = false;
        while !self.is_over() {
            let turn = self.left().min(TURN).min(self.manager.interval().unwrap_or(TURN));
            match watcher.wait_unless(Some(turn), Some(self.signals.as_fd())) {
                Ok(drifts) => drifts.into_iter().for_each(|drift| self.lines.tell(drift)),
                Err(error) if host.namespace().is_gone() => {
                    self.lines.end(error);
                    return Ok(exit::GONE);
                }
                Err(error) => return Err(error),
            }
            if !ready && watcher.status().looks > 0 {
                ready = true;
                self.manager.ready(&watcher.status().to_string());
                if let Some(other) = watcher.other().unwrap_or_default() {
                    self.lines
                        .note(format!("{other}: if its policy says otherwise, they undo each other's work"));
                }
                self.lines.note(begins(&watcher, args));
            }
            self.feed();
            let requests = self.signals.read();
            if requests.contains(&Request::Report) {
                self.lines.tell(watcher.asked());
            }
            let now = self::version(args.policy.path());
            if now != version || requests.contains(&Request::Reload) {
                version = now;
                let unreadable = match args.policy.read() {
                    Ok(policy) => watcher.set_policy(policy).map(|()| None)?,
                    // The policy that was valid stays in force.
                    Err(error) => Some(error),
                };
                watcher.policy_unreadable(unreadable).into_iter().for_each(|drift| self.lines.tell(drift));
            }
            self.publish(&watcher);
        }
        self.manager.stopping();
        let judgement = watcher.judgement();
        if judgement.ok().is_none() {
            let open = watcher.status().open;
            self.lines.note(open.last().map_or(
                "whether all is as the policy says cannot be told: it was not looked at",
                String::as_str,
            ));
        }
        Ok(judgement.exit_code())
    }
}

/// What is watched, in one line.
fn begins(watcher: &Watcher, args: &Args) -> String {
    let policy = watcher.policy();
    let interfaces = match &policy.host.interfaces {
        Some(named) => named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        None => "all that take ARP requests".into(),
    };
    let proxied: usize = policy.proxies.iter().map(|proxy| proxy.addresses.len()).sum();
    format!(
        "watching {}: interfaces {}; {proxied} proxied addresses; what drifts is {}",
        args.policy.path().display(),
        interfaces,
        if args.heal { "put right" } else { "told (--heal puts it right)" },
    )
}

/// What tells one state of a file from another.
fn version(path: &Path) -> Option<(SystemTime, u64, u64, (i64, i64))> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    // Tools that copy set the first; nobody sets the last.
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino(), changed))
}
