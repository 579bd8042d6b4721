//! Metrics of the watch, for whoever reads a file or asks a socket.

use std::io::Write as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arpflux_core::watch::Status;
use arpflux_core::{Error, Result, persist};

use crate::input::folder_of;

/// The file is written anew this often where nothing changes, so that its age says whether the watch lives.
const REFRESH: Duration = Duration::from_secs(15);

/// Where metrics go.
#[derive(Debug)]
pub struct Publish {
    file: Option<PathBuf>,
    socket: Option<PathBuf>,
    text: Arc<Mutex<String>>,
    status: Status,
    written: Option<Instant>,
}

impl Publish {
    /// Opens the socket, if there is to be one.
    ///
    /// # Errors
    /// If there is no such folder, or the socket cannot be made.
    pub fn new(file: Option<&Path>, socket: Option<&Path>) -> Result<Self> {
        file.into_iter().chain(socket).try_for_each(folder_of)?;
        let publish = Self {
            file: file.map(Into::into),
            socket: socket.map(Into::into),
            text: Arc::default(),
            status: Status::default(),
            written: None,
        };
        if let Some(path) = socket {
            // That of a watch that was killed is in the way.
            if path.symlink_metadata().is_ok_and(|known| known.file_type().is_socket()) {
                let _ = std::fs::remove_file(path);
            }
            let listener = UnixListener::bind(path)
                .map_err(|error| Error::io("listen on", path.display().to_string(), &error))?;
            let text = Arc::clone(&publish.text);
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    let answer = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    // Who asks and does not read keeps the others waiting for a second only.
                    let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
        Ok(publish)
    }

    /// Publishes what is so now, where it is news.
    ///
    /// # Errors
    /// If the file cannot be written; the next call tries again.
    pub fn update(&mut self, status: &Status) -> Result<()> {
        let fresh = self.written.is_some_and(|at| at.elapsed() < REFRESH);
        if fresh && *status == self.status {
            return Ok(());
        }
        self.status = status.clone();
        self.written = Some(Instant::now());
        let metrics = status.metrics();
        let result = match &self.file {
            Some(path) => persist::replace(path, &metrics, 0o644),
            None => Ok(()),
        };
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
        result
    }
}

impl Drop for Publish {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}
