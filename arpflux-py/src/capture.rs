//! Captures: their frames one by one, and what they show about addresses.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arpflux_capture::{self as core, Counts, Known, Source};
use arpflux_core::types::Mac;
use arpflux_core::{Error, ErrorKind};
use nix::libc;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::argument;
use crate::error::{PyError, Result};
use crate::host::Host;
use crate::input::{Input, Interruptible, Raised};
use crate::interrupt;
use crate::sighting::{Frame, Sighting};
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// So many frames are read ahead at most.
const BATCH: usize = 256;

/// A capture that is being read: an iterator over its frames. See `capture`.
#[pyclass(frozen, module = "arpflux")]
pub struct Capture {
    state: Mutex<State>,
    raised: Raised,
    name: String,
}

struct State {
    /// `None`: closed.
    source: Option<Source<Input>>,
    capture: core::Capture,
    ahead: VecDeque<Frame>,
    ended: bool,
    failed: Option<Error>,
    counts: Counts,
}

impl State {
    /// Reads some frames ahead, if there are none.
    fn fill(&mut self, name: &str) {
        let Self { source: Some(source), capture, ahead, ended, failed, counts } = self else { return };
        if *ended || !ahead.is_empty() {
            return;
        }
        let result = source.for_each(|sighting| {
            capture.observe(sighting);
            ahead.push_back(Frame::of(sighting));
            if ahead.len() < BATCH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        *counts = source.counts().clone();
        *failed = result.err();
        *ended = ahead.len() < BATCH || failed.is_some();
        if *ended {
            capture.end(name, source, failed.as_ref());
        }
    }
}

impl Capture {
    /// What the whole of it shows; reads what was not read yet.
    fn whole(&self, py: Python<'_>, known: &Known) -> Result<core::Report> {
        let report = py.detach(|| {
            let mut state = self.state();
            let State { source, capture, ahead, ended, failed, counts } = &mut *state;
            let Some(source) = source else {
                return Err(Error::new(ErrorKind::InvalidInput, "it is closed").during("report"));
            };
            ahead.clear();
            if !*ended {
                *ended = true;
                let result = source.for_each(|sighting| {
                    capture.observe(sighting);
                    ControlFlow::Continue(())
                });
                *counts = source.counts().clone();
                capture.end(&self.name, source, result.as_ref().err());
                result?;
            }
            if let Some(error) = failed.take() {
                return Err(error);
            }
            Ok(capture.report_with(known))
        });
        report.map_err(|error| self.failure(error))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An exception of a signal handler goes before what it broke.
    fn failure(&self, error: Error) -> PyError {
        match self.raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(exception) => exception.into(),
            None => self.named(error).into(),
        }
    }

    fn named(&self, error: Error) -> Error {
        let place = match error.object() {
            "" => self.name.clone(),
            object => format!("{} {object}", self.name),
        };
        error.on(place)
    }
}

/// Opens a capture: pcap or pcapng, compressed or not (gzip, zstd, xz, lz4), or what tcpdump printed. Which it is shows in the
/// first bytes, not in the name. Frames are read as they are asked for, in memory that does not grow with the file; a pipe
/// will do. `source` is a path, the content itself as bytes, or a binary file object: anything with `read(size)`.
/// `snapshot`: the state of a host of that wire; the report has under `explained` whether the model of the kernel gives each of
/// its answers, and why.
///
/// Raises NoSuchFile if there is no such file, InvalidData if it is no capture.
///
/// >>> import arpflux, pathlib, tempfile
/// >>> folder = tempfile.TemporaryDirectory()
/// >>> path = pathlib.Path(folder.name, "trace.txt")
/// >>> _ = path.write_text("12:00:00.000001 ARP, Request who-has 192.0.2.1 tell 192.0.2.9, length 28\n")
/// >>> with arpflux.capture(path) as frames:
/// ...     for frame in frames:
/// ...         print(frame.operation, frame.sender, frame.target)
/// 1 192.0.2.9 192.0.2.1
/// >>> folder.cleanup()
#[pyfunction]
#[pyo3(signature = (source, *, snapshot = None))]
pub fn capture(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    snapshot: Option<Bound<'_, Snapshot>>,
) -> Result<Capture> {
    let mut empty = core::Capture::new();
    if let Some(snapshot) = snapshot {
        empty.know_snapshot(arpflux_core::Snapshot::clone(&snapshot.get().0))?;
    }
    empty.begin();
    let raised = Raised::default();
    let (name, input) = if let Ok(bytes) = source.cast::<PyBytes>() {
        ("bytes".to_owned(), Input::Bytes(Cursor::new(bytes.as_bytes().to_vec())))
    } else if source.hasattr("read")? {
        let name = source.getattr_opt("name")?.and_then(|name| name.extract::<String>().ok());
        let input = Input::Object { object: source.clone().unbind(), raised: Arc::clone(&raised) };
        (name.unwrap_or_else(|| "file object".to_owned()), input)
    } else {
        let path = argument::path("source", source)?;
        // Nothing to wait for: a pipe that nobody has opened for writing yet is waited for when it is read.
        let file = py.detach(|| OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path));
        let file = file.map_err(|error| Error::file("open", &path, &error))?;
        let file = Interruptible { file, checked: Instant::now(), raised: Arc::clone(&raised) };
        (path.display().to_string(), Input::File(file))
    };
    let opened = py.detach(|| Source::new(input));
    let capture = |source| Capture {
        state: Mutex::new(State {
            source,
            capture: empty,
            ahead: VecDeque::new(),
            ended: false,
            failed: None,
            counts: Counts::default(),
        }),
        raised,
        name: name.clone(),
    };
    match opened {
        Ok(source) => Ok(capture(Some(source))),
        Err(error) if error.object() == name => Err(error.into()),
        Err(error) => Err(capture(None).failure(error)),
    }
}

/// See `Host.listen`.
pub fn listen<'py>(
    py: Python<'py>,
    host: &Host,
    interface: &Bound<'py, PyAny>,
    duration: Given<'_, 'py>,
    frames: Given<'_, 'py>,
) -> Result<Bound<'py, PyAny>> {
    let interface = argument::interface("interface", interface)?;
    let duration = duration.map(|time| argument::seconds("duration", time)).transpose()?;
    let frames = frames.map(|frames| argument::number("frames", frames, 1..=i64::MAX)).transpose()?;
    if duration.is_none() && frames.is_none() {
        return Err(argument::invalid(
            "duration",
            "nothing would end it: give a duration or a number of frames",
        ));
    }
    let report = interrupt::interruptible(py, |stop| {
        let mut capture = core::Capture::new();
        let go_on = |_| if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        host.0
            .namespace()
            .run(|| capture.listen(&interface, core::Until::new(duration, frames), go_on))??;
        Ok(capture.report())
    })?;
    value::typed(py, "CaptureReport", &report)
}

