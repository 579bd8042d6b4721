//! Whether a lab can be made here, and how to get there without root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use arpflux_core::{Error, ErrorKind, Result};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

/// Set in the process that [`enter`] starts anew, so that it is not done twice.
const ENTERED: &str = "ARPFLUX_LAB_ENTERED";

/// Settings that forbid user or network namespaces, and the value that does.
const FORBIDDING: &[(&str, &str)] = &[
    ("kernel.unprivileged_userns_clone", "0"),
    ("user.max_user_namespaces", "0"),
    ("user.max_net_namespaces", "0"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1"),
];

/// Whether this process may make network namespaces and configure them.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`], naming the settings that forbid it and what to run instead.
pub fn privileges() -> Result<()> {
    match try_netns() {
        Ok(()) => Ok(()),
        Err(errno) => Err(refusal("make a network namespace", errno)),
    }
}

/// On a thread of its own, so that the caller's stays where it is.
fn try_netns() -> Result<(), Errno> {
    std::thread::scope(|scope| {
        let attempt = scope.spawn(|| unshare(CloneFlags::CLONE_NEWNET));
        attempt.join().unwrap_or(Err(Errno::EPERM))
    })
}

/// Makes sure that labs can be made: does nothing if they can, else starts this program anew as the
/// root of a user namespace of its own. To be called first thing in `main`, before any thread.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] as [`privileges`], if that is forbidden too.
pub fn enter() -> Result<()> {
    let Err(errno) = try_netns() else { return Ok(()) };
    if std::env::var_os(ENTERED).is_some() {
        // Ubuntu's AppArmor lets a user namespace be made and then takes its capabilities.
        return Err(refusal("make a network namespace within a user namespace", errno));
    }
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| match errno {
        Errno::EINVAL => Error::new(
            ErrorKind::PermissionDenied,
            "a program with several threads cannot enter a user namespace",
        )
        .during("make a user namespace")
        .hint("call arpflux_lab::enter() first thing in main"),
        errno => refusal("make a user namespace", errno),
    })?;
    for (file, text) in [
        ("setgroups", "deny".to_string()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        let path = Path::new("/proc/self").join(file);
        std::fs::write(&path, text).map_err(|error| match error.raw_os_error() {
            // Root without CAP_SETFCAP, as in some containers, may not be mapped.
            Some(errno) => refusal("become root of a user namespace", Errno::from_raw(errno)),
            None => Error::file("write", &path, &error),
        })?;
    }
    // Capabilities over the user namespace are complete only after an exec as its root.
    let mut arguments = std::env::args_os();
    let mut again = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).env(ENTERED, "1").exec();
    Err(Error::io("start anew", "/proc/self/exe", &error))
}

fn refusal(operation: &'static str, errno: Errno) -> Error {
    let settings: Vec<String> = FORBIDDING
        .iter()
        .filter(|(name, value)| {
            let file = Path::new("/proc/sys").join(name.replace('.', "/"));
            std::fs::read_to_string(file).is_ok_and(|text| text.trim() == *value)
        })
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let why = if settings.is_empty() {
        "no sysctl forbids it: CAP_SYS_ADMIN is missing, or the seccomp profile of a container forbids it"
            .to_string()
    } else {
        format!("forbidden by {}", settings.join(" and "))
    };
    Error::new(ErrorKind::PermissionDenied, format!("{} ({why})", errno.desc()))
        .during(operation)
        .on("this process")
        .hint("run it as root (sudo), or as a user who may make user namespaces (`unshare -rn true` tells)")
}
