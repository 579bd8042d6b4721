//! `arpflux explain`: who answers for which address, and why.

mod address;
mod hosts;
mod learning;
mod list;
pub mod matrix;
mod outgoing;
mod proofs;
mod stream;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use arpflux_core::predict::{Matrix, Model, PacketKind, listeners};
use arpflux_core::proof::Targets;
use arpflux_core::types::{IfIndex, IfName, Mac};
use arpflux_core::words::nearest;
use arpflux_core::{Error, ErrorKind, Result, Snapshot};

use crate::{Output, Source, input};

/// Who answers ARP requests or neighbour solicitations for ADDRESS on each interface, with which MAC, and which rule of
/// the kernel decides. Without ADDRESS: all addresses that this host holds or proxies, one a line, bad ones first (127/8 and
/// link-local IPv6 ones, which every interface has for itself, left out). Nothing is sent.
///
/// The exit code is 1 if several MACs answer for an address on one wire, 6 if that cannot be told. Interfaces whose subnets
/// overlap are taken to share a wire.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The IPv4 or IPv6 address that is asked for.
    #[arg(value_parser = input::address)]
    address: Option<IpAddr>,
    /// Who asks; 0.0.0.0 is an RFC 5227 probe, :: one of duplicate address detection. Default: a neighbour is chosen for
    /// each interface, and how a probe fares is said as well.
    #[arg(long, value_name = "IP", value_parser = input::address)]
    from: Option<IpAddr>,
    /// Only on this interface (may be repeated). Default: all that take ARP requests.
    #[arg(long, short = 'i', alias = "interface", value_name = "IFACE")]
    on: Vec<IfName>,
    /// Answer questions from standard input: one JSON object a line in, one out, in order. In:
    /// {"iface":"eth1","sender_ip":"10.0.0.9","target_ip":"10.0.0.1"}, optional "sender_mac", "unicast".
    #[arg(long, conflicts_with_all = ["address", "from", "on"])]
    stdin: bool,
    /// Prove it for all senders: exactly one interface of each wire answers for ADDRESS, or for every
    /// address held or proxied there (--ipv4, --ipv6: of that family; link-local IPv6 ones only as ADDRESS). Where that is not so, a request is shown that tells.
    /// For IPv6 it is about solicitations to the address's group.
    #[arg(long, conflicts_with_all = ["from", "stdin"])]
    prove: bool,
    /// Another host's snapshot (may be repeated): who answers among all of them on the wires they share.
    #[arg(long, help_heading = "Several hosts", value_name = "FILE", conflicts_with_all = ["from", "on", "stdin", "prove"])]
    also: Vec<PathBuf>,
    /// Who shares a wire (may be repeated), as HOST:IFACE,HOST:IFACE; a host is called like its file
    /// without the ending, the running one self. Default: interfaces whose subnets overlap.
    #[arg(long, help_heading = "Several hosts", value_name = "PORTS", requires = "also")]
    wire: Vec<String>,
    /// Instead: what this host itself does to reach ADDRESS: by which interface, from which address (--from:
    /// the packet's source), and what peers learn from its request. Exit code 1 if that is a wrong MAC.
    #[arg(long, help_heading = "What this host does", requires = "address", conflicts_with_all = ["stdin", "prove", "also"])]
    outgoing: bool,
    /// With --outgoing: the packet's IP protocol, as rules ask for it: tcp, udp, icmp or a number.
    #[arg(long, help_heading = "What this host does", requires = "outgoing", value_name = "PROTOCOL", value_parser = protocol)]
    proto: Option<u8>,
    /// With --outgoing: the packet's destination port.
    #[arg(long, help_heading = "What this host does", requires = "outgoing", value_name = "PORT")]
    dport: Option<u16>,
    /// With --outgoing: the number of the user whose program sends it.
    #[arg(long, help_heading = "What this host does", requires = "outgoing", value_name = "UID")]
    uid: Option<u32>,
    /// Instead: what this host learns when it is told that ADDRESS is at MAC, by interface.
    #[arg(long, help_heading = "What this host does", value_name = "MAC", requires = "address", conflicts_with_all = ["from", "stdin", "prove", "also", "outgoing"])]
    learn: Option<Mac>,
    /// Asks what would be answered if a request did arrive on interfaces that have no carrier.
    #[arg(long)]
    as_if_connected: bool,
    /// Also list the addresses that are as they should be.
    #[arg(long, help_heading = "What is listed", conflicts_with_all = ["address", "stdin", "prove", "also"])]
    all: bool,
    /// IPv4 addresses alone.
    #[arg(short = '4', long, help_heading = "What is listed", conflicts_with_all = ["address", "stdin", "also"])]
    ipv4: bool,
    /// IPv6 addresses alone.
    #[arg(short = '6', long, help_heading = "What is listed", conflicts_with_all = ["address", "stdin", "also", "ipv4"])]
    ipv6: bool,
    /// List these addresses alone (may be repeated).
    #[arg(long, help_heading = "What is listed", value_enum, value_name = "VERDICT", conflicts_with_all = ["address", "all", "stdin", "prove", "also", "json"])]
    only: Vec<list::Only>,
    /// List at most so many addresses. Default: 100.
    #[arg(long, help_heading = "What is listed", value_name = "COUNT", conflicts_with_all = ["address", "stdin", "prove", "also", "json"])]
    limit: Option<usize>,
    /// Instead of who answers: a letter for each interface.
    #[arg(long, help_heading = "What is listed", conflicts_with_all = ["address", "stdin", "prove", "also", "json"])]
    matrix: bool,
    /// Ask this kernel as well: the host is built again in throw-away namespaces (its twin), and asked with real frames.
    /// What it answers stands beside what the model says, and counts where the model cannot tell for its version alone.
    #[arg(long, requires = "address", conflicts_with_all = ["stdin", "prove", "also", "outgoing", "learn", "as_if_connected"])]
    rehearse: bool,
    #[command(flatten)]
    source: Source,
}

