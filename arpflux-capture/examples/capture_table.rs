//! Prints what a capture shows, address by address:
//! `cargo run --release --example capture_table -- FILE`.

use std::fs::File;

use arpflux_capture::{Known, Limits, Source, Table};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let mut source = Source::new(File::open(&path)?)?;
        let mut table = Table::new(Limits::default());
        source.read_into(&mut table)?;
        for address in &table.report(&Known::default()).addresses {
            println!("{} {}", address.address, address.class.name());
            for mac in &address.macs {
                println!("  {} {} replies", mac.mac, mac.replies);
            }
            for sentence in &address.because {
                println!("  {sentence}");
            }
        }
    }
    Ok(())
}
