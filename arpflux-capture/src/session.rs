//! Several files, or a live interface, as one capture: what the command, C and Python use.

use std::io;
use std::ops::ControlFlow;

use arpflux_core::frame::Timestamp;
use arpflux_core::types::Mac;
use arpflux_core::{Error, Result, Snapshot};

use crate::Known;
use crate::explain::Witness;
use crate::missing::{self, FileReport, Missing, MissingKind};
use crate::record::{self, Read, Sighting};
use crate::report::Report;
use crate::source::{Counts, Source};
use crate::table::{Limits, Table};

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
/// assert_eq!(report.ok, Some(false));
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Capture {
    table: Table,
    known: Known,
    witness: Option<Witness>,
    files: Vec<FileReport>,
    missing: Vec<Missing>,
    /// Its times are moments, not times of the day.
    dated: bool,
    lost: u64,
    /// Packets before the file at hand.
    before: u64,
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
            witness: None,
            files: Vec::new(),
            missing: Vec::new(),
            dated: true,
            lost: 0,
            before: 0,
        }
    }

    /// Says that these MACs are one host's.
    pub fn know_host(&mut self, macs: Vec<Mac>) {
        self.known.hosts.push(macs);
    }

    /// Gives the state of a host of that wire: its MACs are one host's, and the report says of each of its answers whether
    /// the model of the kernel gives it, and why. Before anything is read.
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn know_snapshot(&mut self, snapshot: Snapshot) -> Result<()> {
        snapshot.check()?;
        self.witness = Some(Witness::new(snapshot));
        Ok(())
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
    pub fn read(&mut self, name: &str, bytes: impl io::Read) -> Result<()> {
        match Source::new(bytes) {
            Ok(source) => self.read_source(name, source),
            Err(error) => Err(self.fail(name, error)),
        }
    }

    /// Reads several files, in the order of the times that they begin with; those without one first.
    ///
    /// # Errors
    /// The first failure, after all others were read.
    pub fn read_all<R: io::Read>(&mut self, files: Vec<(String, Result<R>)>) -> Result<()> {
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

    /// Takes one frame, as [`Table::observe`] does, for the host of the snapshot as well.
    pub fn observe(&mut self, sighting: &Sighting<'_>) {
        self.table.observe(sighting);
        if let Some(witness) = &mut self.witness {
            witness.observe(sighting);
        }
    }

    /// Takes one Ethernet frame, as [`Table::observe_ethernet`] does, for the host of the snapshot as well.
    pub fn observe_ethernet(&mut self, time: Timestamp, frame: &[u8]) {
        if let Read::Sighting(sighting) = record::ethernet(time, frame) {
            self.observe(&sighting);
        }
    }

    /// Reads a source to its end.
    ///
    /// # Errors
    /// As [`Source::for_each`].
    pub fn read_source<R: io::Read>(&mut self, name: &str, mut source: Source<R>) -> Result<()> {
        self.begin();
        let result = source.for_each(|sighting| {
            self.observe(sighting);
            ControlFlow::Continue(())
        });
        let result = result.map_err(|error| placed(name, error));
        self.end(name, &source, result.as_ref().err());
        result
    }

    /// From here on [`Capture::observe`] is given the frames of another source, until [`Capture::end`].
    pub fn begin(&mut self) {
        self.table.begin_file(self.files.len() as u32);
        self.before = self.table.packets();
        if let Some(witness) = &mut self.witness {
            witness.begin_file();
        }
    }

    /// Takes down what became of a source whose frames were given since [`Capture::begin`].
    pub fn end<R: io::Read>(&mut self, name: &str, source: &Source<R>, failed: Option<&Error>) {
        let counts = source.counts();
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
            error: failed.map(ToString::to_string),
        };
        self.dated &= source.is_dated();
        match failed {
            Some(error) => self.damaged(name, error),
            None => {
                let packets = self.table.packets() - self.before;
                self.missing.extend(missing::of_file(&file, counts, packets));
                self.missing.extend(nothing(&file, counts, packets));
            }
        }
        self.files.push(file);
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
    #[cfg(feature = "live")]
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
        self.report_with(&self.known)
    }

    /// The same with other hosts known than were said to be; that of the snapshot is known always.
    #[must_use]
    pub fn report_with(&self, known: &Known) -> Report {
        let mut known = known.clone();
        known.hosts.extend(self.witness.as_ref().map(|witness| witness.macs().to_vec()));
        let mut report = self.table.report(&known);
        if !self.dated {
            report.start = None;
        }
        report.files = self.files.clone();
        report.lost = self.lost;
        report.missing.splice(0..0, self.missing.iter().cloned());
        if let Some(witness) = &self.witness {
            explain(witness, &mut report);
        }
        report.judged()
    }
}

/// Puts the host of the snapshot beside the model.
fn explain(witness: &Witness, report: &mut Report) {
    if let Some(text) = witness.absent() {
        report.missing.push(Missing::new(MissingKind::HostAbsent, 1, text));
    }
    let mut open = |count: u64, text: String| {
        if count > 0 {
            report.missing.push(Missing::new(MissingKind::Unexplained, count, text));
        }
    };
    match witness.explain().and_then(|explained| Ok((explained, witness.silent()?))) {
        Ok((explained, silent)) => {
            let kinds = |what| explained.iter().filter(|one| one.explained == what).count() as u64;
            let (not, unclear) = (kinds(Some(false)), kinds(None));
            open(
                not,
                format!(
                    "{not} of what the host of the snapshot did is not what the model does: it was another state, or another host"
                ),
            );
            open(
                unclear,
                format!("whether the host of the snapshot does {unclear} of what it did cannot be told"),
            );
            open(
                silent.len() as u64,
                format!(
                    "the model of the snapshot answers by more MACs than were seen: it was another state ({})",
                    silent.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ")
                ),
            );
            report.explained = explained;
        }
        Err(error) => open(1, format!("the snapshot cannot be used: {}", error.message())),
    }
    let further = witness.further();
    open(further, format!("{further} more frames of the host of the snapshot found no room"));
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

/// Why nothing was understood of a file, if so.
fn nothing(file: &FileReport, counts: &Counts, packets: u64) -> Option<Missing> {
    let name = &file.file;
    if packets > 0 {
        let lacking = counts.text.without_mac;
        let text = format!(
            "{name}: {lacking} of {packets} packets stand there without the MACs of their frames, and peers learn from these, too: \
             print them with tcpdump -e -n"
        );
        return (lacking > 0).then(|| Missing::new(MissingKind::NoMacs, lacking, text));
    }
    if counts.cut
        + counts.malformed
        + counts.unread()
        + counts.text.masked
        + counts.text.ndp
        + counts.text.mac_moves
        + counts.text.broken
        > 0
    {
        return None;
    }
    let (reason, text) = match (counts.records, file.format) {
        (0, Some("text")) => (
            MissingKind::NoArp,
            "no line like those of tcpdump -e -n, tshark (summaries, -V, -T fields -E header=y, json, ek, pdml), arping, arp-scan, \
             arpwatch or a log that names addresses"
                .to_string(),
        ),
        (0, _) => (MissingKind::Empty, "no record in it".to_string()),
        (records, _) => {
            let text =
                format!("no ARP and no neighbour discovery in {records} records: capture arp or icmp6");
            (MissingKind::NoArp, text)
        }
    };
    Some(Missing::new(reason, counts.records, format!("{name}: {text}")))
}
