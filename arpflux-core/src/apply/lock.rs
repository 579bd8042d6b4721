//! One writer per namespace.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::libc;

use super::fault::{self, Call};
use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::stop::Stop;

pub(crate) const NAME: &str = "lock";
/// The note in it has fewer bytes.
pub(crate) const LONGEST: u64 = 1024;

/// The lock, held until it is dropped. It dies with its process, so no lock is ever left behind.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the namespace that `folder` is for, waiting at most `wait`.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] names who holds it: process, command, since when. [`ErrorKind::Interrupted`] if
    /// `stop` is raised meanwhile.
    pub(crate) fn take(folder: &Folder, wait: Duration, stop: &Stop) -> Result<Self> {
        Self::named(folder, NAME, "another run is changing this namespace", wait, stop)
    }

    /// The same by another name; `what` is what the other one does that holds it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub(crate) fn named(
        folder: &Folder,
        name: &str,
        what: &str,
        wait: Duration,
        stop: &Stop,
    ) -> Result<Self> {
        let file = folder.open_or_make(name)?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            // flock(2) belongs to this open file, not to the process: two threads exclude each other too.
            let locked = fault::around(Call::Lock, || {
                // SAFETY: an open descriptor and a constant.
                Errno::result(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) })
            });
            match locked {
                Ok(_) => break,
                Err(Errno::EWOULDBLOCK) => {
                    let waited = start.elapsed();
                    if waited >= wait {
                        return Err(busy(&file, what, wait));
                    }
                    stop.check().map_err(|error| error.on("lock of the namespace"))?;
                    std::thread::sleep(pause.min(wait.saturating_sub(waited)));
                    // Not in step with others that wait.
                    let jitter = u64::from(std::process::id() % 7);
                    pause = (pause * 2).min(Duration::from_millis(15 + jitter));
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::os("lock", folder.path_of(name), errno as i32)),
            }
        }
        if !folder.is_linked() {
            // Removed as the folder of a namespace that was gone, between opening and locking it.
            return Err(Error::new(ErrorKind::Busy, "its folder was removed just now")
                .during("lock")
                .on(folder.path_of(name))
                .hint("run again"));
        }
        // Who holds it is for messages only; without space on the disk it stays unsaid.
        let note = format!("{} {} {}\n", std::process::id(), unix_seconds(), command());
        let _ = file.set_len(0);
        let _ = file.write_all_at(note.as_bytes(), 0);
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        // SAFETY: an open descriptor and a constant. Explicit, because a forked child may share the file.
        unsafe { libc::flock(self.file.as_raw_fd(), libc::LOCK_UN) };
    }
}

fn busy(file: &File, what: &str, wait: Duration) -> Error {
    let holder = holder(file);
    Error::new(ErrorKind::Busy, format!("{what}: {holder}; waited {:.1} s", wait.as_secs_f64()))
        .during("lock")
        .on("namespace")
        .hint("try again when it has finished")
}

/// Who holds the lock: by the note in it, unless the kernel names another process. A process that was killed leaves its
/// note, and one that has just come has not written its own yet.
fn holder(file: &File) -> String {
    let mut note = [0; 512];
    let length = file.read_at(&mut note, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(&note[..length]);
    let mut words = text.trim_end().splitn(3, ' ');
    let noted = words.next().and_then(|pid| pid.parse::<u32>().ok());
    match (noted, words.next(), locked_by(file)) {
        (Some(pid), Some(since), known) if known.is_none_or(|known| known == pid) => {
            let ago = unix_seconds().saturating_sub(since.parse().unwrap_or(0));
            let command = words.next().unwrap_or_default().escape_debug();
            format!("process {pid} ({command}), for {ago} s")
        }
        (.., Some(pid)) => {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("process {pid} ({})", name.trim_end().escape_debug())
        }
        (.., None) => "another process, which did not say which it is".into(),
    }
}

/// The process that took the lock, where `/proc/locks` shows it: not one of another PID namespace.
fn locked_by(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let file = file.metadata().ok()?;
    let (major, minor) = (libc::major(file.dev()), libc::minor(file.dev()));
    let of = format!("{major:02x}:{minor:02x}:{}", file.ino());
    // 1: FLOCK  ADVISORY  WRITE 1234 00:1a:5678 0 EOF
    let look = |_| {
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let mut words = locks.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
        let found =
            words.find(|words| words.get(1) == Some(&"FLOCK") && words.get(5) == Some(&of.as_str()))?;
        found[4].parse().ok()
    };
    // It is given out in pieces, and where others take and release locks meanwhile, one may be missing.
    (0..3).find_map(look)
}

/// This process's command line, shortened, without line ends.
pub(crate) fn command() -> String {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().replace(char::is_control, " ")).collect();
    words.join(" ").chars().take(200).collect()
}

/// The time of day, for people only; nothing is decided by it.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
