//! The tables of `arptables` and `ebtables` as they were before nftables, by socket options.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use crate::error::{Error, Result};
use crate::filter::{Chain, Expression, Family, Filters};
use crate::kernel::decode::legacy::{Places, arptables, ebtables};
use crate::snapshot::Interference;

const ARPT_SO_GET_INFO: i32 = 96;
const ARPT_SO_GET_ENTRIES: i32 = 97;
const EBT_SO_GET_INFO: i32 = 128;
const EBT_SO_GET_ENTRIES: i32 = 129;
/// `sizeof(struct arpt_getinfo)`.
const ARPT_INFO: usize = 68;
/// `offsetof(struct arpt_get_entries, entrytable)`.
const ARPT_ENTRIES: usize = 40;
/// `sizeof(struct ebt_replace)`.
const EBT_REPLACE: usize = 120;

/// Adds the chains of all such tables that are there. `arptables`: the names of its tables.
pub(super) fn read(names: &[String], filters: &mut Filters, found: &mut Vec<Interference>) -> Result<()> {
    let in_use = |table: &&str| std::path::Path::new(&format!("/sys/module/ebtable_{table}")).exists();
    let bridge_tables: Vec<&str> = ["filter", "nat", "broute"].into_iter().filter(in_use).collect();
    if names.is_empty() && bridge_tables.is_empty() {
        return Ok(());
    }
    // Any socket of the family will do.
    let flags = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed; the result is checked before it is owned.
    let socket = Errno::result(unsafe { libc::socket(libc::AF_INET, flags, 0) })
        .map_err(|errno| Error::os("open", "a socket", errno as i32))?;
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    for table in names {
        let title = format!("arptables table {table}");
        add(&title, arp_table(&socket, table), filters, found);
    }
    for table in bridge_tables {
        let title = format!("ebtables table {table}");
        add(&title, bridge_table(&socket, table), filters, found);
    }
    Ok(())
}

fn add(
    title: &str,
    read: std::result::Result<Option<Vec<Chain>>, Errno>,
    filters: &mut Filters,
    found: &mut Vec<Interference>,
) {
    match read {
        Ok(Some(mut chains)) => {
            // A chain without rules that accepts changes nothing.
            chains.retain(|chain| {
                !chain.rules.is_empty() || chain.base.as_ref().is_some_and(|base| base.drops)
            });
            if chains.iter().all(|chain| chain.base.is_none()) {
                return;
            }
            if filters.chains.iter().any(|chain| unordered(chain, &chains)) {
                found.push(Interference::Netfilter { chain: title.to_owned(), interface: None });
            } else {
                filters.chains.extend(chains);
            }
        }
        Ok(None) => found.push(Interference::Netfilter { chain: title.to_owned(), interface: None }),
        // No such table here.
        Err(Errno::ENOENT | Errno::ENOPROTOOPT) => {}
        Err(Errno::EPERM) => found.push(Interference::Unreadable {
            what: title.to_owned(),
            needs: Some("CAP_NET_ADMIN".to_owned()),
        }),
        Err(errno) => {
            found.push(Interference::Unreadable { what: format!("{title} ({errno})"), needs: None });
        }
    }
}

/// Whether it matters which of them is called first, and that cannot be told: equal priorities go by age.
fn unordered(chain: &Chain, others: &[Chain]) -> bool {
    let rewrites = |chain: &Chain| {
        chain.rules.iter().flatten().any(|expression| {
            matches!(
                expression,
                Expression::Write { .. } | Expression::SetMeta { .. } | Expression::Mangle { .. }
            )
        })
    };
    let family = match chain.family {
        Family::Arp => Family::Arptables,
        Family::Bridge => Family::Ebtables,
        _ => return false,
    };
    others.iter().any(|other| other.family == family) && (rewrites(chain) || others.iter().any(rewrites))
}

/// A name, as the kernel's structures begin.
fn named<const LEN: usize>(name: &str) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    for (to, from) in bytes.iter_mut().take(31).zip(name.bytes()) {
        *to = from;
    }
    bytes
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
}

fn ask(socket: &OwnedFd, option: i32, bytes: &mut [u8]) -> std::result::Result<(), Errno> {
    let mut len = bytes.len() as libc::socklen_t;
    // SAFETY: the buffer is there for as many bytes as are named, and outlives the call.
    let asked = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, option, bytes.as_mut_ptr().cast(), &mut len)
    };
    Errno::result(asked).map(drop)
}

/// How often a table is read whose size changes meanwhile.
const TRIES: u32 = 10;

fn arp_table(socket: &OwnedFd, table: &str) -> std::result::Result<Option<Vec<Chain>>, Errno> {
    for _ in 0..TRIES {
        let mut info = named::<ARPT_INFO>(table);
        ask(socket, ARPT_SO_GET_INFO, &mut info)?;
        let three = |at: usize| [word(&info, at), word(&info, at + 4), word(&info, at + 8)];
        let places = Places { hooks: word(&info, 32), first: three(36), policy: three(48) };
        let size = word(&info, 64);
        let mut bytes = vec![0; ARPT_ENTRIES + size as usize];
        bytes[..32].copy_from_slice(&named::<32>(table));
        bytes[32..36].copy_from_slice(&size.to_ne_bytes());
        match ask(socket, ARPT_SO_GET_ENTRIES, &mut bytes) {
            Ok(()) => return Ok(arptables(table, places, &bytes[ARPT_ENTRIES..])),
            Err(Errno::EAGAIN | Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EAGAIN)
}

fn bridge_table(socket: &OwnedFd, table: &str) -> std::result::Result<Option<Vec<Chain>>, Errno> {
    // The layout has pointers in it.
    if cfg!(not(target_pointer_width = "64")) {
        return Ok(None);
    }
    for _ in 0..TRIES {
        let mut replace = named::<EBT_REPLACE>(table);
        ask(socket, EBT_SO_GET_INFO, &mut replace)?;
        let (hooks, size) = (word(&replace, 32), word(&replace, 40) as usize);
        let mut entries: Vec<u8> = vec![0; size];
        // Without counters; where the entries go.
        replace[96..100].fill(0);
        replace[112..120].copy_from_slice(&(entries.as_mut_ptr() as usize as u64).to_ne_bytes());
        // The kernel takes the size of both together, though the entries lie elsewhere.
        let mut bytes = vec![0; EBT_REPLACE + size];
        bytes[..EBT_REPLACE].copy_from_slice(&replace);
        match ask(socket, EBT_SO_GET_ENTRIES, &mut bytes) {
            Ok(()) => return Ok(ebtables(table, hooks, &entries)),
            Err(Errno::EAGAIN | Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EAGAIN)
}
