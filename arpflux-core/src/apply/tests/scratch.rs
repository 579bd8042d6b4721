//! A state folder that is gone afterwards.

use std::path::PathBuf;

use arpflux_core::apply::Options;

pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/run/arpflux-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn clear(&self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }

    pub fn options(&self) -> Options {
        Options::default().state_dir(&self.0)
    }

    pub fn journal_is_there(&self) -> bool {
        std::fs::read_dir(&self.0)
            .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().join("journal").exists()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}
