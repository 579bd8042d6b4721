//! A tree of files with the interfaces of its host and the programs that it starts, out of one text.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use arpflux_core::persist::{BootReport, Layout, at_boot};
use arpflux_core::snapshot::{Builder, LinkKind};

/// What a text says: see `trees/README.md`.
#[derive(Debug, Default)]
pub struct Tree {
    pub nics: Vec<String>,
    /// Interfaces that are made by the managers of the network, after `sysctl.d` was read.
    pub virtuals: Vec<String>,
    /// Those that the programs of the tree really make.
    pub made: Vec<String>,
    /// The programs, in the order of the boot.
    pub run: Vec<String>,
    /// What the report has to name: `lint PLACE`, `unfollowed PLACE`, `undetermined KEY`.
    pub expect: Vec<String>,
    pub files: Vec<(String, Entry)>,
}

#[derive(Debug, Clone)]
pub enum Entry {
    File { text: String, executable: bool },
    Link(String),
}

impl Tree {
    pub fn parse(text: &str) -> Self {
        let mut tree = Self::default();
        for line in text.lines() {
            let words = |rest: &str| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            if let Some(head) = line.strip_prefix("--- ") {
                let (executable, head) = head.strip_prefix('+').map_or((false, head), |head| (true, head));
                let entry = match head.split_once(" -> ") {
                    Some((path, target)) => (path.to_owned(), Entry::Link(target.to_owned())),
                    None => (head.to_owned(), Entry::File { text: String::new(), executable }),
                };
                tree.files.push(entry);
            } else if let Some((_, Entry::File { text, .. })) = tree.files.last_mut() {
                *text += line;
                text.push('\n');
            } else if let Some(rest) = line.strip_prefix("@nics ") {
                tree.nics = words(rest);
            } else if let Some(rest) = line.strip_prefix("@virtual ") {
                tree.virtuals = words(rest);
            } else if let Some(rest) = line.strip_prefix("@made ") {
                tree.made = words(rest);
            } else if let Some(rest) = line.strip_prefix("@run ") {
                tree.run = words(rest);
            } else if let Some(rest) = line.strip_prefix("@expect ") {
                tree.expect.push(rest.to_owned());
            } else {
                assert!(line.is_empty() || line.starts_with('#'), "{line}");
            }
        }
        tree
    }

    /// The same as one text, for messages.
    pub fn text(&self) -> String {
        let mut text = format!("@run {}\n", self.run.join(" "));
        for (path, entry) in &self.files {
            match entry {
                Entry::Link(target) => text += &format!("--- {path} -> {target}\n"),
                Entry::File { text: lines, .. } if path.contains("rules") => {
                    text += &format!("--- {path} {}\n", lines.len());
                }
                Entry::File { text: lines, .. } => text += &format!("--- {path}\n{lines}"),
            }
        }
        text
    }

    pub fn file(&mut self, path: &str, text: impl Into<String>) {
        self.files.push((path.into(), Entry::File { text: text.into(), executable: false }));
    }

    pub fn interfaces(&self) -> impl Iterator<Item = &String> {
        self.nics.iter().chain(&self.virtuals).chain(&self.made)
    }

    /// Writes the files below a folder.
    pub fn lay(&self, root: &Path) {
        for (path, entry) in &self.files {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a scratch folder");
            match entry {
                Entry::Link(target) => std::os::unix::fs::symlink(target, path).expect("a scratch link"),
                Entry::File { text, executable } => {
                    fs::write(&path, text).expect("a scratch file");
                    let mode = if *executable { 0o755 } else { 0o644 };
                    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
                }
            }
        }
    }

    /// What arpflux says about the tree: nothing is set now.
    pub fn report(&self, root: &Path) -> BootReport {
        let mut host = Builder::new();
        for (number, name) in self.interfaces().enumerate() {
            host = host.nic(name, &[&address(number)]);
        }
        for name in self.virtuals.iter().chain(&self.made) {
            host = host.with(name, |interface| interface.kind = Some(LinkKind::Veth));
        }
        let layout = Layout::default().root(root);
        at_boot(&host.build().expect("a host"), &layout).expect("the tree can be read")
    }
}

/// The address that an interface gets if its managers gave it none.
pub fn address(number: usize) -> String {
    format!("10.{number}.200.1/24")
}

/// A scratch folder that goes with its owner.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("arpflux-boot-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a scratch folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
