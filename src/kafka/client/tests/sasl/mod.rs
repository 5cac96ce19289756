//! Authentication at the start: each mechanism to `Ready`, or to a clear word why not; and no secret in any of them.

mod renewal;
pub(super) mod server;

use kafka_protocol::messages::SaslHandshakeResponse;

use self::server::SaslServer;
use super::*;
use crate::kafka::config::{Login, Sasl, ScramHash};
use crate::kafka::sasl::SaslError;
use crate::secret::Secret;

const SECRET: &str = "open-sesame";

fn login() -> Login {
    Login {
        user: "a-user".to_owned(),
        password: Secret::new(SECRET.to_owned()),
    }
}

fn plain() -> (Sasl, SaslServer) {
    (Sasl::Plain(login()), SaslServer::new("PLAIN", SECRET))
}

fn scram() -> (Sasl, SaslServer) {
    let sasl = Sasl::Scram(ScramHash::Sha256, login());
    (sasl, SaslServer::new("SCRAM-SHA-256", SECRET))
}

fn bearer() -> (Sasl, SaslServer) {
    let sasl = Sasl::OAuthBearer {
        extensions: vec![("pool".to_owned(), "one".to_owned())],
    };
    (sasl, SaslServer::new("OAUTHBEARER", SECRET))
}

/// A client with credentials, but without a token, before its first step.
fn rig((sasl, server): (Sasl, SaslServer), brokers: i32) -> Rig {
    let mut cluster = FakeCluster::new(brokers, brokers);
    cluster.sasl = Some(server);
    let config = ProducerConfig {
        sasl: Some(sasl),
        ..config()
    };
    let mut rig = Rig::new(config, cluster);
    rig.client.set_nonce_key([3; 32]);
    rig
}

fn with_token(mut rig: Rig, token: &str) -> Rig {
    rig.client.set_token(Secret::new(token.to_owned()));
    rig
}

/// Whatever a user could read so far. Panics when there is a secret in it.
fn lines(rig: &Rig) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Warning { message, .. } => Some(message.clone()),
        Event::Failed { error, .. } => Some(error.to_string()),
        Event::Fatal(error) => Some(error.to_string()),
        _ => None,
    };
    let lines: Vec<String> = rig.events.iter().filter_map(line).collect();
    let printed = format!("{lines:?} {:?} {:?}", rig.events, rig.client);
    assert!(!printed.contains(SECRET), "{printed}");
    lines
}

/// Scenario 38.
#[test]
fn a_refused_certificate_is_fatal_at_the_start_and_costs_a_connection_later() {
    let reason = "connect to boot:9092 failed: its certificate expired 3 days ago";
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.hanging.insert("boot".to_owned());
    rig.settle();
    let connection = rig.connections("boot")[0];
    rig.client.handle_refused(connection, reason, rig.now);
    rig.settle();
    assert!(rig.client.is_closed());
    assert_eq!(rig.fatal().unwrap().to_string(), reason);

    let mut rig = Rig::simple().warmed_up();
    rig.send(&["in flight"]);
    let produce = rig.take_produce();
    rig.links.remove(&produce.connection);
    rig.client
        .handle_refused(produce.connection, reason, rig.now);
    rig.settle();
    assert!(rig.fatal().is_none());
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    let again = rig.take_produce();
    assert_eq!(again.batches()[0].bytes, produce.batches()[0].bytes);
    rig.ack(&again);
    assert_eq!(rig.ledger.acknowledged, 2);
}

#[test]
fn every_mechanism_leads_to_ready_whichever_version_carries_it() {
    let sha512 = (
        Sasl::Scram(ScramHash::Sha512, login()),
        SaslServer::new("SCRAM-SHA-512", SECRET),
    );
    for (made, steps) in [(plain(), 1), (scram(), 2), (sha512, 2), (bearer(), 1)] {
        let mut rig = with_token(rig(made, 1), SECRET);
        rig.settle();
        assert!(rig.client.wants_records(), "{:?}", rig.events);
        let asked: Vec<ApiKey> = rig.asked.iter().map(|asked| asked.api).collect();
        assert_eq!(asked[..2], [ApiKey::ApiVersions, ApiKey::SaslHandshake]);
        assert_eq!(asked[2..2 + steps], vec![ApiKey::SaslAuthenticate; steps]);
        assert_eq!(asked[2 + steps], ApiKey::Metadata);
        assert_eq!(rig.asked[2].version, 2);
        rig.send(&["a"]);
        let produce = rig.take_produce();
        rig.ack(&produce);
        assert_eq!(rig.ledger.acknowledged, 1);
    }
    let mut rig = rig(plain(), 1);
    rig.cluster.versions.insert(36, (0, 0));
    rig.settle();
    assert!(rig.client.wants_records());
    assert_eq!(rig.asked[2].version, 0);
}

