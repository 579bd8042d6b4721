//! What `diagnose` writes to files: the page and the metrics.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use arpflux_core::diagnose::Diagnosis;
use arpflux_core::predict::{Matrix, Model};
use arpflux_core::recommend::recommend;
use arpflux_core::report::{html, metrics};
use arpflux_core::{Policy, Result, Snapshot, persist};

use crate::Source;
use crate::input::{folder_of, time_of_day};

/// Writes the page: with the change that `policy` makes, or else the recommended one's.
pub fn page(
    path: &Path,
    snapshot: &Snapshot,
    diagnosis: &Diagnosis,
    policy: Option<&Policy>,
    source: &Source,
) -> Result<()> {
    let recommended = match policy {
        Some(_) => None,
        None => recommend(snapshot).ok(),
    };
    let change = match (policy, &recommended) {
        (Some(policy), _) => policy.plan(snapshot).ok().map(|plan| (policy.clone(), plan)),
        (None, Some(recommended)) => Some((recommended.policy.clone(), recommended.plan.clone())),
        (None, None) => None,
    };
    let taken = format!(
        "looked at {} on Linux {}{}",
        time_of_day(taken(source) as u64),
        snapshot.kernel.release,
        match (policy, &change) {
            (Some(_), Some(_)) => "; the change is what the given policy asks for",
            (Some(_), None) => "; the given policy cannot hold here",
            (None, Some(_)) => "; the change is what arpflux recommends",
            (None, None) => "; no policy would work here as it is",
        },
    );
    let page = html::page(&html::Page {
        title: &source.title(),
        taken: &taken,
        snapshot,
        diagnosis,
        change: change.as_ref().map(|(policy, plan)| (policy, plan)),
    })?;
    folder_of(path)?;
    persist::replace(path, &page, 0o644)
}

/// Writes the metrics.
pub fn numbers(path: &Path, snapshot: &Snapshot, diagnosis: &Diagnosis, source: &Source) -> Result<()> {
    folder_of(path)?;
    let matrix = Matrix::of(&Model::new(snapshot)?);
    persist::replace(path, &metrics(snapshot, &matrix, diagnosis, taken(source)), 0o644)
}

/// When the snapshot was taken, in seconds since 1970: now, or when its file was written.
fn taken(source: &Source) -> f64 {
    let written = source.file().and_then(|file| std::fs::metadata(file).ok()?.modified().ok());
    let time = written.unwrap_or_else(SystemTime::now);
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    (seconds * 1_000.0).round() / 1_000.0
}
