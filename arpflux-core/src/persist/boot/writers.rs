//! Everything that sets values at boot, in the order of time.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::kernel::{Event, Held, Kernel, keys_of};
use super::lint::{self, Lint};
use super::networkd::Networkd;
use super::routing::Routing;
use super::shell::{self, Effects, Unfollowed};
use super::tuned::Tuned;
use super::{cmdline, ifupdown, initramfs, netplan, scripts, udev, ufw, units};
use crate::persist::sysctld::{Assignment, BootSysctls, Key, Reader, assignments, order};
use crate::snapshot::{ProxyEntry, Snapshot};
use crate::sysctl::Sysctl;

const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// What was found, see the module.
pub(super) struct Writers {
    reader: Reader,
    /// The kernel's command line.
    command_line: Vec<Assignment>,
    /// Its copy in the initramfs.
    initramfs: BootSysctls,
    /// `sysctl.d`.
    pub(super) files: BootSysctls,
    /// ufw's, between `sysctl.d` and the network.
    firewall: BootSysctls,
    /// Interfaces in the order of the snapshot.
    interfaces: Vec<Appearing>,
    /// What managers do once interfaces are there.
    late: Vec<Event>,
    /// Whether something runs `sysctl --system` or `sysctl -p` later.
    loads: Vec<(PathBuf, BootSysctls)>,
    /// Lines of `/etc/sysctl.conf` where nobody reads it.
    unread: Vec<Assignment>,
    proxies: Vec<(IpAddr, String)>,
    pub(super) routing: Routing,
    pub(super) unfollowed: Vec<Unfollowed>,
    lints: Vec<Lint>,
}

/// An interface, and what udev does when it appears.
struct Appearing {
    name: String,
    /// A NIC: it may be there before `sysctl.d` is read. Others are made by the managers of the network.
    is_nic: bool,
    udev: udev::Writes,
    keys: Vec<Key>,
}

/// The two orders in which NICs and `sysctl.d` can come.
pub(super) struct Outcomes<'l> {
    /// NICs appear after `sysctl.d` was read.
    late: Kernel<'l>,
    /// NICs are there before. `None` where the order is known.
    early: Option<Kernel<'l>>,
}

/// One value of [`Outcomes`].
pub(super) struct Outcome<'o, 'l> {
    pub(super) held: &'o Held<'l>,
    /// What the other order gives, where it gives something else.
    pub(super) other: Option<&'o Held<'l>>,
}

impl Writers {
    pub(super) fn load(files: &Files<'_>, snapshot: &Snapshot) -> Self {
        let reader = units::reader(files);
        let mut names: Vec<String> = vec!["all".into(), "default".into()];
        names.extend(snapshot.interfaces.iter().map(|interface| interface.name.to_string()));
        let sysctls = sysctls(files, reader, &names);
        let mut rules = udev::Rules::load(files);
        let interfaces = snapshot.interfaces.iter().map(|interface| {
            let name = interface.name.to_string();
            let mut keys = keys_of(&name);
            keys.sort();
            Appearing { udev: rules.writes(interface), is_nic: interface.kind.is_none(), name, keys }
        });
        let interfaces = interfaces.collect();

        let Networkd { effects: networkd, lints } = Networkd::load(files, snapshot);
        let mut effects = Effects::default();
        effects.extend(networkd);
        effects.extend(ifupdown::effects(files, snapshot));
        // By now the managers have given every address.
        let holders = snapshot.interfaces.iter().filter(|interface| {
            snapshot.addresses.iter().any(|address| address.interface == interface.index)
        });
        effects.events.extend(holders.map(|interface| Event::Addressed(interface.name.to_string())));
        let tuned = Tuned::load(files);
        effects.events.extend(tuned.lines.into_iter().map(Event::Write));
        effects.unfollowed.extend(tuned.unfollowed);
        for script in ["/etc/rc.local", "/etc/rc.d/rc.local"] {
            if files.is_executable(script) {
                let text = files.text(script).unwrap_or_default();
                effects.extend(shell::script(&text, Path::new(script)));
                effects.unfollowed.extend(text.lines().flat_map(|line| scripts::named(files, line)));
            }
        }
        effects.unfollowed.extend(rules.unfollowed);
        effects.unfollowed.extend(scripts::unfollowed(files));
        let (command_line, early) = cmdline::lines(files, snapshot);
        effects.unfollowed.extend(early);
        effects.unfollowed.extend(netplan::unfollowed(files));
        let (routing, unfollowed) = Routing::load(files, snapshot, &effects.commands);
        effects.unfollowed.extend(unfollowed);
        let (initramfs, unfollowed) = initramfs::load(files);
        effects.unfollowed.extend(unfollowed);
        let loads = loads(files, reader, &effects.events, &names);
        let mut this = Self {
            reader,
            command_line,
            initramfs,
            unread: unread(files, &sysctls, &effects.events),
            files: sysctls,
            firewall: {
                let texts = ufw::file(files).into_iter().collect();
                BootSysctls::of_texts(program(reader), texts, &by_length(&names))
            },
            interfaces,
            late: effects.events,
            loads,
            proxies: effects.proxies,
            routing,
            unfollowed: effects.unfollowed,
            lints,
        };
        this.unfollowed.extend(files.unread());
        this.unfollowed.dedup();
        this
    }

