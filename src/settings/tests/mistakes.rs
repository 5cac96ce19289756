//! What is refused, and in which words.

use super::*;

type Environment = &'static [(&'static str, &'static str)];

#[test]
fn every_mistake_is_reported_at_once_and_says_what_was_meant() {
    let directory = Directory::new().with(".env", "A=1\nKAFKA_ACKS=2\nLOG_FORMAT=ful\n");
    let errors = mistakes_in(
        &directory,
        "--intervall 1s --interval 5 --count 0 --topic a/b",
        &[
            ("KAFKA_COMPRESSION_TYPE", "snapy"),
            ("KAFKA_BATCH_SIZE", "1GiB"),
            ("KAFKA_BOOTSTRAP_SERVERS", "PLAINTEXT://k:9092"),
        ],
    );
    assert_eq!(
        errors,
        [
            "--intervall: unknown flag; did you mean `--interval`?",
            "--interval 5: no unit; allowed: a duration such as 500ms, 1s, 1m30s, 1.5h (units ns, us, ms, s, m, h), at most 8784h; did you mean `5s`?",
            "--count 0: out of bounds; allowed: a whole number from 1 to 2^64-1",
            "LOG_FORMAT=ful (.env, line 3): unknown value; allowed: pretty, full, json; did you mean `full`?",
            "KAFKA_BOOTSTRAP_SERVERS=PLAINTEXT://k:9092 (environment): a scheme does not belong here (see KAFKA_SECURITY_PROTOCOL); allowed: host:port,host:port (IPv6 as [::1]:9092; port 9092 where none is given); did you mean `k:9092`?",
            "--topic a/b: has the character '/'; allowed: 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and neither \".\" nor \"..\"",
            "KAFKA_ACKS=2 (.env, line 2): unknown value; allowed: all, 1, 0",
            "KAFKA_COMPRESSION_TYPE=snapy (environment): unknown value; allowed: none, gzip, snappy, lz4, zstd; did you mean `snappy`?",
            "KAFKA_BATCH_SIZE=1GiB (environment): out of bounds; allowed: bytes such as 1000000, 64KB or 32MiB, from 1KiB to 16MiB",
            "SCHEMA_REGISTRY_URL: required; set it, or --registry-url: http://host:port or https://host:port, or several separated by commas",
        ]
    );
}

#[test]
fn every_setting_refuses_what_is_beyond_its_bounds() {
    for (variable, wrong) in [
        ("MESSAGE_INTERVAL", "-1s"),
        ("MESSAGE_INTERVAL", "8785h"),
        ("MESSAGE_COUNT", "0"),
        ("RUN_DURATION", "0"),
        ("SEED", "18446744073709551616"),
        ("INSTANCE_ID", "65536"),
        ("LOG_LEVEL", "loud"),
        ("STATS_INTERVAL", "99ms"),
        ("SHUTDOWN_TIMEOUT", "25h"),
        ("KAFKA_LINGER", "61m"),
        ("KAFKA_BATCH_SIZE", "1023"),
        ("KAFKA_MAX_IN_FLIGHT", "0"),
        ("KAFKA_MAX_IN_FLIGHT", "101"),
        ("KAFKA_BUFFER_MEMORY", "2MiB"),
        ("KAFKA_DELIVERY_TIMEOUT", "9ms"),
        ("KAFKA_REQUEST_TIMEOUT", "61m"),
        ("KAFKA_CREATE_TOPIC", "0"),
        ("KAFKA_MESSAGE_KEY", "uuid"),
        ("SCHEMA_REGISTRY_AUTO_REGISTER", "maybe"),
    ] {
        let errors = mistakes("", &[(variable, wrong)]);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with(&format!("{variable}={wrong} (environment): ")),
            "{errors:?}"
        );
        assert!(errors[0].contains("; allowed: "), "{errors:?}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let cases: [(&[(&str, &str)], &str); 7] = [
        (
            &[("KAFKA_ENABLE_IDEMPOTENCE", "true"), ("KAFKA_ACKS", "1")],
            "KAFKA_ENABLE_IDEMPOTENCE=true (environment): needs KAFKA_ACKS=all; set it, or KAFKA_ENABLE_IDEMPOTENCE=false",
        ),
        (
            &[("KAFKA_MAX_IN_FLIGHT", "6")],
            "KAFKA_MAX_IN_FLIGHT=6 (environment): over 5 refused with idempotence; allowed: 1 to 5, or more with KAFKA_ENABLE_IDEMPOTENCE=false",
        ),
        (
            &[
                ("KAFKA_BUFFER_MEMORY", "3MiB"),
                ("KAFKA_BATCH_SIZE", "2MiB"),
            ],
            "KAFKA_BUFFER_MEMORY=3MiB (environment): too small; allowed: at least KAFKA_BATCH_SIZE + 2MiB = 4MiB",
        ),
        (
            &[("KAFKA_DELIVERY_TIMEOUT", "30s")],
            "KAFKA_DELIVERY_TIMEOUT=30s (environment): too short; allowed: at least KAFKA_LINGER + KAFKA_REQUEST_TIMEOUT = 30.005s; raise it, or lower those",
        ),
        (
            &[("SCHEMA_REGISTRY_API_KEY", "me")],
            "SCHEMA_REGISTRY_API_KEY=me (environment): needs SCHEMA_REGISTRY_API_SECRET (or SCHEMA_REGISTRY_API_SECRET_FILE) too",
        ),
        (
            &[("SCHEMA_REGISTRY_API_SECRET", "hunter2")],
            "SCHEMA_REGISTRY_API_SECRET=[hidden] (environment): needs SCHEMA_REGISTRY_API_KEY (or SCHEMA_REGISTRY_API_KEY_FILE) too",
        ),
        (
            &[
                ("SCHEMA_REGISTRY_API_KEY", "a:b"),
                ("SCHEMA_REGISTRY_API_SECRET", "hunter2"),
            ],
            "SCHEMA_REGISTRY_API_KEY=a:b (environment): has a colon, which a user name of basic authentication cannot have (RFC 7617)",
        ),
    ];
    for (environment, error) in cases {
        assert_eq!(mistakes("", environment), [error]);
    }
    assert!(
        !run(
            "",
            &[
                ("KAFKA_MAX_IN_FLIGHT", "6"),
                ("KAFKA_ENABLE_IDEMPOTENCE", "no")
            ]
        )
        .kafka
        .idempotence
    );
}

