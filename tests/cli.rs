//! The modes that produce nothing, and what is said of wrong settings: nothing is tried, and every mistake is told at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use continuous_producer::settings::table::TABLE;
use continuous_producer::shoe::ShoeGenerator;
use support::{Ended, Peers, Setup};

/// A value that no setting has by itself.
const SECRET: &str = "hush-8d1f=#\"x";

#[test]
fn help_tells_of_every_setting_and_mode() {
    for flag in ["--help", "-h", "--topic x --help --nonsense"] {
        let ended = Setup::new(flag).run();
        ended.expect_code(0);
        assert_eq!(ended.stderr(), "");
        for setting in &TABLE {
            assert!(ended.stdout.contains(setting.variable), "{flag}");
            let flag = setting.flag.map(|(flag, _)| format!("--{flag} "));
            assert!(ended.stdout.contains(&flag.unwrap_or_default()));
        }
        for mode in ["--check", "--dry-run", "--print-config", "--env-file"] {
            assert!(ended.stdout.contains(mode), "{mode}");
        }
    }
}

#[test]
fn version_is_the_crates() {
    for flag in ["--version", "-V"] {
        let ended = Setup::new(flag).run();
        ended.expect_code(0);
        let version = concat!("continuous-producer ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(ended.stdout, version);
        assert_eq!(ended.stderr(), "");
    }
}

/// What `--print-config` says of a setting: value and source.
fn printed(ended: &Ended, variable: &str) -> (String, String) {
    let mut lines = ended.stdout.lines();
    let line = lines.find(|line| line.split(' ').next() == Some(variable));
    let rest = line.unwrap().strip_prefix(variable).unwrap().trim();
    let (value, source) = rest.split_once("  ").unwrap();
    (value.to_owned(), source.trim().to_owned())
}

fn pair(value: &str, source: &str) -> (String, String) {
    (value.to_owned(), source.to_owned())
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let setup = Setup::new("--print-config --topic from-flag")
        .env("KAFKA_TOPIC", "from-environment")
        .env("MESSAGE_INTERVAL", "2s")
        .env("KAFKA_LINGER", "")
        .file(
            ".env",
            "KAFKA_TOPIC=from-file\nMESSAGE_INTERVAL=3s\nKAFKA_ACKS=1\nKAFKA_LINGER=7ms\n",
        );
    let ended = setup.run();
    ended.expect_code(0);
    assert_eq!(ended.stderr(), "");
    assert_eq!(
        printed(&ended, "KAFKA_TOPIC"),
        pair("from-flag", "flag --topic")
    );
    assert_eq!(
        printed(&ended, "MESSAGE_INTERVAL"),
        pair("2s", "environment")
    );
    assert_eq!(printed(&ended, "KAFKA_ACKS"), pair("1", ".env"));
    // Set to nothing is the default, whatever the file says.
    assert_eq!(printed(&ended, "KAFKA_LINGER"), pair("5ms", "default"));
    assert_eq!(
        printed(&ended, "KAFKA_COMPRESSION_TYPE"),
        pair("none", "default")
    );
    assert_eq!(
        printed(&ended, "SCHEMA_REGISTRY_SUBJECT"),
        pair("from-flag-value", "default")
    );
    assert_eq!(ended.stdout.lines().count(), TABLE.len());
}

#[test]
fn a_configuration_with_mistakes_is_printed_and_refused() {
    let ended = Setup::new("--print-config --interval 1x --acks 2").run();
    ended.expect_code(2);
    assert_eq!(printed(&ended, "MESSAGE_INTERVAL"), pair("(wrong)", "-"));
    assert_eq!(printed(&ended, "KAFKA_TOPIC"), pair("js_shoe", "default"));
    ended.line("❌ --interval 1x: ");
    ended.line("❌ --acks 2: ");
    ended.expect_no("❌ KAFKA_BOOTSTRAP_SERVERS");
}

#[test]
fn secrets_are_in_no_output() {
    let setup = |flags: &str| {
        Setup::new(flags)
            .env("KAFKA_API_KEY", "key-of-kafka")
            .env("KAFKA_API_SECRET", SECRET)
            .env("SCHEMA_REGISTRY_API_KEY", "key-of-registry")
            .env("SCHEMA_REGISTRY_API_SECRET", SECRET)
            .env(
                "SCHEMA_REGISTRY_URL",
                "http://somebody:hush-8d1f@localhost:1",
            )
    };
    let ended = setup("--print-config").run();
    assert_eq!(
        printed(&ended, "KAFKA_API_SECRET"),
        pair("[hidden]", "environment")
    );
    assert_eq!(printed(&ended, "SCHEMA_REGISTRY_API_SECRET").0, "[hidden]");
    ended.expect_no("hush-8d1f");
    for flags in [
        "",
        "--help",
        "--nonsense",
        "--check",
        "--dry-run --count 1 --log-level debug",
        "--bootstrap-servers x:y --count -1 --log-level debug",
    ] {
        setup(flags).run().expect_no("hush-8d1f");
    }
    // A line of the file that is no setting, and a file that holds the secret.
    let ended = Setup::new("--print-config")
        .file(".env", format!("KAFKA_API_SECRET={SECRET}\nhush-8d1f\n"))
        .run();
    ended.expect_code(2).expect_no("hush-8d1f");
    ended.line("❌ .env, line 2: ");
    let ended = Setup::new("--print-config")
        .env("SCHEMA_REGISTRY_API_KEY", "user")
        .env("SCHEMA_REGISTRY_API_SECRET_FILE", "secret")
        .file("secret", format!("{SECRET}\n"))
        .run();
    ended.expect_code(0).expect_no("hush-8d1f");
    assert_eq!(
        printed(&ended, "SCHEMA_REGISTRY_API_SECRET"),
        pair("[hidden]", "file secret")
    );
}

#[test]
fn a_secret_has_no_flag() {
    for flag in ["--api-secret", "--schema-registry-api-secret"] {
        let ended = Setup::new(flag).arg(SECRET).run();
        ended.expect_code(2).expect_no("hush-8d1f");
        ended.line(&format!("❌ {flag}: unknown flag"));
    }
}

#[test]
fn every_mistake_is_told_at_once_with_what_is_allowed_and_what_was_meant() {
    let ended = Setup::new("--intervall 1s --compression ztsd --count x --key value extra")
        .env("STATS_INTERVAL", "10")
        .env("KAFKA_ACKS", "2")
        .env("KAFKA_TOPIC", "no spaces")
        .env("KAFKA_BOOTSTRAP_SERVERS", "localhost:99999")
        .file(".env", "KAFKA_MAX_IN_FLIGHT=six\n")
        .run();
    ended.expect_code(2);
    assert_eq!(ended.stdout, "");
    for (subject, word) in [
        ("--intervall: ", "did you mean `--interval`?"),
        ("--compression ztsd: ", "did you mean `zstd`?"),
        ("--count x: ", "a whole number from 1"),
        ("--key value: ", "allowed: id, none"),
        ("STATS_INTERVAL=10 (environment): ", "allowed: "),
        ("KAFKA_ACKS=2 (environment): ", "allowed: all, 1, 0"),
        ("KAFKA_TOPIC=no spaces (environment): ", "allowed: "),
        (
            "KAFKA_BOOTSTRAP_SERVERS=localhost:99999 (environment): ",
            "port",
        ),
        ("KAFKA_MAX_IN_FLIGHT=six (.env, line 1): ", "whole number"),
        ("SCHEMA_REGISTRY_URL: ", "required"),
        ("extra: ", ""),
    ] {
        let line = ended.line(&format!("❌ {subject}"));
        assert!(line.contains(word), "{line}");
    }
    // Nothing but these lines, and where to read more.
    assert_eq!(ended.lines.len(), 11 + 1, "{}", ended.stderr());
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let peers = Peers::start();
    for (variables, word) in [
        (vec![("KAFKA_MAX_IN_FLIGHT", "6")], "5"),
        (
            vec![("KAFKA_ACKS", "1"), ("KAFKA_ENABLE_IDEMPOTENCE", "true")],
            "all",
        ),
    ] {
        let mut setup = peers.setup("");
        for (name, value) in &variables {
            setup = setup.env(name, value);
        }
        let ended = setup.run();
        ended.expect_code(2);
        assert!(ended.stderr().contains(word), "{}", ended.stderr());
    }
    assert_eq!(
        peers.kafka.look(sandbox::State::connections),
        0,
        "nothing was tried"
    );
}

/// Scenario 38.
#[test]
fn security_settings_that_are_wrong_are_all_told_and_nothing_is_tried() {
    let peers = Peers::start();
    let key = include_str!("sandbox/certificates/client-key.pem");
    let ended = peers
        .setup("--security-protocol SASL_SSL --ssl-ca key.pem")
        .env("KAFKA_API_KEY", "user")
        .env("KAFKA_SSL_CERTIFICATE_LOCATION", "nowhere.pem")
        .env("KAFKA_SSL_KEY_LOCATION", "key.pem")
        .env("KAFKA_OAUTH_SCOPE", "all")
        .file("key.pem", key)
        .run();
    ended.expect_code(2);
    for line in [
        "❌ KAFKA_API_KEY=user (environment): needs KAFKA_API_SECRET",
        "❌ KAFKA_OAUTH_SCOPE=all (environment): needs KAFKA_SASL_MECHANISM=OAUTHBEARER",
        "❌ KAFKA_SSL_CERTIFICATE_LOCATION=nowhere.pem (environment): no such file",
        "❌ --ssl-ca key.pem: holds no certificate; it holds a private key",
    ] {
        ended.line(line);
    }
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        ended.expect_no(line);
    }
    let tried = peers.kafka.look(sandbox::State::connections);
    assert_eq!((tried, peers.registry.requests().len()), (0, 0));
}

