//! How soon `watch` puts right what somebody changed.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::snapshot::ProxyEntry;
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::watch::{Options, Watcher};
use arpflux_core::{Host, Result, apply};

use crate::measure::print;

/// The median over `rounds` changes of the time from before the change until its effect is gone. The
/// result is the number of rounds; a change that is not healed within 10 s is an error.
pub fn run(what: &str, interface: &str, rounds: usize) -> Result<()> {
    let host = Host::current()?;
    let snapshot = host.snapshot()?;
    let interface = snapshot
        .interfaces
        .iter()
        .find(|i| i.name.to_string() == interface)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such interface").on(interface))?;
    let state = std::env::temp_dir().join(format!("arpflux-bench-{}", std::process::id()));
    let options = Options::default().heal(true).apply(apply::Options::default().state_dir(&state));
    let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
    let stray = ProxyEntry::new(Ipv4Addr::new(10, 255, 255, 1).into(), Some(interface.index));
    let policy = arpflux_core::Policy::from_toml(
        &format!(
            "version = 1\n[host]\ninterfaces = [\"{}\"]\nstrategy = \"strict\"\negress = \"unmanaged\"\n\
             foreign_proxies = \"remove\"\nannounce = false\n",
            interface.name
        ),
        "policy",
    )?;
    let mut watcher = Watcher::new(&host, policy, options)?;
    // The first look puts the host right.
    for _ in 0..5 {
        watcher.wait(Some(Duration::from_millis(200)))?;
    }
    let stop = AtomicBool::new(false);
    let mut times = std::thread::scope(|scope_| {
        let watching = scope_.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                watcher.wait(Some(Duration::from_millis(100)))?;
            }
            Ok(())
        });
        let measured = measure(what, rounds, scope, &stray);
        stop.store(true, Ordering::Relaxed);
        match watching.join() {
            Ok(Ok(())) => measured,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(ErrorKind::Internal, "the watching thread panicked")),
        }
    })?;
    let _ = std::fs::remove_dir_all(&state);
    times.sort_unstable();
    let median = times[times.len() / 2].as_nanos() as i128;
    print(median, median, rounds)
}

fn measure(what: &str, rounds: usize, scope: SysctlScope, stray: &ProxyEntry) -> Result<Vec<Duration>> {
    let mut kernel = LinuxKernel::open()?;
    let change = match what {
        "sysctl" => Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 1, 0),
        "proxy" => Change::add(*stray),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "sysctl or proxy").on(what)),
    };
    let mut times = Vec::new();
    for round in 0..rounds {
        // At moments that have nothing to do with the watcher's polling.
        std::thread::sleep(Duration::from_millis(50 + (round as u64 * 37) % 60));
        let begun = Instant::now();
        kernel.make(std::slice::from_ref(&change)).map_err(|failed| failed.error)?;
        loop {
            let healed = match what {
                "sysctl" => kernel.sysctl(&scope, Sysctl::ArpIgnore)? == 1,
                _ => !kernel.proxies()?.iter().any(|entry| entry.address == stray.address),
            };
            if healed {
                break;
            }
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(Error::new(ErrorKind::TimedOut, "not healed within 10 s"));
            }
            // Reading all entries costs as much as the watcher's own look: not so often as to disturb it.
            std::thread::sleep(Duration::from_micros(if what == "sysctl" { 20 } else { 2_000 }));
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}
