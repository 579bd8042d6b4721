//! Hosts that change while they are read, and large ones.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::ErrorKind;
use arpflux_core::kernel::{Kernel as _, LinuxKernel, Netns};
use arpflux_core::snapshot::{RouteKind, table};
use arpflux_tests::iproute::{in_new_netns, ip, run};

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One thread keeps adding and deleting addresses, so that every dump may be cut through. Whatever is
/// returned is of one moment: each IPv4 address has its route in table local, and each such route its address.
#[test]
fn snapshots_under_constant_change_are_of_one_moment() {
    in_new_netns(|| {
        ip("link set lo up
            link add eth0 type veth peer name p0
            link set eth0 up");
        let netns = Netns::current().unwrap();
        let stop = AtomicBool::new(false);
        let (mut good, mut raced) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                netns.run(|| {
                    let mut n = 0u32;
                    while !stop.load(Ordering::Relaxed) {
                        n += 1;
                        let (a, b) = (n % 200, (n + 100) % 200);
                        ip(&format!("addr replace 10.{a}.0.1/24 dev eth0"));
                        let _ = std::process::Command::new("ip")
                            .args(["addr", "del", &format!("10.{b}.0.1/24"), "dev", "eth0"])
                            .stderr(std::process::Stdio::null())
                            .status();
                    }
                })
            });
            // Also where the test fails, or it would wait for the other thread for ever.
            let _stop = StopOnDrop(&stop);
            let mut kernel = LinuxKernel::open().unwrap();
            let end = Instant::now() + Duration::from_secs(3);
            while Instant::now() < end {
                match kernel.snapshot() {
                    Ok(snapshot) => {
                        good += 1;
                        let held: BTreeSet<_> =
                            snapshot.addresses.iter().map(|a| a.local).filter(IpAddr::is_ipv4).collect();
                        let routed: BTreeSet<_> = snapshot
                            .routes
                            .iter()
                            .filter(|r| r.table == table::LOCAL && r.kind == RouteKind::Local)
                            .filter(|r| r.destination.prefix_len() == 32)
                            .map(|r| r.destination.addr())
                            .collect();
                        assert_eq!(held, routed);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Raced, "{error}");
                        raced += 1;
                    }
                }
            }
        });
        println!("{good} snapshots, {raced} given up");
        assert!(good >= 20, "{good} good, {raced} given up");
    });
}

#[test]
fn a_thousand_interfaces_and_ten_thousand_proxies() {
    in_new_netns(|| {
        let mut lines = String::new();
        for i in 0..500 {
            lines += &format!("link add a{i} type veth peer name b{i}\nlink set a{i} up\n");
        }
        for i in 0..10_000 {
            lines +=
                &format!("neigh add proxy 10.{}.{}.{} dev a{}\n", i / 65536, i / 256 % 256, i % 256, i % 500);
        }
        fs::write("/run/batch", lines).unwrap();
        run("ip -batch /run/batch");
        fs::remove_file("/run/batch").unwrap();
        let mut kernel = LinuxKernel::open().unwrap();
        let first = kernel.snapshot().unwrap();
        assert_eq!((first.interfaces.len(), first.proxies.len()), (1001, 10_000));
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let start = Instant::now();
            let snapshot = kernel.snapshot().unwrap();
            best = best.min(start.elapsed());
            assert_eq!(snapshot.proxies.len(), 10_000);
        }
        println!("snapshot of 1,001 interfaces and 10,000 proxy entries: {best:?} at best");
        // Two orders of magnitude above what it takes: this is a test for something quadratic.
        assert!(best < Duration::from_secs(1));
    });
}
