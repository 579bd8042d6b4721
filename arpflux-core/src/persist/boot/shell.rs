//! What lines of shell do to sysctls and proxy entries, as far as that can be told without a shell.

mod words;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::WATCHED;
use super::ip::{self, IpCommand};
use super::kernel::Event;
use crate::persist::sysctld::{Assignment, Key};
use crate::sysctl::Sysctl;
use words::{Command, Joint};

/// Something that exists, is run at boot and may set values, but was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Unfollowed {
    /// The file, as the host sees it.
    pub file: PathBuf,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What stands there, shortened to 120 characters.
    pub text: String,
    /// Why it was not followed.
    pub why: String,
    /// The sysctls that it mentions: their values after a boot cannot be told.
    pub sysctls: Vec<String>,
}

impl Unfollowed {
    pub(super) fn new(file: &Path, line: usize, text: &str, why: &str) -> Self {
        Self {
            file: file.into(),
            line,
            text: text.trim().chars().take(120).collect(),
            why: why.into(),
            sysctls: mentioned(text).into_iter().map(|sysctl| sysctl.name().to_owned()).collect(),
        }
    }

    /// Whether it may set this value: it names the sysctl, and the interface or a variable.
    pub(super) fn may_set(&self, folder: &str, sysctl: Sysctl) -> bool {
        let anything = self.line == 0 || self.text.contains(['$', '*', '%']);
        self.sysctls.iter().any(|name| name == sysctl.name())
            && (anything || self.text.contains(folder) || sysctl == Sysctl::Forwarding)
    }
}

/// What lines do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    pub(super) events: Vec<Event>,
    /// Proxy entries that are added: the address and the interface.
    pub(super) proxies: Vec<(IpAddr, String)>,
    /// Rules, routes and neighbours that are added or taken away.
    pub(super) commands: Vec<IpCommand>,
    pub(super) unfollowed: Vec<Unfollowed>,
}

impl Effects {
    pub(super) fn extend(&mut self, other: Self) {
        self.events.extend(other.events);
        self.proxies.extend(other.proxies);
        self.commands.extend(other.commands);
        self.unfollowed.extend(other.unfollowed);
    }
}

/// How a command ended, as far as that is known.
#[derive(Clone, Copy, PartialEq)]
enum Ended {
    Good,
    Bad,
    Unknown,
}

/// Follows a line of shell; `variables` are those that the caller sets, `IFACE` for one.
pub(super) fn follow(text: &str, variables: &[(&str, &str)], file: &Path, line: usize) -> Effects {
    let mut effects = Effects::default();
    let mut substituted = text.to_owned();
    for (name, value) in variables {
        substituted = substituted.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    let mut ended = Ended::Good;
    let mut before: Option<Command> = None;
    for command in words::commands(&substituted) {
        let runs = match (command.joint, ended) {
            (Joint::And, Ended::Bad) | (Joint::Or, Ended::Good) => continue,
            (Joint::And | Joint::Or, Ended::Unknown) => false,
            _ => true,
        };
        let piped = before.take().filter(|_| command.joint == Joint::Pipe);
        let at = |key: &str, value: &str| {
            let value = Some(value.to_owned());
            Event::Write(Assignment { key: Key::parse(key), value, file: file.into(), line })
        };
        ended = match understood(&command, piped.as_ref()).filter(|_| runs) {
            Some(Statement::Sysctls(pairs)) => {
                effects.events.extend(pairs.iter().map(|(key, value)| at(key, value)));
                Ended::Good
            }
            Some(Statement::Proxy(address, interface)) => {
                effects.proxies.push((address, interface));
                Ended::Good
            }
            Some(Statement::Event(event)) => {
                effects.events.push(event);
                Ended::Good
            }
            Some(Statement::Command(ipv6, words)) => {
                // Deleting fails where nothing is there.
                let adds = words.get(1).is_some_and(|verb| !verb.starts_with('d'));
                effects.commands.push(IpCommand { ipv6, words, file: file.into(), line });
                if adds { Ended::Good } else { Ended::Unknown }
            }
            Some(Statement::Shell(script)) => {
                let inner = follow(&script, variables, file, line);
                let ended = if inner.unfollowed.is_empty() { Ended::Good } else { Ended::Unknown };
                effects.extend(inner);
                ended
            }
            Some(Statement::Nothing(ended)) => ended,
            None => {
                // What is only piped is judged with the command that it is piped to.
                if command.concerns() || piped.is_some_and(|piped| piped.concerns()) {
                    let why = "a shell would have to run it";
                    effects.unfollowed.push(Unfollowed::new(file, line, &command.text, why));
                }
                Ended::Unknown
            }
        };
        before = Some(command);
    }
    effects
}

/// Follows a script, up to the first line that decides or repeats: what stands below it may run or not.
pub(super) fn script(text: &str, file: &Path) -> Effects {
    let mut effects = Effects::default();
    let mut certain = true;
    let mut whole = String::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(begun) = line.strip_suffix('\\') {
            whole += begun;
            continue;
        }
        let line = std::mem::take(&mut whole) + line;
        let first = line.split_whitespace().next().unwrap_or_default();
        let controls = ["if", "for", "while", "until", "case", "function", "{", "(", "trap", "alias"];
        certain &= !controls.contains(&first) && !line.contains("()") && !line.contains("<<");
        if certain && ["exit", "exec"].contains(&first) {
            break;
        }
        if certain {
            effects.extend(follow(&line, &[], file, number + 1));
        } else if !first.starts_with('#') && concerns(&line) {
            let why = "it depends on what a shell decides above it";
            effects.unfollowed.push(Unfollowed::new(file, number + 1, &line, why));
        }
    }
    effects
}

