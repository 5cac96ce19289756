//! What a client sends: bytes that are not to be seen.

use std::fmt;

use zeroize::Zeroizing;

use crate::secret::HIDDEN;

/// One message to the server. `Debug` shows nothing of it; dropping it wipes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Zeroizing<Vec<u8>>);

impl Message {
    /// Takes charge of `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves, for the one place that has to send them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
