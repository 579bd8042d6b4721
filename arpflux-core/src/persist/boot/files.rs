//! The files below the root, as the readers of a boot see them. What is there and cannot be read is remembered: what it
//! would set cannot be told.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::WATCHED;
use super::shell::Unfollowed;
use crate::error::Error;
use crate::persist::{FileState, Layout, Root};

pub(super) struct Files<'r> {
    pub(super) root: &'r Root,
    pub(super) layout: &'r Layout,
    unread: RefCell<Vec<Unfollowed>>,
}

impl<'r> Files<'r> {
    pub(super) fn new(root: &'r Root, layout: &'r Layout) -> Self {
        Self { root, layout, unread: RefCell::default() }
    }

    fn could_not(&self, path: &Path, error: &Error) {
        let mut unread = self.unread.borrow_mut();
        if !unread.iter().any(|it| it.file == path) {
            unread.push(Unfollowed {
                file: path.into(),
                line: 0,
                text: String::new(),
                why: error.to_string(),
                sysctls: WATCHED.iter().map(|sysctl| sysctl.name().into()).collect(),
            });
        }
    }

    /// The text of a file; `None` if there is no such file, or it cannot be read.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let path = path.as_ref();
        self.root.text(&self.layout.below(path)).unwrap_or_else(|error| {
            self.could_not(path, &error);
            None
        })
    }

    /// The text of a script that a command names; `None` for any other program.
    pub(super) fn script(&self, path: &str) -> Option<String> {
        let text = self.root.text(&self.layout.below(path)).ok().flatten()?;
        text.starts_with("#!").then_some(text)
    }

    /// The names in a folder, sorted.
    pub(super) fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let folder = folder.as_ref();
        let names = self.root.names(&self.layout.below(folder)).unwrap_or_else(|error| {
            self.could_not(folder, &error);
            Vec::new()
        });
        names.into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    /// The names in something that may be no folder.
    pub(super) fn names_quietly(&self, folder: &Path) -> Vec<String> {
        let names = self.root.names(&self.layout.below(folder)).unwrap_or_default();
        names.into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    /// The files that end so in several folders, in the order of their names; one in an earlier folder hides its
    /// namesakes.
    pub(super) fn by_name(&self, folders: &[&str], end: &str) -> Vec<PathBuf> {
        let mut found = std::collections::BTreeMap::new();
        for folder in folders {
            for name in self.names(folder) {
                if Path::new(&name).extension() == Some(OsStr::new(end)) {
                    found.entry(name.clone()).or_insert_with(|| Path::new(folder).join(&name));
                }
            }
        }
        found.into_values().collect()
    }

    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.root.exists(&self.layout.below(path))
    }

    pub(super) fn has_entry(&self, path: impl AsRef<Path>) -> bool {
        self.root.has_entry(&self.layout.below(path))
    }

    /// Where a link points; `None` for anything else.
    pub(super) fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        match self.root.read(&self.layout.below(path)) {
            Ok(FileState::Link { target }) => Some(target),
            _ => None,
        }
    }

    /// Whether a program may be run. Where copying the tree has lost all modes, each may.
    pub(super) fn is_executable(&self, path: impl AsRef<Path>) -> bool {
        let programs =
            ["/bin/sh", "/sbin/ifup", "/usr/sbin/ifup", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"];
        self.may_run(path.as_ref()) || !programs.iter().any(|program| self.may_run(Path::new(program)))
    }

    fn may_run(&self, path: &Path) -> bool {
        let owner = self.root.owner(&self.layout.below(path));
        owner.is_ok_and(|owner| owner.is_some_and(|owner| owner.mode & 0o111 != 0))
    }

    /// What was there and could not be read.
    pub(super) fn unread(&self) -> Vec<Unfollowed> {
        self.unread.borrow().clone()
    }
}
