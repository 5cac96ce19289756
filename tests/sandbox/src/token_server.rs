//! A token endpoint: OAuth's client credentials grant (RFC 6749, section 4.4), as OIDC providers offer it.
//!
//! The client authenticates by HTTP Basic. A token looks like a JWT without a signature, so that clients which read its
//! end find it; brokers and registries here look it up in [`TokenServer::tokens`] and never read it. No error it answers
//! on its own quotes a secret.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::http::{HttpFault, HttpRequest, HttpResponse, HttpServer, form, segments};
use crate::tls::{Handshake, Tls};
use crate::tokens::Tokens;

const CONTENT_TYPE: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// How a token endpoint is started.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// 0 takes any free port.
    pub port: u16,
    /// The id and the secret of the only client, whose id is also the subject of its tokens.
    pub client: (String, String),
    /// The only scope that is granted; `None`: any, and none.
    pub scope: Option<String>,
    /// How long a token is worth something.
    pub lifetime: Duration,
    /// HTTPS, and how; `None`: HTTP.
    pub tls: Option<Tls>,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            port: 0,
            client: ("client".to_owned(), "client-secret".to_owned()),
            scope: None,
            lifetime: Duration::from_secs(3600),
            tls: None,
        }
    }
}

/// A running token endpoint.
pub struct TokenServer {
    server: HttpServer,
    issuer: Arc<Issuer>,
}

struct Issuer {
    settings: TokenSettings,
    tokens: Tokens,
    issued: AtomicU64,
}

/// An error of RFC 6749, section 5.2: status, code and description.
struct Refusal(u16, &'static str, &'static str);

impl TokenServer {
    /// Starts an endpoint that has issued nothing.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start(settings: &TokenSettings) -> io::Result<Self> {
        let issuer = Arc::new(Issuer {
            settings: settings.clone(),
            tokens: Tokens::new(),
            issued: AtomicU64::new(0),
        });
        let serving = Arc::clone(&issuer);
        let tls = settings.tls.as_ref();
        let answer = move |request: &HttpRequest| serving.answer(request);
        let server = HttpServer::start("tokens", settings.port, tls, CONTENT_TYPE, answer)?;
        Ok(Self { server, issuer })
    }

    /// `http://127.0.0.1:PORT/token`, or `https`.
    pub fn url(&self) -> String {
        format!("{}/token", self.server.url())
    }

    /// What it issued, and will issue: for clusters and registries that shall let these tokens in.
    pub fn tokens(&self) -> Tokens {
        self.issuer.tokens.clone()
    }

    /// How many tokens it has issued.
    pub fn issued(&self) -> u64 {
        self.issuer.issued.load(Ordering::Relaxed)
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

    /// Waits until the requests so far fulfil a condition; returns whether they did in time.
    pub fn wait_for(
        &self,
        condition: impl FnMut(&[HttpRequest]) -> bool,
        timeout: Duration,
    ) -> bool {
        self.server.wait_for(condition, timeout)
    }

    /// Every TLS handshake, in the order in which it ended, whether it came about or not.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.server.handshakes()
    }

    /// The same, once there are so many, or the time is over.
    pub fn wait_handshakes(&self, count: usize, timeout: Duration) -> Vec<Handshake> {
        self.server.wait_handshakes(count, timeout)
    }

    /// Refuses connections and cuts those that are open; tokens stay worth what they are.
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
}

impl Issuer {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        match self.grant(request) {
            Ok(token) => HttpResponse::new(200, CONTENT_TYPE, token.to_string())
                .with("Cache-Control", "no-store"),
            Err(Refusal(status, code, description)) => {
                let body = json!({ "error": code, "error_description": description });
                let response = HttpResponse::new(status, CONTENT_TYPE, body.to_string());
                match status {
                    401 => response.with("WWW-Authenticate", "Basic realm=\"sandbox\""),
                    _ => response,
                }
            }
        }
    }

    fn grant(&self, request: &HttpRequest) -> Result<Value, Refusal> {
        let invalid = |description| Refusal(400, "invalid_request", description);
        if segments(&request.target).is_none_or(|path| path != ["token"]) {
            return Err(Refusal(404, "not_found", "tokens are at /token"));
        }
        if request.method != "POST" {
            return Err(Refusal(405, "invalid_request", "POST is needed"));
        }
        let content_type = request.header("content-type").unwrap_or_default();
        if content_type.split(';').next().map(str::trim) != Some(FORM) {
            return Err(invalid("the body must be a form"));
        }
        let pairs = form(&request.text()).ok_or_else(|| invalid("the form is malformed"))?;
        let value = |name: &str| {
            let mut values = pairs.iter().filter(|(key, _)| key == name);
            values.next().map(|(_, value)| value.as_str())
        };
        if !self.is_client(request) {
            return Err(Refusal(
                401,
                "invalid_client",
                "Client authentication failed",
            ));
        }
        match value("grant_type") {
            Some("client_credentials") => {}
            Some(_) => {
                return Err(Refusal(
                    400,
                    "unsupported_grant_type",
                    "client_credentials only",
                ));
            }
            None => return Err(invalid("grant_type is missing")),
        }
        let scope = value("scope");
        if self.settings.scope.is_some() && scope != self.settings.scope.as_deref() {
            return Err(Refusal(400, "invalid_scope", "The scope is not granted"));
        }
        Ok(self.issue(scope))
    }

    /// By HTTP Basic; id and secret plain, as most clients send them, or form-encoded, as RFC 6749 wants them.
    fn is_client(&self, request: &HttpRequest) -> bool {
        let header = request.header("authorization").unwrap_or_default();
        let sent = header.strip_prefix("Basic ");
        let sent = sent.and_then(|sent| BASE64_STANDARD.decode(sent).ok());
        let Some(sent) = sent.and_then(|sent| String::from_utf8(sent).ok()) else {
            return false;
        };
        let (id, secret) = &self.settings.client;
        let plain = sent == format!("{id}:{secret}");
        let pair = form(&sent.replacen(':', "=", 1));
        plain || pair.is_some_and(|pair| pair == [(id.clone(), secret.clone())])
    }

    fn issue(&self, scope: Option<&str>) -> Value {
        let subject = &self.settings.client.0;
        let lifetime = self.settings.lifetime;
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let claims = json!({
            "sub": subject,
            "iat": now.as_secs(),
            "exp": (now + lifetime).as_secs(),
            "scope": scope.unwrap_or_default(),
            "jti": number.to_string(),
        });
        let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
        let token = format!(
            "{}.{}.{}",
            encode(r#"{"alg":"none","typ":"JWT"}"#),
            encode(&claims.to_string()),
            encode("no signature")
        );
        self.tokens.add(&token, subject, lifetime);
        json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
        })
    }
}
