//! Programs in C and Python that work on the node beside its administrator.

use std::ffi::{CString, c_char};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

use arpflux::apply::{
    arpflux_apply_options, arpflux_host_apply, arpflux_receipt, arpflux_receipt_free, arpflux_receipt_leave,
};
use arpflux::code::arpflux_code;
use arpflux::container::{
    arpflux_host_plan_publish, arpflux_host_plan_withdraw, arpflux_host_publish, arpflux_host_sync,
    arpflux_host_withdraw, arpflux_publish_options,
};
use arpflux::error::{arpflux_error, arpflux_error_code, arpflux_error_free, arpflux_error_text};
use arpflux::host::{arpflux_host, arpflux_host_free, arpflux_host_open_current, arpflux_host_snapshot};
use arpflux::ip::arpflux_ip;
use arpflux::plan::{arpflux_plan_free, arpflux_policy_plan};
use arpflux::policy::{arpflux_policy_free, arpflux_policy_from_toml};
use arpflux::snapshot::arpflux_snapshot_free;

use super::{Kind, Run};
use crate::bench::comparable;

/// What programs want of the node: nothing that names a container.
pub(super) const PROGRAMS: [&str; 5] = [
    "[host]\ninterfaces = [\"eth0\"]\n",
    "[host]\n",
    "[[proxy]]\nowner = \"7\"\naddresses = [\"192.168.18.207\"]\ninterface = \"eth3\"\n",
    "[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\n",
    "[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nproxy_delay = 20\n",
];

/// What a C program asks of containers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Publish,
    Withdraw,
    Sync,
    /// Only looks at the plans: of a withdrawal, and where a route leads to the container of a publication.
    Preview {
        running: bool,
    },
}

/// The code and the text of an error, which is freed.
///
/// # Safety
/// It is NULL, or an error of the caller's.
unsafe fn failure(err: *mut arpflux_error) -> Option<(arpflux_code, String)> {
    if err.is_null() {
        return None;
    }
    // SAFETY: the text ends in NUL and lives as long as the error.
    unsafe {
        let text = std::ffi::CStr::from_ptr(arpflux_error_text(err)).to_string_lossy().into_owned();
        let code = arpflux_error_code(err);
        arpflux_error_free(err);
        Some((code, text))
    }
}

fn ip(address: &Ipv4Addr) -> arpflux_ip {
    IpAddr::V4(*address).into()
}

impl Run {
    /// Has a program do something until nobody came between.
    fn until_done(
        &self,
        what: &str,
        once: impl Fn(*mut arpflux_host, *const c_char) -> *mut arpflux_error + Sync,
    ) {
        let state = CString::new(self.bench.path("state").to_str().unwrap()).unwrap();
        for _ in 0..20 {
            let failed = self.bench.hn.run(|| {
                // SAFETY: the host is freed once, and the error is ours.
                unsafe {
                    let host = arpflux_host_open_current(null_mut());
                    let failed = failure(once(host, state.as_ptr()));
                    arpflux_host_free(host);
                    failed
                }
            });
            match failed.unwrap() {
                None => return,
                Some((arpflux_code::Changed | arpflux_code::RolledBack | arpflux_code::Busy, _))
                    if self.watch.is_some() => {}
                Some(failed) => panic!("{what}: {failed:?}\n{}\n{:#?}", self.state(), self.done),
            }
        }
        panic!("{what}: somebody always came between\n{:#?}", self.done);
    }

    /// A policy planned and applied by a program that knows nothing of containers.
    pub(super) fn in_c(&self, policy: &str) {
        let text = CString::new(format!("version = 1\n{policy}")).unwrap();
        self.until_done(policy, |host, state| {
            let mut err = null_mut();
            // SAFETY: the texts end in NUL, and each object is freed once.
            unsafe {
                let mut options: arpflux_apply_options = std::mem::zeroed();
                options.size = size_of::<arpflux_apply_options>();
                options.state_dir = state;
                options.accept_harm = 1; // of the node's own addresses: here only containers count
                let snapshot = arpflux_host_snapshot(host, null_mut());
                let policy = arpflux_policy_from_toml(text.as_ptr(), c"a program".as_ptr(), null_mut());
                let plan = arpflux_policy_plan(policy, snapshot, null_mut());
                let receipt = arpflux_host_apply(host, plan, &raw const options, &raw mut err);
                arpflux_receipt_leave(receipt, null_mut());
                arpflux_receipt_free(receipt);
                arpflux_plan_free(plan);
                arpflux_policy_free(policy);
                arpflux_snapshot_free(snapshot);
            }
            err
        });
    }

