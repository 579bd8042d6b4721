//! Making changes.

use nix::libc;

use super::{LinuxKernel, encode, names};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Failed;
use crate::kernel::netlink::BatchFailure;
use crate::plan::{Change, Edit};
use crate::snapshot::{ProxyEntry, Route, Rule};

const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

/// How many messages go into one system call: a killed process is not stopped inside it, and the
/// errors of all of them must fit the socket's queue.
pub(super) const BATCH: usize = 256;

impl LinuxKernel {
    pub(super) fn make_all(&mut self, changes: &[Change]) -> Result<(), Failed> {
        let mut at = 0;
        while let Some(change) = changes.get(at) {
            if let Change::Proxy { edit, .. } = change {
                let run = changes[at..]
                    .iter()
                    .take(BATCH)
                    .map_while(|change| match change {
                        Change::Proxy { edit: other, entry } if other == edit => Some(entry),
                        _ => None,
                    })
                    .collect::<Vec<_>>();
                self.make_proxies(*edit, &run).map_err(|failed| failed.from(at))?;
                at += run.len();
                continue;
            }
            let set = self.set_sysctls(&changes[at..]).map_err(|failed| failed.from(at))?;
            at += set;
            if set == 0 {
                self.make_one(change).map_err(|error| Failed { at, beyond: Vec::new(), error })?;
                at += 1;
            }
        }
        Ok(())
    }

    fn make_one(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Sysctl { scope, sysctl, after, .. } => self.set_sysctl(scope, *sysctl, *after),
            Change::Ipv6Sysctl { scope, sysctl, after, .. } => self.set_ipv6_sysctl(scope, *sysctl, *after),
            Change::ProxyDelay { scope, after, .. } => self.set_proxy_delay(scope, *after),
            Change::Proxy { edit, entry } => {
                self.make_proxies(*edit, &[entry]).map_err(|failed| failed.error)
            }
            Change::Rule { edit, rule } => self.edit_rule(*edit, rule),
            Change::Route { edit, route } => self.edit_route(*edit, route),
        }
    }

    /// Sends at most [`BATCH`] entries; places in [`Failed`] are those of `entries`.
    fn make_proxies(&mut self, edit: Edit, entries: &[&ProxyEntry]) -> Result<(), Failed> {
        self.messages.clear();
        for entry in entries {
            encode::proxy(&mut self.messages, edit, entry);
        }
        let Err(BatchFailure { refused, lost }) = self.netlink.batch(&mut self.messages) else {
            return Ok(());
        };
        let was_refused = |place: usize| refused.iter().any(|(other, _)| *other == place);
        // With answers lost nothing is certain from the first entry on.
        let at = match (&lost, refused.first()) {
            (None, Some((place, _))) => *place,
            _ => 0,
        };
        let beyond = (at..entries.len()).filter(|place| !was_refused(*place)).collect();
        let reason = refused
            .into_iter()
            .find(|(place, _)| *place == at)
            .map(|(_, error)| error)
            .or(lost)
            .unwrap_or_else(|| Error::new(ErrorKind::Internal, "a change failed without a reason"));
        let object = entries.get(at).map(|entry| match entry.interface {
            Some(index) => format!("{} dev {}", entry.address, names::name_of(&self.netlink, index)),
            None => entry.address.to_string(),
        });
        let operation = match edit {
            Edit::Add => "add proxy entry",
            Edit::Remove => "delete proxy entry",
        };
        let error = changed(gone(reason), edit).during(operation).on(object.unwrap_or_default());
        Err(Failed { at, beyond, error })
    }

    fn edit_rule(&mut self, edit: Edit, rule: &Rule) -> Result<()> {
        let message = encode::rule(edit, rule);
        let (flags, operation) = match edit {
            Edit::Add => (NLM_F_CREATE | NLM_F_EXCL, "add rule"),
            Edit::Remove => (0, "delete rule"),
        };
        self.netlink.request(&message, flags).map_err(|error| {
            let family = if rule.ipv6 { "IPv6" } else { "IPv4" };
            let object = format!("of priority {} ({family}, table {})", rule.priority, rule.table);
            changed(error, edit).during(operation).on(object)
        })
    }

    fn edit_route(&mut self, edit: Edit, route: &Route) -> Result<()> {
        let message = encode::route(edit, route);
        let (flags, operation) = match edit {
            Edit::Add => (NLM_F_CREATE | NLM_F_EXCL, "add route"),
            Edit::Remove => (0, "delete route"),
        };
        self.netlink.request(&message, flags).map_err(|error| {
            let object = format!("{} table {}", route.destination, route.table);
            changed(gone(error), edit).during(operation).on(object)
        })
    }
}

/// An interface that is not there was there when the plan was made.
pub(super) fn gone(error: Error) -> Error {
    match error.errno() {
        Some(libc::ENODEV) => error.with_kind(ErrorKind::Changed).hint("make the plan again"),
        _ => error,
    }
}

/// What shall come is there already, or what shall go is not: somebody was faster.
fn changed(error: Error, edit: Edit) -> Error {
    match (edit, error.errno()) {
        (Edit::Add, Some(libc::EEXIST)) | (Edit::Remove, Some(libc::ENOENT | libc::ESRCH)) => {
            error.with_kind(ErrorKind::Changed).hint("make the plan again")
        }
        _ => error,
    }
}