#[test]
fn variables_that_look_like_settings_and_are_none_are_warned_about() {
    let peers = Peers::start();
    for flags in ["--dry-run --count 1", "--count 1"] {
        let setup = peers.setup(flags).env("KAFKA_TOPCI", "boots");
        let ended = setup.file(".env", "MESSAGE_INTERVALL=1h\nOTHER=1\n").run();
        ended.expect_code(0).expect_no("OTHER");
        for (name, meant) in [
            ("KAFKA_TOPCI (environment)", "`KAFKA_TOPIC`"),
            ("MESSAGE_INTERVALL (.env)", "`MESSAGE_INTERVAL`"),
        ] {
            let line = ended.line(&format!("⚠️ {name}: "));
            assert!(line.contains(meant), "{line}");
        }
    }
}

#[test]
fn a_dry_run_writes_the_shoes_of_its_seed_byte_for_byte() {
    let flags = "--dry-run --count 1000 --interval 0 --seed 7";
    let ended = Setup::new(flags).run();
    ended.expect_code(0);
    assert_eq!(ended.stderr(), "");
    let generator = ShoeGenerator::new(7, 0);
    let mut expected = Vec::new();
    for n in 0..1000 {
        generator.shoe(n).write_json(&mut expected);
    }
    assert_eq!(ended.stdout, String::from_utf8(expected).unwrap());
    assert_eq!(ended.stdout.lines().count(), 1000);
    assert_eq!(Setup::new(flags).run().stdout, ended.stdout);
    // Pace and duration change when, not what.
    let paced = Setup::new("--dry-run --count 20 --interval 1ms --seed 7").run();
    assert!(ended.stdout.starts_with(&paced.stdout) && !paced.stdout.is_empty());
}

