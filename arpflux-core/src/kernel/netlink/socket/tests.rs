//! The socket on the running kernel.

use super::*;
use crate::kernel::testing::in_new_netns;
use crate::kernel::uapi::{RTM_GETLINK, RTM_GETNEIGH, RTM_NEWNEIGH};

fn proxy(messages: &mut Messages, interface: u32, address: [u8; 4]) {
    let mut body = [0u8; 12];
    body[0] = libc::AF_INET as u8;
    body[4..8].copy_from_slice(&interface.to_ne_bytes());
    body[8] = 0x80;
    body[10] = 0x08;
    messages.begin(RTM_NEWNEIGH, 0x400, &body);
    messages.attribute(1, &address);
}

fn count_proxies(socket: &mut NetlinkSocket) -> usize {
    let mut request = Messages::new();
    request.begin(RTM_GETNEIGH, 0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0]);
    let mut count = 0;
    socket
        .dump(&mut request, |kind, _| {
            assert_eq!(kind, RTM_NEWNEIGH);
            count += 1;
            Ok(())
        })
        .unwrap();
    count
}

#[test]
fn a_batch_says_exactly_which_messages_were_refused_and_why() {
    in_new_netns(|| {
        let mut socket = NetlinkSocket::open().unwrap();
        let mut messages = Messages::new();
        for i in 0..=255 {
            proxy(&mut messages, if i % 100 == 7 { 999 } else { 1 }, [10, 0, 0, i]);
        }
        let failure = socket.batch(&mut messages).unwrap_err();
        assert!(failure.lost.is_none());
        assert_eq!(failure.refused.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [7, 107, 207]);
        for (_, error) in &failure.refused {
            assert_eq!(error.errno(), Some(libc::ENODEV), "{error}");
        }
        assert_eq!(count_proxies(&mut socket), 253);
        messages.clear();
        proxy(&mut messages, 1, [10, 0, 1, 0]);
        socket.batch(&mut messages).unwrap();
        assert_eq!(count_proxies(&mut socket), 254);
    });
}

#[test]
fn every_message_refused_still_fits_the_queue() {
    in_new_netns(|| {
        let mut socket = NetlinkSocket::open().unwrap();
        let mut messages = Messages::new();
        for i in 0..=255 {
            proxy(&mut messages, 999, [10, 0, 0, i]);
        }
        let failure = socket.batch(&mut messages).unwrap_err();
        assert!(failure.lost.is_none(), "{failure:?}");
        assert_eq!(failure.refused.len(), 256);
    });
}

#[test]
fn lost_answers_are_said_and_do_not_disturb_the_next_question() {
    in_new_netns(|| {
        let mut socket = NetlinkSocket::open().unwrap();
        // Room for a few answers only.
        setsockopt(&socket, sockopt::RcvBuf, &1).unwrap();
        let mut messages = Messages::new();
        for i in 0..=255 {
            proxy(&mut messages, if i % 2 == 0 { 1 } else { 999 }, [10, 0, 0, i]);
        }
        let failure = socket.batch(&mut messages).unwrap_err();
        assert_eq!(failure.lost.and_then(|error| error.errno()), Some(libc::ENOBUFS));
        assert!(failure.refused.len() < 128);
        assert_eq!(count_proxies(&mut socket), 128);
        messages.clear();
        proxy(&mut messages, 999, [10, 0, 1, 0]);
        let failure = socket.batch(&mut messages).unwrap_err();
        assert!(failure.lost.is_none());
        assert_eq!(failure.refused.len(), 1);
    });
}

#[test]
fn refusals_carry_the_kernels_words_and_the_next_answer_is_not_mixed_up() {
    in_new_netns(|| {
        let mut socket = NetlinkSocket::open().unwrap();
        let mut question = Messages::new();
        // A neighbour without an address.
        question.begin(RTM_NEWNEIGH, 0x400, &[2, 0, 0, 0, 1, 0, 0, 0, 0x80, 0, 0, 0]);
        let error = socket.change(&mut question).unwrap_err();
        assert_eq!(error.errno(), Some(libc::EINVAL));
        assert!(error.message().contains('('), "{error}");
        // The caller's own error in the middle of a dump.
        question.clear();
        question.begin(RTM_GETLINK, 0, &[0; 16]);
        let own = Error::new(ErrorKind::InvalidData, "mine");
        assert_eq!(socket.dump(&mut question, |_, _| Err(own.clone())).unwrap_err(), own);
        let mut links = 0;
        socket
            .dump(&mut question, |_, _| {
                links += 1;
                Ok(())
            })
            .unwrap();
        assert!(links >= 1);
    });
}
