//! All that can be wrong with encryption and authentication, each as peers that refuse and a program that is told so much:
//! for whoever tests what is said then, and for whoever looks for secrets in it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use sandbox::certificates::{self, Pem};
use sandbox::{
    ApiKey, Fault, FaultRule, HttpFault, Mechanism, ScramLie, Security, ServerCertificate, Tls,
    TlsVersion, TokenServer, TokenSettings, Tokens,
};

use super::secured::{
    self, CLIENT_SECRET, PASSWORD, REGISTRY_PASSWORD, REGISTRY_USER, Told, USER, WRONG, status,
};
use super::{Peers, Setup};

/// One thing that is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) name: &'static str,
    /// How the line of a run begins behind its mark.
    pub(crate) by: &'static str,
    /// What else it says.
    pub(crate) words: Words,
    make: fn() -> Scene,
}

/// Peers that refuse, and what the program is told.
pub(crate) struct Scene {
    pub(crate) peers: Peers,
    pub(crate) tokens: Option<TokenServer>,
    told: Told,
}

impl Scene {
    fn new(security: Security, told: Told) -> Self {
        Self {
            peers: secured::peers(security),
            tokens: None,
            told,
        }
    }

    /// The program is told this too.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.told = self.told.with(name, value);
        self
    }

    pub(crate) fn setup(&self, flags: &str) -> Setup {
        self.told.setup(&self.peers, flags)
    }
}

impl Trouble {
    pub(crate) fn scene(&self) -> Scene {
        (self.make)()
    }
}

/// Each at once with the others: some take as long as the program gives a cluster to come up. What fails is named.
pub(crate) fn each_at_once(
    troubles: impl IntoIterator<Item = Trouble>,
    test: impl Fn(&Trouble) + Sync,
) {
    thread::scope(|scope| {
        for trouble in troubles {
            let test = &test;
            scope.spawn(move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&trouble))) {
                    eprintln!("that was: {}", trouble.name);
                    resume_unwind(panic);
                }
            });
        }
    });
}

type Words = &'static [&'static str];

fn kafka(name: &'static str, words: Words, make: fn() -> Scene) -> Trouble {
    trouble("Kafka: ", name, words, make)
}

fn endpoint(name: &'static str, words: Words, make: fn() -> Scene) -> Trouble {
    trouble("token endpoint ", name, words, make)
}

fn registry(name: &'static str, words: Words, make: fn() -> Scene) -> Trouble {
    trouble("schema registry ", name, words, make)
}

fn trouble(by: &'static str, name: &'static str, words: Words, make: fn() -> Scene) -> Trouble {
    Trouble {
        name,
        by,
        words,
        make,
    }
}

/// A server's certificate that is not to be trusted.
pub(crate) fn server_certificates() -> Vec<Trouble> {
    fn presenting(certificate: ServerCertificate) -> Scene {
        let security = Security::sasl_ssl().user(USER, PASSWORD);
        let told = Told::new().protocol("SASL_SSL").trusting();
        Scene::new(
            security.tls(Tls::default().certificate(certificate)),
            told.login(Mechanism::Plain),
        )
    }
    vec![
        kafka(
            "a certificate for another name",
            &[
                "its certificate is for elsewhere.example, not for 127.0.0.1",
                "use a name that it has in KAFKA_BOOTSTRAP_SERVERS",
            ],
            || presenting(ServerCertificate::WrongName),
        ),
        kafka(
            "an expired certificate",
            &["its certificate expired ", " days ago; have it renewed"],
            || presenting(ServerCertificate::Expired),
        ),
        kafka(
            "a certificate by an unknown authority",
            &["an authority that is not trusted", "KAFKA_SSL_CA_LOCATION"],
            || presenting(ServerCertificate::UnknownAuthority),
        ),
        kafka(
            "no authority but the built-in ones",
            &["an authority that is not trusted", "KAFKA_SSL_CA_LOCATION"],
            || Scene::new(Security::ssl(), Told::new().protocol("SSL")),
        ),
    ]
}

/// A client certificate that the cluster does not take.
pub(crate) fn client_certificates() -> Vec<Trouble> {
    const MISSING: &[&str] = &[
        "demands a client certificate",
        "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION",
    ];
    const FOREIGN: &[&str] = &[
        "does not accept the client certificate",
        "KAFKA_SSL_CERTIFICATE_LOCATION",
        "that the peer trusts its authority",
    ];
    fn showing(identity: Option<Pem>, version: TlsVersion) -> Scene {
        let tls = Tls::default().client_certificate().only(version);
        let mut told = Told::new().protocol("SSL").trusting();
        if let Some(certificate) = identity {
            told = told.identity(certificate, certificates::client_key());
        }
        Scene::new(Security::ssl().tls(tls), told)
    }
    vec![
        kafka("no client certificate, TLS 1.2", MISSING, || {
            showing(None, TlsVersion::V1_2)
        }),
        kafka("no client certificate, TLS 1.3", MISSING, || {
            showing(None, TlsVersion::V1_3)
        }),
        kafka("a foreign client certificate, TLS 1.2", FOREIGN, || {
            let foreign = certificates::client_unknown_authority();
            showing(Some(foreign), TlsVersion::V1_2)
        }),
        kafka("a foreign client certificate, TLS 1.3", FOREIGN, || {
            let foreign = certificates::client_unknown_authority();
            showing(Some(foreign), TlsVersion::V1_3)
        }),
    ]
}

