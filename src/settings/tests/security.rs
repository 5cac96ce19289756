//! Encryption and authentication: what is accepted, what is refused, and what is warned about.

use super::*;
use crate::kafka::config::{Login, Sasl, ScramHash};
use crate::secret::Secret;

macro_rules! certificate {
    ($name:literal) => {
        include_str!(concat!("../../../tests/sandbox/certificates/", $name))
    };
}

const CA: &str = certificate!("ca.pem");
const CLIENT: &str = certificate!("client-chain.pem");
const CLIENT_KEY: &str = certificate!("client-key.pem");
const OTHER_KEY: &str = certificate!("client-rsa-key.pem");
const ENCRYPTED_KEY: &str = certificate!("client-key-encrypted.pem");

/// What the environment holds.
type Given<'a> = Vec<(&'a str, &'a str)>;

const LOGIN: [(&str, &str); 2] = [("KAFKA_API_KEY", "me"), ("KAFKA_API_SECRET", "hunter2")];
const ENDPOINT: (&str, &str) = ("KAFKA_OAUTH_TOKEN_ENDPOINT_URL", "https://idp/token");
/// Tokens, an authority of our own and a client certificate.
const TOKENS_AND_FILES: [(&str, &str); 7] = [
    LOGIN[0],
    LOGIN[1],
    OAUTHBEARER,
    ENDPOINT,
    ("KAFKA_SSL_CA_LOCATION", "ca.pem"),
    ("KAFKA_SSL_CERTIFICATE_LOCATION", "client.pem"),
    ("KAFKA_SSL_KEY_LOCATION", "client.key"),
];
const OAUTHBEARER: (&str, &str) = ("KAFKA_SASL_MECHANISM", "OAUTHBEARER");
const INHERIT: (&str, &str) = (
    "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE",
    "SASL_OAUTHBEARER_INHERIT",
);

fn files() -> Directory {
    Directory::new()
        .with("ca.pem", CA)
        .with("client.pem", CLIENT)
        .with("client.key", CLIENT_KEY)
        .with("other.key", OTHER_KEY)
        .with("encrypted.key", ENCRYPTED_KEY)
        .with("empty.pem", "")
        .with("huge.pem", vec![b'\n'; (1 << 20) + 1])
        .with("broken.pem", CA.replace('M', "!"))
        .with(
            "no-certificate.pem",
            "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n",
        )
}

fn warnings(args: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let loaded = files().load(&format!("{REQUIRED} {args}"), environment);
    loaded.unwrap().warnings
}

fn login() -> Login {
    Login {
        user: "me".to_owned(),
        password: Secret::new("hunter2".to_owned()),
    }
}

#[test]
fn a_user_and_a_password_mean_sasl_over_tls() {
    let settings = run("", &LOGIN);
    assert_eq!(settings.kafka.sasl, Some(Sasl::Plain(login())));
    assert!(settings.kafka.tls.is_some() && settings.registry.tls.is_none());
    for (mechanism, hash) in [
        ("SCRAM-SHA-256", ScramHash::Sha256),
        ("scram-sha-512", ScramHash::Sha512),
    ] {
        let args = format!("--sasl-mechanism {mechanism} --security-protocol SASL_PLAINTEXT");
        let settings = run(&args, &LOGIN);
        assert_eq!(settings.kafka.sasl, Some(Sasl::Scram(hash, login())));
        assert!(settings.kafka.tls.is_none());
    }
}