    /// What the boot makes of all values.
    pub(super) fn outcomes(&self) -> Outcomes<'_> {
        let is_systemd = matches!(self.reader, Reader::Systemd | Reader::Nobody);
        Outcomes {
            late: self.run(!is_systemd),
            // Elsewhere the modules of NICs are loaded before.
            early: is_systemd.then(|| self.run(true)),
        }
    }

    fn run(&self, nics_first: bool) -> Kernel<'_> {
        let mut kernel = Kernel::new();
        kernel.appears("lo");
        kernel.addressed("lo");
        self.command_line.iter().for_each(|line| kernel.write(&line.key, line));
        self.all_files(&mut kernel, &self.initramfs);
        // Where drivers are in the initramfs, its udev sets what its copy says.
        for nic in self.interfaces.iter().filter(|it| it.is_nic && nics_first) {
            kernel.appears(&nic.name);
            for (key, line) in self.initramfs.writes(&nic.keys) {
                kernel.write(key, line);
            }
        }
        self.appear(&mut kernel, |it| it.is_nic && nics_first);
        self.all_files(&mut kernel, &self.files);
        self.all_files(&mut kernel, &self.firewall);
        self.appear(&mut kernel, |it| !(it.is_nic && nics_first));
        for event in &self.late {
            match event {
                Event::Write(line) => kernel.write(&line.key, line),
                Event::Addressed(name) => kernel.addressed(name),
                Event::System => self.loaded(&mut kernel, Path::new("")),
                Event::Load(file) => self.loaded(&mut kernel, file),
            }
        }
        kernel
    }

    fn appear<'l>(&'l self, kernel: &mut Kernel<'l>, which: impl Fn(&Appearing) -> bool) {
        for interface in self.interfaces.iter().filter(|it| which(it)) {
            kernel.appears(&interface.name);
            if interface.name == "lo" {
                continue;
            }
            interface.udev.before.iter().for_each(|line| kernel.write(&line.key, line));
            if self.reader == Reader::Systemd {
                for (key, line) in self.files.writes(&interface.keys) {
                    kernel.write(key, line);
                }
            }
            interface.udev.after.iter().for_each(|line| kernel.write(&line.key, line));
        }
    }

    fn all_files<'l>(&'l self, kernel: &mut Kernel<'l>, files: &'l BootSysctls) {
        let keys = kernel.keys();
        for (key, line) in files.writes(&keys) {
            kernel.write(key, line);
        }
    }

    fn loaded<'l>(&'l self, kernel: &mut Kernel<'l>, file: &Path) {
        if let Some((_, files)) = self.loads.iter().find(|(seen, _)| seen == file) {
            self.all_files(kernel, files);
        }
    }

    /// The lines about `key` that do not count, beside the one that does.
    pub(super) fn ignored(&self, key: &Key, made: &Held<'_>) -> Vec<&Assignment> {
        let winner = made.lines.last().copied();
        let whole = key.as_path() == "net/ipv4/conf/all/forwarding";
        let about = |line: &Assignment| {
            line.value.is_some()
                && (line.reaches(key) || (whole && line.key.as_path() == "net/ipv4/ip_forward"))
        };
        let mut lines = self.files.losers(key);
        lines.extend(self.firewall.lines().filter(|line| about(line)));
        lines.extend(self.late.iter().filter_map(|event| match event {
            Event::Write(line) if about(line) => Some(line),
            _ => None,
        }));
        lines.extend(self.files.winner(key));
        lines.extend(self.unread.iter().filter(|line| about(line)));
        let mut seen: Vec<&Assignment> = Vec::new();
        for line in lines {
            if winner != Some(line) && !seen.contains(&line) {
                seen.push(line);
            }
        }
        seen
    }

    /// What may set a value and was not followed, as FILE:LINE.
    pub(super) fn may_set(&self, folder: &str, sysctl: Sysctl) -> Option<String> {
        let found = self.unfollowed.iter().find(|it| it.may_set(folder, sysctl))?;
        Some(place(&found.file, found.line))
    }

    /// The proxy entries that lines add to interfaces that are there, as they are now where they are.
    pub(super) fn proxies(&self, snapshot: &Snapshot) -> Vec<ProxyEntry> {
        let mut found: Vec<ProxyEntry> = Vec::new();
        for (address, name) in &self.proxies {
            let named = snapshot.interfaces.iter().find(|interface| interface.name.to_string() == *name);
            let Some(index) = named.map(|interface| interface.index) else { continue };
            let same = |entry: &&ProxyEntry| entry.address == *address && entry.interface == Some(index);
            if !found.iter().any(|entry| same(&entry)) {
                let now = snapshot.proxies.iter().find(same).copied();
                found.push(now.unwrap_or_else(|| ProxyEntry::new(*address, Some(index))));
            }
        }
        found
    }

    pub(super) fn lints(&self, files: &Files<'_>, snapshot: &Snapshot, outcomes: &Outcomes<'_>) -> Vec<Lint> {
        let late = self.late.iter().filter_map(|event| match event {
            Event::Write(line) => Some(line),
            _ => None,
        });
        let mut read: Vec<&Assignment> =
            self.files.lines().chain(self.firewall.lines()).chain(late).collect();
        let mut lints = lint::lines(&read, snapshot, files);
        lints.extend(lint::twice(&self.files));
        read.extend(self.command_line.iter().chain(self.initramfs.lines()));
        lints.extend(lint::defaults(&read, &outcomes.late, outcomes.early.as_ref()));
        lints.extend(self.lints.iter().cloned());
        lints.extend(ifupdown::lints(files));
        lints.extend(lint::files(files, self.reader, &self.unread));
        let mut told: Vec<Lint> = Vec::new();
        for lint in lints {
            if !told.contains(&lint) {
                told.push(lint);
            }
        }
        told
    }
}

