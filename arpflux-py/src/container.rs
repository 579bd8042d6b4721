//! Addresses of containers and other machines behind a host: published while they run.

use std::net::IpAddr;
use std::path::PathBuf;

use arpflux_core::apply::Options;
use arpflux_core::outward::vz::Published;
use arpflux_core::vz::{Call, Done, Node, Places, Veid};
use arpflux_core::{Host, Stop};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::apply::Receipt;
use crate::argument;
use crate::error::Result;
use crate::interrupt::interruptible;
use crate::plan::Plan;
use crate::value;
use crate::wire::Given;

/// The containers, and other machines, behind a host: what `arpflux vz` does for the scripts of vzctl, for other programs.
/// Made by `Host.containers`. What is published here, every plan, watch and rollback on the host keeps.
#[pyclass(frozen, module = "arpflux")]
pub struct Containers {
    host: Host,
    options: Options,
    places: Places,
}

/// See `Host.containers`.
pub fn containers<'py>(
    host: &Host,
    policy: Given<'_, 'py>,
    vz_dir: Given<'_, 'py>,
    options: Options,
) -> Result<Containers> {
    let mut places = Places::default();
    if let Some(path) = policy {
        places.policy = argument::path("policy", path)?;
    }
    if let Some(path) = vz_dir {
        let folder: PathBuf = argument::path("vz_dir", path)?;
        places.global = folder.join("vz.conf");
        places.containers = folder.join("conf");
    }
    Ok(Containers { host: host.clone(), options, places })
}

/// Whose addresses go, and which: `None` for all.
fn going<'py>(owner: &Bound<'py, PyAny>, addresses: Given<'_, 'py>) -> Result<(Veid, Option<Vec<IpAddr>>)> {
    let addresses = addresses.map(|given| argument::addresses("addresses", given)).transpose()?;
    Ok((argument::text("owner", owner)?.parse()?, addresses))
}

/// What a caller wants published.
fn call<'py>(
    owner: &Bound<'py, PyAny>,
    addresses: &Bound<'py, PyAny>,
    interface: Given<'_, 'py>,
    all: bool,
) -> Result<Call> {
    Ok(Call {
        veid: Some(argument::text("owner", owner)?.parse()?),
        addresses: argument::addresses("addresses", addresses)?,
        all,
        interface: interface.map(|name| argument::interface("interface", name)).transpose()?,
    })
}

impl Containers {
    /// Runs something that a signal ends.
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Node) -> arpflux_core::Result<T> + Send,
    ) -> Result<T> {
        interruptible(py, |stop: &Stop| {
            let options = self.options.clone().stop(stop.clone());
            work(&Node::new(self.host.clone(), options, self.places.clone()))
        })
    }
}

fn receipt(done: Done) -> Receipt {
    Receipt::new(done.into_receipt(), None)
}

#[pymethods]
impl Containers {
    /// Publishes addresses of `owner` (a container's id, or a name of letters, digits, `-`, `_` and `.`), as one transaction: the
    /// interface where they belong answers for them and no other, and their packets leave by it, whatever `rp_filter` is. A route
    /// to each must be there already. `interface`: where they belong; by default what the policy says of the owner
    /// (`[[proxy]]`), or `ARPFLUX_IF` in the container's file. `all`: these are all addresses that the owner has, its former ones
    /// are withdrawn: with no address all of them; without `all` no address is nothing to do. `announce`: peers are told even if nothing had to change, and once more after 1.1 s.
    ///
    /// Raises InUse if another owner has one of the addresses; Refused if no route leads there, or the host has it itself; NotFound if
    /// nothing says which interface, or it is not there. Nothing is changed then.
    #[pyo3(signature = (owner, addresses, *, interface = None, all = false, announce = false))]
    fn publish<'py>(
        &self,
        py: Python<'py>,
        owner: &Bound<'py, PyAny>,
        addresses: &Bound<'py, PyAny>,
        interface: Given<'_, 'py>,
        all: bool,
        announce: bool,
    ) -> Result<Receipt> {
        let call = call(owner, addresses, interface, all)?;
        self.run(py, |node| node.publish(&call, announce)).map(receipt)
    }

    /// What `publish` would change now: Plan. Nothing is changed or sent.
    #[pyo3(signature = (owner, addresses, *, interface = None, all = false))]
    fn plan_publish<'py>(
        &self,
        py: Python<'py>,
        owner: &Bound<'py, PyAny>,
        addresses: &Bound<'py, PyAny>,
        interface: Given<'_, 'py>,
        all: bool,
    ) -> Result<Plan> {
        let call = call(owner, addresses, interface, all)?;
        self.run(py, |node| node.plan_publish(&call)).map(Plan)
    }

    /// Withdraws addresses of `owner`, or all of them without `addresses`: entries, rules and what only they needed. To be
    /// called before their routes go. What is not published is no error; what another owner has is left alone, and noted in
    /// the receipt.
    #[pyo3(signature = (owner, addresses = None))]
    fn withdraw<'py>(
        &self,
        py: Python<'py>,
        owner: &Bound<'py, PyAny>,
        addresses: Given<'_, 'py>,
    ) -> Result<Receipt> {
        let (owner, addresses) = going(owner, addresses)?;
        self.run(py, |node| node.withdraw(Some(&owner), addresses.as_deref())).map(receipt)
    }

    /// What `withdraw` would change now: Plan. Nothing is changed or sent.
    #[pyo3(signature = (owner, addresses = None))]
    fn plan_withdraw<'py>(
        &self,
        py: Python<'py>,
        owner: &Bound<'py, PyAny>,
        addresses: Given<'_, 'py>,
    ) -> Result<Plan> {
        let (owner, addresses) = going(owner, addresses)?;
        self.run(py, |node| node.plan_withdraw(Some(&owner), addresses.as_deref())).map(Plan)
    }

    /// Publishes again what is missing of what was published (an interface was down, or came late), withdraws what lost its
    /// route, and takes over what a container's file names and somebody else published.
    fn sync(&self, py: Python<'_>) -> Result<Receipt> {
        self.run(py, Node::sync).map(receipt)
    }

    /// What is published on the host, here, by `arpflux vz` or by the scripts of vzctl, and how each address stands: a tuple of
    /// Published.
    fn published<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        let standing = self.run(py, Node::standing)?;
        let records: Vec<Published<'_>> = standing.iter().map(Published::new).collect();
        value::typed_all(py, "Published", &records)
    }
}
