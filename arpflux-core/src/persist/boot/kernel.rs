//! What the kernel makes of the writes of a boot, one after the other (`net/ipv4/devinet.c`).

use std::collections::BTreeMap;

use super::WATCHED;
use crate::persist::sysctld::{Assignment, Key};
use crate::sysctl::Sysctl;

/// One thing that happens while managers start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A line is written.
    Write(Assignment),
    /// An interface gets its address: what is written to `default` from then on passes it by
    /// (`ipv4_devconf_setall()`).
    Addressed(String),
    /// `sysctl --system`.
    System,
    /// `sysctl -p FILE`.
    Load(std::path::PathBuf),
}

/// The values of `net.ipv4.conf`, and which lines made them.
#[derive(Debug, Default)]
pub(super) struct Kernel<'l> {
    folders: BTreeMap<String, Folder<'l>>,
}

#[derive(Debug, Clone)]
struct Folder<'l> {
    held: Vec<Held<'l>>,
    addressed: bool,
}

/// One value.
#[derive(Debug, Clone, Default)]
pub(super) struct Held<'l> {
    /// `None`: the kernel's own default.
    pub(super) value: Option<i32>,
    /// The lines that set it, in the order of time.
    pub(super) lines: Vec<&'l Assignment>,
    /// Written by its own name: `default` reaches it no more.
    own: bool,
}

impl<'l> Held<'l> {
    fn set(&mut self, value: i32, line: &'l Assignment) {
        self.value = Some(value);
        self.lines.push(line);
    }
}

impl<'l> Kernel<'l> {
    pub(super) fn new() -> Self {
        let mut kernel = Self::default();
        for folder in ["all", "default"] {
            let held = vec![Held::default(); WATCHED.len()];
            kernel.folders.insert(folder.into(), Folder { held, addressed: true });
        }
        kernel
    }

    /// An interface appears, and starts with what `default` holds.
    pub(super) fn appears(&mut self, name: &str) {
        if self.folders.contains_key(name) {
            return;
        }
        let default = self.folders.get("default").map(|folder| folder.held.as_slice()).unwrap_or_default();
        let inherit = |held: &Held<'l>| Held {
            value: held.value,
            lines: held.lines.last().copied().into_iter().collect(),
            own: false,
        };
        let held = default.iter().map(inherit).collect();
        self.folders.insert(name.into(), Folder { held, addressed: false });
    }

    pub(super) fn addressed(&mut self, name: &str) {
        if let Some(folder) = self.folders.get_mut(name) {
            folder.addressed = true;
        }
    }

    /// Writes a line to `key`; nothing happens where there is no such value.
    pub(super) fn write(&mut self, key: &Key, line: &'l Assignment) {
        let Some((name, at)) = place(key) else { return };
        let Some(held) = self.folders.get_mut(name).and_then(|folder| folder.held.get_mut(at)) else {
            return;
        };
        let sysctl = WATCHED.get(at).copied();
        // `devinet_conf_proc()` copies `default` to others; the functions of these two do not.
        let is_copied = !matches!(sysctl, Some(Sysctl::Forwarding | Sysctl::RouteLocalnet));
        // A value that is refused counts as written, too.
        held.own |= is_copied;
        let Some(value) = line.number() else { return };
        let before = held.value.unwrap_or(0);
        held.set(value, line);
        // `inet_forward_change()`, which runs only if the value changes; `devinet_copy_dflt_conf()`.
        let rewrites = sysctl == Some(Sysctl::Forwarding) && name == "all" && before != value;
        let reaches_new = is_copied && name == "default";
        for (other, folder) in &mut self.folders {
            let addressed = folder.addressed;
            let Some(held) = folder.held.get_mut(at).filter(|_| other != name) else { continue };
            if rewrites || (reaches_new && !addressed && !held.own) {
                held.set(value, line);
            }
        }
    }

    pub(super) fn held(&self, folder: &str, sysctl: Sysctl) -> Option<&Held<'l>> {
        let at = WATCHED.iter().position(|watched| *watched == sysctl)?;
        self.folders.get(folder)?.held.get(at)
    }

    /// The values of all interfaces but `lo`.
    pub(super) fn interfaces(&self, sysctl: Sysctl) -> impl Iterator<Item = &Held<'l>> {
        let at = WATCHED.iter().position(|watched| *watched == sysctl);
        let real = self.folders.iter().filter(|(name, _)| !["all", "default", "lo"].contains(&name.as_str()));
        real.filter_map(move |(_, folder)| folder.held.get(at?))
    }

    /// Every value that there is, sorted.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.folders.keys().flat_map(|folder| keys_of(folder)).collect();
        keys.push(Key::parse("net/ipv4/ip_forward"));
        keys.sort();
        keys
    }
}