#[test]
fn every_scram_exchange_has_a_nonce_of_its_own() {
    let mut rig = rig(scram(), 3);
    rig.settle();
    let nonces = &rig.cluster.sasl.as_ref().unwrap().nonces;
    let distinct: BTreeSet<&String> = nonces.iter().collect();
    assert_eq!((nonces.len(), distinct.len()), (4, 4));
}

/// Scenario 39.
#[test]
fn a_password_that_is_refused_at_the_start_is_fatal_at_once_and_nowhere_to_be_read() {
    for (made, mechanism) in [(plain(), "PLAIN"), (scram(), "SCRAM-SHA-256")] {
        let mut rig = rig(made, 1);
        rig.cluster.sasl.as_mut().unwrap().secret = "another".to_owned();
        rig.settle();
        let lines = lines(&rig);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let told = format!(
            "bootstrap-1 (boot:9092): authentication by {mechanism} refused: Authentication failed: not "
        );
        assert!(lines[0].starts_with(&told), "{lines:?}");
        let advice = "; check KAFKA_API_KEY, KAFKA_API_SECRET and KAFKA_SASL_MECHANISM";
        assert!(lines[0].contains(advice), "{lines:?}");
        assert!(rig.client.is_closed() && rig.links.is_empty());
        assert_eq!(rig.connects, ["boot"]);
    }
}

/// Scenario 39.
#[test]
fn a_token_that_is_refused_at_the_start_is_fatal_with_the_servers_status() {
    let mut rig = with_token(rig(bearer(), 1), "stale");
    rig.settle();
    let lines = lines(&rig);
    let told = "authentication by OAUTHBEARER refused: Authentication failed: not  (invalid_token)";
    assert!(lines[0].contains(told), "{lines:?}");
    assert!(rig.client.is_closed());
}

#[test]
fn a_mechanism_that_is_not_enabled_is_fatal_with_the_brokers_own_list() {
    let mut rig = rig(plain(), 1);
    rig.cluster.sasl.as_mut().unwrap().enabled = vec!["SCRAM-SHA-512", "OAUTHBEARER"];
    rig.settle();
    let lines = lines(&rig);
    let told = "authentication by PLAIN failed: PLAIN is not enabled there, but SCRAM-SHA-512, OAUTHBEARER; set KAFKA_SASL_MECHANISM";
    assert!(lines[0].contains(told), "{lines:?}");
}

#[test]
fn a_listener_that_knows_no_sasl_is_called_that() {
    let mut rig = rig(plain(), 1);
    rig.cluster.script(ApiKey::SaslHandshake, |asked| {
        let response = SaslHandshakeResponse::default().with_error_code(34);
        Some(asked.answer_with(asked.version, &response))
    });
    rig.settle();
    let lines = lines(&rig);
    assert!(
        lines[0].contains("this listener expects no authentication"),
        "{lines:?}"
    );
    assert!(lines[0].contains("KAFKA_SECURITY_PROTOCOL"), "{lines:?}");
}

#[test]
fn a_listener_that_demands_sasl_and_hangs_up_is_suspected_of_it() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    for api in [ApiKey::Metadata, ApiKey::InitProducerId] {
        rig.cluster.script(api, |_| None);
    }
    rig.settle();
    let connection = rig.connections("boot")[0];
    rig.cut(connection);
    let lines = lines(&rig);
    assert!(
        lines[0].contains("does this listener demand SASL"),
        "{lines:?}"
    );
    // What has served a request demands none.
    let mut rig = Rig::simple();
    rig.send(&["a"]);
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    let lines = self::lines(&rig);
    assert!(!lines.concat().contains("SASL"), "{lines:?}");
}

