//! A Schema Registry that is down, busy, elsewhere, unwilling or none at all (scenario 40): what passes is waited out, all
//! else ends the run with one line that says which registry, which subject, its own words and what to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{Config, Gate, Registry, RegistryFault, RegistrySettings, Sandbox};
use support::shoes::assert_all;
use support::{Ended, Ledger, Peers, Setup};

/// How much more than any answer a huge one is, in bytes.
const HUGE_BYTES: u64 = 1 << 40;

fn status(status: u16, body: &str) -> RegistryFault {
    RegistryFault::Status(status, body.to_owned())
}

/// The run has ended before it began, with one line that names the registry and holds these words.
#[track_caller]
fn expect_refused(ended: &Ended, peers: &Peers, words: &[&str]) {
    ended.expect_code(1);
    assert_eq!(ended.ledger(), Ledger::all(0));
    let line = ended.line("❌ schema registry ");
    assert!(line.contains(&peers.registry.url()), "{line}");
    for words in words {
        assert!(line.contains(words), "no {words:?} in {line}");
    }
    ended.expect_no("✅ Protobuf serializer created");
    assert_eq!(peers.kafka.record_count("js_shoe"), 0);
}

#[test]
fn the_schema_is_registered_once_however_often_it_runs() {
    let peers = Peers::start();
    for instance in 0..2 {
        let flags = format!("--count 10 --interval 0 --instance-id {instance}");
        peers.setup(&flags).run().expect_code(0);
    }
    assert_eq!(peers.registry.subjects(), ["js_shoe-value"]);
    let requests = peers.registry.requests();
    let lines: Vec<String> = requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.target))
        .collect();
    let (check, register) = (
        "GET /subjects",
        "POST /subjects/js_shoe-value/versions?normalize=true",
    );
    assert_eq!(lines, [check, register, check, register]);
    let body: serde_json::Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!(body["schemaType"], "PROTOBUF");
    assert_eq!(body["schema"], continuous_producer::shoe::SCHEMA);
}

/// Scenario 40.
#[test]
fn a_registry_that_is_down_at_the_start_is_waited_for() {
    let peers = Peers::start();
    peers.registry.stop();
    let mut program = peers.setup("--count 10 --interval 0").start();
    let line = program.line("⚠️ schema registry ");
    assert!(line.contains(&peers.registry.url()), "{line}");
    assert!(line.contains("not reachable"), "{line}");
    peers.registry.restart().unwrap();
    program.end().expect_code(0);
    assert_all(&peers.kafka, 10);
}

