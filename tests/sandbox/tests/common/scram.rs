//! The client's side of SCRAM, by graviola: another implementation of the hashes than the sandbox's.

use base64::prelude::{BASE64_STANDARD, Engine};
use graviola::hashing::hmac::Hmac;
use graviola::hashing::{Hash, Sha256, Sha512};

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

/// What a client says first, for a user.
pub(crate) fn first(user: &str) -> String {
    format!("n,,n={user},r={NONCE}")
}

/// What it says then, and what the server must answer to prove itself.
pub(crate) fn last(
    mechanism: &str,
    user: &str,
    password: &str,
    server_first: &str,
) -> (String, String) {
    let prove = match mechanism {
        "SCRAM-SHA-256" => prove::<Sha256>,
        _ => prove::<Sha512>,
    };
    let mut attributes = server_first.split(',').map(|part| &part[2..]);
    let nonce = attributes.next().unwrap();
    let salt = BASE64_STANDARD.decode(attributes.next().unwrap()).unwrap();
    let iterations = attributes.next().unwrap().parse().unwrap();
    let without_proof = format!("c=biws,r={nonce}");
    let message = format!("n={user},r={NONCE},{server_first},{without_proof}");
    let (proof, signature) = prove(password, &salt, iterations, &message);
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    (
        format!("{without_proof},p={}", encode(&proof)),
        format!("v={}", encode(&signature)),
    )
}

/// Whether the server's first message goes on with our nonce.
pub(crate) fn extends_ours(server_first: &str) -> bool {
    let nonce = server_first.strip_prefix("r=").unwrap();
    nonce.starts_with(NONCE) && !nonce.starts_with(&format!("{NONCE},"))
}

fn prove<H: Hash>(
    password: &str,
    salt: &[u8],
    iterations: u32,
    message: &str,
) -> (Vec<u8>, Vec<u8>) {
    let mut last = mac::<H>(password.as_bytes(), &[salt, &[0, 0, 0, 1]].concat());
    let mut salted = last.clone();
    for _ in 1..iterations {
        last = mac::<H>(password.as_bytes(), &last);
        salted = exclusive_or(&salted, &last);
    }
    let client_key = mac::<H>(&salted, b"Client Key");
    let stored_key = H::hash(&client_key);
    let client_signature = mac::<H>(stored_key.as_ref(), message.as_bytes());
    let server_key = mac::<H>(&salted, b"Server Key");
    (
        exclusive_or(&client_key, &client_signature),
        mac::<H>(&server_key, message.as_bytes()),
    )
}

fn mac<H: Hash>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<H>::new(key);
    mac.update(message);
    mac.finish().as_ref().to_vec()
}

fn exclusive_or(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(a, b)| a ^ b).collect()
}
