//! What is wrong with a host.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::diagnose::{Diagnosis, Finding, FindingId, Options, Severity, diagnose};
use arpflux_core::{Error, ErrorKind, Result};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle, Lent, of};
use crate::ip::arpflux_ip;
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::plan::{self, arpflux_plan};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;
use crate::wires::{self, arpflux_wires};

/// What is wrong with a host. It never changes; free it with `arpflux_diagnosis_free`.
pub struct arpflux_diagnosis {
    _private: [u8; 0],
}

/// One finding, borrowed from a diagnosis.
pub struct arpflux_finding {
    _private: [u8; 0],
}

/// How bad a finding is; larger numbers are worse.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_severity {
    /// There is no finding.
    None = 0,
    /// Worth knowing; many healthy hosts have it.
    Info = 1,
    /// It goes wrong under conditions that do occur.
    Warning = 2,
    /// It goes wrong now.
    Error = 3,
}

fn severity(severity: Severity) -> arpflux_severity {
    match severity {
        Severity::Info => arpflux_severity::Info,
        Severity::Warning => arpflux_severity::Warning,
        Severity::Error => arpflux_severity::Error,
    }
}

/// What to look at. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_diagnose_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The policy that the host should follow: what is not so becomes a finding. May be NULL.
    pub policy: *const arpflux_policy,
    /// Findings that are not wanted, such as `"AF003"`; may be NULL.
    pub ignore: *const *const c_char,
    /// How many findings `ignore` names.
    pub ignore_count: usize,
    /// Which interfaces share a wire, where that was found out (`arpflux_host_find_wires`); NULL: those with the same subnet.
    pub wires: *const arpflux_wires,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_diagnose_options {}

/// A diagnosis given to C.
pub(crate) struct Owned {
    pub(crate) diagnosis: Diagnosis,
    findings: Vec<Record>,
    unseen: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_diagnosis;
    const NAME: &'static str = "arpflux_diagnosis";
}

struct Record {
    finding: Finding,
    id: CString,
    title: CString,
    what: CString,
    why: CString,
    remedy: CString,
    link: CString,
    text: CString,
    interfaces: Vec<CString>,
    evidence: Vec<CString>,
}

impl Lent for Record {
    type C = arpflux_finding;
}

impl Record {
    fn new(finding: &Finding) -> Self {
        Self {
            id: string::c_string(&finding.id.to_string()),
            title: string::c_string(finding.id.title()),
            what: string::c_string(&finding.what),
            why: string::c_string(&finding.why),
            remedy: string::c_string(&finding.remedy),
            link: string::c_string(&finding.link),
            text: string::c_string(&finding.to_string()),
            interfaces: finding.objects.interfaces.iter().map(string::c_name).collect(),
            evidence: string::c_strings(&finding.evidence),
            finding: finding.clone(),
        }
    }
}

/// What is wrong with the host that a snapshot shows. Nothing is sent or changed. `options` may be NULL.
///
/// Returns a diagnosis to be freed with `arpflux_diagnosis_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_diagnose(
    snapshot: *const arpflux_snapshot,
    options: *const arpflux_diagnose_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_diagnosis {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let given = options::read_or_default(options, "options")?;
            let policy = match given.policy.is_null() {
                true => None,
                false => Some(handle::get::<policy::Owned>(given.policy)?.0.clone()),
            };
            let ignore = args::texts(given.ignore, given.ignore_count, "options.ignore")?;
            let ignore = ignore.iter().map(|text| text.parse::<FindingId>()).collect::<Result<_>>()?;
            let wires = match given.wires.is_null() {
                true => None,
                false => Some(handle::get::<wires::Owned>(given.wires)?.found.wires.clone()),
            };
            let options = Options { policy, ignore, wires, ..Options::default() };
            let diagnosis = diagnose(&owned.snapshot, &options)?;
            Ok(handle::give(Owned {
                findings: diagnosis.findings.iter().map(Record::new).collect(),
                unseen: string::c_strings(&diagnosis.unseen),
                diagnosis,
            }))
        })
    }
}

/// How many findings there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_count(diagnosis: *const arpflux_diagnosis) -> usize {
    getter(0, || Some(handle::find::<Owned>(diagnosis)?.findings.len()))
}

/// The finding at a place, from 0, the worst first. Borrowed from the diagnosis; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_at(
    diagnosis: *const arpflux_diagnosis,
    at: usize,
) -> *const arpflux_finding {
    handle::lend(diagnosis, |owned: &Owned| &owned.findings, at)
}

