//! What a verb works on: a namespace of the running kernel, or a stored snapshot.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arpflux_core::apply::Options;
use arpflux_core::diagnose::FindingId;
use arpflux_core::kernel::Netns;
use arpflux_core::wire::stop_on_interrupt;
pub use arpflux_core::words::time_of_day;
use arpflux_core::{Error, ErrorKind, Host, Policy, Result, Snapshot, text};

/// The policy of every verb that is given none.
pub const POLICY: &str = "/etc/arpflux/policy.toml";

/// Which policy: --policy FILE, or FILE as the one argument.
#[derive(Debug, clap::Args)]
pub struct PolicyFile {
    /// The policy, TOML or JSON. Default: /etc/arpflux/policy.toml.
    #[arg(long, short, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The same, without --policy.
    #[arg(value_name = "FILE", conflicts_with = "policy")]
    file: Option<PathBuf>,
}

impl PolicyFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.policy.as_deref().or(self.file.as_deref()).unwrap_or(Path::new(POLICY))
    }

    /// Reads it.
    ///
    /// # Errors
    /// As [`Policy::from_path`].
    pub fn read(&self) -> Result<Policy> {
        let none_given = self.policy.is_none() && self.file.is_none();
        Policy::from_path(self.path()).map_err(|error| match error.kind() {
            ErrorKind::NotFound if none_given => {
                error.hint("name one with --policy; `arpflux recommend -o FILE` makes one for this host")
            }
            _ => error,
        })
    }
}

/// For verbs that touch a kernel.
#[derive(Debug, Clone, clap::Args)]
pub struct Live {
    /// The network namespace to work in: a name of `ip netns`, or a path such as /proc/1234/ns/net.
    /// Default: the one this command runs in.
    #[arg(long, help_heading = "Which host", value_name = "NAME|PATH")]
    pub netns: Option<String>,
}

impl Live {
    /// The arguments that name it, after a blank, for commands that go on from here; nothing if it is the one that
    /// this command runs in.
    #[must_use]
    pub fn arguments(&self) -> String {
        self.netns.as_deref().map_or_else(String::new, |netns| format!(" --netns {}", quoted(netns)))
    }

    /// The namespace meant.
    ///
    /// # Errors
    /// If there is no such namespace, or it may not be opened.
    pub fn netns(&self) -> Result<Netns> {
        self.netns.as_deref().map_or_else(Netns::current, netns)
    }
}

/// An address that is asked for by ARP or neighbour discovery.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] with what to write instead.
pub fn address(text: &str) -> Result<IpAddr> {
    let hint = match text.split_once('/') {
        Some((address, _)) if address.parse::<IpAddr>().is_ok() => "leave the length of the prefix out",
        _ if text.to_ascii_uppercase().parse::<FindingId>().is_ok() => {
            "that is a finding: `arpflux diagnose --list` lists them"
        }
        _ if text.contains("::") || text.contains('%') => "an interface is named with --on",
        _ if text.starts_with(|first: char| first.is_ascii_digit()) => "it has four numbers: 192.168.18.10",
        _ => "an interface is named with --on; a host's name has to be looked up first",
    };
    let none = || Error::new(ErrorKind::InvalidInput, "not an IP address").hint(hint);
    text.parse().map_err(|_| none())
}

/// An IPv4 or IPv6 address.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] with what to write instead.
pub fn either_address(text: &str) -> Result<IpAddr> {
    let hint = match text.split_once('/') {
        Some((address, _)) if address.parse::<IpAddr>().is_ok() => "leave the length of the prefix out",
        _ if text.starts_with(|first: char| first.is_ascii_digit()) => "write it as 192.168.18.10 or fe80::1",
        _ => "a host's name has to be looked up first",
    };
    let none = || Error::new(ErrorKind::InvalidInput, "neither an IPv4 nor an IPv6 address").hint(hint);
    text.parse().map_err(|_| none())
}

/// The number of a transaction.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] with the verb that lists them.
pub fn transaction(text: &str) -> Result<u64> {
    let none = || {
        Error::new(ErrorKind::InvalidInput, "not the number of a transaction")
            .hint("`arpflux rollback --list` lists them")
    };
    text.parse().map_err(|_| none())
}

/// Refuses to write where there is no such folder: a name typed wrongly is no reason to make one.
///
/// # Errors
/// [`ErrorKind::NotFound`] with the folder.
pub fn folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => Err(Error::new(ErrorKind::NotFound, "there is no such folder")
            .during("write")
            .on(folder)
            .hint("make it first, or name another file")),
        _ => Ok(()),
    }
}

