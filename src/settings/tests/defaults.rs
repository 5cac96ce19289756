//! The table itself, its defaults, and what is made of it.

use super::*;

#[test]
fn the_table_is_consistent() {
    let ids: HashSet<Id> = TABLE.iter().map(|setting| setting.id).collect();
    assert_eq!(ids.len(), TABLE.len());
    assert_eq!(
        table::variables().iter().collect::<HashSet<_>>().len(),
        table::variables().len()
    );
    let flags: Vec<_> = TABLE
        .iter()
        .filter_map(|s| s.flag.map(|(flag, _)| flag))
        .chain(modes::MODES.map(|mode| mode.name))
        .collect();
    assert_eq!(flags.iter().collect::<HashSet<_>>().len(), flags.len());
    let mut last = 0;
    for setting in &TABLE {
        if let Some(default) = setting.default {
            let value = setting.kind.parse(default);
            assert_eq!(
                value.map(|value| value.to_string()).as_deref(),
                Ok(default),
                "{}",
                setting.variable
            );
        }
        if !setting.example.is_empty() {
            let value = setting.kind.parse(setting.example);
            assert_eq!(
                value.map(|value| value.to_string()).as_deref(),
                Ok(setting.example),
                "{}",
                setting.variable
            );
        }
        assert!(
            !matches!(setting.kind, value::Kind::Secret) || setting.flag.is_none(),
            "a secret has no flag"
        );
        assert!(
            !matches!(setting.kind, value::Kind::Secret) || setting.file_twin,
            "a secret may stand in a file"
        );
        if let value::Kind::Choice(choices) = setting.kind {
            for named in choices.named {
                let said = setting.meaning.contains(named.name)
                    || matches!(named.choice, choice::Choice::Boolean(_));
                assert!(
                    said,
                    "{}: {} is not in the README",
                    setting.variable, named.name
                );
            }
        }
        let group = Group::ALL
            .iter()
            .position(|group| *group == setting.group)
            .unwrap();
        assert!(group >= last, "{} is out of its group", setting.variable);
        last = group;
    }
}

#[test]
fn every_default_is_the_documented_one() {
    for (variable, default) in [
        ("MESSAGE_INTERVAL", "1s default"),
        ("MESSAGE_COUNT", "(no limit) default"),
        ("RUN_DURATION", "(no limit) default"),
        ("SEED", "(random, logged) default"),
        ("INSTANCE_ID", "0 default"),
        ("LOG_LEVEL", "info default"),
        (
            "LOG_FORMAT",
            "(pretty on a terminal, full elsewhere) default",
        ),
        ("STATS_INTERVAL", "10s default"),
        ("SHUTDOWN_TIMEOUT", "30s default"),
        ("METRICS_LISTEN", "(off) default"),
        ("LEDGER_FILE", "(off) default"),
        ("KAFKA_BOOTSTRAP_SERVERS", "(required, not set) -"),
        ("KAFKA_TOPIC", "js_shoe default"),
        ("KAFKA_API_KEY", "(none) default"),
        ("KAFKA_API_SECRET", "(none) default"),
        ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT default"),
        ("KAFKA_SASL_MECHANISM", "PLAIN default"),
        ("KAFKA_OAUTH_TOKEN_ENDPOINT_URL", "(none) default"),
        ("KAFKA_OAUTH_SCOPE", "(none) default"),
        ("KAFKA_OAUTH_EXTENSIONS", "(none) default"),
        (
            "KAFKA_SSL_CA_LOCATION",
            "(Mozilla's roots, built in) default",
        ),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", "(none) default"),
        ("KAFKA_SSL_KEY_LOCATION", "(none) default"),
        ("KAFKA_ACKS", "all default"),
        ("KAFKA_ENABLE_IDEMPOTENCE", "true default"),
        ("KAFKA_COMPRESSION_TYPE", "none default"),
        ("KAFKA_LINGER", "5ms default"),
        ("KAFKA_BATCH_SIZE", "1000000 default"),
        ("KAFKA_MAX_IN_FLIGHT", "5 default"),
        ("KAFKA_BUFFER_MEMORY", "32MiB default"),
        ("KAFKA_DELIVERY_TIMEOUT", "2m default"),
        ("KAFKA_REQUEST_TIMEOUT", "30s default"),
        ("KAFKA_CLIENT_ID", "continuous-producer default"),
        ("KAFKA_MESSAGE_KEY", "id default"),
        ("KAFKA_CREATE_TOPIC", "(off) default"),
        ("SCHEMA_REGISTRY_URL", "(required, not set) -"),
        ("SCHEMA_REGISTRY_API_KEY", "(none) default"),
        ("SCHEMA_REGISTRY_API_SECRET", "(none) default"),
        (
            "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE",
            "none default",
        ),
        (
            "SCHEMA_REGISTRY_BEARER_AUTH_LOGICAL_CLUSTER",
            "(none) default",
        ),
        ("SCHEMA_REGISTRY_SSL_CA_LOCATION", "(as Kafka's) default"),
        ("SCHEMA_REGISTRY_AUTO_REGISTER", "true default"),
        ("SCHEMA_REGISTRY_SUBJECT", "js_shoe-value default"),
    ] {
        let (text, mistakes) = config(&Directory::new(), "", &[]);
        assert_eq!(row(&text, variable), default, "{variable}");
        assert_eq!(text.lines().count(), 43);
        assert!(
            mistakes.is_empty(),
            "what is missing is shown, not complained about"
        );
    }
}

