//! The page's lab: a node with three interfaces on one wire, a client, containers behind venet0, and the
//! scripts of one version of vzctl in a folder of their own.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use arpflux_core::Host;
use arpflux_core::snapshot::{Snapshot, table};
use arpflux_lab::page;
use arpflux_lab::{Host as Node, Lab, NewRoute, Switch, Venet};

pub const A101: Ipv4Addr = Ipv4Addr::new(192, 168, 18, 101);
pub const A102: Ipv4Addr = Ipv4Addr::new(192, 168, 18, 102);
pub use arpflux_lab::page::{CLIENT, NICS};

/// Whose scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Vzctl,
    Libvzctl,
}

pub use Version::{Libvzctl, Vzctl};

impl Version {
    fn name(self) -> &'static str {
        match self {
            Vzctl => "vzctl",
            Libvzctl => "libvzctl",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Vzctl => Libvzctl,
            Libvzctl => Vzctl,
        }
    }

    /// The file of functions that a package of this version has, and that `setup` adds a line to.
    pub fn functions(self) -> &'static str {
        match self {
            Vzctl => "vps-functions",
            Libvzctl => "vz-functions",
        }
    }
}

/// What a script said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub struct Bench {
    pub version: Version,
    pub hn: Node,
    pub client: Node,
    pub host: Host,
    pub folder: PathBuf,
    pub lan: Switch,
    venet: Venet,
    pub lab: Lab,
    /// Whose scripts are in `lib/scripts`; the other version's, if they are there, are in a folder of their own.
    first: Version,
}