/// How bad the worst finding is; `ARPFLUX_SEVERITY_NONE` if there is none, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_worst(diagnosis: *const arpflux_diagnosis) -> arpflux_severity {
    getter(arpflux_severity::None, || handle::find::<Owned>(diagnosis)?.diagnosis.worst().map(severity))
}

/// What it comes to: bad if a warning or an error is certain, undetermined if none is and something that decides is missing.
/// Undetermined for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_judged(diagnosis: *const arpflux_diagnosis) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        let owned = handle::find::<Owned>(diagnosis)?;
        Some((&owned.diagnosis.judgement(Some(Severity::Warning))).into())
    })
}

/// How much could not be seen, which is neither good nor bad; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_unseen_count(diagnosis: *const arpflux_diagnosis) -> usize {
    getter(0, || Some(handle::find::<Owned>(diagnosis)?.unseen.len()))
}

/// What could not be seen, at a place from 0, as a sentence. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_unseen_at(
    diagnosis: *const arpflux_diagnosis,
    at: usize,
) -> *const c_char {
    handle::text_at(diagnosis, at, |owned: &Owned| &owned.unseen)
}

fn text(finding: *const arpflux_finding, which: impl FnOnce(&Record) -> &CString) -> *const c_char {
    of(finding, ptr::null(), |record: &Record| which(record).as_ptr())
}

/// Which finding it is, such as `"AF001"`: numbers never change their meaning. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_id(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.id)
}

/// How bad it is here; `ARPFLUX_SEVERITY_NONE` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_severity(finding: *const arpflux_finding) -> arpflux_severity {
    of(finding, arpflux_severity::None, |record: &Record| severity(record.finding.severity))
}

/// A few words, the same for all findings of this id. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_title(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.title)
}

/// What happens, in one sentence. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_what(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.what)
}

/// Why the kernel does that, in one sentence. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_why(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.why)
}

/// What to do, in one sentence. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_remedy(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.remedy)
}

/// The page about it. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_link(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.link)
}

/// All of it for people, several lines. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_text(finding: *const arpflux_finding) -> *const c_char {
    text(finding, |record| &record.text)
}

fn text_in(
    finding: *const arpflux_finding,
    at: usize,
    which: impl FnOnce(&Record) -> &[CString],
) -> *const c_char {
    of(finding, ptr::null(), |record: &Record| {
        which(record).get(at).map_or(ptr::null(), |text| text.as_ptr())
    })
}

/// How many interfaces it is about; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_interface_count(finding: *const arpflux_finding) -> usize {
    of(finding, 0, |record: &Record| record.interfaces.len())
}

/// The interface at a place, from 0; those at fault come first. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_interface_at(
    finding: *const arpflux_finding,
    at: usize,
) -> *const c_char {
    text_in(finding, at, |record| &record.interfaces)
}

/// How many addresses it is about; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_address_count(finding: *const arpflux_finding) -> usize {
    of(finding, 0, |record: &Record| record.finding.objects.addresses.len())
}

/// The address at a place, from 0; of family 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_address_at(
    finding: *const arpflux_finding,
    at: usize,
) -> arpflux_ip {
    of(finding, arpflux_ip::NONE, |record: &Record| {
        record.finding.objects.addresses.get(at).map_or(arpflux_ip::NONE, |address| (*address).into())
    })
}

/// How many facts it rests on; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_evidence_count(finding: *const arpflux_finding) -> usize {
    of(finding, 0, |record: &Record| record.evidence.len())
}

/// The fact at a place, from 0, as one line. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_evidence_at(
    finding: *const arpflux_finding,
    at: usize,
) -> *const c_char {
    text_in(finding, at, |record| &record.evidence)
}

/// The changes that do what the remedy says.
///
/// Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if no change of
/// arpflux does it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_finding_plan(
    finding: *const arpflux_finding,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_plan {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            if finding.is_null() {
                return Err(crate::boundary::null("finding"));
            }
            let plan = of(finding, None, |record: &Record| record.finding.plan.clone());
            plan.map(plan::give).ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "no change of arpflux does what its remedy says")
                    .during("plan the remedy of")
                    .on(of(finding, String::new(), |record: &Record| record.finding.id.to_string()))
            })
        })
    }
}

/// The diagnosis as one JSON object with `"schema": 1`, as `arpflux diagnose --json` prints it.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_to_json(
    diagnosis: *const arpflux_diagnosis,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&handle::get::<Owned>(diagnosis)?.diagnosis.to_json()?))
        })
    }
}

/// Frees a diagnosis, and with it all that was borrowed from it. NULL and diagnoses already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_free(diagnosis: *mut arpflux_diagnosis) {
    getter((), || {
        handle::free::<Owned>(diagnosis);
        Some(())
    });
}