#[test]
fn oauthbearer_has_an_endpoint_a_scope_and_extensions() {
    let more = [
        ENDPOINT,
        OAUTHBEARER,
        ("KAFKA_OAUTH_SCOPE", "a b"),
        (
            "KAFKA_OAUTH_EXTENSIONS",
            "logicalCluster=lkc-1,identityPoolId=pool-2",
        ),
        INHERIT,
        ("SCHEMA_REGISTRY_BEARER_AUTH_LOGICAL_CLUSTER", "lsrc-3"),
    ];
    let settings = run("", &[&LOGIN[..], &more].concat());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let extensions = vec![
        pair("logicalCluster", "lkc-1"),
        pair("identityPoolId", "pool-2"),
    ];
    assert_eq!(settings.kafka.sasl, Some(Sasl::OAuthBearer { extensions }));
    let token = settings.token.unwrap();
    assert_eq!(
        (token.url.as_str(), token.client_id.as_str()),
        ("https://idp/token", "me")
    );
    assert_eq!(token.client_secret.expose(), "hunter2");
    assert_eq!(token.scope.as_deref(), Some("a b"));
    assert!(token.tls.is_some());
    let bearer = settings.registry.bearer.unwrap();
    assert_eq!(bearer.logical_cluster.as_deref(), Some("lsrc-3"));
    assert_eq!(bearer.identity_pool.as_deref(), Some("pool-2"));
    // Not where it was not asked for.
    let settings = run("", &[&LOGIN[..], &more[..4]].concat());
    assert!(settings.registry.bearer.is_none());
}

