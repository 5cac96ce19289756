//! What is asked over HTTP: the token endpoint, the registry, how the schema stands there.

use std::convert::Infallible;
use std::io::Write;

use crossbeam_channel::{Receiver, never};

use super::STEP_TIMEOUT;
use super::table::{Step, Table};
use crate::http::Timing;
use crate::oauth::TokenClient;
use crate::oauth::config::without_query;
use crate::registry::{RegistryClient, RegistryConfig, SchemaStanding};
use crate::secret::Secret;
use crate::settings::Settings;
use crate::shoe::SCHEMA;

/// A token, where one is needed and to be had.
pub(super) fn token(settings: &Settings, table: &mut Table<impl Write>) -> Option<Secret> {
    let config = settings.token.clone()?;
    let url = without_query(&config.url);
    let fetched = TokenClient::new(config, timing(), fastrand::Rng::new()).fetch();
    let fetched = fetched.map_err(|error| error.to_string());
    let token = table.tried(Step::Token, fetched, |token| {
        format!("{url} gives one, for {} s", token.expires_in.as_secs())
    })?;
    Some(token.value)
}

/// Every URL, and the schema at the first that answers.
pub(super) fn check(settings: &Settings, token: Option<&Secret>, table: &mut Table<impl Write>) {
    let config = &settings.registry;
    if config.bearer.is_some() && token.is_none() {
        table.fails(
            Step::Registry,
            "it is to be shown brokers' token, and there is none",
        );
        return;
    }
    let mut reached = None;
    for url in &config.urls {
        let config = RegistryConfig {
            urls: vec![url.clone()],
            ..config.clone()
        };
        let mut client = RegistryClient::new(config, timing(), fastrand::Rng::new());
        if let Some(token) = token {
            client.set_token(token);
        }
        let answered = client
            .check_once(&uninterrupted())
            .map_err(|error| error.to_string());
        let answered = table.tried(Step::Registry, answered, |()| format!("{url} answers"));
        reached = reached.or(answered.map(|()| client));
    }
    if let Some(client) = reached {
        schema(&client, config, table);
    }
}

fn schema(client: &RegistryClient, config: &RegistryConfig, table: &mut Table<impl Write>) {
    let subject = &config.subject;
    let standing = match client.standing(SCHEMA, &uninterrupted()) {
        Ok(standing) => standing,
        Err(error) => return table.fails(Step::Schema, &error.to_string()),
    };
    match standing {
        SchemaStanding::Registered { id } => {
            table.holds(
                Step::Schema,
                &format!("subject {subject} has it, with id {id}"),
            );
        }
        SchemaStanding::Incompatible { messages } => {
            let why = match messages.join("; ") {
                none if none.is_empty() => none,
                why => format!(" ({why})"),
            };
            let words = format!(
                "subject {subject}: the schema is incompatible with the latest version{why}; use another \
                 SCHEMA_REGISTRY_SUBJECT, or relax the subject's compatibility level"
            );
            table.fails(Step::Schema, &words);
        }
        SchemaStanding::Compatible | SchemaStanding::NewSubject if !config.auto_register => {
            let words = format!(
                "subject {subject} does not have it; register it first, or set SCHEMA_REGISTRY_AUTO_REGISTER=true"
            );
            table.fails(Step::Schema, &words);
        }
        SchemaStanding::Compatible => {
            let words =
                format!("subject {subject} does not have it; compatible, a run would register it");
            table.holds(Step::Schema, &words);
        }
        SchemaStanding::NewSubject => {
            let words = format!(
                "subject {subject} is new; a run would register the schema as its first version"
            );
            table.holds(Step::Schema, &words);
        }
    }
}

fn timing() -> Timing {
    Timing {
        request_timeout: STEP_TIMEOUT,
        ..Timing::default()
    }
}

/// A check is ended by a signal as any program is.
fn uninterrupted() -> Receiver<Infallible> {
    never()
}
