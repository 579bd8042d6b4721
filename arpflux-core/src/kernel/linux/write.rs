//! Making changes.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::libc;

use super::sysctl::{Folder, write};
use super::{LinuxKernel, encode, names, sysctl_error};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Failed;
use crate::kernel::netlink::BatchFailure;
use crate::plan::{Change, Edit, SysctlScope};
use crate::snapshot::{ProxyEntry, Route, Rule};
use crate::sysctl::{Ipv6Sysctl, Sysctl};

const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

/// How many proxy entries go into one system call: a killed process is not stopped inside it, and the
/// errors of all of them must fit the socket's queue.
const BATCH: usize = 256;

impl LinuxKernel {
    pub(super) fn make_all(&mut self, changes: &[Change]) -> Result<(), Failed> {
        let mut at = 0;
        while let Some(change) = changes.get(at) {
            if let Change::Proxy { edit, .. } = change {
                let run = changes[at..]
                    .iter()
                    .take(BATCH)
                    .map_while(|change| match change {
                        Change::Proxy { edit: other, entry } if other == edit => Some(entry),
                        _ => None,
                    })
                    .collect::<Vec<_>>();
                self.make_proxies(*edit, &run).map_err(|failed| Failed {
                    at: at + failed.at,
                    beyond: failed.beyond.iter().map(|place| at + place).collect(),
                    error: failed.error,
                })?;
                at += run.len();
                continue;
            }
            let set = self.set_sysctls(&changes[at..]).map_err(|(place, error)| Failed {
                at: at + place,
                beyond: Vec::new(),
                error,
            })?;
            at += set;
            if set == 0 {
                self.make_one(change).map_err(|error| Failed { at, beyond: Vec::new(), error })?;
                at += 1;
            }
        }
        Ok(())
    }

