use super::*;
use crate::filter::{Family, Hook};
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
fn filters_and_permanent_neighbours_count() {
    let host = Builder::new().nic("eth0", &["192.168.18.10/24"]);
    let target = [192, 168, 18, 10].into();
    let request = ArpRequest::broadcast(IfIndex(2), [192, 168, 18, 129].into(), target);
    let answers = |host: Builder| Model::new(&host.build().unwrap()).unwrap().reply(&request).answers();
    let chain = Chain::at(Hook::Input, Family::Arp, "filter", "input");
    assert_eq!(answers(host.clone().filter(chain.clone())), Some(true));
    assert_eq!(answers(host.clone().filter(chain.dropping())), Some(false));
    let known = host.neighbour("192.168.18.1", "eth0", "02:00:00:00:00:99").build().unwrap();
    assert!(known.neighbours[0].state.is_permanent());
    // `nud noarp` is as good, unless it is the kernel's own of a group.
    let with = |mac: &str| Neighbour {
        mac: mac.parse().ok(),
        state: NeighbourState::NOARP,
        ..known.neighbours[0].clone()
    };
    assert!(with("02:00:00:00:00:99").is_fixed() && !with("01:00:5e:00:00:01").is_fixed());
    assert!(!with("00:00:00:00:00:00").is_fixed());
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

#[test]
fn every_reader_reads_what_every_writer_wrote() {
    let host = Builder::new().nic("eth0", &["192.168.18.10/24"]).build().unwrap();
    let (ours, serdes) = (host.to_json().unwrap(), serde_json::to_string(&host).unwrap());
    for text in [&ours, &serdes] {
        assert_eq!(Snapshot::from_json(text).unwrap(), host);
        assert_eq!(serde_json::from_str::<Snapshot>(text).unwrap(), host);
    }
    let newer = ours.replacen("\"schema\": 1", "\"schema\": 2", 1);
    let error = Snapshot::from_json(&newer).unwrap_err();
    assert!(error.message().contains("schema 2 is not known"), "{error}");
    let error = serde_json::from_str::<Snapshot>(&newer).unwrap_err();
    assert!(error.to_string().contains("schema 2 is not known"), "{error}");
    // What no kernel has is refused by serde, too.
    let error = serde_json::from_str::<Snapshot>(&ours.replace("\"prefix_len\": 24", "\"prefix_len\": 33"));
    assert!(error.unwrap_err().to_string().contains("a prefix of IPv4 has 32 bits at most"));
}

#[test]
fn what_a_newer_version_wrote_is_told_and_leaves_answers_open() {
    let host = Builder::new().nic("eth0", &["192.168.18.10/24"]).build().unwrap();
    let text = host.to_json().unwrap();
    for (known, newer, name) in [
        ("\"ip_forward\"", "\"future\": 1, \"ip_forward\"", "future of"),
        ("\"link_type\"", "\"future\": [1], \"link_type\"", "interfaces.0.future"),
        ("\"arp_ignore\"", "\"future\": 1, \"arp_ignore\"", "all.future"),
        ("\"prefix_len\"", "\"future\": null, \"prefix_len\"", "addresses.0.future"),
    ] {
        let newer = text.replacen(known, newer, 1);
        let read = Snapshot::from_json(&newer).unwrap();
        let [Interference::Unreadable { what, needs: None }] = &read.interference[..] else {
            panic!("{name}: {:?}", read.interference)
        };
        assert!(what.starts_with(name), "{what}");
        let request =
            ArpRequest::broadcast(IfIndex(2), [192, 168, 18, 129].into(), [192, 168, 18, 10].into());
        assert_eq!(Model::new(&read).unwrap().reply(&request).answers(), None, "{name}");
        assert_eq!(Snapshot { interference: Vec::new(), ..read }, host);
    }
}
