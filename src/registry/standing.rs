//! How a schema stands with the registry, found out without changing anything there.
//!
//! Each URL is asked once, so that it takes at most two requests' time a URL; nothing is registered and nothing retried.

use std::convert::Infallible;

use crossbeam_channel::Receiver;
use serde_json::Value;

use super::client::{RegistryClient, schema_body};
use super::error::{Problem, RegistryError};
use crate::foreign::cleaned;

/// Most reasons of an incompatibility that are told.
const MESSAGES_MAX: usize = 8;
/// "Version not found": a subject whose versions are all deleted has no latest one.
const VERSION_NOT_FOUND: u32 = 40402;

/// What would become of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaStanding {
    /// It is registered under the subject.
    Registered {
        /// Its id.
        id: u32,
    },
    /// It is not, and may become the next version.
    Compatible,
    /// Nothing is known of the subject: it would be the first version.
    NewSubject,
    /// It may not become the next version.
    Incompatible {
        /// The registry's reasons, fit to be shown. May be empty.
        messages: Vec<String>,
    },
}

impl RegistryClient {
    /// [`check`](Self::check) with one attempt a URL.
    ///
    /// # Errors
    /// [`RegistryError`]: an answer that no retry would change, or the last URL's trouble.
    pub fn check_once(&self, interrupt: &Receiver<Infallible>) -> Result<(), RegistryError> {
        self.round(interrupt, |_| (), RegistryClient::subjects)
    }

    /// How `schema`, Protobuf's text, stands under the configured subject.
    ///
    /// # Errors
    /// As [`check_once`](Self::check_once).
    pub fn standing(
        &self,
        schema: &str,
        interrupt: &Receiver<Infallible>,
    ) -> Result<SchemaStanding, RegistryError> {
        let body = schema_body(schema);
        self.round(
            interrupt,
            |_| (),
            |client, url| {
                let path = format!("/subjects/{}?normalize=true", client.subject_segment());
                match client.post_for_id(url, &path, &body) {
                    Ok(id) => Ok(SchemaStanding::Registered { id }),
                    Err(error) => match problem_of(&error) {
                        Some(Problem::SubjectNotFound) => Ok(SchemaStanding::NewSubject),
                        Some(Problem::SchemaNotFound) => client.compatibility(url, &body),
                        _ => Err(error),
                    },
                }
            },
        )
    }

    fn compatibility(&self, url: &str, body: &str) -> Result<SchemaStanding, RegistryError> {
        let subject = self.subject_segment();
        let path = format!(
            "/compatibility/subjects/{subject}/versions/latest?normalize=true&verbose=true"
        );
        let answer = match self.post(url, &path, body) {
            Ok(answer) => answer,
            Err(error) => {
                return match problem_of(&error) {
                    Some(
                        Problem::SubjectNotFound
                        | Problem::Refused {
                            code: Some(VERSION_NOT_FOUND),
                            ..
                        },
                    ) => Ok(SchemaStanding::NewSubject),
                    _ => Err(error),
                };
            }
        };
        let json = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
        match json.get("is_compatible").and_then(Value::as_bool) {
            Some(true) => Ok(SchemaStanding::Compatible),
            Some(false) => Ok(SchemaStanding::Incompatible {
                messages: self.messages_in(&json),
            }),
            None => {
                // Before it is quoted, which changes how a secret in it is written.
                let answer = self.without_sent(&String::from_utf8_lossy(&answer));
                Err(self.nonsense(url, &format!("no is_compatible in {answer:?}")))
            }
        }
    }

    /// Confluent's registry gives a list, Apicurio one `reason`.
    fn messages_in(&self, json: &Value) -> Vec<String> {
        let messages = json.get("messages").and_then(Value::as_array);
        let messages = messages.into_iter().flatten().chain(json.get("reason"));
        let messages = messages.filter_map(Value::as_str);
        let shown = messages.map(|message| cleaned(&self.without_sent(message)));
        shown.take(MESSAGES_MAX).collect()
    }
}

fn problem_of(error: &RegistryError) -> Option<Problem> {
    match error {
        RegistryError::Failed { problem, .. } => Some(*problem),
        RegistryError::Interrupted | RegistryError::GaveUp { .. } => None,
    }
}
