//! Who answered when, as a picture.

use std::fmt::Write as _;

use crate::report::{AddressReport, Class, Report};

/// Sizes in the picture's own units.
const LEFT: u32 = 300;
const WIDTH: u32 = 640;
const ROW: u32 = 18;
const GAP: u32 = 14;
const HEAD: u32 = 46;
/// Most addresses in a picture; the worst come first.
const MOST: usize = 100;
use crate::span::PARTS;

impl Report {
    /// A picture (SVG) with a row for each MAC of each address that has several, and where it claimed
    /// the address; of all addresses if none has several. The first 100, worst first.
    #[must_use]
    pub fn timeline(&self) -> String {
        let several: Vec<&AddressReport> =
            self.addresses.iter().filter(|address| address.macs.len() > 1).take(MOST).collect();
        let shown = if several.is_empty() { self.addresses.iter().take(MOST).collect() } else { several };
        let rows: u32 = shown.iter().map(|address| address.macs.len() as u32).sum();
        let height = HEAD + rows * ROW + shown.len() as u32 * GAP + 24;
        let used = self.parts_used();
        let mut svg = String::new();
        // Writing to a String does not fail.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" \
             font-family=\"ui-monospace,monospace\" font-size=\"12\">\n\
             <title>Which MAC claimed which address when</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
            LEFT + WIDTH + 20
        );
        self.axis(&mut svg, used, height);
        let mut y = HEAD;
        for address in &shown {
            draw(&mut svg, address, used, &mut y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// How many of the parts lie before the capture's end.
    fn parts_used(&self) -> u32 {
        ((self.length / self.part.max(1)) as u32 + 1).min(PARTS)
    }

    fn axis(&self, svg: &mut String, used: u32, height: u32) {
        let length = u64::from(used).saturating_mul(self.part);
        for tick in 0..=4u32 {
            let x = LEFT + WIDTH * tick / 4;
            let label = if self.clocked {
                duration(length / 4 * u64::from(tick))
            } else {
                String::from(if tick == 0 {
                    "first frame"
                } else if tick == 4 {
                    "last"
                } else {
                    ""
                })
            };
            let _ = write!(
                svg,
                "<line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\" stroke=\"#dddddd\"/>\n\
                 <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666666\">{label}</text>\n",
                HEAD - 12,
                height - 20,
                HEAD - 18,
            );
        }
    }
}

fn draw(svg: &mut String, address: &AddressReport, used: u32, y: &mut u32) {
    let fill = match address.class {
        class if class.is_bad() => "#c0392b",
        Class::Undetermined => "#d68910",
        _ => "#2471a3",
    };
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{}\" font-weight=\"bold\">{} <tspan fill=\"{fill}\">{}</tspan></text>",
        *y + 12,
        address.name(),
        address.class.name().replace('_', " "),
    );
    for (row, mac) in address.macs.iter().enumerate() {
        // The first row shares its line with the address only if there is room: there is not.
        let top = *y + if row == 0 { 0 } else { row as u32 * ROW };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 8,
            top + 26,
            mac.mac
        );
        for (first, last) in runs(mac.active) {
            let x =
                |part: u32| f64::from(LEFT) + f64::from(WIDTH) * f64::from(part.min(used)) / f64::from(used);
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"{fill}\"/>",
                x(first),
                top + 16,
                (x(last + 1) - x(first)).max(1.5),
                ROW - 6,
            );
        }
    }
    *y += address.macs.len() as u32 * ROW + GAP;
}

/// The runs of ones, lowest first, each with its first and last bit.
fn runs(mut active: u64) -> Vec<(u32, u32)> {
    let mut runs = Vec::new();
    while active != 0 {
        let first = active.trailing_zeros();
        let length = (active >> first).trailing_ones();
        runs.push((first, first + length - 1));
        active &= if first + length == PARTS { 0 } else { u64::MAX << (first + length) };
    }
    runs
}

/// Nanoseconds for people.
fn duration(nanoseconds: u64) -> String {
    match nanoseconds {
        0 => "0".into(),
        1..1_000_000 => format!("{} µs", nanoseconds / 1000),
        1_000_000..1_000_000_000 => format!("{:.3} ms", nanoseconds as f64 / 1e6),
        1_000_000_000..120_000_000_000 => format!("{:.3} s", nanoseconds as f64 / 1e9),
        _ => format!("{} min", nanoseconds / 60_000_000_000),
    }
}
