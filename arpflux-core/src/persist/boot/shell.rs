//! What lines of shell do to sysctls and proxy entries, as far as that can be told without a shell.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::WATCHED;
use crate::persist::sysctld::{Assignment, Key};
use crate::sysctl::Sysctl;

/// Something that exists, is run at boot and may set values, but was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
        let anything = self.line == 0 || self.text.contains(['$', '*']);
        self.sysctls.iter().any(|name| name == sysctl.name())
            && (anything || self.text.contains(folder) || sysctl == Sysctl::Forwarding)
    }
}

/// What one line does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    pub(super) sysctls: Vec<Assignment>,
    /// Proxy entries that it adds: the address and the interface.
    pub(super) proxies: Vec<(IpAddr, String)>,
    pub(super) unfollowed: Vec<Unfollowed>,
}

impl Effects {
    pub(super) fn extend(&mut self, other: Self) {
        self.sysctls.extend(other.sysctls);
        self.proxies.extend(other.proxies);
        self.unfollowed.extend(other.unfollowed);
    }
}

/// Follows a line of shell; `variables` are those that the caller sets, `IFACE` for one.
pub(super) fn follow(text: &str, variables: &[(&str, &str)], file: &Path, line: usize) -> Effects {
    let mut effects = Effects::default();
    let mut substituted = text.to_owned();
    for (name, value) in variables {
        substituted = substituted.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    for command in
        substituted.split([';', '\n']).flat_map(|part| part.split("&&")).flat_map(|part| part.split("||"))
    {
        let words: Vec<&str> =
            command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
        if words.first().is_none_or(|word| word.starts_with('#')) || !concerns(command) {
            continue;
        }
        let at = |key: &str, value: &str| Assignment {
            key: Key::parse(key),
            value: Some(value.to_owned()),
            file: file.into(),
            line,
        };
        match understood(&words) {
            Some(Statement::Sysctls(pairs)) => {
                effects.sysctls.extend(pairs.iter().map(|(key, value)| at(key, value)));
            }
            Some(Statement::Proxy(address, interface)) => effects.proxies.push((address, interface)),
            None => {
                effects.unfollowed.push(Unfollowed::new(file, line, command, "a shell would have to run it"));
            }
        }
    }
    effects
}

/// Whether a text mentions something that decides about ARP.
pub(super) fn concerns(text: &str) -> bool {
    !mentioned(text).is_empty() || (text.contains("neigh") && text.contains("proxy"))
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
}

/// `None` if it is not one of the forms that are known, whole.
fn understood(words: &[&str]) -> Option<Statement> {
    if words.iter().any(|word| word.contains(['$', '`', '(', '{', '|', '*'])) {
        return None;
    }
    let (command, rest) = words.split_first()?;
    match command.rsplit('/').next()? {
        "sysctl" => {
            let settings =
                rest.iter().filter(|word| !word.starts_with('-') && !word.starts_with(['>', '2', '&']));
            let pairs: Option<Vec<_>> = settings
                .map(|word| word.split_once('=').map(|(key, value)| (key.into(), value.into())))
                .collect();
            pairs.filter(|pairs| !pairs.is_empty()).map(Statement::Sysctls)
        }
        "echo" | "printf" => {
            let joined = rest.join(" ");
            let (value, path) = joined.split_once('>')?;
            let key = path.trim().strip_prefix("/proc/sys/")?;
            let value = value.trim().trim_matches(['"', '\'']).trim_end_matches("\\n");
            (!key.contains(' ')).then(|| Statement::Sysctls(vec![(key.into(), value.into())]))
        }
        "ip" => {
            let mut rest = rest.iter().skip_while(|word| word.starts_with('-'));
            let object = rest.next()?;
            let verb = rest.next()?;
            let proxy = rest.next()?;
            let address = rest.next()?.parse().ok()?;
            let (dev, interface) = (rest.next()?, rest.next()?);
            let known = "neighbour".starts_with(object) || "neighbor".starts_with(object);
            (known && ["add", "replace"].contains(verb) && *proxy == "proxy" && *dev == "dev")
                .then(|| Statement::Proxy(address, (*interface).into()))
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
        ] {
            let effects = one(text);
            assert_eq!(effects.unfollowed, [], "{text}");
            let [line] = &effects.sysctls[..] else { panic!("{text}: {effects:?}") };
            assert_eq!(
                (line.key.as_path(), line.number()),
                ("net/ipv4/conf/eth0/arp_ignore", Some(1)),
                "{text}"
            );
        }
        let effects = one("ip neigh add proxy 10.0.0.5 dev $IFACE");
        assert_eq!(effects.proxies, [("10.0.0.5".parse().unwrap(), "eth0".to_owned())]);
    }

    #[test]
    fn what_a_shell_would_have_to_run_is_named() {
        for text in [
            "for i in /proc/sys/net/ipv4/conf/*/arp_ignore; do echo 1 > $i; done",
            "sysctl -w net.ipv4.conf.$DEV.arp_ignore=1",
            "my-tool --set arp_ignore",
        ] {
            let effects = one(text);
            assert!(effects.sysctls.is_empty() && !effects.unfollowed.is_empty(), "{text}");
            assert!(effects.unfollowed.iter().any(|it| it.sysctls == ["arp_ignore"]), "{text}: {effects:?}");
        }
        assert_eq!(one("ip route add default via 10.0.0.1"), Effects::default());
        assert_eq!(one("# sysctl -w net.ipv4.conf.eth0.arp_ignore=1"), Effects::default());
    }
}