/// What may pass, so that a run tries for 30 s: listeners, brokers and endpoints that are not up yet look like this too.
pub(crate) fn slow() -> Vec<Trouble> {
    const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
    vec![
        kafka(
            "in the clear to a port with TLS",
            &["this port speaks TLS", PROTOCOL],
            || {
                let security = Security::ssl();
                Scene::new(security, Told::new().protocol("PLAINTEXT"))
            },
        ),
        kafka(
            "TLS to a port in the clear",
            &["does this port speak TLS?", PROTOCOL],
            || {
                let told = Told::new().protocol("SASL_SSL").trusting();
                Scene::new(Security::plaintext(), told.login(Mechanism::Plain))
            },
        ),
        kafka(
            "no SASL where it is demanded",
            &["does this listener demand SASL", "KAFKA_"],
            || {
                let security = Security::sasl_plaintext().user(USER, PASSWORD);
                Scene::new(security, Told::new().protocol("PLAINTEXT"))
            },
        ),
        kafka("an authentication that is never answered", &[], || {
            let scene = by_password(PASSWORD, Mechanism::Plain);
            let silent = FaultRule::new(ApiKey::SaslAuthenticate, Fault::HangBefore);
            scene.peers.kafka.fault(silent.times(usize::MAX));
            scene
        }),
        endpoint("an endpoint that is down", &["is not reachable"], || {
            let scene = by_token(TokenSettings::default(), None);
            if let Some(tokens) = &scene.tokens {
                tokens.stop();
            }
            scene
        }),
    ]
}

pub(crate) fn by_password(told: &str, mechanism: Mechanism) -> Scene {
    let security = Security::sasl_ssl().user(USER, PASSWORD);
    let program = Told::new().protocol("SASL_SSL").trusting();
    let program = program.login(mechanism).with("KAFKA_API_SECRET", told);
    Scene::new(security, program)
}

/// A password or a mechanism that the cluster does not take.
pub(crate) fn passwords() -> Vec<Trouble> {
    const ADVICE: &str = "check KAFKA_API_KEY, KAFKA_API_SECRET and KAFKA_SASL_MECHANISM";
    vec![
        kafka(
            "a wrong password, PLAIN",
            &["authentication by PLAIN refused: ", ADVICE],
            || by_password(WRONG, Mechanism::Plain),
        ),
        kafka(
            "a wrong password, SCRAM-SHA-256",
            &["authentication by SCRAM-SHA-256 refused: ", ADVICE],
            || by_password(WRONG, Mechanism::ScramSha256),
        ),
        kafka(
            "a wrong password, SCRAM-SHA-512",
            &["authentication by SCRAM-SHA-512 refused: ", ADVICE],
            || by_password(WRONG, Mechanism::ScramSha512),
        ),
        kafka(
            "an unknown user",
            &["authentication by SCRAM-SHA-512 refused: ", ADVICE],
            || {
                let scene = by_password(PASSWORD, Mechanism::ScramSha512);
                scene.with("KAFKA_API_KEY", "nobody")
            },
        ),
        kafka(
            "a mechanism that is not enabled",
            &[
                "PLAIN is not enabled there, but SCRAM-SHA-256, OAUTHBEARER",
                "set KAFKA_SASL_MECHANISM to one of these",
            ],
            || {
                let security = Security::sasl_plaintext().user(USER, PASSWORD);
                let enabled = [Mechanism::ScramSha256, Mechanism::OAuthBearer];
                let told = Told::new().protocol("SASL_PLAINTEXT");
                Scene::new(security.mechanisms(&enabled), told.login(Mechanism::Plain))
            },
        ),
        kafka(
            "a password for a port without SASL",
            &["expects no authentication", "KAFKA_SECURITY_PROTOCOL"],
            || {
                let told = Told::new().protocol("SASL_SSL").trusting();
                Scene::new(Security::ssl(), told.login(Mechanism::Plain))
            },
        ),
    ]
}

fn lied_to(lie: ScramLie) -> Scene {
    let scene = by_password(PASSWORD, Mechanism::ScramSha256);
    scene.peers.kafka.lie_in_scram(Some(lie));
    scene
}

/// A cluster that pretends to know the password.
pub(crate) fn forgeries() -> Vec<Trouble> {
    const DISTRUST: &str = "the server is not trusted: ";
    const NOBODY: &str = "leads to the brokers and to nobody in between";
    vec![
        kafka("a wrong signature", &[DISTRUST, NOBODY], || {
            lied_to(ScramLie::WrongSignature)
        }),
        kafka("a foreign nonce", &[DISTRUST, "nonce", NOBODY], || {
            lied_to(ScramLie::ForeignNonce)
        }),
        kafka("too few iterations", &[DISTRUST, "1024", NOBODY], || {
            lied_to(ScramLie::Iterations(1024))
        }),
        kafka("too many iterations", &[DISTRUST, NOBODY], || {
            lied_to(ScramLie::Iterations(u32::MAX))
        }),
    ]
}

