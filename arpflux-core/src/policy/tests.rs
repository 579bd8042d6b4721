//! Good policies, and every way to get one wrong.

use super::*;
use crate::error::ErrorKind;

const DESIGN: &str = r#"version = 1

[host]
interfaces = ["eth0", "eth3", "eth4"]
strategy = "auto"
egress = "source-routed"
announce = true
foreign_proxies = "keep"

[[proxy]]
owner = "101"
addresses = ["192.168.18.101", "2001:db8::101"]
interface = "eth3"

[[proxy]]
owner = "102"
addresses = ["192.168.18.102"]
interface = "eth4"

[[service]]
addresses = ["192.168.18.200", "192.168.18.201"]
answer = "never"

[[service]]
addresses = ["192.168.18.1"]
answer = "holder"
"#;

#[test]
fn both_forms_say_the_same_and_survive_a_round_trip() {
    let policy = Policy::from_toml(DESIGN, "p.toml").unwrap();
    assert_eq!(policy.host.interfaces.as_ref().unwrap().len(), 3);
    assert_eq!(policy.proxies[0].addresses.len(), 2);
    assert_eq!(policy.proxies[1].interface.to_string(), "eth4");
    assert_eq!(policy.services[0].answer, ServiceAnswer::Never);
    assert_eq!(policy.services[1].answer, ServiceAnswer::Holder);
    assert_eq!(serde_json::from_str::<Policy>(&policy.to_json().unwrap()).unwrap(), policy);
    assert_eq!(toml::from_str::<Policy>(DESIGN).unwrap(), policy);
    assert_eq!(Policy::from_json(&policy.to_json().unwrap(), "p.json").unwrap(), policy);
    assert_eq!(Policy::from_toml(&policy.to_toml().unwrap(), "p.toml").unwrap(), policy);
    let other = Policy {
        host: HostPolicy {
            interfaces: None,
            strategy: Strategy::Filter,
            egress: Egress::Unmanaged,
            announce: false,
            foreign_proxies: ForeignProxies::Remove,
            proxy_arp: ProxyArp::Off,
            proxy_delay: Some(30),
        },
        proxies: Vec::new(),
        services: Vec::new(),
    };
    assert_eq!(Policy::from_json(&other.to_json().unwrap(), "p.json").unwrap(), other);
    assert_eq!(Policy::from_toml(&other.to_toml().unwrap(), "p.toml").unwrap(), other);
}

