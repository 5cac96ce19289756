//! Secrets arrive and are never shown.

use super::*;

#[test]
fn secrets_may_stand_in_files() {
    let directory = Directory::new()
        .with("secret", "pa ss=#'\"$x \r\n")
        .with("key", "\u{feff}user\r\n")
        .with("empty", "\u{feff}\n")
        .with("bytes", b"\xff");
    let environment = [
        ("SCHEMA_REGISTRY_API_KEY_FILE", "key"),
        ("SCHEMA_REGISTRY_API_SECRET_FILE", "secret"),
    ];
    let credentials = run_in(&directory, "", &environment)
        .registry
        .credentials
        .unwrap();
    assert_eq!(
        (credentials.user.as_str(), credentials.password.expose()),
        ("user", "pa ss=#'\"$x ")
    );
    let (text, _) = config(&directory, "", &environment);
    assert_eq!(
        row(&text, "SCHEMA_REGISTRY_API_SECRET"),
        "[hidden] file secret"
    );
    assert_eq!(row(&text, "SCHEMA_REGISTRY_API_KEY"), "user file key");

    for (file, problem) in [
        (
            "nowhere",
            "SCHEMA_REGISTRY_API_SECRET_FILE=nowhere (environment): no such file",
        ),
        (
            "empty",
            "SCHEMA_REGISTRY_API_SECRET_FILE=empty (environment): the file is empty",
        ),
        (
            "bytes",
            "SCHEMA_REGISTRY_API_SECRET_FILE=bytes (environment): the file is not UTF-8",
        ),
    ] {
        let environment = [
            ("SCHEMA_REGISTRY_API_KEY", "u"),
            ("SCHEMA_REGISTRY_API_SECRET_FILE", file),
        ];
        assert_eq!(mistakes_in(&directory, REQUIRED, &environment), [problem]);
    }
}

/// As from `<(pass show kafka)`.
#[test]
fn a_secret_may_come_out_of_a_pipe_once() {
    let directory = Directory::new();
    let pipe = directory.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let writer = std::thread::spawn(move || fs::write(pipe, "hunter2\n"));
    let environment = [
        ("SCHEMA_REGISTRY_API_KEY", "u"),
        ("SCHEMA_REGISTRY_API_SECRET_FILE", "pipe"),
    ];
    let credentials = run_in(&directory, "", &environment).registry.credentials;
    assert_eq!(credentials.unwrap().password.expose(), "hunter2");
    writer.join().unwrap().unwrap();
}

#[test]
fn a_secret_and_its_file_in_one_source_are_refused() {
    let directory = Directory::new()
        .with("secret", "from file")
        .with(".env", "SCHEMA_REGISTRY_API_SECRET_FILE=secret");
    let environment = [
        ("SCHEMA_REGISTRY_API_KEY", "u"),
        ("SCHEMA_REGISTRY_API_SECRET", "hunter2"),
    ];
    let credentials = run_in(&directory, "", &environment)
        .registry
        .credentials
        .unwrap();
    assert_eq!(
        credentials.password.expose(),
        "hunter2",
        "the environment beats .env"
    );
    let both = [
        environment[0],
        environment[1],
        ("SCHEMA_REGISTRY_API_SECRET_FILE", "secret"),
    ];
    assert_eq!(
        mistakes_in(&directory, REQUIRED, &both),
        [
            "SCHEMA_REGISTRY_API_SECRET (environment): both it and SCHEMA_REGISTRY_API_SECRET_FILE are set; keep one"
        ]
    );
}

#[test]
fn credentials_in_a_registry_url_work_and_are_never_shown() {
    let url = "--registry-url http://me:hunter2@r:2";
    let settings = run(url, &[]);
    assert_eq!(settings.registry.urls, ["http://r:2"]);
    assert_eq!(
        settings
            .registry
            .credentials
            .as_ref()
            .unwrap()
            .password
            .expose(),
        "hunter2"
    );
    let (text, _) = config(&Directory::new(), url, &[]);
    assert_eq!(
        row(&text, "SCHEMA_REGISTRY_API_SECRET"),
        "[hidden] flag --registry-url"
    );
    let errors = mistakes(
        url,
        &[
            ("SCHEMA_REGISTRY_API_KEY", "other"),
            ("SCHEMA_REGISTRY_API_SECRET", "x"),
        ],
    );
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("keep one") && !errors[0].contains("hunter2"),
        "{errors:?}"
    );
}

/// Every way in which a secret can be given, right and wrong, and everything that can be printed.
#[test]
fn no_secret_is_ever_printed() {
    let directory = Directory::new()
        .with("secret", "hunter2\nhunter2\n")
        .with("good", "hunter2")
        .with("bad.env", "KAFKA_API_SECRET='hunter2");
    let cases: [(&str, &[(&str, &str)]); 9] = [
        (
            "",
            &[("KAFKA_API_KEY", "k"), ("KAFKA_API_SECRET", "hunter2")],
        ),
        ("", &[("KAFKA_API_SECRET", "hunter2\n2")]),
        (
            "",
            &[
                ("SCHEMA_REGISTRY_API_KEY", "k"),
                ("SCHEMA_REGISTRY_API_SECRET", "hunter2"),
            ],
        ),
        (
            "",
            &[
                ("SCHEMA_REGISTRY_API_KEY", "k"),
                ("SCHEMA_REGISTRY_API_SECRET_FILE", "secret"),
            ],
        ),
        (
            "",
            &[
                ("SCHEMA_REGISTRY_API_KEY", "k"),
                ("SCHEMA_REGISTRY_API_SECRET_FILE", "good"),
            ],
        ),
        ("--registry-url http://u:hunter2@h", &[]),
        (
            "--registry-url u:hunter2@h:x --bootstrap-servers u:hunter2@h",
            &[],
        ),
        ("--api-secret hunter2 --registry-api-secret=hunter2", &[]),
        (
            "--env-file bad.env",
            &[("KAFKA_APY_SECRET", "hunter2"), ("KAFKA_SECRET", "hunter2")],
        ),
    ];
    for (args, environment) in cases {
        for mode in ["", "--dry-run", "--print-config"] {
            let seen = match directory.load(&format!("{REQUIRED} {mode} {args}"), environment) {
                Ok(loaded) => match &loaded.command {
                    Command::PrintConfig { text, mistakes } => {
                        format!("{loaded:?} {text} {mistakes}")
                    }
                    _ => format!("{loaded:?} {loaded:#?}"),
                },
                Err(errors) => format!("{errors} {errors:?}"),
            };
            assert!(
                !seen.contains("hunter2"),
                "{mode} {args} {environment:?}: {seen}"
            );
        }
    }
}
