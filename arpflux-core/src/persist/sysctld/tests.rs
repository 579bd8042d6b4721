use std::path::Path;

use super::{BootSysctls, Key, pattern};

fn tree(files: &[(&str, &str)]) -> (TempDir, BootSysctls) {
    let root = TempDir::new();
    for (path, text) in files {
        let path = root.0.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => std::fs::write(path, text).unwrap(),
        }
    }
    let boot = BootSysctls::load(&root.0).unwrap();
    (root, boot)
}

pub(crate) struct TempDir(pub std::path::PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("arpflux-persist-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn value(boot: &BootSysctls, path: &str) -> Option<String> {
    boot.winner(&Key::parse(path)).and_then(|line| line.value.clone())
}

#[test]
fn both_spellings_name_the_same_key() {
    let key = Key::parse("net/ipv4/conf/eth0.10/arp_ignore");
    assert_eq!(Key::parse("net.ipv4.conf.eth0/10.arp_ignore"), key);
    assert_eq!(key.as_path(), "net/ipv4/conf/eth0.10/arp_ignore");
    assert_eq!(Key::parse("/net/ipv4//conf/eth0.10/arp_ignore"), key);
    assert_ne!(Key::parse("net.ipv4.conf.eth0.10.arp_ignore"), key);
}

#[test]
fn a_full_name_beats_a_pattern_and_a_later_file_an_earlier() {
    let (_root, boot) = tree(&[
        (
            "/usr/lib/sysctl.d/50-vendor.conf",
            "net.ipv4.conf.*.arp_ignore = 2\n-net.ipv4.conf.all.arp_ignore\n",
        ),
        ("/etc/sysctl.d/10-a.conf", "net.ipv4.conf.eth0.arp_ignore=1\nnot an assignment\n"),
        ("/etc/sysctl.d/90-b.conf", "net.ipv4.conf.eth1.arp_ignore = 3\nnet.ipv4.conf.eth1.arp_ignore = 4\n"),
        ("/etc/sysctl.d/.hidden.conf", "net.ipv4.conf.eth0.arp_ignore=9\n"),
        ("/etc/sysctl.d/README", "net.ipv4.conf.eth0.arp_ignore=9\n"),
    ]);
    assert_eq!(value(&boot, "net/ipv4/conf/eth0/arp_ignore").as_deref(), Some("1"));
    assert_eq!(value(&boot, "net/ipv4/conf/eth1/arp_ignore").as_deref(), Some("4"));
    assert_eq!(value(&boot, "net/ipv4/conf/eth2/arp_ignore").as_deref(), Some("2"));
    assert_eq!(value(&boot, "net/ipv4/conf/all/arp_ignore"), None);
    assert_eq!(value(&boot, "net/ipv4/conf/eth0/arp_filter"), None);
    let losers = boot.losers(&Key::parse("net/ipv4/conf/eth1/arp_ignore"));
    let places: Vec<_> = losers.iter().map(|line| (line.file.as_path(), line.line)).collect();
    assert_eq!(
        places,
        [(Path::new("/etc/sysctl.d/90-b.conf"), 1), (Path::new("/usr/lib/sysctl.d/50-vendor.conf"), 1)]
    );
}

#[test]
fn a_name_in_an_earlier_folder_hides_its_namesake() {
    let (_root, boot) = tree(&[
        ("/usr/lib/sysctl.d/50-x.conf", "net.ipv4.conf.all.arp_ignore = 1\n"),
        ("/etc/sysctl.d/50-x.conf", "-> /dev/null"),
        ("/lib/sysctl.d/60-y.conf", "net.ipv4.conf.all.arp_filter = 1\n"),
        ("/run/sysctl.d/60-y.conf", "net.ipv4.conf.all.arp_announce = 2\n"),
        ("/etc/sysctl.conf", "net.ipv4.conf.all.arp_accept = 1\n"),
        ("/etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
    ]);
    assert_eq!(value(&boot, "net/ipv4/conf/all/arp_ignore"), None);
    assert_eq!(value(&boot, "net/ipv4/conf/all/arp_filter"), None);
    assert_eq!(value(&boot, "net/ipv4/conf/all/arp_announce").as_deref(), Some("2"));
    assert_eq!(value(&boot, "net/ipv4/conf/all/arp_accept").as_deref(), Some("1"));
}

#[test]
fn values_are_read_as_the_kernel_reads_them() {
    let (_root, boot) = tree(&[(
        "/etc/sysctl.d/1.conf",
        "a/b = 2 trailing\na/c = 0x2\na/d = 010\na/e = -7\na/f = two\na/g =\na/h = 99999999999\n",
    )]);
    let number = |path: &str| boot.winner(&Key::parse(path)).unwrap().number();
    let numbers: Vec<_> = ["a/b", "a/c", "a/d", "a/e", "a/f", "a/g", "a/h"].into_iter().map(number).collect();
    assert_eq!(numbers, [Some(2), Some(2), Some(8), Some(-7), None, None, None]);
}

#[test]
fn patterns_match_part_by_part() {
    for (pattern, path, expected) in [
        ("net/ipv4/conf/*/arp_ignore", "net/ipv4/conf/eth0.10/arp_ignore", true),
        ("net/*/arp_ignore", "net/ipv4/conf/eth0/arp_ignore", false),
        ("a/eth?", "a/eth10", false),
        ("a/eth[0-3]", "a/eth2", true),
        ("a/eth[!0-3]", "a/eth2", false),
        ("a/[]x]", "a/]", true),
        ("a/[x", "a/[x", true),
        ("a/*b*c", "a/xbybzc", true),
        ("a/*b*c", "a/xbybz", false),
        ("a/*", "a/.hidden", false),
        ("a/**", "a/b", true),
        ("a/\\*", "a/*", true),
        ("a/\\*", "a/b", false),
    ] {
        assert_eq!(pattern::matches(pattern, path), expected, "{pattern} {path}");
    }
}
