//! Addresses, prefixes and ranges as a list of addresses.

use std::net::Ipv4Addr;

use crate::error::{Error, ErrorKind, Result};
use crate::types::Ipv4Net;

/// The most addresses asked in one run.
const MOST: u64 = 1 << 20;

/// Every address of `"192.168.18.10"`, `"192.168.18.0/24"` (all 256) and `"192.168.18.10-192.168.18.20"`,
/// each once, in the order of first mention.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if one is none of these, or all together are more than 1,048,576.
pub fn targets<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Ipv4Addr>> {
    let mut list = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for text in texts {
        let text = text.as_ref().trim();
        let (first, last) = range(text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "not an IPv4 address, prefix or range")
                .on(format!("{text:?}"))
                .hint("write it as 192.168.18.10, 192.168.18.0/24 or 192.168.18.10-192.168.18.20")
        })?;
        if u64::from(last - first) + list.len() as u64 >= MOST {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("more than {MOST} addresses are too many for one run"),
            )
            .on(text.to_string())
            .hint("ask for a part of them at a time"));
        }
        for address in first..=last {
            let address = Ipv4Addr::from(address);
            if seen.insert(address) {
                list.push(address);
            }
        }
    }
    Ok(list)
}

fn range(text: &str) -> Option<(u32, u32)> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some((address.into(), address.into()));
    }
    if let Ok(prefix) = text.parse::<Ipv4Net>() {
        return Some((prefix.network().into(), prefix.broadcast().into()));
    }
    let (first, last) = text.split_once('-')?;
    let first: u32 = first.trim().parse::<Ipv4Addr>().ok()?.into();
    let last: u32 = last.trim().parse::<Ipv4Addr>().ok()?.into();
    (first <= last).then_some((first, last))
}
