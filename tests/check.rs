//! `--check`: every step of a run up to its first message, each a row with its verdict, and nothing is changed anywhere.
//!
//! What a run stumbles over, a check must find; how each step is judged is told apart by the rows alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use sandbox::certificates;
use sandbox::{
    ApiKey, Config, Fault, FaultRule, Gate, Mechanism, Registry, RegistryFault, Security,
    TokenSettings,
};
use support::secured::{self, PASSWORD, Told, USER, WRONG, status};
use support::trouble::{self, each_at_once};
use support::{Ended, Peers};

/// A row: whether it holds, its step, its words.
type Row<'a> = (bool, &'a str, &'a str);

/// The table, which is all that is printed.
#[track_caller]
fn rows(ended: &Ended) -> Vec<Row<'_>> {
    assert_eq!(ended.stderr(), "");
    let mut rows = Vec::new();
    for line in ended.stdout.lines() {
        let (mark, rest) = line.split_once(' ').unwrap();
        let (step, words) = rest.split_at_checked(17).unwrap();
        let holds = match mark {
            "✅" => true,
            "❌" => false,
            _ => panic!("no mark: {line}"),
        };
        rows.push((holds, step.trim_end(), words));
    }
    rows
}

/// The steps of a table, in order; each holds, and the program says so.
#[track_caller]
fn expect_all_hold(ended: &Ended, steps: &[&str]) {
    ended.expect_code(0);
    let rows = rows(ended);
    assert!(rows.iter().all(|(holds, ..)| *holds), "{}", ended.stdout);
    let tried: Vec<&str> = rows.iter().map(|(_, step, _)| *step).collect();
    assert_eq!(tried, steps, "{}", ended.stdout);
}

