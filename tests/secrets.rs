//! Nothing secret is ever printed, at any level, whatever fails, nor left where other processes can read it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use sandbox::certificates::{self, Pem};
use sandbox::{HttpFault, Mechanism, Security, Tls, TokenSettings};
use serde_json::json;
use support::Ended;
use support::search::{Search, percent_encoded};
use support::secured::{
    self, CLIENT, CLIENT_SECRET, PASSWORD, REGISTRY_PASSWORD, REGISTRY_USER, Told, USER, WRONG,
    status,
};
use support::trouble::{self, Scene, by_password, by_token, each_at_once, failing};
use support::watch::start_watched;

fn printed(ended: &Ended) -> String {
    ended.stderr() + "\n" + &ended.stdout
}

/// A run, all that it shows over HTTP meanwhile, and every other mode, as talkative as they can be. `flags` end a run that goes
/// well. Returns how many answers there were: a run that fails at once may be gone before anybody has asked.
#[track_caller]
fn expect_secrecy(name: &str, scene: &Scene, flags: &str) -> usize {
    let run = scene.setup(&format!("{flags} --log-format json --log-level debug"));
    let (program, watched) = start_watched(run);
    let shown = watched.until_the_end();
    let text = printed(&program.end());
    assert!(text.contains(&scene.peers.registry.url()), "{name}: {text}");
    let count = shown.len();
    let mut outputs = vec![("a run", text)];
    outputs.extend(shown.into_iter().map(|answer| ("over HTTP", answer)));
    for mode in ["--check", "--print-config"] {
        let ended = scene
            .setup(&format!("{flags} {mode} --log-level debug"))
            .run();
        let text = printed(&ended);
        // Something was printed at all, and it tells what is no secret.
        assert!(text.contains(&scene.peers.registry.url()), "{name}: {text}");
        outputs.push((mode, text));
    }
    let mut search = Search::new();
    let tokens = scene
        .tokens
        .iter()
        .flat_map(|server| server.tokens().texts());
    tokens.for_each(|token| search.add(&token));
    for (mode, text) in outputs {
        search.expect_nothing_in(&format!("{name}, {mode}"), &text);
    }
    count
}

/// Scenario 39.
#[test]
fn no_trouble_brings_a_secret_to_light() {
    let troubles = [trouble::quick(), trouble::slow()].concat();
    let shown = AtomicUsize::new(0);
    each_at_once(troubles, |trouble| {
        let count = expect_secrecy(trouble.name, &trouble.scene(), "");
        shown.fetch_add(count, Ordering::Relaxed);
    });
    assert!(shown.into_inner() > 0, "nobody answered over HTTP");
}

/// Where trouble does not end the run, what is wrong is shown for as long as it lasts: of brokers, of partitions, as a warning.
#[test]
fn a_password_that_no_longer_works_is_shown_over_http_without_any_secret() {
    let search = Search::new();
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256] {
        let scene = by_password(PASSWORD, mechanism);
        let (program, watched) = start_watched(scene.setup("--interval 1ms"));
        scene.peers.wait_records(10);
        scene.peers.kafka.set_password(USER, WRONG);
        scene.peers.kafka.drop_connections();
        let shown = watched.until_status("refused", |status| {
            let failure = status["brokers"][0]["failure"].as_str();
            let is_told = failure.is_some_and(|words| words.contains("authentication"));
            is_told && status["partitions"][0]["trouble"].is_string()
        });
        search.expect_nothing_in("/status", &shown.to_string());
        search.expect_nothing_in("/metrics", &watched.get("/metrics").1);
        scene.peers.kafka.set_password(USER, PASSWORD);
        program.signal("TERM");
        let ended = program.end();
        ended.expect_code(0);
        search.expect_nothing_in("a run", &printed(&ended));
    }
}

#[test]
fn no_run_that_goes_well_brings_a_secret_to_light() {
    let run = "--count 20 --interval 0";
    for mechanism in [
        Mechanism::Plain,
        Mechanism::ScramSha256,
        Mechanism::ScramSha512,
    ] {
        expect_secrecy(mechanism.name(), &by_password(PASSWORD, mechanism), run);
    }
    let settings = TokenSettings {
        lifetime: Duration::from_secs(2),
        ..TokenSettings::default()
    };
    let scene = by_token(settings, None);
    expect_secrecy("renewed tokens", &scene, "--count 30 --interval 100ms");
    assert!(scene.tokens.unwrap().issued() >= 3);
}

