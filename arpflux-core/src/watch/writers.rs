//! Which process writes a sysctl that is changed again and again.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};

use crate::state::{Object, SysctlScope};

/// Hears who writes to some files below `/proc/sys`: by fanotify(7), which takes `CAP_SYS_ADMIN` in the first user
/// namespace. Where that is missing, or the kernel has none, it hears nothing.
#[derive(Debug, Default)]
pub(super) struct Writers {
    fanotify: Option<Fanotify>,
    last: HashMap<PathBuf, String>,
}

impl Writers {
    /// From now on writes to this sysctl count. To be called in its namespace.
    pub fn follow(&mut self, object: &Object) {
        let Some(path) = path_of(object) else { return };
        let listen = || {
            let flags = InitFlags::FAN_CLASS_NOTIF | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
            Fanotify::init(flags, EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC).ok()
        };
        if self.fanotify.is_none() {
            self.fanotify = listen();
        }
        if let Some(fanotify) = &self.fanotify {
            // Without it nobody is named.
            let _ = fanotify.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_MODIFY, AT_FDCWD, Some(&path));
        }
    }

    /// Notes who wrote since the last call: soon, as a process that has ended has no name.
    pub fn note(&mut self) {
        let Some(fanotify) = &self.fanotify else { return };
        while let Ok(events) = fanotify.read_events() {
            for event in events {
                let process = event.pid();
                let Some(file) = event.fd() else { continue };
                let Ok(path) = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) else { continue };
                if u32::try_from(process) == Ok(std::process::id()) || process <= 0 {
                    continue;
                }
                match fs::read_to_string(format!("/proc/{process}/comm")) {
                    Ok(name) => {
                        let name = name.trim_end().escape_debug();
                        self.last.insert(path, format!("{name}, process {process}"));
                    }
                    Err(_) => {
                        self.last
                            .entry(path)
                            .or_insert_with(|| format!("process {process}, which has ended"));
                    }
                }
            }
        }
    }

    /// Who wrote this sysctl last.
    pub fn last(&self, object: &Object) -> Option<String> {
        self.last.get(&path_of(object)?).cloned()
    }

    /// Nothing is changed again and again any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn path_of(object: &Object) -> Option<PathBuf> {
    match object {
        Object::Sysctl { scope: SysctlScope::Interface { name, .. }, sysctl } => {
            let name = name.to_string();
            Some(Path::new("/proc/sys/net/ipv4/conf").join(name).join(sysctl.name()))
        }
        _ => None,
    }
}
