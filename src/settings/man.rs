//! `--man`: the manual page, in the language of man(7), section 1.
//!
//! Invariant: of settings and exit codes it says what stands in their rows, and of nothing else that the program does what the README does not say.
//! It is the same whenever and wherever it is made: its date is that of the version, not of the build.

use super::modes::MODES;
use super::roff::{Page, bold, literal, prose};
use super::setting::{Group, Setting};
use super::table::TABLE;
use super::value::Kind;
use crate::exit::ENDINGS;

/// When this version was made. A page has to have a date.
const DATE: &str = "2026-11-26";

/// What is run, and what for.
const EXAMPLES: [(&str, &str); 6] = [
    (
        "Look at shoes without a cluster:",
        "continuous-producer --dry-run --count 3 --interval 0",
    ),
    (
        "A message a second to a cluster on this machine:",
        "continuous-producer --bootstrap-servers localhost:9092 \\\n    --registry-url http://localhost:8081",
    ),
    (
        "A million messages as fast as possible, compressed, with the books on disk:",
        "continuous-producer --env-file prod.env --interval 0 --count 1000000 \\\n    --compression zstd --ledger-file ledger.json",
    ),
    (
        "To a cluster that wants a password, which stands in a file:",
        "KAFKA_API_KEY=shoes KAFKA_API_SECRET_FILE=/run/secrets/kafka \\\n    continuous-producer --sasl-mechanism SCRAM-SHA-512",
    ),
    (
        "Find out what is wrong before a run:",
        "continuous-producer --check",
    ),
    (
        "Install this page and what completes flags in bash:",
        "continuous-producer --man > /usr/local/share/man/man1/continuous-producer.1\ncontinuous-producer --completions bash \\\n    > /usr/share/bash-completion/completions/continuous-producer",
    ),
];

/// The page.
pub fn page() -> String {
    let mut page = Page::default();
    page.raw(".\\\" Made by continuous-producer --man; the settings come from the program's own table.\n");
    let version = literal(env!("CARGO_PKG_VERSION"));
    page.raw(&format!(
        ".TH CONTINUOUS\\-PRODUCER 1 {DATE} \"continuous\\-producer {version}\" \"User Commands\"\n"
    ));
    name_and_synopsis(&mut page);
    description(&mut page);
    options(&mut page);
    environment(&mut page);
    files(&mut page);
    page.section("EXIT STATUS");
    for ending in &ENDINGS {
        page.item(&bold(&ending.codes()), &sentence(ending.when));
    }
    signals(&mut page);
    page.section("EXAMPLES");
    for (what, command) in EXAMPLES {
        page.paragraph(what);
        page.command(command);
    }
    page.section("SEE ALSO");
    page.raw(".BR kcat (1),\n.BR jq (1),\n.BR systemd.exec (5),\n.BR signal (7)\n");
    page.text
}

fn name_and_synopsis(page: &mut Page) {
    page.section("NAME");
    page.raw(
        "continuous\\-producer \\- invent realistic shoes without end and produce them to Kafka\n",
    );
    page.section("SYNOPSIS");
    page.raw(".B continuous\\-producer\n");
    page.raw("[\\fIflag\\fR .\\|.\\|.\\&]\n");
    for mode in MODES.iter().filter(|mode| mode.name != "env-file") {
        page.raw(".br\n.B continuous\\-producer\n");
        page.raw(&format!("{}\n", flag(mode.name, mode.placeholder())));
    }
}

fn description(page: &mut Page) {
    page.section("DESCRIPTION");
    for text in [
        "Invents realistic shoes, serialises each as Protobuf in the Confluent wire format, and produces them to one Kafka topic at a \
         set pace until it is told to stop. It registers its schema with a Schema Registry by itself. Record n of a seed and an instance is \
         always the same shoe, byte for byte.",
        "Nothing that was acknowledged is lost, and with the defaults nothing is duplicated or reordered within a partition. Every failure is \
         counted and said. Whatever ends a run, its last lines are the books, and they add up: generated = acknowledged + failed + unsent.",
        "A flag beats the environment, which beats the file `.env` in the working directory (or the one that `--env-file` names), which beats the \
         default. A variable that is set to nothing counts as not set. Secrets have no flag, only a variable, or a twin with `_FILE` at its end \
         that names a file which holds the secret; that is the better place, for the environment of a process can be read by whoever runs \
         as the same user.",
        "Shoes, `--check` and what else was asked for are written to standard output, everything else to standard error.",
    ] {
        page.paragraph(text);
    }
}

fn options(page: &mut Page) {
    page.section("OPTIONS");
    page.paragraph("A flag and its value are two words, or one with `=` between them. A flag that is given twice counts as given last.");
    page.subsection("Modes");
    for mode in &MODES {
        let short = mode
            .short
            .map(|letter| format!("{}, ", bold(&format!("-{letter}"))));
        let tag = short.unwrap_or_default() + &flag(mode.name, mode.placeholder());
        page.item(&tag, &sentence(mode.help));
    }
    for group in Group::ALL {
        let settings = TABLE.iter().filter(|setting| setting.group == group);
        let with_flag: Vec<_> = settings.filter_map(|s| Some((s, s.flag?))).collect();
        if !with_flag.is_empty() {
            page.subsection(group.title());
        }
        for (setting, (name, placeholder)) in with_flag {
            page.item(&flag(name, placeholder), &sentence(setting.meaning));
            page.raw(&format!(".br\nVariable: {}. ", bold(setting.variable)));
            page.raw(&about_value(setting));
        }
    }
}