/// Whether a text mentions something that decides about ARP.
pub(super) fn concerns(text: &str) -> bool {
    let has = |word: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word);
    !mentioned(text).is_empty()
        || (text.contains("neigh") && has("proxy"))
        || (has("arp") && has("pub"))
        || ip::is_mentioned(text)
        || (has("sysctl") && (has("p") || has("system") || has("load")))
}

fn mentioned(text: &str) -> Vec<Sysctl> {
    let word = |name: &str| {
        text.match_indices(name).any(|(at, _)| {
            let within = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !text[..at].ends_with(within) && !text[at + name.len()..].starts_with(within)
        })
    };
    let names = |sysctl: Sysctl| word(sysctl.name()) || sysctl == Sysctl::Forwarding && word("ip_forward");
    WATCHED.iter().copied().filter(|sysctl| names(*sysctl)).collect()
}

enum Statement {
    Sysctls(Vec<(String, String)>),
    Proxy(IpAddr, String),
    Event(Event),
    /// Of `ip rule`, `ip route` or `ip neigh`: whether it is one of IPv6, and the words.
    Command(bool, Vec<String>),
    /// `sh -c`.
    Shell(String),
    /// It sets nothing.
    Nothing(Ended),
}

/// `None` if it is not one of the forms that are known, whole.
fn understood(command: &Command, piped: Option<&Command>) -> Option<Statement> {
    if command.is_open {
        return None;
    }
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let (program, rest) = words.split_first()?;
    let set = |path: &str, value: &str| {
        let key = path.strip_prefix("/proc/sys/")?;
        Some(Statement::Sysctls(vec![(key.into(), value.trim().trim_end_matches("\\n").into())]))
    };
    match (program.rsplit('/').next()?, command.output.as_deref()) {
        ("echo" | "printf", Some(path)) if path.starts_with("/proc/sys/") => {
            let value: Vec<&str> = rest.iter().copied().filter(|word| *word != "-n").collect();
            set(path, &value.join(" "))
        }
        ("tee", _) => {
            let value =
                piped.filter(|piped| !piped.is_open && piped.words.first().is_some_and(|it| it == "echo"))?;
            let path = rest.iter().find(|word| !word.starts_with('-'))?;
            set(path, &value.words.get(1..)?.join(" "))
        }
        ("true" | ":" | "echo" | "printf" | "sleep" | "logger" | "modprobe", _) => {
            Some(Statement::Nothing(Ended::Good))
        }
        ("false", _) => Some(Statement::Nothing(Ended::Bad)),
        ("sh" | "bash" | "dash", _) => match rest {
            ["-c", script] => Some(Statement::Shell((*script).into())),
            _ => None,
        },
        ("sysctl", _) => sysctl(rest),
        ("ip", _) => ip(rest),
        ("arp", _) => arp(rest),
        ("ethtool" | "ifconfig" | "route" | "iptables" | "nft", _) => Some(Statement::Nothing(Ended::Good)),
        _ => None,
    }
}

