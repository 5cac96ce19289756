//! The broker's side of an authentication. As strict as Kafka's: whoever asks for something out of turn, or after the session
//! has expired, fails the test.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use graviola::hashing::hmac::Hmac;
use graviola::hashing::{Hash, Sha256, Sha512};
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use crate::kafka::client::ConnectionId;
use crate::kafka::client::tests::broker::Asked;

const USER: &str = "a-user";
const SALT: &[u8] = b"salt";
/// A broker takes no handshake sooner after the one before.
const HANDSHAKE_INTERVAL: Duration = Duration::from_secs(1);

/// How a connection stands.
#[derive(Debug, Clone)]
enum Standing {
    Announced(String),
    /// SCRAM: what was said, without the proof.
    Challenged(String, String),
    /// OAUTHBEARER: it was refused, and is to end it.
    Refused,
    Authenticated,
}

/// See the module. Its user is `a-user`.
pub(in crate::kafka::client::tests) struct SaslServer {
    pub(super) enabled: Vec<&'static str>,
    /// The password, or the token.
    pub(super) secret: String,
    pub(super) lifetime_ms: i64,
    /// Whether it only pretends to know the password.
    pub(super) is_forged: bool,
    /// When exchanges ended in success.
    pub(super) authenticated: Vec<(ConnectionId, Instant)>,
    /// SCRAM's, as they came.
    pub(super) nonces: Vec<String>,
    standing: BTreeMap<ConnectionId, Standing>,
    handshakes: BTreeMap<ConnectionId, Instant>,
    now: Option<Instant>,
}

impl SaslServer {
    pub(super) fn new(mechanism: &'static str, secret: &str) -> Self {
        Self {
            enabled: vec![mechanism],
            secret: secret.to_owned(),
            lifetime_ms: 0,
            is_forged: false,
            authenticated: Vec::new(),
            nonces: Vec::new(),
            standing: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            now: None,
        }
    }

    /// A request has come: is it its turn?
    pub(in crate::kafka::client::tests) fn receive(&mut self, asked: &Asked, now: Instant) {
        self.now = Some(now);
        let (connection, api) = (asked.connection, asked.api);
        let standing = self.standing.get(&connection);
        let in_turn = match api {
            ApiKey::ApiVersions => standing.is_none(),
            ApiKey::SaslHandshake => {
                let before = self.handshakes.insert(connection, now);
                assert!(
                    before.is_none_or(|before| now >= before + HANDSHAKE_INTERVAL),
                    "a handshake too soon"
                );
                matches!(standing, None | Some(Standing::Authenticated))
            }
            ApiKey::SaslAuthenticate => !matches!(standing, None | Some(Standing::Authenticated)),
            _ => matches!(standing, Some(Standing::Authenticated)),
        };
        assert!(in_turn, "{api:?} out of turn: {standing:?}");
        let until = self.expires_at(connection);
        let is_in_time = until.is_none_or(|until| now < until);
        assert!(is_in_time, "{api:?} after the session has expired");
    }

    /// When the session ends. One that is too short to be renewed is not ended.
    fn expires_at(&self, connection: ConnectionId) -> Option<Instant> {
        let lifetime = u64::try_from(self.lifetime_ms).ok()?;
        let mut ended = self.authenticated.iter().rev();
        let (_, since) = ended.find(|(on, _)| *on == connection)?;
        let expires_at = since.checked_add(Duration::from_millis(lifetime))?;
        (lifetime > 1200).then_some(expires_at)
    }

