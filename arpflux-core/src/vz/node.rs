//! A node with containers: what the scripts' calls do to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::claim::{self, Claims};
use super::plan::{self, Idle, Wanted};
use super::registry::{Held, Registry};
use super::{Call, Places, Veid};
use crate::apply::lock::Lock;
use crate::apply::store::Folder;
use crate::apply::{Confirm, Maker, Options, Receipt, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::kernel::{Kernel as _, LinuxKernel};
use crate::persist::{FileChange, FileState};
use crate::plan::{Announcement, PROTOCOL, Plan};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::stop::Stop;
use crate::types::IfName;
use crate::wire::announce::{self, announce_planned};

/// The file of the registry, in the folder of its namespace.
pub(crate) const REGISTRY: &str = "containers.toml";
/// Receivers may ignore what they hear within a second of what they heard before (`locktime`).
pub const ANNOUNCE_AGAIN: Duration = Duration::from_millis(1100);

/// A host with containers behind it. Everything it changes goes through a transaction of its own.
#[derive(Debug, Clone)]
pub struct Node {
    host: Host,
    options: Options,
    places: Places,
}

/// An address that is published for another container already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The address.
    pub address: IpAddr,
    /// Whose it is.
    pub owner: String,
}

/// What came of a call that changes something.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done {
    /// What was changed.
    pub receipt: Receipt,
    /// Addresses of other containers: for these nothing was done. When publishing, nothing at all was.
    pub taken: Vec<Taken>,
    /// Addresses to be announced once more after [`ANNOUNCE_AGAIN`].
    pub announce_again: Vec<IpAddr>,
    /// Whatever else is worth knowing, one sentence each.
    pub notes: Vec<String>,
}

/// What a withdrawal left alone, and what it has to say.
#[derive(Debug, Default)]
struct Left {
    taken: Vec<Taken>,
    notes: Vec<String>,
}

/// One address of the registry, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// The address.
    pub address: IpAddr,
    /// Whose it is.
    pub owner: String,
    /// Where it belongs.
    pub interface: String,
    /// Whether there is a proxy entry for it there.
    pub published: bool,
    /// Other interfaces with an entry for it; `all` for one that is tied to none.
    pub elsewhere: Vec<String>,
    /// Why it cannot be published now, if it cannot.
    pub idle: Option<Idle>,
    /// What would have to change besides for it to be reached and to leave by its own interface: the rule for its
    /// packets, the routes of the table that this leads to, `forwarding`.
    pub lacks: Vec<String>,
}

impl Standing {
    /// Whether it is as it should be: published in its place alone with all that this needs, or for a good
    /// reason nowhere.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.elsewhere.is_empty() && self.published == self.idle.is_none() && self.lacks.is_empty()
    }

    /// How it stands, in words: `published`, or what is missing.
    #[must_use]
    pub fn state(&self) -> String {
        let mut state = match (self.published, self.idle) {
            (true, None) => "published".to_owned(),
            (false, None) => "missing".to_owned(),
            (true, Some(why)) => format!("published, though {why}"),
            (false, Some(why)) => format!("waits: {why}"),
        };
        if !self.elsewhere.is_empty() {
            state += &format!(", and also on {}", self.elsewhere.join(" "));
        }
        for lack in &self.lacks {
            state += &format!(", but not as it should be: {lack}");
        }
        state
    }
}

impl Node {
    /// The host, how transactions on it are run, and where its files are. There is no confirmation: a
    /// script does not wait for one.
    #[must_use]
    pub fn new(host: Host, options: Options, places: Places) -> Self {
        Self { host, options: Options { confirm: Confirm::Now, by: Maker::Vz, ..options }, places }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The flag that ends its waits.
    #[must_use]
    pub fn stop_flag(&self) -> &Stop {
        &self.options.stop
    }

    /// Where its files are.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where the registry is; it has the form of a policy.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub fn registry_path(&self) -> Result<PathBuf> {
        self.host.with_kernel(|kernel| {
            let (netns, state) = (kernel.identity()?, self.options.state_dir.as_deref());
            let folder = Folder::look(state, &netns)?;
            Ok(folder.map_or_else(
                || Folder::place(state, &netns).join(REGISTRY),
                |folder| folder.path_of(REGISTRY).into(),
            ))
        })
    }

