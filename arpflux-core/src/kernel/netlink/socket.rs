//! A blocking netlink socket: one request, one dump, or many requests in one system call.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use netlink_packet_core::NetlinkSerializable;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::attributes;
use super::message::{HEADER, Messages};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::uapi::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR,
    NLMSG_MIN_TYPE, NLMSGERR_ATTR_MSG,
};

/// The kernel fills dump buffers of at most 32 KiB (`netlink_recvmsg()`), other answers are shorter.
const RECEIVE: usize = 64 * 1024;
/// How much unread the kernel may hold, so that errors for each message of a batch fit.
const RECEIVE_QUEUE: usize = 1024 * 1024;
/// The kernel answers within the send call; only a lock held elsewhere (RTNL) delays it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a batch that did not succeed as a whole.
#[derive(Debug)]
pub(crate) struct BatchFailure {
    /// Messages that the kernel refused, by place, rising, with its reason.
    pub refused: Vec<(usize, Error)>,
    /// Set when the outcome of the messages that are not in `refused` is not known (answers were lost):
    /// each of them may have been carried out or not.
    pub lost: Option<Error>,
}

/// A netlink socket that belongs to the namespace of the thread that opened it, wherever it is used later.
pub(crate) struct NetlinkSocket {
    socket: Socket,
    sequence: u32,
    receive: Vec<u8>,
    single: Messages,
    /// How many datagrams the messages of the last answer came in.
    parts: u32,
}

/// What one received message means to a waiting caller.
enum Heard<'a> {
    /// A message of the answer: type and payload.
    Message(u16, &'a [u8]),
    /// End of a dump, or an acknowledgement (errno 0), or a refusal; of this sequence number.
    Verdict(u32, i32, Option<String>),
}

impl NetlinkSocket {
    /// Opens a `NETLINK_ROUTE` socket in the calling thread's namespace.
    pub fn open() -> Result<Self> {
        Self::open_protocol(NETLINK_ROUTE)
    }

    /// Opens a socket of another netlink protocol.
    pub fn open_protocol(protocol: isize) -> Result<Self> {
        Self::with_room(protocol, RECEIVE)
    }

