//! Which process writes a sysctl that is changed again and again.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
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
        // Once: while somebody writes as fast as he can, there is always more.
        let Some(Ok(events)) = self.fanotify.as_ref().map(Fanotify::read_events) else { return };
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
                    self.last.entry(path).or_insert_with(|| format!("process {process}, which has ended"));
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
        Object::Sysctl { scope: SysctlScope::Interface { name, .. }, sysctl } => Some(
            Path::new("/proc/sys/net/ipv4/conf").join(OsStr::from_bytes(name.as_bytes())).join(sysctl.name()),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::kernel::testing::in_new_netns;
    use crate::sysctl::Sysctl;
    use crate::types::IfName;

    /// Who writes is heard in the first user namespace only.
    #[test]
    fn who_writes_is_named_whatever_the_interface_is_called() {
        let users = fs::read_to_string("/proc/self/uid_map").unwrap();
        if !users.split_ascii_whitespace().eq(["0", "0", "4294967295"]) {
            println!("not tried: another user namespace, {users}");
            return;
        }
        in_new_netns(|| {
            for name in [&b"eth0"[..], b"a\\b", b"\xff\xfe", b"gr\xc3\xb6\xc3\x9fe", b"e0.10"] {
                let text = OsStr::from_bytes(name);
                let added =
                    Command::new("ip").args(["link", "add"]).arg(text).args(["type", "veth"]).status();
                assert!(added.unwrap().success(), "{text:?}");
                let scope = SysctlScope::Interface {
                    index: crate::types::IfIndex(0),
                    name: IfName::from_bytes(name).unwrap(),
                };
                let object = Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore };
                let mut writers = Writers::default();
                writers.follow(&object);
                let path = path_of(&object).unwrap();
                let script = "echo 1 >\"$0\"; read -r end";
                let mut shell = Command::new("sh");
                let shell = shell.args(["-c", script]).arg(path).stdin(std::process::Stdio::piped());
                let mut writer = shell.spawn().unwrap();
                let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
                while writers.last(&object).is_none() && std::time::Instant::now() < deadline {
                    writers.note();
                }
                assert_eq!(writers.last(&object), Some(format!("sh, process {}", writer.id())), "{text:?}");
                drop(writer.stdin.take());
                writer.wait().unwrap();
            }
        });
    }
}