#[test]
fn a_listener_that_tells_its_versions_and_hangs_up_is_tried_once_a_second_in_the_end() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    for _ in 0..100 {
        for api in [ApiKey::Metadata, ApiKey::InitProducerId] {
            rig.cluster.script(api, |_| None);
        }
    }
    rig.settle();
    for _ in 0..20 {
        rig.advance_until(secs(2), |rig| !rig.connections("boot").is_empty());
        let connection = rig.connections("boot")[0];
        rig.cut(connection);
    }
    let before = rig.now;
    rig.advance_until(secs(2), |rig| !rig.connections("boot").is_empty());
    assert!(rig.now >= before + ms(800), "{:?}", rig.now - before);
}

#[test]
fn a_broker_that_cannot_authenticate_is_too_old() {
    let mut rig = rig(plain(), 1);
    rig.cluster.versions.remove(&17);
    rig.settle();
    let lines = lines(&rig);
    assert!(
        lines[0].contains("speaks none of SaslHandshake"),
        "{lines:?}"
    );
}

#[test]
fn what_a_mechanism_cannot_send_is_fatal_before_it_is_sent() {
    let sasl = Sasl::Plain(Login {
        user: "a\0user".to_owned(),
        ..login()
    });
    let mut rig = rig((sasl, plain().1), 1);
    rig.settle();
    let lines = lines(&rig);
    assert!(
        lines[0].contains("the user name holds a NUL character"),
        "{lines:?}"
    );
    assert_eq!(rig.count(ApiKey::SaslHandshake), 0);
}

#[test]
fn scram_without_random_numbers_is_refused_by_ourselves() {
    let config = ProducerConfig {
        sasl: Some(scram().0),
        ..config()
    };
    let mut rig = Rig::new(config, FakeCluster::new(1, 1));
    rig.settle();
    let error = rig.fatal().unwrap();
    let expected = SaslError::NoNonce;
    assert!(matches!(error, FatalError::Unauthenticated { error, .. } if *error == expected));
}

#[test]
fn without_a_token_no_connection_is_used_and_with_one_it_goes_on() {
    let mut rig = rig(bearer(), 1);
    rig.advance(secs(10));
    assert!(rig.fatal().is_none());
    assert_eq!(rig.count(ApiKey::SaslHandshake), 0);
    assert!((8..40).contains(&rig.connects.len()), "{:?}", rig.connects);
    let told = "no OAuth token has been obtained yet";
    assert!(lines(&rig)[0].contains(told), "{:?}", rig.events);
    let mut rig = with_token(rig, SECRET);
    rig.advance_until(secs(2), |rig| rig.client.wants_records());
}

#[test]
fn that_no_token_ever_came_is_told_at_the_starts_deadline() {
    let mut rig = rig(bearer(), 1);
    rig.advance(secs(31));
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("no OAuth token has been obtained yet"),
        "{line}"
    );
}

/// Scenario 39.
#[test]
fn a_forged_scram_server_is_fatal_at_the_start_and_left_alone_later() {
    let mut forged = scram();
    forged.1.secret = "what it guesses".to_owned();
    forged.1.is_forged = true;
    let mut forged = rig(forged, 1);
    forged.settle();
    let line = lines(&forged).concat();
    assert!(
        line.contains("SCRAM-SHA-256 failed: the server is not trusted: its signature is wrong"),
        "{line}"
    );
    assert!(forged.client.is_closed());
    let mut rig = rig(scram(), 1);
    rig.settle();
    rig.events.clear();
    let server = rig.cluster.sasl.as_mut().unwrap();
    server.secret = "what it guesses".to_owned();
    server.is_forged = true;
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("waits");
    rig.advance(secs(5));
    assert!(rig.fatal().is_none() && rig.produces.is_empty());
    let lines = lines(&rig).concat();
    assert!(lines.contains("its signature is wrong"), "{lines}");
    let server = rig.cluster.sasl.as_mut().unwrap();
    server.secret = SECRET.to_owned();
    rig.advance_until(secs(2), |rig| !rig.produces.is_empty());
}

/// Scenario 31.
#[test]
fn a_broker_that_falls_silent_in_mid_authentication_is_given_up_and_another_tried() {
    for api in [ApiKey::SaslHandshake, ApiKey::SaslAuthenticate] {
        let mut rig = rig(scram(), 1);
        rig.cluster.script(api, |_| None);
        rig.advance(ms(7_999));
        assert_eq!(rig.connects.len(), 1);
        rig.advance_until(secs(5), |rig| rig.client.wants_records());
        assert_eq!(rig.closes[0], "boot");
        assert!(lines(&rig)[0].contains("authenticating took too long"));
    }
}
