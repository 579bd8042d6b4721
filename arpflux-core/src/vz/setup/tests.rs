//! Installed and taken out again, in trees of both versions.

use super::*;

struct Tree {
    root: PathBuf,
}

impl Tree {
    fn new(name: &str, version: Version, functions: &str) -> Self {
        let root = std::env::temp_dir().join(format!("arpflux-vz-setup-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let tree = Self { root };
        tree.write("etc/vz/vz.conf", "NEIGHBOUR_DEVS=detect\nERROR_ON_ARPFAIL=\"no\"");
        tree.write(&format!("lib/scripts/{}", version.functions()), functions);
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn setup(&self, way: Way) -> Setup {
        Setup {
            installation: Installation::at(&self.root.join("lib/scripts")).unwrap(),
            way,
            vz_folder: self.root.join("etc/vz"),
            command: "/usr/bin/arpflux".into(),
            options: Vec::new(),
        }
    }

    /// Every file with its text and mode.
    fn files(&self) -> Vec<(PathBuf, FileState)> {
        let (mut found, mut todo) = (Vec::new(), vec![self.root.clone()]);
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    found.push((path.clone(), FileState::read(&path).unwrap()));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn make(changes: &[FileChange]) {
    changes.iter().for_each(|change| change.make().unwrap());
}

const CASES: [(Version, Way); 4] = [
    (Version::Vzctl, Way::Functions),
    (Version::Vzctl, Way::VzConf),
    (Version::Libvzctl, Way::Functions),
    (Version::Libvzctl, Way::Locked),
];

#[test]
fn every_way_is_idempotent_and_undone_exactly() {
    for (version, way) in CASES {
        for functions in ["#!/bin/sh\nvzarp()\n{\n}\n", "no newline at the end"] {
            let tree = Tree::new(&format!("exact-{way}"), version, functions);
            let before = tree.files();
            let setup = tree.setup(way);
            assert_eq!(setup.integration().unwrap(), Integration::Absent);
            make(&setup.changes().unwrap());
            assert_ne!(tree.files(), before);
            assert_eq!(setup.changes().unwrap(), [], "{version} {way}");
            assert_eq!(setup.integration().unwrap(), Integration::InPlace { way });
            make(&setup.removal().unwrap());
            assert_eq!(tree.files(), before, "{version} {way} {functions:?}");
            assert_eq!(setup.removal().unwrap(), []);
        }
    }
}

#[test]
fn one_way_after_another_leaves_nothing_of_the_first() {
    let tree = Tree::new("ways", Version::Libvzctl, "function vzarp()\n{\n}\n");
    let before = tree.files();
    make(&tree.setup(Way::Functions).changes().unwrap());
    make(&tree.setup(Way::Locked).changes().unwrap());
    assert_eq!(tree.setup(Way::Functions).integration().unwrap(), Integration::InPlace { way: Way::Locked });
    let functions = std::fs::read_to_string(tree.root.join("lib/scripts/vz-functions")).unwrap();
    assert_eq!(functions, "function vzarp()\n{\n}\n");
    make(&tree.setup(Way::Functions).removal().unwrap());
    assert_eq!(tree.files(), before);
}

#[test]
fn an_upgrade_that_takes_the_line_away_is_noticed_and_put_right() {
    let tree = Tree::new("upgrade", Version::Vzctl, "old\n");
    let setup = tree.setup(Way::Functions);
    make(&setup.changes().unwrap());
    tree.write("lib/scripts/vps-functions", "new\n");
    match setup.integration().unwrap() {
        Integration::Damaged { files } => {
            assert!(files.contains(&tree.root.join("lib/scripts/vps-functions")), "{files:?}");
        }
        other => panic!("{other:?}"),
    }
    make(&setup.changes().unwrap());
    assert_eq!(setup.integration().unwrap(), Integration::InPlace { way: Way::Functions });
    make(&setup.removal().unwrap());
    assert_eq!(std::fs::read_to_string(tree.root.join("lib/scripts/vps-functions")).unwrap(), "new\n");
}

#[test]
fn edits_of_others_survive() {
    let tree = Tree::new("edits", Version::Vzctl, "one\n");
    let setup = tree.setup(Way::Functions);
    make(&setup.changes().unwrap());
    let path = tree.root.join("lib/scripts/vps-functions");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("zero\n{text}two\n")).unwrap();
    make(&setup.removal().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "zero\none\ntwo\n");
}

#[test]
fn what_does_not_fit_or_is_in_the_way_is_refused() {
    let refused = |setup: &Setup| setup.changes().unwrap_err().kind();
    let legacy = Tree::new("refused-legacy", Version::Vzctl, "x\n");
    assert_eq!(refused(&legacy.setup(Way::Locked)), ErrorKind::Refused);
    let new = Tree::new("refused-new", Version::Libvzctl, "x\n");
    assert_eq!(refused(&new.setup(Way::VzConf)), ErrorKind::Refused);
    new.write("lib/script.d/vz-stop", "#!/bin/bash\n# an admin's own\n");
    let before = new.files();
    assert_eq!(refused(&new.setup(Way::Locked)), ErrorKind::Refused);
    make(&new.setup(Way::Functions).changes().unwrap());
    assert_eq!(new.setup(Way::Functions).warnings().unwrap().len(), 3, "package, NEIGHBOUR_DEVS, script.d");
    make(&new.setup(Way::Functions).removal().unwrap());
    assert_eq!(new.files(), before);
    for command in ["arpflux", "/tmp/$(id)", "/tmp/a b", "/tmp/a\nb", "/tmp/'", ""] {
        let setup = Setup { command: command.into(), ..legacy.setup(Way::Functions) };
        assert_eq!(refused(&setup), ErrorKind::InvalidInput, "{command:?}");
    }
    assert_eq!(Installation::at(&legacy.root).unwrap_err().kind(), ErrorKind::NotFound);
    legacy.write("lib/scripts/vz-functions", "x\n");
    assert_eq!(Installation::at(&legacy.root.join("lib/scripts")).unwrap_err().kind(), ErrorKind::Refused);
}

#[test]
fn the_hooks_are_scripts_without_placeholders() {
    for (version, way) in CASES {
        let tree = Tree::new(&format!("hooks-{way}"), version, "x\n");
        let setup = Setup { options: vec!["--state-dir".into(), "/run/x".into()], ..tree.setup(way) };
        for change in setup.changes().unwrap() {
            let FileState::Regular { text, .. } = change.after else { continue };
            assert!(!text.contains('@') || text.contains("\"$@\""), "{text}");
            for placeholder in ["@COMMAND@", "@OPTIONS@", "@SCRIPTS@", "@HOOK@", "@NAME@"] {
                assert!(!text.contains(placeholder), "{placeholder} is left in {}", change.path.display());
            }
            let shell = if version == Version::Vzctl { "sh" } else { "bash" };
            let path = tree.root.join("check");
            std::fs::write(&path, &text).unwrap();
            let status = std::process::Command::new(shell).arg("-n").arg(&path).status().unwrap();
            assert!(status.success(), "{}", change.path.display());
        }
    }
}
