//! Puts the calls to arpflux into the scripts of vzctl or libvzctl, and takes them out again exactly.
//!
//! No script is replaced. There are three ways; [`Way::usual`] is the one that fits a version:
//!
//! - [`Way::Functions`]: one line at the end of the functions file sources a file of ours, whose functions
//!   take the place of a few of vzctl's own. All scripts use them. A copy of the file is kept.
//! - [`Way::Locked`]: OpenVZ 7 runs a script of the same name in `script.d` instead of its own. Ours locks
//!   the same functions and then runs the shipped script. No file of the package is changed, but bash says
//!   one line on standard error for each function.
//! - [`Way::VzConf`]: `NEIGHBOUR_DEVS` in `vz.conf`, which is shell, asks `arpflux vz nics`. vzctl's own
//!   functions do the rest, on that interface only, in their order and without source routing.

mod installation;
mod text;
mod way;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use installation::{Installation, SCRIPT_FOLDERS};
pub use text::diff;
pub use way::{Version, Way};

use crate::apply::{Confirm, Options, Receipt, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::persist::{FileChange, FileState};
use crate::plan::Plan;
use crate::snapshot::Snapshot;

const WRAPPER: &str = include_str!("wrapper.sh");

/// The scripts of OpenVZ 7 that publish and withdraw.
const WRAPPED: [&str; 3] = ["vz-netns_dev_add", "vz-netns_dev_del", "vz-stop"];
/// Their folder, beside that of the scripts.
const WRAPPERS: &str = "script.d";
/// The folder of our own files.
const OWN: &str = "arpflux";
const VZ_CONF: &str = "vz.conf";
/// What runs `setup` once more as it was run; `arpflux-vz.service` looks for files whose names begin so.
const AGAIN: &str = "setup-";

/// An integration: into which scripts, how, and what they shall call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Into which scripts.
    pub installation: Installation,
    /// How.
    pub way: Way,
    /// The folder with `vz.conf`, which also holds the folder of our own files. Default `/etc/vz`.
    pub vz_folder: PathBuf,
    /// The command, by its absolute path.
    pub command: PathBuf,
    /// The options that every call gets: `--policy`, `--state-dir` and their like, one word each.
    pub options: Vec<String>,
}

/// Whether an integration is in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Integration {
    /// There is nothing of it.
    Absent,
    /// Everything is as `setup` would write it now.
    InPlace {
        /// In which way.
        way: Way,
    },
    /// Something of it is gone or another: a package was upgraded, or somebody edited a file.
    Damaged {
        /// The files that are not as they should be.
        files: Vec<PathBuf>,
    },
}

/// Whether an integration has a file of this path, wherever vzctl's folders are.
pub(super) fn writes(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let (Some(file), Some(folder)) = (name(path), path.parent().and_then(name)) else { return false };
    [Version::Vzctl, Version::Libvzctl]
        .iter()
        .any(|version| file == version.functions() || file == version.hook().0 && folder == OWN)
        || file == VZ_CONF
        || file.starts_with(AGAIN) && folder == OWN
        || folder == WRAPPERS && WRAPPED.contains(&file.as_str())
}

impl Setup {
    fn own(&self, name: &str) -> PathBuf {
        self.vz_folder.join(OWN).join(name)
    }

    fn functions(&self) -> PathBuf {
        self.installation.scripts.join(self.installation.version.functions())
    }

    fn hook(&self) -> PathBuf {
        self.own(self.installation.version.hook().0)
    }

    fn again(&self) -> PathBuf {
        self.own(&format!("{AGAIN}{}", self.installation.version.functions()))
    }

    /// Where the copy of a file of somebody else's is kept.
    fn backup(&self, file: &Path) -> PathBuf {
        self.own(&file.file_name().unwrap_or_default().to_string_lossy())
    }

