//! Delivery to clusters that encrypt and authenticate: every way in leads to the same records, and what happens to keys,
//! sessions, tokens and passwords meanwhile costs none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::thread;
use std::time::Duration;

use sandbox::certificates as pem;
use sandbox::{
    ApiKey, Config, Fault, FaultRule, Handshake, Login, Mechanism, Registry, RegistrySettings,
    Sandbox, Security, ServerCertificate, State, Tls, TlsVersion, TokenSettings,
};
use support::secured::{self, CLIENT, PASSWORD, Told, USER, WRONG};
use support::shoes::assert_all;
use support::{Ledger, Peers, Program};

/// So short that it ends now and then before it is renewed, on a machine that has other things to do.
const SESSION: Duration = Duration::from_secs(2);
/// So long that it does not: a renewal begins when a twentieth of it is left, or more.
const LONGER_SESSION: Duration = Duration::from_secs(5);
/// Several thousand messages a second.
const UNDER_LOAD: &str = "--interval 200us";

/// So many arrive, each once, in order and as it was made.
#[track_caller]
fn expect_all(told: &Told, peers: &Peers) {
    let ended = told.setup(peers, "--count 300 --interval 0").run();
    ended.expect_code(0).expect_no("⚠️");
    assert_eq!(ended.ledger(), Ledger::all(300));
    assert_all(&peers.kafka, 300);
}

/// Ends a run by a signal: all that was generated has arrived.
#[track_caller]
fn expect_all_after_a_signal(program: Program, peers: &Peers) {
    program.signal("TERM");
    let ended = program.end();
    ended.expect_code(0);
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated), "{}", ended.stderr());
    assert_all(&peers.kafka, ledger.generated);
}

/// At least one, and each in the same way.
#[track_caller]
fn expect_each<T: std::fmt::Debug>(all: &[T], is_right: impl Fn(&T) -> bool) {
    assert!(!all.is_empty() && all.iter().all(is_right), "{all:?}");
}

fn over(is_encrypted: bool) -> (Security, Told) {
    if is_encrypted {
        let told = Told::new().protocol("SASL_SSL").trusting();
        (Security::sasl_ssl(), told)
    } else {
        let told = Told::new().protocol("SASL_PLAINTEXT");
        (Security::sasl_plaintext(), told)
    }
}

/// So many renewals on every node.
fn renewed(state: &State, times: usize) -> bool {
    let on = |node| {
        let of_node = |login: &&Login| login.node == node && login.again;
        state.logins().iter().filter(of_node).count()
    };
    on(1) >= times && on(2) >= times
}

fn two_nodes(security: Security) -> Peers {
    let config = Config {
        nodes: 2,
        topics: vec![("js_shoe".to_owned(), 4)],
        ..Config::default()
    };
    secured::peers_with(config, security)
}

#[test]
fn every_password_mechanism_delivers_in_the_clear_and_encrypted() {
    for is_encrypted in [false, true] {
        for mechanism in [
            Mechanism::Plain,
            Mechanism::ScramSha256,
            Mechanism::ScramSha512,
        ] {
            let (security, told) = over(is_encrypted);
            let peers = secured::peers(security.user(USER, PASSWORD));
            expect_all(&told.login(mechanism), &peers);
            expect_each(&peers.kafka.logins(), |login| {
                login.mechanism == mechanism && login.user == USER && !login.again
            });
            assert_eq!(peers.kafka.look(State::denied_logins), 0);
            assert_eq!(peers.kafka.handshakes().is_empty(), !is_encrypted);
            expect_each(&peers.registry.authorizations(), |shown| {
                shown.starts_with("Basic ")
            });
        }
    }
}

#[test]
fn a_token_of_either_kind_of_endpoint_delivers_and_its_extensions_arrive() {
    for is_encrypted in [false, true] {
        let tls = is_encrypted.then(Tls::default);
        let endpoint = secured::token_server(TokenSettings {
            tls,
            scope: Some("shoes socks".to_owned()),
            ..TokenSettings::default()
        });
        let (security, told) = over(is_encrypted);
        let peers = secured::peers(security.tokens(&endpoint.tokens()));
        let told = told
            .tokens(&endpoint)
            .with("KAFKA_OAUTH_SCOPE", "shoes socks")
            .with(
                "KAFKA_OAUTH_EXTENSIONS",
                "logicalCluster=lkc-1,identityPoolId=pool-2",
            );
        expect_all(&told, &peers);
        expect_each(&peers.kafka.logins(), |login| {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            login.mechanism == Mechanism::OAuthBearer
                && login.user == CLIENT
                && login.extensions
                    == [
                        pair("logicalCluster", "lkc-1"),
                        pair("identityPoolId", "pool-2"),
                    ]
        });
        assert_eq!(endpoint.issued(), 1);
    }
}

