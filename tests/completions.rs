//! `--completions` and `--man` as a package or a user calls them. Whether shells and typesetters take what is printed is tested by
//! `tests/manual/run`, where they are installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::process::Stdio;

use support::Setup;

const TEXTS: [(&str, &str); 4] = [
    ("--completions bash", "complete -F _continuous_producer"),
    ("--completions=zsh", "#compdef continuous-producer\n"),
    (
        "--completions fish",
        "complete -c continuous-producer -l topic",
    ),
    ("--man", ".TH CONTINUOUS\\-PRODUCER 1 "),
];

#[test]
fn each_text_is_printed_whatever_is_configured() {
    for (flags, begins) in TEXTS {
        let plain = Setup::new(flags).run();
        plain.expect_code(0);
        assert!(plain.stdout.contains(begins), "{}", plain.stdout);
        assert_eq!(plain.stderr(), "");
        let configured = Setup::new(&format!("{flags} --topic no/topic"))
            .env("KAFKA_ACKS", "9")
            .env("KAFKA_API_SECRET", "hush-8d1f")
            .file(".env", b"\xff")
            .run();
        configured.expect_code(0).expect_no("hush-8d1f");
        assert_eq!(configured.stdout, plain.stdout, "{flags}");
    }
}

#[test]
fn a_shell_that_is_none_is_refused_and_nothing_is_printed() {
    for (flags, told) in [
        (
            "--completions fihs",
            "❌ --completions fihs: unknown value; allowed: bash, zsh, fish; did you mean `fish`?",
        ),
        (
            "--completions",
            "❌ --completions: needs a value; allowed: bash, zsh, fish",
        ),
        (
            "--man --nonsense",
            "❌ --nonsense: unknown flag; see --help",
        ),
        ("--man=1", "❌ --man: takes no value"),
    ] {
        let ended = Setup::new(flags).run();
        ended.expect_code(2);
        assert_eq!(ended.stdout, "", "{flags}");
        let expected = [told, "   continuous-producer --help lists every setting"];
        assert_eq!(ended.lines, expected, "{flags}");
    }
    let ended = Setup::new("--completion bash").run();
    ended.expect_code(2);
    ended.line("❌ --completion: unknown flag; did you mean `--completions`?");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for (flags, _) in TEXTS {
        let (program, stdout) = Setup::new(flags).start_with_stdout(Stdio::piped());
        drop(stdout);
        program.end().expect_code(0);
    }
}
