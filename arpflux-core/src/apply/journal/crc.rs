//! CRC-32 as in IEEE 802.3 (reflected, polynomial 0xedb88320), eight bytes a step.

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut value = i as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        tables[0][i] = value;
        i += 1;
    }
    let mut i = 0;
    while i < 256 {
        let mut k = 1;
        while k < 8 {
            let previous = tables[k - 1][i];
            tables[k][i] = (previous >> 8) ^ tables[0][(previous & 0xff) as usize];
            k += 1;
        }
        i += 1;
    }
    tables
}

/// A checksum that grows with what it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crc(u32);

impl Crc {
    /// Of nothing.
    pub(crate) const fn new() -> Self {
        Self(!0)
    }

    /// Takes in more.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut value = self.0;
        let (steps, rest) = bytes.as_chunks::<8>();
        for step in steps {
            let [a, b, c, d, e, f, g, h] = *step;
            let low = value ^ u32::from_le_bytes([a, b, c, d]);
            value = TABLES[7][(low & 0xff) as usize]
                ^ TABLES[6][(low >> 8 & 0xff) as usize]
                ^ TABLES[5][(low >> 16 & 0xff) as usize]
                ^ TABLES[4][(low >> 24) as usize]
                ^ TABLES[3][usize::from(e)]
                ^ TABLES[2][usize::from(f)]
                ^ TABLES[1][usize::from(g)]
                ^ TABLES[0][usize::from(h)];
        }
        for byte in rest {
            value = (value >> 8) ^ TABLES[0][usize::from(*byte) ^ (value & 0xff) as usize];
        }
        self.0 = value;
    }

    /// The checksum of everything seen.
    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Crc;

    #[test]
    fn check_value_of_the_standard() {
        for cut in 0..=9 {
            let mut crc = Crc::new();
            let (head, tail) = b"123456789".split_at(cut);
            crc.update(head);
            crc.update(tail);
            assert_eq!(crc.value(), 0xcbf4_3926);
        }
        let mut long = Crc::new();
        long.update(&[0x41; 1000]);
        let mut short = Crc::new();
        for _ in 0..1000 {
            short.update(b"A");
        }
        assert_eq!(long, short);
    }
}
