//! `arpflux apply --persist` and `diagnose --persisted`: the files are right when the managers' own
//! programs do with them what was meant.

mod image;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use image::{INTERFACES, Image};

const PERSIST: &str =
    "arpflux apply --policy /policy.toml --persist --manager systemd,networkd,ifupdown,network-manager";
const SYSCTLD: &str = "/etc/sysctl.d/99-zz-arpflux.conf";
const UNIT: &str = "/etc/systemd/system/arpflux.service";
const IF_UP: &str = "/etc/network/if-up.d/arpflux";
const DISPATCHER: &str = "/etc/NetworkManager/dispatcher.d/90-arpflux";
const SYSTEMD_SYSCTL: &str = "/usr/lib/systemd/systemd-sysctl";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn within(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn files_and_kernel_change_together_and_go_back_together() {
    let image = Image::new("together");
    image.write("/etc/network/interfaces", "# mine\n");
    let commented = format!("# Why it is so.\n{}", image::POLICY);
    image.write("/policy.toml", &commented);
    let (etc, state) = (image.etc(), image.state());
    let text = image.good(&format!("{PERSIST} --dry-run"));
    assert!(text.contains(&format!("write {SYSCTLD}")), "{text}");
    assert!(image.etc() == etc && image.state() == state, "--dry-run changed something");

    let text = image.good(PERSIST);
    assert!(text.contains("and 7 files made and checked"), "{text}");
    assert!(text.contains("systemctl daemon-reload"), "{text}");
    assert!(image.holds());
    for (path, mode) in [(SYSCTLD, 0o644), (UNIT, 0o644), (IF_UP, 0o755), (DISPATCHER, 0o755)] {
        assert_eq!(image.mode(path), mode, "{path}");
    }
    assert_eq!(image.mode("/etc/arpflux/policy.toml"), 0o600);
    assert_eq!(image.read("/etc/arpflux/policy.toml"), commented, "comments and reasons are kept");
    assert!(image.is_there("/etc/systemd/system/multi-user.target.wants/arpflux.service"));

    // A second time nothing is left to do, also with the kept file itself as the policy.
    let written = image.etc();
    let text = image.good(&PERSIST.replace("/policy.toml", "/etc/arpflux/policy.toml"));
    assert!(text.contains("nothing to change"), "{text}");
    assert!(image.etc() == written);

    let text = image.good("arpflux rollback");
    assert!(text.contains("and 7 files undone"), "{text}");
    assert!(image.etc() == etc, "{:#?}", image.etc());
    assert!(image.state() == state);
}

#[test]
fn a_kept_policy_with_comments_stays_as_it_is_and_a_manager_that_is_left_out_loses_its_files() {
    let image = Image::new("kept");
    let commented = format!("# Ask Ann before you change this.\n{}", image::POLICY);
    image.write("/etc/arpflux/policy.toml", &commented);
    image.good(PERSIST);
    assert_eq!(image.read("/etc/arpflux/policy.toml"), commented);
    let text = image.good("arpflux apply --policy /policy.toml --persist --manager ifupdown");
    assert!(text.contains(&format!("remove {UNIT}")), "{text}");
    assert!(!image.is_there(UNIT) && !image.is_there(DISPATCHER) && image.is_there(IF_UP));
    // A policy that says something else replaces it.
    image.write("/policy.toml", &image::POLICY.replace("proxy_delay = 100", "proxy_delay = 50"));
    image.good("arpflux apply --policy /policy.toml --persist --manager ifupdown");
    assert!(image.read("/etc/arpflux/policy.toml").contains("proxy_delay = 50"));
    assert!(image.read(SYSCTLD).contains("net/ipv4/neigh/lan.7/proxy_delay = 5\n"));
    image.good("arpflux rollback");
    assert_eq!(image.read("/etc/arpflux/policy.toml"), commented);
}

/// What somebody wrote into a file since is theirs: reported, left alone, and gone only when forced.
#[test]
fn a_file_that_changed_between_apply_and_rollback_is_left_alone() {
    let image = Image::new("changed");
    let (etc, state) = (image.etc(), image.state());
    image.good(PERSIST);
    image.write("/etc/arpflux/policy.toml", "# Mine now.\nversion = 1\n[host]\n");
    let (code, text, _) = image.run("arpflux rollback");
    assert_eq!(code, 5, "{text}");
    assert!(
        text.contains("left alone: ") && text.contains("/etc/arpflux/policy.toml is a file of"),
        "{text}"
    );
    assert!(image.read("/etc/arpflux/policy.toml").starts_with("# Mine"));
    assert!(image.state() == state && !image.is_there(UNIT) && !image.is_there(SYSCTLD));
    image.good("arpflux rollback --force");
    assert!(image.etc() == etc);
}

#[test]
fn on_trial_the_files_come_with_the_confirmation_or_never() {
    let image = Image::new("trial");
    let (etc, state) = (image.etc(), image.state());
    let text = image.good(&format!("{PERSIST} --confirm 2s"));
    assert!(text.contains("the files are written when it is confirmed"), "{text}");
    assert!(image.etc() == etc && image.holds());
    within(Duration::from_secs(20), "undone", || image.state() == state);
    assert!(image.etc() == etc);

    image.good(&format!("{PERSIST} --confirm 60s"));
    assert!(image.etc() == etc);
    // What cannot be written is not confirmed: it stays on trial, and nothing of it is left.
    let (code, _, errors) =
        image.run("mount --bind /etc /etc; mount -o remount,bind,ro /etc; arpflux confirm");
    assert!(code == 4 && errors.contains("Read-only file system"), "{code} {errors}");
    assert!(image.etc() == etc && image.holds());
    let text = image.good("arpflux confirm");
    assert!(text.contains("and 7 files made and checked"), "{text}");
    assert!(image.is_there(UNIT) && image.is_there(SYSCTLD) && image.holds());
    image.good("arpflux rollback");
    assert!(image.etc() == etc && image.state() == state);
}

#[test]
fn what_cannot_be_written_undoes_everything() {
    let image = Image::new("unwritable");
    let state = image.state();
    let cases = [
        ("mount -o bind,ro /etc /etc", "Read-only file system"),
        ("mount -t tmpfs -o size=4k tmpfs /etc", "No space left on device"),
        ("mkdir -p /etc/sysctl.d/99-zz-arpflux.conf", "neither a file nor a symbolic link"),
    ];
    for (cause, why) in cases {
        let script = format!("mount --bind /etc /etc; {cause}; {PERSIST} --json");
        let (code, text, errors) = image.run(&script);
        let kind = json(&text)["error"]["kind"].clone();
        assert!(matches!(code, 2 | 4), "{cause}: {code} {text}{errors}");
        assert!(errors.contains(why) && errors.contains("/etc/"), "{cause}: {kind}: {errors}");
        assert!(image.state() == state, "{cause}: the kernel's state was not restored");
        assert!(!image.is_there(SYSCTLD) || image.path(SYSCTLD).is_dir(), "{cause}");
    }
    std::fs::remove_dir(image.path(SYSCTLD)).unwrap();
    assert!(image.etc().iter().all(|(path, _)| path.ends_with("passwd") || path.ends_with("group")));
    // Without the right to write there, but with that to change the network.
    let (code, _, errors) = image.run(&format!(
        "chmod 555 /etc; mkdir -m 700 -p /run/arpflux; \
         capsh=$(command -v setpriv); $capsh --bounding-set -all,+net_admin --inh-caps -all,+net_admin \
         {PERSIST}"
    ));
    assert_eq!(code, 4, "{errors}");
    assert!(errors.contains("Permission denied") && errors.contains("root"), "{errors}");
    assert!(image.state() == state);
}

#[test]
fn files_of_another_namespace_need_a_root() {
    let image = Image::new("netns");
    let (code, _, errors) = image.run(&format!("{PERSIST} --netns /proc/self/ns/net"));
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("--root"), "{errors}");
    let text = image.good(&format!("{PERSIST} --netns /proc/self/ns/net --root /tmp"));
    assert!(text.contains("write /tmp/etc/sysctl.d/99-zz-arpflux.conf"), "{text}");
    // Below another root the command is where packages put it.
    assert!(
        image.read("/tmp/etc/systemd/system/arpflux.service").contains("ExecStart=/usr/bin/arpflux watch")
    );
    let (code, ..) = image.run("arpflux apply --plan /plan.json --persist");
    assert_eq!(code, 2, "a plan is no policy");
}

