//! The `.env` file (scenario 45), through the real binary: a secret counts as read when the registry lets us in with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{Config, Registry, RegistrySettings, Sandbox};
use support::{Ended, Peers, Setup};

/// Peers whose registry wants this secret, and the program with this file as its `.env`.
fn run_with(secret: &str, file: impl AsRef<[u8]>) -> (Ended, Peers) {
    let credentials = Some(("user".to_owned(), secret.to_owned()));
    let settings = RegistrySettings {
        credentials,
        ..RegistrySettings::default()
    };
    let peers = Peers {
        kafka: Sandbox::start(Config::default()).unwrap(),
        registry: Registry::start(&settings).unwrap(),
    };
    let setup = peers.setup("--count 1 --log-level debug");
    (setup.file(".env", file).run(), peers)
}

/// Scenario 45.
#[test]
fn every_way_to_write_a_secret_down_is_read_as_it_is_meant() {
    let plain = r#"p=a#b ' " \ $HOME `id` ü%"#;
    for (line, secret) in [
        // Unquoted: as it stands, but for a comment after white space.
        (r"a=b=#c==", "a=b=#c=="),
        (r"a#b # comment", "a#b"),
        ("\ta b \t", "a b"),
        (r#"it's"fine"#, r#"it's"fine"#),
        (r"C:\new\$HOME", r"C:\new\$HOME"),
        // Single quotes: nothing is special.
        (r#"'p # "q" \n $x='"#, r#"p # "q" \n $x="#),
        (r"'kept ' # comment", "kept "),
        // Double quotes: escapes.
        (r#""a\"b\\c\td #=e""#, "a\"b\\c\td #=e"),
        (r#""p=a#b ' \" \\ \$HOME \`id\` ü%""#, plain),
        (r#""\q$HOME""#, r"\q$HOME"),
    ] {
        let file = format!(
            "SCHEMA_REGISTRY_API_KEY=user\nSCHEMA_REGISTRY_API_SECRET={line}\nKAFKA_ACKS=1\n"
        );
        let (ended, peers) = run_with(secret, &file);
        assert_eq!(ended.code, Some(0), "{line}:\n{}", ended.stderr());
        ended.expect_no(secret);
        assert_eq!(peers.kafka.record_count("js_shoe"), 1);
    }
}

/// Scenario 45.
#[test]
fn comments_exports_spaces_line_ends_and_a_byte_order_mark_are_no_trouble() {
    let lines = [
        "# a comment",
        "",
        "export SCHEMA_REGISTRY_API_KEY=user",
        "  SCHEMA_REGISTRY_API_SECRET = first",
        "export\tSCHEMA_REGISTRY_API_SECRET=the=last#one wins # so it is",
        "   # SCHEMA_REGISTRY_API_SECRET=not this",
        "KAFKA_LINGER=",
    ];
    for line_end in ["\n", "\r\n"] {
        for start in ["", "\u{feff}"] {
            for end in ["", line_end] {
                let file = start.to_owned() + &lines.join(line_end) + end;
                let (ended, _peers) = run_with("the=last#one wins", &file);
                assert_eq!(ended.code, Some(0), "{file:?}:\n{}", ended.stderr());
            }
        }
    }
}

/// Scenario 45.
#[test]
fn a_quoted_value_may_span_lines_though_no_setting_does() {
    let file =
        "OTHER='one\r\nKAFKA_ACKS=2\r\n'\r\nSCHEMA_REGISTRY_API_SECRET=\"hush\nhush\"\nSEED=x\n";
    let ended = Setup::new("--print-config").file(".env", file).run();
    ended
        .expect_code(2)
        .expect_no("hush")
        .expect_no("KAFKA_ACKS=2");
    let line = ended.line("❌ SCHEMA_REGISTRY_API_SECRET (.env, line 4): ");
    assert!(line.contains("line break"), "{line}");
    ended.line("❌ SEED=x (.env, line 6): ");
}

#[test]
fn a_wrong_secret_is_refused_and_not_shown() {
    let (ended, _peers) = run_with(
        "right-hush",
        "SCHEMA_REGISTRY_API_KEY=user\nSCHEMA_REGISTRY_API_SECRET=wrong-hush\n",
    );
    ended.expect_code(1).expect_no("wrong-hush");
    let line = ended.line("❌ schema registry ");
    assert!(line.contains("401"), "{line}");
}

#[test]
fn a_secret_file_is_read_and_its_line_end_is_not_part_of_the_secret() {
    for (file, secret) in [("a=b #c\n", "a=b #c"), ("a=b\r\n", "a=b"), (" a ", " a ")] {
        let settings = RegistrySettings {
            credentials: Some(("user".to_owned(), secret.to_owned())),
            ..RegistrySettings::default()
        };
        let peers = Peers {
            kafka: Sandbox::start(Config::default()).unwrap(),
            registry: Registry::start(&settings).unwrap(),
        };
        let setup = peers
            .setup("--count 1")
            .env("SCHEMA_REGISTRY_API_KEY", "user")
            .env("SCHEMA_REGISTRY_API_SECRET_FILE", "secret")
            .file("secret", file);
        setup.run().expect_code(0);
    }
}

#[test]
fn every_wrong_line_is_named_with_its_number_and_never_repeated() {
    let file = "KAFKA_TOPIC=boots\nhush without equals\n=hush\nSEED='hush\n\n9HUSH=1\n";
    let ended = Setup::new("--dry-run --count 1").file(".env", file).run();
    ended.expect_code(2).expect_no("hush").expect_no("HUSH");
    for (number, word) in [(2, "NAME=value"), (3, "name"), (4, "quote"), (6, "name")] {
        let line = ended.line(&format!("❌ .env, line {number}: "));
        assert!(line.contains(word), "{line}");
    }
    assert_eq!(ended.stdout, "");
}

/// Scenario 45.
#[test]
fn a_file_that_is_not_utf8_is_refused_with_the_line() {
    for (file, line, word) in [
        (b"SEED=1\nKAFKA_TOPIC=sh\xf6e\n".to_vec(), 2, "not UTF-8"),
        (b"\xff\xfeS\0E\0E\0D\0=\x001\0".to_vec(), 1, "UTF-16"),
    ] {
        let ended = Setup::new("--dry-run --count 1").file(".env", file).run();
        ended.expect_code(2);
        let text = ended.line(&format!("❌ .env, line {line}: "));
        assert!(text.contains(word), "{text}");
    }
}

/// Scenario 45.
#[test]
fn a_file_that_cannot_be_read_is_refused() {
    // A folder stands for it: permissions do not stop root.
    let setup = Setup::new("--dry-run --count 1");
    std::fs::create_dir(setup.path(".env")).unwrap();
    let ended = setup.run();
    ended.expect_code(2);
    ended.line("❌ .env: ");
}

#[test]
fn a_file_of_absurd_size_is_refused() {
    let file = "# ".repeat(1 << 20);
    let ended = Setup::new("--dry-run --count 1").file(".env", file).run();
    ended.expect_code(2);
    ended.line("❌ .env: ");
}

/// Scenario 45.
#[test]
fn no_file_is_fine_and_a_named_one_must_exist() {
    Setup::new("--dry-run --count 1").run().expect_code(0);
    let ended = Setup::new("--dry-run --count 1 --env-file prod.env").run();
    ended.expect_code(2);
    let line = ended.line("❌ --env-file prod.env: ");
    assert!(
        line.to_lowercase().contains("no such file") || line.contains("exist"),
        "{line}"
    );

    let ended = Setup::new("--print-config --env-file prod.env")
        .file(".env", "KAFKA_TOPIC=from-dotenv\n")
        .file("prod.env", "KAFKA_TOPIC=from-prod\n")
        .run();
    ended.expect_code(0).expect_no("from-dotenv");
    let topic = ended
        .stdout
        .lines()
        .find(|line| line.starts_with("KAFKA_TOPIC "));
    assert!(topic.unwrap().ends_with("prod.env"), "{topic:?}");
}

#[test]
fn a_line_that_cannot_be_read_hides_no_other_mistake() {
    let ended = Setup::new("--count x").file(".env", "nonsense\n").run();
    ended.expect_code(2);
    ended.line("❌ .env, line 1: ");
    ended.line("❌ --count x: ");
    // What is missing may well stand in the file.
    ended.expect_no("KAFKA_BOOTSTRAP_SERVERS");
}
