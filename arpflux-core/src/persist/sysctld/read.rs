//! What the files say, in the order in which it counts.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Key, pattern};
use crate::error::Result;
use crate::persist::Root;

/// The folders, the first one strongest.
pub const FOLDERS: &[&str] =
    &["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
        Self::load_with(root, &Root::open(root)?, None)
    }

    /// The same, with one more file that is read after all others.
    pub(in crate::persist) fn load_with(root: &Path, below: &Root, last: Option<&str>) -> Result<Self> {
        let mut files: BTreeMap<String, (PathBuf, PathBuf)> = BTreeMap::new();
        for folder in FOLDERS {
            let real = root.join(folder.trim_start_matches('/'));
            for name in below.names(&real)? {
                let Some(name) =
                    name.to_str().filter(|name| name.ends_with(".conf") && !name.starts_with('.'))
                else {
                    continue;
                };
                let seen = Path::new(folder).join(name);
                files.entry(name.to_owned()).or_insert_with(|| (real.join(name), seen));
            }
        }
        let mut lines = Vec::new();
        let last = last.map(|seen| (root.join(seen.trim_start_matches('/')), PathBuf::from(seen)));
        for (path, seen) in files.into_values().chain(last) {
            // A link to nothing (`/dev/null`) hides the file.
            let Some(text) = below.text(&path)? else { continue };
            lines.extend(parse(&text, &seen));
        }
        Ok(Self::from_lines(lines))
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

    /// The place of a line in the order of effect.
    pub(in crate::persist) fn place(&self, line: &Assignment) -> Option<usize> {
        self.counted.iter().position(|other| std::ptr::eq(other, line))
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