impl<'l> Outcomes<'l> {
    pub(super) fn get(&self, folder: &str, sysctl: Sysctl) -> Option<Outcome<'_, 'l>> {
        let held = self.late.held(folder, sysctl)?;
        let other = self.early.as_ref().and_then(|early| early.held(folder, sysctl));
        let differs = |other: &&Held<'_>| other.value.unwrap_or(0) != held.value.unwrap_or(0);
        Some(Outcome { held, other: other.filter(differs) })
    }
}

/// A place in a file, as FILE:LINE.
pub(super) fn place(file: &Path, line: usize) -> String {
    match line {
        0 => file.display().to_string(),
        line => format!("{}:{line}", file.display()),
    }
}

/// The files that a reader takes.
fn sysctls(files: &Files<'_>, reader: Reader, names: &[String]) -> BootSysctls {
    let listed = order(reader, |folder| Ok(files.names(folder).into_iter().map(Into::into).collect()));
    let seen = listed.unwrap_or_default();
    // A link to nothing (`/dev/null`) hides the file.
    let texts = seen.into_iter().filter_map(|seen| files.text(&seen).map(|text| (seen, text)));
    BootSysctls::of_texts(reader, texts.collect(), &by_length(names))
}

/// The longest first, as busybox looks for names.
fn by_length(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names
}

/// Who reads a file that is named to `sysctl -p`: where there is no busybox it is procps.
fn program(reader: Reader) -> Reader {
    if reader == Reader::Busybox { reader } else { Reader::Procps }
}

/// What `sysctl --system` (an empty path) and `sysctl -p FILE` among the events read.
fn loads(
    files: &Files<'_>,
    reader: Reader,
    events: &[Event],
    names: &[String],
) -> Vec<(PathBuf, BootSysctls)> {
    let program = program(reader);
    let mut found: Vec<(PathBuf, BootSysctls)> = Vec::new();
    for event in events {
        let file = match event {
            Event::System => PathBuf::new(),
            Event::Load(file) => file.clone(),
            Event::Write(_) | Event::Addressed(_) => continue,
        };
        if found.iter().any(|(seen, _)| *seen == file) {
            continue;
        }
        let read = match event {
            Event::System => sysctls(files, program, names),
            _ => {
                let texts = files.text(&file).map(|text| (file.clone(), text));
                BootSysctls::of_texts(program, texts.into_iter().collect(), &by_length(names))
            }
        };
        found.push((file, read));
    }
    found
}

/// The lines of `/etc/sysctl.conf` that nobody reads: systemd-sysctl does where a link in sysctl.d leads to it.
fn unread(files: &Files<'_>, read: &BootSysctls, events: &[Event]) -> Vec<Assignment> {
    let loaded = |event: &Event| match event {
        Event::System => true,
        Event::Load(file) => file == Path::new(SYSCTL_CONF),
        Event::Write(line) => line.file == Path::new(SYSCTL_CONF),
        Event::Addressed(_) => false,
    };
    if events.iter().any(loaded) {
        return Vec::new();
    }
    let lines = assignments(&files.text(SYSCTL_CONF).unwrap_or_default(), Path::new(SYSCTL_CONF));
    let is_read = |line: &Assignment| {
        read.lines()
            .any(|other| (&other.key, &other.value, other.line) == (&line.key, &line.value, line.line))
    };
    lines.into_iter().filter(|line| !is_read(line)).collect()
}
