//! A watch of a namespace with a name.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What is watched.
pub const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth1\"]\nannounce = false\n";

/// A namespace with a name, two interfaces of one subnet in it, and a watch.
pub struct Bench {
    pub name: String,
    folder: PathBuf,
    pub watch: Option<Child>,
}

impl Bench {
    pub fn new(name: &str) -> Self {
        let folder = PathBuf::from(format!("/run/arpflux-watch-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
        let bench = Self { name: format!("w{name}{}", std::process::id()), folder, watch: None };
        bench.make();
        bench
    }

    /// The namespace; the far ends of its interfaces are ports of one bridge in it.
    pub fn make(&self) {
        ip(&["netns", "add", &self.name]);
        let lines = "link add br0 type bridge\nlink set br0 arp off up\n\
            link add eth0 type veth peer name p0\nlink add eth1 type veth peer name p1\n\
            link set p0 master br0\nlink set p1 master br0\nlink set p0 up\nlink set p1 up\n\
            link set eth0 up\nlink set eth1 up\n\
            addr add 10.1.0.1/24 dev eth0\naddr add 10.1.0.2/24 dev eth1\n";
        for line in lines.lines() {
            let mut words = vec!["-n", &self.name];
            words.extend(line.split_ascii_whitespace());
            ip(&words);
        }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    pub fn start(&mut self, more: &[&str]) {
        let output = std::fs::File::create(self.path("lines")).unwrap();
        self.start_to(output.into(), more);
    }

    pub fn start_to(&mut self, output: Stdio, more: &[&str]) {
        self.start_with(output, more, &[]);
    }

    /// As a service manager starts it, with these variables.
    pub fn start_with(&mut self, output: Stdio, more: &[&str], variables: &[(&str, &str)]) {
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,USR1,TERM", env!("CARGO_BIN_EXE_arpflux")]);
        command.args(["watch", "--heal", "--json", "--look", "500ms", "--netns", &self.name]);
        command.args(["--policy", &self.path("policy.toml")]).args(more).envs(variables.iter().copied());
        command.env("ARPFLUX_STATE_DIR", self.path("state"));
        let errors = std::fs::File::create(self.path("errors")).unwrap();
        self.watch = Some(command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn().unwrap());
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.watch.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The exit code, and how long the end took.
    pub fn end(&mut self) -> (i32, Duration) {
        let begun = Instant::now();
        let code = self.watch.take().unwrap().wait().unwrap().code().unwrap();
        (code, begun.elapsed())
    }

    /// The lines so far; one that is being written is left out.
    pub fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("lines")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[track_caller]
    pub fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            let errors = std::fs::read_to_string(self.path("errors")).unwrap();
            assert!(Instant::now() < end, "{what}: {:#?}\n{errors}", self.lines());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn sysctl(&self, interface: &str) -> String {
        let file = format!("/proc/sys/net/ipv4/conf/{interface}/arp_ignore");
        let output = Command::new("ip").args(["netns", "exec", &self.name, "cat", &file]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until what it does is judged and good: an end before that is one with an open question.
    #[track_caller]
    pub fn until_well(&self) {
        self.until("all is well", || {
            self.signal("-USR1");
            self.lines().last().is_some_and(|line| line["status"]["ok_since_ms"].is_u64())
        });
    }

    /// Somebody else sets an interface's `arp_ignore` to 0.
    pub fn drift(&self, interface: &str) {
        let write = format!("echo 0 >/proc/sys/net/ipv4/conf/{interface}/arp_ignore");
        ip(&["netns", "exec", &self.name, "sh", "-c", &write]);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.watch {
            let _ = watch.kill();
            let _ = watch.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
pub fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().expect("ip, of iproute2").success(), "{arguments:?}");
}

/// The value of a metric.
pub fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

pub fn outcome(line: &Value) -> &str {
    line["outcome"].as_str().unwrap_or_default()
}
