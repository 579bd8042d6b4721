//! How often the model is asked on hosts of growing size: what grows faster than the host is noticed here, on whatever
//! machine.

use std::cell::Cell;
use std::collections::HashSet;
use std::net::IpAddr;

use super::{Model, Overview, ipv4_targets, listeners};
use crate::harm;
use crate::plan::Impact;
use crate::policy::Policy;
use crate::snapshot::{Builder, Snapshot};
use crate::verify;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// Called for each request that is decided.
pub(super) fn count() {
    ASKED.set(ASKED.get() + 1);
}

fn asked(work: impl FnOnce()) -> u64 {
    ASKED.set(0);
    work();
    ASKED.get()
}

/// An interface in ten with an address, and five proxy entries for each interface.
fn large(interfaces: usize) -> Snapshot {
    let addressed = interfaces / 10;
    let host = (0..interfaces).fold(Builder::new(), |host, at| match at < addressed {
        true => host.nic(&format!("eth{at}"), &[&format!("10.20.{at}.1/24")]),
        false => host.nic(&format!("eth{at}"), &[]),
    });
    let host = (0..5 * interfaces).fold(host, |host, at| {
        let address = format!("10.{}.{}.{}", 30 + at / 65_536, at / 256 % 256, at % 256);
        host.proxy(&address, Some(&format!("eth{}", at % addressed)))
    });
    host.build().unwrap()
}

/// An address each, in one subnet on one wire.
fn one_wire(interfaces: usize) -> Snapshot {
    let nic = |host: Builder, at: usize| {
        host.nic(&format!("eth{at}"), &[&format!("10.20.{}.{}/16", at / 250, 1 + at % 250)])
    };
    (0..interfaces).fold(Builder::new(), nic).build().unwrap()
}

fn good(host: &Snapshot) -> Snapshot {
    host.with(&Policy::default().plan(host).unwrap().changes)
}

#[test]
fn who_answers_for_each_address_takes_some_requests_an_address() {
    for host in [large(100), large(200), one_wire(100), one_wire(200)] {
        let addresses: Vec<IpAddr> = ipv4_targets(&host).into_iter().map(IpAddr::V4).collect();
        let interfaces = listeners(&host);
        for host in [&host, &good(&host)] {
            let asked = asked(|| {
                let overview = Overview::of(&Model::of(host), &addresses, &interfaces, None, |_| {});
                assert_eq!(overview.lines.len(), addresses.len());
            });
            let each = addresses.len() + interfaces.len();
            assert!(asked < 10 * each as u64, "{asked} for {each}");
        }
    }
}

#[test]
fn whether_a_policy_is_kept_takes_some_requests_an_address() {
    for host in [one_wire(100), one_wire(200)] {
        let good = good(&host);
        let asked = asked(|| {
            let report = verify::check(&Policy::default(), &good).unwrap();
            assert!(report.checks > 10 && report.failures.is_empty(), "{report}");
        });
        let each = host.interfaces.len() + host.addresses.len();
        assert!(asked < 40 * each as u64, "{asked} for {each}");
    }
}

#[test]
fn what_a_plan_does_takes_requests_for_each_pair_of_addresses_and_not_for_each_interface_besides() {
    let counts = [20, 40, 80].map(|interfaces| {
        let host = one_wire(interfaces);
        let after = good(&host);
        let impact = asked(|| {
            let impact = Impact::between(&host, &after, &HashSet::new()).unwrap();
            // Of the addresses before and behind its own.
            assert!(impact.effects.len() >= interfaces, "{impact}");
        });
        (impact, asked(|| drop(harm::losses(&host, &after, |_| false))))
    });
    let [_, (impact, harm), (twice, twice_harm)] = counts;
    assert!(twice < 5 * impact && twice_harm < 5 * harm, "{counts:?}");
}
