//! Where the Schema Registry is and what may be asked of it. Plain data: whoever fills it in has validated it.

use crate::secret::Secret;
use crate::tls::TlsConfig;

/// How to reach the registry and what to do there.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Base URLs without a trailing slash and without credentials, tried in turn. Never empty.
    pub urls: Vec<String>,
    /// Basic authentication: user and password.
    pub credentials: Option<Credentials>,
    /// Authentication by the token that brokers get too; whoever owns the client hands it over. Not with `credentials`.
    pub bearer: Option<Bearer>,
    /// Whom to trust where a URL is `https`. Never `None` if one is.
    pub tls: Option<TlsConfig>,
    /// Register the schema; otherwise only look it up.
    pub auto_register: bool,
    /// Subject under which the schema stands.
    pub subject: String,
}

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user, or API key.
    pub user: String,
    /// The password, or API secret.
    pub password: Secret,
}

/// What goes with a token, in Confluent's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// `bearer.auth.logical.cluster`: the header `target-sr-cluster`. Visible ASCII.
    pub logical_cluster: Option<String>,
    /// `bearer.auth.identity.pool.id`: the header `Confluent-Identity-Pool-Id`. Visible ASCII.
    pub identity_pool: Option<String>,
}
