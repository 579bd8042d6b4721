//! Settings of `.network` files that systemd-networkd writes when it configures a link, after udev is done with it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::files::Files;
use super::kernel::Event;
use super::lint::Lint;
use super::shell::{Effects, Unfollowed};
use super::units;
use crate::persist::sysctld::{Assignment, Key, matches};
use crate::snapshot::{Interface, LinkKind, Snapshot};
use crate::sysctl::Sysctl;

const FOLDERS: [&str; 4] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
];

/// Settings that came later than systemd 246, which no host here has less than: an older one leaves them out.
const SINCE: &[(&str, u32)] = &[
    ("IPv4ReversePathFilter", 255),
    ("IPv4ProxyARPPrivateVLAN", 256),
    ("IPv4Forwarding", 256),
    ("IPv6Forwarding", 256),
];

/// What `networkd.conf` and its drop-ins say.
#[derive(Default)]
pub(super) struct Conf {
    /// `RouteTable=NAME:NUMBER`.
    pub(super) tables: HashMap<String, u32>,
    /// The last `IPv4Forwarding=`, with its place.
    forwarding: Option<(String, PathBuf, usize)>,
}

impl Conf {
    pub(super) fn load(files: &Files<'_>) -> Self {
        let folders = FOLDERS.map(|folder| folder.trim_end_matches("/network").to_owned());
        let mut seen: Vec<PathBuf> =
            folders.iter().map(|folder| format!("{folder}/networkd.conf").into()).collect();
        seen.retain(|seen| files.exists(seen));
        seen.truncate(1);
        let drop_ins = folders.map(|folder| format!("{folder}/networkd.conf.d"));
        seen.extend(files.by_name(&drop_ins.each_ref().map(String::as_str), "conf"));
        let mut this = Self::default();
        for seen in seen {
            for (section, name, value, line) in settings(&files.text(&seen).unwrap_or_default()) {
                match (section, name) {
                    ("Network", "IPv4Forwarding") => {
                        this.forwarding = (!value.is_empty()).then(|| (value.into(), seen.clone(), line));
                    }
                    ("Network", "RouteTable") => {
                        let pairs = value.split_whitespace().filter_map(|word| word.split_once(':'));
                        let named =
                            pairs.filter_map(|(name, number)| Some((name.into(), number.parse().ok()?)));
                        this.tables.extend(named);
                    }
                    _ => {}
                }
            }
        }
        this
    }
}

/// What networkd makes of its files.
#[derive(Default)]
pub(super) struct Networkd {
    pub(super) effects: Effects,
    pub(super) lints: Vec<Lint>,
}

/// One `.network` file with its drop-ins.
struct Network {
    seen: PathBuf,
    texts: Vec<(PathBuf, String)>,
}

/// The file of each interface that networkd certainly takes for it, with its drop-ins.
pub(super) fn texts<'s>(files: &Files<'_>, snapshot: &'s Snapshot) -> Vec<(&'s Interface, String)> {
    let networks = networks(files);
    let mut found = Vec::new();
    for interface in snapshot.interfaces.iter().filter(|_| is_used(files, &networks)) {
        let first = networks.iter().find(|network| network.takes(interface) != Some(false));
        if let Some(network) = first.filter(|network| network.takes(interface) == Some(true)) {
            let texts: Vec<&str> = network.texts.iter().map(|(_, text)| text.as_str()).collect();
            found.push((interface, texts.join("\n")));
        }
    }
    found
}

/// Whether networkd is started. A tree may be a part of a host only: files of the administrator count unless another
/// manager is seen to be started.
fn is_used(files: &Files<'_>, networks: &[Network]) -> bool {
    let below = |folder: &str| networks.iter().any(|network| network.seen.starts_with(folder));
    let by_others = || ["NetworkManager", "networking"].iter().any(|name| units::enabled(files, name));
    files.exists("/run/systemd/netif/links")
        || units::enabled(files, "systemd-networkd")
        // netplan generates them at boot, and has networkd started.
        || below("/run")
        || (below("/etc") && !by_others())
}

