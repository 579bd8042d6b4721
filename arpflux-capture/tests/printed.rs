//! Scenes as tcpdump and tshark print them, with their options, are judged as the frames themselves are.
#![allow(missing_docs, reason = "a test")]

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;

use arpflux_capture::{Capture, Class, MissingKind, Report};
use arpflux_core::frame::{Ipv4Arp, Ndp, solicited_node, solicited_node_mac};
use arpflux_core::types::Mac;

const CLIENT: Mac = Mac::ethernet([0x00, 0x0c, 0x29, 0xd2, 0xc7, 0xaa]);
const NEAR: [Mac; 2] =
    [Mac::ethernet([0, 0x0c, 0x29, 0xb3, 0xa2, 0x54]), Mac::ethernet([0, 0x0c, 0x29, 0xb3, 0xa2, 0x5e])];
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// Frames with their times in ms, all about one address; each scene has MACs of its own, and its own time.
struct Scene {
    number: u8,
    class: Class,
    frames: Frames,
}

impl Scene {
    fn target(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 1, self.number)
    }

    fn ask(mut self, at: u32, answers: &[Mac]) -> Self {
        let ask = Ipv4Arp::request(CLIENT, PEER, self.target());
        self.frames.push((at, ask.to_frame(Mac::BROADCAST)));
        for (place, from) in answers.iter().enumerate() {
            self.frames.push((at + 1 + place as u32, Ipv4Arp::reply_to(&ask, *from).to_frame(CLIENT)));
        }
        self
    }

    fn announce(mut self, at: u32, from: Mac) -> Self {
        self.frames.push((at, Ipv4Arp::announcement(from, self.target()).to_frame(Mac::BROADCAST)));
        self
    }

    fn push(mut self, at: u32, from: Mac) -> Self {
        let ask = Ipv4Arp::request(CLIENT, PEER, self.target());
        self.frames.push((at, Ipv4Arp::reply_to(&ask, from).to_frame(CLIENT)));
        self
    }

    fn probe(mut self, at: u32, from: Mac) -> Self {
        self.frames.push((at, Ipv4Arp::probe(from, self.target()).to_frame(Mac::BROADCAST)));
        self
    }
}

/// All of them, one after the other.
fn file(scenes: &[Scene]) -> Vec<u8> {
    let mut file =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    for scene in scenes {
        for (at, frame) in &scene.frames {
            let (length, at) = (frame.len() as u32, at + 100_000 * u32::from(scene.number));
            for field in [1_700_000_000 + at / 1000, at % 1000 * 1000, length, length] {
                file.extend(field.to_le_bytes());
            }
            file.extend(frame);
        }
    }
    file
}

fn scenes() -> Vec<Scene> {
    let mut number = 0;
    let mut scene = |class, build: &dyn Fn(Scene, Mac, Mac) -> Scene| {
        number += 1;
        let [one, two] = [0x11, 0x22].map(|low| Mac::ethernet([2, number, low, number, low, number]));
        build(Scene { number, class, frames: Vec::new() }, one, two)
    };
    vec![
        scene(Class::Single, &|s, one, _| s.ask(0, &[one]).ask(9000, &[one]).ask(12_000, &[one])),
        scene(Class::Flux, &|s, _, _| s.ask(0, &NEAR).ask(9000, &[NEAR[1], NEAR[0]]).ask(12_000, &NEAR)),
        scene(Class::Conflict, &|s, one, two| s.ask(0, &[one, two]).ask(9000, &[two, one])),
        scene(Class::Failover, &|s, one, two| {
            s.ask(0, &[one]).announce(9000, two).announce(9500, two).ask(15_000, &[two]).ask(15_100, &[two])
        }),
        scene(Class::Duplicate, &|s, one, two| {
            s.announce(0, one)
                .announce(400, two)
                .announce(5000, one)
                .announce(5400, two)
                .announce(10_000, one)
        }),
        scene(Class::Spoof, &|s, one, two| {
            s.ask(0, &[one]).push(9000, two).push(11_000, two).push(12_000, two).push(15_000, two)
        }),
        scene(Class::Undetermined, &|s, one, two| s.ask(0, &[one]).ask(9000, &[two]).ask(9500, &[two])),
        scene(Class::Failover, &|s, one, two| {
            s.ask(0, &[one]).probe(60_000, two).announce(64_000, two).ask(64_500, &[two])
        }),
    ]
}

