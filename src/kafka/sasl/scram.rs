//! SCRAM (RFC 5802, with SHA-256 by RFC 7677, and with SHA-512 as Kafka has it): both sides prove that they know the
//! password, and neither says it.
//!
//! ```text
//!  n,,n=USER,r=OURS ──▶   ◀── r=OURS+THEIRS,s=SALT,i=ITERATIONS
//!  c=biws,r=OURS+THEIRS,p=PROOF ──▶   ◀── v=SIGNATURE
//! ```
//!
//! Invariant: the server's nonce extends ours, its iterations are within bounds, and its signature is right before the
//! exchange is done; it is compared in constant time. Never binds the exchange to a TLS channel: Kafka has no mechanism for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use graviola::hashing::hmac::Hmac;
use graviola::hashing::{Hash, HashOutput, Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::{Message, SaslError, Step};
use crate::kafka::config::{Login, ScramHash, check_scram_text};
use crate::secret::Secret;

/// Fewer make a stolen proof cheap to guess from (RFC 7677, section 4).
const ITERATIONS_MIN: u32 = 4096;
/// So many keep the thread busy for 0.3 s (SHA-256) or 0.7 s (SHA-512) an exchange, the usual 4,096 for 2 or 5 ms (measured
/// on an AMD EPYC): too little to keep salted passwords in memory for it.
const ITERATIONS_MAX: u32 = 1_000_000;
/// No channel binding, no authorization identity.
const GS2_HEADER: &str = "n,,";
/// [`GS2_HEADER`] in base64.
const GS2_HEADER_BASE64: &str = "biws";

/// An exchange that waits for the server.
pub(super) enum Scram {
    /// For salt and iterations.
    Salt {
        hash: ScramHash,
        password: Secret,
        nonce: String,
        /// Our first message without its header, which is part of what is signed.
        first_bare: String,
    },
    /// For the signature, which is to be this one.
    Signature(HashOutput),
}

impl Scram {
    /// Begins with a nonce of printable characters.
    pub(super) fn begin(
        hash: ScramHash,
        login: &Login,
        nonce: &str,
    ) -> Result<(Self, Message), SaslError> {
        check_text("user name", &login.user)?;
        check_text("password", login.password.expose())?;
        let user = login.user.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={user},r={nonce}");
        let message = Message::new(format!("{GS2_HEADER}{first_bare}").into_bytes());
        let scram = Self::Salt {
            hash,
            password: login.password.clone(),
            nonce: nonce.to_owned(),
            first_bare,
        };
        Ok((scram, message))
    }

    pub(super) fn step(&mut self, challenge: &[u8]) -> Result<Step, SaslError> {
        let text = std::str::from_utf8(challenge).map_err(|_| distrusted("it is not UTF-8"))?;
        match self {
            Self::Signature(expected) => {
                let signature = signature_of(text)?;
                // In constant time.
                if !expected.ct_equal(&signature) {
                    let what = "its signature is wrong, so that it does not know the password";
                    return Err(distrusted(what));
                }
                Ok(Step::Done)
            }
            Self::Salt {
                hash,
                password,
                nonce,
                first_bare,
            } => {
                let first = ServerFirst::parse(text, nonce)?;
                let without_proof = format!("c={GS2_HEADER_BASE64},r={}", first.nonce);
                let signed = format!("{first_bare},{text},{without_proof}");
                let prove = match hash {
                    ScramHash::Sha256 => prove::<Sha256>,
                    ScramHash::Sha512 => prove::<Sha512>,
                };
                let (proof, signature) = prove(password.expose(), &first, &signed);
                *self = Self::Signature(signature);
                let message = format!("{without_proof},p={}", STANDARD.encode(&*proof));
                Ok(Step::Send(Message::new(message.into_bytes())))
            }
        }
    }
}

fn check_text(name: &str, text: &str) -> Result<(), SaslError> {
    check_scram_text(text).map_err(|why| SaslError::Unusable(format!("the {name} {why}")))
}

/// The server's first message (RFC 5802, section 7), each part checked.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn parse(text: &'a str, ours: &str) -> Result<Self, SaslError> {
        let mut attributes = attributes(text);
        let nonce = match attributes.next() {
            Some(('m', _)) => {
                return Err(distrusted(
                    "it demands an extension that SCRAM does not have yet",
                ));
            }
            Some(('e', words)) => return Err(SaslError::Refused(words.to_owned())),
            Some(('r', nonce)) => nonce,
            _ => return Err(distrusted("it sent no nonce")),
        };
        let theirs = nonce.strip_prefix(ours);
        if theirs.is_none_or(|theirs| theirs.is_empty() || !theirs.bytes().all(is_nonce)) {
            return Err(distrusted("its nonce does not extend ours"));
        }
        let Some(('s', salt)) = attributes.next() else {
            return Err(distrusted("it sent no salt"));
        };
        let salt = STANDARD
            .decode(salt)
            .map_err(|_| distrusted("its salt is not base64"))?;
        if salt.is_empty() {
            return Err(distrusted("its salt is empty"));
        }
        let Some(('i', iterations)) = attributes.next() else {
            return Err(distrusted("it sent no number of iterations"));
        };
        let iterations = number(iterations)
            .ok_or_else(|| distrusted("its number of iterations is not a number"))?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(SaslError::Distrusted(format!(
                "it wants {iterations} iterations, and {ITERATIONS_MIN} to {ITERATIONS_MAX} are accepted"
            )));
        }
        all_optional(attributes)?;
        Ok(Self {
            nonce,
            salt,
            iterations,
        })
    }
}

