//! Several files, or a live interface, as one capture: what the command, C and Python use.

use std::io::Read;

use arpflux_core::types::Mac;
use arpflux_core::{Error, Result};

use crate::missing::{self, FileReport, Missing, MissingKind};
use crate::report::Report;
use crate::source::{Counts, Source};
use crate::table::{Limits, Table};
use crate::Known;

/// A capture out of any number of files, streams and frames.
///
/// ```
/// use arpflux_capture::{Capture, Class};
///
/// let mut capture = Capture::new();
/// capture.read("mail.txt", "12:00:00.1 ARP, Request who-has 10.0.0.1 tell 10.0.0.9, length 28\n\
///                           12:00:00.2 ARP, Reply 10.0.0.1 is-at 00:0c:29:b3:a2:54, length 46\n\
///                           12:00:00.3 ARP, Reply 10.0.0.1 is-at 00:0c:29:b3:a2:5e, length 46\n".as_bytes())?;
/// let report = capture.report();
/// assert_eq!(report.addresses[0].class, Class::Flux);
/// assert_eq!(report.ok(), Some(false));
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Capture {
    table: Table,
    known: Known,
    files: Vec<FileReport>,
    missing: Vec<Missing>,
    /// Its times are moments, not times of the day.
    dated: bool,
    lost: u64,
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl Capture {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: Table::new(Limits::default()),
            known: Known::default(),
            files: Vec::new(),
            missing: Vec::new(),
            dated: true,
            lost: 0,
        }
    }

    /// Says that these MACs are one host's.
    pub fn know_host(&mut self, macs: Vec<Mac>) {
        self.known.hosts.push(macs);
    }

    /// What takes frames one by one: [`Table::observe`], [`Table::observe_ethernet`].
    pub fn table(&mut self) -> &mut Table {
        &mut self.table
    }

    /// Reads a file or a stream to its end.
    ///
    /// # Errors
    /// As [`Source::new`] and [`Source::for_each`], with the file's name. What came before stays good, and the report
    /// tells of the failure.
    pub fn read(&mut self, name: &str, bytes: impl Read) -> Result<()> {
        match Source::new(bytes) {
            Ok(source) => self.read_source(name, source),
            Err(error) => Err(self.fail(name, error)),
        }
    }

    /// Reads several files, in the order of the times that they begin with; those without one first.
    ///
    /// # Errors
    /// The first failure, after all others were read.
    pub fn read_all<R: Read>(&mut self, files: Vec<(String, Result<R>)>) -> Result<()> {
        let mut failed = None;
        let mut open = Vec::new();
        for (name, file) in files {
            match file.and_then(Source::new) {
                Ok(source) => open.push((name, source)),
                Err(error) => {
                    let error = self.fail(&name, error);
                    failed.get_or_insert(error);
                }
            }
        }
        open.sort_by_key(|(_, source)| source.first_time());
        for (name, source) in open {
            if let Err(error) = self.read_source(&name, source) {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads a source to its end.
    ///
    /// # Errors
    /// As [`Source::for_each`].
    pub fn read_source<R: Read>(&mut self, name: &str, mut source: Source<R>) -> Result<()> {
        self.table.begin_file(self.files.len() as u32);
        let before = self.table.packets();
        let result = source.read_into(&mut self.table);
        let counts = source.counts().clone();
        let file = FileReport {
            file: name.to_string(),
            format: Some(source.format().name()),
            compressed: source.is_compressed(),
            records: counts.records,
            read: counts.sightings,
            cut: counts.cut,
            malformed: counts.malformed,
            unread: counts.unread(),
            ends_early: counts.ends_early,
            deltas: counts.text.deltas,
            error: None,
        };
        self.dated &= source.is_dated();
        let result = match result {
            Ok(()) => {
                self.missing.extend(missing::of_file(&file, &counts, self.table.packets() - before));
                self.nothing(&file, &counts, before);
                self.files.push(file);
                Ok(())
            }
            Err(error) => {
                let error = placed(name, error);
                self.damaged(name, &error);
                self.files.push(FileReport { error: Some(error.to_string()), ..file });
                Err(error)
            }
        };
        result
    }

    /// Says why nothing was understood of a file.
    fn nothing(&mut self, file: &FileReport, counts: &Counts, before: u64) {
        let packets = self.table.packets() - before;
        let name = &file.file;
        if counts.text.without_mac > 0 && counts.text.without_mac == packets {
            let text = format!("{name}: {packets} requests and no MAC in them: print them with tcpdump -e -n");
            self.missing.push(Missing::new(MissingKind::NoMacs, packets, text));
        }
        if packets > 0 || counts.cut + counts.malformed + counts.unread() + counts.text.masked + counts.text.ndp > 0 {
            return;
        }
        let (reason, text) = match (counts.records, file.format) {
            (0, Some("text")) => (MissingKind::NoArp, "no line like those of tcpdump -e -n, tshark, arping or arp-scan".to_string()),
            (0, _) => (MissingKind::Empty, "no record in it".to_string()),
            (records, _) => (
                MissingKind::NoArp,
                format!("no ARP and no neighbour discovery in {records} records: capture with the filter arp or icmp6"),
            ),
        };
        self.missing.push(Missing::new(reason, counts.records, format!("{name}: {text}")));
    }

    fn fail(&mut self, name: &str, error: Error) -> Error {
        let error = placed(name, error);
        self.damaged(name, &error);
        self.files.push(FileReport {
            file: name.to_string(),
            error: Some(error.to_string()),
            ..FileReport::default()
        });
        error
    }

    fn damaged(&mut self, name: &str, error: &Error) {
        let text = format!("{name}: {}", error.message());
        self.missing.push(Missing::new(MissingKind::Damaged, 1, text));
    }

    /// Tells of a live interface that was listened to, and of frames that were lost there.
    pub(crate) fn listened(&mut self, interface: &str, frames: u64, lost: u64) {
        self.lost += lost;
        if lost > 0 {
            let text = format!("{interface}: {lost} frames came too fast and were lost");
            self.missing.push(Missing::new(MissingKind::Lost, lost, text));
        }
        if frames == 0 {
            let text = format!("{interface}: no ARP came while it was listened to");
            self.missing.push(Missing::new(MissingKind::Empty, 0, text));
        }
        self.files.push(FileReport {
            file: interface.to_string(),
            format: Some("live"),
            records: frames,
            read: frames,
            ..FileReport::default()
        });
    }

    /// What all of it shows so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.table.report(&self.known);
        if !self.dated {
            report.start = None;
        }
        report.files = self.files.clone();
        report.lost = self.lost;
        report.missing = self.missing.clone();
        if report.dropped > 0 {
            let text = format!("{} claims found no room in the table: not all is shown", report.dropped);
            report.missing.push(Missing::new(MissingKind::Full, report.dropped, text));
        }
        report
    }
}

/// An error with the file's name, once.
fn placed(name: &str, error: Error) -> Error {
    match error.object() {
        object if object.is_empty() || object == name => error.on(name),
        object => {
            let place = format!("{name} {object}");
            error.on(place)
        }
    }
}