fn report(bytes: &[u8]) -> Report {
    let mut capture = Capture::new();
    capture.read("printed", bytes).unwrap();
    capture.report()
}

fn rank(class: Class) -> u8 {
    match class {
        class if class.is_bad() => 2,
        Class::Undetermined => 1,
        _ => 0,
    }
}

fn print(file: &PathBuf, command: &[&str]) -> Vec<u8> {
    let output = Command::new(command[0])
        .args(&command[1..])
        .arg("-r")
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn every_form_gives_the_same_verdict_or_says_what_it_lacks() {
    let fields = [
        "-e",
        "frame.time_epoch",
        "-e",
        "eth.src",
        "-e",
        "eth.dst",
        "-e",
        "arp.opcode",
        "-e",
        "arp.src.hw_mac",
        "-e",
        "arp.src.proto_ipv4",
        "-e",
        "arp.dst.hw_mac",
        "-e",
        "arp.dst.proto_ipv4",
    ];
    // The other way round, the target is not the last one.
    let turned: Vec<&str> = fields.chunks(2).rev().flatten().copied().collect();
    let fields =
        |options: &[&'static str]| [&["tshark", "-n", "-T", "fields"], options, &fields[..]].concat();
    let mut commands = vec![
        fields(&[]),
        fields(&["-E", "header=y"]),
        fields(&["-E", "header=y", "-E", "separator=,", "-E", "quote=d"]),
        fields(&["-E", "header=y", "-E", "separator=;"]),
        fields(&["-E", "separator=;"]),
        [&["tshark", "-n", "-T", "fields", "-E", "header=y"], &turned[..]].concat(),
        vec!["tshark", "-n", "-T", "json"],
        vec!["tshark", "-n", "-T", "pdml"],
        vec!["tshark", "-n", "-T", "jsonraw"],
        vec!["tshark", "-n", "-T", "ek"],
        vec!["tshark", "-n", "-V"],
        vec!["tshark", "-V"],
        vec!["tshark", "-P", "-V", "-x"],
        vec!["tshark", "-O", "arp"],
        vec!["tcpdump", "-e"],
    ];
    let dated: Vec<&str> = fields(&[])
        .into_iter()
        .map(|word| if word == "frame.time_epoch" { "frame.time" } else { word })
        .collect();
    commands.push(dated.clone());
    for separator in ["separator=/t", "separator=,", "separator=;"] {
        commands.push([&dated[..], &["-E", "header=y", "-E", separator, "-E", "quote=d"]].concat());
    }
    for option in
        ["-e", "-et", "-ett", "-ettt", "-etttt", "-ettttt", "-ev", "-evv", "-eq", "-ex", "-eXX", "-e#"]
    {
        commands.push(vec!["tcpdump", "-n", option]);
    }
    commands.push(vec!["tcpdump", "-n", "-e", "--time-stamp-precision=nano"]);
    for time in ["a", "ad", "r", "d", "dd", "e", "u", "ud"] {
        commands.push(vec!["tshark", "-n", "-t", time]);
    }
    let folder = std::env::temp_dir().join(format!("arpflux-printed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("scene.pcap");
    let scenes = scenes();
    let bytes = self::file(&scenes);
    std::fs::write(&file, &bytes).unwrap();
    let frames = report(&bytes);
    for scene in &scenes {
        let address = frames.address(scene.target()).unwrap();
        assert_eq!(address.class, scene.class, "{address:#?}");
    }
    let mut wrong = String::new();
    for command in &commands {
        let text = print(&file, command);
        for form in [text.clone(), quoted(&text), [b"\xef\xbb\xbf", &text[..]].concat(), with_returns(&text)]
        {
            let printed = report(&form);
            assert_eq!(printed.missing, [], "{command:?}");
            for scene in &scenes {
                let (target, class) = (scene.target(), scene.class);
                let found = printed.address(target).map(|address| address.class);
                let good = match found {
                    Some(found) if printed.clocked => found == class,
                    // Without a clock nothing that is not good becomes good.
                    Some(found) => rank(class) == 0 || rank(found) > 0,
                    None => false,
                };
                if !good {
                    wrong.push_str(&format!("{command:?}: {target} is {found:?}, not {class:?}\n"));
                }
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

/// Lines as a mail program cuts them, within words.
#[test]
fn what_is_wrapped_within_words_is_never_better_than_the_frames() {
    let folder = std::env::temp_dir().join(format!("arpflux-wrapped-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("scene.pcap");
    for scene in scenes().into_iter().filter(|scene| rank(scene.class) > 0) {
        std::fs::write(&path, file(std::slice::from_ref(&scene))).unwrap();
        for command in [&["tshark", "-n", "-T", "ek"][..], &["tshark", "-n", "-V"], &["tcpdump", "-n", "-e"]]
        {
            let text = print(&path, command);
            for width in 60..=130 {
                let lines = text.split(|byte| *byte == b'\n');
                let wrapped: Vec<&[u8]> = lines.flat_map(|line| line.chunks(width)).collect();
                let report = report(&wrapped.join(&b'\n'));
                assert_ne!(report.ok, Some(true), "{command:?}, {width}: {:?} {report:#?}", scene.class);
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn without_the_macs_of_those_who_ask_nothing_is_good() {
    let folder = std::env::temp_dir().join(format!("arpflux-askers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("scene.pcap");
    std::fs::write(&path, file(&scenes()[..1])).unwrap();
    for (command, good) in [(["tcpdump", "-en"], Some(true)), (["tcpdump", "-n"], None)] {
        let report = report(&print(&path, &command));
        assert_eq!(report.ok, good, "{command:?}: {report:#?}");
        let lacks = report.missing.iter().any(|one| one.reason == MissingKind::NoMacs);
        assert_eq!(lacks, good.is_none(), "{command:?}: {report:#?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// MAC, address, when it was seen last, name, interface.
#[test]
fn the_list_of_arpwatch_shows_several_macs() {
    let list = "0:c:29:b3:a2:54\t10.0.0.1\t1700000000\tgate\teth0\n\
                2:1:11:1:22:1\t10.0.0.1\t1700003600\t\teth0\n\
                2:2:11:2:22:2\t10.0.0.2\t1700000000\n";
    let report = report(list.as_bytes());
    let macs =
        |address: [u8; 4]| report.address(Ipv4Addr::from(address)).map(|one| (one.class, one.macs.len()));
    assert_eq!(macs([10, 0, 0, 1]), Some((Class::Undetermined, 2)), "{report:#?}");
    assert_eq!(macs([10, 0, 0, 2]), Some((Class::Single, 1)), "{report:#?}");
    assert_eq!(report.ok, None);
}

/// As Windows ends lines.
fn with_returns(text: &[u8]) -> Vec<u8> {
    text.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
}

/// As a mail quotes it.
fn quoted(text: &[u8]) -> Vec<u8> {
    text.split_inclusive(|byte| *byte == b'\n').flat_map(|line| [b"> ", line].concat()).collect()
}

/// Frames with their times in ms.
type Frames = Vec<(u32, Vec<u8>)>;

/// Neighbour discovery: each address with who answers for it, twice; the last is probed for by another first.
fn discovery() -> Vec<(Ipv6Addr, Class, Frames)> {
    let at = |low| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x10, low);
    let far = |low| Mac::ethernet([2, low, 0x11, low, 0x22, low]);
    let (peer, group) = (at(9), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    let rounds = |target: Ipv6Addr, answers: &[Mac]| {
        let ask = Ndp::Solicitation { target, source_mac: Some(CLIENT) };
        let to = (solicited_node_mac(target), solicited_node(target));
        let mut frames = Vec::new();
        for begin in [0, 9000, 12_000] {
            frames.push((begin, ask.to_frame((CLIENT, peer), to)));
            for (place, mac) in answers.iter().enumerate() {
                let answer = Ndp::Advertisement {
                    target,
                    target_mac: Some(*mac),
                    router: false,
                    solicited: true,
                    overrides: true,
                };
                frames.push((begin + 1 + place as u32, answer.to_frame((*mac, target), (CLIENT, peer))));
            }
        }
        frames
    };
    let probed = at(4);
    let probe = Ndp::Solicitation { target: probed, source_mac: None };
    let to = (solicited_node_mac(probed), solicited_node(probed));
    let mut taken = vec![(0, probe.to_frame((far(7), Ipv6Addr::UNSPECIFIED), to))];
    let all = (Mac::ethernet([0x33, 0x33, 0, 0, 0, 1]), group);
    taken.push((1500, Ndp::announcement(probed, far(7), false).to_frame((far(7), probed), all)));
    vec![
        (at(1), Class::Single, rounds(at(1), &[far(1)])),
        (at(2), Class::Conflict, rounds(at(2), &[far(2), far(3)])),
        (at(3), Class::Flux, rounds(at(3), &NEAR)),
        (probed, Class::Single, taken),
    ]
}

#[test]
fn neighbour_discovery_is_read_from_text_or_what_it_lacks_is_said() {
    let folder = std::env::temp_dir().join(format!("arpflux-discovery-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("scene.pcap");
    let scenes = discovery();
    let as_scenes: Vec<Scene> = scenes
        .iter()
        .enumerate()
        .map(|(number, (_, class, frames))| Scene {
            number: number as u8,
            class: *class,
            frames: frames.clone(),
        })
        .collect();
    let bytes = file(&as_scenes);
    std::fs::write(&path, &bytes).unwrap();
    let classes = |report: &Report| -> Vec<Option<Class>> {
        scenes.iter().map(|(target, ..)| report.address(*target).map(|one| one.class)).collect()
    };
    let expected: Vec<Option<Class>> = scenes.iter().map(|(_, class, _)| Some(*class)).collect();
    let frames = report(&bytes);
    assert_eq!(classes(&frames), expected, "{:#?}", frames.addresses);
    const FIELDS: [&str; 3] = ["tshark", "-T", "fields"];
    let mut fields = vec!["tshark", "-n", "-T", "fields", "-E", "header=y", "-E", "separator=,"];
    for field in [
        "frame.time_epoch",
        "eth.src",
        "eth.dst",
        "icmpv6.opt.linkaddr",
        "icmpv6.nd.ns.target_address",
        "icmpv6.nd.na.target_address",
        "icmpv6.nd.na.flag.r",
        "icmpv6.nd.na.flag.s",
        "icmpv6.nd.na.flag.o",
        "ipv6.src",
    ] {
        fields.extend(["-e", field]);
    }
    // Whether it says all that counts.
    for (command, whole) in [
        (["tcpdump", "-n", "-ev"], true),
        (["tcpdump", "-n", "-evvtttt"], true),
        (["tcpdump", "-n", "-ettv"], true),
        (["tcpdump", "-n", "-v"], true),
        (["tcpdump", "-n", "-evX"], true),
        (["tcpdump", "-n", "-e"], false),
        (["tcpdump", "-n", "-q"], false),
        (["tshark", "-n", "-tad"], true),
        (["tshark", "-n", "-te"], true),
        (["tshark", "-n", "-tr"], true),
        (["tshark", "-n", "-Tjson"], true),
        (["tshark", "-n", "-Tpdml"], true),
        (["tshark", "-n", "-Tek"], true),
        (["tshark", "-n", "-Tjsonraw"], true),
        (["tshark", "-n", "-V"], true),
        (FIELDS, true),
    ] {
        let text = print(&path, if command == FIELDS { &fields } else { &command });
        for form in [text.clone(), quoted(&text)] {
            let printed = report(&form);
            let lacks = printed.missing.iter().any(|one| one.reason == MissingKind::NeighbourText);
            assert_eq!(
                !lacks,
                whole,
                "{command:?}: {:#?}\n{}",
                printed.missing,
                String::from_utf8_lossy(&form)
            );
            if command != ["tcpdump", "-n", "-q"] {
                assert_eq!(classes(&printed), expected, "{command:?}\n{}", String::from_utf8_lossy(&form));
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