/// The signature in the server's last message.
fn signature_of(text: &str) -> Result<Vec<u8>, SaslError> {
    let mut attributes = attributes(text);
    let signature = match attributes.next() {
        Some(('e', words)) => return Err(SaslError::Refused(words.to_owned())),
        Some(('v', signature)) => signature,
        _ => return Err(distrusted("it sent no signature")),
    };
    all_optional(attributes)?;
    STANDARD
        .decode(signature)
        .map_err(|_| distrusted("its signature is not base64"))
}

/// `a=value,b=value`: each with its letter. What is malformed has the letter NUL.
fn attributes(text: &str) -> impl Iterator<Item = (char, &str)> {
    text.split(',').map(|attribute| {
        let mut chars = attribute.chars();
        match (chars.next(), chars.next()) {
            (Some(letter), Some('=')) if letter.is_ascii_alphabetic() => (letter, chars.as_str()),
            _ => ('\0', ""),
        }
    })
}

/// Whatever follows what we know must at least be well-formed (`extensions` in RFC 5802).
fn all_optional<'a>(mut rest: impl Iterator<Item = (char, &'a str)>) -> Result<(), SaslError> {
    if rest.all(|(letter, _)| letter != '\0' && letter != 'm') {
        Ok(())
    } else {
        Err(distrusted("it sent something that is no attribute"))
    }
}

/// `printable` in RFC 5802: visible, and no comma.
fn is_nonce(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b','
}

/// `posit-number`: digits, the first not zero.
fn number(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_number)
}

fn distrusted(what: &str) -> SaslError {
    SaslError::Distrusted(what.to_owned())
}

/// The client's proof, and the signature by which the server is to answer (RFC 5802, section 3).
fn prove<H: Hash + Clone>(
    password: &str,
    first: &ServerFirst<'_>,
    signed: &str,
) -> (Zeroizing<Vec<u8>>, HashOutput) {
    let mut salted = salted::<H>(password, &first.salt, first.iterations);
    let mut client_key = hmac::<H>(salted.as_ref(), b"Client Key");
    let mut stored_key = H::hash(client_key.as_ref());
    let client_signature = hmac::<H>(stored_key.as_ref(), signed.as_bytes());
    let proof = client_key.as_ref().iter().zip(client_signature.as_ref());
    let proof = Zeroizing::new(proof.map(|(key, signature)| key ^ signature).collect());
    let mut server_key = hmac::<H>(salted.as_ref(), b"Server Key");
    let server_signature = hmac::<H>(server_key.as_ref(), signed.as_bytes());
    for secret in [
        &mut salted,
        &mut client_key,
        &mut stored_key,
        &mut server_key,
    ] {
        secret.as_mut().zeroize();
    }
    (proof, server_signature)
}

/// `Hi` of RFC 5802: PBKDF2 with HMAC, one block long.
fn salted<H: Hash + Clone>(password: &str, salt: &[u8], iterations: u32) -> HashOutput {
    let keyed = Hmac::<H>::new(password);
    let mut mac = keyed.clone();
    mac.update(salt);
    mac.update(1_u32.to_be_bytes());
    let mut last = mac.finish();
    let mut sum = last.clone();
    for _ in 1..iterations {
        let mut mac = keyed.clone();
        mac.update(&last);
        last = mac.finish();
        for (sum, byte) in sum.as_mut().iter_mut().zip(last.as_ref()) {
            *sum ^= byte;
        }
    }
    last.as_mut().zeroize();
    sum
}

fn hmac<H: Hash>(key: &[u8], message: &[u8]) -> HashOutput {
    let mut mac = Hmac::<H>::new(key);
    mac.update(message);
    mac.finish()
}
