//! The transaction over a kernel in memory.

mod all;
mod changes;
mod comparable;
mod faults;
mod folders;
mod fuzz;
mod history;
mod journals;
mod killed;
mod mixed;
mod plans;
mod random;
mod scratch;

use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::kernel::{FakeKernel, Kernel as _};
use crate::plan::{InterfaceIdentity, Plan};
use crate::snapshot::{Interface, NetnsIdentity, ProxyEntry, Snapshot};
use crate::state::{Change, Object, SysctlScope};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// A folder that is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("arpflux-apply-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn options(&self) -> Options {
        Options::default().state_dir(self.0.join("state"))
    }

    fn namespace(&self) -> PathBuf {
        self.0.join("state/ns-77")
    }

    fn journal(&self) -> PathBuf {
        self.namespace().join("journal")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn interface(index: u32) -> Interface {
    let json = format!(
        r#"{{"index":{index},"name":"eth{index}","kind":null,"link_type":1,"mac":"02:00:00:00:00:{index:02x}",
        "flags":3,"carrier":true,"master":null,"link":null,"link_netnsid":null,"mtu":1500,"vlan_id":null,
        "macvlan_mode":null,"vrf_table":null,"sysctls":{{"arp_ignore":0,"arp_announce":0}},
        "neigh":{{"proxy_delay":800,"proxy_qlen":64,"locktime":1000}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn host() -> FakeKernel {
    let netns = NetnsIdentity { boot_id: "here".into(), device: 4, inode: 77, cookie: 9 };
    FakeKernel::new(Snapshot { netns, interfaces: vec![interface(1), interface(2)], ..Snapshot::default() })
}

fn sysctl(index: u32, before: i32, after: i32) -> Change {
    let scope =
        SysctlScope::Interface { index: IfIndex(index), name: format!("eth{index}").parse().unwrap() };
    Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, before, after)
}

fn proxy(add: bool, last: u8) -> Change {
    let entry = ProxyEntry {
        address: IpAddr::from([192, 0, 2, last]),
        interface: Some(IfIndex(1)),
        flags: 0,
        protocol: crate::plan::PROTOCOL,
    };
    if add { Change::add(entry) } else { Change::remove(entry) }
}

fn plan(changes: impl Into<Vec<Change>>) -> Plan {
    Plan { changes: changes.into(), ..Plan::for_any_namespace() }
}

fn apply(kernel: &mut FakeKernel, scratch: &Scratch, changes: &[Change]) -> Result<Receipt> {
    Transaction::new(kernel, &scratch.options()).apply(&plan(changes))
}
