//! One address: the kernel's own answers beside the model's.

use std::net::IpAddr;

use arpflux_core::ErrorKind;
use arpflux_core::outward::Tried;
use arpflux_core::predict::{AddressAnswers, Matrix, Model, listeners};
use arpflux_core::snapshot::{Interference, Snapshot};
use arpflux_lab::try_address;
use arpflux_tests::iproute::in_new_netns;

use crate::host::{make, snapshot};

fn answers(host: &Snapshot, address: &str) -> AddressAnswers {
    let model = Model::new(host).unwrap();
    let address: IpAddr = address.parse().unwrap();
    let matrix = Matrix::with(&model, &[address], &listeners(host), None);
    AddressAnswers::new(&model, &matrix, &matrix.rows[0], None)
}

fn tried(host: &Snapshot, address: &str) -> (AddressAnswers, Tried) {
    let answers = try_address(host, answers(host, address), &mut |_| {}).unwrap();
    let tried = answers.tried.clone().unwrap();
    (answers, tried)
}

#[test]
fn the_kernels_answers_stand_beside_the_models() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             card eth1 lan
             ip addr add 192.168.18.10/24 dev eth0
             ip addr add 192.168.18.11/24 dev eth1
             sysctl net.ipv4.conf.eth1.arp_ignore=1",
        );
        let host = snapshot();
        let heard = |tried: &Tried| -> Vec<(String, String)> {
            let names = |request: &arpflux_core::outward::TriedRequest| {
                request.heard.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            };
            tried.requests.iter().map(|one| (one.sender_ip.to_string(), names(one))).collect()
        };
        let (of_11, tried_11) = tried(&host, "192.168.18.11");
        assert_eq!((of_11.flux, of_11.judgement.ok()), (Some(true), Some(false)), "{of_11:#?}");
        assert_eq!((&tried_11.faults, &tried_11.open, tried_11.flux()), (&vec![], &vec![], Some(true)));
        let asked = |names: &str| {
            [("192.168.18.1", names), ("0.0.0.0", names)].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
        };
        assert_eq!(heard(&tried_11), asked("eth0 eth1"));
        let (of_10, tried_10) = tried(&host, "192.168.18.10");
        assert_eq!((of_10.flux, of_10.judgement.ok()), (Some(false), Some(true)), "{of_10:#?}");
        assert_eq!(heard(&tried_10), asked("eth0"));
        assert_eq!(tried_10.kernel, host.kernel.release);
        let six = try_address(&host, answers(&host, "2001:db8::1"), &mut |_| {}).unwrap_err();
        assert_eq!(six.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn what_is_not_on_the_twin_stays_open_by_name() {
    in_new_netns(|| {
        let _wires = make("card eth0 lan\n ip addr add 10.0.0.1/24 dev eth0");
        let mut host = snapshot();
        let eth0 = host.interfaces.last().unwrap().index;
        host.interference.push(Interference::Xdp { interface: eth0, program: None });
        let (of, tried_with) = tried(&host, "10.0.0.1");
        assert_eq!(
            (of.flux, of.judgement.ok()),
            (answers(&host, "10.0.0.1").flux, of.flux.map(|flux| !flux))
        );
        assert!(
            tried_with.requests.iter().all(|one| one.open.is_some() && one.heard.len() == 1),
            "{tried_with:#?}"
        );
        assert_eq!(tried_with.left_out[0].what, "XDP program on eth0");
    });
}