/// One step does not hold, and its row has these words; all others do.
#[track_caller]
fn expect_one_fails(ended: &Ended, expected: &str, words: &[&str]) {
    ended.expect_code(1);
    let rows = rows(ended);
    // Who has no token is told so once more where one was needed: the rest of the way is tried.
    let follows = |words: &str| words.contains("no OAuth token");
    let failed: Vec<&Row<'_>> = rows
        .iter()
        .filter(|(holds, _, words)| !holds && !follows(words))
        .collect();
    let [(_, step, told)] = failed[..] else {
        panic!("not one row:\n{}", ended.stdout);
    };
    assert_eq!(*step, expected, "{}", ended.stdout);
    for words in words {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}

/// Nobody was asked for anything that changes something.
#[track_caller]
fn expect_nothing_changed(peers: &Peers) {
    for api in [ApiKey::Produce, ApiKey::CreateTopics] {
        assert_eq!(peers.kafka.requests(api), 0, "{api:?}");
    }
    assert_eq!(peers.kafka.violations(), Vec::<String>::new());
    assert_eq!(peers.registry.subjects(), Vec::<String>::new());
    for request in peers.registry.requests() {
        let registers = request.method == "POST" && request.target.contains("/versions?");
        assert!(!registers, "{request:?}");
    }
}

const BROKER: [&str; 5] = ["name resolution", "TCP", "TLS", "SASL", "API versions"];
const REST: [&str; 4] = ["topic", "producer id", "registry", "schema"];

fn scram() -> (Peers, Told) {
    let peers = secured::peers(Security::sasl_ssl().user(USER, PASSWORD));
    let told = Told::new().protocol("SASL_SSL").trusting();
    (peers, told.login(Mechanism::ScramSha512))
}

fn check(told: &Told, peers: &Peers) -> Ended {
    told.setup(peers, "--check").run()
}

#[test]
fn a_cluster_that_is_as_it_should_be_holds_row_by_row_and_nothing_is_changed() {
    let (peers, told) = scram();
    let ended = check(&told, &peers);
    expect_all_hold(&ended, &[&["settings"], &BROKER[..], &REST].concat());
    for words in [
        "TLS 1.3, its certificate is trusted and for this name",
        "authenticated as shoe maker by SCRAM-SHA-512",
        "js_shoe has 3 partitions, all with a leader",
        "subject js_shoe-value is new; a run would register",
    ] {
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
    }
    expect_nothing_changed(&peers);
}

#[test]
fn an_address_to_be_watched_at_is_tried_and_let_go() {
    let (peers, told) = scram();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = told.with("METRICS_LISTEN", &address);
    let ended = check(&told, &peers);
    ended.expect_code(1);
    let row = ended.stdout.lines().find(|line| line.starts_with('❌'));
    let words = format!("METRICS_LISTEN: cannot listen on {address}: ");
    assert!(row.is_some_and(|row| row.contains(&words)), "{row:?}");
    drop(taken);
    let ended = check(&told, &peers);
    expect_all_hold(
        &ended,
        &[&["settings", "metrics"], &BROKER[..], &REST].concat(),
    );
    assert!(TcpListener::bind(&address).is_ok(), "it was let go");
}

#[test]
fn a_cluster_that_is_about_to_give_a_producer_id_is_asked_again() {
    let (peers, told) = scram();
    let loading = FaultRule::new(ApiKey::InitProducerId, Fault::Error(14));
    peers.kafka.fault(loading.times(3));
    check(&told, &peers).expect_code(0);
    assert_eq!(peers.kafka.requests(ApiKey::InitProducerId), 4);
}

#[test]
fn a_token_is_asked_for_before_all_else_and_shown_to_everyone() {
    let endpoint = secured::token_server(TokenSettings::default());
    let peers = secured::peers(Security::sasl_ssl().tokens(&endpoint.tokens()));
    let told = Told::new().protocol("SASL_SSL").trusting();
    let ended = check(&told.tokens(&endpoint), &peers);
    expect_all_hold(
        &ended,
        &[&["settings", "token"], &BROKER[..], &REST].concat(),
    );
    assert!(ended.stdout.contains("for 3600 s"), "{}", ended.stdout);
    expect_nothing_changed(&peers);
}

#[test]
fn what_a_run_left_is_found_and_stays_as_it_is() {
    let (peers, told) = scram();
    let run = told.setup(&peers, "--count 10 --interval 0").run();
    run.expect_code(0);
    let produced = peers.kafka.requests(ApiKey::Produce);
    let ended = check(&told, &peers);
    ended.expect_code(0);
    let words = "subject js_shoe-value has it, with id 100001";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    assert_eq!(peers.kafka.record_count("js_shoe"), 10);
    assert_eq!(peers.kafka.requests(ApiKey::Produce), produced);
}

/// Scenarios 38 and 39.
#[test]
fn whatever_ends_a_run_before_it_begins_is_found_in_one_row() {
    let troubles = [trouble::quick(), trouble::slow()].concat();
    each_at_once(troubles, |trouble| {
        let scene = trouble.scene();
        let ended = scene.setup("--check").run();
        let steps: &[&str] = match trouble.by {
            "token endpoint " => {
                let reached = |(holds, step, _): &Row<'_>| *holds && *step == "TLS";
                assert!(rows(&ended).iter().any(reached), "{}", ended.stdout);
                &["token"]
            }
            "schema registry " => &["registry"],
            _ => &["TLS", "SASL", "API versions", "topic"],
        };
        let rows = rows(&ended);
        let failed = rows.iter().find(|(holds, ..)| !holds);
        let step = failed.map_or("none", |(_, step, _)| *step);
        assert!(steps.contains(&step), "{}", ended.stdout);
        expect_one_fails(&ended, step, trouble.words);
        expect_nothing_changed(&scene.peers);
        // Whoever cannot get in is told where that was, once.
        let servers = scene.peers.kafka.bootstrap_servers();
        let told = failed.map_or("", |(_, _, words)| *words);
        assert!(told.matches(&servers).count() <= 1, "{told}");
    });
}

#[test]
fn a_server_that_is_not_there_is_told_by_how_far_it_came() {
    let (peers, told) = scram();
    let with = |servers: &str| told.clone().with("KAFKA_BOOTSTRAP_SERVERS", servers);
    let nowhere = check(&with("nowhere.invalid:9092"), &peers);
    expect_one_fails(&nowhere, "name resolution", &["nowhere.invalid"]);
    let address = peers.kafka.bootstrap_servers();
    peers.kafka.kill_node(1);
    let closed = check(&told, &peers);
    expect_one_fails(&closed, "TCP", &[&address, "refused", "check the port"]);
    // What does not depend on it was tried.
    for ended in [nowhere, closed] {
        let rows = rows(&ended);
        let last: Vec<&str> = rows.iter().map(|(_, step, _)| *step).collect();
        assert!(last.ends_with(&["registry", "schema"]), "{last:?}");
    }
}

/// Two nodes, and who is let in there.
fn two_nodes() -> (Peers, Told) {
    let config = Config {
        nodes: 2,
        ..Config::default()
    };
    let peers = secured::peers_with(config, Security::sasl_ssl().user(USER, PASSWORD));
    let told = Told::new().protocol("SASL_SSL").trusting();
    (peers, told.login(Mechanism::Plain))
}

#[test]
fn one_of_two_servers_that_is_down_is_found_and_the_other_one_tried() {
    let (peers, told) = two_nodes();
    peers.kafka.kill_node(1);
    let down = peers.kafka.address(1).unwrap().to_string();
    let ended = check(&told, &peers);
    expect_one_fails(&ended, "TCP", &[&down, "refused"]);
    for step in BROKER.iter().chain(&REST) {
        let tried = rows(&ended);
        let held = tried
            .iter()
            .any(|(holds, tried, _)| *holds && tried == step);
        assert!(held, "no {step}:\n{}", ended.stdout);
    }
}

#[test]
fn a_broker_that_is_advertised_and_cannot_be_reached_is_found() {
    let (peers, told) = two_nodes();
    let address = |id| peers.kafka.address(id).unwrap().to_string();
    let told = told.with("KAFKA_BOOTSTRAP_SERVERS", address(1));
    let ended = check(&told, &peers);
    let steps = [&["settings"], &BROKER[..], &REST[..2], &BROKER, &REST[2..]];
    expect_all_hold(&ended, &steps.concat());
    peers.kafka.refuse_connections(2);
    expect_one_fails(&check(&told, &peers), "TCP", &[&address(2), "refused"]);
}

#[test]
fn a_topic_that_is_missing_is_told_and_none_is_created() {
    let (peers, told) = scram();
    let told = told.with("KAFKA_TOPIC", "boots");
    let words = ["boots does not exist", "KAFKA_CREATE_TOPIC"];
    expect_one_fails(&check(&told, &peers), "topic", &words);
    let ended = check(&told.with("KAFKA_CREATE_TOPIC", "5:1"), &peers);
    ended.expect_code(0);
    let words = "boots does not exist; a run would create it with 5 partitions";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    let topics = |state: &sandbox::State| state.topics().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(peers.kafka.look(topics), ["js_shoe"]);
    expect_nothing_changed(&peers);
}

#[test]
fn a_registry_in_trouble_is_told_by_the_row_that_it_spoils() {
    let (peers, told) = scram();
    peers.registry.stop();
    let url = peers.registry.url();
    expect_one_fails(&check(&told, &peers), "registry", &[&url, "not reachable"]);
    peers.registry.restart().unwrap();

    let wrong = told.clone().with("SCHEMA_REGISTRY_API_SECRET", WRONG);
    expect_one_fails(&check(&wrong, &peers), "registry", &["(401)"]);

    let strict = told.clone().with("SCHEMA_REGISTRY_AUTO_REGISTER", "false");
    let words = ["js_shoe-value does not have it", "register it first"];
    expect_one_fails(&check(&strict, &peers), "schema", &words);
    expect_nothing_changed(&peers);

    // The second URL is as good as the first, and yet whoever names it wants to know.
    let down = Registry::start(&sandbox::RegistrySettings::default()).unwrap();
    down.stop();
    let urls = format!("{},{url}", down.url());
    let two = told.with("SCHEMA_REGISTRY_URL", urls);
    expect_one_fails(&check(&two, &peers), "registry", &[&down.url()]);
}

#[test]
fn a_schema_that_is_incompatible_is_told_with_the_registrys_reasons() {
    let (peers, told) = scram();
    let open = Gate::new();
    open.open();
    for answer in [
        RegistryFault::Hold(open),
        status(404, r#"{"error_code":40403,"message":"Schema not found"}"#),
        status(
            200,
            r#"{"is_compatible":false,"messages":["FIELD_NAME_TYPE_CHANGED at 3"]}"#,
        ),
    ] {
        peers.registry.fail_next(&answer, 1);
    }
    let words = [
        "js_shoe-value",
        "incompatible",
        "FIELD_NAME_TYPE_CHANGED at 3",
        "SCHEMA_REGISTRY_SUBJECT",
    ];
    expect_one_fails(&check(&told, &peers), "schema", &words);
}

#[test]
fn settings_that_are_wrong_are_refused_and_nothing_is_tried() {
    let (peers, told) = scram();
    for (flags, words) in [
        ("--check --interval x", "❌ --interval x: "),
        ("--check --dry-run", "--dry-run does not; keep one"),
    ] {
        let ended = told.setup(&peers, flags).run();
        ended.expect_code(2);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr().contains(words), "{}", ended.stderr());
    }
    let key = certificates::client_key().path();
    let ended = check(&told.with("KAFKA_SSL_CA_LOCATION", key), &peers);
    ended.expect_code(2);
    assert_eq!(ended.stdout, "");
    ended.line("holds no certificate; it holds a private key");
    let connections = peers.kafka.look(sandbox::State::connections);
    assert_eq!((connections, peers.registry.requests().len()), (0, 0));
    assert_eq!(peers.kafka.handshakes().len(), 0);
}

/// `--check | head -1`.
#[test]
fn a_reader_that_goes_away_changes_neither_the_exit_code_nor_what_is_tried() {
    for password in [PASSWORD, WRONG] {
        let (peers, told) = scram();
        let gate = peers.kafka.hold_next(ApiKey::SaslHandshake);
        let told = told.with("KAFKA_API_SECRET", password);
        let setup = told.setup(&peers, "--check");
        let (program, stdout) = setup.start_with_stdout(Stdio::piped());
        let mut reader = BufReader::new(stdout.unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("✅ settings"), "{line}");
        drop(reader);
        gate.open();
        let ended = program.end();
        ended.expect_code(i32::from(password == WRONG));
        assert_eq!(ended.stderr(), "");
        assert_eq!(peers.registry.requests().len(), 2);
    }
}
