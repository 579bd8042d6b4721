//! interfaces(5): what `ifup -a` does for interfaces that come up at boot, in the order of time, and the hook folders.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::kernel::Event;
use super::lint::Lint;
use super::shell::{self, Effects};
use crate::persist::hooks;
use crate::persist::sysctld::{Assignment, Key, matches};
use crate::snapshot::Snapshot;
use crate::sysctl::Sysctl;

/// Files that are read at the most: a file that names itself ends nothing.
const READ: usize = 256;

const HOOKS: [&str; 2] = ["/etc/network/if-pre-up.d", "/etc/network/if-up.d"];

/// One line of the file or of one that it includes.
struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

/// What a stanza says about one interface.
struct Stanza<'l> {
    name: &'l str,
    head: &'l Line,
    options: Vec<(&'l str, &'l str, &'l Line)>,
}

impl Stanza<'_> {
    /// Whether it gives the interface an IPv4 address.
    fn has_address(&self) -> bool {
        let mut words = self.head.text.split_whitespace().skip(2);
        match (words.next(), words.next()) {
            (Some("inet"), method) => method != Some("manual"),
            (Some(_), _) => false,
            // ifupdown2 takes either in one stanza.
            (None, _) => self.value(&["address"]).is_some(),
        }
    }

    fn value(&self, names: &[&str]) -> Option<(&str, &Line)> {
        let mut found = self.options.iter().filter(|(word, ..)| names.contains(word));
        found.next().map(|(_, rest, line)| (*rest, *line))
    }
}

/// What `ifup -a` does, as far as it can be followed.
pub(super) fn effects(files: &Files<'_>, snapshot: &Snapshot) -> Effects {
    let mut effects = Effects::default();
    if !is_there(files) {
        return effects;
    }
    let lines = lines(files);
    let stanzas = stanzas(&lines);
    let of_two = files.exists("/usr/share/ifupdown2") || files.exists("/etc/network/ifupdown2");
    let vlan_hook = files.is_executable("/etc/network/if-up.d/ip");
    for name in up(&lines, &stanzas, snapshot) {
        let own: Vec<&Stanza<'_>> = stanzas.iter().filter(|stanza| stanza.name == name).collect();
        let run = |words: &[&str]| {
            let mut effects = Effects::default();
            for (word, rest, line) in own.iter().flat_map(|stanza| &stanza.options) {
                if words.contains(word) {
                    let variables = [("IFACE", name.as_str()), ("LOGICAL", name.as_str())];
                    effects.extend(shell::follow(rest, &variables, &line.file, line.number));
                    effects.unfollowed.extend(super::scripts::named(files, rest));
                }
            }
            effects
        };
        effects.extend(run(&["pre-up"]));
        if own.iter().any(|stanza| stanza.has_address()) {
            effects.events.push(Event::Addressed(name.clone()));
        }
        // ifupdown2 writes before the lines run, the hook of the package vlan afterwards.
        if of_two {
            effects.events.extend(own.iter().flat_map(|stanza| by_ifupdown2(stanza, &stanzas)));
        }
        effects.extend(run(&["up", "post-up"]));
        if vlan_hook && !of_two {
            effects.events.extend(own.iter().flat_map(|stanza| by_vlan_hook(stanza)));
        }
    }
    for folder in HOOKS {
        for seen in hooks_of(files, folder).filter(|seen| runs(files, seen)) {
            let text = files.text(&seen).unwrap_or_default();
            // The hook `ip` of the package vlan is followed.
            if !text.contains("IF_IP_PROXY_ARP") {
                let why = "a hook that ifup runs for each interface";
                effects.unfollowed.extend(super::mentions(&text, &seen, why));
            }
        }
    }
    effects
}

pub(super) fn is_there(files: &Files<'_>) -> bool {
    ["/sbin/ifup", "/usr/sbin/ifup", "/usr/bin/ifup"].iter().any(|path| files.exists(path))
}

fn hooks_of(files: &Files<'_>, folder: &str) -> impl Iterator<Item = PathBuf> {
    let folder = PathBuf::from(folder);
    let names = files.names(&folder);
    names.into_iter().map(move |name| folder.join(name)).filter(|seen| seen != Path::new(hooks::IF_UP))
}

/// `run-parts` takes letters, digits, dashes and underscores.
fn has_plain_name(seen: &Path) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    seen.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.chars().all(fine))
}

fn runs(files: &Files<'_>, seen: &Path) -> bool {
    has_plain_name(seen) && files.is_executable(seen)
}

/// Hooks that concern ARP and are not run.
pub(super) fn lints(files: &Files<'_>) -> Vec<Lint> {
    if !is_there(files) {
        return Vec::new();
    }
    let all = HOOKS.iter().flat_map(|folder| hooks_of(files, folder));
    let idle = all.filter(|seen| !runs(files, seen));
    let of_arp = idle.filter(|seen| files.text(seen).is_some_and(|text| shell::concerns(&text)));
    let told = of_arp.map(|seen| {
        let (problem, remedy) = match has_plain_name(&seen) {
            true => ("not run: it is not executable", format!("chmod +x {}", seen.display())),
            false => (
                "not run: run-parts takes names of letters, digits, dashes and underscores alone",
                format!("mv {} {}", seen.display(), seen.with_extension("").display()),
            ),
        };
        Lint { file: seen, line: 0, problem: problem.into(), remedy }
    });
    told.collect()
}

