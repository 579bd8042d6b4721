//! Every address against every interface.

use std::ffi::{CString, c_char};
use std::net::IpAddr;
use std::ptr;

use arpflux_core::json;
use arpflux_core::predict::{self, Matrix, Model, Verdict, listeners, targets};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::explain::{answer, arpflux_answer};
use crate::handle::{self, Handle, Lent, of};
use crate::ip::arpflux_ip;
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Who answers for which address on which interface. It never changes; free it with `arpflux_matrix_free`.
pub struct arpflux_matrix {
    _private: [u8; 0],
}

/// What one interface does with requests for one address, borrowed from a matrix.
pub struct arpflux_cell {
    _private: [u8; 0],
}

/// How a matrix is made. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_matrix_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// Who asks, for addresses of its family; of family 0: an ordinary neighbour is chosen for each interface.
    pub sender: arpflux_ip,
    /// The names of the interfaces to ask; NULL: all that take ARP requests for themselves.
    pub interfaces: *const *const c_char,
    /// How many `interfaces` are named.
    pub interface_count: usize,
    /// The addresses to ask for, of either family; NULL: all that the host holds or proxies, but 127/8, ::1 and link-local
    /// IPv6 ones.
    pub targets: *const arpflux_ip,
    /// How many `targets` there are.
    pub target_count: usize,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_matrix_options {}

struct Owned {
    matrix: Matrix,
    names: Vec<CString>,
    cells: Vec<Cell>,
}

impl Handle for Owned {
    type C = arpflux_matrix;
    const NAME: &'static str = "arpflux_matrix";
}

struct Cell {
    cell: predict::Cell,
    mac: Option<CString>,
    rule: CString,
}

impl Lent for Cell {
    type C = arpflux_cell;
}

impl Cell {
    fn new(cell: &predict::Cell) -> Self {
        let mac = |verdict: &Verdict| verdict.mac().map(|mac| string::c_string(&mac.to_string()));
        Self { mac: mac(&cell.verdict), rule: string::c_string(&cell.rule()), cell: *cell }
    }
}

/// Who answers for each address on each interface, for an ordinary neighbour and for an RFC 5227 probe. `options` may be
/// NULL.
///
/// Returns a matrix to be freed with `arpflux_matrix_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if the
/// snapshot has no such interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_matrix(
    snapshot: *const arpflux_snapshot,
    options: *const arpflux_matrix_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_matrix {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let snapshot = &owned.snapshot;
            let options = options::read_or_default(options, "options")?;
            let sender = args::optional_ip(options.sender, "options.sender")?;
            let names =
                args::optional_list(options.interfaces, options.interface_count, "options.interfaces")?;
            let index = |name: &*const c_char| {
                let name = args::if_name(*name, "options.interfaces")?;
                args::interface(snapshot, &name).map(|interface| interface.index)
            };
            let interfaces = match names {
                None => listeners(snapshot),
                Some(names) => names.iter().map(index).collect::<arpflux_core::Result<_>>()?,
            };
            let address = |target: &_| args::ip(*target, "options.targets");
            let targets: Vec<IpAddr> =
                match args::optional_list(options.targets, options.target_count, "options.targets")? {
                    None => targets(snapshot),
                    Some(given) => given.iter().map(address).collect::<arpflux_core::Result<_>>()?,
                };
            let matrix = Matrix::with(&Model::new(snapshot)?, &targets, &interfaces, sender);
            let names = matrix.interfaces.iter().map(|column| string::c_name(&column.name)).collect();
            let cells = matrix.rows.iter().flat_map(|row| &row.cells).map(Cell::new).collect();
            Ok(handle::give(Owned { matrix, names, cells }))
        })
    }
}

/// How many interfaces there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_interface_count(matrix: *const arpflux_matrix) -> usize {
    getter(0, || Some(handle::find::<Owned>(matrix)?.names.len()))
}

/// The name of the interface at a place, from 0. Borrowed from the matrix; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_interface_at(
    matrix: *const arpflux_matrix,
    at: usize,
) -> *const c_char {
    handle::text_at(matrix, at, |owned: &Owned| &owned.names)
}

/// Which wire the interface at a place is on, counted from 0: interfaces with overlapping subnets are taken to share one.
/// `SIZE_MAX` beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_wire_at(matrix: *const arpflux_matrix, at: usize) -> usize {
    getter(usize::MAX, || Some(handle::find::<Owned>(matrix)?.matrix.interfaces.get(at)?.wire))
}

/// How many addresses there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_address_count(matrix: *const arpflux_matrix) -> usize {
    getter(0, || Some(handle::find::<Owned>(matrix)?.matrix.rows.len()))
}

/// The address at a place, from 0: IPv4 before IPv6, of each family the host's own, then those it proxies. Of family 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_address_at(matrix: *const arpflux_matrix, at: usize) -> arpflux_ip {
    getter(arpflux_ip::NONE, || {
        let owned = handle::find::<Owned>(matrix)?;
        Some(owned.matrix.rows.get(at)?.target.into())
    })
}

/// Whether one MAC at most answers for each address on each wire: good, bad (flux), or undetermined. Undetermined for NULL and for
/// a matrix without a cell.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_judged(matrix: *const arpflux_matrix) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        let owned = handle::find::<Owned>(matrix)?;
        (!owned.cells.is_empty()).then(|| (&owned.matrix.judgement()).into())
    })
}

/// The same for the address at a place; undetermined beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_judged_at(
    matrix: *const arpflux_matrix,
    at: usize,
) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        let owned = handle::find::<Owned>(matrix)?;
        let row = owned.matrix.rows.get(at).filter(|row| !row.cells.is_empty())?;
        Some((&owned.matrix.judgement_of(row)).into())
    })
}

/// How many cells cannot be told, for a neighbour or for a probe; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_undetermined_count(matrix: *const arpflux_matrix) -> usize {
    getter(0, || Some(handle::find::<Owned>(matrix)?.matrix.undetermined_cells()))
}

/// What the interface at one place does with requests for the address at another. Borrowed from the matrix; NULL beyond the
/// last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_cell(
    matrix: *const arpflux_matrix,
    address_at: usize,
    interface_at: usize,
) -> *const arpflux_cell {
    let place = getter(None, || {
        let columns = handle::find::<Owned>(matrix)?.names.len();
        (interface_at < columns).then_some(address_at.checked_mul(columns)?.checked_add(interface_at))
    });
    handle::lend(matrix, |owned: &Owned| &owned.cells, place.unwrap_or(usize::MAX))
}

/// Whether an ordinary neighbour gets an answer; `ARPFLUX_ANSWER_UNDETERMINED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_cell_answer(cell: *const arpflux_cell) -> arpflux_answer {
    of(cell, arpflux_answer::Undetermined, |cell: &Cell| answer(&cell.cell.verdict))
}

/// The MAC in the answer. Borrowed; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_cell_mac(cell: *const arpflux_cell) -> *const c_char {
    of(cell, ptr::null(), |cell: &Cell| cell.mac.as_ref().map_or(ptr::null(), |mac| mac.as_ptr()))
}

/// The rule that decided, in a few words, such as `"arp_ignore=1"` or `"proxy entry"`. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_cell_rule(cell: *const arpflux_cell) -> *const c_char {
    of(cell, ptr::null(), |cell: &Cell| cell.rule.as_ptr())
}

/// The matrix as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_to_json(
    matrix: *const arpflux_matrix,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(matrix)?.matrix)?))
        })
    }
}

/// Frees a matrix, and with it all that was borrowed from it. NULL and matrices already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_matrix_free(matrix: *mut arpflux_matrix) {
    handle::free::<Owned>(matrix);
}
