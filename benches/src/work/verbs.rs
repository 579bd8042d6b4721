//! Large hosts as files, for whole verbs of the command.

use std::net::IpAddr;
use std::path::Path;

use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::policy::ProxyPolicy;
use arpflux_core::snapshot::Snapshot;
use arpflux_core::{Policy, Result};

use crate::node::{large, one_wire};

/// Writes a host of so many interfaces, a policy for it, and the host as the policy leaves it.
pub fn host(what: &str, interfaces: u32, folder: &str) -> Result<()> {
    let snapshot = match what {
        "large" => large(interfaces),
        "one-wire" => one_wire(interfaces),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "no such host").on(what)),
    };
    let policy = policy(&snapshot);
    let good = snapshot.with(&policy.plan(&snapshot)?.changes);
    let write = |name: &str, text: String| {
        let path = Path::new(folder).join(name);
        std::fs::write(&path, text).map_err(|error| Error::io("write", path.display().to_string(), &error))
    };
    write("host.json", snapshot.to_json()?)?;
    write("policy.toml", policy.to_toml()?)?;
    write("good.json", good.to_json()?)
}

/// Each address of the host is answered for by its own interface, and each proxied one where its entry is.
fn policy(snapshot: &Snapshot) -> Policy {
    let mut policy = Policy::default();
    let mut of_interface: std::collections::BTreeMap<String, Vec<IpAddr>> = std::collections::BTreeMap::new();
    for entry in &snapshot.proxies {
        if let Some(interface) = entry.interface {
            of_interface.entry(snapshot.name_of(interface)).or_default().push(entry.address);
        }
    }
    policy.proxies.extend(
        of_interface.into_iter().filter_map(|(name, addresses)| {
            Some(ProxyPolicy::new(name.clone(), addresses, name.parse().ok()?))
        }),
    );
    policy
}
