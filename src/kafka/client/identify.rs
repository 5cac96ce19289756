//! What becomes of a connection that is not authenticated, or not any more.
//!
//! At the start a refusal ends the client at once, be it of a password or of a certificate: settings are wrong. Once it runs a refusal never does: passwords are
//! changed one after the other, and a broker that is starting may not know its users yet. Then the broker is in trouble like
//! one that cannot be reached: it is tried again, until the records' delivery timeout.

use std::time::Instant;

use super::event::{Action, ConnectionId, FatalError};
use super::session::Session;
use super::{Client, Phase};
use crate::kafka::sasl::SaslError;

/// What it may mean that a listener answers nothing but its versions and hangs up.
pub const DEMANDS_SASL: &str =
    ", right after the first request: does this listener demand SASL (KAFKA_SECURITY_PROTOCOL)?";

impl Client {
    /// Authenticates anew where the session is about to expire (KIP-368).
    pub(super) fn renew_sessions(&mut self, now: Instant) {
        let due: Vec<(ConnectionId, Instant)> = self
            .sessions
            .iter()
            .filter_map(|(&connection, session)| Some((connection, session.renew_at()?)))
            .collect();
        for (connection, at) in due {
            if at > now {
                self.wake(at);
                continue;
            }
            let begun = self
                .sessions
                .get_mut(&connection)
                .and_then(|session| session.authenticate(&mut self.credentials, now));
            match begun {
                Some(Ok(frame)) => self.actions.push_back(Action::Send { connection, frame }),
                // Whether that is the end is said by the next connection.
                Some(Err(error)) => self.break_off_unauthenticated(connection, &error, now),
                None => {}
            }
        }
    }

    pub(super) fn unauthenticated(
        &mut self,
        connection: ConnectionId,
        error: SaslError,
        now: Instant,
    ) {
        let node = self.sessions.get(&connection).map(|session| session.node);
        match node {
            Some(node) if self.phase == Phase::Starting && error.is_final() => {
                self.fail(FatalError::Unauthenticated {
                    broker: self.cluster.describe(node),
                    mechanism: self.credentials.mechanism().unwrap_or_default(),
                    error,
                });
            }
            _ => self.break_off_unauthenticated(connection, &error, now),
        }
    }

    fn break_off_unauthenticated(
        &mut self,
        connection: ConnectionId,
        error: &SaslError,
        now: Instant,
    ) {
        let mechanism = self.credentials.mechanism().unwrap_or_default();
        let node = self.sessions.get(&connection).map(|session| session.node);
        self.break_off(connection, &error.line(mechanism), now);
        if let Some(node) = node
            && error.is_final()
        {
            self.cluster.refused(node, now, &mut self.rng);
        }
    }

    /// What may be wrong with a connection that the peer has closed. A listener that demands an authentication tells its
    /// versions to everybody, and hangs up at the next request.
    pub(super) fn doubt_about(&self, connection: ConnectionId) -> Option<&'static str> {
        let is_telling = self.phase == Phase::Starting
            && self.credentials.mechanism().is_none()
            && self
                .sessions
                .get(&connection)
                .is_some_and(Session::was_never_served);
        is_telling.then_some(DEMANDS_SASL)
    }
}
