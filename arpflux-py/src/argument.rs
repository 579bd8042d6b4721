//! Arguments from Python. Each failure names the argument: a `TypeError`, or `InvalidInput` with the argument as object.

use std::ffi::OsStr;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arpflux_core::segment::Wires;
use arpflux_core::types::{IfName, IpNet, Mac};
use arpflux_core::{Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDelta, PyFloat, PyInt, PyMapping, PyString};

use crate::error::{PyError, Result};

type Object<'a, 'py> = &'a Bound<'py, PyAny>;

/// An argument whose value will not do.
#[cold]
pub fn invalid(argument: &str, message: impl Display) -> PyError {
    Error::new(ErrorKind::InvalidInput, message.to_string()).on(format!("argument '{argument}'")).into()
}

/// An argument of a wrong type.
#[cold]
pub fn wrong(argument: &str, expected: &str, object: Object<'_, '_>) -> PyError {
    let found =
        object.get_type().qualname().map_or_else(|_| "something else".into(), |name| name.to_string());
    PyError::Python(PyTypeError::new_err(format!("argument '{argument}': expected {expected}, not {found}")))
}

/// Names the argument in what the core says about its text.
pub fn named<T>(argument: &str, parsed: arpflux_core::Result<T>) -> Result<T> {
    parsed.map_err(|error| {
        let object = error.object().to_owned();
        match object.as_str() {
            "" => error.on(format!("argument '{argument}'")),
            object => error.on(format!("argument '{argument}': {object}")),
        }
        .into()
    })
}

/// Text; lone surrogates cannot be in it.
pub fn text(argument: &str, object: Object<'_, '_>) -> Result<String> {
    let text = object.cast::<PyString>().map_err(|_| wrong(argument, "str", object))?;
    text.to_cow().map(String::from).map_err(|_| invalid(argument, "it holds lone surrogates: no UTF-8 text"))
}

/// A JSON text: `str`, or UTF-8 as `bytes` or `bytearray`, as `json.loads` takes it.
pub fn json(argument: &str, object: Object<'_, '_>) -> Result<String> {
    let bytes = match (object.cast::<PyBytes>(), object.cast::<PyByteArray>()) {
        (Ok(bytes), _) => bytes.as_bytes().to_vec(),
        (_, Ok(bytes)) => bytes.to_vec(),
        _ if object.is_instance_of::<PyString>() => return text(argument, object),
        _ => return Err(wrong(argument, "str, bytes or bytearray", object)),
    };
    String::from_utf8(bytes).map_err(|_| invalid(argument, "it is not UTF-8 text"))
}

/// What a text is called in messages; `None`: nothing.
pub fn source(object: Option<&Bound<'_, PyAny>>) -> Result<Option<String>> {
    object.map(|object| text("source", object)).transpose()
}

/// Several texts, or one.
pub fn texts(argument: &str, object: Object<'_, '_>) -> Result<Vec<String>> {
    each(argument, object)?.iter().map(|item| text(argument, item)).collect()
}

/// The name of an interface: `str` as `os.fsdecode` gives it, so that any name can be told.
pub fn interface(argument: &str, object: Object<'_, '_>) -> Result<IfName> {
    if !object.is_instance_of::<PyString>() {
        return Err(wrong(argument, "the name of an interface as str", object));
    }
    named(argument, IfName::from_bytes(&fs_bytes(argument, object)?))
}

/// Names of interfaces, or one.
pub fn interfaces(argument: &str, object: Object<'_, '_>) -> Result<Vec<IfName>> {
    each(argument, object)?.iter().map(|item| interface(argument, item)).collect()
}

/// Who shares a wire: several names for each wire, or something with such `wires` (what `Host.segments` gives).
pub fn wires(argument: &str, object: Object<'_, '_>) -> Result<Wires> {
    let told = object.getattr_opt("wires")?;
    let object = told.as_ref().unwrap_or(object);
    if object.is_instance_of::<PyString>() {
        return Err(wrong(argument, "several names for each wire", object));
    }
    let each = each(argument, object)?;
    let wires = each.iter().map(|wire| interfaces(argument, wire)).collect::<Result<Vec<_>>>()?;
    named(argument, Wires::new(wires))
}

/// A link-layer address as text.
pub fn mac(argument: &str, object: Object<'_, '_>) -> Result<Mac> {
    named(argument, text(argument, object)?.parse())
}

/// An `ipaddress` object or its text.
pub fn address(argument: &str, object: Object<'_, '_>) -> Result<IpAddr> {
    if object.is_instance_of::<PyString>() {
        let text = text(argument, object)?;
        return text.parse().map_err(|_| invalid(argument, format_args!("{text:?} is not an IP address")));
    }
    match packed(object).as_deref() {
        Some(&[a, b, c, d]) => Ok(IpAddr::from([a, b, c, d])),
        Some(bytes) => match <[u8; 16]>::try_from(bytes) {
            Ok(octets) => Ok(IpAddr::from(octets)),
            Err(_) => Err(wrong(argument, "an IP address", object)),
        },
        None => Err(wrong(argument, "an IP address as str or ipaddress object", object)),
    }
}

fn packed(object: Object<'_, '_>) -> Option<Vec<u8>> {
    object.getattr("packed").ok()?.extract().ok()
}

