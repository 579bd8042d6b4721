use super::*;
use crate::predict::{ArpRequest, Model};

#[test]
fn two_nics_with_rules_take_twelve_lines() {
    let host = Builder::new()
        .nic("eth0", &["192.168.18.10/24"])
        .nic("eth1", &["192.168.18.11/24", "192.168.18.12/24"])
        .route("0.0.0.0/0", Some("192.168.18.1"), "eth0")
        .rule(Rule { source: Some("192.168.18.11/32".parse().unwrap()), ..Rule::lookup(1000, 101) })
        .any_route(Route { table: 101, ..Route::new("192.168.18.0/24".parse().unwrap(), IfIndex(3)) })
        .sysctl("eth1", Sysctl::ArpIgnore, 1)
        .proxy("192.168.18.101", Some("eth1"))
        .build()
        .unwrap();
    let model = Model::new(&host).unwrap();
    let answers = |index, target: [u8; 4]| {
        let request = ArpRequest::broadcast(IfIndex(index), [192, 168, 18, 129].into(), target.into());
        model.reply(&request).answers()
    };
    assert_eq!((answers(2, [192, 168, 18, 11]), answers(3, [192, 168, 18, 11])), (Some(true), Some(true)));
    assert_eq!((answers(2, [192, 168, 18, 10]), answers(3, [192, 168, 18, 10])), (Some(true), Some(false)));
    assert!(host.addresses[3].flags.contains(AddressFlags::SECONDARY));
    assert_eq!(host.rules[1].priority, 1000);
    assert_eq!(host.routing.rules_changed, Some(true));
    assert_eq!(host, Snapshot::from_json(&host.to_json().unwrap()).unwrap());
}

#[test]
fn the_first_fault_is_told() {
    for (builder, object) in [
        (Builder::new().nic("eth0", &["192.168.18.10/33"]), "192.168.18.10/33"),
        (Builder::new().address("eth0", "192.168.18.10/24"), "eth0"),
        (Builder::new().nic("eth0", &[]).proxy("192.168.18", Some("eth9")), "192.168.18"),
        (Builder::new().nic("eth0", &[]).proxy("192.168.18.1", Some("eth9")), "eth9"),
        (Builder::new().nic("eth0", &[]).route("0.0.0.0/0", Some("gateway"), "eth0"), "gateway"),
        (Builder::new().nic("eth0", &[]).sysctl("eth9", Sysctl::ArpIgnore, 1), "eth9"),
        (Builder::new().number(1).nic("eth0", &[]), "interfaces[1].index"),
        (Builder::new().nic("lo", &[]), "interfaces[1]"),
    ] {
        assert_eq!(builder.build().unwrap_err().object(), object);
    }
}
