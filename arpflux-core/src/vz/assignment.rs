//! Which interface a container's address belongs on, and whose an address is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Veid;
use super::conf::{self, Conf};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{HostPolicy, Policy, Strategy};
use crate::types::IfName;

/// Where the files are that say what belongs where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The policy; it need not exist. Default `/etc/arpflux/policy.toml`.
    pub policy: PathBuf,
    /// vzctl's global configuration. Default `/etc/vz/vz.conf`.
    pub global: PathBuf,
    /// The folder of the containers' `$CTID.conf`. Default `/etc/vz/conf`.
    pub containers: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            policy: crate::persist::POLICY.into(),
            global: "/etc/vz/vz.conf".into(),
            containers: "/etc/vz/conf".into(),
        }
    }
}

impl Places {
    /// The policy; `None` if there is no file. What it leaves open has the defaults of vz: without a
    /// policy the host's own ARP sysctls and the routing of its own addresses are left alone, and [`HostPolicy::proxy_delay`] is 0, so that no
    /// request for a container's address waits or is lost.
    ///
    /// # Errors
    /// As [`Policy::from_path`].
    pub fn policy(&self) -> Result<Policy> {
        let mut policy = match Policy::from_path(&self.policy) {
            Ok(policy) => policy,
            Err(error) if error.errno() == Some(libc::ENOENT) => Policy {
                // Nothing of the host itself, its routing included.
                host: HostPolicy {
                    interfaces: Some(Vec::new()),
                    strategy: Strategy::Unmanaged,
                    ..HostPolicy::default()
                },
                proxies: Vec::new(),
                services: Vec::new(),
            },
            Err(error) => return Err(error),
        };
        policy.host.proxy_delay = policy.host.proxy_delay.or(Some(0));
        Ok(policy)
    }

    /// A container's configuration; `None` if there is none.
    ///
    /// # Errors
    /// As [`Conf::from_path`].
    pub fn container(&self, veid: &Veid) -> Result<Option<Conf>> {
        Conf::from_path(&self.containers.join(format!("{veid}.conf")))
    }

    /// The interface for an address of `owner`; see [`assigned`].
    ///
    /// # Errors
    /// As [`assigned`], and any failure to read the files.
    pub fn interface(&self, policy: &Policy, owner: &str, address: Option<IpAddr>) -> Result<IfName> {
        let own = match owner.parse() {
            Ok(veid) => self.container(&veid)?,
            // A label of the policy, which no file can be called.
            Err(_) => None,
        };
        let assigned =
            assigned(policy, own.as_ref(), Conf::from_path(&self.global)?.as_ref(), owner, address);
        assigned.map_err(|error| match error.kind() {
            ErrorKind::NotFound => error.hint(format!(
                "write {}=\"eth3\" in {} (or, for all others, in {}), or a [[proxy]] with this owner in {}",
                conf::INTERFACE,
                self.containers.join(format!("{owner}.conf")).display(),
                self.global.display(),
                self.policy.display()
            )),
            _ => error,
        })
    }

    /// Whose an address is: the policy knows, or the one container whose [`conf::ADDRESSES`] holds it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nobody knows, [`ErrorKind::Refused`] if two containers have it, and any
    /// failure to read the files.
    pub fn owner(&self, policy: &Policy, address: IpAddr) -> Result<String> {
        if let Some(proxy) = policy.proxies.iter().find(|proxy| proxy.addresses.contains(&address)) {
            return Ok(proxy.owner.clone());
        }
        let mut owners: Vec<String> = Vec::new();
        for veid in veids(&self.containers)? {
            if self.container(&veid)?.is_some_and(|conf| conf.addresses().contains(&address)) {
                owners.push(veid.to_string());
            }
        }
        let unclear = |kind, message: String| {
            Err(Error::new(kind, message)
                .during("look up container of")
                .on(address)
                .hint("say which container is meant: VEID in the environment, or --veid"))
        };
        match owners.as_slice() {
            [one] => Ok(one.clone()),
            [] => unclear(ErrorKind::NotFound, "neither the policy nor a container's file names it".into()),
            several => {
                unclear(ErrorKind::Refused, format!("containers {} both have it", several.join(" and ")))
            }
        }
    }
}

impl Places {
    /// The containers that have a file with addresses, and these.
    ///
    /// # Errors
    /// Any failure to read the files.
    pub(super) fn addresses(&self) -> Result<Vec<(Veid, Vec<IpAddr>)>> {
        let mut found = Vec::new();
        for veid in veids(&self.containers)? {
            let addresses = self.container(&veid)?.map(|conf| conf.addresses()).unwrap_or_default();
            if !addresses.is_empty() {
                found.push((veid, addresses));
            }
        }
        Ok(found)
    }
}

/// The containers that have a file in `folder`; none if there is no such folder.
fn veids(folder: &Path) -> Result<Vec<Veid>> {
    let failed = |error: std::io::Error| Error::file("read", folder, &error);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let veid = name.to_str().and_then(|name| name.strip_suffix(".conf")?.parse().ok());
        found.extend(veid);
    }
    found.sort();
    Ok(found)
}

