//! SASL listeners: who is let in, in which order, with which of Kafka's words, and for how long.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use common::tls::connect;
use common::{Client, PATIENCE, batch, scram, start};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use sandbox::{Config, Fault, FaultRule, Mechanism, Sandbox, ScramLie, Security, State, Tokens};

const USER: &str = "user";
const PASSWORD: &str = "se=c,ret";
const CHALLENGE: &str = r#"{"status":"invalid_token"}"#;
/// Of sessions that outlive every test.
const LONG: Duration = Duration::from_secs(3600);

fn with(security: Security) -> Sandbox {
    start(Config {
        security: security.user(USER, PASSWORD),
        ..Config::default()
    })
}

fn plain_password(user: &str, password: &str) -> String {
    format!("\0{user}\0{password}")
}

fn handshake<S: Read + Write>(client: &mut Client<S>, mechanism: &str) -> SaslHandshakeResponse {
    let mechanism = StrBytes::from_string(mechanism.to_owned());
    let request = SaslHandshakeRequest::default().with_mechanism(mechanism);
    client.call(1, &request).unwrap()
}

fn authenticate<S: Read + Write>(client: &mut Client<S>, words: &str) -> SaslAuthenticateResponse {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(words.to_owned().into());
    client.call(2, &request).unwrap()
}

/// From handshake to the last answer.
fn plain<S: Read + Write>(client: &mut Client<S>, password: &str) -> SaslAuthenticateResponse {
    assert_eq!(handshake(client, "PLAIN").error_code, 0);
    authenticate(client, &plain_password(USER, password))
}

/// The same; also the server's signature as it must be.
fn scram<S: Read + Write>(
    client: &mut Client<S>,
    mechanism: &str,
    password: &str,
) -> (SaslAuthenticateResponse, String) {
    assert_eq!(handshake(client, mechanism).error_code, 0);
    let challenge = words(&authenticate(client, &scram::first(USER)));
    assert!(scram::extends_ours(&challenge), "{challenge}");
    let (last, signature) = scram::last(mechanism, USER, password, &challenge);
    (authenticate(client, &last), signature)
}

fn words(response: &SaslAuthenticateResponse) -> String {
    assert_eq!(response.error_code, 0);
    String::from_utf8(response.auth_bytes.to_vec()).unwrap()
}

fn refusal(response: &SaslAuthenticateResponse) -> (i16, &str) {
    let message = response.error_message.as_ref().unwrap();
    (response.error_code, message)
}

fn expect_clean(sandbox: &Sandbox) {
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn every_mechanism_lets_in_who_knows_the_secret_in_the_clear_and_within_tls() {
    for mechanism in Mechanism::ALL {
        let tokens = Tokens::new();
        tokens.add("a.b.c", USER, LONG);
        let clear = with(Security::sasl_plaintext().tokens(&tokens));
        let encrypted = with(Security::sasl_ssl().tokens(&tokens));
        let_in(&mut Client::to(&clear), mechanism);
        let_in(&mut connect(&encrypted), mechanism);
        for sandbox in [clear, encrypted] {
            let login = sandbox.logins().remove(0);
            assert_eq!((login.mechanism, login.again), (mechanism, false));
            assert_eq!((login.user.as_str(), login.node), (USER, 1));
            expect_clean(&sandbox);
        }
    }
}

fn let_in<S: Read + Write>(client: &mut Client<S>, mechanism: Mechanism) {
    client.call(0, &ApiVersionsRequest::default()).unwrap();
    let done = match mechanism {
        Mechanism::Plain => plain(client, PASSWORD),
        Mechanism::OAuthBearer => {
            handshake(client, "OAUTHBEARER");
            authenticate(client, "n,,\x01auth=Bearer a.b.c\x01\x01")
        }
        _ => {
            let (done, signature) = scram(client, mechanism.name(), PASSWORD);
            assert_eq!(words(&done), signature);
            done
        }
    };
    assert_eq!(done.error_code, 0);
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
}

#[test]
fn a_wrong_password_is_refused_in_kafkas_words_and_the_connection_closed() {
    let sandbox = with(Security::sasl_plaintext());
    let mut client = Client::to(&sandbox);
    let said = "Authentication failed: Invalid username or password";
    assert_eq!(refusal(&plain(&mut client, "guess")), (58, said));
    assert!(client.is_closed());
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut client = Client::to(&sandbox);
        let (done, _) = scram(&mut client, mechanism, "guess");
        let said = format!(
            "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
        );
        assert_eq!(refusal(&done), (58, said.as_str()));
        assert!(client.is_closed());
        // Kafka does not hide which users there are.
        let mut client = Client::to(&sandbox);
        handshake(&mut client, mechanism);
        let done = authenticate(&mut client, &scram::first("nobody"));
        assert_eq!(refusal(&done), (58, said.as_str()));
    }
    assert_eq!(sandbox.look(State::denied_logins), 5);
    expect_clean(&sandbox);
}

