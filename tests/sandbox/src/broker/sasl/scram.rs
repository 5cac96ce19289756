//! SCRAM's server side (RFC 5802, RFC 7677), as Kafka's `ScramSaslServer` does it, by the `RustCrypto` crates.
//!
//! An unknown user is refused at once, as Kafka does. Keys are derived only once a client has answered the challenge: a
//! client that turns an absurd number of iterations down costs nothing. Lies are told here.

use std::hash::{BuildHasher, Hasher, RandomState};

use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::exchange::{Done, Known, OTHER_AUTHORIZATION_ID, Step};
use crate::security::ScramLie;

/// What Kafka's tools store, and the least that it takes.
const ITERATIONS: u32 = 4096;
/// The same for all: nothing here is stored.
const SALT: &[u8] = b"sandbox salt";

/// An exchange.
pub(crate) struct Scram {
    hash: Hash,
    challenged: Option<Challenged>,
}

/// What a salted password is derived from; deriving it takes long enough to be done but once.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SaltedOf {
    hash: Hash,
    password: String,
    iterations: u32,
}

/// Which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

/// What was said so far.
struct Challenged {
    user: String,
    gs2_header: String,
    client_first_bare: String,
    server_first: String,
    nonce: String,
    iterations: u32,
}

impl Scram {
    pub(crate) fn new(hash: Hash) -> Self {
        Self {
            hash,
            challenged: None,
        }
    }

    pub(crate) fn step(&mut self, bytes: &[u8], known: &Known<'_>) -> Step {
        let Ok(message) = str::from_utf8(bytes) else {
            return Step::Malformed("a SCRAM message that is not UTF-8");
        };
        match self.challenged.take() {
            None => self.challenge(message, known),
            Some(challenged) => self.judge(&challenged, message, known),
        }
    }

    fn challenge(&mut self, client_first: &str, known: &Known<'_>) -> Step {
        let Some(first) = ClientFirst::parse(client_first) else {
            return Step::Malformed("a malformed client-first-message");
        };
        if first
            .authorization
            .as_ref()
            .is_some_and(|id| *id != first.user)
        {
            return Step::Refused(OTHER_AUTHORIZATION_ID.to_owned());
        }
        if known.password(&first.user).is_none() {
            return Step::Invalid;
        }
        let iterations = match known.scram_lie() {
            Some(ScramLie::Iterations(iterations)) => iterations,
            _ => ITERATIONS,
        };
        let ours = random_text();
        let nonce = match known.scram_lie() {
            Some(ScramLie::ForeignNonce) => ours + &random_text(),
            _ => first.nonce.to_owned() + &ours,
        };
        let salt = BASE64_STANDARD.encode(SALT);
        let server_first = format!("r={nonce},s={salt},i={iterations}");
        let challenge = server_first.clone().into_bytes();
        self.challenged = Some(Challenged {
            user: first.user,
            gs2_header: first.gs2_header.to_owned(),
            client_first_bare: first.bare.to_owned(),
            server_first,
            nonce,
            iterations,
        });
        Step::Challenge(challenge)
    }