/// An `ipaddress.IPv4Address` or its text.
pub fn ipv4(argument: &str, object: Object<'_, '_>) -> Result<Ipv4Addr> {
    match address(argument, object)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => Err(invalid(argument, format_args!("{address} is not an IPv4 address"))),
    }
}

/// Addresses, or one.
pub fn addresses(argument: &str, object: Object<'_, '_>) -> Result<Vec<IpAddr>> {
    each(argument, object)?.iter().map(|item| address(argument, item)).collect()
}

/// What can be asked for, as text: addresses, networks, ranges.
pub fn targets(argument: &str, object: Object<'_, '_>) -> Result<Vec<String>> {
    let network = |item: &Bound<'_, PyAny>| item.hasattr("network_address").unwrap_or(false);
    // A network is iterable, over its hosts; it is meant as one.
    let items = if network(object) { vec![object.clone()] } else { each(argument, object)? };
    let one = |item: &Bound<'_, PyAny>| -> Result<String> {
        if item.is_instance_of::<PyString>() {
            return text(argument, item);
        }
        if network(item) {
            return Ok(item.str()?.to_cow()?.into_owned());
        }
        address(argument, item).map(|address| address.to_string())
    };
    items.iter().map(one).collect()
}

/// Networks as text or `ipaddress` objects, or one.
pub fn networks(argument: &str, object: Object<'_, '_>) -> Result<Vec<IpNet>> {
    let one = |item: &Bound<'_, PyAny>| -> Result<IpNet> {
        if !item.is_instance_of::<PyString>() && !item.hasattr("network_address")? {
            return Err(wrong(argument, "a network as str or ipaddress object", item));
        }
        let text = text(argument, item.str()?.as_any())?;
        text.parse().map_err(|_| invalid(argument, format_args!("{text:?} is not a prefix")))
    };
    if object.hasattr("network_address")? {
        return Ok(vec![one(object)?]);
    }
    each(argument, object)?.iter().map(one).collect()
}

/// The items of an iterable; text and whatever is no iterable stands for itself.
fn each<'py>(argument: &str, object: Object<'_, 'py>) -> Result<Vec<Bound<'py, PyAny>>> {
    if object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.cast::<PyMapping>().is_ok()
    {
        return Err(wrong(argument, "one or several of them", object));
    }
    if object.is_instance_of::<PyString>() || packed(object).is_some() {
        return Ok(vec![object.clone()]);
    }
    let items = object.try_iter().map_err(|_| wrong(argument, "one or several of them", object))?;
    Ok(items.collect::<PyResult<_>>()?)
}

/// A whole number within bounds.
pub fn number<T: TryFrom<i64>>(
    argument: &str,
    object: Object<'_, '_>,
    range: RangeInclusive<i64>,
) -> Result<T> {
    if !object.is_instance_of::<PyInt>() {
        return Err(wrong(argument, "int", object));
    }
    let out = || {
        let bounds = format!("not between {} and {}", range.start(), range.end());
        invalid(
            argument,
            format_args!("{} is {bounds}", object.str().map_or_else(|_| "it".into(), |s| s.to_string())),
        )
    };
    let value: i64 = object.extract().map_err(|_| out())?;
    if !range.contains(&value) {
        return Err(out());
    }
    T::try_from(value).map_err(|_| out())
}

/// A time: `datetime.timedelta`, or a number of seconds.
pub fn seconds(argument: &str, object: Object<'_, '_>) -> Result<Duration> {
    let seconds: f64 = if object.is_instance_of::<PyDelta>() {
        object.call_method0("total_seconds")?.extract()?
    } else if object.is_instance_of::<PyFloat>() || object.is_instance_of::<PyInt>() {
        object.extract().map_err(|_| invalid(argument, "it is no time to wait"))?
    } else {
        return Err(wrong(argument, "seconds or datetime.timedelta", object));
    };
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| invalid(argument, format_args!("{seconds} s is not a time to wait: {error}")))
}

/// A time within bounds.
pub fn seconds_within(
    argument: &str,
    object: Object<'_, '_>,
    range: RangeInclusive<Duration>,
) -> Result<Duration> {
    let time = seconds(argument, object)?;
    if !range.contains(&time) {
        let (least, most) = (range.start(), range.end());
        return Err(invalid(argument, format_args!("{time:?} is not between {least:?} and {most:?}")));
    }
    Ok(time)
}

/// `str`, `bytes` or `os.PathLike` as bytes.
pub fn fs_bytes(argument: &str, object: Object<'_, '_>) -> Result<Vec<u8>> {
    let py = object.py();
    let path = py.import("os")?.call_method1("fspath", (object,));
    let path = path.map_err(|_| wrong(argument, "str, bytes or os.PathLike", object))?;
    // Surrogates that do not come from `os.fsdecode` stand for nothing.
    let encoded = py
        .import("os")?
        .call_method1("fsencode", (path,))
        .map_err(|_| invalid(argument, "it holds surrogates that stand for no bytes"))?;
    Ok(encoded.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes().to_vec())
}

/// A path: `str`, `bytes` or `os.PathLike`.
pub fn path(argument: &str, object: Object<'_, '_>) -> Result<PathBuf> {
    let bytes = fs_bytes(argument, object)?;
    if bytes.contains(&0) {
        return Err(invalid(argument, "a path holds no NUL"));
    }
    Ok(Path::new(OsStr::from_bytes(&bytes)).to_path_buf())
}
