//! Addresses of containers and other machines behind this host: published while they run.

use std::ffi::{CString, c_char};
use std::path::PathBuf;
use std::ptr;

use arpflux_core::outward::vz::Status;
use arpflux_core::vz::{Asking, Call, Node, Places, Standing};
use arpflux_core::{Result, json};

use crate::apply::{self, arpflux_apply_options, arpflux_receipt};
use crate::args;
use crate::boundary::{getter, guard};
use crate::detect::{self, arpflux_detection};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::ip::arpflux_ip;
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::plan::{self, arpflux_plan};
use crate::string;

/// How addresses are published. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_publish_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The interface where the addresses belong; NULL: what the policy says of the owner (`[[proxy]]`), or `ARPFLUX_IF` in the
    /// container's own file.
    pub interface: *const c_char,
    /// The policy; NULL: `/etc/arpflux/policy.toml`. It need not exist.
    pub policy: *const c_char,
    /// The folder with `vz.conf` and `conf/OWNER.conf`; NULL: `/etc/vz`. It need not exist.
    pub vz_dir: *const c_char,
    /// Not 0: these are all addresses that the owner has; its former ones are withdrawn.
    pub all: u32,
    /// Not 0: peers are told even if nothing had to change, and once more after 1.1 s, as receivers may ignore what they hear within a
    /// second of what they heard before. 0: they are told once of what was added, without a wait.
    pub announce: u32,
    /// When booking, not 0: nobody is asked on the wire.
    pub skip_wire: u32,
    /// When booking: for how long, which is until this process ends or the addresses are published; 0: the calling process.
    pub pid: u32,
    /// How the transaction is run; NULL: the defaults. `confirm_within_ms` and `by` have no meaning here.
    pub apply: *const arpflux_apply_options,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_publish_options {}

/// What a caller asks for.
struct Asked {
    node: Node,
    call: Call,
    given: arpflux_publish_options,
}

/// Reads what a caller asks for; an owner that is NULL stands for none.
///
/// # Safety
/// All pointers are as the conventions say.
unsafe fn read(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
) -> Result<Asked> {
    // SAFETY: the caller says so.
    unsafe {
        let host = handle::get::<host::Owned>(host)?;
        let given = options::read_or_default(options, "options")?;
        let mut places = Places::default();
        if !given.policy.is_null() {
            places.policy = args::path(given.policy, "options.policy")?.into();
        }
        if !given.vz_dir.is_null() {
            let folder = PathBuf::from(args::path(given.vz_dir, "options.vz_dir")?);
            places.global = folder.join("vz.conf");
            places.containers = folder.join("conf");
        }
        let veid = if owner.is_null() { None } else { Some(string::borrow(owner, "owner")?.parse()?) };
        let call = Call {
            veid,
            addresses: args::addresses(addresses, count, "addresses")?,
            all: given.all != 0,
            interface: args::optional_if_name(given.interface, "options.interface")?,
        };
        let options = apply::read(given.apply)?;
        Ok(Asked { node: Node::new(host.0.clone(), options, places), call, given })
    }
}

/// As [`read`], for calls that need an owner.
///
/// # Safety
/// All pointers are as the conventions say.
unsafe fn read_owned(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
) -> Result<Asked> {
    if owner.is_null() {
        return Err(crate::boundary::null("owner"));
    }
    // SAFETY: the caller says so.
    unsafe { read(host, owner, addresses, count, options) }
}

/// Publishes `count` addresses of `owner` (a container's id, or a name of letters, digits, `-`, `_` and `.`): the interface where they
/// belong answers for them and no other, and their packets leave by it, whatever `rp_filter` is. A route to each must be there
/// already. What is as it should be is not touched; nothing of other owners and of the host itself is. Whoever plans, applies, heals or
/// rolls back on this host from now on keeps what is published. A change of somebody that is on trial is waited for, as long as
/// `apply->lock_wait_ms` says. Without an address nothing is done, but with `options.all` the
/// owner has none any more, and all of its addresses are withdrawn. `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_IN_USE` if another owner has
/// one of the addresses; `ARPFLUX_CODE_REFUSED` if no route leads there, or the host has it itself; `ARPFLUX_CODE_NOT_FOUND` if nothing says which interface,
/// or it is not there; and as `arpflux_host_apply`. Nothing is changed then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_publish(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let asked = read_owned(host, owner, addresses, count, options)?;
            let done = asked.node.publish(&asked.call, asked.given.announce != 0)?;
            Ok(apply::give_receipt(done.into_receipt()))
        })
    }
}

/// Withdraws `count` addresses of `owner`, or all of them if `addresses` is NULL: entries, rules and what only they needed. To be called
/// before their routes go. What is not published is no error; what another owner has is left alone, and noted in the receipt.
/// `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_withdraw(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let asked = read_owned(host, owner, addresses, count, options)?;
            let listed = (!addresses.is_null()).then_some(asked.call.addresses.as_slice());
            let done = asked.node.withdraw(asked.call.veid.as_ref(), listed)?;
            Ok(apply::give_receipt(done.into_receipt()))
        })
    }
}

