//! A host built from a case, in a namespace of its own.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::{Command as Process, Stdio};

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::snapshot::{NeighbourTable, ProxyEntry, Snapshot};
use arpflux_core::state::Change;

use crate::case::{Case, Command};
use crate::wire::Wire;

/// The calling thread's namespace, made into the host.
pub struct Host<'w> {
    pub wire: &'w Wire,
    kernel: LinuxKernel,
    wild: Vec<Ipv4Addr>,
    /// The thread of the wire's namespace.
    wire_thread: i32,
    /// What the far ends are called: unique among the hosts of a wire.
    label: String,
}

impl<'w> Host<'w> {
    /// Carries the case's commands out in the calling thread's namespace.
    pub fn build(case: &Case, wire: &'w Wire, wire_thread: i32, label: String) -> io::Result<Self> {
        let kernel = LinuxKernel::open().map_err(io::Error::other)?;
        let mut host = Self { wire, kernel, wild: Vec::new(), wire_thread, label };
        host.carry_out(&case.commands, false)?;
        Ok(host)
    }

    /// Carries commands out. Unless they are `certain`, those that the kernel refuses are left out.
    pub fn carry_out(&mut self, commands: &[Command], certain: bool) -> io::Result<()> {
        let mut at = 0;
        while at < commands.len() {
            let lines: Vec<String> = commands[at..]
                .iter()
                .map_while(|command| match command {
                    Command::Ip(line) => Some(self.resolve(line)),
                    _ => None,
                })
                .collect();
            if !lines.is_empty() {
                at += lines.len();
                ip_batch(&lines, certain)?;
                continue;
            }
            match &commands[at] {
                Command::Sysctl(path, value) => {
                    // An interface that could not be made has no folder.
                    let written = std::fs::write(format!("/proc/sys/net/ipv4/{path}"), value.to_string());
                    if certain {
                        written?;
                    }
                }
                Command::Far(nic, up) => self.wire.set_up(&self.far(*nic), *up)?,
                Command::WildProxy(address) => {
                    self.proxy(Change::add, *address)?;
                    self.wild.push(*address);
                }
                Command::Nft(line) => filter("nft", &[line], certain)?,
                Command::Filter(program, line) => {
                    filter(program, &line.split(' ').collect::<Vec<_>>(), certain)?;
                }
                Command::Ip(_) => {}
            }
            at += 1;
        }
        Ok(())
    }

    fn far(&self, nic: usize) -> String {
        format!("{}_{nic}", self.label)
    }

    /// `@2` is the far end of eth2.
    fn resolve(&self, line: &str) -> String {
        match line.split_once(" @") {
            Some((before, nic)) => {
                let far = self.far(nic.parse().unwrap_or(0));
                format!("{before} {far} netns {}", self.wire_thread)
            }
            None => line.to_string(),
        }
    }

    fn proxy(&mut self, edit: fn(ProxyEntry) -> Change, address: Ipv4Addr) -> io::Result<()> {
        let entry = ProxyEntry::new(address.into(), None);
        self.kernel.make(&[edit(entry)]).map_err(|failed| io::Error::other(failed.error.to_string()))
    }

    /// How many entries the machine's table of neighbours has, and how often it had no room for another.
    pub fn neighbour_table(&mut self) -> io::Result<NeighbourTable> {
        let table = self.kernel.neighbour_table().map_err(io::Error::other)?;
        table.ok_or_else(|| io::Error::other("the kernel tells nothing of its table of neighbours"))
    }

    pub fn snapshot(&mut self) -> io::Result<Snapshot> {
        self.kernel.snapshot().map_err(io::Error::other)
    }

    /// Takes away what would outlive the namespace: proxy entries without a device (they turn up in
    /// others), and neighbours, of which the whole machine has one table.
    pub fn clear(mut self) {
        for address in std::mem::take(&mut self.wild) {
            let _ = self.proxy(Change::remove, address);
        }
        let names = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
        if let Ok(own) = Wire::open() {
            for name in names.lines().filter_map(|line| line.split_once(':')) {
                let _ = own.set_up(name.0.trim(), false);
            }
        }
    }
}

/// Runs lines through one `ip`. Unless they are `certain`, lines that the kernel refuses are left out.
pub fn ip_batch(lines: &[String], certain: bool) -> io::Result<()> {
    let mut ip = Process::new("ip")
        .args(if certain { &["-batch", "-"][..] } else { &["-force", "-batch", "-"] })
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(if certain { Stdio::inherit() } else { Stdio::null() })
        .spawn()?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(lines.join("\n").as_bytes())?;
        input.write_all(b"\n")?;
    }
    let status = ip.wait()?;
    if certain && !status.success() {
        return Err(io::Error::other(format!("ip refused one of {lines:?}")));
    }
    Ok(())
}

/// Programs of root are not on everybody's path.
fn filter(program: &str, words: &[&str], certain: bool) -> io::Result<()> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Process::new(program).args(words).env("PATH", format!("{path}:/usr/sbin:/sbin")).output()?;
    if certain && !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{program} refused {words:?}: {said}")));
    }
    Ok(())
}
