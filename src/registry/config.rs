//! Where the Schema Registry is and what may be asked of it. Plain data: whoever fills it in has validated it.

use crate::secret::Secret;

/// How to reach the registry and what to do there.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Base URLs without a trailing slash and without credentials, tried in turn. Never empty.
    pub urls: Vec<String>,
    /// Basic authentication: user and password.
    pub credentials: Option<Credentials>,
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
