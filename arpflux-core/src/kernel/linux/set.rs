//! Setting sysctls: by name, and of the interface that was meant.

use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::sysctl::{Folder, write};
use super::write::gone;
use super::{LinuxKernel, encode, names, sysctl_error};
use crate::error::{Error, ErrorKind, Result};
use crate::state::{SysctlScope, Value};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IfName};

/// The value that a sysctl gets.
pub(super) fn small(value: Value) -> Option<i32> {
    match value {
        Value::Number(value) => i32::try_from(value).ok(),
        Value::Entry { .. } | Value::Present | Value::Absent | Value::Unknown | Value::Gone => None,
    }
}

/// How often an interface's file that is not there is looked for, 1 ms apart.
const OPENINGS: u32 = 10;

impl LinuxKernel {
    /// A file is opened first and the interface's name and number compared afterwards: a namesake is never written.
    pub(super) fn set_sysctl(&mut self, scope: &SysctlScope, sysctl: Sysctl, value: i32) -> Result<()> {
        let name = || format!("net.ipv4.conf.{scope}.{sysctl}");
        match self.write_sysctl(Folder::Ipv4Conf, scope, sysctl.name(), value, &name) {
            // In many containers /proc/sys is mounted read-only; netlink knows interfaces' own values.
            Err(error) if error.errno() == Some(libc::EROFS) => match scope {
                SysctlScope::Interface { index, name: interface } => {
                    self.check(*index, *interface, name)?;
                    self.messages.clear();
                    encode::sysctl(&mut self.messages, *index, sysctl, value);
                    self.netlink
                        .change(&mut self.messages)
                        .map_err(|error| gone(error).during("set sysctl").on(name()))
                }
                SysctlScope::All | SysctlScope::Default => Err(error),
            },
            result => result,
        }
    }

    /// The value of one sysctl now, of `all`, `default` or an interface.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if the name means another interface by now, [`ErrorKind::Unsupported`] if
    /// the kernel has no such sysctl, and any failure to read.
    pub fn sysctl(&self, scope: &SysctlScope, sysctl: Sysctl) -> Result<i32> {
        let name = || format!("net.ipv4.conf.{scope}.{sysctl}");
        let failed = |errno| sysctl_error("read sysctl", name(), errno);
        let tree = self.sysctls.as_ref().map_err(|errno| failed(*errno))?;
        let folder: &[u8] = match scope {
            SysctlScope::All => b"all",
            SysctlScope::Default => b"default",
            SysctlScope::Interface { name, .. } => name.as_bytes(),
        };
        let value = tree.read(Folder::Ipv4Conf, &[folder, sysctl.name().as_bytes()]).map_err(failed)?;
        if let SysctlScope::Interface { index, name: interface } = scope {
            self.check(*index, *interface, name)?;
        }
        value.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this kernel has no such sysctl")
                .during("read sysctl")
                .on(name())
        })
    }

    pub(super) fn set_ipv6_sysctl(
        &mut self,
        scope: &SysctlScope,
        sysctl: Ipv6Sysctl,
        value: i32,
    ) -> Result<()> {
        let name = || format!("net.ipv6.conf.{scope}.{sysctl}");
        self.write_sysctl(Folder::Ipv6Conf, scope, sysctl.name(), value, &name)
    }

    fn write_sysctl(
        &self,
        folder: Folder,
        scope: &SysctlScope,
        sysctl: &str,
        value: i32,
        name: &dyn Fn() -> String,
    ) -> Result<()> {
        let failed = |errno| set_failed(name(), errno);
        let tree = self.sysctls.as_ref().map_err(|errno| {
            failed(*errno).with_kind(ErrorKind::Unsupported).hint("mount /proc: `mount -t proc proc /proc`")
        })?;
        let all: &[u8] = b"all";
        let first = match scope {
            SysctlScope::All => all,
            SysctlScope::Default => b"default",
            SysctlScope::Interface { name, .. } => name.as_bytes(),
        };
        let mut tries = 0;
        let file = loop {
            match tree.open_to_write(folder, &[first, sysctl.as_bytes()]) {
                Ok(file) => break file,
                Err(Errno::ENOENT) => {
                    // Is it the interface that is not there, or the sysctl?
                    if let SysctlScope::Interface { index, name: interface } = scope {
                        self.check(*index, *interface, name)?;
                        tries += 1;
                    }
                    // An interface has its new name a moment before the files are there again
                    // (`dev_change_name()`, `inetdev_event()`).
                    if (1..OPENINGS).contains(&tries) {
                        std::thread::sleep(Duration::from_millis(1));
                        continue;
                    }
                    return Err(Error::new(ErrorKind::Unsupported, "this kernel has no such sysctl")
                        .during(SET)
                        .on(name()));
                }
                Err(errno) => return Err(failed(errno)),
            }
        };
        // The order matters: the open file belongs to one interface for good. If the name now means the
        // number that is wanted, so does the file, or writing fails because the file is no longer valid.
        if let SysctlScope::Interface { index, name: interface } = scope {
            self.check(*index, *interface, name)?;
        }
        write(&file, value).map_err(|errno| match errno {
            // Renamed or removed since the file was opened.
            Errno::ENOENT | Errno::ENODEV => failed(errno).with_kind(ErrorKind::Changed),
            _ => failed(errno),
        })
    }

    /// Whether name and number still mean the same interface.
    fn check(&self, index: IfIndex, interface: IfName, object: impl FnOnce() -> String) -> Result<()> {
        let now = match names::index_of(&self.netlink, interface) {
            Ok(now) if now == index => return Ok(()),
            Ok(now) => format!("interface {interface} is now number {now}, not {index}"),
            Err(Errno::ENODEV) => format!("there is no interface {interface} any more"),
            Err(errno) => return Err(Error::os("look up interface", interface.to_string(), errno as i32)),
        };
        Err(Error::new(ErrorKind::Changed, now).during("set sysctl").on(object()).hint("make the plan again"))
    }

    pub(super) fn set_proxy_delay(&mut self, scope: &SysctlScope, value: u64) -> Result<()> {
        let name = format!("net.ipv4.neigh.{scope}.proxy_delay");
        let index = match scope {
            SysctlScope::Interface { index, name: interface } => {
                self.check(*index, *interface, || name.clone())?;
                Some(*index)
            }
            SysctlScope::Default => None,
            SysctlScope::All => {
                return Err(Error::new(ErrorKind::InvalidInput, "there is no net.ipv4.neigh.all")
                    .during("set sysctl")
                    .on(name));
            }
        };
        self.messages.clear();
        encode::proxy_delay(&mut self.messages, index, value);
        self.netlink.change(&mut self.messages).map_err(|error| gone(error).during("set sysctl").on(name))
    }
}

const SET: &str = "set sysctl";

fn set_failed(name: String, errno: Errno) -> Error {
    let error = sysctl_error(SET, name, errno);
    match errno {
        Errno::EROFS => error
            .with_kind(ErrorKind::PermissionDenied)
            .hint("/proc/sys is mounted read-only here; run outside the container"),
        _ => error,
    }
}