    /// The file that lines are added to; [`Way::Locked`] adds none.
    fn edited(&self) -> Option<PathBuf> {
        match self.way {
            Way::Functions => Some(self.functions()),
            Way::VzConf => Some(self.vz_conf()),
            Way::Locked => None,
        }
    }

    fn vz_conf(&self) -> PathBuf {
        self.vz_folder.join(VZ_CONF)
    }

    fn wrapper(&self, name: &str) -> PathBuf {
        self.installation.scripts.with_file_name(WRAPPERS).join(name)
    }

    /// Everything that any way writes.
    fn all_files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.functions(), self.vz_conf(), self.hook(), self.again()];
        files.extend([self.backup(&self.functions()), self.backup(&self.vz_conf())]);
        files.extend(WRAPPED.iter().map(|name| self.wrapper(name)));
        files
    }

    /// The files as this integration wants them; those that it has nothing in are without anything of ours.
    fn wanted(&self) -> Result<Vec<FileChange>> {
        let words: Vec<&Path> = std::iter::once(self.command.as_path())
            .chain([self.vz_folder.as_path(), self.installation.scripts.as_path()])
            .chain(self.options.iter().map(Path::new))
            .collect();
        words.iter().try_for_each(|word| plain(word))?;
        if !self.command.is_absolute() {
            return Err(Error::new(ErrorKind::InvalidInput, "it is not an absolute path")
                .during("set up")
                .on(self.command.as_path()));
        }
        if self.way == Way::Locked && self.installation.version == Version::Vzctl
            || self.way == Way::VzConf && self.installation.version == Version::Libvzctl
        {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("the way {} does not work with {}", self.way, self.installation.version),
            )
            .during("set up")
            .hint("leave --way out"));
        }
        let mut changes = Vec::new();
        for path in self.all_files() {
            let before = FileState::read(&path)?;
            let after = self.after(&path, &before)?;
            changes.push(FileChange::new(path, before, after));
        }
        Ok(changes)
    }

    fn after(&self, path: &Path, before: &FileState) -> Result<FileState> {
        let (hook, functions) = (self.hook(), self.functions());
        let used = |ways: &[Way]| ways.contains(&self.way);
        if path == functions || path == self.vz_conf() {
            let mine = self.edited().as_deref() == Some(path);
            return match before {
                FileState::Regular { text, mode } if mine => {
                    let line = if path == functions {
                        format!(". {}", hook.display())
                    } else {
                        let call = self.call("nics");
                        format!("NEIGHBOUR_DEVS=\"list:$({call} 2>/dev/null)\"")
                    };
                    Ok(FileState::Regular { text: text::with_block(text, &line), mode: *mode })
                }
                FileState::Regular { .. } => self.clean(path, before),
                FileState::Absent if !mine => Ok(FileState::Absent),
                FileState::Absent => {
                    Err(Error::new(ErrorKind::NotFound, "it is not there").during("set up").on(path).hint(
                        "vzctl's own configuration is needed: install vzctl, or name its folder (--vz-dir)",
                    ))
                }
                FileState::Link { target } if mine => {
                    Err(Error::new(ErrorKind::Refused, format!("it is a link to {}", target.display()))
                        .during("set up")
                        .on(path)
                        .hint("name the folder where the file itself is"))
                }
                FileState::Link { .. } => Ok(before.clone()),
            };
        }
        if path == hook {
            let text = self.installation.version.hook().1;
            let text = text.replace("@COMMAND@", &self.command.display().to_string());
            let text = text.replace("@OPTIONS@", &self.option_words());
            return Ok(file_if(used(&[Way::Functions, Way::Locked]), text, 0o644));
        }
        if path == self.again() {
            let text = format!(
                "# arpflux: puts the calls into the scripts again, as they were set up; arpflux-vz.service runs it.\n\
                 exec {} --scripts {} --way {} --command {}\n",
                self.call("setup"),
                self.installation.scripts.display(),
                self.way,
                self.command.display(),
            );
            return Ok(file_if(true, text, 0o644));
        }
        if let Some(file) = [functions, self.vz_conf()].iter().find(|file| self.backup(file) == path) {
            let text = match FileState::read(file)? {
                FileState::Regular { text, .. } if !text::has_block(&text) => text,
                // It is in place already: the copy that was made then stays.
                _ => match before {
                    FileState::Regular { text, .. } => text.clone(),
                    _ => String::new(),
                },
            };
            let wanted = self.edited().as_ref() == Some(file) && !text.is_empty();
            return Ok(file_if(wanted, text, 0o600));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match before {
            FileState::Regular { text, .. } if !text.contains("# arpflux:") => {
                if self.way == Way::Locked {
                    return Err(Error::new(ErrorKind::Refused, "there is a script of somebody else already")
                        .during("set up")
                        .on(path)
                        .hint("use --way functions, which goes together with it"));
                }
                Ok(before.clone())
            }
            FileState::Link { .. } => Ok(before.clone()),
            _ => {
                let text = WRAPPER
                    .replace("@SCRIPTS@", &self.installation.scripts.display().to_string())
                    .replace("@HOOK@", &hook.display().to_string())
                    .replace("@NAME@", &name);
                Ok(file_if(used(&[Way::Locked]), text, 0o755))
            }
        }
    }

    /// A file of somebody else's without what was added; the very bytes of the copy if that is all the
    /// difference.
    fn clean(&self, path: &Path, before: &FileState) -> Result<FileState> {
        let FileState::Regular { text, mode } = before else { return Ok(before.clone()) };
        if !text::has_block(text) {
            return Ok(before.clone());
        }
        let clean = text::without_block(text);
        if let FileState::Regular { text: copy, .. } = FileState::read(&self.backup(path))?
            && clean.strip_suffix('\n') == Some(copy.as_str())
        {
            return Ok(FileState::Regular { text: copy, mode: *mode });
        }
        Ok(FileState::Regular { text: clean, mode: *mode })
    }

    fn option_words(&self) -> String {
        std::iter::once("--wait".to_owned())
            .chain(["60s".to_owned(), "--vz-dir".to_owned(), self.vz_folder.display().to_string()])
            .chain(self.options.iter().cloned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn call(&self, verb: &str) -> String {
        format!("{} vz {verb} {}", self.command.display(), self.option_words())
    }

    /// The files to change so that the integration is in place; none if it is. Another way that was set up
    /// before goes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a path cannot stand in a shell script, [`ErrorKind::Refused`] if the
    /// way does not fit the version or a file is in the way, and any failure to read the files.
    pub fn changes(&self) -> Result<Vec<FileChange>> {
        Ok(in_order(self.wanted()?))
    }

    /// The files to change so that nothing of any integration is left.
    ///
    /// # Errors
    /// Any failure to read the files.
    pub fn removal(&self) -> Result<Vec<FileChange>> {
        let mut changes = Vec::new();
        for path in self.all_files() {
            let before = FileState::read(&path)?;
            let own = path.starts_with(self.own(""));
            let ours = match &before {
                FileState::Regular { text, .. } => own || text.contains("# arpflux:"),
                _ => false,
            };
            let after = match ours {
                false => before.clone(),
                true if path == self.functions() || path == self.vz_conf() => self.clean(&path, &before)?,
                true => FileState::Absent,
            };
            changes.push(FileChange::new(path, before, after));
        }
        Ok(in_order(changes))
    }

    /// Whether an integration is in place, whichever way it came in.
    ///
    /// # Errors
    /// Any failure to read the files.
    pub fn integration(&self) -> Result<Integration> {
        if self.removal()?.is_empty() {
            return Ok(Integration::Absent);
        }
        let mut least: Option<Vec<PathBuf>> = None;
        for way in Way::ALL {
            let Ok(changes) = (Self { way, ..self.clone() }).changes() else { continue };
            if changes.is_empty() {
                return Ok(Integration::InPlace { way });
            }
            let files: Vec<PathBuf> = changes.into_iter().map(|change| change.path).collect();
            if least.as_ref().is_none_or(|least| files.len() < least.len()) {
                least = Some(files);
            }
        }
        Ok(Integration::Damaged { files: least.unwrap_or_default() })
    }

    /// What would overwrite the integration or stands against it, one sentence each.
    ///
    /// # Errors
    /// Any failure to read the files.
    pub fn warnings(&self) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        match self.way {
            Way::Functions => warnings.push(format!(
                "{} belongs to a package: an upgrade of it takes the line away (`arpflux vz status` says so, \
                 `arpflux vz setup` puts it back; under systemd `systemctl enable --now arpflux-vz.path` has that \
                 done by itself)",
                self.functions().display(),
            )),
            Way::Locked => warnings.push(
                "bash says \"readonly function\" on standard error for each locked function; nothing is wrong then"
                    .into(),
            ),
            Way::VzConf => warnings.push(format!(
                "{} may be written anew by a package or a panel; packets leave as the routing tables say, and \
                 vzctl still publishes before it sets the route",
                self.vz_conf().display(),
            )),
        }
        if let FileState::Regular { text, .. } = FileState::read(&self.vz_conf())? {
            let text = text::without_block(&text);
            let set = |line: &&str| line.trim_start().starts_with("NEIGHBOUR_DEVS=");
            if let Some(line) = text.lines().find(set) {
                warnings.push(format!(
                    "{} has {}, which no longer counts",
                    self.vz_conf().display(),
                    super::call::shown(line.trim())
                ));
            }
        }
        for name in WRAPPED {
            let path = self.wrapper(name);
            if self.installation.version == Version::Libvzctl
                && self.way == Way::Functions
                && let FileState::Regular { text, .. } = FileState::read(&path)?
                && !text.contains("# arpflux:")
            {
                warnings.push(format!(
                    "{} runs in place of libvzctl's own script: unless it sources {}, arpflux is not called there",
                    path.display(),
                    self.functions().display(),
                ));
            }
        }
        Ok(warnings)
    }

    /// Makes changes of files, as one transaction: all of them, or none.
    ///
    /// # Errors
    /// As [`Transaction::apply`].
    pub fn make(&self, host: &Host, options: &Options, changes: Vec<FileChange>) -> Result<Receipt> {
        let options = Options { confirm: Confirm::Now, ..options.clone() };
        let receipt = host.with_kernel(|kernel| {
            let mut persist = move |_: &Snapshot, _: &Plan| Ok(changes.clone());
            Transaction::new(kernel, &options).persist(&mut persist).apply(&Plan::default())
        })?;
        // Our own folders, if nothing is left in them: a transaction leaves folders.
        for folder in [self.own(""), self.wrapper("")] {
            let _ = std::fs::remove_dir(folder);
        }
        Ok(receipt)
    }
}

/// Those that change something: what is made comes first, what goes comes last, so that no script sources
/// what is not there.
fn in_order(mut changes: Vec<FileChange>) -> Vec<FileChange> {
    changes.retain(|change| change.before != change.after);
    changes.sort_by_key(|change| match (&change.before, &change.after) {
        (FileState::Absent, _) => 0,
        (_, FileState::Absent) => 2,
        _ => 1,
    });
    changes
}

/// A file of our own, where it is wanted.
fn file_if(wanted: bool, text: String, mode: u32) -> FileState {
    if wanted { FileState::Regular { text, mode } } else { FileState::Absent }
}

/// Whether a word can stand in a shell script as it is.
fn plain(word: &Path) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "/._+-:=".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(fine) => Ok(()),
        _ => Err(Error::new(ErrorKind::InvalidInput, "it cannot stand in a shell script as it is")
            .during("set up")
            .on(super::call::shown(&word.to_string_lossy()))
            .hint("use a path of letters, digits and / . _ + -")),
    }
}

#[cfg(test)]
mod tests;
