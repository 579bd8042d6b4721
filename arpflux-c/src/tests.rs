use std::ffi::CStr;
use std::ptr;

use arpflux_core::snapshot::ProxyEntry;
use arpflux_core::types::IfIndex;
use arpflux_core::{Error, ErrorKind, Snapshot};

use crate::boundary::{getter, guard};
use crate::code::arpflux_code;
use crate::error::*;
use crate::snapshot::interface::*;
use crate::snapshot::proxy::*;
use crate::snapshot::*;
use crate::string::arpflux_string_free;

fn text(text: *const std::ffi::c_char) -> String {
    assert!(!text.is_null());
    // SAFETY: not NULL, and all texts of this library end in NUL.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_string()
}

#[test]
fn codes_are_those_of_the_core() {
    for kind in ErrorKind::ALL {
        assert_eq!(arpflux_code::from(*kind) as u32, kind.code(), "{kind:?}");
    }
}

#[test]
fn a_panic_becomes_an_error() {
    let mut err = ptr::null_mut();
    // SAFETY: `err` may be written; the getters follow the conventions.
    unsafe {
        let value = guard(&raw mut err, 7, || panic!("on {}", "purpose"));
        assert_eq!(value, 7);
        assert_eq!(arpflux_error_code(err), arpflux_code::Internal);
        assert!(text(arpflux_error_text(err)).contains("panicked: on purpose"));
        arpflux_error_free(err);
    }
    assert_eq!(getter(3, || panic!("in a getter")), 3);
}

#[test]
fn an_error_keeps_everything() {
    let mut err = ptr::null_mut();
    // SAFETY: `err` may be written; the getters follow the conventions.
    unsafe {
        guard(&raw mut err, (), || Err(Error::os("set sysctl", "net.ipv4.conf.eth0.arp_ignore", 1)));
        assert_eq!(arpflux_error_code(err), arpflux_code::PermissionDenied);
        assert!(text(arpflux_error_text(err)).starts_with("set sysctl net.ipv4.conf.eth0.arp_ignore"));
        assert_eq!(arpflux_error_errno(err), 1);
        assert_eq!(arpflux_error_exit_code(err), 3);
        assert!(text(arpflux_error_hint(err)).contains("CAP_NET_ADMIN"));
        assert!(!arpflux_error_is_transient(err));
        arpflux_error_free(err);
        // Freed: answered, not followed.
        assert_eq!(arpflux_error_code(err), arpflux_code::Ok);
        assert!(arpflux_error_text(err).is_null());
        arpflux_error_free(err);
    }
}

#[test]
fn stale_and_mistaken_handles_are_errors() {
    let snapshot = crate::snapshot::give(Snapshot::default());
    let mut err = ptr::null_mut();
    // SAFETY: `err` may be written; handles are what this test is about.
    unsafe {
        // A snapshot where an error is expected.
        assert!(arpflux_error_text(snapshot.cast()).is_null());
        arpflux_error_free(snapshot.cast());
        assert_eq!(arpflux_snapshot_interface_count(snapshot), 0);
        arpflux_snapshot_free(snapshot);
        assert!(arpflux_snapshot_to_json(snapshot, &raw mut err).is_null());
        assert_eq!(arpflux_error_code(err), arpflux_code::InvalidInput);
        assert!(text(arpflux_error_text(err)).contains("not a live handle"));
        arpflux_error_free(err);
        arpflux_snapshot_free(snapshot);
        // The caller may not want to know.
        assert!(arpflux_snapshot_to_json(ptr::null(), ptr::null_mut()).is_null());
    }
}

#[test]
fn records_are_read_in_place() {
    let json = Snapshot::default().to_json().unwrap();
    let json = json.replace("\"interfaces\": []", &format!("\"interfaces\": [{ETH3}]"));
    let mut snapshot = Snapshot::from_json(&json).unwrap();
    snapshot.proxies.push(ProxyEntry::new("192.168.18.101".parse().unwrap(), Some(IfIndex(3))).protocol(175));
    let snapshot = crate::snapshot::give(snapshot);
    // SAFETY: the conventions are followed.
    unsafe {
        assert_eq!(arpflux_snapshot_interface_count(snapshot), 1);
        let eth3 = arpflux_snapshot_interface_by_name(snapshot, c"eth3".as_ptr());
        assert_eq!(eth3, arpflux_snapshot_interface_at(snapshot, 0));
        assert!(arpflux_snapshot_interface_at(snapshot, 1).is_null());
        assert!(arpflux_snapshot_interface_by_name(snapshot, c"eth".as_ptr()).is_null());
        assert_eq!(text(arpflux_interface_name(eth3)), "eth3");
        assert_eq!(text(arpflux_interface_mac(eth3)), "00:0c:29:b3:a2:68");
        assert!(arpflux_interface_speaks_arp(eth3));

        let proxy = arpflux_snapshot_proxy_at(snapshot, 0);
        let address = arpflux_proxy_address(proxy);
        assert_eq!((address.family, &address.bytes[..5]), (4, &[192, 168, 18, 101, 0][..]));
        assert_eq!(arpflux_proxy_interface(proxy), 3);

        let json = arpflux_snapshot_to_json(snapshot, ptr::null_mut());
        let again = arpflux_snapshot_from_json(json, CStr::from_ptr(json).count_bytes(), ptr::null_mut());
        assert_eq!(arpflux_snapshot_proxy_count(again), 1);
        arpflux_string_free(json);
        arpflux_snapshot_free(again);
        arpflux_snapshot_free(snapshot);
    }
}

/// An interface such as the page's eth3.
const ETH3: &str = r#"{"index":3,"name":"eth3","kind":null,"link_type":1,"mac":"00:0c:29:b3:a2:68","flags":3,
    "carrier":true,"master":null,"link":null,"link_netnsid":null,"mtu":1500,"vlan_id":null,"macvlan_mode":null,
    "vrf_table":null,"sysctls":{"arp_ignore":1},"neigh":{"proxy_delay":800,"proxy_qlen":64,"locktime":1000}}"#;
