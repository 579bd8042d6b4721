//! What one answer of the model costs, once the index is built.

use std::hint::black_box;
use std::net::Ipv4Addr;

use arpflux_core::Result;
use arpflux_core::predict::{ArpRequest, Model};
use arpflux_core::types::IfIndex;

use crate::measure::Measure;
use crate::node::{INTERFACES, PROXIED, own, source_routed};

/// Own addresses, proxied ones, probes, addresses of nobody; on all interfaces.
pub fn requests(proxies: u32) -> Vec<ArpRequest> {
    (0..4096u32)
        .map(|n| {
            let random = n.wrapping_mul(2_654_435_761);
            let target = match n % 4 {
                0 => own((random >> 8) % INTERFACES),
                1 | 2 => Ipv4Addr::from_bits(PROXIED | (random % proxies.max(1))),
                _ => Ipv4Addr::from_bits(random),
            };
            let interface = IfIndex(2 + (random >> 16) % INTERFACES);
            let sender = Ipv4Addr::from_bits(own((random >> 20) % INTERFACES).to_bits() | 128);
            if n % 16 == 5 {
                ArpRequest::probe(interface, target)
            } else {
                ArpRequest::broadcast(interface, sender, target)
            }
        })
        .collect()
}

/// The mean over many requests, in CPU time.
pub fn run(routes: u32, proxies: u32) -> Result<()> {
    const ROUNDS: u32 = 25;
    let snapshot = source_routed(routes, proxies);
    let model = Model::new(&snapshot).expect("a possible host");
    let requests = requests(proxies);
    let mut answered = 0;
    let begun = Measure::begin()?;
    for _ in 0..ROUNDS {
        answered = requests.iter().filter(|request| model.reply(black_box(request)).mac().is_some()).count();
    }
    begun.end(ROUNDS * requests.len() as u32, answered)
}
