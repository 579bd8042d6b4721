//! The file that sets values of interfaces at boot.

use std::fmt::Write as _;

use super::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::persist::Desired;
use crate::snapshot::PROXY_DELAY_STEP;
use crate::types::IfName;

/// The text of the file: one line a value, spelled with slashes so that a dot in a name is a dot.
///
/// systemd-sysctl runs early, when an interface may not be there; udev runs it again for each one
/// that appears (`99-systemd.rules`), with these lines. No `-` in front, which would keep the first run
/// quiet: busybox takes it for a part of the name.
pub(in crate::persist) fn write(desired: &Desired) -> Result<String> {
    let mut text = String::from(
        "# Written by `arpflux apply --persist`: who answers ARP for which address.\n\
         # Full names: they beat any pattern, whatever the order of the files.\n",
    );
    let mut line = |key: Key, value: u64| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} = {value}");
    };
    let number = |value: &i32| u64::try_from(*value).unwrap_or_default();
    for (interface, sysctl, value) in &desired.sysctls {
        line(Key::conf(writable(interface)?, *sysctl), number(value));
    }
    for (interface, sysctl, value) in &desired.ipv6_sysctls {
        line(Key::conf_v6(writable(interface)?, *sysctl), number(value));
    }
    for (interface, ms) in &desired.proxy_delays {
        line(Key::proxy_delay(writable(interface)?), ms / PROXY_DELAY_STEP);
    }
    Ok(text)
}

/// The name as a file can carry it: not everything that the kernel takes for a name.
fn writable(interface: &IfName) -> Result<&str> {
    let fine = |c: char| !c.is_control() && !"*?[]=\\".contains(c);
    interface.as_str().filter(|name| name.chars().all(fine)).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "sysctl.d cannot carry this interface name")
            .during("persist the policy of")
            .on(*interface)
            .hint("rename the interface to letters, digits, dots, dashes and underscores")
    })
}
