//! A host with a file system of its own: `/usr`, `/proc` and `/dev` are the machine's, everything else
//! is empty, so that the managers' own programs can be run on the files that are written there.
#![allow(dead_code, reason = "each test program uses its part")]

#[path = "../../../arpflux-core/src/apply/tests/comparable.rs"]
mod comparable;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use arpflux_core::{Host, Snapshot};
use arpflux_lab::{Host as Node, Lab, Switch};
use comparable::comparable;

pub const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth3", "lan.7"]
announce = false
proxy_delay = 100
[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
[[proxy]]
owner = "102"
addresses = ["192.168.18.102"]
interface = "lan.7"
"#;

/// Interfaces, MACs and addresses; a dot in a name is nothing special.
pub const INTERFACES: [(&str, &str, &str); 3] = [
    ("eth0", "00:0c:29:b3:a2:54", "192.168.18.10/24"),
    ("eth3", "00:0c:29:b3:a2:68", "192.168.18.11/24"),
    ("lan.7", "00:0c:29:b3:a2:5e", "192.168.18.12/24"),
];

pub struct Image {
    pub root: PathBuf,
    pub node: Node,
    pub host: Host,
    pub lan: Switch,
    _containers: Vec<Node>,
    _lab: Lab,
}

impl Image {
    /// A host that forwards, with the interfaces and their addresses.
    pub fn new(name: &str) -> Self {
        let image = Self::bare(name);
        for (interface, mac, address) in INTERFACES {
            image.node.plug(&image.lan, interface, mac.parse().unwrap()).unwrap();
            image.node.address(interface, address).unwrap();
        }
        image
    }

    /// The same without an interface.
    pub fn bare(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = lab.host("hn").unwrap();
        node.sysctl("net/ipv4/ip_forward", 1).unwrap();
        let venet = lab.venet(&node, "venet0").unwrap();
        let containers = [101, 102]
            .map(|last: u8| venet.container(&last.to_string(), [192, 168, 18, last].into()).unwrap());
        let host = node.run(|| Host::current().unwrap()).unwrap();
        let root = PathBuf::from(format!("/run/arpflux-image-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for folder in ["usr", "proc", "sys", "dev", "etc", "run", "tmp", "opt", "var/lib"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for folder in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{folder}"), root.join(folder)).unwrap();
        }
        let image = Self { root, node, host, lan, _containers: containers.into(), _lab: lab };
        std::fs::copy(env!("CARGO_BIN_EXE_arpflux"), image.path("/opt/arpflux")).unwrap();
        image.write("/policy.toml", POLICY);
        // Programs that give up root want a user; there may be no other one than root to become.
        image.write("/etc/passwd", "root:x:0:0::/:/bin/sh\nsystemd-network:x:0:0::/:/bin/sh\n");
        image.write("/etc/group", "root:x:0:\nsystemd-network:x:0:\n");
        image
    }

    /// Where an absolute path of the image is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn is_there(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub fn mode(&self, path: &str) -> u32 {
        self.path(path).symlink_metadata().unwrap().permissions().mode() & 0o7777
    }

    /// A shell script as a process inside the image, in the host's network namespace.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec"]).arg(
            "cd \"$1\"; for folder in usr proc dev; do mount --rbind /$folder $folder; done; \
             mount -t sysfs -o ro sysfs sys; exec chroot . sh -c \"$2\"",
        );
        command.arg("image").arg(&self.root).arg(script);
        command.stdin(Stdio::null()).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/opt");
        command
    }

    /// Runs it to its end: exit code, standard output, standard error.
    pub fn run(&self, script: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } =
            self.node.run(|| self.shell(script).output().expect("unshare, of util-linux")).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }

    pub fn good(&self, script: &str) -> String {
        let (code, text, errors) = self.run(script);
        assert_eq!(code, 0, "{script}: {text}{errors}");
        text
    }

    /// All files below `/etc`, with what tells them apart.
    pub fn etc(&self) -> Vec<(PathBuf, String)> {
        fn all(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                match std::fs::read_link(&path) {
                    Ok(target) => found.push((path, target.display().to_string())),
                    Err(_) if path.is_dir() => all(&path, found),
                    Err(_) => {
                        let mode = path.metadata().unwrap().permissions().mode();
                        let text = std::fs::read_to_string(&path).unwrap();
                        found.push((path, format!("{mode:o} {text}")));
                    }
                }
            }
        }
        let mut found = Vec::new();
        all(&self.path("/etc"), &mut found);
        found.sort();
        found
    }

    /// What the kernel holds, without what changes by itself and without orders that mean nothing.
    pub fn state(&self) -> Snapshot {
        comparable(&self.host.snapshot().unwrap())
    }

    /// Whether the policy holds, by configuration and by the model.
    pub fn verify(&self) -> (i32, String, String) {
        self.run("arpflux verify --policy /policy.toml")
    }

    pub fn holds(&self) -> bool {
        self.verify().0 == 0
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}
