//! Files of the host's managers, changed with the kernel's state and taken back with it.

use super::receipt::Conflict;
use super::undo::Report;
use crate::error::{Error, ErrorKind, Result};
use crate::persist::{FileChange, FileState};

fn name(file: &FileChange) -> String {
    format!("file {}", file.path.display())
}

fn in_words(state: &FileState) -> String {
    match state {
        FileState::Absent => "not there".into(),
        FileState::Regular { text, mode } => format!("a file of {} bytes, mode {mode:o}", text.len()),
        FileState::Link { target } => format!("a link to {}", target.display()),
    }
}

/// Whether every file is one of arpflux's, and still what the plan saw.
///
/// # Errors
/// [`ErrorKind::Refused`] and [`ErrorKind::Changed`] name the first that is not.
pub(super) fn check(files: &[FileChange]) -> Result<()> {
    for file in files {
        file.check().map_err(|error| error.during("apply"))?;
        if file.now()? != file.before {
            return Err(Error::new(ErrorKind::Changed, "somebody else changed the file meanwhile")
                .during("apply")
                .on(file.path.as_path())
                .hint("run again"));
        }
    }
    Ok(())
}

/// Makes all, and reads them again.
///
/// # Errors
/// The first failure; those before it stay.
pub(super) fn make(files: &[FileChange]) -> Result<()> {
    for file in files {
        file.make()?;
        if file.now()? != file.after {
            return Err(Error::new(
                ErrorKind::Changed,
                "it is not what was written; somebody else writes it too",
            )
            .during("check")
            .on(file.path.as_path()));
        }
    }
    Ok(())
}

/// What takes `files` back as they are now, the last first, and what somebody else changed since. With
/// `force`, that goes back too.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn inverse(files: &[FileChange], force: bool) -> Result<(Vec<FileChange>, Vec<Conflict>)> {
    let (mut changes, mut conflicts) = (Vec::new(), Vec::new());
    for file in files.iter().rev() {
        let now = file.now()?;
        if now == file.before {
            continue;
        }
        if now == file.after || force {
            changes.push(FileChange { before: now, after: file.before.clone(), ..file.clone() });
        } else {
            conflicts.push(Conflict {
                object: name(file),
                expected: in_words(&file.after),
                found: in_words(&now),
                former: in_words(&file.before),
            });
        }
    }
    Ok((changes, conflicts))
}

/// Takes all back that is in force, and never stops at a failure.
pub(super) fn undo(files: &[FileChange], report: &mut Report) {
    for file in files.iter().rev() {
        let one = inverse(std::slice::from_ref(file), false).and_then(|(changes, conflicts)| {
            report.conflicts.extend(conflicts);
            report.undone += changes.len();
            changes.iter().try_for_each(FileChange::make)
        });
        if let Err(error) = one.and_then(|()| file.tidy()) {
            report.left.push(format!("{}: {error}", name(file)));
        }
    }
}