#[test]
fn what_would_protect_less_than_it_seems_is_refused() {
    const NEEDS_LOGIN: &str = "needs KAFKA_API_KEY and KAFKA_API_SECRET (or KAFKA_API_KEY_FILE and KAFKA_API_SECRET_FILE)";
    let cases: [(&str, Given, String); 17] = [
        ("--security-protocol SASL_SSL", vec![], format!("--security-protocol SASL_SSL: {NEEDS_LOGIN}")),
        ("--sasl-mechanism SCRAM-SHA-256", vec![], format!("--sasl-mechanism SCRAM-SHA-256: {NEEDS_LOGIN}")),
        ("", vec![LOGIN[0]], "KAFKA_API_KEY=me (environment): needs KAFKA_API_SECRET (or KAFKA_API_SECRET_FILE) too".into()),
        ("", vec![LOGIN[1]], "KAFKA_API_SECRET=[hidden] (environment): needs KAFKA_API_KEY (or KAFKA_API_KEY_FILE) too".into()),
        ("", vec![LOGIN[0], LOGIN[1], OAUTHBEARER], "KAFKA_SASL_MECHANISM=OAUTHBEARER (environment): needs KAFKA_OAUTH_TOKEN_ENDPOINT_URL too".into()),
        ("", vec![LOGIN[0], LOGIN[1], ENDPOINT], "KAFKA_OAUTH_TOKEN_ENDPOINT_URL=https://idp/token (environment): needs KAFKA_SASL_MECHANISM=OAUTHBEARER".into()),
        ("", vec![("KAFKA_OAUTH_SCOPE", "x")], "KAFKA_OAUTH_SCOPE=x (environment): needs KAFKA_SASL_MECHANISM=OAUTHBEARER".into()),
        ("", vec![("KAFKA_OAUTH_EXTENSIONS", "a=b")], "KAFKA_OAUTH_EXTENSIONS=a=b (environment): needs KAFKA_SASL_MECHANISM=OAUTHBEARER".into()),
        ("", vec![("KAFKA_OAUTH_EXTENSIONS", "auth=b")], "KAFKA_OAUTH_EXTENSIONS=auth=b (environment): the name auth is the token's own (RFC 7628); allowed: name=value,name=value".into()),
        ("", vec![INHERIT], format!("{}={} (environment): needs KAFKA_SASL_MECHANISM=OAUTHBEARER, and SASL in KAFKA_SECURITY_PROTOCOL", INHERIT.0, INHERIT.1)),
        (
            "",
            vec![LOGIN[0], LOGIN[1], ENDPOINT, OAUTHBEARER, INHERIT, ("SCHEMA_REGISTRY_API_KEY", "u"), ("SCHEMA_REGISTRY_API_SECRET", "hunter2")],
            format!("{}={} (environment): the registry is given a user name and a password too (SCHEMA_REGISTRY_API_KEY, or in its URL); keep one", INHERIT.0, INHERIT.1),
        ),
        (
            "",
            vec![("SCHEMA_REGISTRY_BEARER_AUTH_LOGICAL_CLUSTER", "lsrc-1")],
            format!("SCHEMA_REGISTRY_BEARER_AUTH_LOGICAL_CLUSTER=lsrc-1 (environment): needs {}={}", INHERIT.0, INHERIT.1),
        ),
        ("--security-protocol SSL", vec![("KAFKA_SSL_CERTIFICATE_LOCATION", "client.pem")], "KAFKA_SSL_CERTIFICATE_LOCATION=client.pem (environment): needs KAFKA_SSL_KEY_LOCATION too".into()),
        ("--security-protocol SSL", vec![("KAFKA_SSL_KEY_LOCATION", "client.key")], "KAFKA_SSL_KEY_LOCATION=client.key (environment): needs KAFKA_SSL_CERTIFICATE_LOCATION too".into()),
        ("", vec![LOGIN[0], LOGIN[1], OAUTHBEARER, (ENDPOINT.0, "https://me:hunter2@idp/token")], "KAFKA_OAUTH_TOKEN_ENDPOINT_URL=https://[hidden]@idp/token (environment): holds credentials, which belong in KAFKA_API_KEY and KAFKA_API_SECRET; allowed: a URL such as https://host/path".into()),
        ("", vec![LOGIN[0], ("KAFKA_API_SECRET", "hunter2\0")], "KAFKA_API_SECRET (environment): has a NUL character; allowed: one line of text".into()),
        ("", vec![LOGIN[0], LOGIN[1], ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-265")], "KAFKA_SASL_MECHANISM=SCRAM-SHA-265 (environment): unknown value; allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; did you mean `SCRAM-SHA-256`?".into()),
    ];
    for (args, environment, error) in cases {
        let args = format!("{REQUIRED} {args}");
        assert_eq!(mistakes_in(&files(), &args, &environment), [error]);
    }
}

/// Beyond printable ASCII nobody can say what a broker derived its keys from.
#[test]
fn what_scram_cannot_carry_is_refused_before_anything_is_tried() {
    const WHY: &str = "holds characters other than printable ASCII, which brokers and clients prepare for SCRAM in different ways; choose others, or another KAFKA_SASL_MECHANISM";
    let login = [
        ("KAFKA_API_KEY", "schuhgröße"),
        ("KAFKA_API_SECRET", "hunter2\t€"),
    ];
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let environment = [login[0], login[1], ("KAFKA_SASL_MECHANISM", mechanism)];
        assert_eq!(
            mistakes("", &environment),
            [
                format!("KAFKA_API_KEY=schuhgröße (environment): {WHY}"),
                format!("KAFKA_API_SECRET=[hidden] (environment): {WHY}"),
            ]
        );
    }
    assert!(
        run("", &login).kafka.sasl.is_some(),
        "PLAIN carries all of it"
    );
}

#[test]
fn what_does_nothing_and_what_travels_in_the_clear_is_warned_about() {
    let plaintext = ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT");
    let sasl_plaintext = ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT");
    let registry = [
        ("SCHEMA_REGISTRY_API_KEY", "u"),
        ("SCHEMA_REGISTRY_API_SECRET", "p"),
    ];
    let cases: [(&str, Given, &str); 9] = [
        (
            "",
            vec![LOGIN[0], LOGIN[1], plaintext],
            "KAFKA_API_KEY: not used, for KAFKA_SECURITY_PROTOCOL=PLAINTEXT does not authenticate; SASL_SSL does",
        ),
        (
            "--security-protocol SSL",
            vec![("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256")],
            "KAFKA_SASL_MECHANISM: not used, for KAFKA_SECURITY_PROTOCOL=SSL does not authenticate; SASL_SSL does",
        ),
        (
            "--ssl-ca nowhere.pem",
            vec![],
            "KAFKA_SSL_CA_LOCATION: not used, for neither KAFKA_SECURITY_PROTOCOL nor a URL asks for TLS; SSL, SASL_SSL and https do",
        ),
        (
            "--security-protocol SSL",
            vec![("SCHEMA_REGISTRY_SSL_CA_LOCATION", "nowhere.pem")],
            "SCHEMA_REGISTRY_SSL_CA_LOCATION: not used, for SCHEMA_REGISTRY_URL does not ask for TLS; https does",
        ),
        (
            "",
            vec![LOGIN[0], LOGIN[1], sasl_plaintext],
            "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT: the password travels unencrypted to k:1; use SASL_SSL",
        ),
        (
            "",
            vec![LOGIN[0], LOGIN[1], sasl_plaintext, OAUTHBEARER, ENDPOINT],
            "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT: the token travels unencrypted to k:1; use SASL_SSL",
        ),
        (
            "",
            vec![
                LOGIN[0],
                LOGIN[1],
                OAUTHBEARER,
                (ENDPOINT.0, "http://idp/token"),
            ],
            "KAFKA_OAUTH_TOKEN_ENDPOINT_URL: the client's secret and the tokens travel unencrypted; use https",
        ),
        (
            "",
            vec![registry[0], registry[1]],
            "SCHEMA_REGISTRY_URL: credentials travel unencrypted; use https",
        ),
        (
            "",
            vec![LOGIN[0], LOGIN[1], OAUTHBEARER, ENDPOINT, INHERIT],
            "SCHEMA_REGISTRY_URL: credentials travel unencrypted; use https",
        ),
    ];
    for (args, environment, warning) in cases {
        assert_eq!(warnings(args, &environment), [warning]);
    }
    let here = "--bootstrap-servers localhost,127.0.0.1:1 --registry-url http://u:p@[::1]:1";
    let environment = [
        LOGIN[0],
        LOGIN[1],
        sasl_plaintext,
        OAUTHBEARER,
        (ENDPOINT.0, "http://localhost:1/"),
    ];
    assert_eq!(
        warnings(here, &environment),
        [""; 0],
        "this machine listens to itself"
    );
    assert_eq!(
        warnings("--sasl-mechanism plain", &[]),
        [""; 0],
        "the default, spelt out"
    );
    let scram = [
        LOGIN[0],
        LOGIN[1],
        sasl_plaintext,
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
    ];
    assert_eq!(warnings("", &scram), [""; 0], "SCRAM shows no password");
}

#[test]
fn peers_that_trust_the_same_share_one_configuration() {
    let environment = TOKENS_AND_FILES;
    let https = "--registry-url https://r";
    let settings = run_in(&files(), https, &environment);
    let kafka = settings.kafka.tls.unwrap();
    let registry = settings.registry.tls.unwrap();
    let token = settings.token.unwrap().tls.unwrap();
    assert!(Arc::ptr_eq(&kafka.client(), &registry.client()));
    // It trusts the built-in authorities too.
    assert!(!Arc::ptr_eq(&kafka.client(), &token.client()));
    assert!(kafka.has_identity() && token.has_identity());

    let own = [
        environment[4],
        ("SCHEMA_REGISTRY_SSL_CA_LOCATION", "client.pem"),
    ];
    let settings = run_in(&files(), &format!("{https} --security-protocol SSL"), &own);
    let [kafka, registry] = [settings.kafka.tls, settings.registry.tls].map(Option::unwrap);
    assert!(!Arc::ptr_eq(&kafka.client(), &registry.client()));
}

/// Scenario 38.
#[test]
fn a_file_that_is_not_what_it_should_be_is_named_and_never_shown() {
    let directory = files();
    for (certificate, key, error) in [
        (
            "client.pem",
            "nowhere",
            "KAFKA_SSL_KEY_LOCATION=nowhere (environment): no such file",
        ),
        (
            "client.pem",
            "empty.pem",
            "KAFKA_SSL_KEY_LOCATION=empty.pem (environment): holds no private key; it is empty",
        ),
        (
            "client.pem",
            "ca.pem",
            "KAFKA_SSL_KEY_LOCATION=ca.pem (environment): holds no private key; it holds a certificate",
        ),
        (
            "client.pem",
            "other.key",
            "KAFKA_SSL_KEY_LOCATION=other.key (environment): is not the key of the certificate",
        ),
        (
            "client.pem",
            "huge.pem",
            "KAFKA_SSL_KEY_LOCATION=huge.pem (environment): the file is larger than 1048576 bytes",
        ),
        (
            "client.key",
            "client.key",
            "KAFKA_SSL_CERTIFICATE_LOCATION=client.key (environment): holds no certificate; it holds a private key",
        ),
        (
            "no-certificate.pem",
            "client.key",
            "KAFKA_SSL_CERTIFICATE_LOCATION=no-certificate.pem (environment): holds no X.509 certificate, or a damaged one",
        ),
    ] {
        let environment = [
            ("KAFKA_SSL_CERTIFICATE_LOCATION", certificate),
            ("KAFKA_SSL_KEY_LOCATION", key),
        ];
        let args = format!("{REQUIRED} --security-protocol SSL");
        assert_eq!(mistakes_in(&directory, &args, &environment), [error]);
    }
    let encrypted = [
        ("KAFKA_SSL_CERTIFICATE_LOCATION", "client.pem"),
        ("KAFKA_SSL_KEY_LOCATION", "encrypted.key"),
    ];
    let errors = mistakes_in(
        &directory,
        &format!("{REQUIRED} --security-protocol SSL"),
        &encrypted,
    );
    assert!(
        errors[0].contains("is encrypted with a pass phrase"),
        "{errors:?}"
    );
    for (file, error) in [
        (
            "broken.pem",
            "--ssl-ca broken.pem: is no proper PEM file: a section is not base64",
        ),
        (
            "no-certificate.pem",
            "--ssl-ca no-certificate.pem: certificate 1 of the file is not an X.509 certificate",
        ),
        (
            ".",
            "--ssl-ca .: the file cannot be read: Is a directory (os error 21)",
        ),
    ] {
        let args =
            format!("{REQUIRED} --registry-url https://r --security-protocol SSL --ssl-ca {file}");
        assert_eq!(mistakes_in(&directory, &args, &[]), [error]);
    }
}

#[test]
fn all_files_that_are_wrong_are_told_of_at_once() {
    let environment = [
        ("KAFKA_SSL_CA_LOCATION", "a"),
        ("SCHEMA_REGISTRY_SSL_CA_LOCATION", "b"),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", "c"),
        ("KAFKA_SSL_KEY_LOCATION", "d"),
    ];
    let args = "--security-protocol SSL --registry-url https://r";
    assert_eq!(mistakes(args, &environment).len(), 4);
    // Nobody is connected to, and no file is read.
    let loaded = Directory::new().load(&format!("--dry-run {args}"), &environment);
    assert!(matches!(loaded.unwrap().command, Command::DryRun(_)));
}

#[test]
fn the_configuration_shows_files_and_urls_and_no_secret() {
    let environment = [&TOKENS_AND_FILES[..], &[("KAFKA_OAUTH_EXTENSIONS", "a=b")]].concat();
    let (text, mistakes) = config(&files(), "", &environment);
    assert!(mistakes.is_empty(), "{mistakes}");
    for (variable, shown) in [
        ("KAFKA_API_SECRET", "[hidden] environment"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL default"),
        (
            "KAFKA_OAUTH_TOKEN_ENDPOINT_URL",
            "https://idp/token environment",
        ),
        ("KAFKA_OAUTH_EXTENSIONS", "a=b environment"),
        ("KAFKA_SSL_CA_LOCATION", "ca.pem environment"),
        ("KAFKA_SSL_KEY_LOCATION", "client.key environment"),
    ] {
        assert_eq!(row(&text, variable), shown);
    }
    let (_, mistakes) = config(&Directory::new(), "", &environment);
    assert_eq!(mistakes.0.len(), 3, "{mistakes}");
}
