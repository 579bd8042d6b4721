//! Which services are started at boot, and who reads `sysctl.d`.

use std::path::Path;

use super::files::Files;
use crate::persist::sysctld::Reader;

const UNIT_FOLDERS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Whether a unit is wanted by a target, or a service stands in a runlevel of OpenRC or System V.
pub(super) fn enabled(files: &Files<'_>, name: &str) -> bool {
    if masked(files, name) {
        return false;
    }
    for folder in UNIT_FOLDERS {
        for wants in files.names(folder) {
            let is_wants = wants.ends_with(".wants") || wants.ends_with(".requires");
            if is_wants && files.has_entry(Path::new(folder).join(&wants).join(format!("{name}.service"))) {
                return true;
            }
        }
    }
    let in_runlevel = |runlevel: &&str| files.has_entry(format!("/etc/runlevels/{runlevel}/{name}"));
    let in_rc = |runlevel: &&str| {
        files.names(format!("/etc/{runlevel}")).iter().any(|entry| {
            let rest = entry.strip_prefix('S');
            rest.is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == name)
        })
    };
    ["sysinit", "boot", "default"].iter().any(in_runlevel) || ["rcS.d", "rc2.d", "rc3.d"].iter().any(in_rc)
}

/// Whether a unit is a link to `/dev/null`.
fn masked(files: &Files<'_>, name: &str) -> bool {
    let link = files.link(format!("/etc/systemd/system/{name}.service"));
    link.is_some_and(|target| target == Path::new("/dev/null"))
}

/// Whether systemd is the host's init.
pub(super) fn systemd(files: &Files<'_>) -> bool {
    ["/run/systemd/system", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"]
        .iter()
        .any(|path| files.exists(path))
}

/// The number of the systemd that is installed, by the name of its library.
pub(super) fn systemd_version(files: &Files<'_>) -> Option<u32> {
    let mut folders =
        vec!["/usr/lib/systemd".to_owned(), "/lib/systemd".to_owned(), "/usr/lib64/systemd".to_owned()];
    folders.extend(files.names("/usr/lib").into_iter().map(|name| format!("/usr/lib/{name}/systemd")));
    folders.iter().flat_map(|folder| files.names(folder)).find_map(|name| {
        let number = name.strip_prefix("libsystemd-shared-")?.split(|c: char| !c.is_ascii_digit()).next()?;
        number.parse().ok()
    })
}

/// The program that sets what `sysctl.d` says.
pub(super) fn reader(files: &Files<'_>) -> Reader {
    if systemd(files) {
        let off = masked(files, "systemd-sysctl");
        return if off { Reader::Nobody } else { Reader::Systemd };
    }
    let alpine = files.exists("/etc/alpine-release");
    if ["/sbin/openrc-run", "/etc/runlevels", "/etc/alpine-release"].iter().any(|path| files.exists(path)) {
        // OpenRC's own script runs `sysctl --system`; Alpine's gives busybox one file after the other.
        return match files.text("/etc/init.d/sysctl") {
            Some(script) if script.contains("--system") => Reader::Procps,
            None if !alpine => Reader::Procps,
            _ => Reader::Busybox,
        };
    }
    if files.exists("/etc/init.d/procps") { Reader::Procps } else { Reader::Systemd }
}
