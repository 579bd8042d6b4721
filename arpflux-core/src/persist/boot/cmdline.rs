//! `sysctl.NAME=VALUE` of the kernel's command line, which the kernel sets before init runs.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::shell::Unfollowed;
use crate::persist::sysctld::{Assignment, Key};
use crate::snapshot::Snapshot;

/// Where boot loaders take it from; `/proc/cmdline` is that of this boot, which the next is taken to repeat.
const FILES: [&str; 5] = [
    "/etc/kernel/cmdline",
    "/boot/firmware/cmdline.txt",
    "/boot/cmdline.txt",
    "/etc/default/grub",
    "/proc/cmdline",
];

/// The lines, and those for interfaces that may not be there yet.
pub(super) fn lines(files: &Files<'_>, snapshot: &Snapshot) -> (Vec<Assignment>, Vec<Unfollowed>) {
    let (mut lines, mut open) = (Vec::new(), Vec::new());
    let is_running = files.layout.root == Path::new("/");
    for file in FILES.iter().copied().map(str::to_owned).chain(entries(files)) {
        // Below another root /proc is the running kernel's, or nothing's; here the others are only where it came from.
        if is_running != file.starts_with("/proc") {
            continue;
        }
        let text = files.text(&file).unwrap_or_default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'))
        {
            let words = line.split(|c: char| c.is_whitespace() || "\"'".contains(c));
            for (key, value) in words.filter_map(|word| word.strip_prefix("sysctl.")?.split_once('=')) {
                let line = Assignment {
                    key: Key::slashed(key),
                    value: Some(value.to_owned()),
                    file: PathBuf::from(&file),
                    line: number + 1,
                };
                let nic = |name: &str| {
                    snapshot.interfaces.iter().any(|it| it.name.to_string() == name && name != "lo")
                };
                if line.key.interface().is_some_and(nic) {
                    let why = "the kernel sets it only if the driver of the interface is built in";
                    open.push(Unfollowed::new(&line.file, line.line, &format!("sysctl.{key}={value}"), why));
                } else {
                    lines.push(line);
                }
            }
        }
    }
    (lines, open)
}

/// Entries of the Boot Loader Specification.
fn entries(files: &Files<'_>) -> Vec<String> {
    let folder = "/boot/loader/entries";
    files.names(folder).into_iter().map(|name| format!("{folder}/{name}")).collect()
}
