//! The copies of `sysctl.d` in an initramfs (dracut makes them): systemd-sysctl sets what they say before the host's own
//! files are there. A copy may be older than the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cpio::{self, Entry, Wanted};
use super::files::Files;
use super::shell::Unfollowed;
use crate::persist::sysctld::{BootSysctls, FOLDERS, Reader, order};

/// Images that are read at the most.
const MOST: usize = 4;
const READER: &str = "usr/lib/systemd/systemd-sysctl";
const SYSCTL_CONF: &str = "etc/sysctl.conf";
/// Where unified images are, whose initramfs is a section of a program.
const UNIFIED: [&str; 3] = ["/boot/efi/EFI/Linux", "/efi/EFI/Linux", "/boot/EFI/Linux"];

/// What is set, and what could not be told.
pub(super) fn load(files: &Files<'_>) -> (BootSysctls, Vec<Unfollowed>) {
    let mut unfollowed = Vec::new();
    let mut open = |file: &Path, why: String, sysctls: Vec<String>| {
        let (file, text) = (file.into(), "initramfs".into());
        unfollowed.push(Unfollowed { file, line: 0, text, why, sysctls });
    };
    let images = images(files);
    let mut first: Option<(PathBuf, BootSysctls)> = None;
    for (number, image) in images.iter().enumerate() {
        if number >= MOST {
            open(image, format!("only {MOST} images are read"), Vec::new());
            break;
        }
        match texts(files, image) {
            Ok(texts) => {
                let read = BootSysctls::of_texts(Reader::Systemd, texts, &[]);
                let said = |read: &BootSysctls| -> Vec<(String, Option<String>)> {
                    read.lines().map(|line| (line.key.to_string(), line.value.clone())).collect()
                };
                match &first {
                    None => first = Some((image.clone(), read)),
                    Some((_, other)) if said(other) == said(&read) => {}
                    Some((other, before)) => {
                        let why = format!(
                            "it says other sysctls than {}, and which of the two boots cannot be told",
                            other.display()
                        );
                        let differ = before
                            .lines()
                            .chain(read.lines())
                            .filter_map(|line| line.key.as_path().rsplit('/').next());
                        let mut differ: Vec<String> = differ.map(str::to_owned).collect();
                        differ.sort();
                        differ.dedup();
                        open(image, why, differ);
                    }
                }
            }
            Err(error) => open(image, format!("its copy of sysctl.d cannot be listed: {error}"), Vec::new()),
        }
    }
    for folder in UNIFIED {
        for name in files.names_quietly(Path::new(folder)).iter().filter(|name| name.ends_with(".efi")) {
            let why = "the initramfs of a unified kernel image is not listed".to_owned();
            open(&Path::new(folder).join(name), why, Vec::new());
        }
    }
    (first.map(|(_, read)| read).unwrap_or_default(), unfollowed)
}

/// The images, the one of the kernel that runs alone where there is one: the next boot is taken to be like this one.
fn images(files: &Files<'_>) -> Vec<PathBuf> {
    let boot = Path::new("/boot");
    let mut found: Vec<PathBuf> = Vec::new();
    let is_image = |name: &str| {
        (name.starts_with("initrd") || name.starts_with("initramfs"))
            && !["fallback", "rescue", "kdump", ".bak", ".old", ".dpkg"]
                .iter()
                .any(|word| name.contains(word))
    };
    for name in files.names_quietly(boot) {
        let seen = boot.join(&name);
        if is_image(&name) && files.link(&seen).is_none() {
            found.push(seen);
        } else if name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            // /boot/MACHINE-ID/RELEASE/initrd of the Boot Loader Specification.
            for release in files.names_quietly(&seen) {
                let folder = seen.join(release);
                let names = files.names_quietly(&folder);
                found.extend(names.iter().filter(|name| is_image(name)).map(|name| folder.join(name)));
            }
        }
    }
    if files.layout.root == Path::new("/") {
        let release = files.text("/proc/sys/kernel/osrelease").unwrap_or_default();
        let release = release.trim();
        let of_this = |image: &PathBuf| !release.is_empty() && image.to_string_lossy().contains(release);
        if found.iter().any(of_this) {
            found.retain(of_this);
        }
    }
    // The newest first, as far as names say that.
    found.reverse();
    found
}

/// The texts of the copies in the order in which systemd-sysctl takes them; none if it is not in the image.
fn texts(files: &Files<'_>, image: &Path) -> Result<Vec<(PathBuf, String)>, crate::Error> {
    let Some(file) = files.root.file(&files.layout.below(image))? else { return Ok(Vec::new()) };
    let wanted = |name: &str| match name {
        READER | "lib/systemd/systemd-sysctl" => Wanted::Presence,
        SYSCTL_CONF => Wanted::Text,
        _ => {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let is_read = FOLDERS.iter().any(|it| it.trim_start_matches('/') == folder);
            if is_read && name.ends_with(".conf") { Wanted::Text } else { Wanted::No }
        }
    };
    let found = cpio::read(file, &wanted).map_err(|error| crate::Error::file("read", image, &error))?;
    if !found.values().any(|entry| *entry == Entry::Other) {
        return Ok(Vec::new());
    }
    let names = |folder: &str| {
        let folder = folder.trim_start_matches('/');
        let within = found.keys().filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'));
        Ok(within.map(Into::into).collect())
    };
    let seen = order(Reader::Systemd, names)?;
    let texts = seen.into_iter().filter_map(|seen| {
        let text = text(&found, seen.to_str()?.trim_start_matches('/'))?;
        Some((format!("{}:{}", image.display(), seen.display()).into(), text.to_owned()))
    });
    Ok(texts.collect())
}

/// The text of a file, by way of one link in the archive; a link elsewhere hides the file as one to `/dev/null` does.
fn text<'f>(found: &'f BTreeMap<String, Entry>, name: &str) -> Option<&'f str> {
    let target = match found.get(name)? {
        Entry::File(text) => return Some(text),
        Entry::Link(target) => target,
        Entry::Other => return None,
    };
    let mut path: Vec<&str> = name.split('/').collect();
    path.pop();
    if target.starts_with('/') {
        path.clear();
    }
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    match found.get(&path.join("/"))? {
        Entry::File(text) => Some(text),
        _ => None,
    }
}
