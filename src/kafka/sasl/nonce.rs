//! SCRAM's nonces out of one secret: as hard to foresee as random ones, and the same for the same key, so that a history can
//! be repeated. Invariant: none is drawn twice.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;

/// As many nonces as are wanted. By its own a client knows that an answer is to its own question. `Debug` does not show the
/// key; dropping it wipes it.
pub struct Nonces {
    key: Zeroizing<[u8; KEY_BYTES]>,
    drawn: u64,
}

impl Nonces {
    /// `key` must be drawn from the operating system's random numbers, and used for nothing else.
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        Self {
            key: Zeroizing::new(key),
            drawn: 0,
        }
    }

    /// One that was not drawn before: HMAC-SHA-256 of how many were, as printable characters without a comma.
    pub(super) fn draw(&mut self) -> String {
        let mut mac = Hmac::<Sha256>::new(self.key.as_slice());
        mac.update(self.drawn.to_be_bytes());
        self.drawn += 1;
        STANDARD_NO_PAD.encode(mac.finish())
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}
