//! Diagnoses all stored snapshots of a folder side by side and groups what was found: `fleet_linter FOLDER`. Nothing is
//! asked of a kernel, so it needs no feature.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arpflux_core::diagnose::{Diagnosis, FindingId, Options, Severity};
use arpflux_core::{Error, Snapshot};

fn lint(path: &Path) -> Result<Diagnosis, Error> {
    Snapshot::from_path(path)?.diagnose(&Options::default().impact(false))
}

/// Lines to print, and whether all hosts could be read and told to be good.
pub(crate) fn run(folder: &Path) -> Result<(Vec<String>, bool), std::io::Error> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let workers = std::thread::available_parallelism()?.get();
    let shares: Vec<&[PathBuf]> = files.chunks(files.len().div_ceil(workers).max(1)).collect();
    let linted: Vec<(PathBuf, Result<Diagnosis, Error>)> = std::thread::scope(|scope| {
        let work = |share: &[PathBuf]| share.iter().map(|path| (path.clone(), lint(path))).collect();
        let running: Vec<_> = shares.iter().map(|share| scope.spawn(move || work(share))).collect();
        let each = running.into_iter().map(|thread| thread.join().expect("it does not panic"));
        each.flat_map(|share: Vec<_>| share).collect()
    });
    let mut lines = Vec::new();
    let mut found: BTreeMap<(Severity, FindingId), BTreeSet<String>> = BTreeMap::new();
    // A host of which something cannot be told is not a good one.
    let mut good = true;
    for (path, diagnosis) in &linted {
        let host = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match diagnosis {
            Ok(diagnosis) => {
                good &= diagnosis.judgement(Some(Severity::Info)).ok() == Some(true);
                for finding in &diagnosis.findings {
                    found.entry((finding.severity, finding.id)).or_default().insert(host.clone());
                }
            }
            Err(error) => {
                good = false;
                lines.push(format!("{host}: {error}"));
            }
        }
    }
    for ((severity, id), hosts) in found.iter().rev() {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        lines.push(format!("{severity} {id} {}: {}", id.title(), hosts.join(", ")));
    }
    Ok((lines, good))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: fleet_linter FOLDER")?;
    let (lines, good) = run(folder.as_ref())?;
    println!("{}", lines.join("\n"));
    if good { Ok(()) } else { Err("not all hosts are good".into()) }
}
