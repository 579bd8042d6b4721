//! A host built again from its snapshot, in namespaces of its own, by the running kernel.
//!
//! A [`Twin`] has the interfaces of the host under their own numbers, names and MACs, its addresses, routes, rules,
//! sysctls and entries. A NIC is one end of a veth pair whose other end lies on the wire that
//! [`WireMap`](arpflux_core::snapshot::WireMap) gives. What cannot be built is named ([`Twin::left_out`]), and whether
//! the twin is the host is read back from its kernel ([`Twin::differences`]).
//!
//! Only descriptors hold its namespaces: it ends with the process, whatever ends that. Nothing of a snapshot is run as a
//! command, no frame leaves the namespaces, and kinds of interfaces whose drivers make some on the whole machine when
//! they are loaded (dummy, bond) are not asked for.

mod blueprint;
mod compare;
mod fill;
mod filters;
mod links;
mod others;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arpflux_core::Result;
use arpflux_core::kernel::{Failed, Kernel as _, LinuxKernel};
use arpflux_core::outward::LeftOut;
use arpflux_core::snapshot::Snapshot;
use arpflux_core::state::Change;
use arpflux_core::types::{IfIndex, IfName};
use arpflux_core::wire::{Filter, PacketSocket};

use self::blueprint::Blueprint;
pub use self::links::Wire;
pub(crate) use self::others::CARD;
use crate::switch::Fabric;
use crate::{Answer, Asker, Host, Question};

/// A host built again. See the [module](self) text.
///
/// ```no_run
/// use arpflux_core::Host;
/// use arpflux_lab::twin::Twin;
///
/// let twin = Twin::build(&Host::current()?.snapshot()?)?;
/// assert!(twin.differences()?.is_empty());
/// for left_out in twin.left_out() {
///     println!("{left_out}");
/// }
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Twin {
    fabric: Arc<Fabric>,
    host: Host,
    original: Snapshot,
    blueprint: Blueprint,
    /// The other ends of cards, in the fabric.
    ports: BTreeMap<IfIndex, IfName>,
    /// The ports of the fabric by which wires are asked.
    entries: Vec<IfName>,
    wires: Vec<Wire>,
    /// One for all wires, made when first needed.
    asker: Option<Asker>,
}

impl Twin {
    /// Builds the host that `snapshot` shows.
    ///
    /// # Errors
    /// Those of [`Snapshot::check`]; [`arpflux_core::ErrorKind::Refused`] if it is larger than what is built;
    /// [`arpflux_core::ErrorKind::PermissionDenied`] as [`crate::privileges`].
    pub fn build(snapshot: &Snapshot) -> Result<Self> {
        let blueprint = Blueprint::of(snapshot)?;
        crate::privileges()?;
        let fabric = Arc::new(Fabric::new()?);
        let host = Host::new(&fabric, "the twin")?;
        let mut twin = Self {
            fabric,
            host,
            original: snapshot.clone(),
            blueprint,
            ports: BTreeMap::new(),
            entries: Vec::new(),
            wires: Vec::new(),
            asker: None,
        };
        twin.fill(snapshot).map_err(|error| match error.operation() {
            "" => error.during("build twin"),
            _ => error,
        })?;
        Ok(twin)
    }

    fn fill(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.set_namespace()?;
        self.make_links()?;
        self.plug_in(snapshot)?;
        self.set_interfaces()?;
        self.set_addresses()?;
        self.set_rules()?;
        self.set_routes()?;
        self.set_entries()?;
        self.set_filters()?;
        self.unplug()
    }

    /// Its namespace, to be looked at.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What it does not have, or of which it could not be read on the host whether it has it.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.blueprint.left_out
    }

    /// What it has by something else.
    #[must_use]
    pub fn stand_ins(&self) -> &[LeftOut] {
        &self.blueprint.stand_ins
    }

    /// The wires, as [`WireMap::wires`](arpflux_core::snapshot::WireMap::wires) numbers them.
    #[must_use]
    pub fn wires(&self) -> &[Wire] {
        &self.wires
    }

    /// What its kernel holds now, in the words of the host: what stands for something else is that, and what belongs to
    /// the twin alone is not there.
    ///
    /// # Errors
    /// Those of taking a snapshot.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut twin = self.read()?;
        let roles = self.blueprint.order.iter().copied().collect();
        filters::in_the_hosts_words(&mut twin.filters);
        links::in_the_hosts_words(&mut twin, &self.blueprint.host, &roles, &self.original);
        twin.addresses.retain(|held| held.local.is_ipv4());
        twin.routes.retain(|route| route.destination.addr().is_ipv4());
        twin.rules.retain(|rule| !rule.ipv6);
        Ok(twin)
    }

    /// In what it differs from the snapshot apart from what is left out, one sentence each: a fault of this program.
    ///
    /// # Errors
    /// As [`Twin::snapshot`].
    pub fn differences(&self) -> Result<Vec<String>> {
        let (host, twin) = (&self.blueprint.host, self.snapshot()?);
        let mut found = compare::differences(host, &twin);
        found.extend(compare::memories(host, &twin));
        Ok(found)
    }

    /// The same as faults.
    pub(crate) fn faults(&self) -> Result<Vec<String>> {
        let found = self.differences()?.into_iter();
        Ok(found.map(|what| format!("the twin is not the host: {what}")).collect())
    }

    /// Puts questions to a wire, by its number in [`Twin::wires`], and collects the answers; `wait` longer for those that
    /// the kernel delays. `None`: nothing outside of the host is on that wire.
    ///
    /// # Errors
    /// As [`Asker::ask`](crate::Asker::ask).
    pub fn ask(
        &mut self,
        wire: usize,
        questions: &[Question],
        wait: Duration,
    ) -> Result<Option<Vec<Vec<Answer>>>> {
        let entry = self.wires.get(wire).and_then(|wire| wire.entry.as_ref());
        let Some(entry) = entry else { return Ok(None) };
        let socket = PacketSocket::open_in(&self.fabric.netns, entry, Filter::ArpReplies)?;
        socket.ignore_outgoing()?;
        let asker = match &mut self.asker {
            Some(asker) => {
                asker.turn_to(socket);
                asker
            }
            none => none.insert(Asker::over(&self.host, socket)?),
        };
        asker.ask(questions, wait).map(Some)
    }

    /// Whether it has an interface.
    #[must_use]
    pub fn has(&self, interface: IfIndex) -> bool {
        self.blueprint.host.interface(interface).is_some()
    }

    /// Makes changes on the twin, one after the other, up to the first that its kernel refuses.
    ///
    /// # Errors
    /// The place of that one, and what the kernel said.
    pub fn make(&self, changes: &[Change]) -> Result<(), Failed> {
        let at_first = |error| Failed { at: 0, beyond: Vec::new(), error };
        self.host.run(|| LinuxKernel::open().map_err(at_first)?.make(changes)).map_err(at_first)?
    }
}

/// In what two states of one twin differ, one sentence each. What the kernel remembers of its rules and routes for good
/// is no part of that.
pub(crate) fn differences_of(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    compare::differences(one, other)
}
