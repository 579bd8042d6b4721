//! Receiving at the rate of the wire: a ring of blocks shared with the kernel (`packet(7)`,
//! `PACKET_RX_RING` with `TPACKET_V3`), so that frames are neither copied nor asked for one by one. At 200,000 frames a
//! second it takes 20 ns of processor time a frame; `recvmmsg(2)` takes more than 1,000 on the same machine.

use std::mem::{offset_of, size_of, zeroed};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::libc;

use super::socket::{bind, failed, set, wait};
use super::{Direction, Filter, Received};
use crate::error::{Error, Result};
use crate::frame::Timestamp;
use crate::types::IfIndex;

/// The kernel hands over a block when it is full or this old, in ms.
const OLDEST: u32 = 20;
/// The length of a block in bytes, a multiple of every page size in use.
const BLOCK: usize = 1 << 18;
/// 32 MiB where the kernel gives them: half a second of small frames at ten million a second.
const MOST_BLOCKS: usize = 128;
const LEAST_BLOCKS: usize = 4;
/// Room that the ring reckons with for a frame; frames may be longer.
const FRAME: usize = 2048;

/// What a small frame takes in a block, with its header and address.
const SMALL: usize = 160;

/// Where things stand in a block (`struct tpacket_block_desc`, `struct tpacket_hdr_v1`).
const STATUS: usize = 8;
const COUNT: usize = 12;
const FIRST: usize = 16;
/// The address behind a frame's header (`TPACKET_ALIGN`).
const ADDRESS: usize = size_of::<libc::tpacket3_hdr>().next_multiple_of(16);

/// A packet socket that receives through a ring.
///
/// It belongs to the namespace that it was opened in and can be used from any thread.
#[derive(Debug)]
pub struct Ring {
    fd: OwnedFd,
    map: NonNull<u8>,
    blocks: usize,
    /// The block that the kernel fills next, as far as we know.
    next: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing in it is tied to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Opens a ring on an interface of the calling thread's namespace; [`IfIndex`] 0 means all of them.
    ///
    /// Takes 32 MiB, and less where the kernel gives less.
    ///
    /// # Errors
    /// [`crate::ErrorKind::PermissionDenied`] without `CAP_NET_RAW`, [`crate::ErrorKind::NotFound`] if
    /// there is no such interface.
    pub fn open(interface: IfIndex, filter: Filter) -> Result<Self> {
        Self::with_blocks(interface, filter, MOST_BLOCKS)
    }

    /// The same with room for `frames` small frames (ARP) at least, 32 MiB at most.
    ///
    /// # Errors
    /// As [`Ring::open`].
    pub fn open_for(interface: IfIndex, filter: Filter, frames: usize) -> Result<Self> {
        // Whatever is in a block: one that was handed over half empty still counts as one.
        let blocks = frames.div_ceil(BLOCK / SMALL).saturating_mul(2);
        Self::with_blocks(interface, filter, blocks.clamp(LEAST_BLOCKS, MOST_BLOCKS))
    }

