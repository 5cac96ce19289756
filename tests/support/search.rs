//! Looks for secrets in what was printed, however they were written: as they are, escaped, in pieces, percent-encoded, as
//! numbers, in base64 behind anything.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use sandbox::certificates;

use super::secured::{CLIENT_SECRET, PASSWORD, REGISTRY_PASSWORD, WRONG};

/// What must not be found: what it is, and how it may be written.
pub(crate) struct Search(Vec<(String, String)>);

impl Search {
    /// For every password and the key of every client certificate.
    pub(crate) fn new() -> Self {
        let mut search = Self(Vec::new());
        for secret in [PASSWORD, REGISTRY_PASSWORD, CLIENT_SECRET, WRONG] {
            search.add(secret);
            for piece in secret.split(|c: char| !c.is_alphanumeric()) {
                // What is no word stands nowhere else.
                if piece.contains(|c: char| c.is_ascii_digit()) {
                    search.put(secret, piece);
                }
            }
        }
        for key in [
            certificates::client_key(),
            certificates::client_key_sec1(),
            certificates::client_rsa_key(),
            certificates::client_rsa_key_pkcs1(),
            certificates::client_key_encrypted(),
        ] {
            let text = str::from_utf8(key.bytes()).unwrap();
            for line in text.lines().filter(|line| !line.starts_with("-----")) {
                search.put("a key", line);
            }
        }
        search
    }

    /// For one more, such as a token.
    pub(crate) fn add(&mut self, secret: &str) {
        let encoded = percent_encoded(secret);
        self.put(secret, secret);
        self.put(secret, &format!("{secret:?}").replace('"', ""));
        self.put(secret, &secret.escape_debug().to_string());
        self.put(
            secret,
            serde_json::to_string(secret).unwrap().trim_matches('"'),
        );
        self.put(secret, &encoded);
        self.put(secret, &encoded.to_lowercase());
        self.put(secret, &encoded.replace("%20", "+"));
        self.put(secret, &hexadecimal(secret));
        self.put(
            secret,
            format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']),
        );
        for text in [secret, &encoded, &encoded.replace("%20", "+")] {
            for needle in in_base64(text) {
                self.put(secret, &needle);
            }
        }
    }

    fn put(&mut self, secret: &str, needle: &str) {
        self.0.push((secret.to_owned(), needle.to_owned()));
    }

    /// What was found: the secret, and as what.
    pub(crate) fn found_in(&self, text: &str) -> Option<&(String, String)> {
        self.0.iter().find(|(_, needle)| text.contains(needle))
    }

    #[track_caller]
    pub(crate) fn expect_nothing_in(&self, what: &str, text: &str) {
        if let Some((secret, needle)) = self.found_in(text) {
            panic!("{what}: {secret} is there as {needle:?}:\n{text}");
        }
    }
}

/// What of a text's base64 does not depend on what stands before and after it, for each place in a group of three bytes.
fn in_base64(text: &str) -> Vec<String> {
    let mut needles = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(text.as_bytes());
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for alphabet in [BASE64_STANDARD, BASE64_URL_SAFE] {
            needles.push(alphabet.encode(&bytes)[from..to].to_owned());
        }
    }
    needles
}

/// RFC 3986.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
