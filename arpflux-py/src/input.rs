//! Where a capture is read from: files and pipes that signals interrupt, objects of Python, bytes.

use std::fs::File;
use std::io::{Cursor, Read};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::interrupt;

/// How often signal handlers get their turn while a capture is read.
const TURN: Duration = Duration::from_millis(100);

/// What a signal handler raised while the capture was read.
pub type Raised = Arc<Mutex<Option<PyErr>>>;

/// A file that gives signal handlers their turn, also while it waits for the other end of a pipe.
pub struct Interruptible {
    pub file: File,
    pub checked: Instant,
    pub raised: Raised,
}

impl Interruptible {
    fn check(&mut self) -> std::io::Result<()> {
        self.checked = Instant::now();
        interrupt::check().map_err(|exception| {
            *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(exception);
            std::io::Error::other("a signal handler raised an exception")
        })
    }
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.checked.elapsed() >= TURN {
            self.check()?;
        }
        loop {
            while !interrupt::readable(self.file.as_fd(), TURN)
                .map_err(|error| std::io::Error::other(error.to_string()))?
            {
                self.check()?;
            }
            match self.file.read(buffer) {
                // Somebody else read it, or nobody has opened the other end yet.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

/// Where a capture is read from.
pub enum Input {
    File(Interruptible),
    /// Something with `read(size)` that gives bytes.
    Object {
        object: Py<PyAny>,
        raised: Raised,
    },
    Bytes(Cursor<Vec<u8>>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Bytes(bytes) => bytes.read(buffer),
            Self::Object { object, raised } => Python::attach(|py| {
                let read = object.call_method1(py, "read", (buffer.len(),));
                let bytes = read.and_then(|bytes| Ok(bytes.extract::<PyBackedBytes>(py)?));
                match bytes {
                    Ok(bytes) => {
                        let length = bytes.len().min(buffer.len());
                        buffer[..length].copy_from_slice(&bytes[..length]);
                        Ok(length)
                    }
                    Err(exception) => {
                        *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(exception);
                        Err(std::io::Error::other("read() raised an exception"))
                    }
                }
            }),
        }
    }
}