/// A namespace by its name, or by a path where there is a slash in it.
///
/// # Errors
/// If there is no such namespace, or it may not be opened.
pub fn netns(name: &str) -> Result<Netns> {
    if name.contains('/') {
        return Netns::at(Path::new(name));
    }
    let number = name.bytes().all(|byte| byte.is_ascii_digit());
    Netns::named(name).map_err(|error| match error.kind() {
        ErrorKind::NotFound if number => error.hint(format!("that of process {name} is /proc/{name}/ns/net")),
        _ => error,
    })
}

/// For verbs that change something.
#[derive(Debug, Clone, clap::Args)]
pub struct State {
    /// The folder for journals, locks and receipts. Default: the variable ARPFLUX_STATE_DIR, or
    /// /run/arpflux, or $XDG_RUNTIME_DIR/arpflux where this user may not write there.
    #[arg(long, help_heading = "Transaction", value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// How long to wait for another run that is changing the namespace: 10s, 1m.
    #[arg(long, help_heading = "Transaction", value_name = "TIME", default_value = "10s", value_parser = duration)]
    wait: Duration,
}

impl State {
    /// The options meant for what changes something: a signal undoes it, or ends a wait.
    ///
    /// # Errors
    /// As [`stop_on_interrupt`].
    pub fn changing(&self) -> Result<Options> {
        Ok(self.options().stop(stop_on_interrupt()?))
    }

    /// The options meant.
    #[must_use]
    pub fn options(&self) -> Options {
        let mut options = Options::default().lock_wait(self.wait);
        options.state_dir.clone_from(&self.state_dir);
        options
    }
}

/// A time as people write it: `30s`, `500ms`, `5m`, `1h`; a number alone is seconds.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is none.
pub fn duration(text: &str) -> Result<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let milliseconds = number.parse().ok().and_then(|number: u64| number.checked_mul(scale));
    milliseconds.filter(|_| scale > 0).map(Duration::from_millis).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "not a time")
            .on(format!("{text:?}"))
            .hint("write it as 30s, 5m or 1h")
    })
}

/// For pure verbs: a namespace, or a snapshot stored earlier, perhaps on another machine.
#[derive(Debug, Clone, clap::Args)]
pub struct Source {
    #[command(flatten)]
    live: Live,
    /// Work on a snapshot that `arpflux snapshot --json` stored, instead of the running kernel; - reads standard input.
    #[arg(long, help_heading = "Which host", value_name = "FILE", conflicts_with = "netns")]
    snapshot: Option<PathBuf>,
}

impl Source {
    /// The file of the stored snapshot; `None`: the running kernel is meant.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.snapshot.as_deref()
    }

    /// The arguments that name it, each after a blank, for commands that go on from here; nothing if it is this
    /// host as it runs.
    #[must_use]
    pub fn arguments(&self) -> String {
        match self.file() {
            Some(path) => format!(" --snapshot {}", quoted(&path.display().to_string())),
            None => self.live.arguments(),
        }
    }

    /// What to call the host on a page: the namespace, the file without its ending, or this machine's name.
    #[must_use]
    pub fn title(&self) -> String {
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let own = || {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            if name.trim().is_empty() { "this host".to_owned() } else { name.trim().to_owned() }
        };
        match (self.file(), &self.live.netns) {
            (Some(path), _) if path != Path::new("-") => stem(path).unwrap_or_else(own),
            (_, Some(netns)) => netns.clone(),
            _ => own(),
        }
    }

    /// The namespace meant, where it is not a file.
    ///
    /// # Errors
    /// If there is no such namespace, or it may not be opened.
    pub fn host(&self) -> Result<Host> {
        self.live.netns().map(Host::from)
    }

    /// The snapshot meant: read from the file, or taken now.
    ///
    /// # Errors
    /// If the file cannot be read or is no snapshot; if the kernel cannot be asked.
    pub fn snapshot(&self) -> Result<Snapshot> {
        match &self.snapshot {
            Some(path) => stored(path),
            None => self.host()?.snapshot(),
        }
    }
}

/// The snapshot in a file.
///
/// # Errors
/// If the file cannot be read or is no snapshot.
pub fn stored(path: &Path) -> Result<Snapshot> {
    Snapshot::from_json(&read_text(path)?).map_err(|error| {
        let error = error.on_file(path);
        match error.remedy() {
            None => error.hint("`arpflux snapshot --json` writes snapshots"),
            Some(_) => error,
        }
    })
}

/// A word as a shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The text of a file, or of standard input where the path is `-`; bounded in size.
///
/// # Errors
/// If it cannot be read, is larger than 256 MiB, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        text::read_from(std::io::stdin().lock(), "standard input", text::LARGEST)
    } else {
        text::read(path, text::LARGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_with_and_without_units() {
        for (text, ms) in
            [("30", 30_000), ("30s", 30_000), ("500ms", 500), ("5m", 300_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text).unwrap().as_millis(), ms, "{text}");
        }
        for text in ["", "s", "-1", "1.5s", "1d", "1 s", "99999999999999999999", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
