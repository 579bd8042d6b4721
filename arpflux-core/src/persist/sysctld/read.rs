//! What the files say, in the order in which it counts.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Key, pattern};
use crate::error::Result;
use crate::persist::Root;

/// The folders, the first one strongest.
pub const FOLDERS: &[&str] =
    &["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// Which program reads the files at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::persist) enum Reader {
    /// systemd-sysctl, and once more for each interface that appears.
    #[default]
    Systemd,
    /// `sysctl --system` of procps: the same order, then `/etc/sysctl.conf`.
    Procps,
    /// `sysctl -p` of busybox for one file after the other, folder by folder, as Alpine has it: no name hides
    /// another, there are no patterns, and dots of a name are found out by the interfaces that are there.
    Busybox,
    /// No program at all.
    Nobody,
}

const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Assignment {
    /// The name or pattern on the left.
    pub key: Key,
    /// The value as it is written; `None` for `-KEY`, which only takes the key out of patterns.
    pub value: Option<String>,
    /// The file, as the host sees it.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl Assignment {
    /// The number that the kernel takes the value for: decimal, `0x` hexadecimal or `0` octal, up to
    /// the first white space. `None` if it would refuse it.
    #[must_use]
    pub fn number(&self) -> Option<i32> {
        let word = self.value.as_deref()?.split_whitespace().next()?;
        let (negative, digits) = match word.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, word),
        };
        let magnitude = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            i64::from_str_radix(hex, 16).ok()?
        } else if digits.len() > 1 && digits.starts_with('0') {
            i64::from_str_radix(digits, 8).ok()?
        } else {
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??
        };
        i32::try_from(if negative { -magnitude } else { magnitude }).ok()
    }
}

/// Everything that systemd-sysctl would set at boot.
#[derive(Debug, Clone, Default)]
pub struct BootSysctls {
    /// By their order of effect: of equal keys only the last is left, at the place of the last.
    counted: Vec<Assignment>,
    /// Those that a later line of the same key made void, in the order they were read.
    overridden: Vec<Assignment>,
    by_key: HashMap<Key, usize>,
}

impl BootSysctls {
    /// Reads the files below `root` (`/`, or a folder that stands for it).
    ///
    /// # Errors
    /// Any failure to read a folder or file that is there.
    pub fn load(root: &Path) -> Result<Self> {
        let below = Root::open(root)?;
        let under = |seen: &Path| root.join(seen.strip_prefix("/").unwrap_or(seen));
        let mut lines = Vec::new();
        let names = |folder: &str| below.names(&under(Path::new(folder)));
        for seen in order(Reader::Systemd, names)? {
            // A link to nothing (`/dev/null`) hides the file.
            if let Some(text) = below.text(&under(&seen))? {
                lines.extend(parse(&text, &seen));
            }
        }
        Ok(Self::from_lines(lines))
    }

    /// The same of another reader, from the texts of the files in their [`order`]; `interfaces` are there meanwhile.
    pub(in crate::persist) fn of_texts(
        reader: Reader,
        texts: Vec<(PathBuf, String)>,
        interfaces: &[String],
    ) -> Self {
        let lines = |parse: &dyn Fn(&str, &Path) -> Vec<Assignment>| -> Vec<Assignment> {
            texts.iter().flat_map(|(seen, text)| parse(text, seen)).collect()
        };
        let counted = match reader {
            Reader::Systemd | Reader::Nobody => return Self::from_lines(lines(&parse)),
            // These write one line after the other, whatever comes later.
            Reader::Procps => lines(&parse),
            Reader::Busybox => lines(&|text, seen| parse_busybox(text, seen, interfaces)),
        };
        let by_key = counted.iter().enumerate().map(|(at, line)| (line.key.clone(), at)).collect();
        Self { counted, by_key, ..Self::default() }
    }

    fn from_lines(lines: Vec<Assignment>) -> Self {
        let mut last: HashMap<Key, usize> = HashMap::new();
        for (place, line) in lines.iter().enumerate() {
            // An equal value stands where it stood: systemd-sysctl only moves a key that changes.
            match last.get(&line.key) {
                Some(earlier) if lines[*earlier].value == line.value => {}
                _ => {
                    last.insert(line.key.clone(), place);
                }
            }
        }
        let mut this = Self::default();
        for (place, line) in lines.into_iter().enumerate() {
            if last.get(&line.key) == Some(&place) {
                this.by_key.insert(line.key.clone(), this.counted.len());
                this.counted.push(line);
            } else {
                this.overridden.push(line);
            }
        }
        this
    }

    /// The line that sets `key` (a full name) at boot, if any does: its own, or else the last
    /// pattern that matches.
    #[must_use]
    pub fn winner(&self, key: &Key) -> Option<&Assignment> {
        if let Some(place) = self.by_key.get(key) {
            let own = &self.counted[*place];
            return own.value.is_some().then_some(own);
        }
        self.counted.iter().rfind(|line| line.value.is_some() && line.reaches(key))
    }