#[test]
fn other_instances_and_seeds_never_share_an_id() {
    let mut ids = HashSet::new();
    for flags in ["--seed 7", "--seed 7 --instance-id 1", "--seed 8", ""] {
        let ended = Setup::new(&format!("--dry-run --count 500 --interval 0 {flags}")).run();
        ended.expect_code(0);
        for line in ended.stdout.lines() {
            let shoe: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(ids.insert(shoe["id"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(ids.len(), 2000);
}

#[test]
fn a_dry_run_ends_in_peace_when_nobody_reads_any_more() {
    let setup = Setup::new("--dry-run --interval 0 --seed 7");
    let (program, stdout) = setup.start_with_stdout(Stdio::piped());
    let mut line = String::new();
    let mut reader = BufReader::new(stdout.unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let ended = program.end();
    ended.expect_code(0);
    assert_eq!(ended.stderr(), "");
    assert!(line.starts_with("{\"id\":"), "{line}");
}

/// Scenario 42.
#[test]
fn a_full_disk_under_standard_output_is_told() {
    for mode in ["--dry-run --count 10 --interval 0", "--help", "--version"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = Setup::new(mode).start_with_stdout(full.into()).0.end();
        ended.expect_code(1);
        assert!(
            ended
                .line("❌ ")
                .starts_with("❌ writing to standard output failed: No space left on device"),
            "{mode}: {}",
            ended.stderr()
        );
    }
}

#[test]
fn a_dry_run_keeps_its_pace_until_a_signal() {
    for signal in ["INT", "TERM"] {
        let setup = Setup::new("--dry-run --interval 1h");
        let (program, stdout) = setup.start_with_stdout(Stdio::piped());
        let mut reader = BufReader::new(stdout.unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        program.signal(signal);
        program.end().expect_code(0);
        line.clear();
        assert_eq!(reader.read_line(&mut line).unwrap(), 0, "one shoe an hour");
    }
}
