//! The far ends of a host's interfaces: raw frames in and out.

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::libc;

use arpflux_core::types::Mac;

/// A namespace's packet socket for ARP frames of all its interfaces, and one for settings.
pub struct Wire {
    packets: OwnedFd,
    control: OwnedFd,
}

/// An ARP frame that came out of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Whether it is a reply; otherwise a request.
    pub reply: bool,
    pub sender_mac: [u8; 6],
    pub sender: [u8; 4],
    /// In a reply the asker's MAC, which names the request.
    pub target_mac: [u8; 6],
    pub target: [u8; 4],
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Wire {
    /// Opens the sockets in the calling thread's namespace.
    pub fn open() -> io::Result<Self> {
        let protocol = (libc::ETH_P_ARP as u16).to_be();
        // SAFETY: plain calls; each result is checked before the descriptor is taken over.
        let (packets, control) = unsafe {
            let kind = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            let packets = checked(libc::socket(libc::AF_PACKET, libc::SOCK_RAW | kind, i32::from(protocol)))?;
            let packets = OwnedFd::from_raw_fd(packets);
            let control = checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
            (packets, OwnedFd::from_raw_fd(control))
        };
        let size: libc::c_int = 8 << 20;
        let one: libc::c_int = 1;
        set_option(&packets, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size)
            .or_else(|_| set_option(&packets, libc::SOL_SOCKET, libc::SO_RCVBUF, size))?;
        set_option(&packets, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, one)?;
        Ok(Self { packets, control })
    }

    /// Sets an interface of the namespace up or down.
    pub fn set_up(&self, name: &str, up: bool) -> io::Result<()> {
        // SAFETY: an all-zero ifreq is valid; the name is shorter than its field and leaves a NUL; the
        // kernel reads and writes only within the structure.
        unsafe {
            let mut request: libc::ifreq = mem::zeroed();
            let name = CString::new(name).map_err(io::Error::other)?;
            for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()).take(15) {
                *to = *from as libc::c_char;
            }
            checked(libc::ioctl(self.control.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request))?;
            let flags = request.ifr_ifru.ifru_flags;
            let flag = libc::IFF_UP as libc::c_short;
            request.ifr_ifru.ifru_flags = if up { flags | flag } else { flags & !flag };
            checked(libc::ioctl(self.control.as_raw_fd(), libc::SIOCSIFFLAGS, &request))?;
        }
        Ok(())
    }

    /// Sends a frame into the interface of that number.
    pub fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        // SAFETY: an all-zero sockaddr_ll is valid; the kernel reads the frame and the address within
        // their lengths.
        let sent = unsafe {
            let mut to: libc::sockaddr_ll = mem::zeroed();
            to.sll_family = libc::AF_PACKET as u16;
            to.sll_protocol = (libc::ETH_P_ARP as u16).to_be();
            to.sll_ifindex = interface as i32;
            to.sll_halen = 6;
            libc::sendto(
                self.packets.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const to).cast(),
                size_of::<libc::sockaddr_ll>() as u32,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next frame, waiting up to `wait_ms`; `None`: nothing came.
    pub fn receive(&self, wait_ms: i32) -> io::Result<Option<Arp>> {
        let mut frame = [0u8; 128];
        loop {
            // SAFETY: the kernel writes at most the buffer's length.
            let got =
                unsafe { libc::recv(self.packets.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
            if got >= 0 {
                if let Some(arp) = parse(&frame[..got as usize]) {
                    return Ok(Some(arp));
                }
                continue;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN) if wait_ms > 0 => {
                    let mut poll =
                        libc::pollfd { fd: self.packets.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                    // SAFETY: one pollfd, as the count says.
                    if checked(unsafe { libc::poll(&mut poll, 1, wait_ms) })? == 0 {
                        return Ok(None);
                    }
                }
                Some(libc::EAGAIN) => return Ok(None),
                // Interfaces of the namespace come and go.
                Some(libc::ENETDOWN) => {}
                _ => return Err(error),
            }
        }
    }
}

fn set_option(socket: &OwnedFd, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value and its size belong together.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as u32,
        )
    };
    checked(result).map(drop)
}

fn parse(frame: &[u8]) -> Option<Arp> {
    let arp = frame.get(14..42)?;
    let reply = match arp[..8] {
        [0, 1, 8, 0, 6, 4, 0, 2] => true,
        [0, 1, 8, 0, 6, 4, 0, 1] => false,
        _ => return None,
    };
    Some(Arp {
        reply,
        sender_mac: arp[8..14].try_into().ok()?,
        sender: arp[14..18].try_into().ok()?,
        target_mac: arp[18..24].try_into().ok()?,
        target: arp[24..28].try_into().ok()?,
    })
}

/// An Ethernet frame with an ARP request or reply.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub to: Mac,
    pub vlan: Option<u16>,
    pub reply: bool,
    pub sender_mac: [u8; 6],
    pub sender: [u8; 4],
    pub target_mac: [u8; 6],
    pub target: [u8; 4],
}

impl Frame {
    pub fn bytes(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(64);
        frame.extend_from_slice(self.to.as_bytes());
        frame.extend_from_slice(&self.sender_mac);
        if let Some(vlan) = self.vlan {
            frame.extend_from_slice(&[0x81, 0]);
            frame.extend_from_slice(&vlan.to_be_bytes());
        }
        frame.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, if self.reply { 2 } else { 1 }]);
        frame.extend_from_slice(&self.sender_mac);
        frame.extend_from_slice(&self.sender);
        frame.extend_from_slice(&self.target_mac);
        frame.extend_from_slice(&self.target);
        frame.resize(64, 0);
        frame
    }
}

/// What came back, by the number of the request.
#[derive(Debug, Default)]
pub struct Answers(HashMap<u32, Vec<Claimed>>);

/// The address and the MAC of a reply.
type Claimed = ([u8; 4], [u8; 6]);

impl Answers {
    pub fn add(&mut self, arp: &Arp) {
        if arp.reply {
            let [_, _, a, b, c, d] = arp.target_mac;
            self.0.entry(u32::from_be_bytes([a, b, c, d])).or_default().push((arp.sender, arp.sender_mac));
        }
    }

    /// The MACs that answered a request for `target`, sorted.
    pub fn of(&self, number: u32, target: Ipv4Addr) -> Vec<[u8; 6]> {
        let came = self.0.get(&number).into_iter().flatten();
        // A filter may make an answer about another address of it.
        let mut macs: Vec<_> = came.filter(|(of, _)| *of == target.octets()).map(|(_, mac)| *mac).collect();
        macs.sort_unstable();
        macs
    }

    pub fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

/// The MAC that a request is asked with, which names it.
pub fn asker(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [0x02, 0xa9, a, b, c, d]
}
