//! `arpflux watch`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use arpflux_core::judgement::Judgement;
use arpflux_core::watch::{Drift, Options, Outcome, ServiceManager, Watcher};
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::{Host, Result};

use crate::input::{Live, PolicyFile, State, duration, time_of_day};
use crate::output::Style;
use crate::{Output, exit};

/// Keep watch over a policy: say what drifts from it, and with --heal put it right.
///
/// Interfaces that appear later, links that flap (which drops proxy entries without a word), programs
/// that rewrite sysctls, entries added on the wrong interface: each is told with the time, what it was
/// noticed by and what was done. The policy file is read again when it changes. Runs until
/// interrupted; under systemd it says when it is ready and feeds the watchdog. The exit code is 1 if the policy is
/// not kept at the end, 6 if that cannot be told.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyFile,
    /// Put right what drifts, each time as a transaction that `arpflux rollback` can undo.
    #[arg(long)]
    heal: bool,
    /// Put it right even if an address loses its last answer, or a neighbour or container its way.
    #[arg(long, requires = "heal")]
    accept_harm: bool,
    /// The time between two looks at everything, for what the kernel sends no news of; at least 100ms.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    look: Duration,
    /// Stop after this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    live: Live,
}

/// How often to look whether the policy file is another one, or the end has come.
const TURN: Duration = Duration::from_secs(1);

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid at the start, or the namespace cannot be read.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let policy = args.policy.read()?;
    let mut version = version(args.policy.path());
    let apply = args.state.options().accept_harm(args.accept_harm);
    let options = Options::default().heal(args.heal).look(args.look).apply(apply);
    let host = Host::from(args.live.netns()?);
    let mut watcher = Watcher::new(&host, policy, options)?;
    let stop = stop_on_interrupt()?;
    let manager = ServiceManager::from_environment();
    let lines = Lines::start(*output);
    let started = Instant::now();
    let end = args.duration;
    let mut ready = false;
    let mut fed = started;
    // Whether the last word about the policy was that it is not kept.
    let mut bad = false;
    while !stop.is_raised() && end.is_none_or(|end| started.elapsed() < end) {
        let left = end.map_or(TURN, |end| end.saturating_sub(started.elapsed()).min(TURN));
        let turn = manager.interval().map_or(left, |interval| left.min(interval));
        for drift in watcher.wait(Some(turn))? {
            bad = !matches!(drift.outcome, Outcome::Healed | Outcome::Possible | Outcome::Over);
            manager.status(&drift.to_string());
            lines.tell(drift);
        }
        if !ready {
            ready = true;
            manager.ready(&format!("watching {}", args.policy.path().display()));
            if let Some(other) = watcher.other().unwrap_or_default() {
                output.note(format!("{other}: if its policy says otherwise, they undo each other's work"));
            }
            output.note(begins(&watcher, args));
            judgement(&watcher, output)?;
        }
        if manager.interval().is_some_and(|interval| fed.elapsed() >= interval) {
            manager.alive();
            fed = Instant::now();
        }
        let now = self::version(args.policy.path());
        if now != version {
            version = now;
            match args.policy.read() {
                Ok(policy) => watcher.set_policy(policy)?,
                // The policy that was valid stays in force.
                Err(error) => output.error(&error),
            }
        }
    }
    manager.stopping();
    drop(lines);
    let judgement = judgement(&watcher, output)?;
    Ok(if bad { exit::BAD } else { judgement.exit_code() })
}

/// What the host is like at the last look; what cannot be told is said, as the watch is quiet about it.
fn judgement(watcher: &Watcher, output: &Output) -> Result<Judgement> {
    let report = watcher.report()?;
    let judgement = report.judgement();
    if judgement.ok().is_none() {
        output.note(report.to_string().lines().last().unwrap_or_default());
    }
    Ok(judgement)
}

fn tell(output: &Output, drift: &Drift) -> Result<()> {
    if output.json() {
        return output.answer_line(drift);
    }
    let style = match drift.outcome {
        Outcome::Healed | Outcome::Possible | Outcome::Over => Style::Good,
        Outcome::Reported => Style::Caution,
        _ => Style::Bad,
    };
    let at = time_of_day(drift.at_ms / 1000);
    output.text(format!("{} {}\n", output.paint(Style::Faint, at), output.paint(style, drift)))
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

/// So many lines wait for a reader at most.
const WAITING: usize = 1_000;
/// So long the last ones may take to be read.
const LAST: Duration = Duration::from_secs(1);

/// Prints on a thread of its own: a reader that does not read, or a full disk, keeps nobody from watching.
struct Lines {
    sender: Option<SyncSender<Drift>>,
    dropped: Arc<AtomicU64>,
    done: Receiver<()>,
}

impl Lines {
    fn start(output: Output) -> Self {
        let (sender, lines) = sync_channel::<Drift>(WAITING);
        let (ended, done) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        std::thread::spawn(move || {
            for drift in lines {
                // What cannot be written now (a full disk) is counted as well.
                if tell(&output, &drift).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                } else if let dropped @ 1.. = lost.swap(0, Ordering::Relaxed) {
                    output.note(format!("{dropped} lines before this could not be written"));
                }
            }
            let _ = ended.send(());
        });
        Self { sender: Some(sender), dropped, done }
    }

    fn tell(&self, drift: Drift) {
        if self.sender.as_ref().is_none_or(|sender| sender.try_send(drift).is_err()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.sender.take());
        let _ = self.done.recv_timeout(LAST);
    }
}

/// What tells one state of a file from another.
fn version(path: &Path) -> Option<(SystemTime, u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}
