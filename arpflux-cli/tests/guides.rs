//! Every command of the guides runs on the host that the guide is about and prints what the guide says; every link
//! of the documents leads somewhere.
//!
//! A guide names its host in a comment (`<!-- lab: … -->`), by commands and `card NAME ADDRESS`: a card on the one
//! wire of the lab. In its console blocks `$` begins a command, whose exit code is 0 or the one that `# ends with`
//! names; other lines have to be in what it prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LAB: &str = r#"
set -e
unshare --net sleep 60 & other=$!
trap 'kill $other' EXIT
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
there() { nsenter --net=/proc/$other/ns/net "$@"; }
there ip link add wire type bridge
there ip link set wire up
card() {
    ip link add "$1" type veth peer name "w-$1" netns $other
    there ip link set "w-$1" master wire up
    ip addr add "$2" dev "$1"
    ip link set "$1" up
}
ip link set lo up
"#;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs")
}

/// A command with its exit code, and what it has to print.
struct Step {
    command: String,
    code: i32,
    said: Vec<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => within = line == "```console",
            Some(command) if within => {
                let (command, code) = match command.split_once("# ends with ") {
                    Some((command, code)) => (command.trim_end(), code.parse().unwrap()),
                    None => (command, 0),
                };
                steps.push(Step { command: command.to_owned(), code, said: Vec::new() });
            }
            None if within => steps.last_mut().unwrap().said.push(line.to_owned()),
            _ => {}
        }
    }
    steps
}

/// Words with one blank between them.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn walk(guide: &Path) -> Result<usize, String> {
    let text = fs::read_to_string(guide).unwrap();
    let lab = text.split_once("<!-- lab: ").and_then(|(_, rest)| rest.split_once(" -->")).unwrap().0;
    let steps = steps(&text);
    let printed =
        run(guide.file_stem().unwrap().to_str().unwrap(), lab, steps.iter().map(|step| &*step.command))?;
    for (step, (code, said)) in steps.iter().zip(printed) {
        if code != step.code {
            return Err(format!("{}: ended with {code}: {said}", step.command));
        }
        if let Some(missing) = step.said.iter().find(|line| !plain(&said).contains(&plain(line))) {
            return Err(format!("{}: no {missing:?} in\n{said}", step.command));
        }
    }
    Ok(steps.len())
}

/// Runs commands one after another on a host, and gives the exit code and the text of each.
fn run<'c>(
    name: &str,
    lab: &str,
    commands: impl Iterator<Item = &'c str>,
) -> Result<Vec<(i32, String)>, String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).unwrap_or_default();
    fs::create_dir_all(&folder).unwrap();
    let mut script = format!("{LAB}\n{lab}\nset +e\n");
    let mut count = 0;
    for command in commands {
        script += &format!("{{\n{command}\n}} > {count}.out 2>&1\necho $? > {count}.code\n");
        count += 1;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_arpflux")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("unshare")
        .args(["--net", "bash", "-c", &script])
        .current_dir(&folder)
        .env("PATH", path)
        .env("ARPFLUX_STATE_DIR", folder.join("state"))
        .output()
        .unwrap();
    let mut printed = Vec::new();
    for number in 0..count {
        let read = |ending: &str| fs::read_to_string(folder.join(format!("{number}.{ending}")));
        let code = read("code").map_err(|_| format!("{output:?}"))?;
        printed.push((code.trim().parse().unwrap(), read("out").unwrap()));
    }
    fs::remove_dir_all(&folder).unwrap();
    Ok(printed)
}

/// The picture of the README: what these commands print on a host with two cards in one subnet.
const SHOWN: &[&str] = &[
    "arpflux explain",
    "arpflux recommend -o policy.toml > /dev/null",
    "arpflux plan policy.toml | tail -2",
    "arpflux apply policy.toml > /dev/null",
    "arpflux explain --all",
];

#[test]
fn the_picture_shows_what_the_command_prints() {
    let lab = "card enp1s0 192.168.1.10/24; card enp2s0 192.168.1.11/24";
    let printed = run("picture", lab, SHOWN.iter().copied()).unwrap();
    let mut lines: Vec<(String, &str)> = Vec::new();
    for (command, (_, said)) in SHOWN.iter().zip(printed) {
        let typed = command.split(['>', '|']).next().unwrap().trim_end();
        lines.push((format!("$ {typed}"), "#ffffff"));
        lines.extend(said.lines().map(|line| {
            let colour = match line {
                _ if line.contains("FLUX") || line.contains("several MACs on one wire: flux") => "#ff6b68",
                _ if line.ends_with(" ok") || line.starts_with("No address has") => "#5fd38d",
                _ => "#c8ccd4",
            };
            (line.to_owned(), colour)
        }));
        lines.push((String::new(), ""));
    }
    let height = 24 + lines.len() * 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"14\">\n<title>arpflux on a host with two cards in one subnet</title>\n<rect width=\"100%\" \
         height=\"100%\" rx=\"8\" fill=\"#1d2027\"/>\n"
    );
    for (place, (line, colour)) in lines.iter().enumerate().filter(|(_, (line, _))| !line.is_empty()) {
        let line = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let y = 30 + place * 20;
        svg += &format!("<text x=\"16\" y=\"{y}\" fill=\"{colour}\" xml:space=\"preserve\">{line}</text>\n");
    }
    svg += "</svg>\n";
    let path = docs().join("terminal.svg");
    if std::env::var_os("ARPFLUX_WRITE_TEXTS").is_some() {
        fs::write(&path, &svg).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), svg, "ARPFLUX_WRITE_TEXTS=1 draws it anew");
}

#[test]
fn guides_do_what_they_say() {
    let mut failed = Vec::new();
    let mut guides = 0;
    for entry in fs::read_dir(docs().join("guides")).unwrap() {
        let guide = entry.unwrap().path();
        guides += 1;
        match walk(&guide) {
            Ok(steps) => assert!(steps >= 4, "{}: {steps} steps", guide.display()),
            Err(error) => failed.push(format!("{}: {error}", guide.display())),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(guides >= 10, "{guides}");
}

#[test]
fn the_summary_has_every_document_and_every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = vec![root.join("README.md"), root.join("ARCHITECTURE.md"), root.join("CONTRIBUTING.md")];
    for folder in ["", "guides", "findings"] {
        let entries = fs::read_dir(docs().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let mut broken = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        // Where the text of a link ends, its target begins.
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            let outside = target.contains("://") || path.is_empty() || target.contains(char::is_whitespace);
            if !outside && !file.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
        let name = file.strip_prefix(docs()).map(|path| path.to_string_lossy().into_owned());
        let listed = |name: &str| summary.contains(&format!("]({name})"));
        match name {
            Ok(name) if name != "SUMMARY.md" && !name.starts_with("findings/AF") && !listed(&name) => {
                broken.push(format!("SUMMARY.md: {name} is not in it"));
            }
            _ => {}
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(files.len() > 40, "{}", files.len());
}
