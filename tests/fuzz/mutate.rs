//! Input made from a corpus by small changes, the same for the same seed.

/// Numbers at which lengths and counts go wrong.
const NUMBERS: [u32; 16] =
    [0, 1, 2, 3, 4, 7, 8, 11, 12, 16, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// Words that text decoders look for.
const WORDS: [&str; 20] = [
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
];

pub struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
    input: Vec<u8>,
}

impl Mutator {
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, corpus, input: Vec::new() }
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
    pub fn next(&mut self) -> &[u8] {
        let seed = self.below(self.corpus.len());
        self.input.clear();
        self.input.extend_from_slice(&self.corpus[seed]);
        for _ in 0..=self.below(6) {
            self.change();
        }
        self.input.truncate(4096);
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
}
