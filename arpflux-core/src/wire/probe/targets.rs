//! Addresses, prefixes and ranges as a list of addresses.

use std::net::IpAddr;

use crate::error::{Error, ErrorKind, Result};
use crate::types::IpNet;

/// The most addresses asked in one run.
const MOST: u128 = 1 << 20;

/// Every address of `"192.168.18.10"`, `"192.168.18.0/24"` (all 256), `"192.168.18.10-192.168.18.20"` and the like of
/// IPv6, each once, in the order of first mention.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if one is none of these, or all together are more than 1,048,576.
pub fn targets<S: AsRef<str>>(texts: &[S]) -> Result<Vec<IpAddr>> {
    let mut list = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for text in texts {
        let text = text.as_ref().trim();
        let (first, last) = range(text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "not an IP address, prefix or range")
                .on(format!("{text:?}"))
                .hint(
                    "write it as 192.168.18.10, 192.168.18.0/24, 192.168.18.10-192.168.18.20 or 2001:db8::10",
                )
        })?;
        let (low, high) = (number(first), number(last));
        if (high - low).saturating_add(list.len() as u128) >= MOST {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("more than {MOST} addresses are too many for one run"),
            )
            .on(text.to_string())
            .hint("ask for a part of them at a time"));
        }
        for address in low..=high {
            let address = match first {
                IpAddr::V4(_) => IpAddr::V4((address as u32).into()),
                IpAddr::V6(_) => IpAddr::V6(address.into()),
            };
            if seen.insert(address) {
                list.push(address);
            }
        }
    }
    Ok(list)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, address));
    }
    if let Ok(prefix) = text.parse::<IpNet>() {
        return Some((prefix.network(), prefix.broadcast()));
    }
    let (first, last) = text.split_once('-')?;
    let first: IpAddr = first.trim().parse().ok()?;
    let last: IpAddr = last.trim().parse().ok()?;
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
}
