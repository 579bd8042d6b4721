//! Whether somebody else has a container's address, asked before it is published.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::claim::Claimant;
use super::node::{Node, Taken};
use super::{Call, Held};
use crate::error::{Error, ErrorKind, Result};
use crate::types::IfName;
use crate::wire::Port;
use crate::wire::detect::{self, Detected, Options};

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Detection {
    /// Who answers for the addresses on the wire, each asked for on its own interface only.
    pub found: Vec<Detected>,
    /// Interfaces on which nothing could be asked.
    pub unasked: Vec<Unasked>,
}

/// An interface on which nothing could be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unasked {
    /// The interface.
    pub interface: IfName,
    /// Why.
    pub why: String,
}

impl Detection {
    /// Whether nobody else has any of the addresses, as far as it was found out; `None` where nothing was asked for.
    #[must_use]
    pub fn is_free(&self) -> Option<bool> {
        detect::free(&self.found)
    }

    /// Who answers, where all could be asked.
    ///
    /// # Errors
    /// [`ErrorKind::Undetermined`] if nobody could be asked on an interface.
    pub fn into_result(self) -> Result<Vec<Detected>> {
        match self.unasked.first() {
            None => Ok(self.found),
            Some(unasked) => {
                Err(Error::new(ErrorKind::Undetermined, format!("nobody was asked: {}", unasked.why))
                    .during("detect duplicates")
                    .on(unasked.interface.to_string()))
            }
        }
    }
}

/// Two requests 100 ms apart, and 0.9 s for the answers: a proxy takes up to 0.8 s (`proxy_delay`).
const QUICK: Options =
    Options { rounds: 2, spacing: Duration::from_millis(100), wait: Duration::from_millis(900) };

/// How to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asking {
    /// Nobody is asked on the wire (`SKIP_ARPDETECT`); what is wrong on this node shows all the same.
    pub skip_wire: bool,
    /// Book the addresses for the container until this process ends.
    pub claim: Option<u32>,
}

impl Node {
    /// Asks for the call's addresses, each on the interface where it belongs, all at once: 1.0 s for
    /// any number of them. Answers of this host are no conflict. Without an address there is nothing to ask for.
    ///
    /// # Errors
    /// As [`Node::publish`] if another owner has an address, or it is not clear where it belongs;
    /// [`ErrorKind::NotFound`] if that interface is not there; and failures to send and receive.
    pub fn detect(&self, call: &Call, asking: Asking) -> Result<Detection> {
        if call.addresses.is_empty() {
            return Ok(Detection::default());
        }
        let wanted = self.belonging(call)?;
        self.book(&wanted, asking.claim)?;
        let mut detection = Detection::default();
        let mut places: BTreeMap<IfName, (String, Vec<IpAddr>)> = BTreeMap::new();
        for (address, held) in wanted {
            let (_, list) = places.entry(held.interface).or_insert_with(|| (held.owner, Vec::new()));
            list.push(address);
        }
        self.host().namespace().run(|| -> Result<()> {
            let mut items = Vec::new();
            for (name, (owner, addresses)) in places {
                let port = Port::named(&name).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => error.during("detect duplicates").hint(format!(
                        "container {owner} belongs there by ARPFLUX_IF in {}, or in vz.conf, or by the policy: was that \
                         written on another host?",
                        self.places().containers.join(format!("{owner}.conf")).display()
                    )),
                    _ => error.during("detect duplicates"),
                })?;
                if asking.skip_wire || addresses.is_empty() {
                    continue;
                }
                if port.is_up()? {
                    items.push((port, addresses));
                } else {
                    detection.unasked.push(Unasked { interface: name, why: "it is down".into() });
                }
            }
            match detect::run_on(&items, QUICK, self.stop_flag()) {
                Ok(found) => detection.found = found,
                // One went down meanwhile.
                Err(error) if error.errno() == Some(libc::ENETDOWN) => {
                    let why = error.to_string();
                    let unasked = |(port, _): &(Port, _)| Unasked { interface: port.name, why: why.clone() };
                    detection.unasked.extend(items.iter().map(unasked));
                }
                Err(error) => return Err(error),
            }
            Ok(())
        })??;
        Ok(detection)
    }

    /// Books the addresses, unless one is another owner's, published or booked.
    fn book(&self, wanted: &[(IpAddr, Held)], claim: Option<u32>) -> Result<()> {
        let claimant = match claim {
            Some(pid) => Some(Claimant::of(pid).ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "there is no such process").on(format!("process {pid}"))
            })?),
            None => None,
        };
        let taken = self.locked(|registry, claims| {
            let taken = |(address, held): &(IpAddr, Held)| {
                let holder = registry.held.get(address).map(|other| other.owner.as_str());
                let holder = holder.filter(|owner| *owner != held.owner);
                let owner = holder.or_else(|| claims.other(*address, &held.owner))?;
                Some(Taken { address: *address, owner: owner.to_owned() })
            };
            let taken: Vec<Taken> = wanted.iter().filter_map(taken).collect();
            match claimant {
                Some(claimant) if taken.is_empty() => {
                    for (address, held) in wanted {
                        claims.add(*address, &held.owner, claimant);
                    }
                    (taken, true)
                }
                _ => (taken, false),
            }
        })?;
        Taken::refuse(&taken)
    }
}
