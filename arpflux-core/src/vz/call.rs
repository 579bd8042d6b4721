//! What a script says when it calls: whose addresses, which ones.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;

use super::Veid;
use crate::error::{Error, ErrorKind, Result};
use crate::types::IfName;

/// No call may name more addresses.
pub const ADDRESSES_MAX: usize = 4096;
/// No text of addresses may be longer, in bytes; the kernel takes no larger environment variable.
const TEXT_MAX: usize = 128 << 10;

/// Whose addresses are meant, and which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// The container; later callers (`vzifup-post`, `ifup-venet`) do not know it.
    pub veid: Option<Veid>,
    /// The addresses, each once, in the order given.
    pub addresses: Vec<IpAddr>,
    /// Whether these are all addresses of the container: it starts, and has no others.
    pub all: bool,
    /// Where they belong, if the caller says so itself; else the policy and the containers' files do.
    pub interface: Option<IfName>,
}

/// What addresses a script has in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They come: `IP_ADDR` (vzctl) or `IP_ADD` (libvzctl).
    Add,
    /// They go: `IP_ADDR` or `IP_DEL`.
    Delete,
}

impl Call {
    /// Reads the arguments, and where they say nothing the environment, through `variable`: `VEID`,
    /// `IP_ADDR`, `IP_ADD`, `IP_DEL`, `VE_STATE`.
    ///
    /// Texts may hold several addresses with white space between, each with or without a netmask
    /// (`192.168.18.101/24`, `192.168.18.101/255.255.255.0`). `0.0.0.0`, which vzctl takes for "none", is
    /// passed over.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] names the word that is no address, or says that there are too many.
    pub fn read(
        veid: Option<&OsStr>,
        arguments: &[OsString],
        purpose: Purpose,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let veid = match veid.map(OsStr::to_os_string).or_else(|| given("VEID")) {
            Some(text) => Some(utf8(&text, "VEID")?.parse()?),
            None => None,
        };
        let mut call = Self { veid, ..Self::default() };
        if arguments.is_empty() {
            let whole = given("IP_ADDR");
            call.all = whole.is_some() && given("VE_STATE").is_some_and(|state| state == "starting");
            let part = match purpose {
                Purpose::Add => given("IP_ADD"),
                Purpose::Delete => given("IP_DEL").filter(|value| value != "all"),
            };
            if let Some(text) = whole.or(part) {
                call.take(utf8(&text, "IP_ADDR")?)?;
            }
        }
        for argument in arguments {
            call.take(utf8(argument, "address")?)?;
        }
        Ok(call)
    }

    fn take(&mut self, text: &str) -> Result<()> {
        if text.len() > TEXT_MAX {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{} bytes are no list of addresses", text.len()),
            )
            .during("read")
            .on(shown(text)));
        }
        for word in text.split_ascii_whitespace() {
            let address = address(word)?;
            if address.is_unspecified() || self.addresses.contains(&address) {
                continue;
            }
            if self.addresses.len() == ADDRESSES_MAX {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("there are more than {ADDRESSES_MAX} of them"),
                )
                .during("read")
                .on("addresses"));
            }
            self.addresses.push(address);
        }
        Ok(())
    }
}

/// One address, with or without a netmask behind it.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is none.
pub fn address(word: &str) -> Result<IpAddr> {
    let (text, mask) = word.split_once('/').map_or((word, None), |(text, mask)| (text, Some(mask)));
    let right = |address: &IpAddr| match mask {
        None => true,
        Some(mask) => {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let digits = !mask.is_empty() && mask.len() <= 3 && mask.bytes().all(|b| b.is_ascii_digit());
            digits && mask.parse::<u8>().is_ok_and(|length| length <= longest)
                || address.is_ipv4() && mask.parse::<std::net::Ipv4Addr>().is_ok()
        }
    };
    text.parse().ok().filter(right).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "it is not an address")
            .during("read")
            .on(shown(word))
            .hint("write addresses as 192.168.18.101 or 192.168.18.101/24, with blanks between")
    })
}