    pub(in crate::kafka::client::tests) fn answer(&mut self, asked: &Asked) -> Vec<u8> {
        let mut body = asked.body.clone();
        if asked.api == ApiKey::SaslHandshake {
            let request = SaslHandshakeRequest::decode(&mut body, asked.version).unwrap();
            let mechanism = request.mechanism.to_string();
            let is_enabled = self.enabled.contains(&mechanism.as_str());
            let enabled = self.enabled.iter().copied();
            let response = SaslHandshakeResponse::default()
                .with_error_code(if is_enabled { 0 } else { 33 })
                .with_mechanisms(enabled.map(StrBytes::from_static_str).collect());
            let standing = Standing::Announced(mechanism);
            self.standing.insert(asked.connection, standing);
            return asked.answer_with(asked.version, &response);
        }
        let request = SaslAuthenticateRequest::decode(&mut body, asked.version).unwrap();
        let said = String::from_utf8(request.auth_bytes.to_vec()).unwrap();
        let standing = self.standing.remove(&asked.connection).unwrap();
        let (standing, response) = match self.step(standing, &said) {
            Ok((Standing::Authenticated, bytes)) => {
                let now = self.now.unwrap();
                self.authenticated.push((asked.connection, now));
                let lifetime = if asked.version >= 1 {
                    self.lifetime_ms
                } else {
                    0
                };
                let success = SaslAuthenticateResponse::default()
                    .with_auth_bytes(Bytes::from(bytes))
                    .with_session_lifetime_ms(lifetime);
                (Standing::Authenticated, success)
            }
            Ok((standing, bytes)) => {
                let challenge =
                    SaslAuthenticateResponse::default().with_auth_bytes(Bytes::from(bytes));
                (standing, challenge)
            }
            // As tactless as a broker can be.
            Err(()) => {
                let secret = said.rsplit('\0').next().unwrap().replace('\u{1}', "");
                let words = format!("Authentication failed: not {secret}");
                let refusal = SaslAuthenticateResponse::default()
                    .with_error_code(58)
                    .with_error_message(Some(StrBytes::from_string(words)));
                (Standing::Refused, refusal)
            }
        };
        self.standing.insert(asked.connection, standing);
        asked.answer_with(asked.version, &response)
    }

    fn step(&mut self, standing: Standing, said: &str) -> Result<(Standing, String), ()> {
        let done = Ok((Standing::Authenticated, String::new()));
        match standing {
            Standing::Announced(mechanism) if mechanism == "PLAIN" => {
                let expected = format!("\0{USER}\0{}", self.secret);
                if said == expected { done } else { Err(()) }
            }
            Standing::Announced(mechanism) if mechanism == "OAUTHBEARER" => {
                let expected =
                    format!("n,,\u{1}auth=Bearer {}\u{1}pool=one\u{1}\u{1}", self.secret);
                if said == expected {
                    return done;
                }
                let refusal = r#"{"status":"invalid_token"}"#.to_owned();
                Ok((Standing::Refused, refusal))
            }
            Standing::Announced(mechanism) => {
                let bare = said.strip_prefix("n,,").unwrap();
                let theirs = bare.strip_prefix(&format!("n={USER},r=")).unwrap();
                self.nonces.push(theirs.to_owned());
                let salt = BASE64_STANDARD.encode(SALT);
                let first = format!("r={theirs}ours,s={salt},i=4096");
                let signed = format!("{bare},{first}");
                Ok((Standing::Challenged(mechanism, signed), first))
            }
            Standing::Challenged(mechanism, signed) => {
                let (without_proof, proof) = said.rsplit_once(",p=").unwrap();
                let signed = format!("{signed},{without_proof}");
                let proof = BASE64_STANDARD.decode(proof).unwrap();
                let verify = match mechanism.as_str() {
                    "SCRAM-SHA-256" => verify::<Sha256>,
                    "SCRAM-SHA-512" => verify::<Sha512>,
                    other => panic!("no mechanism {other}"),
                };
                let signature = match verify(&self.secret, &signed, &proof) {
                    Some(signature) => signature,
                    None if self.is_forged => vec![7; 32],
                    None => return Err(()),
                };
                let last = format!("v={}", BASE64_STANDARD.encode(signature));
                Ok((Standing::Authenticated, last))
            }
            Standing::Refused | Standing::Authenticated => Err(()),
        }
    }
}

/// The server's signature, if the proof shows that the client knows the password (RFC 5802, section 3).
fn verify<H: Hash + Clone>(password: &str, signed: &str, proof: &[u8]) -> Option<Vec<u8>> {
    let hmac = |key: &[u8], message: &[u8]| {
        let mut mac = Hmac::<H>::new(key);
        mac.update(message);
        mac.finish().as_ref().to_vec()
    };
    let xor = |a: &[u8], b: &[u8]| -> Vec<u8> { a.iter().zip(b).map(|(a, b)| a ^ b).collect() };
    let mut last = hmac(password.as_bytes(), &[SALT, &[0, 0, 0, 1]].concat());
    let mut salted = last.clone();
    for _ in 1..4096 {
        last = hmac(password.as_bytes(), &last);
        salted = xor(&salted, &last);
    }
    let stored = H::hash(&hmac(&salted, b"Client Key"));
    let client_key = xor(proof, &hmac(stored.as_ref(), signed.as_bytes()));
    let is_right = H::hash(&client_key) == stored;
    is_right.then(|| hmac(&hmac(&salted, b"Server Key"), signed.as_bytes()))
}
