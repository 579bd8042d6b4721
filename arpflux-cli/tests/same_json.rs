//! The command and the C library give the same JSON for the same thing, byte for byte.
#![allow(missing_docs, reason = "a test")]

use std::ffi::{CStr, CString, c_char};
use std::process::Command;
use std::ptr::{null, null_mut};

use arpflux::detect::{arpflux_detection_free, arpflux_detection_to_json, arpflux_host_detect};
use arpflux::diagnose::{arpflux_diagnosis_free, arpflux_diagnosis_to_json, arpflux_snapshot_diagnose};
use arpflux::error::{arpflux_error, arpflux_error_text};
use arpflux::host::{arpflux_host, arpflux_host_free, arpflux_host_open_current};
use arpflux::matrix::{arpflux_matrix_free, arpflux_matrix_to_json, arpflux_snapshot_matrix};
use arpflux::plan::{arpflux_plan_free, arpflux_plan_to_json, arpflux_policy_plan};
use arpflux::policy::{arpflux_policy_free, arpflux_policy_from_path};
use arpflux::probe::{arpflux_host_probe, arpflux_probes_free, arpflux_probes_to_json};
use arpflux::proof::{arpflux_proofs_free, arpflux_proofs_to_json, arpflux_snapshot_prove_wires};
use arpflux::recommend::arpflux_snapshot_recommend_to_json;
use arpflux::segment::arpflux_segments_to_json;
use arpflux::snapshot::{arpflux_snapshot, arpflux_snapshot_free, arpflux_snapshot_from_path};
use arpflux::string::arpflux_string_free;
use arpflux::verify::{arpflux_policy_verify, arpflux_report_free, arpflux_report_to_json};
use arpflux::wires::arpflux_host_wires_to_json;
use arpflux_lab::{Host, Lab};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");
const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n";

fn command(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_arpflux")).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"schema\": 1"), "{arguments:?}: {text}{:?}", output.stderr);
    text.strip_suffix('\n').unwrap().to_owned()
}

/// What a call gave, and frees it.
type ToJson<T> = unsafe extern "C" fn(*const T, *mut *mut arpflux_error) -> *mut c_char;

/// The JSON of an object that a call has just made.
fn json<T>(
    make: impl FnOnce(*mut *mut arpflux_error) -> *mut T,
    to_json: ToJson<T>,
    free: unsafe extern "C" fn(*mut T),
) -> String {
    let mut err = null_mut();
    let object = make(&raw mut err);
    // SAFETY: the object and the text are as the calls gave them, and freed once.
    unsafe {
        assert!(!object.is_null(), "{:?}", CStr::from_ptr(arpflux_error_text(err)));
        let text = text(|err| to_json(object, err));
        free(object);
        text
    }
}

/// The JSON that a call gives at once.
fn text(make: impl FnOnce(*mut *mut arpflux_error) -> *mut c_char) -> String {
    let mut err = null_mut();
    let text = make(&raw mut err);
    // SAFETY: the text is as the call gave it, and freed once.
    unsafe {
        assert!(!text.is_null(), "{:?}", CStr::from_ptr(arpflux_error_text(err)));
        let owned = CStr::from_ptr(text).to_str().unwrap().to_owned();
        arpflux_string_free(text);
        owned
    }
}

fn snapshot() -> *mut arpflux_snapshot {
    let path = CString::new(SNAPSHOT).unwrap();
    // SAFETY: the path ends in NUL.
    let snapshot = unsafe { arpflux_snapshot_from_path(path.as_ptr(), null_mut()) };
    assert!(!snapshot.is_null());
    snapshot
}

