//! Virtual time.

/// Microseconds since the history began.
pub(crate) type Micros = u64;

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000 * MS;
pub(crate) const MINUTE: Micros = 60 * SECOND;