#[test]
fn the_defaults_make_these_settings() {
    let Settings {
        common,
        kafka,
        token,
        registry,
    } = run("", &[]);
    assert!(token.is_none() && kafka.tls.is_none() && kafka.sasl.is_none());
    assert!(registry.tls.is_none() && registry.bearer.is_none());
    assert_eq!(
        common,
        Common {
            interval: Duration::from_secs(1),
            count: None,
            duration: None,
            seed: None,
            instance_id: 0,
            log_level: log::LevelFilter::Info,
            log_format: None,
            stats_interval: Some(Duration::from_secs(10)),
            shutdown_timeout: Duration::from_secs(30),
            metrics_listen: None,
            ledger_file: None,
        }
    );
    assert_eq!(
        kafka.bootstrap_servers,
        [HostPort {
            host: "k".to_owned(),
            port: 1
        }]
    );
    assert_eq!(
        (kafka.topic.as_str(), kafka.client_id.as_str()),
        ("js_shoe", "continuous-producer")
    );
    assert_eq!(
        (kafka.acks, kafka.idempotence, kafka.compression),
        (Acks::All, true, Compression::None)
    );
    assert_eq!(
        (kafka.batch_size, kafka.max_in_flight, kafka.buffer_memory),
        (1_000_000, 5, 32 << 20)
    );
    assert_eq!(kafka.linger, Duration::from_millis(5));
    assert_eq!(kafka.delivery_timeout, Duration::from_secs(120));
    assert_eq!(kafka.request_timeout, Duration::from_secs(30));
    assert_eq!(
        (kafka.message_key, kafka.create_topic),
        (MessageKey::Id, None)
    );
    assert_eq!(registry.urls, ["http://r:2"]);
    assert_eq!((registry.credentials, registry.auto_register), (None, true));
    assert_eq!(registry.subject, "js_shoe-value");
}