impl Args {
    /// Whether addresses of IPv6 alone are asked for, or of IPv4 alone; `None`: both.
    fn family(&self) -> Option<bool> {
        match (self.address, self.ipv4, self.ipv6) {
            (Some(address), ..) => Some(address.is_ipv6()),
            (None, true, _) => Some(false),
            (None, _, true) => Some(true),
            (None, false, false) => self.from.map(|from| from.is_ipv6()),
        }
    }
}

/// The matrix as letters, probes included.
pub fn matrix_letters(matrix: &Matrix, output: &Output) -> String {
    matrix::letters(matrix, true, output)
}

/// Runs the verb.
///
/// # Errors
/// If there is no snapshot to be had, or no such interface.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    if let Some(address) = args.address.filter(|_| args.rehearse) {
        ipv4(address, "--rehearse")?;
        arpflux_lab::enter()?;
    }
    let mut snapshot = args.source.snapshot()?;
    if args.as_if_connected {
        snapshot = snapshot.as_if_connected();
    }
    if !args.also.is_empty() {
        let question = hosts::Question {
            first: args.source.file(),
            also: &args.also,
            wires: &args.wire,
            target: args.address.map(|address| ipv4(address, "--also")).transpose()?,
        };
        return hosts::run(&snapshot, &question, output);
    }
    let model = Model::new(&snapshot)?;
    if args.stdin {
        return stream::run(&model, output);
    }
    let interfaces = chosen(&snapshot, &args.on)?;
    if let (Some(ipv6), Some(from)) = (args.family(), args.from)
        && ipv6 != from.is_ipv6()
    {
        let error =
            Error::new(ErrorKind::InvalidInput, "what is asked for and --from are of different families");
        return Err(error.during("explain").on(from.to_string()));
    }
    if args.prove {
        let targets = match (args.address, args.family()) {
            (Some(address), _) => Targets::One(address),
            (None, Some(false)) => Targets::Ipv4,
            (None, Some(true)) => Targets::Ipv6,
            (None, None) => Targets::All,
        };
        return proofs::run(&model, targets, &interfaces, output);
    }
    if let (true, Some(destination)) = (args.outgoing, args.address) {
        let destination = ipv4(destination, "--outgoing")?;
        let from = args.from.map(|from| ipv4(from, "--outgoing")).transpose()?;
        let by = if args.on.is_empty() { None } else { interfaces.first().copied() };
        let kind = PacketKind { protocol: args.proto, destination_port: args.dport, user: args.uid };
        return outgoing::run(&model, kind, destination, from, by, output);
    }
    if let (Some(mac), Some(address)) = (args.learn, args.address) {
        return learning::run(&model, ipv4(address, "--learn")?, mac, &interfaces, output);
    }
    match args.address {
        Some(target) => address::run(&model, target, &interfaces, args.from, args.rehearse, output),
        None => list::run(args, &model, &interfaces, output),
    }
}

/// An IP protocol by name or number.
fn protocol(text: &str) -> std::result::Result<u8, String> {
    let known = [("icmp", 1), ("tcp", 6), ("udp", 17), ("sctp", 132)];
    let named = known.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    named
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "neither icmp, tcp, udp, sctp nor a number up to 255".into())
}

/// The address, for what is worked out of IPv4 alone.
fn ipv4(address: IpAddr, option: &str) -> Result<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(Error::new(ErrorKind::InvalidInput, format!("{option} is of IPv4 alone"))
            .during("explain")
            .on(address)
            .hint("without it, who answers neighbour solicitations for the address is said")),
    }
}

/// The interfaces named, or all that take ARP requests.
fn chosen(snapshot: &Snapshot, names: &[IfName]) -> Result<Vec<IfIndex>> {
    if names.is_empty() {
        return Ok(listeners(snapshot));
    }
    names
        .iter()
        .map(|name| {
            snapshot.interface_named(name).map(|interface| interface.index).ok_or_else(|| {
                let names: Vec<String> =
                    snapshot.interfaces.iter().map(|interface| interface.name.to_string()).collect();
                let near = nearest(&name.to_string(), names.iter().map(String::as_str));
                let meant = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
                Error::new(ErrorKind::NotFound, "there is no such interface")
                    .during("explain")
                    .on(name.to_string())
                    .hint(format!("{meant}`ip link` lists the names"))
            })
        })
        .collect()
}