/// Everything that can be secured at once.
#[test]
fn one_token_opens_cluster_and_registry_where_all_is_encrypted_and_certificates_are_mutual() {
    let mutual = Tls::default().client_certificate();
    let endpoint = secured::token_server(TokenSettings {
        tls: Some(mutual.clone()),
        ..TokenSettings::default()
    });
    let security = Security::sasl_ssl().tls(mutual.clone());
    let registry = RegistrySettings {
        tokens: Some(endpoint.tokens()),
        tls: Some(mutual),
        ..RegistrySettings::default()
    };
    let peers = Peers {
        kafka: Sandbox::start(Config {
            security: security.tokens(&endpoint.tokens()),
            ..Config::default()
        })
        .unwrap(),
        registry: Registry::start(&registry).unwrap(),
    };
    let told = Told::default()
        .protocol("SASL_SSL")
        .trusting()
        .identity(pem::client(), pem::client_key())
        .tokens(&endpoint)
        .with(
            "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE",
            "SASL_OAUTHBEARER_INHERIT",
        );
    expect_all(&told, &peers);
    for handshakes in [
        peers.kafka.handshakes(),
        peers.registry.handshakes(),
        endpoint.handshakes(),
    ] {
        expect_each(&handshakes, |one| {
            one.error.is_none() && one.client_certificate
        });
    }
}

#[test]
fn servers_with_any_form_of_certificate_and_either_version_of_tls_are_delivered_to() {
    for certificate in [
        ServerCertificate::Good,
        ServerCertificate::Rsa,
        ServerCertificate::Chain,
    ] {
        for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
            let tls = Tls::default().certificate(certificate).only(version);
            let peers = secured::peers(Security::ssl().tls(tls));
            expect_all(&Told::new().protocol("SSL").trusting(), &peers);
            expect_each(&peers.kafka.handshakes(), |handshake| {
                handshake.error.is_none() && handshake.version == Some(version)
            });
        }
    }
}

/// Scenario 38.
#[test]
fn a_client_certificate_is_shown_whatever_form_its_key_has() {
    for (certificate, key) in [
        (pem::client(), pem::client_key()),
        (pem::client(), pem::client_key_sec1()),
        (pem::client_rsa(), pem::client_rsa_key()),
        (pem::client_rsa(), pem::client_rsa_key_pkcs1()),
        (pem::client_chain(), pem::client_key()),
    ] {
        for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
            let tls = Tls::default().client_certificate().only(version);
            let peers = secured::peers(Security::ssl().tls(tls));
            let told = Told::new().protocol("SSL").trusting();
            expect_all(&told.identity(certificate, key), &peers);
            expect_each(&peers.kafka.handshakes(), |handshake| {
                handshake.error.is_none() && handshake.client_certificate
            });
        }
    }
}

#[test]
fn the_name_that_was_configured_is_asked_for_and_no_address_ever_is() {
    let peers = secured::peers(Security::ssl());
    let port = peers.kafka.address(1).unwrap().port();
    let told = Told::new().protocol("SSL").trusting();
    let told = told.with("KAFKA_BOOTSTRAP_SERVERS", format!("localhost:{port}"));
    let ended = told.setup(&peers, "--count 300 --interval 0").run();
    ended.expect_code(0);
    assert_all(&peers.kafka, 300);
    let named = |handshake: &Handshake| handshake.server_name.as_deref() == Some("localhost");
    let handshakes = peers.kafka.handshakes();
    assert!(handshakes.iter().any(named), "{handshakes:?}");
    // The broker that leads is advertised as 127.0.0.1.
    expect_each(&handshakes, |one| named(one) || one.server_name.is_none());
}

/// Scenario 39.
#[test]
fn sessions_that_are_renewed_under_load_cost_nothing() {
    let renew = |is_encrypted, mechanism| {
        let (security, told) = over(is_encrypted);
        let security = security.user(USER, PASSWORD);
        let peers = two_nodes(security.session_lifetime(LONGER_SESSION));
        let program = told.login(mechanism).setup(&peers, UNDER_LOAD).start();
        peers.wait("three renewals on each node", |state| renewed(state, 3));
        expect_all_after_a_signal(program, &peers);
        assert_eq!(peers.kafka.look(State::expired_sessions), 0);
    };
    thread::scope(|scope| {
        scope.spawn(|| renew(true, Mechanism::Plain));
        scope.spawn(|| renew(false, Mechanism::ScramSha512));
    });
}

