//! Making changes.

use nix::libc;

use super::set::small;
use super::{LinuxKernel, encode, names};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Failed;
use crate::kernel::netlink::BatchFailure;
use crate::kernel::uapi::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use crate::snapshot::{ProxyEntry, Route, Rule};
use crate::state::{Change, Object, Value};

/// How many messages go into one system call: a killed process is not stopped inside it, and the
/// errors of all of them must fit the socket's queue.
const BATCH: usize = 256;

impl LinuxKernel {
    pub(super) fn make_all(&mut self, changes: &[Change]) -> Result<(), Failed> {
        let mut at = 0;
        while let Some(change) = changes.get(at) {
            if matches!(change.object, Object::Proxy { .. }) {
                let add = change.after.is_there();
                let like = changes[at..].iter().take(BATCH).take_while(|like| like.after.is_there() == add);
                let run: Vec<ProxyEntry> = like.map_while(Change::entry).collect();
                self.make_proxies(add, &run).map_err(|failed| failed.from(at))?;
                at += run.len();
                continue;
            }
            self.make_one(change).map_err(|error| Failed { at, beyond: Vec::new(), error })?;
            at += 1;
        }
        Ok(())
    }

    fn make_one(&mut self, change: &Change) -> Result<()> {
        change.check().map_err(|error| error.during("make change"))?;
        let add = change.after.is_there();
        match (&change.object, change.after, small(change.after)) {
            (Object::Sysctl { scope, sysctl }, _, Some(value)) => self.set_sysctl(scope, *sysctl, value),
            (Object::Ipv6Sysctl { scope, sysctl }, _, Some(value)) => {
                self.set_ipv6_sysctl(scope, *sysctl, value)
            }
            (Object::ProxyDelay { scope }, Value::Number(value), _) => {
                self.set_proxy_delay(scope, value.unsigned_abs())
            }
            (Object::Rule(rule), ..) => self.edit_rule(add, rule),
            (Object::Route(route), ..) => self.edit_route(add, route),
            // Proxy entries go together, and `check` lets no other values through.
            (
                Object::Sysctl { .. }
                | Object::Ipv6Sysctl { .. }
                | Object::ProxyDelay { .. }
                | Object::Proxy { .. },
                ..,
            ) => Ok(()),
        }
    }

    /// Sends at most [`BATCH`] entries; places in [`Failed`] are those of `entries`.
    fn make_proxies(&mut self, add: bool, entries: &[ProxyEntry]) -> Result<(), Failed> {
        self.messages.clear();
        for entry in entries {
            encode::proxy(&mut self.messages, add, entry);
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
        let operation = if add { "add proxy entry" } else { "delete proxy entry" };
        let error = changed(gone(reason), add).during(operation).on(object.unwrap_or_default());
        Err(Failed { at, beyond, error })
    }

    fn edit_rule(&mut self, add: bool, rule: &Rule) -> Result<()> {
        let message = encode::rule(add, rule);
        let (flags, operation) = match add {
            true => (NLM_F_CREATE | NLM_F_EXCL, "add rule"),
            false => (0, "delete rule"),
        };
        self.netlink.request(&message, flags).map_err(|error| {
            let family = if rule.ipv6 { "IPv6" } else { "IPv4" };
            let object = format!("of priority {} ({family}, table {})", rule.priority, rule.table);
            changed(error, add).during(operation).on(object)
        })
    }

    /// Adds a route behind those of the same prefix and metric, as `ip route append` does: what builds a host again
    /// needs it, while a plan replaces nothing and doubles nothing.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn append_route(&mut self, route: &Route) -> Result<()> {
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        self.netlink.request(&encode::route(true, route), flags).map_err(|error| {
            error.during("append route").on(format!("{} table {}", route.destination, route.table))
        })
    }

    fn edit_route(&mut self, add: bool, route: &Route) -> Result<()> {
        let message = encode::route(add, route);
        let (flags, operation) = match add {
            true => (NLM_F_CREATE | NLM_F_EXCL, "add route"),
            false => (0, "delete route"),
        };
        self.netlink.request(&message, flags).map_err(|error| {
            let object = format!("{} table {}", route.destination, route.table);
            changed(gone(error), add).during(operation).on(object)
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
fn changed(error: Error, add: bool) -> Error {
    match (add, error.errno()) {
        (true, Some(libc::EEXIST)) | (false, Some(libc::ENOENT | libc::ESRCH)) => {
            error.with_kind(ErrorKind::Changed).hint("make the plan again")
        }
        _ => error,
    }
}