/// A secret in all the ways in which a server may say it again. `shown`: what stood in the `Authorization` header, in base64.
fn repetitions(secret: &str, shown: &str) -> Vec<String> {
    let words = format!("not {secret}!");
    vec![
        format!("<html>{secret}</html>"),
        json!({ "echo": secret }).to_string(),
        json!({ "error": "invalid_client", "error_description": words }).to_string(),
        json!({ "error_code": 42201, "message": words }).to_string(),
        format!("Basic {}", BASE64_STANDARD.encode(shown)),
        json!({ "echo": BASE64_STANDARD.encode(shown) }).to_string(),
        all_forms(secret, shown).join(" "),
        json!({ "error_code": 42201, "message": all_forms(secret, shown).join(" ") }).to_string(),
    ]
}

/// What proxies and frameworks make of a secret: kept short enough together that nothing is cut off.
fn all_forms(secret: &str, shown: &str) -> Vec<String> {
    let encoded = percent_encoded(secret);
    let html = secret.replace('&', "&amp;").replace('"', "&quot;");
    let hex = secret.bytes().map(|byte| format!("{byte:02x}"));
    vec![
        encoded.to_lowercase(),
        encoded.replace("%20", "+"),
        encoded,
        html.replace('\'', "&#39;"),
        hex.collect(),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        BASE64_STANDARD.encode(format!("\0{shown}, and more")),
    ]
}

#[test]
fn a_registry_that_repeats_what_it_was_sent_does_not_get_it_printed() {
    let shown = format!("{REGISTRY_USER}:{REGISTRY_PASSWORD}");
    for body in repetitions(REGISTRY_PASSWORD, &shown) {
        for code in [200, 401, 404, 422, 500] {
            let scene = by_password(PASSWORD, Mechanism::Plain);
            // A run asks twice, a check twice or thrice: one of them gets through its first question.
            let open = sandbox::Gate::new();
            open.open();
            let answers = [HttpFault::Hold(open), status(code, &body)];
            for answer in answers.iter().chain(&answers) {
                scene.peers.registry.fail_next(answer, 1);
            }
            let name = format!("{code} {body}");
            expect_secrecy(&name, &scene, "--count 1");
        }
    }
}

