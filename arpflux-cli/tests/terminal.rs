//! What is so on a terminal alone: the pager, colours, widths.

mod hosts;

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use unicode_width::UnicodeWidthStr as _;

/// A terminal with a folder of its own, in which `host.json` is a host with much to say.
struct Terminal {
    folder: PathBuf,
    size: (usize, usize),
    variables: Vec<(&'static str, &'static str)>,
}

impl Terminal {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("terminal-{name}"));
        std::fs::remove_dir_all(&folder).unwrap_or_default();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::rename(hosts::file("openvz"), folder.join("host.json")).unwrap();
        Self { folder, size: (80, 24), variables: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// What a command line shows on the terminal, and its exit code. Keys are typed once a word is there.
    fn types(&self, command: &str, keys: &[(&str, &str)]) -> (i32, String) {
        let (columns, lines) = self.size;
        let arpflux = env!("CARGO_BIN_EXE_arpflux");
        let line = format!(
            "trap true INT; stty cols {columns} rows {lines}; {arpflux} {command} --snapshot host.json; exit $?"
        );
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&self.folder);
        for name in ["COLUMNS", "NO_COLOR", "PAGER", "ARPFLUX_PAGER", "LESS"] {
            script.env_remove(name);
        }
        script.env("TERM", "xterm").env("SHELL", "/bin/sh").envs(self.variables.iter().copied());
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut shown, mut keys) = (Vec::new(), keys.iter().peekable());
        let mut some = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut some) {
            shown.extend_from_slice(&some[..count]);
            while let Some((_, keys)) =
                keys.next_if(|(word, _)| String::from_utf8_lossy(&shown).contains(word))
            {
                stdin.write_all(keys.as_bytes()).unwrap();
            }
        }
        assert_eq!(keys.next(), None, "{}", String::from_utf8_lossy(&shown));
        (child.wait().unwrap().code().unwrap(), String::from_utf8(shown).unwrap())
    }

    fn shows(&self, command: &str) -> (i32, String) {
        self.types(command, &[])
    }

    /// What the pager was given, if it was called.
    fn paged(&self) -> Option<String> {
        let file = self.folder.join("paged");
        let text = std::fs::read_to_string(&file).ok();
        let _ = std::fs::remove_file(file);
        text
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// Text without what sets colours and moves the cursor.
fn plain(text: &str) -> String {
    let mut pieces = text.split('\x1b');
    let first = pieces.next().unwrap().to_owned();
    first
        + &pieces
            .map(|piece| piece.trim_start_matches(|c: char| !c.is_alphabetic()).get(1..).unwrap_or(""))
            .collect::<String>()
}

#[test]
fn long_texts_go_to_the_pager_and_the_exit_code_is_the_verbs() {
    let terminal = Terminal::new("long").with("ARPFLUX_PAGER", "cat > paged").with("PAGER", "false");
    let (code, shown) = terminal.shows("diagnose -v");
    assert_eq!((code, &*shown), (1, ""));
    let paged = terminal.paged().expect("the pager was called");
    assert!(paged.lines().count() > 24 && paged.contains("\x1b["), "{paged}");
    let (code, shown) = terminal.shows("diagnose -v --no-pager");
    assert_eq!((code, shown.replace("\r\n", "\n")), (1, paged));
}

#[test]
fn the_pager_is_that_of_the_variables() {
    let terminal = Terminal::new("variables").with("PAGER", "cat > paged");
    assert_eq!(terminal.shows("diagnose -v").1, "");
    assert!(terminal.paged().is_some());
    for none in ["", "cat"] {
        let terminal = Terminal::new("none").with("PAGER", "cat > paged").with("ARPFLUX_PAGER", none);
        assert!(terminal.shows("diagnose -v").1.lines().count() > 24);
        assert_eq!(terminal.paged(), None, "{none:?}");
    }
}

#[test]
fn what_needs_no_pager_has_none() {
    let pager = "cat > paged";
    let mut terminal = Terminal::new("short").with("ARPFLUX_PAGER", pager);
    for short in ["explain", "diagnose -v --json"] {
        assert!(!terminal.shows(short).1.is_empty(), "{short}");
        assert_eq!(terminal.paged(), None, "{short}");
    }
    // One line less than what was short enough.
    terminal.size.1 = terminal.shows("explain").1.lines().count();
    assert_eq!(terminal.shows("explain").1, "");
    assert!(terminal.paged().is_some());
    terminal.size.1 += 1;
    assert_ne!(terminal.shows("explain").1, "");
    assert_eq!(terminal.paged(), None);
    let dumb = Terminal::new("dumb").with("ARPFLUX_PAGER", pager).with("TERM", "dumb");
    let (_, shown) = dumb.shows("diagnose -v");
    assert!(shown.lines().count() > 24 && !shown.contains('\x1b'), "{shown}");
    assert_eq!(dumb.paged(), None);
}

#[test]
fn a_pager_that_is_not_there_hides_nothing() {
    let terminal = Terminal::new("missing").with("ARPFLUX_PAGER", "no-such-pager -R");
    let (code, shown) = terminal.shows("diagnose -v");
    assert!(code == 1 && shown.lines().count() > 24, "{shown}");
}

#[test]
fn a_pager_may_end_early_and_an_interrupt_is_its_own() {
    let terminal = Terminal::new("early").with("ARPFLUX_PAGER", "head -1");
    let (code, shown) = terminal.shows("diagnose -v");
    assert_eq!((code, shown.lines().count()), (1, 1), "{shown}");
    // A pager that goes on after Ctrl-C, as less does.
    let goes_on = "trap 'echo interrupted' INT; cat > paged; echo ready; \
                   while ! read word </dev/tty; do :; done; echo read $word";
    let terminal = Terminal::new("interrupt").with("ARPFLUX_PAGER", goes_on);
    let (code, shown) = terminal.types("diagnose -v", &[("ready", "\x03"), ("interrupted", "end\n")]);
    assert!(code == 1 && shown.contains("read end"), "{code} {shown:?}");
}

#[test]
fn less_is_the_pager_where_none_is_named() {
    let terminal = Terminal::new("less");
    let (code, shown) = terminal.types("diagnose -v", &[("\x1b[K", "q")]);
    assert_eq!(code, 1, "{shown:?}");
    // A screen, and the prompt.
    assert!(plain(&shown).lines().count() <= 26, "{shown:?}");
}

#[test]
fn lines_fit_terminals_of_every_width() {
    let mut terminal = Terminal::new("widths").with("ARPFLUX_PAGER", "cat");
    for columns in [40, 60, 80, 100, 132, 200] {
        terminal.size.0 = columns;
        for command in ["explain", "explain --matrix", "explain 192.168.18.10", "diagnose", "diagnose -v"] {
            let (code, shown) = terminal.shows(command);
            assert_eq!(code, 1, "{shown}");
            for line in plain(&shown).lines() {
                // Commands to be copied and words longer than the terminal stay whole.
                let whole = line.starts_with("Next: ")
                    || line.starts_with("Why:  ")
                    || line.split_whitespace().any(|word| word.width() + 12 > columns);
                assert!(whole || line.width() <= columns, "{columns}: arpflux {command}: {line:?}");
            }
        }
    }
}

#[test]
fn colours_are_for_terminals_that_have_them() {
    for (name, value, colours) in
        [("TERM", "xterm", true), ("TERM", "dumb", false), ("NO_COLOR", "1", false), ("NO_COLOR", "", true)]
    {
        let terminal = Terminal::new("colours").with(name, value);
        let (_, shown) = terminal.shows("explain");
        assert_eq!(shown.contains('\x1b'), colours, "{name}={value}: {shown:?}");
        let (_, shown) = terminal.shows("explain --color always");
        assert!(shown.contains('\x1b'), "{shown:?}");
        let (_, shown) = terminal.shows("explain --color never");
        assert!(!shown.contains('\x1b'), "{shown:?}");
    }
}