#[test]
fn an_unknown_or_expired_token_is_challenged_and_refused_once_that_is_acknowledged() {
    let tokens = Tokens::new();
    tokens.add("old", USER, Duration::ZERO);
    let sandbox = with(Security::sasl_plaintext().tokens(&tokens));
    for token in ["unknown", "old"] {
        let mut client = Client::to(&sandbox);
        handshake(&mut client, "OAUTHBEARER");
        let message = format!("n,,\x01auth=Bearer {token}\x01\x01");
        assert_eq!(words(&authenticate(&mut client, &message)), CHALLENGE);
        let done = authenticate(&mut client, "\x01");
        assert_eq!(refusal(&done), (58, CHALLENGE));
        assert!(client.is_closed());
    }
    expect_clean(&sandbox);
}

#[test]
fn extensions_are_recorded_and_a_token_ends_the_session_with_itself() {
    let tokens = Tokens::new();
    tokens.add("t", "somebody", LONG);
    let sandbox = with(Security::sasl_plaintext().tokens(&tokens));
    let mut client = Client::to(&sandbox);
    handshake(&mut client, "OAUTHBEARER");
    let message = "n,a=somebody,\x01auth=Bearer t\x01logicalCluster=lkc-1\x01poolId=p=1\x01\x01";
    let done = authenticate(&mut client, message);
    let lifetime = u128::try_from(done.session_lifetime_ms).unwrap();
    assert!((1..=LONG.as_millis()).contains(&lifetime), "{lifetime}");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let login = sandbox.logins().remove(0);
    assert_eq!(login.user, "somebody");
    let expected = [pair("logicalCluster", "lkc-1"), pair("poolId", "p=1")];
    assert_eq!(login.extensions, expected);
    expect_clean(&sandbox);
}

#[test]
fn a_mechanism_that_is_not_enabled_is_answered_with_those_that_are() {
    let enabled = [Mechanism::ScramSha512, Mechanism::OAuthBearer];
    let sandbox = with(Security::sasl_plaintext().mechanisms(&enabled));
    let mut client = Client::to(&sandbox);
    let answer = handshake(&mut client, "PLAIN");
    let names: Vec<&str> = answer.mechanisms.iter().map(|name| &**name).collect();
    assert_eq!(
        (answer.error_code, names),
        (33, vec!["SCRAM-SHA-512", "OAUTHBEARER"])
    );
    assert!(client.is_closed());
    expect_clean(&sandbox);
}

#[test]
fn nothing_else_is_answered_before_authentication() {
    let sandbox = with(Security::sasl_plaintext());
    let mut client = Client::to(&sandbox);
    client.call(0, &ApiVersionsRequest::default()).unwrap();
    client.send(1, &MetadataRequest::default());
    assert!(client.is_closed());
    // Its settings are wrong; it could not know.
    expect_clean(&sandbox);
}

#[test]
fn what_is_out_of_order_ends_the_connection_and_is_a_violation() {
    let sandbox = with(Security::sasl_plaintext());
    let mut ends = Vec::new();
    let mut end = |act: &dyn Fn(&mut Client)| {
        let mut client = Client::to(&sandbox);
        act(&mut client);
        assert!(client.is_closed());
        ends.push(sandbox.violations().pop().unwrap());
    };
    end(&|client| {
        client.send(1, &SaslAuthenticateRequest::default());
    });
    end(&|client| {
        client.call(0, &ApiVersionsRequest::default()).unwrap();
        client.send(0, &ApiVersionsRequest::default());
    });
    end(&|client| {
        handshake(client, "PLAIN");
        assert_eq!(handshake(client, "PLAIN").error_code, 34);
    });
    end(&|client| {
        handshake(client, "PLAIN");
        client.send(1, &MetadataRequest::default());
    });
    end(&|client| {
        handshake(client, "PLAIN");
        authenticate(client, "no NUL");
    });
    for (end, what) in ends.iter().zip([
        "before SaslHandshake",
        "a second time before SaslHandshake",
        "in the middle of authentication",
        "in the middle of authentication",
        "a PLAIN message that has not three parts",
    ]) {
        assert!(end.ends_with(what), "{end}: {what}");
    }
    assert_eq!(ends.len(), sandbox.violations().len());
    // After authentication without an end, Kafka answers, and the connection lives.
    let mut client = Client::to(&sandbox);
    assert_eq!(plain(&mut client, PASSWORD).session_lifetime_ms, 0);
    assert_eq!(handshake(&mut client, "PLAIN").error_code, 34);
    assert_eq!(authenticate(&mut client, "").error_code, 34);
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
}

#[test]
fn a_session_can_be_renewed_on_its_connection_as_whom_and_by_what_it_was_begun() {
    let sandbox = with(Security::sasl_plaintext().session_lifetime(LONG));
    sandbox.set_password("other", PASSWORD);
    let mut client = Client::to(&sandbox);
    let lifetime = i64::try_from(LONG.as_millis()).unwrap();
    for _ in 0..2 {
        assert_eq!(plain(&mut client, PASSWORD).session_lifetime_ms, lifetime);
        assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    }
    assert_eq!(sandbox.look(State::reauthentications), 1);
    expect_clean(&sandbox);

    handshake(&mut client, "PLAIN");
    let done = authenticate(&mut client, &plain_password("other", PASSWORD));
    let said = "Cannot change principals during re-authentication from User.user: User.other";
    assert_eq!(refusal(&done), (58, said));
    assert!(client.is_closed());

    let mut client = Client::to(&sandbox);
    plain(&mut client, PASSWORD);
    assert_eq!(handshake(&mut client, "SCRAM-SHA-256").error_code, 0);
    client.send(1, &SaslAuthenticateRequest::default());
    assert!(client.is_closed());
}

