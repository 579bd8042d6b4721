//! A deterministic mutational fuzzer: input made from a corpus by small changes, the same for the same seed.
//!
//! `ARPFLUX_FUZZ` sets the executions of each target, `ARPFLUX_FUZZ_SEED` the seed; a failure prints the input in
//! hexadecimal. Targets outside of this crate use this file as well. For millions of executions, which say how far they
//! are (`--nocapture`), build with `--release` and `CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true`.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Numbers at which lengths and counts go wrong.
const NUMBERS: [u32; 16] =
    [0, 1, 2, 3, 4, 7, 8, 11, 12, 16, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// Words that text decoders look for.
const WORDS: [&str; 40] = [
    " who-has ",
    " tell ",
    " is-at ",
    " > ",
    "vlan ",
    "ttl ",
    "Announcement ",
    "Probe ",
    "10.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "02:00:00:00:00:01",
    "Broadcast",
    "23:59:59.999999",
    "2026-12-31",
    "99999999999.9",
    "\n",
    "(",
    " is ",
    " at ",
    "null",
    "true",
    "-1",
    "33",
    "256",
    "2147483648",
    "4294967296",
    "18446744073709551616",
    "1e400",
    "[]",
    "{}",
    "\"\"",
    "\"eth0\"",
    "\"absent\"",
    "\"10.0.0.0/33\"",
    "\"fe80::1\"",
    "\"\\u0000\"",
    "\"../..\"",
    ",",
    "]",
];

/// The number that a variable of the environment has.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// What changes in an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// Anything.
    Bytes,
    /// Of JSON and the like mostly numbers and strings: other changes rarely leave a text that anybody reads.
    Values,
}

/// Runs a target, which says how much of an input it understood: each input of the corpus is, and of the mutated ones
/// one of `one_of` at least, so that a target that refuses everything is noticed.
pub fn run(
    name: &str,
    corpus: Vec<Vec<u8>>,
    inputs: Inputs,
    executions: u64,
    one_of: u64,
    target: impl Fn(&[u8]) -> u64,
) {
    for (i, seed) in corpus.iter().enumerate() {
        assert!(target(seed) > 0, "seed {i} of {name} is not understood");
    }
    let executions = setting("ARPFLUX_FUZZ", executions);
    let mut mutator = Mutator::new(setting("ARPFLUX_FUZZ_SEED", 1), corpus, inputs);
    let mut understood = 0_u64;
    for execution in 0..executions {
        if execution % 100_000 == 0 && execution > 0 {
            println!("{name}: {execution} executions, {understood} understood so far");
        }
        let input = mutator.next();
        match catch_unwind(AssertUnwindSafe(|| target(input))) {
            Ok(found) => understood += u64::from(found > 0),
            Err(_) => {
                let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
                panic!("{name}: execution {execution} failed on {hex}");
            }
        }
    }
    println!("{name}: {executions} executions, {understood} understood");
    assert!(understood > executions / one_of, "{name}: only {understood} of {executions} understood");
}

struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
    inputs: Inputs,
    input: Vec<u8>,
}

impl Mutator {
    fn new(seed: u64, corpus: Vec<Vec<u8>>, inputs: Inputs) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, corpus, inputs, input: Vec::new() }
    }

    /// xorshift64*.
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.random() as usize % limit }
    }

    /// The next input.
    fn next(&mut self) -> &[u8] {
        let seed = self.below(self.corpus.len());
        self.input.clear();
        self.input.extend_from_slice(&self.corpus[seed]);
        let values = self.inputs == Inputs::Values && self.below(8) > 0;
        for _ in 0..=self.below(if values { 3 } else { 6 }) {
            if values { self.change_value() } else { self.change() }
        }
        self.input.truncate(16_384);
        &self.input
    }

    fn change(&mut self) {
        let length = self.input.len();
        let at = self.below(length);
        match self.below(9) {
            0 if length > 0 => self.input[at] ^= 1 << self.below(8),
            1 if length > 0 => self.input[at] = self.random() as u8,
            2 | 3 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                let bytes = if self.below(2) == 0 { number.to_be_bytes() } else { number.to_le_bytes() };
                let width = [1, 2, 4][self.below(3)];
                for (to, from) in self.input.iter_mut().skip(at).zip(&bytes[..width]) {
                    *to = *from;
                }
            }
            4 => self.input.truncate(at),
            5 => {
                let end = (at + self.below(32)).min(length);
                self.input.drain(at..end);
            }
            6 => {
                let end = (at + self.below(64)).min(length);
                let piece = self.input[at..end].to_vec();
                let to = self.below(length + 1);
                self.input.splice(to..to, piece);
            }
            7 => {
                let other = self.below(self.corpus.len());
                let from = self.below(self.corpus[other].len());
                let end = (from + self.below(128)).min(self.corpus[other].len());
                let piece = self.corpus[other][from..end].to_vec();
                self.input.splice(at..at, piece);
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                self.input.splice(at..at, word.bytes());
            }
        }
    }

    /// Puts another number or string in the place of one: any of the corpus, or one at which things go wrong.
    fn change_value(&mut self) {
        let Some(here) = self.value_in(None) else { return };
        let other = if self.below(2) == 0 {
            WORDS[self.below(WORDS.len())].as_bytes().to_vec()
        } else {
            let seed = self.below(self.corpus.len());
            match self.value_in(Some(seed)) {
                Some(there) => self.corpus[seed][there].to_vec(),
                None => return,
            }
        };
        self.input.splice(here, other);
    }

    /// A number or quoted string at random, of the input or of one of the corpus; rarely one that names a value.
    fn value_in(&mut self, seed: Option<usize>) -> Option<std::ops::Range<usize>> {
        for _ in 0..16 {
            let length = seed.map_or(self.input.len(), |seed| self.corpus[seed].len());
            let (from, names) = (self.below(length), self.below(16) == 0);
            let text = seed.map_or(&self.input, |seed| &self.corpus[seed]);
            // A quotation mark may be the one at the end: then it is a comma or the like that is quoted.
            let Some(at) = text[from..].iter().position(|byte| *byte == b'"' || byte.is_ascii_digit()) else {
                continue;
            };
            let at = from + at;
            let end = at
                + match text[at] {
                    b'"' => text[at + 1..].iter().position(|byte| *byte == b'"')? + 2,
                    _ => text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
                };
            let is_name = matches!(text.get(end), Some(b':'))
                || text[at..end].contains(&b':') && text[at] == b'"' && text[at + 1] == b':';
            if names || !is_name {
                return Some(at..end);
            }
        }
        None
    }
}