/// The interfaces that come up by themselves: those of `auto` in its order, then those of `allow-hotplug`.
fn up(lines: &[Line], stanzas: &[Stanza<'_>], snapshot: &Snapshot) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for words in [["auto", "allow-auto"], ["allow-hotplug", "hotplug"]] {
        let named = lines.iter().filter_map(|line| {
            let (word, rest) = line.text.split_once(char::is_whitespace)?;
            words.contains(&word).then_some(rest)
        });
        for name in named.flat_map(str::split_whitespace) {
            let pattern = name.strip_prefix('/').unwrap_or(name);
            let mut names = vec![name.to_owned()];
            if pattern.contains(['*', '?', '[']) {
                let there = snapshot.interfaces.iter().map(|interface| interface.name.to_string());
                names = there.filter(|name| matches(pattern, name)).collect();
            }
            for name in names {
                // ifup brings up what is below a VLAN before it, whether or not it comes up by itself.
                let below = name.rsplit_once('.').map(|(below, _)| below.to_owned());
                for name in below.into_iter().chain([name]) {
                    if stanzas.iter().any(|stanza| stanza.name == name) && !found.contains(&name) {
                        found.push(name);
                    }
                }
            }
        }
    }
    found
}

fn stanzas(lines: &[Line]) -> Vec<Stanza<'_>> {
    let mut found: Vec<Stanza<'_>> = Vec::new();
    let mut inside = false;
    for line in lines {
        let (word, rest) = line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
        let rest = rest.trim();
        match word {
            "iface" => {
                let name = rest.split_whitespace().next().unwrap_or_default();
                found.push(Stanza { name, head: line, options: Vec::new() });
                inside = true;
            }
            "auto" | "mapping" | "source" | "source-directory" | "rename" | "template" => inside = false,
            _ if word.starts_with("allow-") || word.starts_with("no-") => inside = false,
            _ => {
                if let Some(stanza) = found.last_mut().filter(|_| inside) {
                    stanza.options.push((word, rest, line));
                }
            }
        }
    }
    found
}

fn written(name: &str, sysctl: Sysctl, value: i32, line: &Line) -> Event {
    Event::Write(Assignment {
        key: Key::conf(name, sysctl),
        value: Some(value.to_string()),
        file: line.file.clone(),
        line: line.number,
    })
}

fn is_on(value: &str) -> bool {
    ["yes", "on", "1", "true"].contains(&value.to_ascii_lowercase().as_str())
}

/// `ip-proxy-arp` and `ip-rp-filter` of the package vlan (`if-up.d/ip`).
fn by_vlan_hook(stanza: &Stanza<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some((value, line)) = stanza.value(&["ip-proxy-arp", "ip_proxy_arp"]) {
        events.push(written(stanza.name, Sysctl::ProxyArp, i32::from(value == "1"), line));
    }
    if let Some((value, line)) = stanza.value(&["ip-rp-filter", "ip_rp_filter"]) {
        let number = value.parse().ok().filter(|number| [0, 2].contains(number)).unwrap_or(1);
        events.push(written(stanza.name, Sysctl::RpFilter, number, line));
    }
    events
}

/// What ifupdown2 (Proxmox, Cumulus) writes: a bridge forwards if it or a VLAN on it has an address, and the others as
/// `ip-forward` says.
fn by_ifupdown2(stanza: &Stanza<'_>, all: &[Stanza<'_>]) -> Vec<Event> {
    let name = stanza.name;
    let ports = ["bridge-ports", "bridge_ports"];
    let is_bridge = stanza.value(&ports).is_some();
    let has_address = stanza.value(&["address"]).is_some();
    let mut events = Vec::new();
    if is_bridge {
        let above = |other: &Stanza<'_>| {
            other.value(&["vlan-raw-device"]).is_some_and(|(below, _)| below == name)
                || other.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
        };
        let forwards = has_address || all.iter().any(above);
        events.push(written(name, Sysctl::Forwarding, i32::from(forwards), stanza.head));
        let aware = stanza.value(&["bridge-vlan-aware", "bridge_vlan_aware"]);
        if has_address && !aware.is_some_and(|(value, _)| is_on(value)) {
            let (accepts, line) = stanza
                .value(&["arp-accept"])
                .map_or((false, stanza.head), |(value, line)| (is_on(value), line));
            events.push(written(name, Sysctl::ArpAccept, i32::from(accepts), line));
        }
    } else if let Some((value, line)) = stanza.value(&["ip-forward"]) {
        events.push(written(name, Sysctl::Forwarding, i32::from(is_on(value)), line));
    }
    events
}

/// All lines with what they include, continued ones joined.
fn lines(files: &Files<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut read = 0;
    include(files, Path::new("/etc/network/interfaces"), &mut read, &mut lines);
    lines
}

fn include(files: &Files<'_>, file: &Path, read: &mut usize, lines: &mut Vec<Line>) {
    *read += 1;
    let Some(text) = files.text(file).filter(|_| *read <= READ) else { return };
    let mut whole = String::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(begun) = line.strip_suffix('\\') {
            whole += begun;
            continue;
        }
        whole += line;
        let text = std::mem::take(&mut whole).trim().to_owned();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let folder = text.strip_prefix("source-directory ").map(|folder| format!("{}/*", folder.trim()));
        let pattern = folder.clone().or_else(|| text.strip_prefix("source ").map(|it| it.trim().to_owned()));
        lines.push(Line { file: file.into(), number: number + 1, text });
        for file in pattern.map(|pattern| included(files, &pattern)).unwrap_or_default() {
            // Of a folder only what run-parts would take.
            if folder.is_none() || has_plain_name(&file) {
                include(files, &file, read, lines);
            }
        }
    }
}

/// The files that a pattern in the last part of a path names.
fn included(files: &Files<'_>, pattern: &str) -> Vec<PathBuf> {
    let pattern = Path::new("/etc/network").join(pattern);
    let (Some(folder), Some(last)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let names = files.names(folder);
    names.iter().filter(|name| matches(last, name)).map(|name| folder.join(name)).collect()
}
