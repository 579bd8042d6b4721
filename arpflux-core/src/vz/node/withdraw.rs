//! Addresses that go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::settings::Settings;
use super::{Done, Node, Taken, settle};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::types::IfName;
use crate::vz::plan::{self, Wanted};
use crate::vz::{Held, Registry, Veid};

/// What a withdrawal left alone, and what it has to say.
#[derive(Debug, Default)]
struct Left {
    taken: Vec<Taken>,
    notes: Vec<String>,
}

/// What is to go.
enum Which<'a> {
    All(&'a Veid),
    These(Option<&'a Veid>, BTreeSet<IpAddr>),
}

impl<'a> Which<'a> {
    fn of(veid: Option<&'a Veid>, addresses: Option<&[IpAddr]>) -> Result<Self> {
        match (veid, addresses) {
            (veid, Some(addresses)) => Ok(Self::These(veid, addresses.iter().copied().collect())),
            (Some(veid), None) => Ok(Self::All(veid)),
            (None, None) => Err(Error::new(ErrorKind::InvalidInput, "no container is named")
                .during("withdraw")
                .hint("name it, or set VEID in the environment")),
        }
    }
}

impl Node {
    /// Withdraws addresses of an owner, or without `addresses` all that it has: proxy entries first, then the rules of their
    /// packets. An empty list is nothing. To be called before the
    /// routes go. Addresses that are not published are passed over; those of other containers stay
    /// ([`Done::taken`]), and so should their routes. Without an owner each address is whoever's it is.
    ///
    /// A policy that cannot be read, or would not work any more, is no reason to fail: then only what
    /// stands for these addresses goes.
    ///
    /// # Errors
    /// As [`Transaction::apply`](crate::apply::Transaction::apply); [`ErrorKind::InvalidInput`] with neither.
    pub fn withdraw(&self, veid: Option<&Veid>, addresses: Option<&[IpAddr]>) -> Result<Done> {
        let which = Which::of(veid, addresses)?;
        let mut left = Left::default();
        let policy = self.places.policy();
        let mut done =
            self.transact(|snapshot, registry| self.leaving(&which, &policy, snapshot, registry, &mut left))?;
        done.taken = left.taken;
        done.notes = left.notes;
        // It is withdrawn, whether or not this can be told.
        done.notes.extend(self.still_set().ok().flatten());
        Ok(done)
    }

    /// What [`Node::withdraw`] would change now.
    ///
    /// # Errors
    /// Those of reading the state; [`ErrorKind::InvalidInput`] with neither.
    pub fn plan_withdraw(&self, veid: Option<&Veid>, addresses: Option<&[IpAddr]>) -> Result<Plan> {
        let which = Which::of(veid, addresses)?;
        let (snapshot, registry) = (self.host.snapshot()?, self.registry()?);
        let mut left = Left::default();
        let (mut plan, _) = self.leaving(&which, &self.places.policy(), &snapshot, registry, &mut left)?;
        settle(&self.registry_path()?, &snapshot, &mut plan)?;
        Ok(plan)
    }

    /// Takes back what interfaces were set to for containers, where none of these publishes and no proxy entry of others
    /// needs it.
    ///
    /// # Errors
    /// As [`Transaction::apply`](crate::apply::Transaction::apply).
    pub fn settle(&self) -> Result<()> {
        if self.still_set()?.is_some() {
            let netns = |snapshot: &Snapshot| snapshot.netns.clone();
            self.transact(|now, registry| Ok((Plan { netns: netns(now), ..Plan::default() }, registry)))?;
        }
        Ok(())
    }

    /// What is set for containers though none of them publishes, as others' proxy entries need it.
    fn still_set(&self) -> Result<Option<String>> {
        let settings = Settings::read(&self.registry_path()?)?.1;
        if settings == Settings::default() || !self.registry()?.held.is_empty() {
            return Ok(None);
        }
        let set = crate::words::listed(settings.set(&self.host.snapshot()?));
        Ok(Some(format!(
            "still set as containers had it, for proxy entries of others: {set}; `arpflux vz stop` of any container \
             takes it back once these are gone"
        )))
    }

    /// The plan of a withdrawal, and the registry afterwards.
    fn leaving(
        &self,
        which: &Which<'_>,
        policy: &Result<Policy>,
        snapshot: &Snapshot,
        mut registry: Registry,
        left: &mut Left,
    ) -> Result<(Plan, Registry)> {
        let mut withdrawn: BTreeMap<IpAddr, Option<IfName>> = BTreeMap::new();
        match which {
            Which::All(veid) => {
                withdrawn.extend(
                    registry.of(veid.as_str()).map(|(address, held)| (address, Some(held.interface))),
                );
            }
            Which::These(veid, addresses) => {
                let own = |held: &Held| veid.is_none_or(|veid| veid.as_str() == held.owner);
                for address in addresses {
                    match registry.held.get(address) {
                        Some(held) if own(held) => {
                            withdrawn.insert(*address, Some(held.interface));
                        }
                        Some(held) => {
                            left.taken.push(Taken { address: *address, owner: held.owner.clone() });
                        }
                        // Not handed over by a script: published before the integration was there.
                        None => {
                            if let (Ok(policy), Some(veid)) = (policy, veid)
                                && let Ok(interface) =
                                    self.places.interface(policy, veid.as_str(), Some(*address))
                            {
                                withdrawn.insert(*address, Some(interface));
                            }
                        }
                    }
                }
            }
        }
        registry.held.retain(|address, _| !withdrawn.contains_key(address));
        let none = Policy::default();
        let wanted = |policy| Wanted { policy, registry: &registry, withdrawn: &withdrawn };
        let planned = match policy {
            Ok(policy) => plan::plan(snapshot, &wanted(policy)),
            Err(error) => Err(error.clone()),
        };
        let plan = planned.unwrap_or_else(|error| {
            left.notes
                .push(format!("only these addresses were looked after, as the policy is of no use: {error}"));
            plan::withdrawal(snapshot, &wanted(&none))
        });
        Ok((plan, registry))
    }

    /// What stays of containers when nothing calls arpflux any more, one sentence each, with what takes it away.
    ///
    /// # Errors
    /// Those of reading the registry.
    pub fn left(&self) -> Result<Vec<String>> {
        let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (address, held) in self.registry()?.held {
            owners.entry(held.owner).or_default().push(format!("{address} on {}", held.interface));
        }
        let one = |(owner, addresses): (String, Vec<String>)| {
            let addresses = crate::words::listed(addresses);
            format!(
                "still published for container {owner}: {addresses}; `arpflux vz stop {owner}` withdraws it"
            )
        };
        Ok(owners.into_iter().map(one).chain(self.still_set()?).collect())
    }
}
