//! What is written into files, and how it is shown beforehand.

use crate::persist::{FileChange, FileState};

/// Put around what is added to a file of somebody else's.
const BEGIN: &str = "# arpflux: added by `arpflux vz setup`, removed by `arpflux vz uninstall`";

/// The lines added to a file.
pub(super) fn block(line: &str) -> String {
    format!("{BEGIN}\n{line}\n")
}

/// `text` with the lines added at its end, and nothing left of what an earlier version added.
pub(super) fn with_block(text: &str, line: &str) -> String {
    let mut text = without_block(text);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text + &block(line)
}

/// Whether something of ours is in the text.
pub(super) fn has_block(text: &str) -> bool {
    text.lines().any(|line| line == BEGIN)
}

/// `text` without the lines that were added.
pub(super) fn without_block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        if line.trim_end_matches('\n') == BEGIN {
            // The line after it is ours too.
            lines.next();
        } else {
            out.push_str(line);
        }
    }
    out
}

/// The changes as a unified diff, as `diff -u` prints it.
#[must_use]
pub fn diff(changes: &[FileChange]) -> String {
    changes.iter().map(one).collect()
}

fn one(change: &FileChange) -> String {
    const CONTEXT: usize = 3;
    let path = change.path.display();
    let name = |state: &FileState| match state {
        FileState::Absent => "/dev/null".to_owned(),
        _ => path.to_string(),
    };
    let text = |state: &FileState| match state {
        FileState::Regular { text, .. } => text.clone(),
        FileState::Link { target } => format!("link to {}\n", target.display()),
        FileState::Absent => String::new(),
    };
    let (before, after) = (text(&change.before), text(&change.after));
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let mut out = format!("--- {}\n+++ {}\n", name(&change.before), name(&change.after));
    if let (FileState::Regular { mode: was, .. }, FileState::Regular { mode, .. }) =
        (&change.before, &change.after)
        && was != mode
    {
        out += &format!("# mode {was:o} becomes {mode:o}\n");
    }
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (from, until) = (head.saturating_sub(CONTEXT), tail.saturating_sub(CONTEXT));
    let (old_end, new_end) = (old.len() - until, new.len() - until);
    let start = |lines: usize, count: usize| if count == 0 { lines } else { lines + 1 };
    out += &format!(
        "@@ -{},{} +{},{} @@\n",
        start(from, old_end - from),
        old_end - from,
        start(from, new_end - from),
        new_end - from
    );
    let mut line = |sign: char, text: &str| {
        out.push(sign);
        out.push_str(text);
        if !text.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    };
    old[from..head].iter().for_each(|text| line(' ', text));
    old[head..old.len() - tail].iter().for_each(|text| line('-', text));
    new[head..new.len() - tail].iter().for_each(|text| line('+', text));
    old[old.len() - tail..old_end].iter().for_each(|text| line(' ', text));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_comes_off_again() {
        for text in ["", "a\n", "a\nb\n", "#!/bin/sh\nvzarp()\n{\n}\n"] {
            let with = with_block(text, ". /etc/vz/arpflux/vzctl.sh");
            assert!(has_block(&with) && !has_block(text));
            assert_eq!(with_block(&with, ". /etc/vz/arpflux/vzctl.sh"), with, "twice is once");
            assert_eq!(without_block(&with), text);
            let edited = format!("first\n{with}last\n");
            assert_eq!(without_block(&edited), format!("first\n{text}last\n"), "edits of others stay");
        }
        assert_eq!(without_block(&with_block("no newline", "x")), "no newline\n");
    }

    #[test]
    fn the_diff_is_one_that_patch_takes() {
        let regular = |text: &str| FileState::Regular { text: text.into(), mode: 0o644 };
        let folder = std::env::temp_dir().join(format!("arpflux-vz-diff-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        for (before, after) in [
            ("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n6\n7\n8\n"),
            ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n"),
            ("a\nb", "a\nb\nc\n"),
            ("a\na\na\n", "a\na\n"),
        ] {
            let change = FileChange::new(path.clone(), regular(before), regular(after));
            std::fs::write(&path, before).unwrap();
            std::fs::write(folder.join("diff"), diff(std::slice::from_ref(&change))).unwrap();
            let patch = std::process::Command::new("patch")
                .args(["-s", "-p0", "-i"])
                .arg(folder.join("diff"))
                .arg(&path)
                .output()
                .unwrap();
            assert!(patch.status.success(), "{patch:?}\n{}", diff(&[change]));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
        let made = FileChange::new(path, FileState::Absent, regular("a\nb\n"));
        assert!(diff(&[made]).contains("--- /dev/null\n+++ "), "a new file");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
