//! How clients get in to the program's cluster: what it demands, and what they have to be told for it.
//!
//! One value says both, so that the `kcat` line, the environment of the program beside the sandbox and the listeners agree.
//! The certificates are the tests' own, which lie with the sources.

use sandbox::{DEFAULT_HOST, Security, ServerCertificate, Tls, certificates};

/// The user that is let in unless another is named, and the password.
const DEFAULT_USER: (&str, &str) = ("sandbox", "sandbox-secret");
/// The one host besides this machine that there is a certificate for.
const OTHER_HOST: &str = "elsewhere.example";

/// A security protocol, and who is let in.
pub(crate) struct Access {
    pub(crate) encrypted: bool,
    pub(crate) authenticated: bool,
    pub(crate) user: (String, String),
    pub(crate) client_certificate: bool,
    /// What clients are told to call the brokers.
    pub(crate) host: String,
}

impl Default for Access {
    fn default() -> Self {
        let (name, password) = DEFAULT_USER;
        Self {
            encrypted: false,
            authenticated: false,
            user: (name.to_owned(), password.to_owned()),
            client_certificate: false,
            host: DEFAULT_HOST.to_owned(),
        }
    }
}

impl Access {
    /// Takes one of Kafka's names for its security protocols; returns whether it is one.
    pub(crate) fn set_protocol(&mut self, name: &str) -> bool {
        let (authenticated, rest) = match name.strip_prefix("SASL_") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let encrypted = match (rest, authenticated) {
            ("SSL", _) => true,
            ("PLAINTEXT", _) => false,
            _ => return false,
        };
        (self.encrypted, self.authenticated) = (encrypted, authenticated);
        true
    }

    pub(crate) fn security(&self) -> Security {
        let tls = if self.client_certificate {
            self.tls().client_certificate()
        } else {
            self.tls()
        };
        let security = Security::plaintext();
        let security = if self.encrypted {
            security.tls(tls)
        } else {
            security
        };
        let (name, password) = &self.user;
        if self.authenticated {
            security.user(name, password)
        } else {
            security
        }
    }

    /// With a certificate for the host that clients are told of.
    pub(crate) fn tls(&self) -> Tls {
        Tls::default().certificate(if self.host == OTHER_HOST {
            ServerCertificate::WrongName
        } else {
            ServerCertificate::Good
        })
    }

    /// What a client of librdkafka needs: property and value.
    pub(crate) fn properties(&self) -> Vec<(&'static str, String)> {
        self.told([
            "security.protocol",
            "ssl.ca.location",
            "ssl.certificate.location",
            "ssl.key.location",
            "sasl.username",
            "sasl.password",
        ])
        .into_iter()
        .chain(
            self.authenticated
                .then(|| ("sasl.mechanisms", "PLAIN".to_owned())),
        )
        .collect()
    }

    /// What the producer needs: variable and value.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        self.told([
            "KAFKA_SECURITY_PROTOCOL",
            "KAFKA_SSL_CA_LOCATION",
            "KAFKA_SSL_CERTIFICATE_LOCATION",
            "KAFKA_SSL_KEY_LOCATION",
            "KAFKA_API_KEY",
            "KAFKA_API_SECRET",
        ])
    }

    /// What there is to say under these six names; nothing for a cluster in the clear.
    fn told(&self, names: [&'static str; 6]) -> Vec<(&'static str, String)> {
        let [protocol, authority, certificate, key, user, password] = names;
        let path = |pem: certificates::Pem| pem.path().display().to_string();
        let mut told = Vec::new();
        if self.encrypted || self.authenticated {
            told.push((protocol, self.security().protocol().to_owned()));
        }
        if self.encrypted {
            told.push((authority, path(certificates::ca())));
        }
        if self.encrypted && self.client_certificate {
            told.push((certificate, path(certificates::client())));
            told.push((key, path(certificates::client_key())));
        }
        if self.authenticated {
            told.push((user, self.user.0.clone()));
            told.push((password, self.user.1.clone()));
        }
        told
    }
}
