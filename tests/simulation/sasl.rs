//! A broker that demands authentication, and again before a session expires.
//!
//! As strict as Kafka's: it takes nothing out of turn, no second handshake within a second, and closes a connection on which
//! something else than a handshake arrives after the session has expired. What a correct client never does fails the history.

use bytes::Bytes;
use continuous_producer::kafka::client::ConnectionId;
use continuous_producer::kafka::config::{Login, Sasl};
use continuous_producer::secret::Secret;
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use crate::broker::Request;
use crate::time::{MS, Micros, SECOND};
use crate::world::World;

const USER: &str = "a-user";
const PASSWORD: &str = "a-password";

/// How a connection stands with its broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Stranger,
    /// A handshake was made.
    Announced,
    /// Until then, if not for ever.
    Authenticated(Option<Micros>),
}

/// What the client authenticates by.
pub(crate) fn credentials() -> Sasl {
    Sasl::Plain(Login {
        user: USER.to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
    })
}

impl World {
    /// Whether a request is to be carried out. Those that authenticate are answered here.
    pub(crate) fn admits(&mut self, request: &Request) -> bool {
        let Some(lifetime_ms) = self.plan.session_ms else {
            return true;
        };
        let (id, api) = (request.connection, request.api);
        let standing = self.connections[&id].standing;
        match (api, standing) {
            (ApiKey::ApiVersions, Standing::Stranger) => true,
            (ApiKey::SaslHandshake, Standing::Stranger | Standing::Authenticated(_)) => {
                self.handshake(request);
                false
            }
            (ApiKey::SaslAuthenticate, Standing::Announced) => {
                self.authenticate(request, lifetime_ms);
                false
            }
            (ApiKey::SaslHandshake | ApiKey::SaslAuthenticate | ApiKey::ApiVersions, _)
            | (_, Standing::Stranger | Standing::Announced) => {
                panic!("{api:?} out of turn on #{id}: {standing:?}")
            }
            (_, Standing::Authenticated(Some(until))) if until <= self.now => {
                self.count("session expired");
                self.cut(id, "the session has expired");
                false
            }
            (_, Standing::Authenticated(_)) => true,
        }
    }

    fn handshake(&mut self, request: &Request) {
        let asked = SaslHandshakeRequest::decode(&mut request.body.clone(), request.version);
        assert_eq!(asked.unwrap().mechanism.as_str(), "PLAIN");
        let (id, now) = (request.connection, self.now);
        if let Some(connection) = self.connections.get_mut(&id) {
            let before = connection.handshake_at.replace(now);
            let is_too_soon = before.is_some_and(|before| now < before + SECOND);
            assert!(!is_too_soon, "a second handshake within a second on #{id}");
        }
        self.stands(id, Standing::Announced);
        let mechanisms = vec![StrBytes::from_static_str("PLAIN")];
        let response = SaslHandshakeResponse::default().with_mechanisms(mechanisms);
        self.reply(request, request.answer(request.version, &response));
    }

    fn authenticate(&mut self, request: &Request, lifetime_ms: u32) {
        let asked = SaslAuthenticateRequest::decode(&mut request.body.clone(), request.version);
        let expected = Bytes::from(format!("\0{USER}\0{PASSWORD}"));
        assert_eq!(asked.unwrap().auth_bytes, expected);
        let mut response = SaslAuthenticateResponse::default();
        let standing = if self.faults.passwords_refused > 0 {
            self.faults.passwords_refused -= 1;
            self.count("password refused");
            response = response.with_error_code(58);
            Standing::Stranger
        } else if lifetime_ms == 0 || request.version == 0 {
            Standing::Authenticated(None)
        } else {
            response = response.with_session_lifetime_ms(lifetime_ms.into());
            Standing::Authenticated(Some(self.now + Micros::from(lifetime_ms) * MS))
        };
        self.count("authenticated");
        self.stands(request.connection, standing);
        self.reply(request, request.answer(request.version, &response));
    }

    fn stands(&mut self, id: ConnectionId, standing: Standing) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.standing = standing;
        }
    }
}
