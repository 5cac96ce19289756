//! Clusters, registries and token endpoints that let in only who shows something, and what the program is told to get in.
//!
//! The secrets hold what separates something somewhere, so that whoever cuts, quotes or encodes one wrongly does not get in.

use std::ffi::OsString;

use sandbox::certificates::{self, Pem};
use sandbox::{
    Config, HttpFault, Mechanism, Registry, RegistrySettings, Sandbox, Security, TokenServer,
    TokenSettings,
};

use super::{Peers, Setup};

pub(crate) const USER: &str = "shoe maker";
pub(crate) const PASSWORD: &str = "k4fka=p0ss #w0rd \"with' qu0tes";
pub(crate) const REGISTRY_USER: &str = "registrar";
pub(crate) const REGISTRY_PASSWORD: &str = "r3gistry=p1ss% #w1rd \"and' qu1tes";
pub(crate) const CLIENT: &str = "shoe-client";
pub(crate) const CLIENT_SECRET: &str = "cl1ent=s3cret& #w2rd \"or' qu2tes";
/// What nobody is let in by.
pub(crate) const WRONG: &str = "wr0ng=p3ss+ #w3rd \"but' qu3tes";

/// A cluster that is secured so, with the default topic, and a registry that wants its own password.
pub(crate) fn peers(security: Security) -> Peers {
    peers_with(Config::default(), security)
}

pub(crate) fn peers_with(config: Config, security: Security) -> Peers {
    let registry = RegistrySettings {
        credentials: Some((REGISTRY_USER.to_owned(), REGISTRY_PASSWORD.to_owned())),
        ..RegistrySettings::default()
    };
    Peers {
        kafka: Sandbox::start(Config { security, ..config }).unwrap(),
        registry: Registry::start(&registry).unwrap(),
    }
}

/// An endpoint that knows the client.
pub(crate) fn token_server(settings: TokenSettings) -> TokenServer {
    let client = (CLIENT.to_owned(), CLIENT_SECRET.to_owned());
    TokenServer::start(&TokenSettings { client, ..settings }).unwrap()
}

/// What is told, variable by variable.
#[derive(Clone, Default)]
pub(crate) struct Told(Vec<(&'static str, OsString)>);

impl Told {
    /// How to get into the registry.
    pub(crate) fn new() -> Self {
        Self::default()
            .with("SCHEMA_REGISTRY_API_KEY", REGISTRY_USER)
            .with("SCHEMA_REGISTRY_API_SECRET", REGISTRY_PASSWORD)
    }

    /// The last word on a variable counts.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self
    }

    pub(crate) fn protocol(self, protocol: &str) -> Self {
        self.with("KAFKA_SECURITY_PROTOCOL", protocol)
    }

    /// Trusts the sandbox's authority.
    pub(crate) fn trusting(self) -> Self {
        self.with("KAFKA_SSL_CA_LOCATION", certificates::ca().path())
    }

    pub(crate) fn identity(self, certificate: Pem, key: Pem) -> Self {
        self.with("KAFKA_SSL_CERTIFICATE_LOCATION", certificate.path())
            .with("KAFKA_SSL_KEY_LOCATION", key.path())
    }

    /// By the right password.
    pub(crate) fn login(self, mechanism: Mechanism) -> Self {
        self.with("KAFKA_SASL_MECHANISM", mechanism.name())
            .with("KAFKA_API_KEY", USER)
            .with("KAFKA_API_SECRET", PASSWORD)
    }

    /// By a token from this endpoint.
    pub(crate) fn tokens(self, endpoint: &TokenServer) -> Self {
        self.with("KAFKA_SASL_MECHANISM", Mechanism::OAuthBearer.name())
            .with("KAFKA_API_KEY", CLIENT)
            .with("KAFKA_API_SECRET", CLIENT_SECRET)
            .with("KAFKA_OAUTH_TOKEN_ENDPOINT_URL", endpoint.url())
    }

    /// The program, set up for these peers.
    pub(crate) fn setup(&self, peers: &Peers, flags: &str) -> Setup {
        let tell = |setup: Setup, (name, value): &(&str, OsString)| setup.env(name, value);
        self.0.iter().fold(peers.setup(flags), tell)
    }
}

/// Answered with this status and body.
pub(crate) fn status(status: u16, body: &str) -> HttpFault {
    HttpFault::Status(status, body.to_owned())
}