    /// The same with room for datagrams of `room` bytes. The kernel fills those of dumps no further.
    pub fn with_room(protocol: isize, room: usize) -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("open", "netlink socket", &error);
        let failed_nix = |errno: Errno| Error::os("open", "netlink socket", errno as i32);
        let mut socket = Socket::new(protocol).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        // Only the kernel may talk to it from here on.
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(PATIENCE.as_secs() as _, 0))
            .map_err(failed_nix)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_QUEUE).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_QUEUE).map_err(failed_nix)?;
        }
        // Comforts that kernels before 4.12, 4.20 lack: reasons in words, capped errors, strict filters.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        if protocol == NETLINK_ROUTE {
            let _ = socket.set_netlink_get_strict_chk(true);
        }
        Ok(Self { socket, sequence: 0, receive: vec![0; room], single: Messages::new(), parts: 0 })
    }

    /// Sends one message encoded by `netlink-packet-route` and waits until the kernel has done it.
    ///
    /// `flags` are `NLM_F_CREATE` and the like. The error carries errno and the kernel's own words;
    /// operation and object are left to the caller.
    pub fn request(&mut self, message: &impl NetlinkSerializable, flags: u16) -> Result<()> {
        let mut messages = std::mem::take(&mut self.single);
        messages.clear();
        messages.push(message, flags);
        let result = self.change(&mut messages);
        self.single = messages;
        result
    }

    /// Sends messages and waits until the kernel has carried out all of them; the first refusal is the error.
    pub fn change(&mut self, messages: &mut Messages) -> Result<()> {
        self.batch(messages).map_err(|failure| {
            let BatchFailure { mut refused, lost } = failure;
            if refused.is_empty() { lost.unwrap_or_else(silent) } else { refused.swap_remove(0).1 }
        })
    }

    /// Sends all messages in one system call, with one acknowledgement for the last, and says exactly
    /// which the kernel refused. It goes on after a refused one: `netlink_rcv_skb()` stops for nothing.
    ///
    /// Keep a batch below some hundred messages: a killed process is not stopped inside the call, and
    /// the answers must fit the receive queue.
    pub fn batch(&mut self, messages: &mut Messages) -> Result<(), BatchFailure> {
        if messages.len() == 0 {
            return Ok(());
        }
        let count = messages.len() as u32;
        let first = self.take_numbers(count);
        let last = first.wrapping_add(count - 1);
        let unsent = |error| BatchFailure { refused: Vec::new(), lost: Some(error) };
        self.send(messages.seal(first, NLM_F_ACK)).map_err(unsent)?;
        let mut refused = BTreeMap::new();
        let mut answered = false;
        let mut lost = None;
        loop {
            // After a loss only what is there already: the last answer may be what was lost.
            let flags = if lost.is_some() { libc::MSG_DONTWAIT } else { 0 };
            let result = self.receive(None, flags, |heard| {
                if let Heard::Verdict(number, errno, words) = heard {
                    let place = number.wrapping_sub(first);
                    if place < count {
                        answered |= number == last;
                        if errno != 0 {
                            refused.insert(place as usize, refusal(errno, words));
                        }
                    }
                }
            });
            match result {
                Ok(_) if answered && lost.is_none() => break,
                Ok(_) => {}
                Err(_) if lost.is_some() => break,
                Err(error) => lost = Some(error),
            }
        }
        if refused.is_empty() && lost.is_none() {
            return Ok(());
        }
        Err(BatchFailure { refused: refused.into_iter().collect(), lost })
    }

    /// Asks one question and hands each message of the answer (type, payload) to `each`, up to the
    /// acknowledgement.
    pub fn ask(
        &mut self,
        messages: &mut Messages,
        mut each: impl FnMut(u16, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.converse(messages, NLM_F_ACK, &mut each).map(|_| ())
    }

    /// Dumps what `messages`, one request, asks for, handing each message (type, payload) to `each`.
    ///
    /// [`ErrorKind::Raced`] if the kernel says that the list changed meanwhile, or lost part of it: what
    /// `each` saw is then not to be used, and the dump should be taken again.
    pub fn dump(
        &mut self,
        messages: &mut Messages,
        mut each: impl FnMut(u16, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.converse(messages, NLM_F_DUMP, &mut each)? {
            return Err(Error::new(ErrorKind::Raced, "the list changed while the kernel dumped it")
                .hint("try again when the network configuration is at rest"));
        }
        Ok(())
    }

    /// How many datagrams the messages of the last dump came in.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Sends one request and reads until its verdict; whether the dump was interrupted.
    fn converse(
        &mut self,
        messages: &mut Messages,
        flags: u16,
        each: &mut dyn FnMut(u16, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        if messages.len() != 1 {
            return Err(Error::new(ErrorKind::Internal, "one netlink question at a time"));
        }
        let number = self.take_numbers(1);
        self.send(messages.seal(number, flags))?;
        let mut verdict = None;
        // After the caller's own error the rest is still read, or it would be taken for the next answer.
        let mut callers = None;
        let mut interrupted = false;
        self.parts = 0;
        while verdict.is_none() {
            let mut heard_of = false;
            let received = self.receive(Some(number), 0, |heard| match heard {
                Heard::Message(kind, payload) => {
                    heard_of = true;
                    if callers.is_none() {
                        callers = each(kind, payload).err();
                    }
                }
                Heard::Verdict(_, errno, words) => verdict = Some((errno, words)),
            });
            self.parts += u32::from(heard_of);
            match received {
                Ok(marked) => interrupted |= marked,
                // Part of the dump was dropped for want of room. Its end still comes, and must be read.
                Err(error) if error.errno() == Some(libc::ENOBUFS) && flags == NLM_F_DUMP => {
                    interrupted = true;
                }
                Err(error) => return Err(error),
            }
        }
        match (callers, verdict) {
            (Some(error), _) => Err(error),
            (None, Some((errno, words))) if errno != 0 => Err(refusal(errno, words)),
            _ => Ok(interrupted),
        }
    }

    fn take_numbers(&mut self, count: u32) -> u32 {
        // 0 stands for unasked messages.
        let first = if self.sequence.checked_add(count + 1).is_some() { self.sequence + 1 } else { 1 };
        self.sequence = first + (count - 1);
        first
    }

    fn send(&self, bytes: &[u8]) -> Result<()> {
        loop {
            match self.socket.send(bytes, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("send to", "netlink socket", &error)),
            }
        }
    }

    /// Reads one datagram (`flags` are `MSG_*`) and hands on its messages, of sequence number `only` if
    /// that is given.
    /// Whether one of them carried the mark of an interrupted dump.
    fn receive(
        &mut self,
        only: Option<u32>,
        flags: libc::c_int,
        mut each: impl FnMut(Heard<'_>),
    ) -> Result<bool> {
        let failed = |error: &std::io::Error| match error.raw_os_error() {
            Some(libc::EAGAIN) => Error::new(
                ErrorKind::TimedOut,
                format!("the kernel gave no answer within {} s", PATIENCE.as_secs()),
            )
            .during("read from")
            .on("netlink socket"),
            _ => Error::io("read from", "netlink socket", error),
        };
        let len = loop {
            match self.socket.recv(&mut &mut self.receive[..], libc::MSG_TRUNC | flags) {
                Ok(len) => break len,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&error)),
            }
        };
        let Some(mut rest) = self.receive.get(..len) else {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("a netlink answer of {len} bytes is too long"),
            ));
        };
        let mut interrupted = false;
        while let Some(header) = rest.first_chunk::<HEADER>() {
            let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
            let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
            let Some(payload) = rest.get(HEADER..len) else { break };
            let kind = u16::from_ne_bytes([k0, k1]);
            let flags = u16::from_ne_bytes([f0, f1]);
            let number = u32::from_ne_bytes([s0, s1, s2, s3]);
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
            if only.is_some_and(|only| only != number) {
                continue;
            }
            match kind {
                NLMSG_ERROR => {
                    let errno = errno_of(payload);
                    // The request comes back behind the number: all of it, or its header alone.
                    let request = payload.get(4..).unwrap_or_default();
                    let skip = match request.first_chunk() {
                        Some(len) if flags & NLM_F_CAPPED == 0 && errno != 0 => {
                            u32::from_ne_bytes(*len) as usize
                        }
                        _ => HEADER,
                    };
                    each(Heard::Verdict(number, errno, words(flags, request, skip)));
                }
                NLMSG_DONE => {
                    interrupted |= flags & NLM_F_DUMP_INTR != 0;
                    each(Heard::Verdict(number, errno_of(payload), words(flags, payload, 4)));
                }
                kind if kind >= NLMSG_MIN_TYPE => {
                    interrupted |= flags & NLM_F_DUMP_INTR != 0;
                    each(Heard::Message(kind, payload));
                }
                _ => {}
            }
        }
        Ok(interrupted)
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The error number in front of an acknowledgement, as a positive number; 0 is success.
fn errno_of(payload: &[u8]) -> i32 {
    payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code).saturating_neg().max(0))
}

/// The kernel's own words (`NL_SET_ERR_MSG`) behind the first `skip` bytes.
fn words(flags: u16, payload: &[u8], skip: usize) -> Option<String> {
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let attributes = attributes(payload.get(skip.next_multiple_of(4)..)?);
    let message = attributes.into_iter().find(|attribute| attribute.kind == NLMSGERR_ATTR_MSG)?;
    Some(String::from_utf8_lossy(message.text()).trim_end_matches('.').to_owned())
}

fn refusal(errno: i32, words: Option<String>) -> Error {
    let error = Error::os("", "", errno);
    match words {
        Some(words) if !words.is_empty() => error.detail(&words),
        _ => error,
    }
}

fn silent() -> Error {
    Error::new(ErrorKind::Internal, "a netlink request failed without a reason")
}