    fn with_blocks(interface: IfIndex, filter: Filter, mut blocks: usize) -> Result<Self> {
        // Protocol 0: nothing is received before filter and ring are in place and the interface is set.
        // SAFETY: plain system call.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(failed("open"));
        }
        // SAFETY: the descriptor is new and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let raw = fd.as_raw_fd();
        let mut program = filter.program();
        if !program.is_empty() {
            let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
            if !set(raw, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) {
                return Err(failed("set the filter of"));
            }
        }
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        if !set(raw, libc::SOL_PACKET, libc::PACKET_VERSION, &version) {
            return Err(failed("set the ring version of"));
        }
        while !set(raw, libc::SOL_PACKET, libc::PACKET_RX_RING, &request(blocks)) {
            if blocks <= LEAST_BLOCKS {
                return Err(failed("make a ring for"));
            }
            blocks /= 2;
        }
        // SAFETY: maps the ring of the descriptor, which was just made this long, at a free place.
        let map = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), blocks * BLOCK, access, libc::MAP_SHARED, raw, 0)
        };
        let Some(map) = NonNull::new(map.cast::<u8>()).filter(|map| map.as_ptr().cast() != libc::MAP_FAILED)
        else {
            return Err(failed("map the ring of"));
        };
        let ring = Self { fd, map, blocks, next: 0 };
        bind(raw, interface, libc::ETH_P_ALL as u16)?;
        Ok(ring)
    }

    /// Waits for frames until `deadline` and calls `each` with those that are there then, or until it
    /// breaks. Gives whether it broke. A frame may be 20 ms old when it is given.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] with `ENETDOWN` when the interface goes down; those of waiting.
    pub fn read(
        &mut self,
        deadline: Instant,
        mut each: impl FnMut(Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool> {
        if !self.is_ready() && (!wait(&[self.fd.as_fd()], deadline)? || !self.is_ready()) {
            return self.failure().map_or(Ok(false), Err);
        }
        // No more than were there at once: frames that come faster than they are read must not keep the
        // caller here for ever.
        for _ in 0..self.blocks {
            if !self.is_ready() {
                break;
            }
            let flow = self.block(&mut each);
            self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.next = (self.next + 1) % self.blocks;
            if flow.is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Calls `each` with every frame that comes before `deadline`, or until it breaks. Gives whether it broke.
    ///
    /// # Errors
    /// As [`Ring::read`].
    pub fn read_until(
        &mut self,
        deadline: Instant,
        mut each: impl FnMut(Received<'_>) -> ControlFlow<()>,
    ) -> Result<bool> {
        loop {
            if self.read(deadline, &mut each)? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// How long after a deadline frames that came before it may still be given.
    pub const LAG: Duration = Duration::from_millis(2 * OLDEST as u64 + 10);

    /// Frames that came while the ring was full, since this was asked last.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        // SAFETY: all zeros is a valid value of this plain structure.
        let mut stats: libc::tpacket_stats_v3 = unsafe { zeroed() };
        let mut length = size_of::<libc::tpacket_stats_v3>() as libc::socklen_t;
        // SAFETY: the structure and its length are alive for the call.
        let got = unsafe {
            let stats = std::ptr::from_mut(&mut stats).cast();
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                stats,
                &raw mut length,
            )
        };
        if got == 0 { stats.tp_drops } else { 0 }
    }

    /// What went wrong with the socket since this was asked last.
    fn failure(&self) -> Option<Error> {
        let mut errno: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the number and its length are alive for the call.
        let got = unsafe {
            let errno = std::ptr::from_mut(&mut errno).cast();
            libc::getsockopt(self.fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, errno, &raw mut length)
        };
        (got == 0 && errno != 0).then(|| Error::os("receive from", "packet socket", errno))
    }

    /// The word by which a block changes hands.
    fn status(&self) -> &AtomicU32 {
        // SAFETY: within the mapping, which lives as long as `self`; aligned, as blocks are aligned to
        // pages; the kernel and we only touch it as a whole.
        unsafe { AtomicU32::from_ptr(self.map.as_ptr().add(self.next * BLOCK + STATUS).cast()) }
    }

    fn is_ready(&self) -> bool {
        self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// Gives the frames of the block at hand.
    fn block(&self, each: &mut impl FnMut(Received<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        // SAFETY: the block lies within the mapping; its status says that it is ours until we give it
        // back, so nobody writes to it meanwhile. The status word itself is left out of reads below.
        let block = unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(self.next * BLOCK), BLOCK) };
        let mut at = native32(block, FIRST) as usize;
        for _ in 0..native32(block, COUNT) {
            // Bounds are checked all the same: a slice out of range would mean another kernel's layout.
            let Some(frame) = block.get(at..).and_then(frame) else { return ControlFlow::Continue(()) };
            let next = native32(block, at + offset_of!(libc::tpacket3_hdr, tp_next_offset)) as usize;
            match frame.tag {
                None => each(frame.received)?,
                Some((protocol, control)) => {
                    let mut tagged = Vec::with_capacity(frame.received.frame.len() + 4);
                    tagged.extend_from_slice(&frame.received.frame[..12]);
                    tagged.extend_from_slice(&protocol.to_be_bytes());
                    tagged.extend_from_slice(&control.to_be_bytes());
                    tagged.extend_from_slice(&frame.received.frame[12..]);
                    each(Received { frame: &tagged, ..frame.received })?;
                }
            }
            if next == 0 {
                break;
            }
            at += next;
        }
        ControlFlow::Continue(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own and nothing borrowed from it is left.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.blocks * BLOCK) };
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn request(blocks: usize) -> libc::tpacket_req3 {
    libc::tpacket_req3 {
        tp_block_size: BLOCK as u32,
        tp_block_nr: blocks as u32,
        tp_frame_size: FRAME as u32,
        tp_frame_nr: (BLOCK / FRAME * blocks) as u32,
        tp_retire_blk_tov: OLDEST,
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    }
}

struct Framed<'a> {
    received: Received<'a>,
    /// The VLAN tag that the kernel has taken off.
    tag: Option<(u16, u16)>,
}

/// The frame whose header (`struct tpacket3_hdr`) is at the front.
#[inline]
fn frame(bytes: &[u8]) -> Option<Framed<'_>> {
    let header = bytes.get(..ADDRESS + size_of::<libc::sockaddr_ll>())?;
    let field = |at: usize| native32(header, at);
    let start = usize::from(native16(header, offset_of!(libc::tpacket3_hdr, tp_mac)));
    let length = field(offset_of!(libc::tpacket3_hdr, tp_snaplen)) as usize;
    let frame = bytes.get(start..start + length)?;
    let status = field(offset_of!(libc::tpacket3_hdr, tp_status));
    // `hv1`: the hash, then the tag's control field and protocol.
    let hv1 = offset_of!(libc::tpacket3_hdr, hv1);
    let tag = (status & libc::TP_STATUS_VLAN_VALID != 0 && frame.len() >= 12).then(|| {
        let known = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let protocol = if known { native16(header, hv1 + 8) } else { 0x8100 };
        (protocol, field(hv1 + 4) as u16)
    });
    let seconds = field(offset_of!(libc::tpacket3_hdr, tp_sec));
    let nanoseconds = field(offset_of!(libc::tpacket3_hdr, tp_nsec));
    let outgoing = header[ADDRESS + offset_of!(libc::sockaddr_ll, sll_pkttype)] == libc::PACKET_OUTGOING;
    let received = Received {
        at: Timestamp::from_parts(seconds.into(), nanoseconds),
        interface: IfIndex(field(ADDRESS + offset_of!(libc::sockaddr_ll, sll_ifindex))),
        direction: if outgoing { Direction::Out } else { Direction::In },
        frame,
    };
    Some(Framed { received, tag })
}

/// A number in this machine's order; zero beyond the end.
#[inline]
fn native32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<4>).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

#[inline]
fn native16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<2>).map_or(0, |bytes| u16::from_ne_bytes(*bytes))
}