/// The values of one folder.
pub(super) fn keys_of(folder: &str) -> Vec<Key> {
    WATCHED.iter().map(|sysctl| Key::conf(folder, *sysctl)).collect()
}

/// The folder and the place of the sysctl that a key names.
fn place(key: &Key) -> Option<(&str, usize)> {
    let path = key.as_path();
    let (folder, name) = match path {
        "net/ipv4/ip_forward" => ("all", Sysctl::Forwarding.name()),
        _ => path.strip_prefix("net/ipv4/conf/")?.split_once('/')?,
    };
    let at = WATCHED.iter().position(|sysctl| sysctl.name() == name)?;
    Some((folder, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, value: &str) -> Assignment {
        Assignment { key: Key::parse(key), value: Some(value.into()), file: "/f".into(), line: 1 }
    }

    fn values(kernel: &Kernel<'_>, folder: &str, sysctl: Sysctl) -> i32 {
        kernel.held(folder, sysctl).and_then(|held| held.value).unwrap_or(0)
    }

    #[test]
    fn default_reaches_what_has_neither_an_address_nor_a_line_of_its_own() {
        let lines = [
            line("net/ipv4/conf/eth1/arp_ignore", "2"),
            line("net/ipv4/conf/eth3/arp_ignore", "two"),
            line("net/ipv4/conf/default/arp_ignore", "1"),
            line("net/ipv4/conf/default/route_localnet", "1"),
        ];
        let mut kernel = Kernel::new();
        ["eth0", "eth1", "eth2", "eth3"].iter().for_each(|name| kernel.appears(name));
        kernel.addressed("eth2");
        lines.iter().for_each(|line| kernel.write(&line.key, line));
        kernel.appears("late");
        let got = ["all", "default", "eth0", "eth1", "eth2", "eth3", "late"]
            .map(|folder| values(&kernel, folder, Sysctl::ArpIgnore));
        assert_eq!(got, [0, 1, 1, 2, 0, 0, 1]);
        // The kernel does not copy every one.
        assert_eq!(values(&kernel, "eth0", Sysctl::RouteLocalnet), 0);
        assert_eq!(values(&kernel, "late", Sysctl::RouteLocalnet), 1);
    }

    #[test]
    fn forwarding_of_all_rewrites_the_others_only_when_it_changes() {
        let lines = [
            line("net/ipv4/ip_forward", "1"),
            line("net/ipv4/conf/eth0/forwarding", "0"),
            line("net/ipv4/conf/all/forwarding", "1"),
            line("net/ipv4/conf/default/forwarding", "0"),
        ];
        let mut kernel = Kernel::new();
        ["eth0", "eth1"].iter().for_each(|name| kernel.appears(name));
        lines.iter().for_each(|line| kernel.write(&line.key, line));
        kernel.appears("late");
        let got = ["all", "default", "eth0", "eth1", "late"]
            .map(|folder| values(&kernel, folder, Sysctl::Forwarding));
        assert_eq!(got, [1, 0, 0, 1, 0]);
        assert_eq!(kernel.held("eth0", Sysctl::Forwarding).map(|held| held.lines.len()), Some(2));
    }
}