fn sysctl(rest: &[&str]) -> Option<Statement> {
    if rest.contains(&"--system") {
        return Some(Statement::Event(Event::System));
    }
    let options = rest.iter().filter(|word| word.starts_with('-'));
    if rest.iter().any(|word| word.starts_with("-p") || word.starts_with("--load")) {
        let files: Vec<&&str> = rest.iter().filter(|word| !word.starts_with('-')).collect();
        return match files[..] {
            [] => Some(Statement::Event(Event::Load("/etc/sysctl.conf".into()))),
            [file] if file.starts_with('/') => Some(Statement::Event(Event::Load(file.into()))),
            _ => None,
        };
    }
    let known = |option: &&str| {
        ["--write", "--quiet", "--ignore"].contains(option)
            || option.trim_start_matches('-').chars().all(|c| "wqenN".contains(c))
                && !option.starts_with("--")
    };
    if !options.copied().all(|option| known(&option)) {
        return None;
    }
    let settings = rest.iter().filter(|word| !word.starts_with('-'));
    let pairs: Vec<(String, String)> = settings
        .filter_map(|word| word.split_once('='))
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    if pairs.is_empty() { Some(Statement::Nothing(Ended::Good)) } else { Some(Statement::Sysctls(pairs)) }
}

fn ip(rest: &[&str]) -> Option<Statement> {
    let at = rest.iter().position(|word| !word.starts_with('-')).unwrap_or(rest.len());
    let (options, rest) = rest.split_at(at);
    // The word after one of these is no object.
    if options.iter().any(|option| ["-n", "-netns", "-b", "-batch", "-f", "-family"].contains(option)) {
        return None;
    }
    let is_neighbour =
        rest.first().is_some_and(|object| "neighbour".starts_with(object) || "neighbor".starts_with(object));
    match *rest {
        [_, verb, "proxy", address, "dev", interface] | [_, verb, "proxy", "dev", interface, address]
            if is_neighbour && (["replace"].contains(&verb) || "add".starts_with(verb)) =>
        {
            Some(Statement::Proxy(address.parse().ok()?, interface.into()))
        }
        _ if is_neighbour && rest.contains(&"proxy") => None,
        ["netns" | "vrf", ..] => None,
        _ => Some(match IpCommand::of(rest) {
            Some((ipv6, words)) => Statement::Command(ipv6 || options.contains(&"-6"), words),
            None => Statement::Nothing(Ended::Good),
        }),
    }
}

