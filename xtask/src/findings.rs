//! `docs/findings/README.md`: the index of all findings, from the catalogue in `arpflux_core::diagnose`, and their lines
//! in the book's table of contents. The pages themselves are written by hand; that each is there, under the right
//! title, is checked here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use arpflux_core::diagnose::FindingId;

use crate::Generated;

const FOLDER: &str = "docs/findings";

/// What every page has, in this order.
const HEADINGS: [&str; 5] =
    ["\n## Symptom\n", "\n## Cause\n", "\n## How to see it by hand\n", "\n## Remedy\n", "\n## Who met it\n"];

/// Checks the pages and makes their index.
pub fn generate(root: &Path) -> Result<Generated, String> {
    let folder = root.join(FOLDER);
    let mut pages = BTreeSet::from(["README.md".to_string()]);
    let mut text = String::from(HEAD);
    for id in FindingId::ALL {
        let name = format!("{id}.md");
        check(&folder.join(&name), *id)?;
        let _ = writeln!(text, "| [{id}]({name}) | {} | {} |", id.severity(), id.title());
        pages.insert(name);
    }
    for entry in fs::read_dir(&folder).map_err(|error| format!("{FOLDER}: {error}"))? {
        let name =
            entry.map_err(|error| format!("{FOLDER}: {error}"))?.file_name().to_string_lossy().into_owned();
        if !pages.contains(&name) {
            return Err(format!("{FOLDER}/{name}: there is no such finding in the catalogue"));
        }
    }
    Ok(Generated { path: "docs/findings/README.md".into(), text })
}

/// `docs/SUMMARY.md` with one line for each finding below the index; a book has no other pages than those it lists.
pub fn contents(root: &Path) -> Result<Generated, String> {
    let path = "docs/SUMMARY.md";
    let former = fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
    let mut text = String::new();
    for line in former.lines().filter(|line| !line.starts_with("  - [AF")) {
        let _ = writeln!(text, "{line}");
        if line.ends_with("(findings/README.md)") {
            for id in FindingId::ALL {
                let _ = writeln!(text, "  - [{id}: {}](findings/{id}.md)", id.title());
            }
        }
    }
    Ok(Generated { path: path.into(), text })
}

/// The page begins with the title and severity of the catalogue and has every section, none of them empty.
fn check(path: &Path, id: FindingId) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{}: {what}", path.display()));
    let Ok(text) = fs::read_to_string(path) else { return wrong("there is no such page".into()) };
    let head = format!("# {id}: {}\n\nSeverity: {}.\n", id.title(), id.severity());
    if !text.starts_with(&head) {
        return wrong(format!("it does not begin with\n{head}"));
    }
    let mut rest = text.as_str();
    for heading in HEADINGS {
        match rest.split_once(heading) {
            Some((before, after)) if !before.trim().is_empty() => rest = after,
            _ => return wrong(format!("no heading {:?}, or nothing before it", heading.trim())),
        }
    }
    if rest.trim().is_empty() {
        return wrong("nothing under the last heading".into());
    }
    Ok(())
}

const HEAD: &str = "\
# What `arpflux diagnose` finds

Written by `cargo xtask gen` from the catalogue in `arpflux-core`: do not edit. Each page says how the fault shows, where
it comes from, how to see it without arpflux, what to do, and who met it before.

*error*: it goes wrong now. *warning*: it goes wrong under conditions that do occur. *info*: worth knowing, but healthy
hosts have it too. `--ignore AF012` leaves a finding out; `--fail-on` says from which severity on the exit code is 1.

| finding | severity | what |
|---|---|---|
";