#[test]
fn only_the_version_and_one_table_are_needed() {
    assert_eq!(Policy::from_toml("version = 1\n[host]\n", "p").unwrap(), Policy::default());
    assert_eq!(Policy::from_json(r#"{"version": 1, "host": {}}"#, "p").unwrap(), Policy::default());
}

/// Each bad text, where the error must point, and what it must say.
const BAD_TOML: &[(&str, &str, &[&str])] = &[
    ("", "p:1:1", &["no version", "version = 1"]),
    ("# nothing\n", "p:1:1", &["no version"]),
    ("version = 1\n", "p:1:1", &["empty", "[host]"]),
    ("version = 2\n[host]\n", "p:1:11", &["version 2", "version = 1"]),
    ("version = \"1\"\n[host]\n", "p:1:11", &["\"1\"", "version = 1"]),
    ("not toml at all", "p:1:", &["not TOML"]),
    ("version = 1\n[host\n", "p:2:", &["not TOML"]),
    ("version = 1\nversion = 1\n", "p:2:1", &["duplicate"]),
    ("version = 1\n[host]\nstratgey = \"strict\"\n", "p:3:1", &["\"stratgey\"", "did you mean strategy?"]),
    ("version = 1\nstrategy = \"strict\"\n", "p:2:1", &["it belongs in [host]"]),
    ("version = 1\n[host]\nowner = \"1\"\n", "p:3:1", &["it belongs in [[proxy]]"]),
    ("version = 1\n[proxies]\n", "p:2:2", &["\"proxies\"", "did you mean proxy?"]),
    ("version = 1\n[host]\nstrategy = \"strikt\"\n", "p:3:12", &["\"strikt\"", "did you mean \"strict\"?"]),
    (
        "version = 1\n[host]\nstrategy = \"wild\"\n",
        "p:3:12",
        &["\"auto\", \"strict\", \"filter\", \"unmanaged\""],
    ),
    ("version = 1\n[host]\nstrategy = 1\n", "p:3:12", &["the number 1", "a string"]),
    ("version = 1\n[host]\negress = \"source_routed\"\n", "p:3:10", &["did you mean \"source-routed\"?"]),
    ("version = 1\n[host]\nannounce = \"yes\"\n", "p:3:12", &["\"yes\"", "true or false"]),
    ("version = 1\n[host]\nforeign_proxies = \"delete\"\n", "p:3:19", &["did you mean \"remove\"?"]),
    ("version = 1\n[host]\ninterfaces = \"eth0\"\n", "p:3:14", &["\"eth0\"", "array"]),
    ("version = 1\n[host]\ninterfaces = [\"eth0\", 3]\n", "p:3:23", &["the number 3"]),
    (
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"a/b\"]\n",
        "p:3:23",
        &["\"a/b\"", "not an interface name"],
    ),
    (
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth0\"]\n",
        "p:3:23",
        &["eth0 is named twice", "line 3"],
    ),
    ("version = 1\n[host]\ninterfaces = []\n", "p:3:14", &["empty", "unmanaged"]),
    ("version = 1\n[host]\nproxy_delay = 805\n", "p:3:15", &["805", "write 800"]),
    ("version = 1\n[host]\nproxy_delay = -1\n", "p:3:15", &["-1", "milliseconds"]),
    ("version = 1\n[host]\nproxy_delay = 99999999999999999999\n", "p:3:15", &["number"]),
    ("version = 1\nproxy = \"101\"\n", "p:2:9", &["array of tables", "[[proxy]]"]),
    ("version = 1\n[proxy]\nowner = \"101\"\n", "p:2:1", &["array of tables", "two brackets"]),
    ("version = 1\n[[proxy]]\nowner = \"101\"\ninterface = \"eth3\"\n", "p:2:1", &["no addresses"]),
    ("version = 1\n[[proxy]]\naddresses = []\ninterface = \"eth3\"\n", "p:2:1", &["no owner"]),
    (
        "version = 1\n[[proxy]]\nowner = 101\naddresses = []\ninterface = \"e\"\n",
        "p:3:9",
        &["owner = \"101\""],
    ),
    (
        "version = 1\n[[proxy]]\nowner = \"\"\naddresses = []\ninterface = \"e\"\n",
        "p:3:9",
        &["owner is empty"],
    ),
    (
        "version = 1\n[[proxy]]\nowner = \"1\"\naddresses = []\ninterface = \"e\"\n",
        "p:4:13",
        &["no addresses"],
    ),
    ("version = 1\n[host]\ninterface = [\"eth0\"]\n", "p:3:1", &["did you mean interfaces?"]),
    ("version = 1\n[host]\nanswer = \"never\"\n", "p:3:1", &["it belongs in [[service]]"]),
    ("version = 1\n[[service]]\nanswer = \"never\"\n", "p:2:1", &["no addresses"]),
    ("version = 1\n[[service]]\naddresses = [\"10.0.0.1\"]\n", "p:2:1", &["no answer", "holder"]),
    (
        "version = 1\n[[service]]\naddresses = [\"10.0.0.1\"]\nanswer = \"holders\"\n",
        "p:4:10",
        &["did you mean \"holder\"?"],
    ),
    ("version = 1\n[[service]]\naddresses = []\nanswer = \"never\"\n", "p:3:13", &["no addresses"]),
    ("version = 1\n[[service]]\naddresses = [\"fd00::1\"]\nanswer = \"never\"\n", "p:3:14", &["IPv6"]),
    (
        "version = 1\n[[proxy]]\nowner = \"1\"\naddresses = [\"10.0.0.1\"]\ninterface = \"e\"\n\
         [[service]]\naddresses = [\"10.0.0.1\"]\nanswer = \"never\"\n",
        "p:7:14",
        &["named twice (also in line 4)"],
    ),
    (
        "version = 1\n[[proxy]]\nowner = \"1\"\naddresses = \"10.0.0.1\"\ninterface = \"e\"\n",
        "p:4:13",
        &["addresses = [\"10.0.0.1\"]"],
    ),
];

#[test]
fn serde_reads_as_strictly_as_the_file_reader() {
    for (text, _, said) in BAD_TOML {
        assert!(toml::from_str::<Policy>(text).is_err(), "{text:?}: {said:?}");
    }
    let error = serde_json::from_str::<Policy>(r#"{"version":1,"host":{},"host":{}}"#).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

#[test]
fn bad_toml_is_refused_with_its_place_and_a_remedy() {
    for (text, place, said) in BAD_TOML {
        let error = Policy::from_toml(text, "p").expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{text:?}: {error}");
        assert!(error.object().starts_with(place), "{text:?}: {error}");
        for part in *said {
            assert!(error.to_string().contains(part), "{text:?}: {error}, not {part:?}");
        }
    }
}

/// Each bad address and what the error must say.
const BAD_ADDRESSES: &[(&str, &str)] = &[
    ("", "not an IPv4 or IPv6 address"),
    ("192.168.18", "not an IPv4 or IPv6 address"),
    ("192.168.18.256", "not an IPv4 or IPv6 address"),
    ("192.168.018.101", "without leading zeros"),
    (" 10.0.0.1", "without the blanks"),
    ("localhost", "names are not looked up"),
    ("10.0.0.0/24", "write each one"),
    ("10.0.0.1/32", "write 10.0.0.1 without"),
    ("fe80::1%eth0", "leave out the %"),
    ("0.0.0.0", "no address"),
    ("0.1.2.3", "0.0.0.0/8"),
    ("127.0.0.1", "loopback"),
    ("224.0.0.1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("::", "no address"),
    ("::1", "loopback"),
    ("ff02::1", "multicast"),
    ("fe80::1", "link-local"),
    ("::ffff:10.0.0.1", "write 10.0.0.1"),
];

#[test]
fn addresses_of_the_wrong_sort_are_refused() {
    for (address, said) in BAD_ADDRESSES {
        let text = format!(
            "version = 1\n[[proxy]]\nowner = \"1\"\ninterface = \"eth3\"\naddresses = [\"10.0.0.9\", \"{address}\"]\n"
        );
        let error = Policy::from_toml(&text, "p").expect_err(address);
        assert_eq!(error.object(), "p:5:26", "{address:?}: {error}");
        assert!(error.to_string().contains(said), "{address:?}: {error}");
    }
}

#[test]
fn an_address_in_two_proxies_names_both_places() {
    let text = DESIGN.replace("192.168.18.102", "192.168.18.101");
    let error = Policy::from_toml(&text, "p").unwrap_err();
    assert_eq!(error.object(), "p:17:14");
    assert!(error.message().contains("192.168.18.101 is named twice (also in line 12)"), "{error}");
    // The same address written otherwise is the same address.
    let text = DESIGN.replace("\"192.168.18.102\"", "\"2001:DB8:0:0::101\"");
    assert_eq!(Policy::from_toml(&text, "p").unwrap_err().object(), "p:17:14");
}

#[test]
fn json_errors_point_at_keys_and_values() {
    let cases: &[(&str, &str, &str)] = &[
        ("", "p:1:1", "not JSON"),
        ("{\"version\": 1", "p:1:", "not JSON"),
        ("[1]", "p:1:1", "must be a table"),
        ("{\"version\": 1.5}", "p:1:13", "fraction"),
        ("{\n \"version\": 1,\n \"host\" :\n {\"stra\\\"tegy\" : 1}}", "p:4:3", "unknown key"),
        ("{\"version\": 1, \"version\": 1, \"host\": {}}", "p:1:16", "twice"),
        ("{\"version\": 1, \"host\": {\"strategy\": null}}", "p:1:37", "null"),
        ("{\"version\": 1, \"host\": {\"größe\": \"ü\", \"x\": 1}}", "p:1:25", "unknown key"),
        ("{\"version\": 1, \"host\": {}} x", "p:1:28", "not JSON"),
    ];
    for (text, place, said) in cases {
        let error = Policy::from_json(text, "p").expect_err(text);
        assert!(error.object().starts_with(place), "{text:?}: {error}");
        assert!(error.to_string().contains(said), "{text:?}: {error}");
    }
    let deep = format!("{{\"version\": 1, \"host\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(Policy::from_json(&deep, "p").unwrap_err().message().contains("deeply"));
    let deep = format!("version = {}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(Policy::from_toml(&deep, "p").unwrap_err().kind(), ErrorKind::InvalidPolicy);
}

#[test]
fn files_are_told_by_their_ending_and_bounded() {
    let folder = std::env::temp_dir().join(format!("arpflux-policy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let policy = Policy::from_toml(DESIGN, "p").unwrap();
    assert_eq!(Policy::from_path(write("a.toml", DESIGN.as_bytes())).unwrap(), policy);
    let marked = format!("\u{feff}{}", policy.to_json().unwrap());
    assert_eq!(Policy::from_path(write("a.json", marked.as_bytes())).unwrap(), policy);
    let kind = |path: std::path::PathBuf| Policy::from_path(path).unwrap_err();
    assert!(kind(write("a.conf", DESIGN.as_bytes())).to_string().contains(".toml"));
    assert!(kind(write("b.toml", b"version = 1\n# \xff\n")).object().ends_with("b.toml:2"));
    assert_eq!(kind(folder.join("none.toml")).kind(), ErrorKind::NotFound);
    let large = write("c.toml", b"");
    std::fs::File::options().write(true).open(&large).unwrap().set_len(FILE_SIZE_MAX + 1).unwrap();
    assert!(kind(large).message().contains("larger than"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_policy_without_a_text_is_checked_too() {
    let mut policy = Policy::from_toml(DESIGN, "p").unwrap();
    assert!(policy.check().is_ok());
    policy.proxies[1].addresses = policy.proxies[0].addresses.clone();
    let error = policy.check().unwrap_err();
    assert_eq!(error.object(), "proxy[1].addresses[0]");
    assert!(error.message().contains("also proxy[0].addresses[0]"), "{error}");
}
