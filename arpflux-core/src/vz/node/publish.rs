//! Addresses that come.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use super::{ANNOUNCE_AGAIN, Done, Node, Taken, read_claims, settle};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::{Index, Snapshot};
use crate::vz::plan::{self, Idle, Wanted};
use crate::vz::{Call, Held, Registry, Veid, claim};

/// What a call to publish comes to.
enum Meant<'a> {
    Addresses,
    /// The container has no address any more.
    NoneOf(&'a Veid),
    Nothing,
}

impl<'a> Meant<'a> {
    fn by(call: &'a Call) -> Self {
        match (call.addresses.is_empty(), call.all, &call.veid) {
            (false, ..) => Self::Addresses,
            (true, true, Some(veid)) => Self::NoneOf(veid),
            (true, ..) => Self::Nothing,
        }
    }
}

impl Node {
    /// Publishes addresses: each on the interface where it belongs and no other, its packets leaving by
    /// that interface too. The routes to them must be there already. With [`Call::all`] the container's
    /// former addresses are withdrawn: all of them, where it starts without one. What is as it should be already is not
    /// touched. A call without an address is nothing otherwise.
    ///
    /// With `announce` peers are told even if nothing had to change, and once more after [`ANNOUNCE_AGAIN`], for which this
    /// waits; without it once of what was added, and [`Done::announce_again`] says what is left to be told.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`] if another owner has one of the addresses; [`ErrorKind::InvalidPolicy`], [`ErrorKind::NotFound`]
    /// and [`ErrorKind::Refused`] if the policy or the interface is not there or of no use, or no route leads to an address;
    /// and as [`Transaction::apply`](crate::apply::Transaction::apply).
    /// Nothing is changed then.
    pub fn publish(&self, call: &Call, announce: bool) -> Result<Done> {
        match Meant::by(call) {
            Meant::Addresses => {}
            Meant::NoneOf(veid) => return self.withdraw(Some(veid), None),
            Meant::Nothing => return Ok(Done::nothing()),
        }
        let policy = self.places.policy()?;
        let path = self.registry_path()?;
        let mut done =
            self.transact(|snapshot, registry| self.publishing(call, &policy, &path, snapshot, registry))?;
        if announce {
            if done.receipt.is_unchanged() {
                self.announce(call)?;
            }
            let again = Instant::now() + ANNOUNCE_AGAIN;
            self.host.namespace().run(|| self.stop_flag().sleep_until(again))??;
            self.announce(call)?;
            done.announce_again.clear();
        }
        Ok(done)
    }

    /// What [`Node::publish`] would change now.
    ///
    /// # Errors
    /// As [`Node::publish`].
    pub fn plan_publish(&self, call: &Call) -> Result<Plan> {
        let snapshot = match Meant::by(call) {
            Meant::Addresses => self.host.snapshot()?,
            Meant::NoneOf(veid) => return self.plan_withdraw(Some(veid), None),
            Meant::Nothing => return Ok(Plan { netns: self.host.snapshot()?.netns, ..Plan::default() }),
        };
        let policy = self.places.policy()?;
        let path = self.registry_path()?;
        let registry = self.registry()?;
        let (mut plan, _) = self.publishing(call, &policy, &path, &snapshot, registry)?;
        settle(&path, &snapshot, &mut plan)?;
        Ok(plan)
    }

    /// The plan of a publication, and the registry afterwards; `path` is the registry's.
    fn publishing(
        &self,
        call: &Call,
        policy: &Policy,
        path: &Path,
        snapshot: &Snapshot,
        mut registry: Registry,
    ) -> Result<(Plan, Registry)> {
        let index = Index::new(snapshot);
        let mut taken = Vec::new();
        let mut new: BTreeMap<IpAddr, Held> = BTreeMap::new();
        let (_, claims) = read_claims(&path.with_file_name(claim::FILE))?;
        for address in &call.addresses {
            let known = registry.held.get(address);
            let owner = match (&call.veid, known) {
                (Some(veid), _) => veid.to_string(),
                (None, Some(held)) => held.owner.clone(),
                (None, None) => self.places.owner(policy, *address)?,
            };
            if let Some(held) = known
                && held.owner != owner
            {
                taken.push(Taken { address: *address, owner: held.owner.clone() });
                continue;
            }
            if let Some(other) = claims.other(*address, &owner) {
                taken.push(Taken { address: *address, owner: other.to_owned() });
                continue;
            }
            let interface = self.place(call, policy, &owner, *address)?;
            let held = Held { owner, interface };
            if let Some(why) = plan::idle(&index, *address, &held) {
                return Err(unpublishable(*address, &held, why));
            }
            new.insert(*address, held);
        }
        Taken::refuse(&taken)?;
        let mut withdrawn = BTreeMap::new();
        if let (true, Some(veid)) = (call.all, &call.veid) {
            let former = registry.of(veid.as_str()).filter(|(address, _)| !new.contains_key(address));
            withdrawn.extend(former.map(|(address, held)| (address, Some(held.interface))));
        }
        registry.held.retain(|address, _| !withdrawn.contains_key(address));
        registry.host = policy.host.clone();
        registry.held.extend(new);
        let wanted = Wanted { policy, registry: &registry, withdrawn: &withdrawn };
        Ok((plan::plan(snapshot, &wanted)?, registry))
    }
}

#[cold]
fn unpublishable(address: IpAddr, held: &Held, why: Idle) -> Error {
    let (kind, hint) = match why {
        Idle::InterfaceGone => (ErrorKind::NotFound, "bring the interface back, or assign another one"),
        Idle::NoRoute => (ErrorKind::Refused, "set the container's route first, then publish its address"),
        Idle::HostHasIt | Idle::NextHop => (ErrorKind::Refused, "give the container another address"),
    };
    Error::new(kind, format!("{why} ({})", held.interface))
        .during("publish")
        .on(format!("{address} of container {}", held.owner))
        .hint(hint)
}
