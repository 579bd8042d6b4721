//! `arpflux-c/src/code.rs`: the numbers of [`arpflux_core::ErrorKind`] as a C enum, with their documentation.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use arpflux_core::ErrorKind;

use crate::Generated;

/// Takes names, numbers and documentation from the source text of `ErrorKind`, and checks the numbers
/// against the compiled type.
pub fn generate(root: &Path) -> Result<Generated, String> {
    let path = root.join("arpflux-core/src/error/kind.rs");
    let source = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let body = source
        .split_once("pub enum ErrorKind {")
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .ok_or("error/kind.rs has no enum ErrorKind")?
        .0;

    let mut text = String::from(HEAD);
    let mut arms = String::new();
    let mut seen = Vec::new();
    for line in body.lines().map(str::trim) {
        if line.starts_with("///") {
            let _ = writeln!(text, "    {line}");
        } else if let Some((name, number)) = line.trim_end_matches(',').split_once(" = ") {
            let number: u32 = number.parse().map_err(|_| format!("not a number: {line}"))?;
            let _ = writeln!(text, "    {name} = {number},");
            let _ = writeln!(arms, "            ErrorKind::{name} => Self::{name},");
            seen.push(number);
        }
    }
    let known: Vec<u32> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    if seen != known {
        return Err(format!(
            "ErrorKind in error/kind.rs has the numbers {seen:?}, the compiled type {known:?}"
        ));
    }
    let _ = write!(text, "{MIDDLE}{arms}{TAIL}");
    Ok(Generated { path: "arpflux-c/src/code.rs".into(), text })
}

const HEAD: &str = "\
//! The classes of failure. Written by `cargo xtask gen` from `arpflux_core::ErrorKind`: do not edit.

use arpflux_core::ErrorKind;

/// What class of failure an error is. Numbers never change their meaning; later versions may add some.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_code {
    /// No error.
    Ok = 0,
";

const MIDDLE: &str = "\
}

impl From<ErrorKind> for arpflux_code {
    fn from(kind: ErrorKind) -> Self {
        match kind {
";

const TAIL: &str = "            \
            // `ErrorKind` may grow; `cargo xtask gen --check` then fails until this file does too.
            _ => Self::Internal,
        }
    }
}
";
