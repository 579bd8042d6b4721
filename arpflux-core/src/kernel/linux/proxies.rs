//! The proxy entries, whole.
//!
//! The kernel keeps the entries of all namespaces in one table of sixteen chains. A dump that does not fit
//! into one datagram goes on by the number of the entry in its chain, counted over all namespaces
//! (`pneigh_dump_table()`): what others add or remove meanwhile shifts the numbers, so that entries of this
//! namespace come twice or not at all, and no mark says so. What comes in one datagram is exact: it is
//! gathered in one pass, under a lock (since Linux 6.17: by RCU, and no entry is moved).
//!
//! A datagram holds about 680 entries. Where there are more, the list is taken again in datagrams of another
//! length, which end elsewhere. An entry that one of the two lacks is asked for by itself, which is exact; and as both
//! may lack the same one, a third list is compared with what came of them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_ROUTE;
use nix::libc::{AF_INET, AF_INET6, ENOENT};

use super::LinuxKernel;
use super::read::{TRIES, dump};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::decode;
use crate::kernel::netlink::{Messages, NetlinkSocket};
use crate::kernel::uapi::{NDA_DST, NTF_PROXY, RTM_GETNEIGH};
use crate::snapshot::ProxyEntry;
use crate::types::IfIndex;

/// What an entry is known by.
type Key = (IpAddr, Option<IfIndex>);

/// The lengths of datagrams for the second list and those after it, in bytes: their ends have as little in
/// common as possible with those of the first, 32 KiB.
const ROOMS: [usize; 3] = [20_000, 14_000, 26_000];

impl LinuxKernel {
    /// The proxy entries of both families alone. The kernel sends no news of them, so who wants to know
    /// asks often: this costs about 14 us for 100 entries, and waits for no lock.
    ///
    /// The calling thread has to be in the namespace.
    ///
    /// # Errors
    /// [`ErrorKind::Raced`] if there are so many that they take several datagrams and they kept changing;
    /// any failure to read.
    pub fn proxies(&mut self) -> Result<Vec<ProxyEntry>> {
        let named = |error: Error| error.during("list").on("proxy entries");
        let mut proxies = list(&mut self.netlink, &mut self.messages).map_err(named)?;
        if self.netlink.parts() <= 1 {
            return Ok(proxies);
        }
        let mut compared = 0;
        for room in ROOMS.into_iter().cycle().take(TRIES as usize) {
            let mut other = NetlinkSocket::with_room(NETLINK_ROUTE, room)?;
            let mut again = list(&mut other, &mut self.messages).map_err(named)?;
            // The same, in the same order: what nearly always is so.
            if again == proxies {
                return Ok(proxies);
            }
            once(&mut proxies);
            once(&mut again);
            if self.agree(&mut proxies, &again).map_err(named)? {
                compared += 1;
                if compared == 2 {
                    return Ok(proxies);
                }
            } else {
                compared = 0;
                proxies = again;
            }
        }
        Err(named(Error::new(ErrorKind::Raced, "they kept changing while they were read")))
    }