fn utf8<'t>(text: &'t OsStr, what: &str) -> Result<&'t str> {
    text.to_str().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "it is not UTF-8 text")
            .during("read")
            .on(format!("{what} {}", shown(&text.to_string_lossy())))
    })
}

/// Somebody else's text for a message: quoted, one line, short.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str], variables: &[(&str, &str)], purpose: Purpose) -> Result<Call> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Call::read(None, &arguments, purpose, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    fn texts(call: &Call) -> Vec<String> {
        call.addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_vzctl_and_libvzctl_put_into_the_environment() {
        let legacy =
            [("VEID", "101"), ("IP_ADDR", "10.0.0.1 10.0.0.2/24  2001:db8::1/64"), ("VE_STATE", "starting")];
        let call = read(&[], &legacy, Purpose::Add).unwrap();
        assert_eq!(texts(&call), ["10.0.0.1", "10.0.0.2", "2001:db8::1"]);
        assert!(call.all && call.veid.as_ref().is_some_and(|veid| veid.as_str() == "101"));

        let running = [("VEID", "101"), ("IP_ADDR", "10.0.0.1"), ("VE_STATE", "running")];
        assert!(!read(&[], &running, Purpose::Add).unwrap().all);

        let new =
            [("VEID", "ct-1"), ("IP_ADD", "10.0.0.1 "), ("IP_DEL", "10.0.0.2"), ("VE_STATE", "starting")];
        let call = read(&[], &new, Purpose::Add).unwrap();
        assert_eq!(
            (texts(&call).join(" ").as_str(), call.all),
            ("10.0.0.1", false),
            "one of several devices"
        );
        assert_eq!(texts(&read(&[], &new, Purpose::Delete).unwrap()), ["10.0.0.2"]);
        assert!(read(&[], &[("IP_DEL", "all")], Purpose::Delete).unwrap().addresses.is_empty());
    }

    #[test]
    fn arguments_come_first_and_nothing_is_said_twice() {
        let call =
            read(&["10.0.0.9/255.255.255.0", "10.0.0.9 0.0.0.0"], &[("IP_ADDR", "10.0.0.1")], Purpose::Add);
        assert_eq!(texts(&call.unwrap()), ["10.0.0.9"]);
        assert_eq!(read(&[], &[("VEID", "")], Purpose::Add).unwrap(), Call::default());
    }

    #[test]
    fn hostile_text_is_refused_and_shown_on_one_short_line() {
        let long = "1".repeat(1 << 20);
        let many = "10.0.0.1\n".repeat(200_000);
        for text in [
            "$(touch /tmp/owned)",
            "`id`",
            "10.0.0.1;id",
            "10.0.0.1\"",
            "'10.0.0.1'",
            "10.0.0.1/33",
            "10.0.0.1/",
            "10.0.0.1/24/24",
            "::1/129",
            "2001:db8::1/255.255.255.0",
            "10.0.0.1,10.0.0.2",
            "-1",
            "*",
            "10.0.0",
            "\u{1b}[31m",
            &long,
            &many,
        ] {
            let error = read(&[text], &[], Purpose::Add).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let message = error.to_string();
            assert!(message.len() < 400 && !message.contains(char::is_control), "{message}");
        }
        assert!(read(&[], &[("VEID", "$(id)")], Purpose::Add).is_err());
        let distinct: Vec<String> =
            (0..=ADDRESSES_MAX).map(|n| format!("10.1.{}.{}", n / 256, n % 256)).collect();
        let all: Vec<&str> = distinct.iter().map(String::as_str).collect();
        assert!(read(&all[1..], &[], Purpose::Add).is_ok());
        assert!(read(&all, &[], Purpose::Add).unwrap_err().to_string().contains("more than 4096"));
    }

    #[cfg(unix)]
    #[test]
    fn text_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = OsString::from_vec(vec![b'1', 0xff]);
        assert!(Call::read(None, std::slice::from_ref(&bytes), Purpose::Add, |_| None).is_err());
        assert!(Call::read(Some(&bytes), &[], Purpose::Add, |_| None).is_err());
    }
}
