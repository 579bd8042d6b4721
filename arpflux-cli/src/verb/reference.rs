//! Completions for shells and manual pages, made from the same definitions as `--help`.

use std::path::PathBuf;

use arpflux_core::{Error, Result};
use clap::CommandFactory as _;

use crate::{Command, Output, exit};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints them.
    pub(super) fn run(&self, output: &Output) -> Result<u8> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Command::command(), "arpflux", &mut text);
        output.text(String::from_utf8_lossy(&text))?;
        Ok(exit::GOOD)
    }
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// An existing folder: arpflux.1, arpflux-apply.1 and so on are written into it.
    folder: PathBuf,
}

impl Man {
    /// Writes them.
    pub(super) fn run(&self) -> Result<u8> {
        clap_mangen::generate_to(Command::command(), &self.folder)
            .map_err(|error| Error::file("write manual pages", &self.folder, &error))?;
        Ok(exit::GOOD)
    }
}