/// `sysctl.d` is read by the real programs in a namespace that has just booted: systemd-sysctl, procps (Debian without
/// systemd, OpenRC) and busybox (Alpine).
#[test]
fn every_reader_sets_the_values_whenever_interfaces_appear_and_whatever_vendors_say() {
    let image = Image::new("sysctl");
    image.good(PERSIST);
    // A vendor's patterns, before and after ours by the order of names.
    for name in ["10-vendor.conf", "99-zzz-vendor.conf"] {
        image.write(
            &format!("/run/sysctl.d/{name}"),
            "net.ipv4.conf.*.arp_ignore = 8\nnet.ipv4.conf.all.arp_announce = 1\nnet.ipv4.conf.*.rp_filter = 2\n",
        );
    }
    let wanted: Vec<(String, String)> = image
        .read(SYSCTLD)
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    // Three interfaces: arp_ignore and arp_announce; forwarding and proxy_delay of the two with proxies; forwarding of
    // the one that the proxied addresses are behind.
    assert_eq!(wanted.len(), 11, "{wanted:?}");
    assert!(wanted.iter().any(|(key, value)| key == "net/ipv4/conf/lan.7/arp_announce" && value == "2"));

    // The interfaces are there at boot, or udev tells of each later (99-systemd.rules of Debian's systemd).
    let rules = std::fs::read_to_string("/lib/udev/rules.d/99-systemd.rules");
    let rule =
        rules.unwrap_or_default().lines().find(|line| line.contains("systemd-sysctl")).map(String::from);
    let of_udev = rule.as_deref().and_then(|rule| rule.split("RUN+=\"").nth(1)?.split('"').next());
    let of_udev = of_udev.unwrap_or(
        "/lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf/$name --prefix=/net/ipv4/neigh/$name \
         --prefix=/net/ipv6/conf/$name --prefix=/net/ipv6/neigh/$name",
    );
    let each = |run: &str| -> String {
        let add =
            |name: &str| format!("ip link add name {name} type veth peer name x{}\n", name.replace('.', ""));
        let of = |name: &str| add(name) + &run.replace("$name", name) + "\n";
        INTERFACES.map(|(name, ..)| of(name)).concat() + &of("venet0")
    };
    let at_boot = format!("{}{SYSTEMD_SYSCTL}\n", each(""));
    let later = format!("{SYSTEMD_SYSCTL}\n{}", each(of_udev));
    let procps = format!("{}sysctl --quiet --system\n", each(""));
    let busybox = format!(
        "{}for f in /etc/sysctl.d/*.conf /run/sysctl.d/*.conf; do busybox sysctl -q -e -p $f; done\n\
         busybox sysctl -q -p {SYSCTLD} || exit 9\n",
        each("")
    );
    for script in [at_boot, later, procps, busybox] {
        let mut read = String::from("cd /proc/sys\n");
        for (key, _) in &wanted {
            read += &format!("echo {key} $(cat {key})\n");
        }
        read += "echo rp $(cat net/ipv4/conf/lan.7/rp_filter)\n";
        // A namespace of its own, as after a boot.
        let (code, text, errors) = image.run(&format!("exec unshare --net sh -c '{script}{read}'"));
        assert_eq!(code, 0, "{script}{errors}");
        for (key, value) in &wanted {
            assert!(text.contains(&format!("{key} {value}\n")), "{key} is not {value}: {text}\n{script}");
        }
        // busybox knows no patterns.
        let rp = if script.contains("busybox") { "rp 0\n" } else { "rp 2\n" };
        assert!(text.contains(rp), "the vendor's own values stand: {text}");
    }
}