    fn judge(&self, challenged: &Challenged, client_final: &str, known: &Known<'_>) -> Step {
        let Some((without_proof, proof)) = client_final.rsplit_once(",p=") else {
            return Step::Malformed("a client-final-message without a proof");
        };
        let Some((binding, nonce)) = without_proof.split_once(",r=") else {
            return Step::Malformed("a client-final-message without a nonce");
        };
        if binding != format!("c={}", BASE64_STANDARD.encode(&challenged.gs2_header)) {
            return Step::Malformed("a client-final-message with another channel binding");
        }
        // Kafka takes any nonce with the right end before 3.7.2 (CVE-2024-56128), and so librdkafka before 2.6.1 could err.
        if nonce != challenged.nonce {
            return Step::Malformed("a client-final-message with another nonce");
        }
        let Ok(proof) = BASE64_STANDARD.decode(proof) else {
            return Step::Malformed("a proof that is not base64");
        };
        let Some(password) = known.password(&challenged.user) else {
            return Step::Invalid;
        };
        let message = format!(
            "{},{},{without_proof}",
            challenged.client_first_bare, challenged.server_first
        );
        let (derive, verify): (fn(&_) -> _, fn(&_, &_, &_) -> _) = match self.hash {
            Hash::Sha256 => (salted::<Sha256>, signature_if_proven::<Sha256>),
            Hash::Sha512 => (salted::<Sha512>, signature_if_proven::<Sha512>),
        };
        let source = SaltedOf {
            hash: self.hash,
            password,
            iterations: challenged.iterations,
        };
        let salted = known.salted(source, derive);
        let Some(mut signature) = verify(&salted, &message, &proof) else {
            return Step::Invalid;
        };
        if known.scram_lie() == Some(ScramLie::WrongSignature)
            && let Some(first) = signature.first_mut()
        {
            *first ^= 1;
        }
        Step::Done(Done {
            last: format!("v={}", BASE64_STANDARD.encode(signature)).into_bytes(),
            ..Done::new(&challenged.user)
        })
    }
}

/// The first message: `gs2-header n=user,r=nonce[,extensions]`.
struct ClientFirst<'a> {
    gs2_header: &'a str,
    bare: &'a str,
    authorization: Option<String>,
    user: String,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    fn parse(message: &'a str) -> Option<Self> {
        // Kafka has no channel binding, so neither `y` nor `p=…`.
        let (authorization, bare) = message.strip_prefix("n,")?.split_once(',')?;
        let gs2_header = message.get(..message.len() - bare.len())?;
        let authorization = match authorization {
            "" => None,
            id => Some(sasl_name(id.strip_prefix("a=")?)?),
        };
        let mut attributes = bare.split(',');
        let user = sasl_name(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let printable = |nonce: &str| nonce.bytes().all(|byte| byte.is_ascii_graphic());
        (!nonce.is_empty() && printable(nonce)).then_some(Self {
            gs2_header,
            bare,
            authorization,
            user,
            nonce,
        })
    }
}

/// A name in which `=2C` is a comma, `=3D` an equals sign, and neither stands for itself.
pub(crate) fn sasl_name(text: &str) -> Option<String> {
    let escapes = text.matches("=2C").count() + text.matches("=3D").count();
    let sound = !text.is_empty() && text.matches('=').count() == escapes;
    sound.then(|| text.replace("=2C", ",").replace("=3D", "="))
}

/// The salted password, which all keys are derived from.
fn salted<D: EagerHash + Digest>(of: &SaltedOf) -> Vec<u8> {
    let mut salted = vec![0; <D as Digest>::output_size()];
    pbkdf2::pbkdf2_hmac::<D>(of.password.as_bytes(), SALT, of.iterations, &mut salted);
    salted
}

/// The server's signature, if the client has proven that it knows the password.
fn signature_if_proven<D: EagerHash + Digest>(
    salted: &[u8],
    message: &str,
    proof: &[u8],
) -> Option<Vec<u8>> {
    let client_key = mac::<D>(salted, "Client Key")?;
    let client_signature = mac::<D>(&D::digest(&client_key), message)?;
    let pairs = client_key.iter().zip(&client_signature);
    let expected: Vec<u8> = pairs.map(|(key, signature)| key ^ signature).collect();
    if expected != proof {
        return None;
    }
    mac::<D>(&mac::<D>(salted, "Server Key")?, message)
}

fn mac<D: EagerHash>(key: &[u8], message: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<D>::new_from_slice(key).ok()?;
    mac.update(message.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// 16 digits that nobody can foretell well enough to matter here.
fn random_text() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_escapes_comma_and_equals_sign_and_nothing_else() {
        assert_eq!(sasl_name("a=2Cb=3Dc").as_deref(), Some("a,b=c"));
        for bad in ["", "a=b", "a=2c"] {
            assert_eq!(sasl_name(bad), None, "{bad}");
        }
    }
}
