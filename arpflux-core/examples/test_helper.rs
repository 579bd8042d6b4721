//! Tests of one's own without a kernel: hosts made by hand, and who answers there.

use std::net::Ipv4Addr;

use arpflux_core::predict::{ArpRequest, Model, Verdict};
use arpflux_core::snapshot::{Builder, Interference, Route, Rule, Snapshot};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::{IfIndex, IpNet};

/// Two interfaces in one subnet, as a kernel has them after `ip address add`.
pub(crate) fn two_nics() -> Builder {
    Builder::new().nic("eth0", &["192.168.18.10/24"]).nic("eth1", &["192.168.18.11/24"])
}

/// What becomes of a neighbour's request for `target` that arrives on `interface`.
pub(crate) fn ask(
    host: &Snapshot,
    interface: &str,
    target: Ipv4Addr,
) -> Result<Verdict, Box<dyn std::error::Error>> {
    let interface = host.interface_named(&interface.parse()?).ok_or("no such interface")?.index;
    let request = ArpRequest::broadcast(interface, Ipv4Addr::new(192, 168, 18, 77), target);
    Ok(Model::new(host)?.reply(&request))
}

/// The cases, as tests would have them.
pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    let of_eth0 = Ipv4Addr::new(192, 168, 18, 10);
    let flux = two_nics().build()?;
    assert_eq!(ask(&flux, "eth1", of_eth0)?.answers(), Some(true));

    let cured = two_nics().sysctl("eth1", Sysctl::ArpIgnore, 1).build()?;
    assert_eq!(ask(&cured, "eth1", of_eth0)?.answers(), Some(false));

    // With arp_filter the way back decides: by eth0, unless a rule leads the address elsewhere.
    let filtered = two_nics().sysctl("eth1", Sysctl::ArpFilter, 1);
    assert_eq!(ask(&filtered.clone().build()?, "eth1", of_eth0)?.answers(), Some(false));
    let (source, subnet): (IpNet, IpNet) = ("192.168.18.10/32".parse()?, "192.168.18.0/24".parse()?);
    let routed = filtered.rule(Rule::lookup(100, 100).source(source));
    let routed = routed.any_route(Route::new(subnet, IfIndex(3)).table(100_u32)).build()?;
    assert_eq!(ask(&routed, "eth1", of_eth0)?.answers(), Some(true));

    // What could not be read leaves the answer open: it is neither good nor bad.
    let unread = Interference::Unreadable { what: "the rules of nftables".into(), needs: None };
    let unread = two_nics().interference(unread).build()?;
    assert_eq!(ask(&unread, "eth1", of_eth0)?.answers(), None);

    // The impossible is refused, with its place.
    let error = Builder::new().nic("eth0", &["192.168.18.10/33"]).build().expect_err("no such prefix");
    println!("{error}");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run()
}
