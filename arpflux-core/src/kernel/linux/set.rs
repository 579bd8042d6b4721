//! Setting sysctls: by name, and of the interface that was meant.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::sysctl::{Folder, write};
use super::write::{BATCH, gone};
use super::{LinuxKernel, encode, names, sysctl_error};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Failed;
use crate::kernel::netlink::BatchFailure;
use crate::state::{Change, Object, SysctlScope, Value};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IfName};

/// The value that a sysctl gets.
pub(super) fn small(value: Value) -> Option<i32> {
    match value {
        Value::Number(value) => i32::try_from(value).ok(),
        Value::Entry { .. } | Value::Present | Value::Absent | Value::Unknown | Value::Gone => None,
    }
}

/// How many files are open at once: opened in a row, they need one look for news of interfaces. With those
/// that a process has open anyway they stay within its first table of 64; in a process with threads the
/// kernel waits for all processors before it makes that larger (`expand_fdtable()`).
const OPEN: usize = 48;

/// How often an interface's file that is not there is looked for, 1 ms apart.
const OPENINGS: u32 = 10;

/// One value that is about to be set.
struct Setting {
    scope: SysctlScope,
    index: IfIndex,
    name: IfName,
    sysctl: Sysctl,
    value: i32,
    way: Way,
}

/// How a value is set.
enum Way {
    /// Through its file, which is open.
    File(OwnedFd),
    /// By `RTM_SETLINK`.
    Netlink,
}

/// What became of the values that were sent by netlink.
#[derive(Default)]
struct Sent {
    /// Those that the kernel has not taken for certain, by their places.
    missing: BTreeSet<usize>,
    /// The kernel's answers were lost: it may have taken some of them.
    lost: bool,
}

impl Setting {
    fn by_netlink(&self) -> bool {
        matches!(self.way, Way::Netlink)
    }

    fn object(&self) -> String {
        format!("net.ipv4.conf.{}.{}", self.name, self.sysctl)
    }
}

/// Whether setting it through `/proc` does nothing besides: then `RTM_SETLINK` does the same, which sets the
/// value and marks it as set (`inet_set_link_af()`, `ipv4_devconf_set()`), and nothing else.
///
/// Through `/proc` the others do more (`devinet_conf_proc()` and the handlers beside it, `net/ipv4/devinet.c`):
/// `rp_filter`, `proxy_arp` and `ignore_routes_with_linkdown` send `RTM_NEWNETCONF`, for which others wait;
/// `accept_local`, `route_localnet`, `bc_forwarding` and `promote_secondaries` make the kernel forget cached
/// routes; `forwarding` does both, ends the merging of received segments, and is not marked as set.
const fn is_plain(sysctl: Sysctl) -> bool {
    use Sysctl as S;
    match sysctl {
        S::SendRedirects
        | S::SharedMedia
        | S::ArpFilter
        | S::MediumId
        | S::ArpAnnounce
        | S::ArpIgnore
        | S::ArpAccept
        | S::ArpNotify
        | S::SrcValidMark
        | S::ProxyArpPvlan
        | S::DropGratuitousArp
        | S::ArpEvictNocarrier => true,
        S::Forwarding
        | S::ProxyArp
        | S::RpFilter
        | S::PromoteSecondaries
        | S::AcceptLocal
        | S::RouteLocalnet
        | S::IgnoreRoutesWithLinkdown
        | S::BcForwarding => false,
    }
}

impl LinuxKernel {
    /// Sets the sysctls of interfaces that `changes` begin with, or some of them; gives how many. 0 if the
    /// first has a file that cannot be opened, which [`LinuxKernel::set_sysctl`] then says, or works around.
    ///
    /// Files are opened, then names and numbers of all interfaces are compared, then all is set. What
    /// [goes by netlink](is_plain) goes first and in one system call: it is of interfaces that are down, through which
    /// nothing comes or goes, so that the order does not matter. Where the interface is up, each message would make
    /// the kernel send news of it, in proportion to the IPv6 routes there (`netdev_state_change()`).
    ///
    /// # Errors
    /// As [`crate::kernel::Kernel::make`].
    pub(super) fn set_sysctls(&mut self, changes: &[Change]) -> Result<usize, Failed> {
        let mut settings = self.settings(changes);
        // Looked at when the files are open: who has a name now had it when they were opened.
        if self.known.as_ref().is_some_and(|known| !settings.is_empty() && !known.still()) {
            self.known = None;
        }
        let refused = self.check_all(&settings);
        let count = refused.as_ref().map_or(settings.len(), |(place, _)| *place);
        settings.truncate(count);
        let sent = self.send(&settings);
        for (place, setting) in settings.iter().enumerate() {
            let made = match &setting.way {
                Way::File(file) => write_opened(file, setting.value, || setting.object()),
                // The kernel has taken it, or else the file has the last word: it takes any number, while kernel
                // 7.3 refuses some in messages, such as 2 for what is off or on.
                Way::Netlink if !sent.missing.contains(&place) => Ok(()),
                Way::Netlink => self.set_sysctl(&setting.scope, setting.sysctl, setting.value),
            };
            made.map_err(|error| {
                let may_be_made = |other: &usize| {
                    settings[*other].by_netlink() && (sent.lost || !sent.missing.contains(other))
                };
                Failed { at: place, beyond: (place + 1..settings.len()).filter(may_be_made).collect(), error }
            })?;
        }
        match refused {
            Some((at, error)) => Err(Failed { at, beyond: Vec::new(), error }),
            None => Ok(settings.len()),
        }
    }

