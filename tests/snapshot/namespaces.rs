//! Other namespaces, names that nobody expects, and places without `/proc/sys`.

use std::fs;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::take;
use arpflux_core::kernel::Netns;
use arpflux_core::snapshot::{Interference, Snapshot};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::IfName;
use arpflux_core::{ErrorKind, Host};
use arpflux_tests::iproute::{in_new_netns, run};

#[test]
fn other_namespaces_by_name_path_and_process_without_moving() {
    let here = fs::read_link("/proc/thread-self/ns/net").unwrap();
    run("ip netns add other");
    run("ip -n other link add eth7 type veth peer name p7");
    let eth7: IfName = "eth7".parse().unwrap();
    let named = Host::netns("other").unwrap();
    let snapshot = named.snapshot().unwrap();
    let index = snapshot.interface_named(&eth7).unwrap().index;
    let at = Host::at("/run/netns/other".as_ref()).unwrap().snapshot().unwrap();
    assert_eq!(at.netns, snapshot.netns);
    // A descriptor of the namespace, and any socket that was made in it, stand for it as well.
    let file = fs::File::open("/run/netns/other").unwrap();
    let socket = named.namespace().run(|| std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap()).unwrap();
    for fd in [file.as_fd(), socket.as_fd()] {
        assert_eq!(Host::of_descriptor(fd).unwrap().snapshot().unwrap().netns, snapshot.netns);
    }
    let other = fs::File::open("/proc/self/ns/mnt").unwrap();
    assert_eq!(Host::of_descriptor(other.as_fd()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let mut child =
        std::process::Command::new("ip").args(["netns", "exec", "other", "sleep", "60"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let by_process = loop {
        let taken = Host::of_process(child.id()).unwrap().snapshot().unwrap();
        // Until `ip` has entered it.
        if taken.netns == snapshot.netns || Instant::now() > deadline {
            break taken;
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(by_process.interface_named(&eth7).map(|interface| interface.index), Some(index));
    // The sysctls are that namespace's as well.
    run("ip netns exec other sysctl -qw net.ipv4.conf.all.arp_ignore=8");
    assert_eq!(named.snapshot().unwrap().all.get(Sysctl::ArpIgnore), Some(8));
    assert_ne!(Host::current().unwrap().snapshot().unwrap().all.get(Sysctl::ArpIgnore), Some(8));
    // The name may go, the namespace stays as long as the handle.
    run("ip netns del other");
    assert_eq!(named.snapshot().unwrap().netns, snapshot.netns);
    assert_eq!(Host::netns("other").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_link("/proc/thread-self/ns/net").unwrap(), here);
    assert!(Host::current().unwrap().snapshot().unwrap().interface_named(&eth7).is_none());
    assert_ne!(Netns::current().unwrap().run(take).unwrap().netns, snapshot.netns);
}

#[test]
fn hostile_names_and_namesakes() {
    in_new_netns(|| {
        let name = |raw: &[u8]| IfName::from_bytes(raw).unwrap();
        let hostile: [&[u8]; 5] = [b"eth0.10", b"a\\b", b"\xff\xfe", b"...", b"-rf;$(x)"];
        for (i, raw) in hostile.iter().enumerate() {
            use std::os::unix::ffi::OsStrExt as _;
            let status = std::process::Command::new("ip")
                .args(["link", "add"])
                .arg(std::ffi::OsStr::from_bytes(raw))
                .args(["type", "veth", "peer", "name", &format!("peer{i}")])
                .status()
                .unwrap();
            assert!(status.success(), "{}", raw.escape_ascii());
        }
        let snapshot = take();
        for raw in hostile {
            let interface = snapshot.interface_named(&name(raw)).expect("listed");
            assert_eq!(interface.sysctls.get(Sysctl::ArpIgnore), Some(0), "{}", raw.escape_ascii());
        }
        assert_eq!(Snapshot::from_json(&snapshot.to_json().unwrap()).unwrap(), snapshot);
    });
}

/// In containers `/proc/sys` may be something else, or nothing.
#[test]
fn without_the_kernels_proc_sys_the_gap_is_named() {
    in_new_netns(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        run("mount --make-rprivate /");
        fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "2").unwrap();
        fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1").unwrap();
        // A folder that only looks like it.
        run("mount -t tmpfs tmpfs /proc/sys");
        fs::create_dir_all("/proc/sys/net/ipv4/conf/all").unwrap();
        fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "7").unwrap();
        let snapshot = take();
        assert_eq!(snapshot.all.get(Sysctl::ArpIgnore), None);
        // This much netlink tells.
        assert_eq!(snapshot.all.get(Sysctl::RpFilter), Some(2));
        let named = |i: &Interference| matches!(i, Interference::Unreadable { what, .. } if what.contains("conf.all"));
        assert!(snapshot.interference.iter().any(named), "{:?}", snapshot.interference);
    });
}