    fn path(&self, kernel: &mut LinuxKernel) -> Result<PathBuf> {
        Ok(self.folder(kernel)?.path_of(REGISTRY).into())
    }

    fn folder(&self, kernel: &mut LinuxKernel) -> Result<Folder> {
        let netns = kernel.identity()?;
        Folder::state(self.options.state_dir.as_deref())?.namespace(&netns)
    }

    /// Looks at the registry and the claims with the namespace's lock held; the claims are written again
    /// if `work` says so.
    pub(super) fn locked<R: Send>(
        &self,
        work: impl FnOnce(&Registry, &mut Claims) -> (R, bool) + Send,
    ) -> Result<R> {
        self.host.with_kernel(|kernel| {
            let folder = self.folder(kernel)?;
            let _lock = Lock::take(&folder, self.options.lock_wait, &self.options.stop)?;
            let (_, registry) = read(folder.path_of(REGISTRY).as_ref())?;
            let (before, mut claims) = read_claims(folder.path_of(claim::FILE).as_ref())?;
            let (result, changed) = work(&registry, &mut claims);
            if changed {
                let path = folder.path_of(claim::FILE).into();
                let after = FileState::Regular { text: claims.to_json(), mode: 0o600 };
                FileChange::new(path, before, after).make()?;
            }
            Ok(result)
        })
    }