#[test]
fn systemd_takes_the_unit() {
    let image = Image::new("unit");
    image.good(PERSIST);
    let (code, text, errors) = image.run(&format!("systemd-analyze verify --man=no {UNIT}"));
    assert!(code == 0 && errors.is_empty() && text.is_empty(), "{code} {text}{errors}");
    // The exposure is at most 3.0 of 10, which systemd calls OK.
    let judge =
        |unit: &str| image.run(&format!("systemd-analyze security --offline=true --threshold=30 {unit}"));
    let (code, text, errors) = judge(UNIT);
    assert_eq!(code, 0, "{text}{errors}");
    image.write("/tmp/open.service", &image.read(UNIT).replace("SystemCallFilter", "# SystemCallFilter"));
    assert_ne!(judge("/tmp/open.service").0, 0);
    // It would be told: a unit with a mistake does not pass.
    image.write("/tmp/bad.service", &image.read(UNIT).replace("Type=notify", "Type=notfy"));
    let (_, text, errors) = image.run("systemd-analyze verify --man=no /tmp/bad.service");
    assert!((text + &errors).contains("notfy"));
}

/// What the unit runs: applies the policy, says that it is ready, keeps it, feeds the watchdog.
#[test]
fn what_the_unit_runs_applies_the_policy_says_so_and_keeps_it() {
    let image = Image::new("notify");
    image.good(PERSIST);
    image.good("arpflux rollback");
    image.write("/etc/arpflux/policy.toml", image::POLICY);
    // As the unit that is gone again said.
    let start = "arpflux watch --policy /etc/arpflux/policy.toml --heal";
    let socket = UnixDatagram::bind(image.path("/run/notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = |socket: &UnixDatagram| {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a word to the service manager");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    // With no more rights than the unit gives.
    let rights = "setpriv --bounding-set -all,+net_admin,+net_raw --no-new-privs";
    let mut command = image.shell(&format!("exec {rights} {start}"));
    command.env("NOTIFY_SOCKET", "/run/notify").env("WATCHDOG_USEC", "600000");
    let mut child = image.node.run(move || command.spawn().unwrap()).unwrap();
    // The first words are of what was put right, or that it is ready; then the policy holds.
    let mut words = Vec::new();
    while !words.iter().any(|word: &String| word.starts_with("READY=1")) {
        words.push(heard(&socket));
    }
    assert!(image.holds(), "ready before the policy holds: {words:?}");
    // Alive at least every 600 ms as the watchdog wants it: several in a row, in time on a loaded machine.
    let begin = Instant::now();
    let mut alive = 0;
    while alive < 5 {
        alive += usize::from(heard(&socket) == "WATCHDOG=1");
    }
    assert!(begin.elapsed() > Duration::from_millis(900), "not every {:?}", begin.elapsed() / 5);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // It keeps the policy, and says so.
    image.node.sysctl("net/ipv4/conf/eth3/arp_ignore", 0).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while image.node.read_sysctl("net/ipv4/conf/eth3/arp_ignore").unwrap().trim() != "1" {
        assert!(Instant::now() < deadline, "it is not put right");
        std::thread::sleep(Duration::from_millis(10));
    }
    // What is so now, and since when.
    let good = "STATUS=as the policy says since ";
    while !heard(&socket).starts_with(good) {
        assert!(Instant::now() < deadline, "it does not say that all is well");
    }
    terminate(child.id());
    let mut last = heard(&socket);
    while last == "WATCHDOG=1" || last.starts_with("STATUS=") {
        last = heard(&socket);
    }
    assert_eq!(last, "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

fn terminate(pid: u32) {
    // The shell's own: no package is needed for it.
    let status = std::process::Command::new("sh").args(["-c", &format!("kill -s TERM {pid}")]).status();
    assert!(status.unwrap().success());
}

#[test]
fn ifup_of_debian_runs_the_hook() {
    let image = Image::new("ifupdown");
    image.write(
        "/etc/network/interfaces",
        "auto lo\niface lo inet loopback\nauto eth3\niface eth3 inet manual\n",
    );
    image.good("mkdir -p /etc/network/if-up.d /etc/network/if-pre-up.d /run/network");
    let start = image.state();
    image.good("arpflux apply --policy /policy.toml --persist --manager ifupdown");
    image.good("arpflux rollback && mkdir -p /etc/arpflux /etc/network/if-up.d");
    assert!(image.state() == start);
    // As after a boot: the files are there, the kernel knows nothing.
    image.good("arpflux apply --policy /policy.toml --persist --manager ifupdown");
    for (interface, ..) in INTERFACES {
        for sysctl in ["arp_ignore", "arp_announce"] {
            image.node.sysctl(&format!("net/ipv4/conf/{interface}/{sysctl}"), 0).unwrap();
        }
    }
    assert!(!image.holds());
    let (code, text, errors) = image.run("ifup --no-act --verbose eth3");
    assert!(code == 0 && (text + &errors).contains("if-up.d"), "ifup, of the Debian package ifupdown");
    let (code, text, errors) = image.run("ifup --verbose eth3");
    assert_eq!(code, 0, "{text}{errors}");
    assert!((text.clone() + &errors).contains("if-up.d/arpflux"), "{text}{errors}");
    assert!(image.holds(), "{text}{errors}\n{:?}", image.verify());
    // An interface that is missing keeps nobody from coming up.
    image.write("/etc/arpflux/policy.toml", &image::POLICY.replace("eth0", "eth9"));
    let (code, text, errors) = image.run("ifdown eth3; ifup eth3");
    assert!(code == 0 && (text.clone() + &errors).contains("eth9"), "{text}{errors}");
}

#[test]
fn the_dispatcher_script_does_what_networkmanager_calls_it_for() {
    let image = Image::new("dispatcher");
    image.good("arpflux apply --policy /policy.toml --persist --manager network-manager");
    // NetworkManager takes only scripts of root that nobody else may write, and that are no links.
    assert_eq!(image.mode(DISPATCHER), 0o755);
    assert!(image.path(DISPATCHER).symlink_metadata().unwrap().is_file());
    for (action, applies) in [("up", true), ("dhcp4-change", true), ("pre-down", false), ("hostname", false)]
    {
        image.node.sysctl("net/ipv4/conf/eth3/arp_ignore", 0).unwrap();
        let (code, _, errors) = image.run(&format!("{DISPATCHER} eth3 {action}"));
        assert!(code == 0 && errors.is_empty(), "{errors}");
        assert_eq!(image.holds(), applies, "{action}");
    }
    image.good("arpflux apply --policy /policy.toml");
    // Without the command, or the policy, it does nothing and is no error.
    std::fs::remove_file(image.path("/etc/arpflux/policy.toml")).unwrap();
    assert_eq!(image.run(&format!("{DISPATCHER} eth3 up")), (0, String::new(), String::new()));
}

#[test]
fn what_the_next_boot_brings() {
    let image = Image::new("boot");
    image.write(
        "/etc/sysctl.d/10-first.conf",
        "net.ipv4.conf.eth3.arp_ignore = 3\nnet.ipv4.conf.*.arp_filter = 1\n",
    );
    image.write("/etc/sysctl.d/20-second.conf", "# last wins\nnet/ipv4/conf/eth3/arp_ignore=2\n");
    image.write("/usr-local/50.conf", "");
    let report = |arguments: &str| {
        let (code, text, errors) = image.run(&format!("arpflux diagnose --persisted {arguments} --json"));
        assert!(errors.is_empty(), "{errors}");
        (code, json(&text))
    };
    let find = |report: &serde_json::Value, key: &str| {
        report["values"]
            .as_array()
            .unwrap()
            .iter()
            .find(|value| value["key"] == key)
            .cloned()
            .unwrap_or_default()
    };
    let (code, before) = report("");
    assert_eq!((code, before["ok"].as_bool(), &before["policy"]), (1, Some(false), &serde_json::Value::Null));
    let value = find(&before, "net/ipv4/conf/eth3/arp_ignore");
    assert_eq!((value["now"].as_i64(), value["at_boot"].as_i64()), (Some(0), Some(2)), "{value}");
    assert_eq!(
        (value["set_by"]["file"].as_str(), value["set_by"]["line"].as_i64()),
        (Some("/etc/sysctl.d/20-second.conf"), Some(2))
    );
    assert_eq!(value["ignored"][0]["file"], "/etc/sysctl.d/10-first.conf");
    // A pattern reaches a name with a dot in it.
    let value = find(&before, "net/ipv4/conf/lan.7/arp_filter");
    assert_eq!(
        (value["at_boot"].as_i64(), value["set_by"]["key"].as_str()),
        (Some(1), Some("net/ipv4/conf/*/arp_filter"))
    );
    assert_eq!(find(&before, "net/ipv4/conf/all/forwarding")["at_boot"], serde_json::Value::Null);

    // Applied without --persist: all of it would be lost.
    image.good("arpflux apply --policy /policy.toml");
    let (code, lost) = report("");
    assert_eq!(code, 1);
    let entries: Vec<&str> =
        lost["entries"].as_array().unwrap().iter().map(|e| e["text"].as_str().unwrap()).collect();
    assert!(entries.contains(&"remove proxy entry 192.168.18.101 on eth3"), "{entries:?}");
    assert!(entries.iter().any(|entry| entry.starts_with("remove rule ")), "{entries:?}");

    // With it, and the rest of sysctl.d out of the way, the boot brings what there is now.
    image.good("arpflux apply --policy /policy.toml --persist --manager systemd");
    image.good("rm /etc/sysctl.d/10-first.conf; echo net.ipv4.ip_forward=1 >/etc/sysctl.d/30-forward.conf");
    let (code, after) = report("");
    assert_eq!((code, after["differences"].as_i64()), (0, Some(0)), "{after:#}");
    assert_eq!(after["policy"]["applied_by"][0], "systemd");
    let value = find(&after, "net/ipv4/conf/eth3/arp_ignore");
    assert_eq!((value["at_boot"].as_i64(), value["set_by"]["file"].as_str()), (Some(1), Some(SYSCTLD)));
    assert_eq!(value["ignored"][0]["file"], "/etc/sysctl.d/20-second.conf");
    assert_eq!(
        find(&after, "net/ipv4/conf/eth0/forwarding")["set_by"]["file"],
        "/etc/sysctl.d/30-forward.conf"
    );

    // Somebody else's entry is in the kernel alone; the text says the same.
    image.node.proxy("eth0", "192.168.18.77".parse().unwrap()).unwrap();
    let (code, text, _) = image.run("arpflux diagnose --persisted");
    assert_eq!(code, 1);
    assert!(text.contains("remove proxy entry 192.168.18.77 on eth0"), "{text}");
    assert!(text.contains("1 difference after a boot"), "{text}");
    assert!(text.contains("policy /etc/arpflux/policy.toml, applied at boot by systemd"), "{text}");
    // The same for a stored snapshot and the files of an image, by nobody in particular.
    image.good("arpflux snapshot --json >/snapshot.json");
    let (code, stored) = report("--snapshot /snapshot.json --root /");
    assert_eq!((code, stored["differences"].as_i64()), (1, Some(1)));
    // What this user may not read is said; the rest is told all the same.
    image.good("chmod 0 /etc/arpflux/policy.toml");
    let (code, text, errors) =
        image.run("setpriv --bounding-set -all --inh-caps -all arpflux diagnose --persisted --json");
    assert!(code == 1 && errors.is_empty(), "{code} {errors}");
    assert!(json(&text)["policy"]["error"].as_str().unwrap().contains("Permission denied"), "{text}");
    image.good("chmod 600 /etc/arpflux/policy.toml");
    // A policy that cannot be kept is told.
    image.write("/etc/arpflux/policy.toml", &image::POLICY.replace("eth0", "eth9"));
    let (code, broken) = report("");
    assert!(code == 1 && broken["policy"]["error"].as_str().unwrap().contains("eth9"), "{broken:#}");
}
