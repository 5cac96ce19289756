//! A Schema Registry on loopback, compatible with Confluent's as far as a producer and its consumers need it.
//!
//! It may demand who is asking, by basic authentication or by a token. Never compiles a schema.

mod store;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::http::{HttpFault, HttpRequest, HttpResponse, HttpServer};
use crate::net::lock;
use crate::tls::{Handshake, Tls};
use crate::tokens::Tokens;
use store::{Answered, Store, error};

/// The type of every answer.
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// How a registry is started.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// 0 takes any free port.
    pub port: u16,
    /// User and password of basic authentication. Without them and without tokens, everybody is let in.
    pub credentials: Option<(String, String)>,
    /// Lets in who has one of these tokens.
    pub tokens: Option<Tokens>,
    /// HTTPS, and how; `None`: HTTP.
    pub tls: Option<Tls>,
}

/// A running registry.
pub struct Registry {
    server: HttpServer,
    store: Arc<Mutex<Store>>,
}

impl Registry {
    /// Starts a registry without any schema.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start(settings: &RegistrySettings) -> io::Result<Self> {
        let store = Arc::new(Mutex::new(Store::default()));
        let (door, serving) = (Door::of(settings), Arc::clone(&store));
        let tls = settings.tls.as_ref();
        let answer = move |request: &HttpRequest| {
            respond(&if door.lets_in(request) {
                lock(&serving).answer(request)
            } else {
                error(401, 401, "Unauthorized")
            })
        };
        let server = HttpServer::start("registry", settings.port, tls, CONTENT_TYPE, answer)?;
        Ok(Self { server, store })
    }

    /// `http://127.0.0.1:PORT`, or `https`, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Refuses connections and cuts those that are open; what is registered stays.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// The port was taken meanwhile, which on Linux cannot be.
    pub fn restart(&self) -> io::Result<()> {
        self.server.restart()
    }

    /// Orders a fault for the next so many requests.
    pub fn fail_next(&self, fault: &HttpFault, times: usize) {
        self.server.fail_next(fault, times);
    }

    /// Forgets every fault that has not happened yet.
    pub fn clear_faults(&self) {
        self.server.clear_faults();
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.server.requests()
    }

    /// What clients showed to be let in: the `Authorization` headers so far.
    pub fn authorizations(&self) -> Vec<String> {
        let requests = self.requests();
        let headers = requests
            .iter()
            .filter_map(|one| one.header("authorization"));
        headers.map(str::to_owned).collect()
    }

    /// Every TLS handshake, in the order in which it ended, whether it came about or not.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.server.handshakes()
    }

    /// The same, once there are so many, or the time is over.
    pub fn wait_handshakes(&self, count: usize, timeout: Duration) -> Vec<Handshake> {
        self.server.wait_handshakes(count, timeout)
    }

    /// The subjects that have a schema.
    pub fn subjects(&self) -> Vec<String> {
        lock(&self.store).subjects()
    }

    /// Waits until the requests so far fulfil a condition; returns whether they did in time.
    pub fn wait_for(
        &self,
        condition: impl FnMut(&[HttpRequest]) -> bool,
        timeout: Duration,
    ) -> bool {
        self.server.wait_for(condition, timeout)
    }
}

/// Who is let in.
struct Door {
    basic: Option<String>,
    tokens: Option<Tokens>,
}

impl Door {
    fn of(settings: &RegistrySettings) -> Self {
        let basic = settings.credentials.as_ref().map(|(user, password)| {
            let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {encoded}")
        });
        Self {
            basic,
            tokens: settings.tokens.clone(),
        }
    }

    fn lets_in(&self, request: &HttpRequest) -> bool {
        let shown = request.header("authorization");
        let token = shown.and_then(|shown| shown.strip_prefix("Bearer "));
        match (&self.basic, &self.tokens) {
            (None, None) => true,
            (Some(basic), _) if shown == Some(basic) => true,
            (_, tokens) => {
                let known = token.zip(tokens.as_ref());
                known.is_some_and(|(token, tokens)| tokens.find(token).is_some())
            }
        }
    }
}

fn respond((status, body): &Answered) -> HttpResponse {
    let response = HttpResponse::new(*status, CONTENT_TYPE, body.to_string());
    match status {
        401 => response.with("WWW-Authenticate", "Basic realm=\"sandbox\""),
        _ => response,
    }
}