fn environment(page: &mut Page) {
    page.section("ENVIRONMENT");
    for group in Group::ALL {
        page.subsection(group.title());
        for setting in TABLE.iter().filter(|setting| setting.group == group) {
            let twin = setting.file_variable();
            let twin = twin.map_or(String::new(), |twin| format!(", {}", bold(&twin)));
            let tag = bold(setting.variable) + &twin;
            if let Some((name, _)) = setting.flag {
                page.item(&tag, &format!("The same as `--{name}`."));
            } else {
                page.item(&tag, &sentence(setting.meaning));
                page.raw(".br\n");
                page.raw(&about_value(setting));
            }
        }
    }
}

/// Default and what is allowed.
fn about_value(setting: &Setting) -> String {
    let default = match setting.default {
        Some(text) => format!("Default: {}.", bold(text)),
        None if setting.is_required() => "Required.".to_owned(),
        None => format!("Default: {}.", prose(setting.without)),
    };
    let allowed = match setting.kind {
        // The meaning says it.
        Kind::Choice(_) | Kind::Text | Kind::Path | Kind::Secret => String::new(),
        kind => format!(" Allowed: {}.", prose(&kind.allowed())),
    };
    format!("{default}{allowed}\n")
}

fn files(page: &mut Page) {
    page.section("FILES");
    for (name, what) in [
        (
            ".env",
            "Settings, read from the working directory if it is there. `NAME=value` a line, with or without quotes; `$` is a character like any \
             other. It should not be readable by others if it holds secrets.",
        ),
        (
            "ledger.json",
            "What `--ledger-file` names: a JSON object with the books of the run, written as a whole or not at all when it ends.",
        ),
    ] {
        page.item(&format!("\\fI{}\\fR", literal(name)), what);
    }
}

fn signals(page: &mut Page) {
    page.section("SIGNALS");
    for (name, what) in [
        (
            "SIGINT, SIGTERM, SIGHUP",
            "The first begins a graceful shutdown: no new message is made, what is buffered is sent, every acknowledgement is awaited, at most for \
             `SHUTDOWN_TIMEOUT`. The second ends it at once, with the books; the third on the spot. SIGHUP is left ignored where the program was \
             started with it ignored, as by nohup.",
        ),
        (
            "SIGPIPE",
            "Ignored: a closed standard error loses lines of the log and disturbs nothing else.",
        ),
    ] {
        page.item(&bold(name), what);
    }
}

/// `--name value`, as in a synopsis.
fn flag(name: &str, placeholder: &str) -> String {
    let flag = bold(&format!("--{name}"));
    if placeholder.is_empty() {
        flag
    } else {
        format!("{flag} \\fI{}\\fR", literal(&placeholder.to_lowercase()))
    }
}

/// A row's words as a sentence.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    format!("{first}{}.", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page as it reads, but for its layout.
    fn plain(page: &str) -> String {
        let escapes = [
            ("\\fB", ""),
            ("\\fI", ""),
            ("\\fR", ""),
            ("\\&", ""),
            ("\\|", ""),
            ("\\-", "-"),
            ("\\(aq", "'"),
            ("\\(dq", "\""),
            ("\\(ha", "^"),
            ("\\e", "\\"),
        ];
        let mut text = page.to_owned();
        for (escape, character) in escapes {
            text = text.replace(escape, character);
        }
        text
    }

    #[test]
    fn every_setting_and_mode_is_on_the_page() {
        let page = plain(&page());
        for setting in &TABLE {
            assert!(page.contains(setting.variable), "{}", setting.variable);
            if let Some((flag, placeholder)) = setting.flag {
                let tag = format!(".TP\n--{flag} {}\n", placeholder.to_lowercase());
                assert!(page.contains(&tag), "{tag}");
                assert!(page.contains(&format!("The same as --{flag}.")));
            }
            if let Some(twin) = setting.file_variable() {
                assert!(page.contains(&twin), "{twin}");
            }
        }
        for mode in &MODES {
            assert!(page.contains(&format!("--{}", mode.name)), "{}", mode.name);
        }
    }

    #[test]
    fn every_exit_code_is_on_the_page() {
        let page = plain(&page());
        for ending in &ENDINGS {
            let tag = format!(".TP\n{}\n", ending.codes());
            assert!(page.contains(&tag), "{tag}");
        }
    }

    #[test]
    fn the_page_has_the_sections_that_pages_have_in_their_order() {
        let page = page();
        let titles = page.lines().filter_map(|line| line.strip_prefix(".SH "));
        let usual = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "ENVIRONMENT",
            "FILES",
            "EXIT STATUS",
            "SIGNALS",
            "EXAMPLES",
            "SEE ALSO",
        ];
        assert!(titles.eq(usual));
        assert!(page.is_ascii());
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line.split([' ', '"']).next().unwrap();
            let known = [
                ".TH", ".SH", ".SS", ".PP", ".TP", ".br", ".B", ".BR", ".RS", ".RE", ".nf", ".fi",
                ".\\",
            ];
            assert!(known.contains(&request), "{line}");
        }
    }
}
