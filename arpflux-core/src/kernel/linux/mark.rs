//! Whether lists are as they were, without reading them: for those of which the kernel sends no news.
//!
//! A mark is a number made of all that the kernel says, in its order. Equal lists have equal marks, unless
//! their order changed; lists with equal marks are equal but for one chance in some billions.

use super::LinuxKernel;
use super::read::{ask_for_links, dump, header, of_family};
use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::uapi::{NTF_PROXY, RTM_GETLINK, RTM_GETNEIGH, RTM_GETNEIGHTBL};
use nix::libc::AF_INET;

/// Takes in words one after the other (the multiplier of FNV-1a's kin, `rustc-hash`).
#[derive(Debug, Clone, Copy, Default)]
struct Mark(u64);

impl Mark {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_ne_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_ne_bytes(last));
    }
}

impl LinuxKernel {
    /// The mark of the proxy entries of both families.
    ///
    /// # Errors
    /// Any failure to read.
    pub(crate) fn proxies_mark(&mut self) -> Result<u64> {
        let mut proxies = [0u8; 12];
        proxies[10] = NTF_PROXY;
        let mut mark = Mark::default();
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGH, 0, &proxies);
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => mark = Mark::default(),
            Some(payload) => mark.bytes(payload),
        })
        .map_err(|error| error.during("list").on("proxy entries"))?;
        Ok(mark.0)
    }

    /// The mark of interfaces with their sysctls, and of `proxy_delay` and its kin.
    ///
    /// # Errors
    /// Any failure to read.
    pub(crate) fn interfaces_mark(&mut self) -> Result<u64> {
        let mut links = Mark::default();
        self.messages.clear();
        self.messages.begin(RTM_GETLINK, 0, &[0; 16]);
        ask_for_links(&mut self.messages);
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => links = Mark::default(),
            Some(payload) => links.bytes(payload),
        })
        .map_err(|error| error.during("list").on("interfaces"))?;
        let mut params = links;
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGHTBL, 0, &header::<4>(AF_INET));
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => params = links,
            // Not all of it: timers run and counters count there.
            Some(payload) => {
                let read = of_family(payload, AF_INET).and_then(decode::neighbour_params);
                if let Some(read) = read {
                    let of = read.params;
                    params.word(u64::from(read.interface.0));
                    params.word(of.proxy_delay);
                    params.word(u64::from(of.proxy_qlen));
                    params.word(of.locktime);
                }
            }
        })
        .map_err(|error| error.during("list").on("neighbour parameters"))?;
        Ok(params.0)
    }
}
