//! Three sysctls on many interfaces: read, compared, written where they differ.

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::{Host, Result};

use crate::measure::Measure;

/// `arp_ignore`, `arp_announce` and `rp_filter` of the interfaces whose names begin with `prefix`. The
/// result is the number of values written.
pub fn run(prefix: &str, count: usize, value: i32) -> Result<()> {
    // Which interfaces there are is known beforehand, as it is to the floor program.
    let known = Host::current()?.snapshot()?;
    let scopes: Vec<SysctlScope> = known
        .interfaces
        .iter()
        .filter(|interface| interface.name.to_string().starts_with(prefix))
        .take(count)
        .map(|interface| SysctlScope::Interface { index: interface.index, name: interface.name })
        .collect();
    let begun = Measure::begin()?;
    let mut kernel = LinuxKernel::open()?;
    // Read by netlink: the dump of the interfaces carries the values.
    let now = kernel.interfaces()?;
    let mut changes = Vec::with_capacity(3 * scopes.len());
    for scope in &scopes {
        let SysctlScope::Interface { index, .. } = scope else { continue };
        let Ok(at) = now.binary_search_by_key(index, |interface| interface.index) else { continue };
        let interface = &now[at];
        for sysctl in [Sysctl::ArpIgnore, Sysctl::ArpAnnounce, Sysctl::RpFilter] {
            if let Some(before) = interface.sysctls.get(sysctl).filter(|before| *before != value) {
                changes.push(Change::set(Object::Sysctl { scope: *scope, sysctl }, before, value));
            }
        }
    }
    kernel.make(&changes).map_err(|failed| failed.error)?;
    begun.end(1, changes.len())
}
