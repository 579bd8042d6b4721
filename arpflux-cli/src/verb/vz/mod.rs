//! `arpflux vz …`: what the scripts of vzctl and OpenVZ 7 call.

mod announce;
mod detect;
mod net_add;
mod net_del;
mod nics;
mod setup;
mod status;
mod stop;
mod sync;
mod uninstall;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use arpflux_core::apply::{Outcome, Receipt};
use arpflux_core::vz::{ANNOUNCE_AGAIN, Call, Done, Node, Places, Purpose};
use arpflux_core::{Host, Result};

use crate::input::{Live, State};
use crate::output::Output;

/// Publish the addresses of OpenVZ containers on the right interface only, from vzctl's scripts.
///
/// Which interface that is, a [[proxy]] of the policy file says whose owner is the container's id, or
/// ARPFLUX_IF="eth3" in the container's own file. Without addresses as arguments these verbs take the
/// scripts' environment: VEID, IP_ADDR (IP_ADD, IP_DEL), VE_STATE, SKIP_ARPDETECT, ERROR_ON_ARPFAIL.
///
/// Exit codes: 0 good; 1 an address is in use; 2 bad input or policy; 3 not permitted; 4 failed and
/// restored; 5 failed and not fully restored; 6 cannot be told; 7 busy, and nothing was tried.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Put the calls to arpflux into the scripts of vzctl or OpenVZ 7.
    Setup(setup::Args),
    /// Publish addresses of a container, after its routes are set.
    NetAdd(net_add::Args),
    /// Withdraw addresses of a container, before its routes go.
    NetDel(net_del::Args),
    /// Withdraw all addresses of a container.
    Stop(stop::Args),
    /// Find out whether somebody else has addresses of a container, before they are published.
    Detect(detect::Args),
    /// Tell the peers once where published addresses are.
    Announce(announce::Args),
    /// Print the interfaces where addresses of a container belong.
    Nics(nics::Args),
    /// Publish again what is missing, and withdraw what lost its route.
    Sync(sync::Args),
    /// Show what is published, for whom and where.
    Status(status::Args),
    /// Take the calls to arpflux out of the scripts again.
    Uninstall(uninstall::Args),
}

/// Runs the verb.
///
/// # Errors
/// Those of the verb.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    match &args.verb {
        Verb::Setup(args) => setup::run(args, output),
        Verb::NetAdd(args) => net_add::run(args, output),
        Verb::NetDel(args) => net_del::run(args, output),
        Verb::Stop(args) => stop::run(args, output),
        Verb::Detect(args) => detect::run(args, output),
        Verb::Announce(args) => announce::run(args, output),
        Verb::Nics(args) => nics::run(args, output),
        Verb::Sync(args) => sync::run(args, output),
        Verb::Status(args) => status::run(args, output),
        Verb::Uninstall(args) => uninstall::run(args, output),
    }
}

/// What every verb takes that works on a node.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    files: Files,
}

/// Where the files are.
#[derive(Debug, clap::Args)]
struct Files {
    /// The policy; it need not exist.
    #[arg(long, value_name = "FILE", default_value = "/etc/arpflux/policy.toml")]
    policy: PathBuf,
    /// The folder with vz.conf and conf/$CTID.conf.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/vz")]
    vz_dir: PathBuf,
}

impl Common {
    fn node(&self) -> Result<Node> {
        let Files { policy, vz_dir } = &self.files;
        let places = Places {
            policy: policy.clone(),
            global: vz_dir.join("vz.conf"),
            containers: vz_dir.join("conf"),
        };
        Ok(Node::new(Host::from(self.live.netns()?), self.state.changing()?, places))
    }
}

/// Whose addresses are meant.
#[derive(Debug, clap::Args)]
struct Whose {
    /// The container. Default: VEID in the environment.
    #[arg(long, value_name = "CTID")]
    veid: Option<OsString>,
    /// Addresses, with or without netmask. Default: those in the environment.
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<OsString>,
}

impl Whose {
    fn call(&self, purpose: Purpose) -> Result<Call> {
        Call::read(self.veid.as_deref(), &self.addresses, purpose, |name| std::env::var_os(name))
    }
}

/// Prints what was done. Scripts get nothing but what they need: one line for people with `--verbose`.
fn report(done: &Done, output: &Output) {
    for note in done.notes.iter().chain(&done.receipt.notes) {
        if !note.starts_with("peers were told") {
            output.note(format!("arpflux: {note}"));
        }
    }
    if output.json() {
        let _ = output.answer(&done.receipt);
    }
}

/// One line for people.
fn summary(receipt: &Receipt, output: &Output) {
    if !output.json() {
        let _ = output.text(match receipt.outcome {
            Outcome::Unchanged => "nothing to change\n".to_owned(),
            _ => format!("{} changes made and checked\n", receipt.changes.len()),
        });
    }
}

/// Lets a process of its own tell the peers once more: the script is not to wait for it.
fn announce_again(done: &Done, common: &Common, output: &Output) {
    if done.announce_again.is_empty() {
        return;
    }
    let start = || -> std::io::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["vz", "announce", "--after"]).arg(format!("{}ms", ANNOUNCE_AGAIN.as_millis()));
        command.arg("--policy").arg(&common.files.policy).arg("--vz-dir").arg(&common.files.vz_dir);
        if let Some(netns) = &common.live.netns {
            command.arg("--netns").arg(netns);
        }
        if let Some(folder) = common.state.options().state_dir {
            command.arg("--state-dir").arg(folder);
        }
        command.args(done.announce_again.iter().map(ToString::to_string));
        command.env_remove("VEID").env_remove("IP_ADDR").env_remove("IP_ADD");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map(drop)
    };
    // They were told once; some may keep a wrong MAC a little longer.
    if let Err(error) = start() {
        output.note(format!("arpflux: the peers are told once only: {error}"));
    }
}