/// Scenario 39.
#[test]
fn tokens_that_live_for_seconds_are_renewed_under_load() {
    let endpoint = secured::token_server(TokenSettings {
        lifetime: Duration::from_secs(3),
        ..TokenSettings::default()
    });
    let security = Security::sasl_ssl().tokens(&endpoint.tokens());
    let peers = two_nodes(security.session_lifetime(SESSION));
    let told = Told::new().protocol("SASL_SSL").trusting();
    let program = told.tokens(&endpoint).setup(&peers, UNDER_LOAD).start();
    peers.wait("three renewals on each node", |state| renewed(state, 3));
    expect_all_after_a_signal(program, &peers);
    assert!(endpoint.issued() >= 2, "{}", endpoint.issued());
}

/// An endpoint that is away for a while is no trouble while the token lasts, and told of.
#[test]
fn a_token_that_cannot_be_renewed_at_once_costs_nothing() {
    let endpoint = secured::token_server(TokenSettings {
        lifetime: Duration::from_secs(3),
        ..TokenSettings::default()
    });
    let peers = two_nodes(Security::sasl_plaintext().tokens(&endpoint.tokens()));
    let told = Told::new().protocol("SASL_PLAINTEXT").tokens(&endpoint);
    let mut program = told.setup(&peers, "--interval 1ms").start();
    peers.wait_records(1);
    endpoint.stop();
    program.line("⚠️ no new token: token endpoint ");
    // What brokers think of the old one.
    peers.wait("a refusal", |state| state.denied_logins() >= 1);
    endpoint.restart().unwrap();
    let count = peers.kafka.record_count("js_shoe");
    peers.wait_records(count + 100);
    expect_all_after_a_signal(program, &peers);
}

/// Scenario 39.
#[test]
fn a_password_that_is_changed_and_changed_back_costs_no_record() {
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256] {
        let (security, told) = over(true);
        let security = security.user(USER, PASSWORD).session_lifetime(SESSION);
        let peers = two_nodes(security);
        let told = told.login(mechanism);
        let mut program = told.setup(&peers, "--interval 1ms").start();
        peers.wait("a renewal", |state| state.reauthentications() >= 1);
        peers.kafka.set_password(USER, WRONG);
        // The renewal, and whoever tries to come back.
        peers.wait("refusals", |state| state.denied_logins() >= 4);
        let line = program.line("⚠️ ");
        let words = format!("authentication by {} refused", mechanism.name());
        assert!(line.contains(&words), "{line}");
        peers.kafka.set_password(USER, PASSWORD);
        let count = peers.kafka.record_count("js_shoe");
        peers.wait_records(count + 100);
        expect_all_after_a_signal(program, &peers);
    }
}

#[test]
fn new_keys_and_ends_within_and_beneath_tls_cost_nothing() {
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        for fault in [
            Fault::UpdateKeys,
            Fault::CloseAfter,
            Fault::DropAfter,
            Fault::Truncate(7),
            Fault::RawBeneathTls(vec![0x17, 3, 3, 0, 4, 1, 2, 3, 4]),
            Fault::RawBeneathTls(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ] {
            let tls = Tls::default().only(version);
            let peers = secured::peers(Security::ssl().tls(tls));
            let rule = FaultRule::new(ApiKey::Produce, fault.clone());
            peers.kafka.fault(rule.after(1).times(3));
            let told = Told::new().protocol("SSL").trusting();
            let told = told.with("KAFKA_BATCH_SIZE", "5000");
            let ended = told.setup(&peers, "--count 1000 --interval 0").run();
            assert_eq!(ended.code, Some(0), "{fault:?}:\n{}", ended.stderr());
            assert_eq!(ended.ledger(), Ledger::all(1000), "{fault:?}");
            assert_all(&peers.kafka, 1000);
            let left = peers
                .kafka
                .look(|state| state.pending_faults(ApiKey::Produce));
            assert_eq!(left, 0, "{fault:?}");
            if matches!(fault, Fault::UpdateKeys) {
                ended.expect_no("⚠️");
            }
        }
    }
}

/// Scenarios 3 and 4.
#[test]
fn secured_brokers_that_die_and_return_under_load_cost_nothing() {
    let config = Config {
        nodes: 3,
        topics: vec![("js_shoe".to_owned(), 6)],
        ..Config::default()
    };
    let security = Security::sasl_ssl().user(USER, PASSWORD);
    let peers = secured::peers_with(config, security.session_lifetime(SESSION));
    let told = Told::new().protocol("SASL_SSL").trusting();
    let told = told.login(Mechanism::ScramSha256);
    let mut program = told.setup(&peers, UNDER_LOAD).start();
    peers.wait_records(100);
    peers.die_and_return(&mut program, 500);
    expect_all_after_a_signal(program, &peers);
}
