//! What tells one state, or one policy, from another without keeping either.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write;

use foldhash::quality::{FixedState, FoldHasher};
use serde::Serialize;

/// Equal for equal values.
pub(super) fn digest(value: &impl Serialize) -> u64 {
    struct To(FoldHasher<'static>);
    impl Write for To {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hashed = To(FixedState::default().build_hasher());
    // Nothing is refused: policies and snapshots are written as JSON elsewhere, and the hasher takes all.
    let _ = serde_json::to_writer(&mut hashed, value);
    hashed.0.finish()
}