#[test]
fn an_incompatible_schemas_reasons_are_shown_without_the_password() {
    for body in [
        json!({ "is_compatible": false, "messages": [REGISTRY_PASSWORD] }),
        json!({ "echo": REGISTRY_PASSWORD }),
    ] {
        let scene = by_password(PASSWORD, Mechanism::Plain);
        let open = sandbox::Gate::new();
        open.open();
        for answer in [
            HttpFault::Hold(open),
            status(404, r#"{"error_code":40403,"message":"Schema not found"}"#),
            status(200, &body.to_string()),
        ] {
            scene.peers.registry.fail_next(&answer, 1);
        }
        let ended = scene.setup("--check --log-level debug").run();
        ended.expect_code(1);
        Search::new().expect_nothing_in(&body.to_string(), &printed(&ended));
    }
}

#[test]
fn an_endpoint_that_repeats_what_it_was_sent_does_not_get_it_printed() {
    // RFC 6749, section 2.3.1.
    let encoded = percent_encoded(CLIENT_SECRET);
    let mut bodies = repetitions(CLIENT_SECRET, &format!("{CLIENT}:{encoded}"));
    bodies.push(json!({ "echo": encoded }).to_string());
    for body in bodies {
        for code in [200, 400, 401, 404] {
            let scene = failing(&status(code, &body));
            expect_secrecy(&format!("{code} {body}"), &scene, "");
        }
    }
}

#[test]
fn settings_that_are_wrong_are_told_without_the_secrets_among_them() {
    let path = |pem: Pem| pem.path().display().to_string();
    let (key, certificate) = (certificates::client_key(), certificates::client());
    let encrypted = certificates::client_key_encrypted();
    let rsa = certificates::client_rsa_key();
    let in_url =
        "http://registrar:r3gistry%3Dp1ss%25%20%23w1rd%20%22and%27%20qu1tes@127.0.0.1:9/path?";
    for changes in [
        vec![("KAFKA_API_KEY", String::new())],
        vec![("KAFKA_SSL_CA_LOCATION", path(key))],
        vec![
            ("KAFKA_SSL_CERTIFICATE_LOCATION", path(key)),
            ("KAFKA_SSL_KEY_LOCATION", path(key)),
        ],
        vec![
            ("KAFKA_SSL_CERTIFICATE_LOCATION", path(certificate)),
            ("KAFKA_SSL_KEY_LOCATION", path(encrypted)),
        ],
        vec![
            ("KAFKA_SSL_CERTIFICATE_LOCATION", path(certificate)),
            ("KAFKA_SSL_KEY_LOCATION", path(rsa)),
        ],
        vec![("SCHEMA_REGISTRY_API_SECRET_FILE", path(key))],
        vec![("SCHEMA_REGISTRY_URL", in_url.to_owned())],
        vec![("KAFKA_OAUTH_TOKEN_ENDPOINT_URL", in_url.to_owned())],
    ] {
        let mut scene = by_password(PASSWORD, Mechanism::Plain);
        for (name, value) in &changes {
            scene = scene.with(name, value);
        }
        for mode in ["--log-level debug", "--check", "--print-config"] {
            let ended = scene.setup(mode).run();
            ended.expect_code(2);
            Search::new().expect_nothing_in(&format!("{changes:?}"), &printed(&ended));
        }
    }
}

#[test]
fn secrets_of_files_are_nowhere_in_what_the_system_tells_of_the_process() {
    let security = Security::sasl_ssl().tls(Tls::default().client_certificate());
    let peers = secured::peers(security.user(USER, PASSWORD));
    let told = Told::new().protocol("SASL_SSL").trusting();
    let told = told
        .login(Mechanism::ScramSha256)
        .identity(certificates::client(), certificates::client_key())
        .without("KAFKA_API_SECRET")
        .without("SCHEMA_REGISTRY_API_SECRET")
        .with("SCHEMA_REGISTRY_API_SECRET_FILE", "registry secret");
    let dotenv = "KAFKA_API_SECRET=\"k4fka=p0ss #w0rd \\\"with' qu0tes\"\n";
    let program = told
        .setup(&peers, "--interval 1ms --log-level debug")
        .file("registry secret", REGISTRY_PASSWORD)
        .file(".env", dotenv)
        .start();
    peers.wait_records(50);
    let told = String::from_utf8(program.told_by_the_system()).unwrap();
    for word in ["SCHEMA_REGISTRY_API_SECRET_FILE=", "--interval", "producer"] {
        assert!(told.contains(word), "no {word} in {told}");
    }
    Search::new().expect_nothing_in("/proc", &told);
    program.signal("TERM");
    let ended = program.end();
    ended.expect_code(0);
    Search::new().expect_nothing_in("a run", &printed(&ended));
}

/// What is found nowhere must be found where it is.
#[test]
fn the_search_itself_finds_every_secret_in_every_form() {
    let token = "eyJhbGciOiJub25lIn0.eyJqdGkiOiIxIn0.c2ln";
    let mut search = Search::new();
    search.add(token);
    for secret in [PASSWORD, REGISTRY_PASSWORD, CLIENT_SECRET, WRONG, token] {
        let mut forms = vec![
            secret.to_owned(),
            format!("{secret:?}"),
            format!("{:?}", secret.as_bytes()),
            json!({ "secret": secret }).to_string(),
        ];
        // PLAIN's message, Basic's value, and every other distance from the beginning.
        for before in ["", "\0", "\0user\0", "user:", "ab", "abc", "abcd"] {
            for after in ["", "\u{1}", ", and more"] {
                let text = format!("{before}{secret}{after}");
                forms.push(BASE64_STANDARD.encode(&text));
                forms.push(BASE64_URL_SAFE_NO_PAD.encode(&text));
            }
        }
        for form in forms {
            assert!(
                search.found_in(&format!("-- {form} --")).is_some(),
                "{form}"
            );
        }
    }
    for form in [
        "wr0ng%3Dp3ss%2B%20%23w3rd%20%22but%27%20qu3tes",
        "wr0ng%3dp3ss%2b%20%23w3rd%20%22but%27%20qu3tes",
        "wr0ng%3Dp3ss%2B+%23w3rd+%22but%27+qu3tes",
        "cut off at the wr0ng",
        "7772306e673d703373732b20237733726420226275742720717533746573",
    ] {
        assert!(
            search.found_in(&format!("-- {form} --")).is_some(),
            "{form}"
        );
    }
    let key = str::from_utf8(certificates::client_key().bytes()).unwrap();
    assert!(search.found_in(key.lines().nth(1).unwrap()).is_some());
    let harmless = "KAFKA_API_SECRET=[hidden] ✅ SASL authenticated as shoe maker by PLAIN -----BEGIN PRIVATE KEY-----";
    assert!(search.found_in(harmless).is_none());
}
