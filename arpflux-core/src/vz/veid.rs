//! Container ids, as vzctl gives them to its scripts.

use std::fmt;
use std::str::FromStr;

use super::call::shown;
use crate::error::{Error, ErrorKind};

/// The id of a container: a number (vzctl), a UUID or a name (OpenVZ 7).
///
/// It becomes the name of a file, so that nothing is let through but ASCII letters, digits, `-`, `_`
/// and `.`, at most 64 of them, and no dot in front.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Veid(String);

impl Veid {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Veid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.chars().all(plain) {
            return Err(Error::new(ErrorKind::InvalidInput, "it is not the id of a container")
                .on(format!("VEID {}", shown(text)))
                .hint("vzctl gives a number, OpenVZ 7 a UUID or a name of letters, digits, - and _"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Veid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Veid;

    #[test]
    fn ids_that_are_no_file_names_are_refused() {
        for good in ["101", "1f63e8a4-2c2d-4a0b-9d0e-3a6bb1c9b1f0", "web_1.example", &"9".repeat(64)] {
            assert_eq!(good.parse::<Veid>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".101", "../101", "1/2", "1 2", "1\n", "$(id)", "ä", &"9".repeat(65)] {
            assert!(bad.parse::<Veid>().is_err(), "{bad:?}");
        }
    }
}