/// The interface for `address` of `owner`, or for the owner as a whole: the policy's `[[proxy]]` that
/// names the address or the owner, or [`conf::INTERFACE`] in the container's own file; where neither says
/// anything, [`conf::INTERFACE`] in the `global` one.
///
/// # Errors
/// [`ErrorKind::NotFound`] if nothing says where it belongs, [`ErrorKind::Refused`] if two things say
/// different ones.
pub fn assigned(
    policy: &Policy,
    own: Option<&Conf>,
    global: Option<&Conf>,
    owner: &str,
    address: Option<IpAddr>,
) -> Result<IfName> {
    let object = || match address {
        Some(address) => format!("{address} of container {owner}"),
        None => format!("container {owner}"),
    };
    let refused = |message: String, hint: &'static str| {
        Err(Error::new(ErrorKind::Refused, message).during("look up interface of").on(object()).hint(hint))
    };
    let by_address =
        address.and_then(|address| policy.proxies.iter().find(|proxy| proxy.addresses.contains(&address)));
    if let Some(proxy) = by_address
        && proxy.owner != owner
    {
        return refused(
            format!("the policy gives the address to {:?}", proxy.owner),
            "an address belongs to one container: mend the policy or the container's configuration",
        );
    }
    let of_owner: BTreeSet<IfName> = match by_address {
        Some(proxy) => BTreeSet::from([proxy.interface]),
        None => policy.proxies.iter().filter(|p| p.owner == owner).map(|proxy| proxy.interface).collect(),
    };
    let by_conf = own.map(Conf::interface).transpose()?.flatten();
    match (of_owner.len(), of_owner.first(), by_conf) {
        (1, Some(one), Some(other)) if *one != other => refused(
            format!("the policy says {one}, {} in the container's file says {other}", conf::INTERFACE),
            "say it in one place only",
        ),
        (0 | 1, Some(one), _) => Ok(*one),
        (_, _, Some(one)) => Ok(one),
        (0, _, None) => match global.map(Conf::interface).transpose()?.flatten() {
            Some(one) => Ok(one),
            None => Err(Error::new(ErrorKind::NotFound, "nothing says which interface it belongs on")
                .during("look up interface of")
                .on(object())),
        },
        _ => {
            let names: Vec<String> = of_owner.iter().map(ToString::to_string).collect();
            refused(
                format!("the policy has this owner on {} and does not name the address", names.join(" and ")),
                "name the address in one [[proxy]]",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
version = 1
[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
[[proxy]]
owner = "102"
addresses = ["192.168.18.102"]
interface = "eth4"
[[proxy]]
owner = "102"
addresses = ["192.168.18.112"]
interface = "eth0"
"#;

    fn conf(value: &str) -> Conf {
        Conf::new("x.conf", format!("ARPFLUX_IF=\"{value}\"\n"))
    }

    fn look(owner: &str, address: &str, own: Option<&str>, global: Option<&str>) -> Result<String> {
        let policy = Policy::from_toml(POLICY, "policy.toml").unwrap();
        let (own, global) = (own.map(conf), global.map(conf));
        let address = (!address.is_empty()).then(|| address.parse().unwrap());
        assigned(&policy, own.as_ref(), global.as_ref(), owner, address).map(|name| name.to_string())
    }

    #[test]
    fn policy_own_file_global_file() {
        assert_eq!(look("101", "192.168.18.101", None, Some("eth0")).unwrap(), "eth3");
        assert_eq!(look("101", "192.168.18.111", None, Some("eth0")).unwrap(), "eth3", "by its owner");
        assert_eq!(look("101", "", None, None).unwrap(), "eth3");
        assert_eq!(look("102", "192.168.18.112", None, None).unwrap(), "eth0", "by the address");
        assert_eq!(look("101", "192.168.18.101", Some("eth3"), None).unwrap(), "eth3", "both say the same");
        assert_eq!(look("103", "192.168.18.103", Some("eth4"), Some("eth0")).unwrap(), "eth4");
        assert_eq!(look("103", "192.168.18.103", None, Some("eth0")).unwrap(), "eth0");
        assert_eq!(look("103", "192.168.18.103", Some(""), Some("eth0")).unwrap(), "eth0");
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_what_nobody_knows_is_said() {
        let kind = |result: Result<String>| result.unwrap_err().kind();
        assert_eq!(kind(look("103", "192.168.18.103", None, None)), ErrorKind::NotFound);
        assert_eq!(kind(look("101", "192.168.18.101", Some("eth4"), None)), ErrorKind::Refused);
        assert_eq!(kind(look("103", "192.168.18.101", Some("eth3"), None)), ErrorKind::Refused);
        assert_eq!(kind(look("102", "192.168.18.122", None, None)), ErrorKind::Refused);
        assert_eq!(kind(look("103", "192.168.18.103", Some("$(id)"), None)), ErrorKind::InvalidPolicy);
    }

    #[test]
    fn the_owner_of_an_address_from_the_containers_files() {
        let folder = std::env::temp_dir().join(format!("arpflux-vz-owner-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let places = Places { containers: folder.clone(), ..Places::default() };
        let policy = Policy::from_toml(POLICY, "policy.toml").unwrap();
        let owner = |address: &str| places.owner(&policy, address.parse().unwrap());
        for (veid, addresses) in [("103", "10.0.0.3 10.0.0.33"), ("104", "10.0.0.4 10.0.0.33"), ("0", "")] {
            std::fs::write(folder.join(format!("{veid}.conf")), format!("IP_ADDRESS=\"{addresses}\"\n"))
                .unwrap();
        }
        std::fs::write(folder.join("ve-basic.conf-sample"), "IP_ADDRESS=\"10.0.0.4\"\n").unwrap();
        assert_eq!(owner("192.168.18.112").unwrap(), "102");
        assert_eq!(owner("10.0.0.4").unwrap(), "104");
        assert_eq!(owner("10.0.0.5").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(owner("10.0.0.33").unwrap_err().kind(), ErrorKind::Refused);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(owner("10.0.0.4").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
