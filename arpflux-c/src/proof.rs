//! Claims about a snapshot, decided for all senders and all targets.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::predict::listeners;
use arpflux_core::proof::{Claims, Expectation, Targets};
use arpflux_core::types::{IfIndex, IpNet};
use arpflux_core::{Error, ErrorKind, Result, Snapshot};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// What is claimed.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_claim_kind {
    /// None was set: such a claim is refused.
    Unknown = 0,
    /// One of `among` answers for `address`, the same one whoever asks, and it answers every neighbour.
    ExactlyOne = 1,
    /// Whoever asks for an address of the prefix, no interface but `interface` answers.
    NothingBut = 2,
    /// `interface` answers every neighbour that asks for `address`.
    Answers = 3,
    /// Whoever asks `interface` for an address of the prefix gets no answer.
    Never = 4,
    /// Packets from `address`, wherever they go, leave by none of `among` but `interface`.
    LeavesBy = 5,
}

/// A claim.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_claim {
    /// `sizeof` of this struct.
    pub size: usize,
    /// An `ARPFLUX_CLAIM_KIND_...`.
    pub kind: u32,
    /// For the kinds that speak of a prefix: its length in bits, 1 to 32, of IPv6 to 128; 0: `address` alone.
    pub prefix_len: u32,
    /// The address that the claim is about; for `ARPFLUX_CLAIM_KIND_LEAVES_BY` an IPv4 one.
    pub address: arpflux_ip,
    /// The interface that the claim is about; of no meaning for `ARPFLUX_CLAIM_KIND_EXACTLY_ONE`.
    pub interface: *const c_char,
    /// The names of the interfaces that count, usually those on one wire; NULL: all that take ARP requests; an empty list is refused.
    pub among: *const *const c_char,
    /// How many names `among` has.
    pub among_count: usize,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_claim {}

/// What became of claims. It never changes; free it with `arpflux_proofs_free`.
pub struct arpflux_proofs {
    _private: [u8; 0],
}

/// What became of a claim.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_proof {
    /// Nothing known speaks against it, but some case cannot be told from the snapshot.
    Undetermined = 0,
    /// It holds for all senders and all targets it is about.
    Proved = 1,
    /// It does not hold.
    Refuted = 2,
}

struct Owned {
    claims: Claims,
    sentences: Vec<CString>,
    reasons: Vec<CString>,
    not_covered: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_proofs;
    const NAME: &'static str = "arpflux_proofs";
}

impl Owned {
    fn new(claims: Claims) -> Self {
        Self {
            sentences: claims.claims.iter().map(|claim| string::c_string(&claim.claim)).collect(),
            reasons: claims.claims.iter().map(|claim| string::c_string(&claim.reason())).collect(),
            not_covered: claims.not_covered.iter().map(|text| string::c_string(text)).collect(),
            claims,
        }
    }
}

/// Reads a caller's claim.
///
/// # Safety
/// It is as the conventions say.
unsafe fn read(claim: *const arpflux_claim, snapshot: &Snapshot) -> Result<Expectation> {
    // SAFETY: the caller says so.
    unsafe {
        let claim = options::read(claim, "claim")?;
        let address = args::ip(claim.address, "claim.address")?;
        let index = |name: *const c_char, what| -> Result<IfIndex> {
            args::interface(snapshot, &args::if_name(name, what)?).map(|interface| interface.index)
        };
        let interface = || index(claim.interface, "claim.interface");
        let among = args::some_or_all(claim.among, claim.among_count, "claim.among")?;
        let among = among.iter().map(|name| index(*name, "claim.among")).collect::<Result<Vec<_>>>()?;
        let bad = |what: String, member: &'static str| {
            Error::new(ErrorKind::InvalidInput, what).during("call with argument").on(member)
        };
        let net = || {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = args::bounded(claim.prefix_len, most, most, "claim.prefix_len")?;
            IpNet::new(address, u8::try_from(length).unwrap_or(128))
                .map_err(|error| bad(error.to_string(), "claim.prefix_len"))
        };
        Ok(match claim.kind {
            1 => Expectation::ExactlyOne { target: address, among },
            2 => Expectation::NothingBut { interface: interface()?, target: net()?, among },
            3 => Expectation::Answers { interface: interface()?, target: address },
            4 => Expectation::Never { interface: interface()?, target: net()? },
            5 => {
                let source = args::ipv4(claim.address, "claim.address")?;
                Expectation::LeavesBy { source, interface: interface()?, among }
            }
            0 => return Err(bad("no kind of claim was set".to_owned(), "claim.kind")),
            other => return Err(bad(format!("there is no kind {other} of claims"), "claim.kind")),
        })
    }
}