    /// The registry as it is now.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn registry(&self) -> Result<Registry> {
        let folder = self
            .host
            .with_kernel(|kernel| Folder::look(self.options.state_dir.as_deref(), &kernel.identity()?))?;
        folder.map_or(Ok(Registry::default()), |folder| Ok(read(folder.path_of(REGISTRY).as_ref())?.1))
    }

    /// Publishes addresses: each on the interface where it belongs and no other, its packets leaving by
    /// that interface too. The routes to them must be there already. With [`Call::all`] the container's
    /// former addresses are withdrawn. What is as it should be already is not touched.
    ///
    /// If another container has one of them ([`Done::taken`]), nothing is changed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`], [`ErrorKind::NotFound`] and [`ErrorKind::Refused`] if the policy or
    /// the interface is not there or of no use, or no route leads to an address; and as
    /// [`Transaction::apply`]. Nothing is changed then.
    pub fn publish(&self, call: &Call) -> Result<Done> {
        let policy = self.places.policy()?;
        let path = self.registry_path()?;
        let mut taken = Vec::new();
        let mut done = self.transact(|snapshot, registry| {
            self.publishing(call, &policy, &path, snapshot, registry, &mut taken)
        })?;
        done.taken = taken;
        Ok(done)
    }

    /// What [`Node::publish`] would change now, and which addresses are another container's.
    ///
    /// # Errors
    /// As [`Node::publish`].
    pub fn plan_publish(&self, call: &Call) -> Result<(Plan, Vec<Taken>)> {
        let policy = self.places.policy()?;
        let path = self.registry_path()?;
        let mut taken = Vec::new();
        let (snapshot, registry) = (self.host.snapshot()?, self.registry()?);
        let (plan, _) = self.publishing(call, &policy, &path, &snapshot, registry, &mut taken)?;
        Ok((plan, taken))
    }

    /// The plan of a publication, and the registry afterwards; `path` is the registry's.
    fn publishing(
        &self,
        call: &Call,
        policy: &Policy,
        path: &Path,
        snapshot: &Snapshot,
        mut registry: Registry,
        taken: &mut Vec<Taken>,
    ) -> Result<(Plan, Registry)> {
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
            if let Some(why) = plan::idle(snapshot, *address, &held) {
                return Err(unpublishable(*address, &held, why));
            }
            new.insert(*address, held);
        }
        if !taken.is_empty() {
            return Ok((Plan::default(), registry));
        }
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

    /// Withdraws addresses: proxy entries first, then the rules of their packets. To be called before the
    /// routes go. Addresses that are not published are passed over; those of other containers stay
    /// ([`Done::taken`]), and so should their routes.
    ///
    /// A policy that cannot be read, or would not work any more, is no reason to fail: then only what
    /// stands for these addresses goes.
    ///
    /// # Errors
    /// As [`Transaction::apply`].
    pub fn withdraw(&self, call: &Call) -> Result<Done> {
        let addresses: BTreeSet<IpAddr> = call.addresses.iter().copied().collect();
        self.take_away(call.veid.as_ref(), Some(&addresses))
    }

    /// Withdraws every address of a container.
    ///
    /// # Errors
    /// As [`Transaction::apply`].
    pub fn stop(&self, veid: &Veid) -> Result<Done> {
        self.take_away(Some(veid), None)
    }

    /// What [`Node::withdraw`] would change now; of a call without addresses, [`Node::stop`].
    ///
    /// # Errors
    /// Those of reading the state.
    pub fn plan_withdraw(&self, call: &Call) -> Result<Plan> {
        let addresses: BTreeSet<IpAddr> = call.addresses.iter().copied().collect();
        let addresses = (!addresses.is_empty()).then_some(&addresses);
        let (snapshot, registry) = (self.host.snapshot()?, self.registry()?);
        let mut left = Left::default();
        let policy = self.places.policy();
        Ok(self.leaving(call.veid.as_ref(), addresses, &policy, &snapshot, registry, &mut left)?.0)
    }

    fn take_away(&self, veid: Option<&Veid>, addresses: Option<&BTreeSet<IpAddr>>) -> Result<Done> {
        let mut left = Left::default();
        let policy = self.places.policy();
        let mut done = self.transact(|snapshot, registry| {
            self.leaving(veid, addresses, &policy, snapshot, registry, &mut left)
        })?;
        done.taken = left.taken;
        done.notes = left.notes;
        Ok(done)
    }

    /// The plan of a withdrawal, and the registry afterwards.
    fn leaving(
        &self,
        veid: Option<&Veid>,
        addresses: Option<&BTreeSet<IpAddr>>,
        policy: &Result<Policy>,
        snapshot: &Snapshot,
        mut registry: Registry,
        left: &mut Left,
    ) -> Result<(Plan, Registry)> {
        let mut withdrawn: BTreeMap<IpAddr, Option<IfName>> = BTreeMap::new();
        let own = |held: &Held| veid.is_none_or(|veid| veid.as_str() == held.owner);
        match addresses {
            None => {
                let all = registry.held.iter().filter(|(_, held)| own(held));
                withdrawn.extend(all.map(|(address, held)| (*address, Some(held.interface))));
            }
            Some(addresses) => {
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

    /// Publishes again what is missing (after an interface was down, or came late), withdraws what lost
    /// its route, and takes over containers that ran before the integration was there: addresses that a
    /// container's file names, that a route leads to, and that somebody else published.
    ///
    /// # Errors
    /// As [`Node::publish`].
    pub fn sync(&self) -> Result<Done> {
        let policy = self.places.policy()?;
        let mut notes = Vec::new();
        let mut done = self.transact(|snapshot, mut registry| {
            for entry in snapshot.proxies.iter().filter(|entry| entry.protocol != PROTOCOL) {
                let address = entry.address;
                if registry.held.contains_key(&address) {
                    continue;
                }
                let Ok(owner) = self.places.owner(&policy, address) else { continue };
                let Ok(interface) = self.places.interface(&policy, &owner, Some(address)) else { continue };
                let held = Held { owner, interface };
                if plan::idle(snapshot, address, &held).is_none() {
                    notes.push(format!("{address} of container {} was taken over", held.owner));
                    registry.held.insert(address, held);
                }
            }
            for (address, held) in &registry.held {
                if let Some(why) = plan::idle(snapshot, *address, held) {
                    notes.push(format!(
                        "{address} of container {} is not published on {}: {why}",
                        held.owner, held.interface
                    ));
                }
            }
            registry.host = policy.host.clone();
            let withdrawn = BTreeMap::new();
            let wanted = Wanted { policy: &policy, registry: &registry, withdrawn: &withdrawn };
            Ok((plan::plan(snapshot, &wanted)?, registry))
        })?;
        done.notes = notes;
        Ok(done)
    }

    /// The interfaces where addresses belong, each once; of the container as a whole where the call names
    /// no address.
    ///
    /// # Errors
    /// As [`Places::interface`].
    pub fn interfaces(&self, call: &Call) -> Result<Vec<IfName>> {
        let mut found: Vec<IfName> = Vec::new();
        for (_, held) in self.belonging(call)? {
            if !found.contains(&held.interface) {
                found.push(held.interface);
            }
        }
        if let (true, Some(veid)) = (call.addresses.is_empty(), &call.veid) {
            found.push(self.places.interface(&self.places.policy()?, veid.as_str(), None)?);
        }
        Ok(found)
    }

    /// Where each address belongs, by the policy and the containers' files.
    pub(super) fn belonging(&self, call: &Call) -> Result<Vec<(IpAddr, Held)>> {
        let policy = self.places.policy()?;
        let of = |address: &IpAddr| -> Result<(IpAddr, Held)> {
            let owner = match &call.veid {
                Some(veid) => veid.to_string(),
                None => self.places.owner(&policy, *address)?,
            };
            let interface = self.place(call, &policy, &owner, *address)?;
            Ok((*address, Held { owner, interface }))
        };
        call.addresses.iter().map(of).collect()
    }

    /// Where an address belongs: as the call says, else as the policy and the containers' files do.
    fn place(&self, call: &Call, policy: &Policy, owner: &str, address: IpAddr) -> Result<IfName> {
        match call.interface {
            Some(interface) => Ok(interface),
            None => self.places.interface(policy, owner, Some(address)),
        }
    }

    /// What will not work for a container, one sentence each: addresses that nothing assigns an interface to, or
    /// one that is not here.
    ///
    /// # Errors
    /// Those of reading the policy, the containers' files and the state.
    pub fn warnings(&self) -> Result<Vec<String>> {
        let (policy, snapshot) = (self.places.policy()?, self.host.snapshot()?);
        let mut unassigned: Vec<String> = Vec::new();
        let mut warnings = Vec::new();
        for (veid, addresses) in self.places.addresses()? {
            let interfaces =
                addresses.iter().map(|address| self.places.interface(&policy, veid.as_str(), Some(*address)));
            for interface in interfaces {
                match interface {
                    Ok(interface) if snapshot.interface_named(&interface).is_some() => continue,
                    Ok(interface) => warnings.push(format!(
                        "container {veid} shall be published on {interface}, which is not on this host: its start \
                         will fail (was its file written on another host?)"
                    )),
                    Err(error) if error.kind() == ErrorKind::NotFound => unassigned.push(veid.to_string()),
                    Err(error) => warnings.push(format!("container {veid} will not start: {error}")),
                }
                break;
            }
        }
        if !unassigned.is_empty() {
            warnings.push(format!(
                "nothing says which interface containers {} belong on, and their starts will fail: write \
                 {}=\"eth3\" in {} for all that have none of their own, or in a container's own file",
                crate::plan::listed(unassigned),
                super::CONF_INTERFACE,
                self.places.global.display(),
            ));
        }
        Ok(warnings)
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
            let addresses = crate::plan::listed(addresses);
            format!(
                "still published for container {owner}: {addresses}; `arpflux vz stop {owner}` withdraws it"
            )
        };
        Ok(owners.into_iter().map(one).collect())
    }

    /// Tells the peers once where addresses are: from the interface that publishes them, and only if it
    /// does. A call without addresses means all of the container, or of all containers. Gives the number
    /// of frames.
    ///
    /// # Errors
    /// Those of reading the state and of sending frames.
    pub fn announce(&self, call: &Call) -> Result<usize> {
        let registry = self.registry()?;
        let meant = |(address, held): &(&IpAddr, &Held)| {
            (call.addresses.is_empty() || call.addresses.contains(address))
                && call.veid.as_ref().is_none_or(|veid| veid.as_str() == held.owner)
        };
        let held: Vec<(IpAddr, Held)> =
            registry.held.iter().filter(meant).map(|(address, held)| (*address, held.clone())).collect();
        let snapshot = self.host.snapshot()?;
        let announcements = plan::announcements(&snapshot, &held);
        self.host.namespace().run(|| announce_once(&snapshot, &announcements, &self.options.stop))?
    }

    /// How every address of the registry stands.
    ///
    /// # Errors
    /// Those of reading the state.
    pub fn standing(&self) -> Result<Vec<Standing>> {
        let registry = self.registry()?;
        let snapshot = self.host.snapshot()?;
        let mut lacking = plan::lacking(&snapshot, &registry);
        let one = |(address, held): (&IpAddr, &Held)| {
            let there = snapshot.interface_named(&held.interface).map(|interface| interface.index);
            let entries = || snapshot.proxies.iter().filter(|entry| entry.address == *address);
            Standing {
                address: *address,
                owner: held.owner.clone(),
                interface: held.interface.to_string(),
                published: there.is_some() && entries().any(|entry| entry.interface == there),
                elsewhere: entries()
                    .filter(|entry| entry.interface != there || there.is_none())
                    .map(|entry| entry.interface.map_or("all".into(), |index| snapshot.name_of(index)))
                    .collect(),
                idle: plan::idle(&snapshot, *address, held),
                lacks: lacking.remove(address).unwrap_or_default(),
            }
        };
        Ok(registry.held.iter().map(one).collect())
    }

    /// One transaction: `work` gets the state and the registry, under the lock, and gives the plan and the
    /// registry as it shall be. Peers are told once.
    fn transact(
        &self,
        work: impl FnOnce(&Snapshot, Registry) -> Result<(Plan, Registry)> + Send,
    ) -> Result<Done> {
        self.host.with_kernel(|kernel| {
            let path = self.path(kernel)?;
            let file: RefCell<Option<FileChange>> = RefCell::new(None);
            let mut again = Vec::new();
            let mut persist = |_: &Snapshot, _: &Plan| Ok(file.take().into_iter().collect());
            let mut announce = |snapshot: &Snapshot, list: &[Announcement]| {
                again.extend(list.iter().map(|announcement| announcement.address));
                announce_once(snapshot, list, &self.options.stop)
            };
            let receipt = Transaction::new(kernel, &self.options)
                .announce(&mut announce)
                .persist(&mut persist)
                .apply_with(|snapshot| {
                    let (before, registry) = read(&path)?;
                    let former = registry.clone();
                    let (plan, registry) = work(snapshot, registry)?;
                    // A registry that says nothing new is not written: the second call changes nothing.
                    if registry.held != former.held || (registry.host != former.host && !plan.is_empty()) {
                        let text = registry.policy().to_toml()?;
                        let after = FileState::Regular { text, mode: 0o600 };
                        file.replace((before != after).then_some(FileChange::new(path, before, after)));
                    }
                    Ok(plan)
                })?;
            Ok(Done { receipt, taken: Vec::new(), announce_again: again, notes: Vec::new() })
        })
    }
}

fn announce_once(snapshot: &Snapshot, announcements: &[Announcement], stop: &Stop) -> Result<usize> {
    let once = announce::Options { rounds: 1, ..announce::Options::default() };
    announce_planned(snapshot, announcements, &once, stop)
}

/// The registry's file and what it says; an empty one where there is none.
fn read(path: &std::path::Path) -> Result<(FileState, Registry)> {
    let state = FileState::read(path)?;
    let registry = of_file(&state, path)?;
    Ok((state, registry))
}

/// What the registry's file says.
pub(crate) fn of_file(state: &FileState, path: &std::path::Path) -> Result<Registry> {
    Ok(match state {
        FileState::Regular { text, .. } => Registry::from_toml(text, &path.display().to_string())?,
        FileState::Absent => Registry::default(),
        FileState::Link { .. } => {
            return Err(Error::new(ErrorKind::Refused, "it is a symbolic link, which is not followed")
                .during("read registry")
                .on(path.display().to_string()));
        }
    })
}

/// The claims' file and what it says.
fn read_claims(path: &std::path::Path) -> Result<(FileState, Claims)> {
    let state = FileState::read(path)?;
    let claims = match &state {
        FileState::Regular { text, .. } => Claims::from_json(text),
        _ => Claims::default(),
    };
    Ok((state, claims))
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
