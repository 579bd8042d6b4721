//! Layouts of real hosts, by the documented defaults of each distribution.

use std::fs;
use std::path::Path;
use std::process::Command;

use arpflux_core::persist::BootReport;

use crate::real::{Counts, compare};
use crate::tree::{Scratch, Tree};

fn place(file: &Path, line: usize) -> String {
    if line == 0 { file.display().to_string() } else { format!("{}:{line}", file.display()) }
}

/// What a report names, in the words of `@expect`.
fn named(report: &BootReport) -> Vec<String> {
    let lints = report.lints.iter().map(|lint| format!("lint {}", place(&lint.file, lint.line)));
    let unfollowed = report.unfollowed.iter().map(|it| format!("unfollowed {}", place(&it.file, it.line)));
    let open = report.values.iter().filter(|value| value.undetermined_by.is_some());
    let mut named: Vec<String> =
        lints.chain(unfollowed).chain(open.map(|value| format!("undetermined {}", value.key))).collect();
    named.sort();
    named.dedup();
    named
}

#[test]
fn real_layouts_boot_as_predicted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boot/trees");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("trees").flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "tree"));
    paths.sort();
    let mut counts = Counts::default();
    let only = std::env::var("ARPFLUX_TREE").unwrap_or_default();
    for path in paths.iter().filter(|path| path.to_string_lossy().contains(&only)) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut tree = Tree::parse(&fs::read_to_string(path).expect("a tree"));
        let scratch = Scratch::new(&name);
        tree.lay(&scratch.0);
        if tree.run.first().is_some_and(|step| step == "netplan") {
            tree.run.remove(0);
            // It generates in the tree what it generates at boot in /run.
            let made = Command::new("netplan").args(["generate", "--root-dir"]).arg(&scratch.0).output();
            let made = made.expect("netplan, of netplan.io");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let report = tree.report(&scratch.0);
        compare(&tree, &scratch.0, &report, &name, &mut counts);
        let mut expected = tree.expect.clone();
        expected.sort();
        assert_eq!(named(&report), expected, "{name}: {:#?} {:#?}", report.lints, report.unfollowed);
    }
    println!("{} layouts: {counts:?}", paths.len());
    assert!(!only.is_empty() || (paths.len() >= 15 && counts.set > 90), "{} {counts:?}", paths.len());
}