/// `arp -Ds ADDRESS INTERFACE pub`, as old as `arp` itself.
fn arp(rest: &[&str]) -> Option<Statement> {
    match rest {
        ["-i", own, "-Ds", address, named, "pub"] if own == named => {
            Some(Statement::Proxy(address.parse().ok()?, (*named).into()))
        }
        ["-Ds", address, interface, "pub"] => {
            Some(Statement::Proxy(address.parse().ok()?, (*interface).into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Effects {
        follow(text, &[("IFACE", "eth0")], Path::new("/etc/rc.local"), 3)
    }

    #[test]
    fn ordinary_lines_are_followed() {
        for text in [
            "sysctl -w net.ipv4.conf.$IFACE.arp_ignore=1",
            "/sbin/sysctl -q -w net/ipv4/conf/eth0/arp_ignore=1 || true",
            "echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_ignore",
            "echo \"1\" >/proc/sys/net/ipv4/conf/${IFACE}/arp_ignore; true",
            "echo 1 | tee /proc/sys/net/ipv4/conf/eth0/arp_ignore >/dev/null 2>&1",
            "sh -c 'sysctl -w net.ipv4.conf.eth0.arp_ignore=1' || sysctl -w net.ipv4.conf.eth0.arp_ignore=2",
            "ip link set eth0 up && sysctl -qw net.ipv4.conf.eth0.arp_ignore=1",
            "true || sysctl -w net.ipv4.conf.eth1.arp_ignore=2; sysctl -e net.ipv4.conf.eth0.arp_ignore=1 # why",
        ] {
            let effects = one(text);
            assert_eq!(effects.unfollowed, [], "{text}");
            let [Event::Write(line)] = &effects.events[..] else { panic!("{text}: {effects:?}") };
            assert_eq!(
                (line.key.as_path(), line.number()),
                ("net/ipv4/conf/eth0/arp_ignore", Some(1)),
                "{text}"
            );
        }
        for text in [
            "ip neigh add proxy 10.0.0.5 dev $IFACE",
            "ip -4 n a proxy 10.0.0.5 dev eth0",
            "arp -Ds 10.0.0.5 eth0 pub",
        ] {
            let effects = one(text);
            assert_eq!(effects.proxies, [("10.0.0.5".parse().unwrap(), "eth0".to_owned())], "{text}");
        }
        let rule = one("ip -4 rule add from 10.0.0.5 table 5 && ip link set eth0 up");
        assert_eq!((rule.commands.len(), rule.unfollowed), (1, vec![]));
        assert_eq!(one("sysctl -q --system").events, [Event::System]);
        assert_eq!(one("sysctl -p").events, [Event::Load("/etc/sysctl.conf".into())]);
    }

    #[test]
    fn what_a_shell_would_have_to_run_is_named() {
        for text in [
            "for i in /proc/sys/net/ipv4/conf/*/arp_ignore; do echo 1 > $i; done",
            "sysctl -w net.ipv4.conf.$DEV.arp_ignore=1",
            "my-tool --set arp_ignore",
            "[ -e /x ] && sysctl -w net.ipv4.conf.eth0.arp_ignore=1",
            "my-tool || sysctl -w net.ipv4.conf.eth0.arp_ignore=1",
            "cat /x | tee /proc/sys/net/ipv4/conf/eth0/arp_ignore",
            "sysctl -w \"net.ipv4.conf.eth0.arp_ignore=$(cat /x)\"",
        ] {
            let effects = one(text);
            assert!(effects.events.is_empty() && !effects.unfollowed.is_empty(), "{text}");
            assert!(effects.unfollowed.iter().any(|it| it.sysctls == ["arp_ignore"]), "{text}: {effects:?}");
        }
        assert_eq!(one("ip -6 route add default via $GW").unfollowed.len(), 1);
        assert_eq!(one("ip route show"), Effects::default());
        assert_eq!(one("# sysctl -w net.ipv4.conf.eth0.arp_ignore=1"), Effects::default());
    }

    #[test]
    fn a_script_is_followed_until_it_decides_something() {
        let text = "#!/bin/sh -e\nsysctl -w net.ipv4.conf.eth0.arp_ignore=1\nsysctl -w \\\n  net.ipv4.conf.eth0.arp_filter=1\nif [ -e /x ]; then\n\
                    sysctl -w net.ipv4.conf.eth1.arp_ignore=2\nfi\nexit 0\nsysctl -w net.ipv4.conf.eth0.arp_accept=1\n";
        let effects = script(text, Path::new("/etc/rc.local"));
        assert_eq!(effects.events.len(), 2, "{effects:?}");
        let lines: Vec<usize> = effects.unfollowed.iter().map(|it| it.line).collect();
        assert_eq!(lines, [6, 9]);
        let ended = script("exit 0\nsysctl -w net.ipv4.conf.eth0.arp_ignore=1\n", Path::new("/etc/rc.local"));
        assert_eq!(ended, Effects::default());
    }
}