#[test]
fn a_delivery_timeout_that_nobody_set_follows_the_request_timeout() {
    let loaded = Directory::new()
        .load(REQUIRED, &[("KAFKA_REQUEST_TIMEOUT", "5m")])
        .unwrap();
    let Command::Run(settings) = loaded.command else {
        panic!()
    };
    assert_eq!(
        settings.kafka.delivery_timeout,
        Duration::from_millis(300_005)
    );
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].starts_with("KAFKA_DELIVERY_TIMEOUT: raised from 2m to 5m0.005s"));
}

#[test]
fn an_address_to_listen_on_that_leaves_the_host_out_is_refused_with_what_was_meant() {
    const ALLOWED: &str = "allowed: host:port (port 9400 where none is given; 0: any that is free)";
    let cases: [(&str, Environment, &str); 2] = [
        (
            "--metrics-listen h:x",
            &[],
            "--metrics-listen h:x: a port is a number from 0 to 65535; ALLOWED",
        ),
        (
            "",
            &[("METRICS_LISTEN", ":9400")],
            "METRICS_LISTEN=:9400 (environment): no host; all interfaces are 0.0.0.0, or [::]; ALLOWED; did you mean `0.0.0.0:9400`?",
        ),
    ];
    for (args, environment, error) in cases {
        assert_eq!(
            mistakes(args, environment),
            [error.replace("ALLOWED", ALLOWED)]
        );
    }
}

#[test]
fn a_flag_that_does_nothing_in_a_mode_is_warned_about_and_a_variable_is_not() {
    let modes: [(&str, &[&str]); 3] = [
        ("--dry-run", &["--metrics-listen", "--ledger-file"]),
        ("--check", &[]),
        ("", &[]),
    ];
    for (mode, without_effect) in modes {
        let warnings = |args: &str, environment: &[(&str, &str)]| {
            let args = format!("{REQUIRED} {mode} {args}");
            Directory::new().load(&args, environment).unwrap().warnings
        };
        let told = without_effect.iter();
        let told: Vec<_> = told
            .map(|flag| format!("{flag}: does nothing with {mode}"))
            .collect();
        let given = warnings("--metrics-listen h:1 --ledger-file f", &[]);
        assert_eq!(given, told);
        let variables = [("METRICS_LISTEN", "h:1"), ("LEDGER_FILE", "f")];
        assert!(warnings("", &variables).is_empty());
    }
}

#[test]
fn a_misspelt_variable_is_told_of_beside_the_one_that_it_left_missing() {
    let refused = load(
        ["--registry-url".into(), "http://r:2".into()],
        [("KAFKA_BOOTSTRAP_SERVER".into(), "k:1".into())],
        &Directory::new().0,
    )
    .map(|_| ())
    .unwrap_err();
    let told = |text: &str| text.contains("KAFKA_BOOTSTRAP_SERVERS");
    assert!(told(&refused.mistakes.to_string()), "{refused:?}");
    assert!(
        refused.warnings.iter().any(|warning| told(warning)),
        "{refused:?}"
    );
}
