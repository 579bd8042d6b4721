//! Which frames a socket receives, decided in the kernel (classic BPF).

use nix::libc;

use crate::frame::{ADVERTISEMENT, ICMPV6, SOLICITATION};

/// The first bytes of a frame that a filter lets through: all of them.
const KEEP: u32 = 0x4_0000;

const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

const ETHER_TYPE: u32 = 12;
const ARP: u32 = 0x0806;
const IPV6: u32 = 0x86dd;

/// Which frames a socket receives. VLAN tags are invisible to a filter: the kernel takes the outer
/// tag off before (`skb_vlan_untag()`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    /// Every frame.
    #[default]
    All,
    /// ARP.
    Arp,
    /// ARP replies.
    ArpReplies,
    /// ARP replies and neighbour advertisements.
    Answers,
    /// Neighbour solicitations and advertisements (without IPv6 extension headers).
    Ndp,
    /// ARP, and neighbour solicitations and advertisements.
    ArpAndNdp,
    /// Frames of one other EtherType.
    EtherType(u16),
}

const fn statement(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

/// Goes `jt` statements further if the value is `k`, else `jf`.
const fn equal(k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: JUMP_EQUAL, jt, jf, k }
}

/// Messages of neighbour discovery of these types.
fn ndp(types: &[u8]) -> Vec<libc::sock_filter> {
    let many = types.len() as u8;
    let mut program = vec![
        statement(LOAD_HALF, ETHER_TYPE),
        equal(IPV6, 0, many + 4),
        statement(LOAD_BYTE, 20),
        equal(ICMPV6.into(), 0, many + 2),
        statement(LOAD_BYTE, 54),
    ];
    for (left, of_type) in (0..many).rev().zip(types) {
        program.push(equal((*of_type).into(), left, u8::from(left == 0)));
    }
    program.extend([statement(RETURN, KEEP), statement(RETURN, 0)]);
    program
}

impl Filter {
    /// The program; empty for [`Filter::All`].
    pub(super) fn program(self) -> Vec<libc::sock_filter> {
        let only = |ether_type| {
            vec![
                statement(LOAD_HALF, ETHER_TYPE),
                equal(ether_type, 0, 1),
                statement(RETURN, KEEP),
                statement(RETURN, 0),
            ]
        };
        match self {
            Self::All => Vec::new(),
            Self::Arp => only(ARP),
            Self::EtherType(other) => only(u32::from(other)),
            Self::ArpReplies => vec![
                statement(LOAD_HALF, ETHER_TYPE),
                equal(ARP, 0, 3),
                statement(LOAD_HALF, 20),
                equal(2, 0, 1),
                statement(RETURN, KEEP),
                statement(RETURN, 0),
            ],
            Self::Answers => {
                let mut program = vec![
                    statement(LOAD_HALF, ETHER_TYPE),
                    equal(ARP, 0, 4),
                    statement(LOAD_HALF, 20),
                    equal(2, 0, 1),
                    statement(RETURN, KEEP),
                    statement(RETURN, 0),
                ];
                program.extend(ndp(&[ADVERTISEMENT]));
                program
            }
            Self::Ndp => ndp(&[SOLICITATION, ADVERTISEMENT]),
            Self::ArpAndNdp => {
                let mut program =
                    vec![statement(LOAD_HALF, ETHER_TYPE), equal(ARP, 0, 1), statement(RETURN, KEEP)];
                program.extend(ndp(&[SOLICITATION, ADVERTISEMENT]));
                program
            }
        }
    }
}
