//! Whether lists are as they were, without reading them: for those of which the kernel sends no news.
//!
//! A digest is a number made of all that the kernel says, in its order. Equal lists have equal digests, unless
//! their order changed; lists with equal digests are equal but for one chance in some billions.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::quality::{FixedState, FoldHasher};
use nix::libc::AF_INET;

use super::LinuxKernel;
use super::read::{ask_for_links, dump, header, of_family};
use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::uapi::{NTF_PROXY, RTM_GETLINK, RTM_GETNEIGH, RTM_GETNEIGHTBL};
use crate::state::SysctlScope;
use crate::sysctl::Sysctl;

/// Equal input gives equal digests within a process, which is all that is compared.
fn digest() -> FoldHasher<'static> {
    FixedState::default().build_hasher()
}

impl LinuxKernel {
    /// The digest of the proxy entries of both families.
    ///
    /// # Errors
    /// Any failure to read.
    pub(crate) fn proxies_digest(&mut self) -> Result<u64> {
        let mut proxies = [0u8; 12];
        proxies[10] = NTF_PROXY;
        let mut digested = digest();
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGH, 0, &proxies);
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => digested = digest(),
            Some(payload) => payload.hash(&mut digested),
        })
        .map_err(|error| error.during("list").on("proxy entries"))?;
        Ok(digested.finish())
    }

    /// The digest of interfaces with their sysctls, of those of `all`, and of `proxy_delay` and its kin.
    ///
    /// # Errors
    /// Any failure to read.
    pub(crate) fn interfaces_digest(&mut self) -> Result<u64> {
        let mut digest = self.begin_digest();
        self.messages.clear();
        self.messages.begin(RTM_GETLINK, 0, &[0; 16]);
        ask_for_links(&mut self.messages);
        dump(&mut self.netlink, &mut self.messages, |payload| digest.link(payload))
            .map_err(|error| error.during("list").on("interfaces"))?;
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGHTBL, 0, &header::<4>(AF_INET));
        dump(&mut self.netlink, &mut self.messages, |payload| digest.params(payload))
            .map_err(|error| error.during("list").on("neighbour parameters"))?;
        Ok(digest.finish())
    }

    /// The same of what the last snapshot has, if [`LinuxKernel::only_near`] was called before: what has happened since makes
    /// another one.
    pub(crate) fn interfaces_digest_of_snapshot(&self) -> u64 {
        self.digest.as_ref().map_or(0, InterfacesDigest::finish)
    }

    /// Reads what comes first: the values of `all`, which are in no answer about interfaces.
    pub(super) fn begin_digest(&self) -> InterfacesDigest {
        let mut all = digest();
        for sysctl in Sysctl::ALL {
            self.sysctl(&SysctlScope::All, *sysctl).ok().hash(&mut all);
        }
        InterfacesDigest { all: all.finish(), links: digest(), params: digest() }
    }
}

/// The digest of interfaces, made of the kernel's answers as they come; `None` begins a list anew.
pub(super) struct InterfacesDigest {
    all: u64,
    links: FoldHasher<'static>,
    params: FoldHasher<'static>,
}

impl InterfacesDigest {
    pub fn link(&mut self, payload: Option<&[u8]>) {
        match payload {
            None => self.links = digest(),
            Some(payload) => payload.hash(&mut self.links),
        }
    }

    pub fn params(&mut self, payload: Option<&[u8]>) {
        let Some(payload) = payload else {
            self.params = digest();
            return;
        };
        // Not all of it: timers run and counters count there.
        if let Some(read) = of_family(payload, AF_INET).and_then(decode::neighbour_params) {
            let of = read.params;
            (read.interface.0, of.proxy_delay, of.proxy_qlen, of.locktime).hash(&mut self.params);
        }
    }

    fn finish(&self) -> u64 {
        let mut whole = digest();
        [self.all, self.links.finish(), self.params.finish()].hash(&mut whole);
        whole.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel as _;
    use crate::kernel::testing::in_new_netns;
    use crate::snapshot::Near;
    use crate::state::{Change, Object};
    use crate::types::IfIndex;

    #[test]
    fn that_of_a_snapshot_is_that_of_the_lists_until_something_changes() {
        in_new_netns(|| {
            let mut kernel = LinuxKernel::open().unwrap();
            kernel.only_near(Near::default());
            kernel.snapshot().unwrap();
            let known = kernel.interfaces_digest_of_snapshot();
            assert_eq!(known, kernel.interfaces_digest().unwrap());
            let interface = kernel.interfaces().unwrap()[0].clone();
            // Reading interfaces alone is no snapshot.
            assert_eq!(known, kernel.interfaces_digest_of_snapshot());
            let own = SysctlScope::Interface { index: IfIndex(1), name: interface.name };
            let sysctl =
                |scope, after| Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 0, after);
            let delay = Object::ProxyDelay { scope: own };
            let delayed = Change::set(delay, 80, 70);
            for change in [sysctl(own, 1), sysctl(SysctlScope::All, 1), delayed] {
                let known = kernel.interfaces_digest_of_snapshot();
                kernel.make(std::slice::from_ref(&change)).map_err(|failed| failed.error).unwrap();
                assert_ne!(known, kernel.interfaces_digest().unwrap(), "{change:?}");
                kernel.snapshot().unwrap();
                assert_eq!(kernel.interfaces_digest_of_snapshot(), kernel.interfaces_digest().unwrap());
            }
        });
    }
}
