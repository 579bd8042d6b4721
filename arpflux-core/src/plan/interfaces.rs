//! Which interfaces a policy is about.

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::nearest::nearest;
use crate::policy::{InterfaceSelector, Policy};
use crate::snapshot::{Interface, InterfaceFlags, PortFrames};
use crate::types::{IfIndex, IfName};
use crate::words::listed;

/// The interfaces of a policy, resolved.
#[derive(Debug)]
pub(super) struct Managed<'s> {
    /// Those that `[host]` is about, in the policy's order, else by number.
    pub host: Vec<&'s Interface>,
    /// Those that `[[proxy]]` names.
    pub by_name: HashMap<IfName, &'s Interface>,
    /// Those that the policy names, rather than taking all.
    pub named: HashSet<IfIndex>,
}

impl<'s> Managed<'s> {
    /// All of them, each once.
    pub(super) fn all(&self) -> impl Iterator<Item = &'s Interface> + '_ {
        let host: HashSet<IfIndex> = self.host.iter().map(|interface| interface.index).collect();
        let mut others: Vec<_> =
            self.by_name.values().copied().filter(|interface| !host.contains(&interface.index)).collect();
        others.sort_by_key(|interface| interface.index);
        self.host.iter().copied().chain(others)
    }
}

/// Resolves the interfaces of a policy. What cannot be had now (an interface that is not there, that does not speak
/// ARP or is a port of another) goes to `unmet`, and the rest is taken.
///
/// # Errors
/// The first of these, if nothing at all is left of what the policy names.
pub(super) fn resolve<'s>(policy: &Policy, view: &View<'s>, unmet: &mut Vec<Error>) -> Result<Managed<'s>> {
    let mut managed = Managed { host: Vec::new(), by_name: HashMap::new(), named: HashSet::new() };
    match &policy.host.interfaces {
        Some(selectors) => {
            for selector in selectors {
                let found = match selector {
                    InterfaceSelector::Name(name) => vec![find(view, name)],
                    InterfaceSelector::Pattern(_) => matching(view, selector).into_iter().map(Ok).collect(),
                    InterfaceSelector::Mac(_) => match matching(view, selector) {
                        none if none.is_empty() => vec![Err(Error::new(
                            ErrorKind::NotFound,
                            "no interface that speaks ARP has this MAC",
                        )
                        .during("plan")
                        .on(selector.to_string())
                        .hint("`ip link` lists them"))],
                        found => found.into_iter().map(Ok).collect(),
                    },
                };
                for found in found {
                    match found {
                        Ok(interface) if managed.named.insert(interface.index) => {
                            managed.host.push(interface);
                        }
                        Ok(_) => {}
                        Err(error) => unmet.push(error),
                    }
                }
            }
        }
        None => {
            let speaks = |interface: &&Interface| {
                why_not(view, interface).is_none() && view.addresses(interface.index).next().is_some()
            };
            managed.host = view.snapshot.interfaces.iter().filter(speaks).collect();
        }
    }
    for proxy in &policy.proxies {
        if !managed.by_name.contains_key(&proxy.interface) {
            match find(view, &proxy.interface) {
                Ok(interface) => {
                    managed.named.insert(interface.index);
                    managed.by_name.insert(proxy.interface, interface);
                }
                Err(error) if unmet.iter().any(|known| known.object() == error.object()) => {}
                Err(error) => unmet.push(error),
            }
        }
    }
    if managed.named.is_empty() && !unmet.is_empty() {
        return Err(unmet.swap_remove(0));
    }
    // Patterns may match none; that none of all matches anything is a mistake, or another host's policy.
    if let (true, Some([first, ..])) = (managed.named.is_empty(), policy.host.interfaces.as_deref()) {
        let there = view.snapshot.interfaces.iter().map(|interface| interface.name.to_string());
        return Err(Error::new(ErrorKind::NotFound, "no interface that speaks ARP matches")
            .during("plan")
            .on(first.to_string())
            .hint(format!("there are {}", listed(there.collect::<Vec<_>>()))));
    }
    Ok(managed)
}

/// The interfaces that answer ARP themselves and that a selector stands for.
fn matching<'s>(view: &View<'s>, selector: &InterfaceSelector) -> Vec<&'s Interface> {
    let all = view.snapshot.interfaces.iter();
    all.filter(|interface| selector.matches(interface) && why_not(view, interface).is_none()).collect()
}

fn find<'s>(view: &View<'s>, name: &IfName) -> Result<&'s Interface> {
    let Some(interface) = view.index.named(name) else {
        let names: Vec<String> =
            view.snapshot.interfaces.iter().map(|interface| interface.name.to_string()).collect();
        let meant = nearest(&name.to_string(), names.iter().map(String::as_str))
            .map_or_else(String::new, |near| format!("did you mean {near}? "));
        return Err(Error::new(ErrorKind::NotFound, "no such interface")
            .during("plan")
            .on(*name)
            .hint(format!("{meant}there are {}", listed(names))));
    };
    match why_not(view, interface) {
        None => Ok(interface),
        Some((why, hint)) => Err(Error::new(ErrorKind::Refused, why).during("plan").on(*name).hint(hint)),
    }
}

/// Why an interface never answers ARP itself, and what to name instead. One that is down may come up.
pub(super) fn why_not(view: &View<'_>, interface: &Interface) -> Option<(String, String)> {
    let leave_out = || "leave it out of the policy".to_owned();
    if interface.flags.contains(InterfaceFlags::LOOPBACK) {
        return Some(("it is a loopback interface, which no ARP request reaches".into(), leave_out()));
    }
    if interface.flags.contains(InterfaceFlags::NOARP) || interface.mac.as_bytes().is_empty() {
        return Some(("it does not speak ARP (NOARP, or no link-layer address)".into(), leave_out()));
    }
    let master = view.snapshot.interface(interface.master?)?;
    // A port of a VRF keeps its own ARP; any other kind of master receives for its ports.
    (view.snapshot.frames_of(interface) != PortFrames::Kept).then(|| {
        (
            format!("it is a port of {0}, and {0} answers for what arrives there", master.name),
            format!("name {} instead", master.name),
        )
    })
}