impl Bench {
    /// The lab with the scripts as they are shipped.
    pub fn bare(version: Version) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let hn = page::node(&lab, &lan, "hn").unwrap();
        hn.sysctl("net/ipv4/ip_forward", 1).unwrap();
        let client = page::client(&lab, &lan).unwrap();
        let venet = lab.venet(&hn, "venet0").unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/run/arpflux-vz-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let host = hn.run(|| Host::current().unwrap()).unwrap();
        let bench = Self { version, hn, client, host, folder, lan, venet, lab, first: version };
        bench.write("etc/vz/vz.conf", "VIRTUOZZO=yes\nERROR_ON_ARPFAIL=\"no\"\n");
        bench.write("etc/vz/conf/101.conf", "IP_ADDRESS=\"192.168.18.101\"\nARPFLUX_IF=\"eth3\"\n");
        bench.write("etc/vz/conf/102.conf", "IP_ADDRESS=\"192.168.18.102\"\nARPFLUX_IF=\"eth4\"\n");
        // What the kernel of OpenVZ says of containers that run.
        bench.write("veinfo.proc", "");
        bench.write("veip.proc", "Version: 2.5\n192.168.18.101 101\n");
        bench.install_scripts();
        // Another build, by hand: for figures.
        let command = std::env::var_os("ARPFLUX_VZ_COMMAND").unwrap_or(env!("CARGO_BIN_EXE_arpflux").into());
        std::os::unix::fs::symlink(command, bench.path("arpflux")).unwrap();
        bench
    }

    /// The same with arpflux set up.
    pub fn new(version: Version) -> Self {
        let bench = Self::bare(version);
        bench.good(&["setup"]);
        bench
    }

    /// The scripts of both versions on one node, set up; `version` says whose are run, and may be changed.
    pub fn both(version: Version) -> Self {
        let mut bench = Self::bare(version);
        for one in [version.other(), version] {
            bench.version = one;
            bench.install_scripts();
            bench.good(&["setup"]);
        }
        bench
    }

    /// Where the scripts are that `version` names.
    pub fn scripts(&self) -> PathBuf {
        self.path(if self.version == self.first { "lib/scripts" } else { "other/scripts" })
    }

    fn install_scripts(&self) {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vzctl");
        let from = std::env::var_os("ARPFLUX_VZCTL_SCRIPTS").map_or(own, PathBuf::from);
        let from = from.join(self.version.name());
        std::fs::create_dir_all(self.path("veip")).unwrap();
        for entry in std::fs::read_dir(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text
                .replace("@PKGCONFDIR@", self.path("etc/vz").to_str().unwrap())
                .replace("@SCRIPTDIR@", self.scripts().to_str().unwrap())
                .replace("@VEIPDUMPDIR@", self.path("veip").to_str().unwrap())
                .replace("@VPSCONFDIR@", self.path("etc/vz/conf").to_str().unwrap())
                .replace("@SBINDIR@", "/usr/sbin");
            let path = self.scripts().join(path.file_name().unwrap());
            std::fs::create_dir_all(self.scripts()).unwrap();
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(path, mode).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A container behind venet0; its route is the scripts' business.
    pub fn container(&self, address: Ipv4Addr) -> Node {
        let container = self.venet.container(&address.to_string(), address).unwrap();
        let route = NewRoute::to(&format!("{address}/32")).unwrap().device("venet0").unwrap();
        self.hn.delete_route(&route).unwrap();
        container
    }

    /// `arpflux vz` on the node, with the bench's folders.
    pub fn vz_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("arpflux"));
        command.arg("vz").args(arguments).args(["--vz-dir", self.path("etc/vz").to_str().unwrap()]);
        command.args(["--policy", self.path("policy.toml").to_str().unwrap()]);
        if matches!(arguments.first(), Some(&"setup" | &"uninstall" | &"status")) {
            command.args(["--scripts", self.scripts().to_str().unwrap()]);
            command.args(["--command", self.path("arpflux").to_str().unwrap()]);
        }
        command.args(["--state-dir", self.path("state").to_str().unwrap()]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        command
    }

    pub fn vz(&self, arguments: &[&str]) -> Said {
        self.run(self.vz_command(arguments))
    }

    pub fn good(&self, arguments: &[&str]) -> String {
        let said = self.vz(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.stdout
    }

    pub fn run(&self, mut command: Command) -> Said {
        let Output { status, stdout, stderr } = self.hn.run(|| command.output().unwrap()).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// A script, called as vzctl calls it: with nothing in the environment but this.
    pub fn script(&self, name: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.scripts().join(name));
        command
            .env_clear()
            // A folder of the test's own first, for commands that it looks over the shoulder of.
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display()))
            .env("HOME", "/")
            .stdin(Stdio::null());
        command.envs(environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        command
    }

    pub fn start_command(&self, veid: &str, addresses: &str, more: &[(&str, &str)]) -> Command {
        let mut command = match self.version {
            Vzctl => self
                .script("vps-net_add", &[("VEID", veid), ("IP_ADDR", addresses), ("VE_STATE", "starting")]),
            Libvzctl => self.script(
                "vz-netns_dev_add",
                &[
                    ("VEID", veid),
                    ("HNAME", "venet0"),
                    ("VNAME", "eth0"),
                    ("SKIP_CREATE", "1"),
                    ("NETWORK_TYPE", "routed"),
                    ("IP_ADD", addresses),
                    ("VE_STATE", "starting"),
                ],
            ),
        };
        command.envs(more.iter().copied());
        command
    }

    pub fn start(&self, veid: &str, addresses: &str) -> Said {
        self.run(self.start_command(veid, addresses, &[]))
    }

    /// Starts without asking for duplicates: that takes a second.
    pub fn start_quick(&self, veid: &str, addresses: &str) -> Said {
        self.run(self.start_command(veid, addresses, &[("SKIP_ARPDETECT", "yes")]))
    }

    pub fn stop(&self, veid: &str, addresses: &str) -> Said {
        self.run(match self.version {
            Vzctl => self
                .script("vps-net_del", &[("VEID", veid), ("IP_ADDR", addresses), ("VE_STATE", "stopping")]),
            Libvzctl => self.script("vz-stop", &[("VEID", veid)]),
        })
    }

    pub fn snapshot(&self) -> Snapshot {
        self.host.snapshot().unwrap()
    }

    /// The proxy entries, as "192.168.18.101 eth3".
    pub fn proxies(&self) -> Vec<String> {
        let snapshot = self.snapshot();
        let name = |interface: Option<_>| interface.map_or("all".into(), |index| snapshot.name_of(index));
        let mut all: Vec<String> = snapshot
            .proxies
            .iter()
            .map(|entry| format!("{} {}", entry.address, name(entry.interface)))
            .collect();
        all.sort();
        all
    }

    /// The sources that rules are for.
    pub fn ruled(&self) -> Vec<String> {
        let snapshot = self.snapshot();
        // Of the look-ups for a source the one that leads to the wire's subnet by its own table.
        let wire = snapshot
            .rules
            .iter()
            .filter(|rule| rule.table != table::MAIN && rule.suppress_prefix_len.is_some());
        let mut all: Vec<String> = wire.filter_map(|rule| Some(rule.source?.addr().to_string())).collect();
        all.sort();
        all
    }

    /// Whether the node has a route of its own to an address.
    pub fn routed(&self, address: Ipv4Addr) -> bool {
        let host =
            |net: arpflux_core::types::IpNet| net.addr() == IpAddr::V4(address) && net.prefix_len() == 32;
        self.snapshot().routes.iter().any(|route| route.table == table::MAIN && host(route.destination))
    }

    /// Deletes the node's route to an address.
    pub fn unroute(&self, address: Ipv4Addr) {
        let mut command = Command::new("ip");
        command.args(["route", "del", &address.to_string()]);
        assert_eq!(self.run(command).code, 0, "{address}");
    }

    /// The MACs that answer the client for an address.
    pub fn macs(&self, address: Ipv4Addr) -> Vec<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
        command.args(["probe", &address.to_string(), "--json"]).stdin(Stdio::null());
        let output = self.client.run(|| command.output().unwrap()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let replies = answer["addresses"][0]["replies"].as_array().unwrap();
        let mut macs: Vec<String> =
            replies.iter().map(|reply| reply["mac"].as_str().unwrap().to_owned()).collect();
        macs.sort();
        macs
    }

    pub fn mac(interface: &str) -> String {
        NICS.iter().find(|nic| nic.name == interface).unwrap().mac.to_owned()
    }

    /// Every file below the bench's folder that belongs to vzctl, with text and mode.
    pub fn tree(&self) -> Vec<(PathBuf, String, u32)> {
        use std::os::unix::fs::PermissionsExt as _;
        let (mut found, mut todo) = (Vec::new(), vec![self.path("etc"), self.path("lib")]);
        while let Some(folder) = todo.pop() {
            found.push((folder.clone(), String::new(), 0));
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    let mode = path.metadata().unwrap().permissions().mode();
                    found.push((path.clone(), std::fs::read_to_string(&path).unwrap(), mode));
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a snapshot says about containers: entries, rules, routes, without the order and what changes by
/// itself.
pub fn comparable(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> = snapshot.proxies.iter().map(|entry| format!("{entry:?}")).collect();
    lines.extend(snapshot.rules.iter().map(|rule| format!("{rule:?}")));
    lines.extend(snapshot.routes.iter().map(|route| format!("{route:?}")));
    lines.sort();
    lines
}