pub(crate) fn by_token(settings: TokenSettings, let_in: Option<&Tokens>) -> Scene {
    let tokens = secured::token_server(settings);
    let let_in = let_in.cloned().unwrap_or_else(|| tokens.tokens());
    let security = Security::sasl_ssl().tokens(&let_in);
    let told = Told::new().protocol("SASL_SSL").trusting().tokens(&tokens);
    let told = told.with("KAFKA_OAUTH_EXTENSIONS", "poolId=shoes");
    let scene = Scene::new(security, told);
    Scene {
        tokens: Some(tokens),
        ..scene
    }
}

/// An endpoint that does nothing but this.
pub(crate) fn failing(fault: &HttpFault) -> Scene {
    let scene = by_token(TokenSettings::default(), None);
    if let Some(tokens) = &scene.tokens {
        tokens.fail_next(fault, 10_000);
    }
    scene
}

/// No token, or one that the cluster does not take.
pub(crate) fn tokens() -> Vec<Trouble> {
    vec![
        kafka(
            "a token that the cluster does not know",
            &[
                "authentication by OAUTHBEARER refused: ",
                "invalid_token",
                "; check KAFKA_API_KEY",
            ],
            || by_token(TokenSettings::default(), Some(&Tokens::new())),
        ),
        endpoint(
            "a client that the endpoint does not know",
            &["(401)", "invalid_client", "KAFKA_API_SECRET"],
            || {
                let scene = by_token(TokenSettings::default(), None);
                scene.with("KAFKA_API_SECRET", WRONG)
            },
        ),
        endpoint(
            "a scope that is not granted",
            &["invalid_scope", "KAFKA_OAUTH_SCOPE"],
            || {
                let scope = Some("shoes".to_owned());
                let settings = TokenSettings {
                    scope,
                    ..TokenSettings::default()
                };
                by_token(settings, None)
            },
        ),
        endpoint(
            "an endpoint that repeats the secret",
            &["(401)", "[hidden]"],
            || {
                let words = serde_json::json!({ "error": "invalid_client", "error_description": format!("{CLIENT_SECRET} is wrong") });
                failing(&status(401, &words.to_string()))
            },
        ),
        endpoint(
            "an endpoint that is none",
            &["does not answer as a token endpoint does"],
            || {
                let page = format!("<html>{CLIENT_SECRET}</html>");
                failing(&status(200, &page))
            },
        ),
        endpoint(
            "an endpoint that does not speak HTTP",
            &["does not answer as a token endpoint does"],
            || failing(&HttpFault::Garbage(b"220 mail ESMTP\r\n\r\n".to_vec())),
        ),
        endpoint("an endpoint that redirects", &["redirects"], || {
            failing(&HttpFault::RedirectAs(
                302,
                "http://127.0.0.1:9/".to_owned(),
            ))
        }),
        endpoint(
            "an endpoint that is not to be trusted",
            &["an authority that is not trusted", "KAFKA_SSL_CA_LOCATION"],
            || {
                let unknown = ServerCertificate::UnknownAuthority;
                let tls = Some(Tls::default().certificate(unknown));
                let settings = TokenSettings {
                    tls,
                    ..TokenSettings::default()
                };
                by_token(settings, None)
            },
        ),
    ]
}

/// A registry that refuses; everything else would do.
pub(crate) fn registries() -> Vec<Trouble> {
    fn repeating(code: u16) -> Scene {
        let scene = by_password(PASSWORD, Mechanism::Plain);
        let words = format!("{REGISTRY_USER} came with {REGISTRY_PASSWORD}");
        let body = serde_json::json!({ "error_code": code, "message": words });
        let refusal = status(code, &body.to_string());
        scene.peers.registry.fail_next(&refusal, 10_000);
        scene
    }
    vec![
        registry(
            "a registry that wants another password",
            &["(401)", "check SCHEMA_REGISTRY_API_KEY"],
            || {
                let scene = by_password(PASSWORD, Mechanism::Plain);
                scene.with("SCHEMA_REGISTRY_API_SECRET", WRONG)
            },
        ),
        registry(
            "a registry that repeats the password",
            &["(403)", "registrar came with [hidden]"],
            || repeating(403),
        ),
        registry(
            "a registry that does not take the token",
            &["(401)"],
            || {
                let mut scene = by_token(TokenSettings::default(), None);
                let inherit = "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE";
                scene.told = scene
                    .told
                    .with(inherit, "SASL_OAUTHBEARER_INHERIT")
                    .without("SCHEMA_REGISTRY_API_KEY")
                    .without("SCHEMA_REGISTRY_API_SECRET");
                scene
            },
        ),
    ]
}

/// What no patience helps against.
pub(crate) fn quick() -> Vec<Trouble> {
    [
        server_certificates(),
        client_certificates(),
        passwords(),
        forgeries(),
        tokens(),
        registries(),
    ]
    .concat()
}