#[test]
fn every_setting_reaches_its_field() {
    let settings = run(
        "--interval 0 --count 7 --duration 1h --seed 18446744073709551615 --instance-id 65535 --log-level debug \
         --log-format json --stats-interval 0 --shutdown-timeout 0 --metrics-listen [::1]:0 \
         --ledger-file folder/ledger.json --topic t --acks 1 --compression zstd --linger 1s --key none",
        &[
            ("KAFKA_BATCH_SIZE", "16KiB"),
            ("KAFKA_MAX_IN_FLIGHT", "100"),
            ("KAFKA_BUFFER_MEMORY", "3MiB"),
            ("KAFKA_DELIVERY_TIMEOUT", "11s"),
            ("KAFKA_REQUEST_TIMEOUT", "10s"),
            ("KAFKA_CLIENT_ID", "me"),
            ("KAFKA_CREATE_TOPIC", "6:3"),
            ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
            ("SCHEMA_REGISTRY_API_KEY", "user"),
            ("SCHEMA_REGISTRY_API_SECRET", "pass word"),
            ("SCHEMA_REGISTRY_AUTO_REGISTER", "false"),
        ],
    );
    let Settings {
        common,
        kafka,
        registry,
        ..
    } = settings;
    assert_eq!(
        (common.interval, common.count, common.duration),
        (Duration::ZERO, Some(7), Some(Duration::from_secs(3600)))
    );
    assert_eq!(
        (common.seed, common.instance_id, common.stats_interval),
        (Some(u64::MAX), u16::MAX, None)
    );
    assert_eq!(
        (common.log_level, common.log_format),
        (log::LevelFilter::Debug, Some(LogFormat::Json))
    );
    assert_eq!(common.shutdown_timeout, Duration::ZERO);
    assert_eq!(
        common.ledger_file,
        Some(PathBuf::from("folder/ledger.json"))
    );
    assert_eq!(
        common.metrics_listen,
        Some(HostPort {
            host: "::1".to_owned(),
            port: 0
        })
    );
    assert_eq!(
        (kafka.acks, kafka.idempotence, kafka.compression),
        (Acks::Leader, false, Compression::Zstd)
    );
    assert_eq!(
        (kafka.batch_size, kafka.max_in_flight, kafka.buffer_memory),
        (16 << 10, 100, 3 << 20)
    );
    assert_eq!(
        (kafka.linger, kafka.request_timeout),
        (Duration::from_secs(1), Duration::from_secs(10))
    );
    assert_eq!(kafka.delivery_timeout, Duration::from_secs(11));
    assert_eq!(
        (kafka.client_id.as_str(), kafka.message_key),
        ("me", MessageKey::None)
    );
    assert_eq!(
        kafka.create_topic,
        Some(NewTopic {
            partitions: 6,
            replication: 3
        })
    );
    let credentials = registry.credentials.unwrap();
    assert_eq!(
        (credentials.user.as_str(), credentials.password.expose()),
        ("user", "pass word")
    );
    assert_eq!(
        (registry.auto_register, registry.subject.as_str()),
        (false, "t-value")
    );
}

#[test]
fn help_and_version_need_nothing() {
    let directory = Directory::new().with(".env", b"\xff");
    let Command::Version(version) = directory.load("-V --bogus", &[]).unwrap().command else {
        panic!()
    };
    assert_eq!(
        version,
        format!("continuous-producer {}\n", env!("CARGO_PKG_VERSION"))
    );
    let Command::Help(help) = directory
        .load("--bogus --help", &[("KAFKA_ACKS", "9")])
        .unwrap()
        .command
    else {
        panic!()
    };
    for line in help.lines() {
        assert!(line.chars().count() <= render::HELP_COLUMNS_MAX, "{line}");
    }
    for setting in &TABLE {
        let named = |line: &&str| line.split_whitespace().any(|word| word == setting.variable);
        let at = help.lines().position(|line| named(&line)).unwrap();
        let line = help.lines().skip(at).take(2).collect::<Vec<_>>().join("\n");
        assert!(
            setting.flag.is_none_or(
                |(flag, placeholder)| line.contains(&format!("--{flag} {placeholder} "))
            ),
            "{line}"
        );
        assert!(
            line.contains(&setting.default.unwrap_or(setting.without).replace('`', "")),
            "{line}"
        );
    }
}

#[test]
fn the_example_env_file_is_the_tables() {
    let example = env_example();
    let file = include_str!("../../../.env.example");
    assert!(
        file == example,
        "this belongs into .env.example:\n{example}"
    );
    let uncommented: Vec<_> = example
        .lines()
        .map(|line| {
            let assignment = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
            assignment.unwrap_or(line)
        })
        .collect();
    let directory = Directory::new().with(".env", uncommented.join("\n"));
    let loaded = directory.load("", &[]).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(matches!(loaded.command, Command::Run(_)));
}

#[test]
fn the_readme_table_has_every_setting() {
    let table = readme_table();
    assert!(
        table.starts_with("| variable | flag | default | meaning |\n| --- | --- | --- | --- |\n")
    );
    assert_eq!(table.lines().count(), 2 + TABLE.len());
    assert!(table.contains("| `KAFKA_LINGER` | `--linger` | `5ms` |"));
    assert!(
        table.lines().all(|line| line.matches(" | ").count() == 3),
        "{table}"
    );
    assert!(by_id(Id::Topic).is_some_and(|setting| setting.variable == "KAFKA_TOPIC"));
}
