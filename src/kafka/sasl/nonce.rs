//! Nonces out of one secret: as hard to guess as random ones, and the same for the same key, so that a history can be repeated.

use std::fmt;

use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;
use zeroize::Zeroizing;

/// Bytes that nobody can foresee, never used twice, by which a SCRAM client knows that an answer is to its own question.
pub type Nonce = [u8; NONCE_BYTES];

const NONCE_BYTES: usize = 32;

/// As many nonces as are wanted. `Debug` does not show the key; dropping it wipes it.
pub struct Nonces {
    key: Zeroizing<[u8; NONCE_BYTES]>,
    drawn: u64,
}

impl Nonces {
    /// `key` must be drawn from the operating system's random numbers, and used for nothing else.
    pub fn new(key: [u8; NONCE_BYTES]) -> Self {
        Self {
            key: Zeroizing::new(key),
            drawn: 0,
        }
    }

    /// One that was not drawn before: HMAC-SHA-256 of how many were.
    pub fn draw(&mut self) -> Nonce {
        let mut mac = Hmac::<Sha256>::new(self.key.as_slice());
        mac.update(self.drawn.to_be_bytes());
        self.drawn += 1;
        let mut nonce = Nonce::default();
        nonce.copy_from_slice(mac.finish().as_ref());
        nonce
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}