impl Networkd {
    /// For each interface the settings of the first file that matches it.
    pub(super) fn load(files: &Files<'_>, snapshot: &Snapshot) -> Self {
        let mut this = Self::default();
        let networks = networks(files);
        if !is_used(files, &networks) {
            let of_admin = networks.iter().filter(|network| network.seen.starts_with("/etc"));
            this.lints.extend(of_admin.map(|network| Lint {
                file: network.seen.clone(),
                line: 0,
                problem: "not read: systemd-networkd is not enabled".into(),
                remedy: "systemctl enable systemd-networkd, or delete the file".into(),
            }));
            return this;
        }
        let version = units::systemd_version(files);
        let of_all = this.of_all(Conf::load(files), version);
        for interface in snapshot.interfaces.iter().filter(|interface| interface.name.to_string() != "lo") {
            for network in &networks {
                match network.takes(interface) {
                    Some(false) => {}
                    Some(true) => {
                        // Of the interface, unless its own file says something.
                        let own = of_all.as_ref().map(|line| Assignment {
                            key: Key::conf(interface.name, Sysctl::Forwarding),
                            ..line.clone()
                        });
                        this.effects.events.extend(own.map(Event::Write));
                        this.settings(network, interface, version);
                        break;
                    }
                    None => this.undecided(network, interface),
                }
            }
        }
        this.lints.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        this.lints.dedup();
        this
    }

    /// `IPv4Forwarding=` of networkd.conf (systemd 256): of `default` and of all when networkd starts, and then of each
    /// interface that it configures.
    fn of_all(&mut self, conf: Conf, version: Option<u32>) -> Option<Assignment> {
        let (value, file, line) = conf.forwarding?;
        let mut lint = |problem: String, remedy: &str| {
            self.lints.push(Lint { file: file.clone(), line, problem, remedy: remedy.into() });
        };
        if let Some(version) = version.filter(|version| *version < 256) {
            let problem = format!("IPv4Forwarding= came with systemd 256; {version} leaves it out");
            lint(problem, "net.ipv4.ip_forward in /etc/sysctl.d");
            return None;
        }
        let Some(yes) = boolean(&value) else {
            lint(format!("systemd-networkd does not take {value:?} for IPv4Forwarding="), "yes or no");
            return None;
        };
        let value = Some(i32::from(yes).to_string());
        let at = |folder| Assignment {
            key: Key::conf(folder, Sysctl::Forwarding),
            value: value.clone(),
            file: file.clone(),
            line,
        };
        self.effects.events.extend(["default", "all"].map(at).map(Event::Write));
        Some(at("all"))
    }

    /// A file whose `[Match]` cannot be decided from here: it may set what it says.
    fn undecided(&mut self, network: &Network, interface: &Interface) {
        let mut maybe = Self::default();
        maybe.settings(network, interface, None);
        for event in maybe.effects.events {
            let Event::Write(line) = event else { continue };
            let name = line.key.as_path().rsplit('/').next().unwrap_or_default().to_owned();
            self.effects.unfollowed.push(Unfollowed {
                text: line.key.to_string(),
                file: line.file,
                line: line.line,
                why: format!("whether systemd-networkd takes the file for {} cannot be told", interface.name),
                sysctls: vec![if name == "ip_forward" { Sysctl::Forwarding.name().into() } else { name }],
            });
        }
    }

