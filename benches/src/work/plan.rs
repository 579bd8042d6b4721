//! A plan for a large host.

use std::net::Ipv4Addr;

use arpflux_core::policy::ProxyPolicy;
use arpflux_core::{Policy, Result};

use crate::measure::Measure;
use crate::node::{self, untouched};

/// The default policy (strict, source-routed, announced) and proxy entries, on a host that has none of it.
pub fn policy(interfaces: u32, proxies: u32) -> Policy {
    let proxy = |at: u32| {
        let address = Ipv4Addr::from_bits(node::PROXIED | at).into();
        ProxyPolicy::new(at.to_string(), vec![address], node::name(at % interfaces))
    };
    let mut policy = Policy::default();
    policy.proxies.extend((0..proxies).map(proxy));
    policy
}

/// Makes one.
pub fn run(interfaces: u32, proxies: u32) -> Result<()> {
    let snapshot = untouched(interfaces);
    let policy = policy(interfaces, proxies);
    let begun = Measure::begin()?;
    let plan = policy.plan(&snapshot)?;
    begun.end(1, plan.changes.len())
}