/// What `arpflux_host_publish` would change now. Nothing is changed or sent. `options` may be NULL.
///
/// Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`, as `arpflux_host_publish`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_plan_publish(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_plan {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let asked = read_owned(host, owner, addresses, count, options)?;
            Ok(plan::give(asked.node.plan_publish(&asked.call)?))
        })
    }
}

/// What `arpflux_host_withdraw` would change now. Nothing is changed or sent. `options` may be NULL.
///
/// Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_plan_withdraw(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_plan {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let asked = read_owned(host, owner, addresses, count, options)?;
            let listed = (!addresses.is_null()).then_some(asked.call.addresses.as_slice());
            Ok(plan::give(asked.node.plan_withdraw(asked.call.veid.as_ref(), listed)?))
        })
    }
}

/// Publishes again what is missing of what was published (an interface was down, or came late), withdraws what lost its route, and
/// takes over what a container's file names and somebody else published. `options` may be NULL.
///
/// Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_sync(
    host: *const arpflux_host,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_receipt {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let done = read(host, ptr::null(), ptr::null(), 0, options)?.node.sync()?;
            Ok(apply::give_receipt(done.into_receipt()))
        })
    }
}

/// Books `count` addresses for `owner` before they are published: no other owner gets them from now on; and asks on the wire whether
/// another host has them, which takes 1.0 s for any number of them. Answers of this host are no conflict. Without an address there is
/// nothing to ask for. `options` may be NULL.
///
/// Returns a detection to be freed with `arpflux_detection_free`, which tells whether they are free out there; or NULL and sets `*err`:
/// `ARPFLUX_CODE_IN_USE` if another owner has one of them; `ARPFLUX_CODE_UNDETERMINED` if nobody could be asked on an interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_book(
    host: *const arpflux_host,
    owner: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_detection {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let asked = read_owned(host, owner, addresses, count, options)?;
            let pid = if asked.given.pid == 0 { std::process::id() } else { asked.given.pid };
            let asking = Asking { skip_wire: asked.given.skip_wire != 0, claim: Some(pid) };
            Ok(detect::give(asked.node.detect(&asked.call, asking)?.into_result()?))
        })
    }
}

/// What is published, and how it stands. It never changes; free it with `arpflux_published_free`.
pub struct arpflux_published {
    _private: [u8; 0],
}

struct Owned {
    standing: Vec<Standing>,
    registry: String,
    owners: Vec<CString>,
    interfaces: Vec<CString>,
    texts: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_published;
    const NAME: &'static str = "arpflux_published";
}

/// What is published on the host, by `arpflux_host_publish`, by `arpflux vz` or by the scripts of vzctl, and how each address stands:
/// entry, rule, table and route. `options` may be NULL.
///
/// Returns a list to be freed with `arpflux_published_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_published(
    host: *const arpflux_host,
    options: *const arpflux_publish_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_published {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let node = read(host, ptr::null(), ptr::null(), 0, options)?.node;
            let standing = node.standing()?;
            Ok(handle::give(Owned {
                registry: node.registry_path()?.display().to_string(),
                owners: standing.iter().map(|one| string::c_string(&one.owner)).collect(),
                interfaces: standing.iter().map(|one| string::c_string(&one.interface)).collect(),
                texts: standing.iter().map(|one| string::c_string(&one.state())).collect(),
                standing,
            }))
        })
    }
}

/// How many addresses there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_count(published: *const arpflux_published) -> usize {
    getter(0, || Some(handle::find::<Owned>(published)?.standing.len()))
}

/// The address at a place, from 0; of family 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_address_at(
    published: *const arpflux_published,
    at: usize,
) -> arpflux_ip {
    getter(arpflux_ip::NONE, || Some(handle::find::<Owned>(published)?.standing.get(at)?.address.into()))
}

/// Whose the address at a place is. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_owner_at(
    published: *const arpflux_published,
    at: usize,
) -> *const c_char {
    handle::text_at(published, at, |owned: &Owned| &owned.owners)
}

/// The interface where the address at a place belongs. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_interface_at(
    published: *const arpflux_published,
    at: usize,
) -> *const c_char {
    handle::text_at(published, at, |owned: &Owned| &owned.interfaces)
}

/// How the address at a place stands, for people: `"published"`, or what is missing. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_text_at(
    published: *const arpflux_published,
    at: usize,
) -> *const c_char {
    handle::text_at(published, at, |owned: &Owned| &owned.texts)
}

/// Whether all of it is as it should be; undetermined for NULL, and where nothing is published.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_judged(published: *const arpflux_published) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        let owned = handle::find::<Owned>(published)?;
        Some(match Standing::all_right(&owned.standing) {
            None => arpflux_judged::Undetermined,
            Some(true) => arpflux_judged::Good,
            Some(false) => arpflux_judged::Bad,
        })
    })
}

/// The list as one JSON object with `"schema": 1`, as `arpflux vz status --json` prints it where there are no scripts.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_to_json(
    published: *const arpflux_published,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<Owned>(published)?;
            Ok(string::give(&json::object(&Status::new(None, owned.registry.clone(), &owned.standing))?))
        })
    }
}

/// Frees a list. NULL and lists already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_published_free(published: *mut arpflux_published) {
    handle::free::<Owned>(published);
}