    fn settings(&mut self, network: &Network, interface: &Interface, version: Option<u32>) {
        let own = |sysctl| Key::conf(interface.name, sysctl);
        // Of one setting the last counts, and an empty one takes it back.
        let mut lines: Vec<(Key, Option<Assignment>)> = Vec::new();
        for (seen, text) in &network.texts {
            for (section, name, value, line) in settings(text) {
                let mut lint = |problem: String, remedy: &str| {
                    self.lints.push(Lint { file: seen.clone(), line, problem, remedy: remedy.into() });
                };
                if section == "Network"
                    && let (Some((_, since)), Some(version)) =
                        (SINCE.iter().find(|(it, _)| *it == name), version)
                    && version < *since
                {
                    let problem = format!("{name}= came with systemd {since}; {version} leaves it out");
                    lint(problem, "a line in /etc/sysctl.d, with the interface's name");
                    continue;
                }
                if section == "Network" && ["IPv4ProxyARPAddress", "IPv6ProxyNDPAddress"].contains(&name) {
                    let addresses =
                        value.split_whitespace().filter_map(|address| address.parse::<IpAddr>().ok());
                    let name = interface.name.to_string();
                    self.effects.proxies.extend(addresses.map(|address| (address, name.clone())));
                    continue;
                }
                // Of the whole host up to systemd 255, of the interface since.
                let masquerades = ["ipv4", "both"].contains(&value) || boolean(value) == Some(true);
                if section == "Network" && name == "IPMasquerade" && masquerades && version.is_none() {
                    let why = "it turns forwarding on, of the host or of the interface as the release of systemd has it";
                    self.effects.unfollowed.push(Unfollowed {
                        sysctls: vec![Sysctl::Forwarding.name().into()],
                        ..Unfollowed::new(seen, line, &format!("{name}={value}"), why)
                    });
                }
                let sysctl = match (section, name) {
                    ("Network", "IPMasquerade") if masquerades && version.is_some() => Sysctl::Forwarding,
                    ("Network", "IPv4ProxyARP") => Sysctl::ProxyArp,
                    ("Network", "IPv4ProxyARPPrivateVLAN") => Sysctl::ProxyArpPvlan,
                    ("Network", "IPv4AcceptLocal") => Sysctl::AcceptLocal,
                    ("Network", "IPv4RouteLocalnet") => Sysctl::RouteLocalnet,
                    ("Network", "IPv4Forwarding" | "IPForward") => Sysctl::Forwarding,
                    ("Network", "IPv4ReversePathFilter") => Sysctl::RpFilter,
                    _ => continue,
                };
                let (key, number) = match (name, value) {
                    (_, "") => (own(sysctl), None),
                    // It turns forwarding of the whole host on, and never off.
                    ("IPForward", "no" | "false" | "0" | "off" | "kernel" | "ipv6") => continue,
                    ("IPForward", "ipv4") => (Key::parse("net/ipv4/ip_forward"), Some(1)),
                    ("IPMasquerade", _) if version < Some(256) => {
                        (Key::parse("net/ipv4/ip_forward"), Some(1))
                    }
                    ("IPMasquerade", _) => (own(sysctl), Some(1)),
                    ("IPv4ReversePathFilter", "no") => (own(sysctl), Some(0)),
                    ("IPv4ReversePathFilter", "strict") => (own(sysctl), Some(1)),
                    ("IPv4ReversePathFilter", "loose") => (own(sysctl), Some(2)),
                    _ => match boolean(value).filter(|_| sysctl != Sysctl::RpFilter) {
                        Some(_) if name == "IPForward" => (Key::parse("net/ipv4/ip_forward"), Some(1)),
                        Some(yes) => (own(sysctl), Some(i32::from(yes))),
                        None => {
                            let words =
                                if sysctl == Sysctl::RpFilter { "no, strict or loose" } else { "yes or no" };
                            lint(format!("systemd-networkd does not take {value:?} for {name}="), words);
                            continue;
                        }
                    },
                };
                lines.retain(|(other, _)| *other != key);
                let assignment = number.map(|number: i32| Assignment {
                    key: key.clone(),
                    value: Some(number.to_string()),
                    file: seen.clone(),
                    line,
                });
                lines.push((key, assignment));
            }
        }
        self.effects.events.extend(lines.into_iter().filter_map(|(_, line)| line).map(Event::Write));
    }
}

/// As systemd reads them.
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// The `.network` files in the order of their names, each with its drop-ins by theirs.
fn networks(files: &Files<'_>) -> Vec<Network> {
    let mut found = Vec::new();
    for seen in files.by_name(&FOLDERS, "network") {
        let Some(text) = files.text(&seen) else { continue };
        let name = seen.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folders = FOLDERS.map(|folder| format!("{folder}/{name}.d"));
        let drop_ins = files.by_name(&folders.each_ref().map(String::as_str), "conf");
        let mut texts = vec![(seen.clone(), text)];
        texts.extend(drop_ins.into_iter().filter_map(|seen| files.text(&seen).map(|text| (seen, text))));
        found.push(Network { seen, texts });
    }
    found
}

/// The settings of a file in order: section, key, value, line.
fn settings(text: &str) -> Vec<(&str, &str, &str, usize)> {
    let mut section = "";
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            found.push((section, key.trim(), value.trim(), number + 1));
        }
    }
    found
}

impl Network {
    /// Whether it is for the interface; `None` if that cannot be told from here.
    fn takes(&self, interface: &Interface) -> Option<bool> {
        let mut any = false;
        let mut open = false;
        for (section, key, value, _) in self.texts.iter().flat_map(|(_, text)| settings(text)) {
            if section != "Match" || value.is_empty() {
                continue;
            }
            any = true;
            match holds(key, value, interface) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => open = true,
            }
        }
        if open { None } else { Some(any) }
    }
}

fn holds(key: &str, value: &str, interface: &Interface) -> Option<bool> {
    let (negated, value) = value.strip_prefix('!').map_or((false, value), |rest| (true, rest));
    let kind = interface.kind.as_ref().map(LinkKind::name);
    let any = |text: &str| value.split_whitespace().any(|pattern| matches(pattern, text));
    let found = match key {
        "Name" => any(&interface.name.to_string()) || interface.altnames.iter().any(|name| any(name)),
        "MACAddress" | "PermanentMACAddress" => {
            let mac = interface.mac.to_string();
            value.split_whitespace().any(|one| one.eq_ignore_ascii_case(&mac))
        }
        "Kind" => kind.is_some_and(any),
        // udev's DEVTYPE, or else what the hardware type is called.
        "Type" => any(kind.unwrap_or("ether")),
        _ => return None,
    };
    Some(found != negated)
}
