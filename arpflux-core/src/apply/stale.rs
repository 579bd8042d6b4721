//! The state of namespaces that are gone.
//!
//! What such a folder holds can never be used again: its transactions cannot be taken back, and a new
//! namespace that gets the same number does not believe them. So losing one is no harm, and removing
//! that of a living namespace would only cost it the memory of what could be taken back; still, it goes
//! only if no process, descriptor or mount that can be seen has the namespace, nobody holds its lock,
//! nothing was left half done in it, and nothing was done there for a while.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::history::{ASIDE, HISTORY, ROUTINE};
use super::journal;
use super::lock::{self, Lock, unix_seconds};
use super::store::Folder;
use crate::error::Result;
use crate::snapshot::NetnsIdentity;
use crate::stop::Stop;

/// So many folders may lie about before somebody looks for dead ones.
pub(super) const MANY: usize = 64;
/// How long nothing must have been done in it.
const QUIET: u64 = 600;

/// Removes the folders of dead namespaces if there are more than `many`; which those were.
///
/// # Errors
/// If the folder of all of them cannot be read.
pub(super) fn tidy(state: &Folder, own: &NetnsIdentity, many: usize) -> Result<Vec<String>> {
    tidy_but(state, own, many, living)
}

/// The same for the living that `living` tells of.
pub(super) fn tidy_but(
    state: &Folder,
    own: &NetnsIdentity,
    many: usize,
    living: impl FnOnce() -> Option<HashSet<u64>>,
) -> Result<Vec<String>> {
    let number = |name: &str| name.strip_prefix("ns-")?.parse::<u64>().ok();
    let mut others: Vec<(u64, String)> =
        state.names()?.into_iter().filter_map(|name| Some((number(&name)?, name))).collect();
    others.retain(|(inode, _)| *inode != own.inode);
    let long_ago = |name: &String| {
        let used = state.existing(name).ok().flatten().and_then(|folder| folder.written(lock::NAME));
        // A clock that was set back makes it look new: it goes another time.
        used.is_some_and(|used| used.saturating_add(QUIET) < unix_seconds())
    };
    others.retain(|(_, name)| long_ago(name));
    if others.len() <= many {
        return Ok(Vec::new());
    }
    let Some(living) = living() else { return Ok(Vec::new()) };
    others.retain(|(inode, _)| !living.contains(inode));
    Ok(others
        .into_iter()
        .filter(|(_, name)| remove(state, name).unwrap_or(false))
        .map(|(_, name)| name)
        .collect())
}

/// Removes the folder of a namespace unless somebody is at work there; whether it is gone.
fn remove(state: &Folder, name: &str) -> Result<bool> {
    let Some(folder) = state.existing(name)? else { return Ok(false) };
    let Ok(_lock) = Lock::take(&folder, Duration::ZERO, &Stop::default()) else { return Ok(false) };
    if folder.inode(journal::NAME).is_some() {
        return Ok(false);
    }
    for inner in [HISTORY, ROUTINE, ASIDE] {
        if let Some(inside) = folder.existing(inner)? {
            for file in inside.names()? {
                inside.remove(&file)?;
            }
            folder.remove_folder(inner)?;
        }
    }
    // The lock goes last: until then whoever comes waits, and then finds the folder gone.
    for file in folder.names()? {
        folder.remove(&file)?;
    }
    state.remove_folder(name)?;
    Ok(true)
}

/// The numbers of all network namespaces that anything in sight belongs to or holds; `None` if a process
/// of this user cannot be looked into. The first process of all may always have more rights than we have.
pub(super) fn living() -> Option<HashSet<u64>> {
    let mut living = HashSet::new();
    let me = nix::unistd::geteuid().as_raw();
    let mut mounts = HashSet::new();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let path = process.path();
        // It may end at any moment, and what it held with it.
        let Ok(owner) = fs::metadata(&path).map(|metadata| metadata.uid()) else { continue };
        if look_into(&path, &mut living, &mut mounts).is_none() && path.exists() && owner == me && pid != 1 {
            return None;
        }
    }
    Some(living)
}

/// Adds what one process belongs to and holds; `None` if it may not be looked into. One that has ended, or
/// waits for its parent to notice, holds nothing.
fn look_into(process: &Path, living: &mut HashSet<u64>, mounts: &mut HashSet<u64>) -> Option<()> {
    for thread in seen(fs::read_dir(process.join("task")))?.into_iter().flatten().flatten() {
        living.extend(seen(fs::metadata(thread.path().join("ns/net")))?.map(|namespace| namespace.ino()));
    }
    for fd in seen(fs::read_dir(process.join("fd")))?.into_iter().flatten().flatten() {
        living.extend(seen(fs::read_link(fd.path()))?.and_then(|target| number(target.to_str()?)));
    }
    let Some(namespace) = seen(fs::metadata(process.join("ns/mnt")))? else { return Some(()) };
    if mounts.insert(namespace.ino()) {
        let list = seen(fs::read_to_string(process.join("mountinfo")))?.unwrap_or_default();
        // The fourth word is what of the file system is mounted there: net:[4026531840].
        living.extend(list.lines().filter_map(|line| number(line.split(' ').nth(3)?)));
    }
    Some(())
}

/// What was found; `None` if it may not be seen, `Some(None)` if it is gone.
fn seen<T>(result: std::io::Result<T>) -> Option<Option<T>> {
    match result {
        Ok(found) => Some(Some(found)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => None,
        Err(_) => Some(None),
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}