    /// Every line that was read.
    pub(in crate::persist) fn lines(&self) -> impl Iterator<Item = &Assignment> {
        self.overridden.iter().chain(&self.counted)
    }

    /// What is written, in the order of time, to those of `keys` (sorted) that are there.
    pub(in crate::persist) fn writes<'s, 'k>(&'s self, keys: &'k [Key]) -> Vec<(&'k Key, &'s Assignment)> {
        let mut writes = Vec::new();
        for line in self.counted.iter().filter(|line| line.value.is_some()) {
            if line.key.is_pattern() {
                let free = |key: &&Key| line.reaches(key) && !self.by_key.contains_key(key);
                writes.extend(keys.iter().filter(free).map(|key| (key, line)));
            } else if let Ok(at) = keys.binary_search(&line.key) {
                writes.push((&keys[at], line));
            }
        }
        writes
    }

    /// The lines about `key` that do not count, each because of the [`BootSysctls::winner`] or
    /// because of a `-KEY` line.
    #[must_use]
    pub fn losers(&self, key: &Key) -> Vec<&Assignment> {
        let winner = self.winner(key);
        // Who takes a key out of the patterns means that no pattern is about it.
        let taken_out = self.lines().any(|line| line.value.is_none() && line.key == *key);
        self.lines()
            .filter(|line| line.value.is_some() && line.reaches(key) && !(taken_out && line.key.is_pattern()))
            .filter(|line| winner.is_none_or(|winner| !std::ptr::eq(winner, *line)))
            .collect()
    }
}

impl Assignment {
    /// Whether the line is about `key`, by its name or as a pattern.
    pub(in crate::persist) fn reaches(&self, key: &Key) -> bool {
        self.key == *key || (self.key.is_pattern() && pattern::matches(self.key.as_path(), key.as_path()))
    }
}

/// The files that a program reads, in that order; `names` lists a folder.
pub(in crate::persist) fn order(
    reader: Reader,
    mut names: impl FnMut(&str) -> Result<Vec<OsString>>,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut folders: Vec<&str> = if reader == Reader::Nobody { Vec::new() } else { FOLDERS.to_vec() };
    if reader == Reader::Busybox {
        folders.swap(0, 1);
    }
    for folder in folders {
        for name in names(folder)? {
            let Some(name) = name.to_str().filter(|name| name.ends_with(".conf")) else { continue };
            let path = Path::new(folder).join(name);
            match reader {
                // It has no eye for the dot in front that hides a file from the others.
                Reader::Procps => _ = first.entry(name.into()).or_insert(path),
                _ if name.starts_with('.') => {}
                Reader::Busybox => files.push(path),
                Reader::Systemd | Reader::Nobody => _ = first.entry(name.into()).or_insert(path),
            }
        }
    }
    files.extend(first.into_values());
    if matches!(reader, Reader::Procps | Reader::Busybox) {
        files.push(SYSCTL_CONF.into());
    }
    Ok(files)
}

/// The assignments of a file as busybox reads it: a value that the kernel refuses ends the file.
fn parse_busybox(text: &str, file: &Path, interfaces: &[String]) -> Vec<Assignment> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';', '-']) {
            continue;
        }
        let Some((left, value)) = line.split_once('=') else { continue };
        let (left, value) = (left.trim(), value.trim());
        let key = Key::among(left, interfaces);
        if value.is_empty() || key.as_path().is_empty() || key.is_pattern() {
            continue;
        }
        let line = Assignment { key, value: Some(value.to_owned()), file: file.to_owned(), line: number + 1 };
        let refused = line.number().is_none();
        let is_there = line.key.as_path() == "net/ipv4/ip_forward"
            || line.key.interface().is_some_and(|name| interfaces.iter().any(|it| it == name));
        lines.push(line);
        if refused && is_there {
            break;
        }
    }
    lines
}

/// The assignments of a file, as systemd-sysctl and procps read them.
pub(in crate::persist) fn parse(text: &str, file: &Path) -> Vec<Assignment> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (left, value) = match line.split_once('=') {
            Some((left, value)) => (left.trim(), Some(value.trim().to_owned())),
            None if line.starts_with('-') => (line, None),
            // Not an assignment: systemd-sysctl complains and goes on.
            None => continue,
        };
        // "-KEY = VALUE" only says that a failure does not matter.
        let key = Key::parse(left.strip_prefix('-').unwrap_or(left).trim());
        if key.as_path().is_empty() {
            continue;
        }
        lines.push(Assignment { key, value, file: file.to_owned(), line: number + 1 });
    }
    lines
}