    fn make_one(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Sysctl { scope, sysctl, after, .. } => self.set_sysctl(scope, *sysctl, *after),
            Change::Ipv6Sysctl { scope, sysctl, after, .. } => self.set_ipv6_sysctl(scope, *sysctl, *after),
            Change::ProxyDelay { scope, after, .. } => self.set_proxy_delay(scope, *after),
            Change::Proxy { edit, entry } => {
                self.make_proxies(*edit, &[entry]).map_err(|failed| failed.error)
            }
            Change::Rule { edit, rule } => self.edit_rule(*edit, rule),
            Change::Route { edit, route } => self.edit_route(*edit, route),
        }
    }

    /// Sets the sysctls of one interface that `changes` begin with: all files are opened, then the name
    /// and the number are compared once, then all are written. Gives how many that were; 0 or fewer than
    /// there are if one cannot be opened, which [`LinuxKernel::set_sysctl`] then says, or works around.
    ///
    /// # Errors
    /// The place of the change that failed, and why.
    fn set_sysctls(&self, changes: &[Change]) -> Result<usize, (usize, Error)> {
        let Some(Change::Sysctl { scope: scope @ SysctlScope::Interface { index, name }, .. }) =
            changes.first()
        else {
            return Ok(0);
        };
        let Ok(tree) = &self.sysctls else { return Ok(0) };
        let files: Vec<_> = changes
            .iter()
            .take(Sysctl::ALL.len())
            .map_while(|change| match change {
                Change::Sysctl { scope: other, sysctl, after, .. } if other == scope => {
                    let path = [name.as_bytes(), sysctl.name().as_bytes()];
                    let file = tree.open_to_write(Folder::Ipv4Conf, &path).ok()?;
                    Some((file, *sysctl, *after))
                }
                _ => None,
            })
            .collect();
        for (place, (file, sysctl, value)) in files.iter().enumerate() {
            let object = || format!("net.ipv4.conf.{scope}.{sysctl}");
            if place == 0 {
                self.check(*index, *name, &object()).map_err(|error| (0, error))?;
            }
            write_opened(file, *value, object).map_err(|error| (place, error))?;
        }
        Ok(files.len())
    }

    fn set_sysctl(&mut self, scope: &SysctlScope, sysctl: Sysctl, value: i32) -> Result<()> {
        let name = format!("net.ipv4.conf.{scope}.{sysctl}");
        match self.write_sysctl(Folder::Ipv4Conf, scope, sysctl.name(), value, &name) {
            // In many containers /proc/sys is mounted read-only; netlink knows interfaces' own values.
            Err(error) if error.errno() == Some(libc::EROFS) => match scope {
                SysctlScope::Interface { index, name: interface } => {
                    self.check(*index, *interface, &name)?;
                    self.messages.clear();
                    encode::sysctl(&mut self.messages, *index, sysctl, value);
                    self.netlink
                        .change(&mut self.messages)
                        .map_err(|error| gone(error).during("set sysctl").on(name))
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
            self.check(*index, *interface, &name())?;
        }
        value.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this kernel has no such sysctl")
                .during("read sysctl")
                .on(name())
        })
    }

    fn set_ipv6_sysctl(&mut self, scope: &SysctlScope, sysctl: Ipv6Sysctl, value: i32) -> Result<()> {
        let name = format!("net.ipv6.conf.{scope}.{sysctl}");
        self.write_sysctl(Folder::Ipv6Conf, scope, sysctl.name(), value, &name)
    }

    fn write_sysctl(
        &self,
        folder: Folder,
        scope: &SysctlScope,
        sysctl: &str,
        value: i32,
        name: &str,
    ) -> Result<()> {
        let failed = |errno| set_failed(name.to_owned(), errno);
        let tree = self.sysctls.as_ref().map_err(|errno| {
            failed(*errno).with_kind(ErrorKind::Unsupported).hint("mount /proc: `mount -t proc proc /proc`")
        })?;
        let all: &[u8] = b"all";
        let first = match scope {
            SysctlScope::All => all,
            SysctlScope::Default => b"default",
            SysctlScope::Interface { name, .. } => name.as_bytes(),
        };
        let file = match tree.open_to_write(folder, &[first, sysctl.as_bytes()]) {
            Ok(file) => file,
            Err(Errno::ENOENT) => {
                // Is it the interface that is not there, or the sysctl?
                if let SysctlScope::Interface { index, name: interface } = scope {
                    self.check(*index, *interface, name)?;
                }
                return Err(Error::new(ErrorKind::Unsupported, "this kernel has no such sysctl")
                    .during(SET)
                    .on(name));
            }
            Err(errno) => return Err(failed(errno)),
        };
        // The order matters: the open file belongs to one interface for good. If the name now means the
        // number that is wanted, so does the file, or writing fails because the file is no longer valid.
        if let SysctlScope::Interface { index, name: interface } = scope {
            self.check(*index, *interface, name)?;
        }
        write_opened(&file, value, || name.to_owned())
    }

    /// Whether name and number still mean the same interface.
    fn check(
        &self,
        index: crate::types::IfIndex,
        interface: crate::types::IfName,
        object: &str,
    ) -> Result<()> {
        let now = match names::index_of(&self.netlink, interface) {
            Ok(now) if now == index => return Ok(()),
            Ok(now) => format!("interface {interface} is now number {now}, not {index}"),
            Err(Errno::ENODEV) => format!("there is no interface {interface} any more"),
            Err(errno) => return Err(Error::os("look up interface", interface.to_string(), errno as i32)),
        };
        Err(Error::new(ErrorKind::Changed, now).during("set sysctl").on(object).hint("make the plan again"))
    }

    fn set_proxy_delay(&mut self, scope: &SysctlScope, value: u64) -> Result<()> {
        let name = format!("net.ipv4.neigh.{scope}.proxy_delay");
        let index = match scope {
            SysctlScope::Interface { index, name: interface } => {
                self.check(*index, *interface, &name)?;
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

    /// Sends at most [`BATCH`] entries; places in [`Failed`] are those of `entries`.
    fn make_proxies(&mut self, edit: Edit, entries: &[&ProxyEntry]) -> Result<(), Failed> {
        self.messages.clear();
        for entry in entries {
            encode::proxy(&mut self.messages, edit, entry);
        }
        let Err(BatchFailure { refused, lost }) = self.netlink.batch(&mut self.messages) else {
            return Ok(());
        };
        let was_refused = |place: usize| refused.iter().any(|(other, _)| *other == place);
        // With answers lost nothing is certain from the first entry on.
        let at = match (&lost, refused.first()) {
            (None, Some((place, _))) => *place,
            _ => 0,
        };
        let beyond = (at..entries.len()).filter(|place| !was_refused(*place)).collect();
        let reason = refused
            .into_iter()
            .find(|(place, _)| *place == at)
            .map(|(_, error)| error)
            .or(lost)
            .unwrap_or_else(|| Error::new(ErrorKind::Internal, "a change failed without a reason"));
        let object = entries.get(at).map(|entry| match entry.interface {
            Some(index) => format!("{} dev {}", entry.address, names::name_of(&self.netlink, index)),
            None => entry.address.to_string(),
        });
        let operation = match edit {
            Edit::Add => "add proxy entry",
            Edit::Remove => "delete proxy entry",
        };
        let error = changed(gone(reason), edit).during(operation).on(object.unwrap_or_default());
        Err(Failed { at, beyond, error })
    }

    fn edit_rule(&mut self, edit: Edit, rule: &Rule) -> Result<()> {
        let message = encode::rule(edit, rule);
        let (flags, operation) = match edit {
            Edit::Add => (NLM_F_CREATE | NLM_F_EXCL, "add rule"),
            Edit::Remove => (0, "delete rule"),
        };
        self.netlink.request(&message, flags).map_err(|error| {
            let family = if rule.ipv6 { "IPv6" } else { "IPv4" };
            let object = format!("of priority {} ({family}, table {})", rule.priority, rule.table);
            changed(error, edit).during(operation).on(object)
        })
    }

    fn edit_route(&mut self, edit: Edit, route: &Route) -> Result<()> {
        let message = encode::route(edit, route);
        let (flags, operation) = match edit {
            Edit::Add => (NLM_F_CREATE | NLM_F_EXCL, "add route"),
            Edit::Remove => (0, "delete route"),
        };
        self.netlink.request(&message, flags).map_err(|error| {
            let object = format!("{} table {}", route.destination, route.table);
            changed(gone(error), edit).during(operation).on(object)
        })
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

/// Writes into a file whose interface is known to be the right one.
fn write_opened(file: &OwnedFd, value: i32, name: impl FnOnce() -> String) -> Result<()> {
    write(file, value).map_err(|errno| match errno {
        // Renamed or removed since the file was opened.
        Errno::ENOENT | Errno::ENODEV => set_failed(name(), errno).with_kind(ErrorKind::Changed),
        _ => set_failed(name(), errno),
    })
}

/// An interface that is not there was there when the plan was made.
fn gone(error: Error) -> Error {
    match error.errno() {
        Some(libc::ENODEV) => error.with_kind(ErrorKind::Changed).hint("make the plan again"),
        _ => error,
    }
}

/// What shall come is there already, or what shall go is not: somebody was faster.
fn changed(error: Error, edit: Edit) -> Error {
    match (edit, error.errno()) {
        (Edit::Add, Some(libc::EEXIST)) | (Edit::Remove, Some(libc::ENOENT | libc::ESRCH)) => {
            error.with_kind(ErrorKind::Changed).hint("make the plan again")
        }
        _ => error,
    }
}