#[test]
fn of_a_stored_snapshot() {
    let folder = std::env::temp_dir().join(format!("arpflux-same-json-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let policy = folder.join("policy.toml");
    std::fs::write(&policy, POLICY).unwrap();
    let other = folder.join("other.json");
    std::fs::copy(SNAPSHOT, &other).unwrap();
    let (policy, other) = (policy.to_str().unwrap(), other.to_str().unwrap());
    let stored = ["--snapshot", SNAPSHOT, "--json"];
    let ours = |arguments: &[&str]| command(&[arguments, &stored].concat());
    let host = snapshot();

    // SAFETY: all objects are as the calls gave them; NULL where the header allows it.
    unsafe {
        assert_eq!(
            json(
                |err| arpflux_snapshot_matrix(host, null(), err),
                arpflux_matrix_to_json,
                arpflux_matrix_free
            ),
            ours(&["explain"])
        );
        assert_eq!(
            json(|err| arpflux_snapshot_prove_wires(host, err), arpflux_proofs_to_json, arpflux_proofs_free),
            ours(&["explain", "--prove"])
        );
        assert_eq!(
            json(
                |err| arpflux_snapshot_diagnose(host, null(), err),
                arpflux_diagnosis_to_json,
                arpflux_diagnosis_free
            ),
            ours(&["diagnose"])
        );
        assert_eq!(text(|err| arpflux_snapshot_recommend_to_json(host, err)), ours(&["recommend"]));
        let path = CString::new(policy).unwrap();
        let wanted = arpflux_policy_from_path(path.as_ptr(), null_mut());
        assert_eq!(
            json(|err| arpflux_policy_plan(wanted, host, err), arpflux_plan_to_json, arpflux_plan_free),
            ours(&["plan", "--no-impact", "--policy", policy])
        );
        assert_eq!(
            json(|err| arpflux_policy_verify(wanted, host, err), arpflux_report_to_json, arpflux_report_free),
            ours(&["verify", "--policy", policy])
        );
        arpflux_policy_free(wanted);
        let names = [c"hardware-node".as_ptr(), c"other".as_ptr()];
        let hosts = [host.cast_const(), host.cast_const()];
        assert_eq!(
            text(|err| arpflux_segments_to_json(names.as_ptr(), hosts.as_ptr(), 2, null(), 0, err)),
            ours(&["explain", "--also", other])
        );
        arpflux_snapshot_free(host);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn hosts() -> (Lab, Host, Host) {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = lab.host("hn").unwrap();
    for (i, name) in ["eth0", "eth3", "eth4"].iter().enumerate() {
        hn.plug(&lan, name, format!("00:0c:29:b3:a2:5{i}").parse().unwrap()).unwrap();
        hn.address(name, &format!("192.168.18.{}/24", 10 + i)).unwrap();
    }
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", "00:0c:29:d2:c7:aa".parse().unwrap()).unwrap();
    client.address("eth0", "192.168.18.129/24").unwrap();
    (lab, hn, client)
}

/// The same text without the times, which differ from one probe to the next.
fn timeless(text: &str) -> String {
    text.lines().filter(|line| !line.contains("\"after_ms\"")).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_frames_on_a_wire() {
    let (_lab, hn, _client) = hosts();
    hn.run(|| {
        // SAFETY: all objects are as the calls gave them; NULL where the header allows it.
        unsafe {
            let host: *mut arpflux_host = arpflux_host_open_current(null_mut());
            let target = [c"192.168.18.129".as_ptr()];
            assert_eq!(
                json(
                    |err| arpflux_host_detect(host, target.as_ptr(), 1, null(), err),
                    arpflux_detection_to_json,
                    arpflux_detection_free
                ),
                command(&["detect", "192.168.18.129", "--json"])
            );
            assert_eq!(
                text(|err| arpflux_host_wires_to_json(host, null(), 0, null(), err)),
                command(&["segments", "--json"])
            );
            let mut options: arpflux::probe::arpflux_probe_options = std::mem::zeroed();
            options.size = size_of_val(&options);
            options.interface = c"eth0".as_ptr();
            let probed = json(
                |err| arpflux_host_probe(host, target.as_ptr(), 1, &raw const options, None, null_mut(), err),
                arpflux_probes_to_json,
                arpflux_probes_free,
            );
            let printed = command(&["probe", "192.168.18.129", "--interface", "eth0", "--json"]);
            assert_eq!(timeless(&probed), timeless(&printed));
            assert!(probed.contains("00:0c:29:d2:c7:aa"), "{probed}");
            arpflux_host_free(host);
        }
    })
    .unwrap();
}
