//! A packet socket (`packet(7)`) on one interface, or on all of a namespace.

use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::libc;

use super::{Filter, Port};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::Timestamp;
use crate::kernel::Netns;
use crate::types::{IfIndex, IfName, Mac};

/// The longest frame received whole, in bytes; longer ones (segmentation offload) are cut.
const LONGEST: usize = 65_600;
/// How many unread bytes the kernel may hold for a socket, where it lets us.
const QUEUE: libc::c_int = 8 << 20;

/// Room in front of a received frame for a VLAN tag that is put back, in bytes.
const FRONT: usize = 4;

/// Whether a frame came in or went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Received by the interface.
    In,
    /// Sent by this host on the interface.
    Out,
}

/// One frame, with what the kernel says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// When the kernel saw it.
    pub at: Timestamp,
    /// On which interface.
    pub interface: IfIndex,
    /// Whether it came in or went out.
    pub direction: Direction,
    /// The frame, with the outer VLAN tag that the kernel had taken off put back.
    pub frame: &'a [u8],
}

/// A received frame by its place in the buffer.
struct Taken {
    at: Timestamp,
    interface: IfIndex,
    direction: Direction,
    start: usize,
    end: usize,
}

/// Sends and receives whole frames on one interface.
///
/// It belongs to the namespace that it was opened in and can be used from any thread. Other
/// interfaces' frames are never seen, also not in the moment of opening.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    interface: IfIndex,
    buffer: Box<[u8]>,
}

pub(super) fn failed(operation: &'static str) -> Error {
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let error = Error::os(operation, "packet socket", errno);
    match error.kind() {
        ErrorKind::PermissionDenied => error
            .hint("run as root or with CAP_NET_RAW in the user namespace that owns this network namespace"),
        _ => error,
    }
}

pub(super) fn set<T>(fd: RawFd, level: libc::c_int, name: libc::c_int, value: &T) -> bool {
    // SAFETY: `value` is alive for the call, and the length is its own.
    let done = unsafe {
        libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), size_of::<T>() as libc::socklen_t)
    };
    done == 0
}

/// Binds a packet socket to an interface, 0 for all, and to a protocol, 0 for none.
pub(super) fn bind(fd: RawFd, interface: IfIndex, protocol: u16) -> Result<()> {
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface.0 as libc::c_int;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is alive for the call, and the length is its own.
    let bound = unsafe { libc::bind(fd, std::ptr::from_ref(&address).cast(), length) };
    if bound < 0 {
        return Err(failed("bind").on(interface));
    }
    Ok(())
}

/// Whether a length, whose type is not the same in each C library, is this one.
fn is_length(length: impl TryInto<usize>, bytes: u32) -> bool {
    length.try_into().is_ok_and(|length| length == bytes as usize)
}

impl PacketSocket {
    /// Opens a socket on an interface of the calling thread's namespace; [`IfIndex`] 0 means all of
    /// them, for listening only.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] without `CAP_NET_RAW`, [`ErrorKind::NotFound`] if there is no
    /// such interface.
    pub fn open(interface: IfIndex, filter: Filter) -> Result<Self> {
        // Protocol 0: nothing is received before the filter is in place and the interface is set.
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
        let on: libc::c_int = 1;
        if !set(raw, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)
            || !set(raw, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)
        {
            return Err(failed("set an option of"));
        }
        if !set(raw, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &QUEUE) {
            // Without privileges over the machine the kernel caps it (net.core.rmem_max); that is
            // no failure: losses are counted (`dropped()`).
            set(raw, libc::SOL_SOCKET, libc::SO_RCVBUF, &QUEUE);
        }
        bind(raw, interface, libc::ETH_P_ALL as u16)?;
        Ok(Self { fd, interface, buffer: vec![0; LONGEST].into_boxed_slice() })
    }

