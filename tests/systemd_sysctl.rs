//! What `persist::sysctld` says about the next boot, against the real systemd-sysctl.
//!
//! Each random set of files is put over `/etc/sysctl.d` and its like in a mount namespace of its own;
//! systemd-sysctl runs there in a fresh network namespace, and every value that it leaves behind is
//! compared with the prediction. Writing `default` reaches interfaces that were never set one by one
//! (they follow it), so files never assign it here, by pattern neither.

#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use arpflux_core::persist::sysctld::{Assignment, BootSysctls, Key};
use arpflux_core::sysctl::Sysctl;

const BINARIES: &[&str] = &["/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"];
/// Not `/lib/sysctl.d`, which is the same as `/usr/lib/sysctl.d` where `/usr` is merged.
const USED: &[&str] = &["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];
const INTERFACES: &[&str] = &["eth0", "eth0.10", "eth0.20", "lan-1", "p.q.r"];
const SYSCTLS: &[Sysctl] = &[Sysctl::ArpIgnore, Sysctl::ArpAnnounce, Sysctl::ArpFilter];

/// Numbers that look random and are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// A line such as an administrator or a vendor writes it: either spelling, names or patterns.
fn line(numbers: &mut Numbers) -> String {
    let interface = numbers.of(&[
        "eth0",
        "eth0.10",
        "eth0.20",
        "lan-1",
        "p.q.r",
        "all",
        "eth*",
        "lan-[0-9]",
        "p?q.r",
        "eth0?10",
    ]);
    let sysctl = numbers.of(&["arp_ignore", "arp_announce", "arp_filter"]);
    let key = match numbers.below(3) {
        0 => format!("net/ipv4/conf/{interface}/{sysctl}"),
        1 => format!("net.ipv4.conf.{}.{sysctl}", interface.replace('.', "/")),
        // The usual mistake: dots in a name that is spelled with dots.
        _ => format!("net.ipv4.conf.{interface}.{sysctl}"),
    };
    let value = numbers.of(&["0", "1", "2", "3", "0x2", "8"]);
    match numbers.below(8) {
        0 => format!("-{key}"),
        1 => format!("-{key} = {value}"),
        2 => format!("  {key}={value}  "),
        3 => format!("# {key} = {value}"),
        _ => format!("{key} = {value}"),
    }
}

fn files(numbers: &mut Numbers) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for _ in 0..2 + numbers.below(5) {
        let folder = numbers.of(USED);
        let name = numbers.of(&[
            "10-a.conf",
            "50-default.conf",
            "90-z.conf",
            "99-sysctl.conf",
            "99-zz-arpflux.conf",
        ]);
        let lines: Vec<_> = (0..1 + numbers.below(5)).map(|_| line(numbers)).collect();
        files.insert(Path::new(folder).join(name), lines.join("\n") + "\n");
    }
    files
}

/// Runs the real thing over the files below `root` and gives the values it leaves, by path.
fn real(root: &Path, binary: &str) -> BTreeMap<String, String> {
    let mut script = String::from("set -e\n");
    for folder in USED {
        script += &format!("mount --bind {}{folder} {folder}\n", root.display());
    }
    for name in INTERFACES {
        script += &format!("ip link add name {name} type veth peer name x{}\n", name.replace(['.', '-'], ""));
    }
    script += &format!("SYSTEMD_LOG_LEVEL=err {binary} || true\n");
    script += "cd /proc/sys\n";
    for folder in INTERFACES.iter().chain(&["all"]) {
        for sysctl in SYSCTLS {
            script +=
                &format!("echo net/ipv4/conf/{folder}/{sysctl} $(cat net/ipv4/conf/{folder}/{sysctl})\n");
        }
    }
    let output = Command::new("unshare")
        .args(["--mount", "--net", "bash", "-c"])
        // Folders to mount over, whatever the machine has.
        .arg(format!(
            "for d in /run /usr/local/lib; do mount -t tmpfs none $d; mkdir $d/sysctl.d; done\n{script}"
        ))
        .output()
        .expect("unshare, of util-linux");
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(path, value)| (path.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_real_binary_sets_what_was_predicted() {
    let binary = BINARIES.iter().find(|path| Path::new(path).exists()).expect("the Debian package systemd");
    let mut numbers = Numbers(0x00a2_5f1e);
    let (mut compared, mut set) = (0, 0);
    for case in 0..60 {
        let root = std::env::temp_dir().join(format!("arpflux-systemd-sysctl-{}-{case}", std::process::id()));
        let files = files(&mut numbers);
        for folder in USED {
            std::fs::create_dir_all(root.join(folder.trim_start_matches('/'))).expect("a scratch folder");
        }
        for (path, text) in &files {
            let path = root.join(path.strip_prefix("/").expect("an absolute path"));
            std::fs::write(path, text).expect("a scratch file");
        }
        let boot = BootSysctls::load(&root).expect("the files can be read");
        let values = real(&root, binary);
        std::fs::remove_dir_all(&root).expect("the scratch folder can go");
        assert_eq!(values.len(), (INTERFACES.len() + 1) * SYSCTLS.len(), "case {case}: {values:?}");
        for (path, value) in values {
            let winner = boot.winner(&Key::parse(&path));
            let expected = winner.and_then(Assignment::number).unwrap_or(0);
            assert_eq!(value, expected.to_string(), "case {case}, {path}, by {winner:?}, of {files:#?}");
            compared += 1;
            set += u32::from(winner.is_some());
        }
    }
    println!("compared {compared} values, {set} of them set by a file");
    assert!(set > 200, "the files hardly set anything: {set}");
}
