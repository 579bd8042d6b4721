//! Arguments: lists, names, addresses.

use std::ffi::{CStr, OsStr, c_char};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use arpflux_core::types::{IfName, Mac};
use arpflux_core::{Error, ErrorKind, Result, Snapshot, snapshot};

use crate::boundary::null;
use crate::ip::arpflux_ip;
use crate::string;

/// A list of `count` items; an empty one may be NULL.
///
/// # Safety
/// `list` is NULL or has that many items, which stay as they are for `'a`.
pub(crate) unsafe fn list<'a, T>(list: *const T, count: usize, name: &'static str) -> Result<&'a [T]> {
    match (list.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(name)),
        // SAFETY: the caller says so, and it is not NULL.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(list, count) }),
    }
}

/// A list where NULL stands for something of its own: for all there are.
///
/// # Safety
/// As [`list`].
pub(crate) unsafe fn optional_list<'a, T>(
    list: *const T,
    count: usize,
    name: &'static str,
) -> Result<Option<&'a [T]>> {
    if list.is_null() && count == 0 {
        return Ok(None);
    }
    // SAFETY: the caller says so.
    unsafe { self::list(list, count, name) }.map(Some)
}

/// The same where none at all makes no sense.
///
/// # Safety
/// As [`list`].
pub(crate) unsafe fn some_or_all<'a, T>(list: *const T, count: usize, name: &'static str) -> Result<&'a [T]> {
    // SAFETY: the caller says so.
    match unsafe { optional_list(list, count, name)? } {
        None => Ok(&[]),
        Some([]) => Err(Error::new(ErrorKind::InvalidInput, "no interface is named")
            .during("call with argument")
            .on(name)
            .hint("NULL stands for all of them")),
        Some(list) => Ok(list),
    }
}

/// A list of texts.
///
/// # Safety
/// As [`list`], and each item is NULL or ends in NUL.
pub(crate) unsafe fn texts<'a>(
    texts: *const *const c_char,
    count: usize,
    name: &'static str,
) -> Result<Vec<&'a str>> {
    // SAFETY: the caller says so.
    unsafe { list(texts, count, name)?.iter().map(|text| string::borrow(*text, name)).collect() }
}

/// A list of addresses of both families.
///
/// # Safety
/// As [`list`].
pub(crate) unsafe fn addresses(
    addresses: *const arpflux_ip,
    count: usize,
    name: &'static str,
) -> Result<Vec<IpAddr>> {
    // SAFETY: the caller says so.
    unsafe { list(addresses, count, name)?.iter().map(|address| address.address()).collect() }
}

/// An address of either family.
pub(crate) fn ip(address: arpflux_ip, name: &'static str) -> Result<IpAddr> {
    address.address().map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "it is not an address").during("call with argument").on(name)
    })
}

/// An address, or none where the family is 0.
pub(crate) fn optional_ip(address: arpflux_ip, name: &'static str) -> Result<Option<IpAddr>> {
    if address.family == 0 { Ok(None) } else { ip(address, name).map(Some) }
}

/// An IPv4 address.
pub(crate) fn ipv4(address: arpflux_ip, name: &'static str) -> Result<Ipv4Addr> {
    match address.address() {
        Ok(IpAddr::V4(address)) => Ok(address),
        _ => Err(Error::new(ErrorKind::InvalidInput, "it is not an IPv4 address")
            .during("call with argument")
            .on(name)),
    }
}

/// An IPv4 address, or none where the family is 0.
pub(crate) fn optional_ipv4(address: arpflux_ip, name: &'static str) -> Result<Option<Ipv4Addr>> {
    if address.family == 0 { Ok(None) } else { ipv4(address, name).map(Some) }
}

/// The name of an interface.
///
/// # Safety
/// It is NULL or ends in NUL.
pub(crate) unsafe fn if_name(text: *const c_char, name: &'static str) -> Result<IfName> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller says so, and it is not NULL.
    IfName::from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The name of an interface, or none where it is NULL.
///
/// # Safety
/// As [`if_name`].
pub(crate) unsafe fn optional_if_name(text: *const c_char, name: &'static str) -> Result<Option<IfName>> {
    // SAFETY: the caller says so.
    if text.is_null() { Ok(None) } else { unsafe { if_name(text, name) }.map(Some) }
}

/// An interface of a snapshot by its name.
pub(crate) fn interface<'s>(snapshot: &'s Snapshot, name: &IfName) -> Result<&'s snapshot::Interface> {
    snapshot.interface_named(name).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the snapshot has no such interface")
            .during("look for interface")
            .on(name.to_string())
    })
}

/// A MAC, or none where it is NULL.
///
/// # Safety
/// It is NULL or has that many bytes.
pub(crate) unsafe fn mac(bytes: *const u8, length: usize) -> Result<Option<Mac>> {
    if bytes.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller says so, and it is not NULL.
    Mac::from_bytes(unsafe { std::slice::from_raw_parts(bytes, length) }).map(Some)
}

/// The path of a file: bytes.
///
/// # Safety
/// It is NULL or ends in NUL and stays as it is for `'a`.
pub(crate) unsafe fn path<'a>(path: *const c_char, name: &'static str) -> Result<&'a Path> {
    if path.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller says so, and it is not NULL.
    Ok(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes())))
}

/// A number for which 0 asks for the default, and which must not be above `most`.
pub(crate) fn bounded(value: u32, default: u32, most: u32, name: &'static str) -> Result<u32> {
    match value {
        0 => Ok(default),
        value if value <= most => Ok(value),
        value => {
            Err(Error::new(ErrorKind::InvalidInput, format!("{value} is beyond the largest value, {most}"))
                .during("call with argument")
                .on(name))
        }
    }
}