    /// Makes one list of two; whether what they disagreed on could be decided.
    fn agree(&mut self, proxies: &mut Vec<ProxyEntry>, again: &[ProxyEntry]) -> Result<bool> {
        let there: HashMap<Key, ProxyEntry> = again.iter().map(|entry| (key(entry), *entry)).collect();
        let mut gone = HashSet::new();
        for entry in proxies.iter_mut() {
            match there.get(&key(entry)) {
                // Its flags or owner may be other ones by now.
                Some(now) => *entry = *now,
                None => match self.is_there(entry)? {
                    Some(true) => {}
                    Some(false) => {
                        gone.insert(key(entry));
                    }
                    None => return Ok(false),
                },
            }
        }
        let known: HashSet<Key> = proxies.iter().map(key).collect();
        proxies.retain(|entry| !gone.contains(&key(entry)));
        for entry in again.iter().filter(|entry| !known.contains(&key(entry))) {
            match self.is_there(entry)? {
                Some(true) => proxies.push(*entry),
                Some(false) => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Asks for one entry; `None` if that decides nothing: kernels before 5.0 cannot be asked, and an entry
    /// for all interfaces may stand before one for this interface.
    fn is_there(&mut self, entry: &ProxyEntry) -> Result<Option<bool>> {
        let mut header = [0u8; 12];
        header[0] = if entry.address.is_ipv4() { AF_INET } else { AF_INET6 } as u8;
        header[4..8].copy_from_slice(&entry.interface.map_or(0, |index| index.0).to_ne_bytes());
        header[10] = NTF_PROXY;
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGH, 0, &header);
        match entry.address {
            IpAddr::V4(address) => self.messages.attribute(NDA_DST, &address.octets()),
            IpAddr::V6(address) => self.messages.attribute(NDA_DST, &address.octets()),
        }
        let mut found = None;
        let asked = self.netlink.ask(&mut self.messages, |_, payload| {
            found = decode::proxy(payload);
            Ok(())
        });
        match (asked, found) {
            (Ok(()), Some(found)) if key(&found) == key(entry) => Ok(Some(true)),
            (Err(error), _) if error.errno() == Some(ENOENT) => Ok(Some(false)),
            (Ok(()), _) => Ok(None),
            (Err(error), _) if error.kind() == ErrorKind::Unsupported => Ok(None),
            // Its interface is gone, and the entry with it.
            (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(Some(false)),
            (Err(error), _) => Err(error),
        }
    }
}

fn key(entry: &ProxyEntry) -> Key {
    (entry.address, entry.interface)
}

/// Leaves each entry in the list once.
fn once(proxies: &mut Vec<ProxyEntry>) {
    let mut seen = HashSet::with_capacity(proxies.len());
    proxies.retain(|entry| seen.insert(key(entry)));
}

/// One dump.
fn list(netlink: &mut NetlinkSocket, messages: &mut Messages) -> Result<Vec<ProxyEntry>> {
    let mut header = [0u8; 12];
    header[10] = NTF_PROXY;
    let mut proxies: Vec<ProxyEntry> = Vec::new();
    messages.clear();
    messages.begin(RTM_GETNEIGH, 0, &header);
    dump(netlink, messages, |payload| match payload {
        None => proxies.clear(),
        Some(payload) => proxies.extend(decode::proxy(payload)),
    })?;
    Ok(proxies)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use super::super::super::testing::in_new_netns;
    use super::*;
    use crate::kernel::Kernel as _;
    use crate::state::Change;

    fn entries(base: [u8; 4], count: u32) -> Vec<ProxyEntry> {
        (0..count)
            .map(|at| ProxyEntry {
                address: Ipv4Addr::from_bits(u32::from_be_bytes(base) + at).into(),
                interface: Some(IfIndex(1)),
                flags: 0,
                protocol: 0,
            })
            .collect()
    }

    fn make(kernel: &mut LinuxKernel, edit: fn(ProxyEntry) -> Change, entries: &[ProxyEntry]) {
        let changes: Vec<_> = entries.iter().copied().map(edit).collect();
        kernel.make(&changes).unwrap();
    }

    /// Adds and removes entries of all chains in a namespace of its own until `over`.
    fn hammer(over: &AtomicBool) {
        in_new_netns(|| {
            let mut kernel = LinuxKernel::open().unwrap();
            let mine = entries([10, 99, 0, 0], 512);
            while !over.load(Ordering::Relaxed) {
                make(&mut kernel, Change::add, &mine);
                make(&mut kernel, Change::remove, &mine);
            }
        });
    }

    #[test]
    fn what_other_namespaces_change_meanwhile_loses_and_doubles_nothing() {
        const COUNT: u32 = 3000;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| hammer(&over));
            let (wrong, rounds, plain) = in_new_netns(|| {
                let mut kernel = LinuxKernel::open().unwrap();
                let mine = entries([10, 1, 0, 0], COUNT);
                make(&mut kernel, Change::add, &mine);
                let wanted: HashSet<Key> = mine.iter().map(key).collect();
                let (mut wrong, mut rounds, mut plain) = (0, 0, 0);
                let begun = Instant::now();
                while rounds < 50 || (rounds < 400 && begun.elapsed() < Duration::from_secs(5)) {
                    rounds += 1;
                    let one = list(&mut kernel.netlink, &mut kernel.messages).unwrap();
                    assert!(kernel.netlink.parts() > 1);
                    let one_keys: HashSet<Key> = one.iter().map(key).collect();
                    plain += u32::from(one_keys != wanted || one.len() != wanted.len());
                    let read = kernel.proxies().unwrap();
                    let read_keys: HashSet<Key> = read.iter().map(key).collect();
                    wrong += u32::from(read_keys != wanted || read.len() != wanted.len());
                }
                (wrong, rounds, plain)
            });
            over.store(true, Ordering::Relaxed);
            println!("of {rounds} plain dumps {plain} were wrong, of as many lists {wrong}");
            assert_eq!(wrong, 0, "of {rounds}");
        });
    }

    #[test]
    fn an_entry_is_asked_for_by_itself() {
        in_new_netns(|| {
            let mut kernel = LinuxKernel::open().unwrap();
            let both = entries([10, 1, 0, 0], 2);
            make(&mut kernel, Change::add, &both[..1]);
            assert_eq!(kernel.is_there(&both[0]).unwrap(), Some(true));
            assert_eq!(kernel.is_there(&both[1]).unwrap(), Some(false));
            let elsewhere = ProxyEntry { interface: Some(IfIndex(99)), ..both[0] };
            assert_eq!(kernel.is_there(&elsewhere).unwrap(), Some(false));
            // Lists that disagree: what is there stays, what is not goes.
            let mut first = vec![both[1]];
            assert!(kernel.agree(&mut first, &both[..1]).unwrap());
            assert_eq!(first, both[..1]);
            let mut first = vec![both[0]];
            assert!(kernel.agree(&mut first, &both[1..]).unwrap());
            assert_eq!(first, both[..1]);
        });
    }

    /// What a list costs beside one dump: run with `--nocapture` to see it. How many datagrams a dump takes is
    /// the kernel's choice: short of memory it sends shorter ones.
    #[test]
    fn lists_of_all_lengths_are_whole() {
        in_new_netns(|| {
            let mut kernel = LinuxKernel::open().unwrap();
            make(&mut kernel, Change::add, &entries([10, 1, 0, 0], 500));
            for count in [500, 2000, 16384] {
                make(&mut kernel, Change::add, &entries([10, 1, 0, 0], count));
                let mut took = [Duration::MAX; 2];
                for _ in 0..20 {
                    let begun = Instant::now();
                    list(&mut kernel.netlink, &mut kernel.messages).unwrap();
                    took[0] = took[0].min(begun.elapsed());
                    let begun = Instant::now();
                    assert_eq!(kernel.proxies().unwrap().len(), count as usize);
                    took[1] = took[1].min(begun.elapsed());
                }
                println!("{count} entries: one dump {:?}, the list {:?}", took[0], took[1]);
            }
        });
    }
}
