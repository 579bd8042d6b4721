//! Lines of the watch, printed on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use arpflux_core::diagnose::Severity;
use arpflux_core::watch::{Drift, Outcome};
use arpflux_core::{Error, Result};

use crate::Output;
use crate::input::time_of_day;
use crate::output::Style;

/// So many lines wait for a reader at most.
const WAITING: usize = 1_000;
/// So long the last ones may take to be read.
const LAST: Duration = Duration::from_millis(300);

enum Line {
    Drift(Box<Drift>),
    Note(String),
}

/// A reader that does not read, or a full disk, keeps nobody from watching.
pub struct Lines {
    sender: Option<SyncSender<Line>>,
    dropped: Arc<AtomicU64>,
    done: Receiver<()>,
    /// The number and the policy of the last line of this watch.
    last: (u64, String),
}

impl Lines {
    /// Starts the thread.
    pub fn start(output: Output) -> Self {
        let (sender, lines) = sync_channel::<Line>(WAITING);
        let (ended, done) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        // What journald reads as priorities (sd-daemon(3)).
        let levels = std::env::var_os("JOURNAL_STREAM").is_some() && !output.json();
        std::thread::spawn(move || {
            for line in lines {
                let drift = match line {
                    Line::Drift(drift) => drift,
                    Line::Note(text) => {
                        output.note(text);
                        continue;
                    }
                };
                // What cannot be written now (a full disk) is counted as well.
                if tell(&output, &drift, levels).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                } else if let dropped @ 1.. = lost.swap(0, Ordering::Relaxed) {
                    output.note(format!("{dropped} lines before this could not be written"));
                }
            }
            let _ = ended.send(());
        });
        Self { sender: Some(sender), dropped, done, last: (0, String::new()) }
    }

    /// Prints what was found.
    pub fn tell(&mut self, drift: Drift) {
        self.last = (drift.number, drift.policy.clone());
        self.send(Line::Drift(Box::new(drift)));
    }

    /// Prints what a watch ends with.
    pub fn end(&mut self, error: Error) {
        let (number, policy) = std::mem::take(&mut self.last);
        self.send(Line::Drift(Box::new(Drift::ended(error, number, &policy))));
    }

    /// Prints a remark on standard error.
    pub fn note(&self, text: impl Into<String>) {
        self.send(Line::Note(text.into()));
    }

    fn send(&self, line: Line) {
        if self.sender.as_ref().is_none_or(|sender| sender.try_send(line).is_err()) {
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

fn tell(output: &Output, drift: &Drift, levels: bool) -> Result<()> {
    if output.json() {
        return output.answer_line(drift);
    }
    let style = match (&drift.outcome, drift.severity) {
        (Outcome::Asked { .. }, _) => Style::Strong,
        (_, Severity::Info) => Style::Good,
        (_, Severity::Warning) => Style::Caution,
        (_, Severity::Error) => Style::Bad,
    };
    let level = match drift.severity {
        _ if !levels => "",
        Severity::Info => "<6>",
        Severity::Warning => "<4>",
        Severity::Error => "<3>",
    };
    let at = time_of_day(drift.at_ms / 1000);
    let text = format!("{} {}", output.paint(Style::Faint, at), output.paint(style, drift));
    output.text(text.lines().map(|line| format!("{level}{line}\n")).collect::<String>())
}
