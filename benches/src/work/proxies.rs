//! Proxy entries added and deleted, checked by reading them again.

use std::net::Ipv4Addr;

use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::plan::InterfaceIdentity;
use arpflux_core::snapshot::ProxyEntry;
use arpflux_core::state::Change;
use arpflux_core::{Host, Plan, Result, apply};

use crate::measure::Measure;

/// Addresses 10.0.0.0 and on, as the floor program has them; deletes the newest first.
fn changes(edit: &str, interface: &str, count: u32) -> Result<(Plan, usize)> {
    let snapshot = Host::current()?.snapshot()?;
    let interface = snapshot
        .interfaces
        .iter()
        .find(|i| i.name.to_string() == interface)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such interface").on(interface))?;
    let entry =
        |at: u32| ProxyEntry::new(Ipv4Addr::from_bits(0x0a00_0000 | at).into(), Some(interface.index));
    let (changes, left): (Vec<Change>, usize) = match edit {
        "add" => ((0..count).map(entry).map(Change::add).collect(), count as usize),
        "del" => ((0..count).rev().map(entry).map(Change::remove).collect(), 0),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "add or del").on(edit)),
    };
    let identities = vec![InterfaceIdentity::from(interface)];
    let plan = Plan::default().netns(snapshot.netns.clone()).interfaces(identities).changes(changes);
    Ok((plan, left))
}

/// Through the typed API alone.
pub fn run(edit: &str, interface: &str, count: u32) -> Result<()> {
    let (plan, left) = changes(edit, interface, count)?;
    let mut kernel = LinuxKernel::open()?;
    let begun = Measure::begin()?;
    kernel.make(&plan.changes).map_err(|failed| failed.error)?;
    let now = kernel.proxies()?.len();
    begun.end(1, count as usize)?;
    verify(now, left)
}

/// As a transaction: journal, rollback ready, checked by a whole snapshot.
pub fn journalled(edit: &str, interface: &str, count: u32, state: &str) -> Result<()> {
    let (plan, left) = changes(edit, interface, count)?;
    let host = Host::current()?;
    let options = apply::Options::default().state_dir(state);
    let begun = Measure::begin()?;
    host.apply(&plan, &options)?.leave();
    begun.end(1, count as usize)?;
    verify(host.snapshot()?.proxies.len(), left)
}

fn verify(now: usize, left: usize) -> Result<()> {
    if now == left {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, format!("{now} proxy entries instead of {left}")))
}
