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
        let mut links = digest();
        self.messages.clear();
        self.messages.begin(RTM_GETLINK, 0, &[0; 16]);
        ask_for_links(&mut self.messages);
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => links = digest(),
            Some(payload) => payload.hash(&mut links),
        })
        .map_err(|error| error.during("list").on("interfaces"))?;
        let mut params = links.clone();
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGHTBL, 0, &header::<4>(AF_INET));
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => params.clone_from(&links),
            // Not all of it: timers run and counters count there.
            Some(payload) => {
                let read = of_family(payload, AF_INET).and_then(decode::neighbour_params);
                if let Some(read) = read {
                    let of = read.params;
                    (read.interface.0, of.proxy_delay, of.proxy_qlen, of.locktime).hash(&mut params);
                }
            }
        })
        .map_err(|error| error.during("list").on("neighbour parameters"))?;
        // No answer about interfaces has those of `all`.
        for sysctl in Sysctl::ALL {
            self.sysctl(&SysctlScope::All, *sysctl).ok().hash(&mut params);
        }
        Ok(params.finish())
    }
}