    /// The first of `changes`, as far as they are sysctls of interfaces, with their files open.
    fn settings(&self, changes: &[Change]) -> Vec<Setting> {
        let mut settings = Vec::with_capacity(changes.len().min(OPEN));
        let Ok(tree) = &self.sysctls else { return settings };
        let (mut files, mut messages) = (Vec::new(), 0);
        // Asked once for each interface.
        let mut down = None;
        for change in changes {
            let Object::Sysctl { scope: scope @ SysctlScope::Interface { index, name }, sysctl } =
                &change.object
            else {
                break;
            };
            let Some(value) = small(change.after) else { break };
            let mut is_down = || match down {
                Some((known, is_down)) if known == *name => is_down,
                _ => {
                    let is_down = self.is_down(*name);
                    down = Some((*name, is_down));
                    is_down
                }
            };
            let way = if !self.setlink_refused && is_plain(*sysctl) && is_down() {
                // It went down since: what goes by netlink goes before what is written.
                if files.contains(&(*index, *sysctl)) {
                    break;
                }
                messages += 1;
                Way::Netlink
            } else {
                files.push((*index, *sysctl));
                let path = [name.as_bytes(), sysctl.name().as_bytes()];
                match tree.open_to_write(Folder::Ipv4Conf, &path) {
                    Ok(file) => Way::File(file),
                    Err(_) => break,
                }
            };
            settings.push(Setting { scope: *scope, index: *index, name: *name, sysctl: *sysctl, value, way });
            if files.len() == OPEN || messages == BATCH {
                break;
            }
        }
        settings
    }

    /// Whether an interface is administratively down. One that comes up in the next moment is still set
    /// correctly, only dearer.
    fn is_down(&self, name: IfName) -> bool {
        match &self.known {
            Some(known) => known.is_down(name),
            None => names::is_down(&self.netlink, name).unwrap_or(false),
        }
    }

    /// The first interface that is another by now.
    fn check_all(&self, settings: &[Setting]) -> Option<(usize, Error)> {
        let mut checked = None;
        for (place, setting) in settings.iter().enumerate() {
            let meant = Some((setting.index, setting.name));
            if checked != meant
                && self.known.as_ref().and_then(|known| known.index_of(setting.name)) != Some(setting.index)
                && let Err(error) = self.check(setting.index, setting.name, || setting.object())
            {
                return Some((place, error));
            }
            checked = meant;
        }
        None
    }

    /// Sends what goes by netlink.
    fn send(&mut self, settings: &[Setting]) -> Sent {
        let places: Vec<usize> = (0..settings.len()).filter(|place| settings[*place].by_netlink()).collect();
        self.messages.clear();
        for setting in settings.iter().filter(|setting| setting.by_netlink()) {
            encode::sysctl(&mut self.messages, setting.index, setting.sysctl, setting.value);
        }
        let Err(BatchFailure { refused, lost }) = self.netlink.batch(&mut self.messages) else {
            return Sent::default();
        };
        // Root without CAP_NET_ADMIN may write the files all the same: not tried again.
        self.setlink_refused |= refused.iter().any(|(_, error)| error.errno() == Some(libc::EPERM));
        match lost {
            None => {
                let missing = refused.iter().filter_map(|(message, _)| places.get(*message).copied());
                Sent { missing: missing.collect(), lost: false }
            }
            Some(_) => Sent { missing: places.into_iter().collect(), lost: true },
        }
    }

    pub(super) fn set_sysctl(&mut self, scope: &SysctlScope, sysctl: Sysctl, value: i32) -> Result<()> {
        let name = format!("net.ipv4.conf.{scope}.{sysctl}");
        match self.write_sysctl(Folder::Ipv4Conf, scope, sysctl.name(), value, &name) {
            // In many containers /proc/sys is mounted read-only; netlink knows interfaces' own values.
            Err(error) if error.errno() == Some(libc::EROFS) => match scope {
                SysctlScope::Interface { index, name: interface } => {
                    self.check(*index, *interface, || name.clone())?;
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
        let mut tries = 0;
        let file = loop {
            match tree.open_to_write(folder, &[first, sysctl.as_bytes()]) {
                Ok(file) => break file,
                Err(Errno::ENOENT) => {
                    // Is it the interface that is not there, or the sysctl?
                    if let SysctlScope::Interface { index, name: interface } = scope {
                        self.check(*index, *interface, || name.to_owned())?;
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
                        .on(name));
                }
                Err(errno) => return Err(failed(errno)),
            }
        };
        // The order matters: the open file belongs to one interface for good. If the name now means the
        // number that is wanted, so does the file, or writing fails because the file is no longer valid.
        if let SysctlScope::Interface { index, name: interface } = scope {
            self.check(*index, *interface, || name.to_owned())?;
        }
        write_opened(&file, value, || name.to_owned())
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

/// Writes into a file whose interface is known to be the right one.
fn write_opened(file: &OwnedFd, value: i32, name: impl FnOnce() -> String) -> Result<()> {
    write(file, value).map_err(|errno| match errno {
        // Renamed or removed since the file was opened.
        Errno::ENOENT | Errno::ENODEV => set_failed(name(), errno).with_kind(ErrorKind::Changed),
        _ => set_failed(name(), errno),
    })
}
