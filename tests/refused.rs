//! What ends a run before it begins where encryption or authentication is not as it should be (scenarios 38 and 39): one line
//! that says who refused whom, in the refuser's own words, and what to do.
//!
//! What is wrong is listed in `support/trouble.rs`. What no patience helps against ends the run at once: nothing is tried
//! twice, so that no account is locked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{
    ApiKey, HttpFault, Mechanism, Registry, RegistrySettings, Security, Tls, TokenSettings,
};
use support::secured::{self, Told};
use support::shoes::assert_all;
use support::trouble::{self, Scene, Trouble, each_at_once};
use support::{Ended, Ledger, Peers};

/// The run has ended before it began, with one line that says what was wrong, which is returned.
#[track_caller]
fn expect_one_line<'a>(trouble: &Trouble, scene: &Scene, ended: &'a Ended) -> &'a str {
    ended.expect_code(1);
    assert_eq!(ended.ledger(), Ledger::all(0));
    let lines = ended.lines.iter().filter(|line| line.starts_with("❌ "));
    let [line] = lines.collect::<Vec<_>>()[..] else {
        panic!("not one line:\n{}", ended.stderr());
    };
    let who = match (trouble.by, &scene.tokens) {
        ("token endpoint ", Some(endpoint)) => endpoint.url(),
        ("schema registry ", _) => scene.peers.registry.url(),
        _ => scene.peers.kafka.bootstrap_servers(),
    };
    let begin = format!("❌ {}", trouble.by);
    assert!(line.starts_with(&begin) && line.contains(&who), "{line}");
    for words in trouble.words {
        assert!(line.contains(words), "no {words:?} in {line}");
    }
    assert_eq!(scene.peers.kafka.record_count("js_shoe"), 0);
    assert_eq!(scene.peers.kafka.violations(), Vec::<String>::new());
    line
}

/// Each ends its run at once: it does not even warn before.
fn expect_refusals(troubles: Vec<Trouble>, look: fn(&Scene)) {
    each_at_once(troubles, |trouble| {
        let scene = trouble.scene();
        let ended = scene.setup("").run();
        expect_one_line(trouble, &scene, &ended);
        ended.expect_no("⚠️");
        look(&scene);
    });
}

/// Scenario 38.
#[test]
fn a_broker_whose_certificate_is_not_to_be_trusted_is_told_nothing() {
    expect_refusals(trouble::server_certificates(), |scene| {
        assert_eq!(scene.peers.kafka.requests(ApiKey::ApiVersions), 0);
    });
}

/// Scenario 38.
#[test]
fn a_client_certificate_that_is_missing_or_foreign_is_told_in_either_version_of_tls() {
    expect_refusals(trouble::client_certificates(), |_| ());
}

/// Scenario 39.
#[test]
fn a_password_or_mechanism_that_is_refused_is_told_in_the_brokers_words_and_not_tried_again() {
    expect_refusals(trouble::passwords(), |scene| {
        let handshakes = scene.peers.kafka.requests(ApiKey::SaslHandshake);
        let denied = scene.peers.kafka.look(sandbox::State::denied_logins);
        assert!(handshakes == 1 && denied <= 1, "{handshakes}, {denied}");
    });
}

/// Scenario 39.
#[test]
fn a_server_that_only_pretends_to_know_the_password_is_not_believed() {
    expect_refusals(trouble::forgeries(), |_| ());
}

#[test]
fn a_token_that_is_not_given_or_not_taken_is_told_in_the_refusers_words() {
    expect_refusals(trouble::tokens(), |scene| {
        let endpoint = scene.tokens.as_ref().unwrap();
        assert!(endpoint.requests().len() <= 1);
    });
}

/// Scenario 40.
#[test]
fn a_registry_that_does_not_let_us_in_is_told_before_brokers_are_asked() {
    expect_refusals(trouble::registries(), |scene| {
        assert_eq!(scene.peers.kafka.requests(ApiKey::ApiVersions), 0);
    });
}

/// All that a run waits 30 s for, at once.
///
/// Scenarios 31, 38 and 39.
#[test]
fn what_may_pass_is_waited_for_and_then_told_in_one_line() {
    each_at_once(trouble::slow(), |trouble| {
        let scene = trouble.scene();
        let ended = scene.setup("").run();
        let line = expect_one_line(trouble, &scene, &ended);
        assert!(
            line.contains("within 30 s") || line.contains("gave up after 30s"),
            "{line}"
        );
        assert!(ended.stderr().contains("⚠️ "), "{}", ended.stderr());
    });
}

#[test]
fn a_token_endpoint_that_is_down_or_busy_at_the_start_is_waited_for() {
    for is_down in [true, false] {
        let endpoint = secured::token_server(TokenSettings::default());
        let peers = secured::peers(Security::sasl_plaintext().tokens(&endpoint.tokens()));
        if is_down {
            endpoint.stop();
        } else {
            endpoint.fail_next(&secured::status(503, ""), 2);
        }
        let told = Told::new().protocol("SASL_PLAINTEXT").tokens(&endpoint);
        let mut program = told.setup(&peers, "--count 10 --interval 0").start();
        let line = program.line("⚠️ token endpoint ");
        assert!(line.contains(&endpoint.url()), "{line}");
        if is_down {
            endpoint.restart().unwrap();
        }
        let ended = program.end();
        ended.expect_code(0);
        assert_eq!(ended.ledger(), Ledger::all(10));
        assert_all(&peers.kafka, 10);
    }
}

/// Neither password, token nor client secret: nobody else is even connected to, whatever kind of redirect it is.
///
/// Scenario 40.
#[test]
fn a_redirect_carries_no_credential_to_another_host_in_the_clear_or_encrypted() {
    for tls in [None, Some(Tls::default())] {
        let registry = || {
            let tls = tls.clone();
            let settings = RegistrySettings::default();
            Registry::start(&RegistrySettings { tls, ..settings }).unwrap()
        };
        let endpoint = secured::token_server(TokenSettings {
            tls: tls.clone(),
            ..TokenSettings::default()
        });
        let elsewhere = registry();
        let peers = Peers {
            registry: registry(),
            ..Peers::start()
        };
        let told = Told::new().protocol("SASL_PLAINTEXT").trusting();
        let by_password = told.clone().login(Mechanism::Plain);
        let by_token = told
            .without("SCHEMA_REGISTRY_API_KEY")
            .without("SCHEMA_REGISTRY_API_SECRET")
            .with(
                "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE",
                "SASL_OAUTHBEARER_INHERIT",
            )
            .tokens(&endpoint);
        for code in [301, 302, 303, 307, 308] {
            let redirect = HttpFault::RedirectAs(code, format!("{}/subjects", elsewhere.url()));
            for (told, scheme) in [(&by_password, "Basic "), (&by_token, "Bearer ")] {
                peers.registry.fail_next(&redirect, 1);
                let ended = told.setup(&peers, "").run();
                ended.expect_code(1);
                let line = ended.line("❌ schema registry ");
                assert!(line.contains("redirects"), "{line}");
                assert!(line.contains(&elsewhere.url()), "{line}");
                let shown = peers.registry.authorizations().pop().unwrap();
                assert!(shown.starts_with(scheme), "{shown}");
            }
            endpoint.fail_next(&redirect, 1);
            let ended = by_token.setup(&peers, "").run();
            ended.expect_code(1);
            let line = ended.line("❌ token endpoint ");
            assert!(line.contains("redirects"), "{line}");
        }
        assert_eq!(elsewhere.requests().len(), 0);
        assert_eq!(elsewhere.handshakes().len(), 0);
    }
}