#[test]
fn a_request_after_the_end_of_the_session_cuts_the_connection_and_a_handshake_does_not() {
    let sandbox = with(Security::sasl_plaintext().session_lifetime(Duration::from_millis(1)));
    let mut client = Client::to(&sandbox);
    let mut requests = 0;
    plain(&mut client, PASSWORD);
    // Until a millisecond has passed.
    while client.call(1, &MetadataRequest::default()).is_ok() {
        requests += 1;
        assert!(requests < 100_000);
    }
    assert_eq!(sandbox.look(State::expired_sessions), 1);
    let mut client = Client::to(&sandbox);
    for _ in 0..3 {
        assert_eq!(plain(&mut client, PASSWORD).error_code, 0);
    }
    assert_eq!(sandbox.look(State::reauthentications), 2);
    expect_clean(&sandbox);
}

#[test]
fn a_password_that_was_changed_is_asked_for_at_the_next_renewal() {
    let sandbox = with(Security::sasl_plaintext().session_lifetime(LONG));
    let mut client = Client::to(&sandbox);
    scram(&mut client, "SCRAM-SHA-256", PASSWORD);
    sandbox.set_password(USER, "new");
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    let (done, _) = scram(&mut client, "SCRAM-SHA-256", PASSWORD);
    let (code, message) = refusal(&done);
    assert_eq!(code, 58);
    assert!(
        message.contains("during re-authentication due to invalid"),
        "{message}"
    );
    assert!(client.is_closed());
    let mut client = Client::to(&sandbox);
    assert_eq!(scram(&mut client, "SCRAM-SHA-256", "new").0.error_code, 0);
}

#[test]
fn a_nonce_that_only_ends_as_it_should_is_refused_and_a_violation() {
    let sandbox = with(Security::sasl_plaintext());
    let mut client = Client::to(&sandbox);
    handshake(&mut client, "SCRAM-SHA-256");
    let challenge = words(&authenticate(&mut client, &scram::first(USER)));
    // The client's part comes twice.
    let doubled = challenge.replacen("r=fyko", "r=fykofyko", 1);
    let (last, _) = scram::last("SCRAM-SHA-256", USER, PASSWORD, &doubled);
    assert_eq!(refusal(&authenticate(&mut client, &last)).0, 58);
    assert!(client.is_closed());
    let violation = sandbox.violations().remove(0);
    assert!(violation.ends_with("with another nonce"), "{violation}");
}

#[test]
fn each_lie_in_scram_can_be_seen_by_the_client() {
    let sandbox = with(Security::sasl_plaintext());
    sandbox.lie_in_scram(Some(ScramLie::WrongSignature));
    let (done, signature) = scram(&mut Client::to(&sandbox), "SCRAM-SHA-512", PASSWORD);
    let said = words(&done);
    assert!(said.starts_with("v=") && said != signature && said.len() == signature.len());
    let challenge = |lie| {
        sandbox.lie_in_scram(lie);
        let mut client = Client::to(&sandbox);
        handshake(&mut client, "SCRAM-SHA-256");
        words(&authenticate(&mut client, &scram::first(USER)))
    };
    assert!(!scram::extends_ours(&challenge(Some(
        ScramLie::ForeignNonce
    ))));
    for iterations in [1000, 2_000_000] {
        let said = challenge(Some(ScramLie::Iterations(iterations)));
        assert!(said.ends_with(&format!(",i={iterations}")), "{said}");
    }
    assert!(challenge(None).ends_with(",i=4096"));
}

#[test]
fn faults_meet_handshakes_and_authentications_too() {
    let sandbox = with(Security::sasl_plaintext());
    sandbox.fail_next(ApiKey::SaslHandshake, 33, 1);
    let mut client = Client::to(&sandbox);
    assert_eq!(handshake(&mut client, "PLAIN").error_code, 33);
    assert!(client.is_closed());
    sandbox.fail_next(ApiKey::SaslAuthenticate, 58, 1);
    let mut client = Client::to(&sandbox);
    assert_eq!(plain(&mut client, PASSWORD).error_code, 58);
    assert!(client.is_closed());
    sandbox.fault(FaultRule::new(ApiKey::SaslAuthenticate, Fault::HangBefore));
    let mut client = Client::to(&sandbox);
    handshake(&mut client, "PLAIN");
    client.send(1, &SaslAuthenticateRequest::default());
    let taken = |state: &State| state.pending_faults(ApiKey::SaslAuthenticate) == 0;
    assert!(sandbox.wait_for(taken, PATIENCE));
    assert_eq!(sandbox.logins(), []);
    expect_clean(&sandbox);
}
