//! Neighbour discovery as tcpdump prints it, with `-v` and without, and as the summaries of Wireshark and tshark do.
//!
//! ```text
//! fe80::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has 2001:db8::2, length 32
//! fe80::2 > fe80::1: [icmp6 sum ok] ICMP6, neighbor advertisement, length 32, tgt is 2001:db8::2, Flags [solicited, override]
//!           destination link-address option (2), length 8 (1): 02:00:00:00:00:02
//! fe80::2 → fe80::1 ICMPv6 86 Neighbor Advertisement 2001:db8::2 (sol, ovr) is at 02:00:00:00:00:02
//! ```

use std::net::Ipv6Addr;

use arpflux_core::frame::Ndp;
use arpflux_core::types::Mac;

use super::value::{Address, trim};

/// What the words so far want next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Other,
    /// Behind `neighbor`.
    Neighbor,
    /// Behind `solicitation` or `advertisement`, before its target.
    Target { solicits: bool },
    /// Behind the target: flags, then the MAC.
    Rest { solicits: bool, target: Ipv6Addr },
    /// Behind `at`, `from` or the colon of an option.
    Owner { solicits: bool, target: Ipv6Addr },
}

/// A packet that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Message {
        message: Ndp,
        source: Ipv6Addr,
        /// The text lacks the flags, or the MAC that the message itself names.
        lacks: bool,
    },
    /// One that ended before its MAC came.
    Cut,
}

/// Reads packets out of words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Discovery {
    state: State,
    /// The addresses of the packet, as far as they came.
    source: Option<Ipv6Addr>,
    destination: Option<Ipv6Addr>,
    /// `length` stood before the target: options follow.
    is_verbose: bool,
    router: bool,
    solicited: bool,
    overrides: bool,
}

/// An address, perhaps with a comma or the colon of tcpdump behind it.
fn ipv6(word: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(word).ok()?.trim_end_matches(',');
    let text = text.trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
    text.parse().ok().or_else(|| text.strip_suffix(':')?.parse().ok())
}

fn mac(address: &Address) -> Option<Mac> {
    Mac::from_bytes(address.bytes()).ok().filter(|mac| *mac != Mac::NONE)
}

impl Discovery {
    /// Whether a packet began and did not end.
    pub(super) fn is_open(&self) -> bool {
        match self.state {
            State::Other | State::Neighbor => false,
            // Prose speaks of solicitations, too.
            State::Target { .. } => self.source.is_some(),
            State::Rest { .. } | State::Owner { .. } => true,
        }
    }

    /// Takes a word; `frame` is the source of the frame it is in, and `ends_line` says that it is the last one of its line.
    pub(super) fn word(
        &mut self,
        raw: &[u8],
        begins_line: bool,
        ends_line: bool,
        frame: &Address,
    ) -> Option<Told> {
        let word = trim(raw);
        if begins_line {
            // Options stand on lines of their own.
            let goes_on = matches!(self.state, State::Rest { .. })
                && self.is_verbose
                && matches!(word, b"source" | b"destination");
            if !goes_on {
                let was_open = self.is_open();
                *self = Self::default();
                if was_open {
                    self.address(raw);
                    return Some(Told::Cut);
                }
            }
        }
        match self.state {
            State::Other | State::Neighbor => {
                self.state = match (self.state, word) {
                    (State::Other, b"neighbor" | b"Neighbor") => State::Neighbor,
                    (State::Neighbor, b"solicitation" | b"Solicitation") => State::Target { solicits: true },
                    (State::Neighbor, b"advertisement" | b"Advertisement") => {
                        State::Target { solicits: false }
                    }
                    _ => {
                        self.address(raw);
                        State::Other
                    }
                };
                None
            }
            State::Target { solicits } => {
                self.is_verbose |= word == b"length";
                let target = ipv6(raw)?;
                self.state = State::Rest { solicits, target };
                let is_probe = solicits && self.source.is_some_and(|source| source.is_unspecified());
                // tcpdump without -v says no more of what counts; Wireshark nothing of a probe.
                let is_brief = !self.is_verbose && raw.ends_with(b",");
                if is_probe || is_brief || (ends_line && !self.is_verbose) {
                    let own = if is_probe { None } else { mac(frame) };
                    return Some(self.told(solicits, target, own, !solicits || (!is_probe && own.is_none())));
                }
                None
            }
            State::Rest { solicits, target } => {
                match word {
                    b"router" | b"rtr" => self.router = true,
                    b"solicited" | b"sol" => self.solicited = true,
                    b"override" | b"ovr" => self.overrides = true,
                    // Of an option only the last number before the MAC has brackets and a colon.
                    b"at" | b"from" => self.state = State::Owner { solicits, target },
                    _ if raw.ends_with(b"):") => self.state = State::Owner { solicits, target },
                    _ => {}
                }
                // An answer to one that knows the MAC may leave it out.
                if ends_line && !self.is_verbose {
                    return Some(self.told(solicits, target, None, false));
                }
                None
            }
            State::Owner { solicits, target } => {
                let named = Address::parse(word).as_ref().and_then(mac);
                Some(match named {
                    Some(named) => self.told(solicits, target, Some(named), false),
                    None => {
                        *self = Self::default();
                        Told::Cut
                    }
                })
            }
        }
    }

    /// Notes an end of the packet.
    fn address(&mut self, raw: &[u8]) {
        if let Some(address) = ipv6(raw) {
            // Of more than two the last two are the packet's.
            if self.destination.is_some() {
                self.source = self.destination;
            }
            if self.source.is_none() { self.source = Some(address) } else { self.destination = Some(address) }
        }
    }

    fn told(&mut self, solicits: bool, target: Ipv6Addr, named: Option<Mac>, lacks: bool) -> Told {
        let Self { source, destination, router, solicited, overrides, .. } = std::mem::take(self);
        let message = if solicits {
            Ndp::Solicitation { target, source_mac: named }
        } else if lacks {
            // As most are: answers go to one, the rest to all.
            let solicited = destination.is_some_and(|to| !to.is_multicast());
            Ndp::Advertisement { target, target_mac: named, router, solicited, overrides: true }
        } else {
            Ndp::Advertisement { target, target_mac: named, router, solicited, overrides }
        };
        match source {
            Some(source) => Told::Message { message, source, lacks },
            None => Told::Cut,
        }
    }
}
