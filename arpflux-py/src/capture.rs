//! Captures: their frames one by one, and what they show about addresses.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Cursor, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arpflux_capture::{self as core, Content, Counts, Known, Source};
use arpflux_core::frame::Ndp;
use arpflux_core::types::Mac;
use arpflux_core::{Error, ErrorKind};
use nix::libc;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};
use serde::{Deserialize, Serialize};

use crate::argument;
use crate::error::{PyError, Result};
use crate::host::Host;
use crate::interrupt;
use crate::records::record;
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// So many frames are read ahead at most.
const BATCH: usize = 256;
/// How often signal handlers get their turn while a capture is read.
const TURN: Duration = Duration::from_millis(100);

/// One frame of a capture, as far as it is about addresses.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Sighting(Frame);

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    time_ns: Option<u64>,
    vlans: Vec<u16>,
    source: Option<Mac>,
    destination: Option<Mac>,
    protocol: Protocol,
    operation: Option<u16>,
    sender: IpAddr,
    sender_mac: Option<Mac>,
    target: IpAddr,
    target_mac: Option<Mac>,
    ttl: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    Arp,
    Ipv4,
    Ndp,
    Ipv6,
}

fn text(mac: Option<Mac>) -> Option<String> {
    mac.map(|mac| mac.to_string())
}

record!(Sighting {
    /// When, in nanoseconds since 1970 (UTC), or since midnight where the capture shows no date; None without a clock.
    #[getter]
    fn time_ns(&self) -> Option<u64> {
        self.0.time_ns
    }

    /// The VLAN ids, outermost first; at most two.
    #[getter]
    fn vlans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.vlans)
    }

    /// The link-layer source as text; None if the capture does not show it.
    #[getter]
    fn source(&self) -> Option<String> {
        text(self.0.source)
    }

    /// The link-layer destination as text; None if the capture does not show it.
    #[getter]
    fn destination(&self) -> Option<String> {
        text(self.0.destination)
    }

    /// What the frame carries.
    #[getter]
    fn protocol<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let name = match self.0.protocol {
            Protocol::Arp => "arp",
            Protocol::Ipv4 => "ipv4",
            Protocol::Ndp => "ndp",
            Protocol::Ipv6 => "ipv6",
        };
        value::member(py, "Protocol", name)
    }

    /// Of ARP the operation: 1 request, 2 reply; None for anything else.
    #[getter]
    fn operation(&self) -> Option<u16> {
        self.0.operation
    }

    /// The sender's address: of ARP the sender protocol address, else the source of the packet.
    #[getter]
    fn sender(&self) -> IpAddr {
        self.0.sender
    }

    /// Of ARP the sender hardware address, of neighbour discovery the link-layer address given; None for anything else.
    #[getter]
    fn sender_mac(&self) -> Option<String> {
        text(self.0.sender_mac)
    }

    /// The target's address: of ARP the target protocol address, of neighbour discovery the target, else the destination.
    #[getter]
    fn target(&self) -> IpAddr {
        self.0.target
    }

    /// Of ARP the target hardware address as text; None for anything else.
    #[getter]
    fn target_mac(&self) -> Option<String> {
        text(self.0.target_mac)
    }

    /// Of IP packets the time to live or the hop limit; None where it is not shown, and for ARP and neighbour discovery.
    #[getter]
    fn ttl(&self) -> Option<u8> {
        self.0.ttl
    }

    fn __repr__(&self) -> String {
        let Frame { sender, target, operation, sender_mac, .. } = &self.0;
        match (operation, sender_mac) {
            (Some(1), _) => format!("<Sighting: arp who-has {target} tell {sender}>"),
            (Some(2), Some(mac)) => format!("<Sighting: arp reply {sender} is-at {mac}>"),
            (Some(other), _) => format!("<Sighting: arp operation {other}, {sender} to {target}>"),
            (None, _) => format!("<Sighting: {sender} to {target}>"),
        }
    }
});

impl Frame {
    fn of(sighting: &core::Sighting<'_>) -> Self {
        let mac = |bytes: &[u8]| Mac::from_bytes(bytes).ok().filter(|mac| *mac != Mac::NONE);
        let v4 = |bytes: &[u8]| {
            IpAddr::V4(bytes.first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED, |octets| (*octets).into()))
        };
        let frame = Self {
            time_ns: sighting.time.map(|time| time.0),
            vlans: sighting.wire.vlans.ids().collect(),
            source: mac(sighting.source),
            destination: mac(sighting.destination),
            protocol: Protocol::Ipv4,
            operation: None,
            sender: Ipv4Addr::UNSPECIFIED.into(),
            sender_mac: None,
            target: Ipv4Addr::UNSPECIFIED.into(),
            target_mac: None,
            ttl: None,
        };
        match sighting.content {
            Content::Arp(arp) => Self {
                protocol: Protocol::Arp,
                operation: Some(arp.operation.code()),
                sender: v4(arp.sender_protocol),
                sender_mac: mac(arp.sender_hardware),
                target: v4(arp.target_protocol),
                target_mac: mac(arp.target_hardware),
                ..frame
            },
            Content::Ipv4 { source, destination, ttl } => Self {
                sender: Ipv4Addr::from_bits(source).into(),
                target: Ipv4Addr::from_bits(destination).into(),
                ttl,
                ..frame
            },
            Content::Ndp { message, source } => {
                let sender_mac = match message {
                    Ndp::Solicitation { source_mac, .. } => source_mac,
                    Ndp::Advertisement { target_mac, .. } => target_mac,
                };
                let (sender, target) = (source.into(), message.target().into());
                Self { protocol: Protocol::Ndp, sender, target, sender_mac, ..frame }
            }
            Content::Ipv6 { source, destination, hop_limit } => Self {
                protocol: Protocol::Ipv6,
                sender: source.into(),
                target: destination.into(),
                ttl: Some(hop_limit),
                ..frame
            },
            _ => frame,
        }
    }
}

/// What a signal handler raised while the capture was read.
type Raised = Arc<Mutex<Option<PyErr>>>;

/// A file that gives signal handlers their turn, also while it waits for the other end of a pipe.
struct Interruptible {
    file: File,
    checked: Instant,
    raised: Raised,
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
enum Input {
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
            Ok(capture.report_with(&known))
        });
        let report = report.map_err(|error| self.failure(error))?;
        value::typed(py, "CaptureReport", &report)
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