/// Decides claims about a snapshot for all senders and all targets they are about, by the model of the kernel. `claims` is
/// a list of `count` pointers. Nothing is sent. Of IPv6 they are about solicitations to the address's group.
///
/// Returns the proofs, in the order of the claims, to be freed with `arpflux_proofs_free`; or NULL and sets `*err`:
/// `ARPFLUX_CODE_NOT_FOUND` if the snapshot has no such interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_prove(
    snapshot: *const arpflux_snapshot,
    claims: *const *const arpflux_claim,
    count: usize,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_proofs {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let claims = args::list(claims, count, "claims")?;
            let claims: Vec<Expectation> =
                claims.iter().map(|claim| read(*claim, &owned.snapshot)).collect::<Result<_>>()?;
            Ok(handle::give(Owned::new(Claims::decide(&owned.snapshot, claims)?)))
        })
    }
}

/// Decides, for each wire and each address that an interface on it holds or proxies, the claim that exactly one interface of
/// the wire answers; but for link-local IPv6 addresses. Interfaces with overlapping subnets are taken to share a wire.
///
/// Returns the proofs, to be freed with `arpflux_proofs_free`; or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_prove_wires(
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_proofs {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let interfaces = listeners(&owned.snapshot);
            Ok(handle::give(Owned::new(Claims::by_wire(&owned.snapshot, &interfaces, Targets::All)?)))
        })
    }
}

/// How many claims there were; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_count(proofs: *const arpflux_proofs) -> usize {
    getter(0, || Some(handle::find::<Owned>(proofs)?.claims.claims.len()))
}

/// What became of the claim at a place, from 0; `ARPFLUX_PROOF_UNDETERMINED` beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_at(proofs: *const arpflux_proofs, at: usize) -> arpflux_proof {
    getter(arpflux_proof::Undetermined, || {
        Some(match handle::find::<Owned>(proofs)?.claims.claims.get(at)?.proof.holds() {
            Some(true) => arpflux_proof::Proved,
            Some(false) => arpflux_proof::Refuted,
            None => arpflux_proof::Undetermined,
        })
    })
}

/// The claim at a place, from 0, as a sentence. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_sentence_at(
    proofs: *const arpflux_proofs,
    at: usize,
) -> *const c_char {
    handle::text_at(proofs, at, |owned: &Owned| &owned.sentences)
}

/// Why: how many requests stand for all, a request that tells against the claim, or what is missing. Borrowed; NULL
/// beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_reason_at(proofs: *const arpflux_proofs, at: usize) -> *const c_char {
    handle::text_at(proofs, at, |owned: &Owned| &owned.reasons)
}

/// How many things there are that the claims say nothing of; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_not_covered_count(proofs: *const arpflux_proofs) -> usize {
    getter(0, || Some(handle::find::<Owned>(proofs)?.not_covered.len()))
}

/// The one at a place, from 0, in a few words: `solicitations by unicast`. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_not_covered_at(
    proofs: *const arpflux_proofs,
    at: usize,
) -> *const c_char {
    handle::text_at(proofs, at, |owned: &Owned| &owned.not_covered)
}

/// Whether there is a claim and all of them are proved; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_all_proved(proofs: *const arpflux_proofs) -> bool {
    getter(false, || Some(handle::find::<Owned>(proofs)?.claims.all_proved()))
}

/// The proofs as one JSON object with `"schema": 1`, with counter-examples in full.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_to_json(
    proofs: *const arpflux_proofs,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(proofs)?.claims.to_json()?)))
    }
}

/// Frees proofs. NULL and proofs already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_proofs_free(proofs: *mut arpflux_proofs) {
    handle::free::<Owned>(proofs);
}
