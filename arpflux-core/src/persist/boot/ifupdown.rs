//! interfaces(5): the lines of interfaces that come up at boot, and the hook folders.

use std::path::{Path, PathBuf};

use super::shell::{self, Effects};
use crate::error::Result;
use crate::persist::sysctld::matches;
use crate::persist::{Layout, Root, hooks};

/// Files that are read at the most: a file that names itself ends nothing.
const FILES: usize = 256;

/// What `ifup -a` does, and the hooks, as far as they can be followed.
pub(super) fn effects(root: &Root, layout: &Layout) -> Result<Effects> {
    let mut effects = Effects::default();
    let present = ["/sbin/ifup", "/usr/sbin/ifup", "/usr/bin/ifup"];
    if !present.iter().any(|path| root.exists(&layout.below(path))) {
        return Ok(effects);
    }
    let lines = lines(root, layout)?;
    let auto: Vec<&str> = lines
        .iter()
        .filter_map(|(.., text)| text.strip_prefix("auto ").or_else(|| text.strip_prefix("allow-hotplug ")))
        .flat_map(str::split_whitespace)
        .collect();
    let mut interface = None;
    for (file, line, text) in &lines {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match word {
            "iface" => interface = rest.split_whitespace().next().filter(|name| auto.contains(name)),
            "auto" | "mapping" | "source" | "source-directory" => interface = None,
            "pre-up" | "up" | "post-up" => {
                if let Some(name) = interface {
                    let variables = [("IFACE", name), ("LOGICAL", name)];
                    effects.extend(shell::follow(rest, &variables, file, *line));
                }
            }
            _ => {}
        }
    }
    for folder in ["/etc/network/if-pre-up.d", "/etc/network/if-up.d"] {
        for name in root.names(&layout.below(folder))? {
            let seen = Path::new(folder).join(name);
            if seen == Path::new(hooks::IF_UP) {
                continue;
            }
            let text = root.text(&layout.below(&seen)).ok().flatten().unwrap_or_default();
            effects.unfollowed.extend(super::mentions(
                &text,
                &seen,
                "a hook that ifup runs for each interface",
            ));
        }
    }
    Ok(effects)
}

/// All lines with what they include, continued ones joined: file, line, text.
fn lines(root: &Root, layout: &Layout) -> Result<Vec<(PathBuf, usize, String)>> {
    let mut lines = Vec::new();
    let mut files = vec![PathBuf::from("/etc/network/interfaces")];
    let mut read = 0;
    while let Some(file) = files.pop() {
        read += 1;
        let Some(text) = root.text(&layout.below(&file))?.filter(|_| read <= FILES) else { continue };
        let mut whole = String::new();
        for (number, line) in text.lines().enumerate() {
            if let Some(begun) = line.strip_suffix('\\') {
                whole += begun;
                continue;
            }
            whole += line;
            let line = std::mem::take(&mut whole).trim().to_owned();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(pattern) = line.strip_prefix("source ") {
                files.extend(included(root, layout, pattern.trim())?);
            } else if let Some(folder) = line.strip_prefix("source-directory ") {
                files.extend(included(root, layout, &format!("{}/*", folder.trim()))?);
            }
            lines.push((file.clone(), number + 1, line));
        }
    }
    Ok(lines)
}

/// The files that a pattern in the last part of a path names.
fn included(root: &Root, layout: &Layout, pattern: &str) -> Result<Vec<PathBuf>> {
    let pattern = Path::new("/etc/network").join(pattern);
    let (Some(folder), Some(last)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Ok(Vec::new());
    };
    let names = root.names(&layout.below(folder))?;
    let found = names.iter().filter(|name| name.to_str().is_some_and(|name| matches(last, name)));
    // The stack of files is read from its end.
    Ok(found.rev().map(|name| folder.join(name)).collect())
}
