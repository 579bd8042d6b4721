//! The clocks, and the line that is printed.

use arpflux_core::Result;
use arpflux_core::error::Error;
use nix::time::{ClockId, clock_gettime};

/// Work that is under way.
#[derive(Debug)]
pub struct Measure {
    cpu: i128,
    wall: i128,
}

impl Measure {
    /// Begins.
    pub fn begin() -> Result<Self> {
        Ok(Self { cpu: clock(ClockId::CLOCK_PROCESS_CPUTIME_ID)?, wall: clock(ClockId::CLOCK_MONOTONIC)? })
    }

    /// Ends, and prints what it took, for one of `repeated` times. `result` is what the work came to,
    /// for the runner to compare with what the other contenders' came to.
    pub fn end(self, repeated: u32, result: usize) -> Result<()> {
        let cpu = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID)? - self.cpu;
        let wall = clock(ClockId::CLOCK_MONOTONIC)? - self.wall;
        print(cpu / i128::from(repeated), wall / i128::from(repeated), result)
    }
}

/// Prints what a piece of work took, with the most memory that was resident.
pub fn print(cpu_ns: i128, wall_ns: i128, result: usize) -> Result<()> {
    const STATUS: &str = "/proc/self/status";
    // Not `getrusage()`: its figure begins with that of the process that started this one.
    let status = std::fs::read_to_string(STATUS).map_err(|error| Error::io("read", STATUS, &error))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let peak = peak.trim().trim_end_matches(" kB");
    println!("{{\"cpu_ns\":{cpu_ns},\"wall_ns\":{wall_ns},\"result\":{result},\"max_rss_kib\":{peak}}}");
    Ok(())
}

fn clock(id: ClockId) -> Result<i128> {
    let now = clock_gettime(id).map_err(|errno| Error::os("read", "clock", errno as i32))?;
    Ok(i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec()))
}
