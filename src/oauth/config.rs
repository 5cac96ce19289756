//! Where tokens come from and who asks for them. Plain data: whoever fills it in has validated it.

use crate::secret::{HIDDEN, Secret};
use crate::tls::TlsConfig;

/// A URL for people: its query, which may hold a key, is hidden.
pub fn without_query(url: &str) -> String {
    match url.split_once('?') {
        Some((before, _)) => format!("{before}?{HIDDEN}"),
        None => url.to_owned(),
    }
}

/// OIDC client credentials (`sasl.oauthbearer.token.endpoint.url`, and what goes with it).
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// The token endpoint, `http` or `https`, without credentials; may have a query.
    pub url: String,
    /// Who asks.
    pub client_id: String,
    /// How it is proven.
    pub client_secret: Secret,
    /// What is asked for.
    pub scope: Option<String>,
    /// Whom to trust. Never `None` where the URL is `https`.
    pub tls: Option<TlsConfig>,
}
