//! What a verb works on: a namespace of the running kernel, or a stored snapshot.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use arpflux_core::kernel::Netns;
use arpflux_core::{Error, ErrorKind, Host, Result, Snapshot};

/// No text file that a verb reads may be larger: 256 MiB hold a snapshot of more than a million entries.
const LARGEST: u64 = 256 << 20;

/// For verbs that touch a kernel.
#[derive(Debug, Clone, clap::Args)]
pub struct Live {
    /// The network namespace to work in: a name of `ip netns`, or a path such as /proc/1234/ns/net.
    /// Default: the one this command runs in.
    #[arg(long, value_name = "NAME|PATH")]
    pub netns: Option<String>,
}

impl Live {
    /// The namespace meant.
    ///
    /// # Errors
    /// If there is no such namespace, or it may not be opened.
    pub fn netns(&self) -> Result<Netns> {
        match self.netns.as_deref() {
            None => Netns::current(),
            Some(path) if path.contains('/') => Netns::at(Path::new(path)),
            Some(name) => Netns::named(name),
        }
    }
}

/// For pure verbs: a namespace, or a snapshot stored earlier, perhaps on another machine.
#[derive(Debug, Clone, clap::Args)]
pub struct Source {
    #[command(flatten)]
    live: Live,
    /// Work on a snapshot that `arpflux snapshot --json` stored, instead of the running kernel; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "netns")]
    snapshot: Option<PathBuf>,
}

impl Source {
    /// The snapshot meant: read from the file, or taken now.
    ///
    /// # Errors
    /// If the file cannot be read or is no snapshot; if the kernel cannot be asked.
    pub fn snapshot(&self) -> Result<Snapshot> {
        match &self.snapshot {
            Some(path) => Snapshot::from_json(&read_text(path)?).map_err(|error| {
                if error.object().is_empty() { error.on(path.display().to_string()) } else { error }
            }),
            None => Host::from(self.live.netns()?).snapshot(),
        }
    }
}

/// The text of a file, or of standard input where the path is `-`; bounded in size.
///
/// # Errors
/// If it cannot be read, is larger than 256 MiB, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let name = || if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    let failed = |error: std::io::Error| Error::io("read", name(), &error);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(ErrorKind::InvalidData, "it is larger than 256 MiB")
            .during("read")
            .on(name()));
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text").during("read").on(name()))
}