    /// What vzctl would do if it called the library itself.
    pub(super) fn container_in_c(&self, asked: Asked, kind: &Kind) {
        let owner = CString::new(kind.veid).unwrap();
        let path = |name: &str| CString::new(self.bench.path(name).to_str().unwrap()).unwrap();
        let (policy, vz_dir) = (path("policy.toml"), path("etc/vz"));
        let addresses: Vec<arpflux_ip> = kind.addresses.iter().map(ip).collect();
        let before = comparable(&self.bench.snapshot());
        self.until_done(&format!("{asked:?} {}", kind.veid), |host, state| {
            let mut err = null_mut();
            // SAFETY: the texts end in NUL, and each object is freed once.
            unsafe {
                let mut apply: arpflux_apply_options = std::mem::zeroed();
                apply.size = size_of::<arpflux_apply_options>();
                apply.state_dir = state;
                let mut options: arpflux_publish_options = std::mem::zeroed();
                options.size = size_of::<arpflux_publish_options>();
                (options.policy, options.vz_dir) = (policy.as_ptr(), vz_dir.as_ptr());
                options.apply = &raw const apply;
                let (owner, list, count) = (owner.as_ptr(), addresses.as_ptr(), addresses.len());
                let (options, err) = (&raw const options, &raw mut err);
                let receipt: *mut arpflux_receipt = match asked {
                    Asked::Publish => arpflux_host_publish(host, owner, list, count, options, err),
                    Asked::Withdraw => arpflux_host_withdraw(host, owner, std::ptr::null(), 0, options, err),
                    Asked::Sync => arpflux_host_sync(host, options, err),
                    Asked::Preview { running } => {
                        if running {
                            arpflux_plan_free(arpflux_host_plan_publish(
                                host, owner, list, count, options, err,
                            ));
                        }
                        arpflux_plan_free(arpflux_host_plan_withdraw(host, owner, list, count, options, err));
                        null_mut()
                    }
                };
                arpflux_receipt_free(receipt);
            }
            err
        });
        if matches!(asked, Asked::Preview { .. }) && self.watch.is_none() {
            assert_eq!(comparable(&self.bench.snapshot()), before, "{:#?}", self.done);
        }
    }

    /// The same in Python; without an interpreter in C.
    pub(super) fn in_python(&self, policy: &str, apply: bool) {
        let Some(python) = &self.python else { return self.in_c(policy) };
        let text = self.bench.run(python_program(python, policy, apply, &self.bench.path("state")));
        assert_eq!(text.code, 0, "{policy}: {text:?}\n{:#?}", self.done);
    }
}

fn python_program(python: &Path, policy: &str, apply: bool, state: &Path) -> Command {
    let program = "import sys, arpflux\n\
                   host = arpflux.Host.current()\n\
                   policy = arpflux.Policy.from_toml('version = 1\\n' + sys.argv[1])\n\
                   for _ in range(20):\n\
                   \x20   plan = host.plan(policy)\n\
                   \x20   if sys.argv[3] != 'apply':\n\
                   \x20       break\n\
                   \x20   try:\n\
                   \x20       host.apply(plan, accept_harm=True, state_dir=sys.argv[2])\n\
                   \x20       break\n\
                   \x20   except (arpflux.Changed, arpflux.RolledBack, arpflux.Busy):\n\
                   \x20       pass\n\
                   else:\n\
                   \x20   sys.exit('somebody always came between')\n";
    let mut command = Command::new(python);
    command.args(["-c", program, policy]).arg(state).arg(if apply { "apply" } else { "plan" });
    command.stdin(Stdio::null());
    command
}
