//! Names of interfaces: `if1` for one, and names that begin alike where a filter asks for those that begin so.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Result};
use crate::recommend::{PLUGIN_NAMES, PLUGIN_PREFIXES};
use crate::types::IfName;

/// Beside those of network plugins: names that say whose software an interface is of, and nothing of the host.
const KEPT: [&str; 1] = ["lo"];
/// The same of beginnings.
const KEPT_STARTS: [&str; 1] = [crate::plan::KUBE_VIP];

fn is_kept(name: &[u8]) -> bool {
    KEPT.iter().chain(&PLUGIN_NAMES).any(|kept| kept.as_bytes() == name)
}

fn kept_start(name: &[u8]) -> Option<&'static [u8]> {
    let all = KEPT_STARTS.iter().chain(&PLUGIN_PREFIXES).map(|start| start.as_bytes());
    all.into_iter().find(|start| name.len() > start.len() && name.starts_with(start))
}

/// What stands for each name, and for each beginning that filters ask for.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: BTreeSet<Vec<u8>>,
    starts: BTreeSet<Vec<u8>>,
    images: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Names {
    pub(super) fn insert(&mut self, name: &[u8]) {
        self.names.insert(name.to_vec());
    }

    /// A filter asks for what begins so.
    pub(super) fn insert_start(&mut self, start: &[u8]) {
        self.starts.insert(start.to_vec());
    }

    pub(super) fn of(&self, name: &[u8]) -> Option<&[u8]> {
        if name.is_empty() { Some(&[]) } else { self.images.get(name).map(Vec::as_slice) }
    }

    /// Finds what stands for each.
    pub(super) fn ready(&mut self) -> Result<()> {
        let all: BTreeSet<&Vec<u8>> =
            self.names.iter().chain(&self.starts).filter(|name| !name.is_empty()).collect();
        let digits = all.len().to_string().len();
        let free = |base: &&str| !all.iter().any(|name| name.starts_with(base.as_bytes()));
        let base = ["if", "nic", "dev", "net", "xif"].into_iter().find(free).unwrap_or("if");
        let mut images: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        // A beginning comes before what begins so.
        for (number, name) in (1..).zip(&all) {
            let start = (1..name.len()).rev().find_map(|len| self.starts.get(&name[..len]));
            let image = match (start.and_then(|start| images.get(start)), kept_start(name)) {
                (None, _) if is_kept(name) => (*name).clone(),
                (Some(start), _) => [start, format!("{number:0digits$}").as_bytes()].concat(),
                (None, Some(start)) => [start, format!("{number:0digits$}").as_bytes()].concat(),
                (None, None) => format!("{base}{number:0digits$}").into_bytes(),
            };
            images.insert((*name).clone(), image);
        }
        for (start, name) in self.starts.iter().flat_map(|start| all.iter().map(move |name| (start, *name))) {
            let (Some(to_start), Some(to_name)) = (images.get(start), images.get(name)) else { continue };
            if name.starts_with(start) != to_name.starts_with(to_start) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a filter asks for interfaces whose names begin alike in a way that cannot be kept",
                ));
            }
        }
        if images.values().any(|image| image.len() > IfName::MAX) {
            let message = "names of interfaces would become longer than 15 bytes";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        self.images = images;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_filters_ask_of_them() {
        let mut names = Names::default();
        for name in ["lo", "eth0", "eth1", "wan", "if7", "cali123", "kube-ipvs0", "vip-a"] {
            names.insert(name.as_bytes());
        }
        names.insert_start(b"eth");
        names.ready().unwrap();
        let of = |name: &str| String::from_utf8(names.of(name.as_bytes()).unwrap().to_vec()).unwrap();
        assert_eq!((of("lo"), of("kube-ipvs0")), ("lo".into(), "kube-ipvs0".into()));
        assert!(of("eth0").starts_with(&of("eth")) && of("eth1").starts_with(&of("eth")));
        assert!(!of("wan").starts_with(&of("eth")) && !of("if7").starts_with("if"));
        assert!(of("cali123").starts_with("cali") && of("cali123") != "cali123");
        assert!(of("vip-a").starts_with("vip-") && of("vip-a") != "vip-a");
        assert!(of("eth0") < of("eth1") && names.of(b"eth9").is_none());
    }
}