/// What was read so far, as `CaptureCounts` has it.
#[derive(Serialize)]
struct Written {
    records: u64,
    read: u64,
    cut: u64,
    malformed: u64,
    unread: u64,
    ends_early: bool,
}

#[pymethods]
impl Capture {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<Sighting>> {
        let next = py.detach(|| {
            let mut state = self.state();
            state.fill(&self.name);
            match state.ahead.pop_front() {
                Some(frame) => Ok(Some(Sighting(frame))),
                None => state.failed.take().map_or(Ok(None), Err),
            }
        });
        next.map_err(|error| self.failure(error))
    }

    /// Which addresses have several MACs, and why: a CaptureReport over the whole capture. Reads what was not iterated over
    /// yet; the iteration is over then. `hosts`: for each host known, the MACs of its interfaces.
    #[pyo3(signature = (hosts = None))]
    fn report<'py>(&self, py: Python<'py>, hosts: Given<'_, 'py>) -> Result<Bound<'py, PyAny>> {
        let mut known = Known::default();
        if let Some(hosts) = hosts {
            for host in hosts.try_iter()? {
                let macs: Result<Vec<Mac>> =
                    host?.try_iter()?.map(|mac| argument::mac("hosts", &mac?)).collect();
                known.hosts.push(macs?);
            }
        }
        let report = self.whole(py, &known)?;
        value::typed(py, "CaptureReport", &report)
    }

    /// A picture (SVG) of who claimed which address when, over the whole capture: a row for each MAC of each address that has
    /// several; of all addresses if none has. The first 100, the worst first.
    fn svg(&self, py: Python<'_>) -> Result<String> {
        Ok(self.whole(py, &Known::default())?.timeline())
    }

    /// What was read so far; up to 256 frames are read ahead of the iteration.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let counts = py.detach(|| self.state().counts.clone());
        let unread = counts.unread();
        let Counts { records, sightings, cut, malformed, ends_early, .. } = counts;
        let written = Written { records, read: sightings, cut, malformed, unread, ends_early };
        value::typed(py, "CaptureCounts", &written)
    }

    /// What the file is; None if it is closed.
    #[getter]
    fn format<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let format = py.detach(|| self.state().source.as_ref().map(Source::format));
        format.map(|format| value::member(py, "CaptureFormat", format.name())).transpose()
    }

    /// Whether it is compressed.
    #[getter]
    fn compressed(&self, py: Python<'_>) -> bool {
        py.detach(|| self.state().source.as_ref().is_some_and(Source::is_compressed))
    }

    /// Closes the file. Frames read ahead are dropped.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let mut state = self.state();
            state.source = None;
            state.ahead.clear();
            state.failed = None;
        });
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (_kind, _value, _traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: Option<Bound<'_, PyAny>>,
        _value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!("<Capture {:?}>", self.name)
    }
}
