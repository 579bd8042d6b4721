//! The real programs, over a tree.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use arpflux_core::persist::{BootReport, BootValue};

use crate::tree::{Tree, address};

pub const SYSCTLS: &[&str] = &[
    "arp_ignore",
    "arp_announce",
    "arp_filter",
    "arp_accept",
    "arp_notify",
    "forwarding",
    "proxy_arp",
    "proxy_arp_pvlan",
    "rp_filter",
    "accept_local",
    "route_localnet",
];

/// Values by their path below `/proc/sys`.
pub type Values = BTreeMap<String, i32>;

/// Makes the tree the root, with the machine's `/usr`; what the tree has below `/usr` is laid over it.
const ROOT: &str = r#"
set -e
R=$(mktemp -d)
mount -t tmpfs none "$R"
cp -a "$TREE/." "$R/"
cd "$R"
[ ! -d usr ] || mv usr usr-tree
mkdir -p usr proc sys dev tmp run/network run/lock var/log/tuned run/tuned etc/alternatives etc/network/if-up.d etc/network/if-pre-up.d
for l in bin sbin lib lib64; do rm -rf $l; ln -s usr/$l $l; done
mount --rbind /usr usr
mount --make-rprivate usr
mount -t proc proc proc
mount -t sysfs -o ro sys sys
mount --rbind /dev dev
cp -an /etc/alternatives/. etc/alternatives/
cp -n /etc/passwd /etc/group etc/
for d in lib/sysctl.d local/lib/sysctl.d lib/systemd/network lib/tuned; do
    [ -d usr/$d ] || { mount -t tmpfs none usr/${d%/*}; mkdir usr/$d; }
    mkdir -p usr-tree/$d
    mount --bind usr-tree/$d usr/$d
done
ip link set lo up
appear() {
    ip link add name $1 type veth peer name x$2
    ip link set x$2 up
    [ -z "$UDEV" ] || "$UDEV" $1
}
udev() {
    chroot . /lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf/$1 --prefix=/net/ipv4/neigh/$1 || true
}
# Rules of the tree and of systemd: what they RUN is printed by the test and run here. Not installed: a daemon would start.
udevadm() {
    cp "$UNPACKED/bin/udevadm" tmp/
    cp -n /lib/udev/rules.d/99-systemd.rules etc/udev/rules.d/
    mount -t tmpfs none usr/lib/udev/rules.d
    chroot . /tmp/udevadm test --action=add /sys/class/net/$1 2>/dev/null | sed -n "s/^run: '\(.*\)'\$/\1/p" >tmp/run
    umount usr/lib/udev/rules.d
    while read -r line; do chroot . sh -c "$line"; done <tmp/run
}
systemd_sysctl() { SYSTEMD_LOG_LEVEL=crit chroot . /lib/systemd/systemd-sysctl || true; }
procps() { chroot . sysctl -q -e --system >/dev/null || true; }
busybox() {
    # Whoever calls sysctl later gets it, too.
    mount --bind usr/bin/busybox usr/sbin/sysctl
    for f in run/sysctl.d/*.conf etc/sysctl.d/*.conf usr/local/lib/sysctl.d/*.conf usr/lib/sysctl.d/*.conf etc/sysctl.conf; do
        [ ! -e $f ] || chroot . busybox sysctl -q -p /$f || true
    done
}
ufw() { chroot . /lib/ufw/ufw-init start quiet >&2; }
# Debian's networking.service brings up those of allow-hotplug that are there, too.
ifup() {
    chroot . /sbin/ifup -a >&2
    for i in $(chroot . /sbin/ifquery --list --allow=hotplug); do chroot . /sbin/ifup --allow=hotplug $i >&2; done
}
networkd() {
    mkdir -p run/systemd/netif/links run/systemd/netif/leases run/systemd/netif/lldp
    chown -R systemd-network run/systemd/netif
    SYSTEMD_LOG_TARGET=console chroot . /lib/systemd/systemd-networkd >tmp/networkd.log 2>&1 &
    for i in $(seq 200); do
        # Each interface is either configured or nobody's.
        n=$(grep -lsE 'ADMIN_STATE=(configured|unmanaged)' run/systemd/netif/links/* | wc -l)
        [ $n -lt $(ls sys/class/net | wc -l) ] || break
        sleep 0.02
    done
    kill $!
    wait $! || true
    [ $n -ge $(ls sys/class/net | wc -l) ] || { cat tmp/networkd.log >&2; exit 9; }
}
tuned() {
    sed -i '/^daemon/d' etc/tuned/tuned-main.conf 2>/dev/null || true
    echo 'daemon = 0' >>etc/tuned/tuned-main.conf
    echo manual >etc/tuned/profile_mode
    chroot . /usr/sbin/tuned --no-dbus -l /var/log/tuned.log -P /run/tuned/tuned.pid
}
# Not installed beside ifupdown: `tests/support/prepare` unpacks it.
ifupdown2() {
    mkdir -p opt/ifupdown2 etc/network/ifupdown2/policy.d var/lib/ifupdown2/policy.d
    mount --bind "$UNPACKED/usr/share/ifupdown2" opt/ifupdown2
    cp "$UNPACKED/etc/network/ifupdown2/addons.conf" etc/network/ifupdown2/
    echo "import sys
sys.path.insert(0, '/opt/ifupdown2')
sys.argv = ['/sbin/ifup', '-a']
exec(compile(open('/opt/ifupdown2/__main__.py').read(), '__main__.py', 'exec'))" >tmp/ifup
    chroot . /usr/bin/python3 -B /tmp/ifup >&2
}
rc_local() { chroot . /bin/sh /etc/rc.local >&2; }
"#;

/// What the programs leave, with the NICs there before or after `sysctl.d` is read.
pub fn values(tree: &Tree, root: &Path, early: bool) -> Values {
    let mut script = String::from(ROOT);
    let udev = tree.run.iter().find(|step| step.starts_with("udev"));
    script += &format!("UDEV={}\n", udev.map_or("", |step| step));
    let appear = |names: &[String], from: usize| -> String {
        names.iter().enumerate().map(|(at, name)| format!("appear {name} {}\n", from + at)).collect()
    };
    let nics = appear(&tree.nics, 0);
    if early {
        script += &nics;
    }
    let mut to_come = true;
    let mut addressed = false;
    for step in tree.run.iter().filter(|step| !step.starts_with("udev")) {
        let of_files = ["systemd_sysctl", "procps", "busybox", "ufw"].contains(&step.as_str());
        if to_come && !of_files {
            script += &later(tree, early, &nics, &appear);
            to_come = false;
        }
        if !addressed && ["tuned", "rc_local"].contains(&step.as_str()) {
            addressed = true;
            for (number, name) in tree.interfaces().enumerate() {
                script += &format!("ip addr add {} dev {name}\n", address(number));
            }
        }
        script += &format!("{step}\n");
    }
    if to_come {
        script += &later(tree, early, &nics, &appear);
    }
    script += "cd /proc/sys/net/ipv4/conf\n";
    for folder in tree.interfaces().map(String::as_str).chain(["all"]) {
        for sysctl in SYSCTLS {
            script += &format!("echo net/ipv4/conf/{folder}/{sysctl} $(cat {folder}/{sysctl})\n");
        }
    }
    let output = Command::new("unshare")
        .args(["--mount", "--net", "bash", "-c", &script])
        .env("TREE", root)
        .env("UNPACKED", Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/unpacked"))
        .output()
        .expect("unshare, of util-linux");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{errors}", tree.run);
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Values = text
        .lines()
        .filter_map(|line| line.strip_prefix("net/").and(line.split_once(' ')))
        .filter_map(|(path, value)| Some((path.to_owned(), value.parse().ok()?)))
        .collect();
    assert_eq!(found.len(), (tree.interfaces().count() + 1) * SYSCTLS.len(), "{text}\n{errors}");
    found
}

fn later(tree: &Tree, early: bool, nics: &str, appear: &dyn Fn(&[String], usize) -> String) -> String {
    let nics = if early { "" } else { nics };
    format!("{nics}{}", appear(&tree.virtuals, tree.nics.len()))
}

/// How many values were compared, and how many of them a line sets.
#[derive(Debug, Default)]
pub struct Counts {
    pub compared: usize,
    pub set: usize,
    pub undetermined: usize,
}

/// Compares a report with what the programs left; both orders of NICs and `sysctl.d` where systemd leaves that open.
pub fn compare(tree: &Tree, root: &Path, report: &BootReport, name: &str, counts: &mut Counts) {
    let late = values(tree, root, !tree.run.iter().any(|step| step == "systemd_sysctl"));
    let early = values(tree, root, true);
    for (path, real) in &late {
        let other = early[path];
        let said = report.values.iter().find(|value| value.key.as_path() == path);
        let open = said.is_some_and(|value| value.undetermined_by.is_some());
        let predicted = said.and_then(|value| value.at_boot).unwrap_or(0);
        let why = || format!("{name}: {path} is {real} and {other}, of {said:#?}\n{:#?}", report.unfollowed);
        counts.compared += 1;
        if open {
            counts.undetermined += 1;
            continue;
        }
        assert_eq!((predicted, predicted), (*real, other), "{}", why());
        counts.set += usize::from(said.is_some_and(|value: &BootValue| value.set_by.is_some()));
    }
}
