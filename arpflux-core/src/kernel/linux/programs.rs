//! BPF programs on the way of frames, by name (`bpf(2)`).

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use crate::types::IfIndex;

/// Where a program may be attached (`enum bpf_attach_type`: `BPF_TCX_INGRESS`, `BPF_TCX_EGRESS`).
#[derive(Debug, Clone, Copy)]
pub(super) enum Hook {
    Ingress = 46,
    Egress = 47,
}

const BPF_PROG_GET_FD_BY_ID: i64 = 13;
const BPF_OBJ_GET_INFO_BY_FD: i64 = 15;
const BPF_PROG_QUERY: i64 = 16;

/// How many programs of one hook are told.
const MOST: usize = 64;

/// The names of the programs that are attached to hooks of an interface.
pub(super) fn attached(interface: IfIndex, hooks: &[Hook]) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for hook in hooks {
        let mut ids = [0u32; MOST];
        // The anonymous struct of BPF_PROG_QUERY in `union bpf_attr`.
        let mut attr = [0u8; 64];
        attr[..4].copy_from_slice(&interface.0.to_ne_bytes());
        attr[4..8].copy_from_slice(&(*hook as u32).to_ne_bytes());
        attr[16..24].copy_from_slice(&address(&mut ids));
        attr[24..28].copy_from_slice(&(MOST as u32).to_ne_bytes());
        match bpf(BPF_PROG_QUERY, &mut attr) {
            // More than there is room for: as many as there is.
            Ok(_) | Err(Errno::ENOSPC) => {}
            Err(errno) => return Err(errno),
        }
        names.extend(ids.into_iter().take_while(|id| *id != 0).map(name));
    }
    Ok(names)
}

/// The name of a program, or its number where that may not be asked for.
pub(super) fn name(id: u32) -> String {
    asked_name(id).filter(|name| !name.is_empty()).unwrap_or_else(|| format!("number {id}"))
}

fn asked_name(id: u32) -> Option<String> {
    let mut attr = [0u8; 64];
    attr[..4].copy_from_slice(&id.to_ne_bytes());
    let fd = bpf(BPF_PROG_GET_FD_BY_ID, &mut attr).ok()?;
    // SAFETY: a new descriptor that nobody else owns.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // struct bpf_prog_info up to its name.
    let mut info = [0u8; 80];
    let mut attr = [0u8; 64];
    attr[..4].copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
    attr[4..8].copy_from_slice(&(info.len() as u32).to_ne_bytes());
    attr[8..16].copy_from_slice(&address(&mut info));
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr).ok()?;
    let name = info[64..].split(|byte| *byte == 0).next().unwrap_or_default();
    Some(name.escape_ascii().to_string())
}

fn address<T>(to: &mut [T]) -> [u8; 8] {
    (to.as_mut_ptr() as usize as u64).to_ne_bytes()
}

fn bpf(command: i64, attr: &mut [u8; 64]) -> Result<i32, Errno> {
    // SAFETY: the kernel reads and writes as many bytes as are named, and through the addresses in them only as many as
    // they say; all of these outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_mut_ptr(), attr.len()) };
    Errno::result(result).map(|result| result as i32)
}
