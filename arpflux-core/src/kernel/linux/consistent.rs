//! Taking a snapshot: everything in one state, as far as the kernel tells of changes.

use std::time::Duration;

use super::read::TRIES;
use super::{LinuxKernel, bridge, interference, routing_memory};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::netlink::{Changed, Events};
use crate::snapshot::{Interference, Near, Snapshot};

/// What is told where the last try was taken.
fn kept_changing() -> Interference {
    Interference::Unreadable {
        what: "IPv4 routes, because they kept changing while they were read".into(),
        needs: None,
    }
}

impl LinuxKernel {
    /// Reads everything; again, as long as interfaces, IPv4 addresses, routes or rules changed meanwhile: rules and routes
    /// alone where nothing else did. With `before`, of which only these are said to have changed since, begins so.
    ///
    /// Calls `begins` before each try: what was told until then is in what it reads.
    ///
    /// Where routes alone keep changing (a router that learns them) the last try is taken, with a note
    /// among the interference.
    pub(super) fn read_consistently(
        &mut self,
        before: Option<&Snapshot>,
        begins: &mut dyn FnMut(),
    ) -> Result<Snapshot> {
        let events = Events::open()?;
        let mut raced = None;
        let mut read = before.cloned();
        for attempt in 0..TRIES {
            // A change seldom comes alone: let the rest of it pass.
            std::thread::sleep(Duration::from_millis(u64::from(attempt)));
            events.changed();
            begins();
            self.stop.check()?;
            let (mut snapshot, near) = match self.read_once(read.take()) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Raced => {
                    raced = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match events.changed_but_for(|route| near.as_ref().is_none_or(|near| near.matters(route))) {
                Changed::Nothing => return Ok(snapshot),
                Changed::Routes if attempt + 1 == TRIES => {
                    snapshot.interference.push(kept_changing());
                    return Ok(snapshot);
                }
                Changed::Routes | Changed::Rules => (read, raced) = (Some(snapshot), None),
                Changed::More | Changed::Links => raced = None,
            }
        }
        Err(raced.unwrap_or_else(|| {
            Error::new(
                ErrorKind::Raced,
                format!("interfaces, addresses or rules changed during each of {TRIES} tries"),
            )
            .hint("try again when the network configuration is at rest")
        }))
    }

    /// Reads once: everything, or what may be another than in `before`; and which routes count in it, if not all do.
    fn read_once(&mut self, before: Option<Snapshot>) -> Result<(Snapshot, Option<Near>)> {
        if let Some(mut snapshot) = before {
            snapshot.rules.clear();
            snapshot.routes.clear();
            snapshot.interference.retain(|other| *other != kept_changing());
            let near = self.rules_and_routes(&mut snapshot)?;
            return Ok((snapshot, near));
        }
        let mut snapshot =
            Snapshot { kernel: self.version.clone(), netns: self.identity.clone(), ..Snapshot::default() };
        let mut digest = self.near.is_some().then(|| self.begin_digest());
        let (xdp, discovery) = self.links(&mut snapshot, digest.as_mut())?;
        bridge::vlans(self, &mut snapshot)?;
        self.addresses(&mut snapshot)?;
        self.neighbours(&mut snapshot)?;
        self.neighbour_params(&mut snapshot, digest.as_mut())?;
        self.digest = digest;
        self.sysctls(&mut snapshot)?;
        self.discovery(&mut snapshot, discovery)?;
        let near = self.rules_and_routes(&mut snapshot)?;
        interference::find(self, &mut snapshot, &xdp)?;
        Ok((snapshot, near))
    }

    /// Rules and routes, and what the kernel remembers of them; which routes count.
    fn rules_and_routes(&mut self, snapshot: &mut Snapshot) -> Result<Option<Near>> {
        let mut realms = self.rules(snapshot)?;
        let near = self.near.as_ref().map(|near| near.on(&snapshot.addresses, &snapshot.rules));
        realms |= self.routes(snapshot, near.clone())?;
        snapshot.routing = routing_memory::known(snapshot, realms);
        if snapshot.routing.rules_changed.is_none() {
            snapshot.routing.rules_changed =
                routing_memory::ask(&mut self.netlink, &mut self.messages, snapshot);
        }
        let routing = snapshot.routing;
        let decides = routing.rules_changed != Some(true) && routing.realms == Some(false);
        if decides && routing.local_routes_added.is_none() {
            let full = routing_memory::checks_in_full(&mut self.netlink, &mut self.messages, snapshot);
            // Changed rules have the same effect on this check, and where the tables tell of them they are known.
            snapshot.routing.local_routes_added = full;
            if full == Some(false) {
                snapshot.routing.rules_changed = Some(false);
            }
        }
        Ok(near)
    }
}
