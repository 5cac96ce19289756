//! Where values come from, and the modes.

use super::*;

#[test]
fn a_flag_beats_the_environment_which_beats_the_env_file_which_beats_the_default() {
    let directory = Directory::new()
        .with(".env", "\nKAFKA_TOPIC=file\n")
        .with("other.env", "KAFKA_TOPIC=other");
    let shown = |args: &str, environment: &[(&str, &str)]| {
        row(&config(&directory, args, environment).0, "KAFKA_TOPIC")
    };
    let environment = [("KAFKA_TOPIC", "environment")];
    assert_eq!(shown("--topic flag", &environment), "flag flag --topic");
    assert_eq!(shown("", &environment), "environment environment");
    assert_eq!(shown("", &[]), "file .env");
    assert_eq!(shown("--env-file other.env", &[]), "other other.env");
    assert_eq!(
        shown("", &[("KAFKA_TOPIC", "")]),
        "js_shoe default",
        "set to nothing: the default"
    );
    assert_eq!(
        run_in(&directory, "", &environment).kafka.topic,
        "environment"
    );
    assert_eq!(run_in(&directory, "", &[]).kafka.topic, "file");
}

#[test]
fn the_last_entry_of_an_env_file_counts() {
    let directory = Directory::new().with(".env", "KAFKA_TOPIC=one\nKAFKA_TOPIC=two\n");
    assert_eq!(run_in(&directory, "", &[]).kafka.topic, "two");
}

#[test]
fn a_missing_env_file_matters_only_if_it_was_named() {
    let directory = Directory::new();
    assert_eq!(run_in(&directory, "", &[]).kafka.topic, "js_shoe");
    assert_eq!(
        mistakes("--env-file no.env", &[]),
        ["--env-file no.env: no such file"]
    );
}

#[test]
fn an_env_file_that_cannot_be_read_is_one_clear_error() {
    let directory = Directory::new();
    fs::create_dir(directory.0.join(".env")).unwrap();
    let errors = mistakes_in(&directory, "", &[]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with(".env: the file cannot be read: "),
        "{errors:?}"
    );

    let directory = Directory::new().with(".env", b"KAFKA_TOPIC=a\nKAFKA_API_SECRET=hunter2\xff");
    assert_eq!(
        mistakes_in(&directory, "", &[]),
        [".env, line 2: is not UTF-8: save the file as UTF-8"]
    );

    let directory = Directory::new().with(".env", vec![b'#'; (1 << 20) + 1]);
    assert_eq!(
        mistakes_in(&directory, "", &[]),
        [".env: the file is larger than 1048576 bytes"]
    );
}

#[test]
fn a_dry_run_needs_no_cluster_and_is_not_held_up_by_one() {
    let directory = Directory::new().with(
        ".env",
        "KAFKA_API_KEY=k\nKAFKA_API_SECRET=s\nSCHEMA_REGISTRY_URL=https://r\n",
    );
    let loaded = directory
        .load("--dry-run --seed 42 --count 3", &[])
        .unwrap();
    let Command::DryRun(common) = loaded.command else {
        panic!()
    };
    assert_eq!((common.seed, common.count), (Some(42), Some(3)));
    assert_eq!(
        mistakes_in(&directory, "--dry-run --topic a/b", &[]).len(),
        1,
        "a mistake is a mistake"
    );
}

#[test]
fn the_table_is_printed_even_where_there_are_mistakes() {
    let (text, mistakes) = config(
        &Directory::new(),
        "--topic a/b --bogus",
        &[("KAFKA_CLIENT_ID", "me")],
    );
    assert_eq!(row(&text, "KAFKA_TOPIC"), "(wrong) -");
    assert_eq!(row(&text, "KAFKA_CLIENT_ID"), "me environment");
    assert_eq!(mistakes.0.len(), 2);
}

#[test]
fn variables_that_no_setting_has_are_warned_about() {
    let directory = Directory::new().with(
        ".env",
        "MESSAGE_INTERVALL=1s\nOTHER=1\nKAFKA_TOPIC_FILE=x\n",
    );
    let loaded = directory
        .load(
            REQUIRED,
            &[
                ("KAFKA_TOPIK", "x"),
                ("KAFKA_OPTS", "-X"),
                ("KAFKA_API_KEY_FILE", ""),
            ],
        )
        .unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "KAFKA_TOPIK (environment): no setting has this name; did you mean `KAFKA_TOPIC`?",
            "MESSAGE_INTERVALL (.env): no setting has this name; did you mean `MESSAGE_INTERVAL`?",
            "KAFKA_OPTS, KAFKA_TOPIC_FILE: no setting has this name; ignored",
        ]
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_refused_if_it_is_ours() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || OsString::from_vec(vec![b'a', 0xff]);
    let environment = [
        ("KAFKA_TOPIC".into(), broken()),
        ("PATH".into(), broken()),
        (broken(), broken()),
    ];
    let directory = Directory::new();
    let refused = load(
        REQUIRED.split(' ').map(OsString::from),
        environment,
        &directory.0,
    )
    .map(|_| ())
    .unwrap_err();
    assert_eq!(
        refused.mistakes.to_string(),
        "KAFKA_TOPIC (environment): the value is not UTF-8"
    );
}