    /// Opens a socket on an interface of the calling thread's namespace that only sends.
    ///
    /// # Errors
    /// As [`PacketSocket::open`].
    pub fn sender(interface: IfIndex) -> Result<Self> {
        // SAFETY: plain system call.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(failed("open"));
        }
        // SAFETY: the descriptor is new and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // Protocol 0 again: it is bound, but no frame is handed to it.
        bind(fd.as_raw_fd(), interface, 0)?;
        Ok(Self { fd, interface, buffer: vec![0; FRONT].into_boxed_slice() })
    }

    /// Opens a socket on an interface of another namespace.
    ///
    /// # Errors
    /// As [`PacketSocket::open`], and those of entering the namespace.
    pub fn open_in(netns: &Netns, interface: &IfName, filter: Filter) -> Result<Self> {
        netns.run(|| Self::open(Port::named(interface)?.index, filter))?
    }

    /// The interface it is bound to; 0 for all.
    #[must_use]
    pub fn interface(&self) -> IfIndex {
        self.interface
    }

    /// From now on only frames that come in are received, not those that this host sends.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] on kernels before 4.20.
    pub fn ignore_outgoing(&self) -> Result<()> {
        const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
        if set(self.fd.as_raw_fd(), libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &(1 as libc::c_int)) {
            Ok(())
        } else {
            Err(failed("set an option of"))
        }
    }

    /// Receives frames to other MACs as well; the interface leaves that mode when the socket goes.
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn promiscuous(&self) -> Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: self.interface.0 as libc::c_int,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        if set(self.fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request) {
            Ok(())
        } else {
            Err(failed("set promiscuous mode of"))
        }
    }

    /// Receives what is sent to these groups as well, while the socket is there; of many, to any group.
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn join(&self, groups: &[Mac]) -> Result<()> {
        /// The kernel looks through all of a socket's groups for each that it adds.
        const MANY: usize = 64;
        let groups = if groups.len() > MANY { &[Mac::NONE] } else { groups };
        for group in groups {
            let mut request = libc::packet_mreq {
                mr_ifindex: self.interface.0 as libc::c_int,
                mr_type: libc::PACKET_MR_ALLMULTI as u16,
                mr_alen: 0,
                mr_address: [0; 8],
            };
            if let Some(octets) = group.octets() {
                request.mr_type = libc::PACKET_MR_MULTICAST as u16;
                request.mr_alen = 6;
                request.mr_address[..6].copy_from_slice(&octets);
            }
            if !set(self.fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request) {
                return Err(failed("join a group by"));
            }
        }
        Ok(())
    }

    /// Sends one frame. Waits while the interface's queue is full.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with `ENETDOWN` if the interface is down, `ENXIO` if it is gone,
    /// `EMSGSIZE` if the frame is too long.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        loop {
            // SAFETY: pointer and length are of one live slice.
            let sent = unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if sent >= 0 {
                return Ok(());
            }
            match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                // A full device queue of a real NIC: ask again when there is room.
                Some(libc::ENOBUFS) => std::thread::sleep(std::time::Duration::from_micros(50)),
                _ => return Err(failed("send a frame on").on(self.interface)),
            }
        }
    }

    /// Sends frames of `length` bytes each that lie one behind the other, many in one system call.
    ///
    /// # Errors
    /// As [`PacketSocket::send`].
    pub fn send_many(&self, frames: &[u8], length: usize) -> Result<()> {
        const MOST: usize = 64;
        let mut rest = frames;
        while rest.len() >= length && length > 0 {
            let count = (rest.len() / length).min(MOST);
            let mut pieces: [libc::iovec; MOST] =
                [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MOST];
            // SAFETY: all zeros is a valid value of this plain structure.
            let mut messages: [libc::mmsghdr; MOST] = unsafe { zeroed() };
            for (i, frame) in rest.chunks_exact(length).take(count).enumerate() {
                pieces[i] = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: length };
                messages[i].msg_hdr.msg_iov = &raw mut pieces[i];
                messages[i].msg_hdr.msg_iovlen = 1;
            }
            // SAFETY: the messages point to pieces, and those to frames, that live through the call;
            // the kernel only reads the frames.
            let sent = unsafe {
                libc::sendmmsg(self.fd.as_raw_fd(), messages.as_mut_ptr(), count as libc::c_uint, 0)
            };
            if sent >= 0 {
                rest = &rest[sent as usize * length..];
                continue;
            }
            match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ENOBUFS) => std::thread::sleep(std::time::Duration::from_micros(50)),
                _ => return Err(failed("send frames on").on(self.interface)),
            }
        }
        Ok(())
    }

    /// The next frame, waiting for it until `deadline`; `None` if none came. A deadline that has
    /// passed takes what is there.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with `ENETDOWN` when the interface goes down while waiting.
    pub fn receive(&mut self, deadline: Instant) -> Result<Option<Received<'_>>> {
        loop {
            match self.take()? {
                Some(Taken { at, interface, direction, start, end }) => {
                    let frame = &self.buffer[start..end];
                    return Ok(Some(Received { at, interface, direction, frame }));
                }
                None => {
                    let now = Instant::now();
                    if now >= deadline || !wait(&[self.fd.as_fd()], deadline)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Frames that came while the queue was full, since this was asked last.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        // SAFETY: all zeros is a valid value of this plain structure.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: the structure and its length are alive for the call.
        let got = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                std::ptr::from_mut(&mut stats).cast(),
                &raw mut length,
            )
        };
        if got == 0 { stats.tp_drops } else { 0 }
    }

    /// The frame that waits, if any.
    fn take(&mut self) -> Result<Option<Taken>> {
        // SAFETY: all zeros is a valid value of these plain structures.
        let (mut address, mut message): (libc::sockaddr_ll, libc::msghdr) = unsafe { (zeroed(), zeroed()) };
        let room = &mut self.buffer[FRONT..];
        let mut io = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        // Control messages need the alignment of their header.
        let mut control = [0u64; 16];
        message.msg_name = std::ptr::from_mut(&mut address).cast();
        message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        message.msg_iov = &raw mut io;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: all pointers in `message` are to values that live through the call.
        let length = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        if length < 0 {
            return match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(None),
                _ => Err(failed("receive from").on(self.interface)),
            };
        }
        let mut at = None;
        let mut tag = None;
        // SAFETY: `message` was filled in by the kernel and points to `control`, which lives on.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        while !header.is_null() {
            // SAFETY: not null, so a whole header within `control`; the kernel wrote the data of each
            // kind in full behind it, at whatever alignment.
            unsafe {
                let data = libc::CMSG_DATA(header);
                match ((*header).cmsg_level, (*header).cmsg_type) {
                    // Where seconds have two widths, the other one is no time.
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)
                        if is_length(
                            (*header).cmsg_len,
                            libc::CMSG_LEN(size_of::<libc::timespec>() as u32),
                        ) =>
                    {
                        let time: libc::timespec = std::ptr::read_unaligned(data.cast());
                        at = Some(Timestamp::from_parts(time.tv_sec as u64, time.tv_nsec as u32));
                    }
                    (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                        let aux: libc::tpacket_auxdata = std::ptr::read_unaligned(data.cast());
                        if aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
                            let protocol = if aux.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0 {
                                aux.tp_vlan_tpid
                            } else {
                                0x8100
                            };
                            tag = Some((protocol, aux.tp_vlan_tci));
                        }
                    }
                    _ => {}
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        let (mut start, end) = (FRONT, FRONT + length as usize);
        if let Some((protocol, control)) = tag
            && length >= 12
        {
            self.buffer.copy_within(FRONT..FRONT + 12, 0);
            self.buffer[12..14].copy_from_slice(&protocol.to_be_bytes());
            self.buffer[14..16].copy_from_slice(&control.to_be_bytes());
            start = 0;
        }
        let direction =
            if address.sll_pkttype == libc::PACKET_OUTGOING { Direction::Out } else { Direction::In };
        let at = at.unwrap_or_else(Timestamp::now);
        Ok(Some(Taken { at, interface: IfIndex(address.sll_ifindex as u32), direction, start, end }))
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits until one of `sockets` has something to read; whether one has, before `deadline`.
///
/// # Errors
/// Those of `ppoll`, besides interruption by a signal, after which it returns early as if one had.
pub(crate) fn wait(sockets: &[BorrowedFd<'_>], deadline: Instant) -> Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut entries: Vec<_> = sockets
        .iter()
        .map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let time = libc::timespec {
        tv_sec: left.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: left.subsec_nanos() as _,
    };
    // SAFETY: the entries and the time live through the call; the count is theirs.
    let ready = unsafe {
        libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, &raw const time, std::ptr::null())
    };
    if ready >= 0 {
        return Ok(ready > 0);
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EINTR) => Ok(true),
        _ => Err(failed("wait for")),
    }
}