/// Scenario 40.
#[test]
fn passing_trouble_is_waited_out() {
    for trouble in [
        status(503, ""),
        status(429, r#"{"error_code":42901,"message":"slow down"}"#),
        status(500, r#"{"error_code":50001,"message":"store"}"#),
        RegistryFault::Close,
    ] {
        let peers = Peers::start();
        peers.registry.fail_next(&trouble, 2);
        let ended = peers.setup("--count 10 --interval 0").run();
        assert_eq!(ended.code, Some(0), "{trouble:?}:\n{}", ended.stderr());
        assert!(
            ended.stderr().contains("⚠️ schema registry "),
            "{}",
            ended.stderr()
        );
        assert_all(&peers.kafka, 10);
    }
}

/// Scenario 40.
#[test]
fn the_second_url_is_asked_where_the_first_is_in_trouble() {
    let first = Registry::start(&RegistrySettings::default()).unwrap();
    for is_down in [true, false] {
        let peers = Peers::start();
        if is_down {
            first.stop();
        } else {
            first.restart().unwrap();
            first.fail_next(&status(503, ""), 100);
        }
        let urls = format!("{},{}", first.url(), peers.registry.url());
        let ended = peers
            .setup("--count 10 --interval 0")
            .env("SCHEMA_REGISTRY_URL", &urls)
            .run();
        ended.expect_code(0);
        ended.line(&format!("   📈 Schema Registry: {urls}"));
        assert_all(&peers.kafka, 10);
        assert_eq!(first.subjects(), Vec::<String>::new());
    }
}

/// Scenario 40.
#[test]
fn every_refusal_ends_the_run_with_the_registrys_own_words_and_advice() {
    let unwilling = [
        (401, r#"{"error_code":401,"message":"W0rds"}"#, "(401)"),
        (403, r#"{"error_code":40301,"message":"W0rds"}"#, "(403)"),
        (409, r#"{"error_code":409,"message":"W0rds"}"#, "(409)"),
        (422, r#"{"error_code":42201,"message":"W0rds"}"#, "(42201)"),
        (422, r#"{"error_code":42205,"message":"W0rds"}"#, "(42205)"),
        (413, "W0rds", "(413)"),
    ];
    for (code, body, shown) in unwilling {
        let peers = Peers::start();
        let ended = fail_registration(&peers, &status(code, body)).run();
        expect_refused(&ended, &peers, &[shown, "js_shoe-value", "W0rds", "; "]);
        assert_eq!(
            peers.registry.requests().len(),
            2,
            "asked again after {code}"
        );
    }
}

/// The program, and a registry that lets the check pass and then fails.
fn fail_registration(peers: &Peers, fault: &RegistryFault) -> Setup {
    let open = Gate::new();
    open.open();
    peers.registry.fail_next(&RegistryFault::Hold(open), 1);
    peers.registry.fail_next(fault, 100);
    peers.setup("--count 10 --interval 0")
}

/// Scenario 40.
#[test]
fn what_is_refused_is_not_asked_of_the_second_url() {
    let second = Registry::start(&RegistrySettings::default()).unwrap();
    let peers = Peers::start();
    let urls = format!("{},{}", peers.registry.url(), second.url());
    let ended = fail_registration(&peers, &status(409, ""))
        .env("SCHEMA_REGISTRY_URL", urls)
        .run();
    expect_refused(&ended, &peers, &["(409)"]);
    assert_eq!(second.requests().len(), 0);
}

/// Scenario 40.
#[test]
fn without_registration_the_schema_must_be_there() {
    let peers = Peers::start();
    let look_up = |flags: &str| {
        let setup = peers.setup(flags);
        setup.env("SCHEMA_REGISTRY_AUTO_REGISTER", "false").run()
    };
    let ended = look_up("--count 10 --interval 0");
    expect_refused(&ended, &peers, &["(40401)", "js_shoe-value"]);
    assert_eq!(peers.registry.subjects(), Vec::<String>::new());

    // The subject is there, the schema is not.
    let peers_of_another = Peers::start();
    let missing = status(404, r#"{"error_code":40403,"message":"Schema not found"}"#);
    let ended = fail_registration(&peers_of_another, &missing)
        .env("SCHEMA_REGISTRY_AUTO_REGISTER", "false")
        .run();
    expect_refused(&ended, &peers_of_another, &["(40403)", "js_shoe-value"]);

    // Somebody has registered it.
    peers
        .setup("--count 1 --instance-id 1")
        .run()
        .expect_code(0);
    look_up("--count 10 --interval 0 --instance-id 2").expect_code(0);
    let last = peers.registry.requests().pop().unwrap();
    assert_eq!(last.target, "/subjects/js_shoe-value?normalize=true");
}

#[test]
fn another_subject_may_be_named() {
    let peers = Peers::start();
    let ended = peers
        .setup("--count 1")
        .env("SCHEMA_REGISTRY_SUBJECT", "a/b ü%")
        .run();
    ended.expect_code(0);
    assert_eq!(peers.registry.subjects(), ["a/b ü%"]);
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let settings = RegistrySettings {
        credentials: Some(("user".to_owned(), "hush".to_owned())),
        ..RegistrySettings::default()
    };
    let peers = Peers {
        kafka: Sandbox::start(Config::default()).unwrap(),
        registry: Registry::start(&settings).unwrap(),
    };
    let setup = |password: &str| {
        let setup = peers.setup("--count 1 --log-level debug");
        let setup = setup.env("SCHEMA_REGISTRY_API_KEY", "user");
        setup.env("SCHEMA_REGISTRY_API_SECRET", password)
    };
    let ended = peers.setup("--count 1").run();
    expect_refused(&ended, &peers, &["(401)", "set SCHEMA_REGISTRY_API_KEY"]);
    let ended = setup("hushhush").run();
    expect_refused(&ended, &peers, &["(401)", "check SCHEMA_REGISTRY_API_KEY"]);
    ended.expect_no("hushhush");
    let ended = setup("hush").run();
    ended.expect_code(0).expect_no("hush");
    // The header's value, "user:hush" in base64: what HTTP sends is not logged.
    ended.expect_no("dXNlcjpodXNo").expect_no("authorization");

    // In the URL they count too, and are shown as little.
    let url = peers.registry.url().replace("http://", "http://user:hush@");
    let ended = peers
        .setup("--count 1 --log-level debug --instance-id 1")
        .env("SCHEMA_REGISTRY_URL", url)
        .run();
    ended.expect_code(0).expect_no("hush");
}

/// Scenario 40.
#[test]
fn a_redirect_is_told_and_carries_nothing_elsewhere() {
    let elsewhere = Registry::start(&RegistrySettings::default()).unwrap();
    let peers = Peers::start();
    let redirect = RegistryFault::Redirect(format!("{}/subjects", elsewhere.url()));
    peers.registry.fail_next(&redirect, 1);
    let ended = peers
        .setup("--count 1")
        .env("SCHEMA_REGISTRY_API_KEY", "user")
        .env("SCHEMA_REGISTRY_API_SECRET", "hush")
        .run();
    expect_refused(&ended, &peers, &["redirects", &elsewhere.url()]);
    ended.expect_no("hush");
    assert_eq!(elsewhere.requests().len(), 0);
}

/// Scenario 40.
#[test]
fn what_is_no_registry_is_called_none() {
    for nonsense in [
        status(200, "<html>Welcome</html>"),
        status(200, "{\"id\":"),
        status(200, "{\"id\":-1}"),
        status(404, "<html>nothing here</html>"),
        RegistryFault::HugeBody(HUGE_BYTES),
        RegistryFault::Garbage(b"220 mail.example ESMTP\r\n\r\n".to_vec()),
    ] {
        let peers = Peers::start();
        let ended = fail_registration(&peers, &nonsense).run();
        assert_eq!(ended.code, Some(1), "{nonsense:?}:\n{}", ended.stderr());
        expect_refused(
            &ended,
            &peers,
            &["does not answer as a schema registry does"],
        );
    }
}

/// Scenario 38.
#[test]
fn a_registry_that_answers_in_tls_is_not_asked_again() {
    let peers = Peers::start();
    let alert = RegistryFault::Garbage(vec![0x15, 3, 1, 0, 2, 2, 70]);
    peers.registry.fail_next(&alert, 100);
    let ended = peers.setup("--count 1").run();
    expect_refused(&ended, &peers, &["speaks TLS", "write https"]);
    assert_eq!(peers.registry.requests().len(), 1);
}

/// Scenario 40.
#[test]
fn a_registrys_words_cannot_forge_lines_nor_fill_the_screen() {
    let peers = Peers::start();
    let words = "x\\n\\r✅ forged\\u001b[31m".to_owned() + &"long ".repeat(10_000);
    let body = format!("{{\"error_code\":42201,\"message\":\"{words}\"}}");
    let ended = fail_registration(&peers, &status(422, &body)).run();
    expect_refused(&ended, &peers, &["(42201)", "x ✅ forged"]);
    let line = ended.line("❌ schema registry ");
    assert!(line.len() < 1000 && !line.contains('\u{1b}'), "{line}");
}
