//! Addresses by value.

use std::ffi::c_char;
use std::net::IpAddr;

use arpflux_core::{Error, ErrorKind};

use crate::boundary::{check_out, getter, guard, write};
use crate::error::arpflux_error;
use crate::string;

/// An IPv4 or IPv6 address, by value.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct arpflux_ip {
    /// 4 or 6; 0: no address.
    pub family: u8,
    /// The address in network byte order; an IPv4 address is in the first four bytes, the rest is 0.
    pub bytes: [u8; 16],
}

impl From<IpAddr> for arpflux_ip {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&address.octets());
                Self { family: 4, bytes }
            }
            IpAddr::V6(address) => Self { family: 6, bytes: address.octets() },
        }
    }
}

impl arpflux_ip {
    /// No address.
    pub(crate) const NONE: Self = Self { family: 0, bytes: [0; 16] };

    /// The address, if it is one.
    pub(crate) fn address(self) -> Result<IpAddr, Error> {
        let [a, b, c, d, ..] = self.bytes;
        match self.family {
            4 => Ok(IpAddr::from([a, b, c, d])),
            6 => Ok(IpAddr::from(self.bytes)),
            other => Err(Error::new(ErrorKind::InvalidInput, "the family of an address is 4 or 6")
                .during("read address")
                .on(format!("family {other}"))),
        }
    }
}

/// Reads an address such as `"192.168.18.101"` or `"fd00::1"`.
///
/// Writes `*out` and returns true, or returns false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_ip_parse(
    text: *const c_char,
    out: *mut arpflux_ip,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: `err`, `text` and `out` are as the conventions say.
    unsafe {
        guard(err, false, || {
            check_out(out, "out")?;
            let text = string::borrow(text, "text")?;
            let address: IpAddr = text.parse().map_err(|_| {
                Error::new(ErrorKind::InvalidInput, "not an IPv4 or IPv6 address")
                    .during("read address")
                    .on(format!("{text:?}"))
                    .hint("write it as 192.168.18.101 or fd00::1, without a prefix length")
            })?;
            write(out, "out", address.into())?;
            Ok(true)
        })
    }
}

/// The room that the longest address needs as text, its NUL included.
pub const ARPFLUX_IP_TEXT_SIZE: usize = 46;

/// Writes an address as text, ending in NUL, into `buffer` of `size` bytes (`ARPFLUX_IP_TEXT_SIZE` is always
/// enough). Returns its length without the NUL; 0, and nothing written besides an empty text, if it does not fit or is no address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_ip_format(address: arpflux_ip, buffer: *mut c_char, size: usize) -> usize {
    getter(0, || {
        if buffer.is_null() || size == 0 {
            return None;
        }
        let text = address.address().map_or_else(|_| String::new(), |address| address.to_string());
        let text = if text.len() < size { text } else { String::new() };
        // SAFETY: the caller says that `size` bytes may be written, and the text with its NUL is no longer.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), text.len());
            buffer.add(text.len()).write(0);
        }
        Some(text.len())
    })
}
