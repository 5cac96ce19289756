//! The command line: what was typed, not what it means.
//!
//! A flag given twice counts as given last, as usual with command lines, so that a script's flags can be overridden by
//! appending. Invariant: every slip is kept as an error and reading goes on; a value that follows an unknown flag is never
//! repeated, since it may be a secret that was thought to have a flag.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::choice::{Choice, SHELL, Shell};
use super::error::{SettingError, shown};
use super::modes::MODES;
use super::setting::{Id, Setting};
use super::suggest::nearest;
use super::table::{self, PREFIXES, TABLE};
use super::value::Kind;

/// What was typed.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one flag that was typed or not; what they mean together is decided in `load`"
)]
#[derive(Default)]
pub struct Typed {
    /// `--help` or `-h`.
    pub help: bool,
    /// `--version` or `-V`.
    pub version: bool,
    /// `--print-config`.
    pub print_config: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--check`.
    pub check: bool,
    /// `--man`.
    pub man: bool,
    /// `--completions`.
    pub completions: bool,
    /// For which shell, if it is one that is known.
    pub shell: Option<Shell>,
    /// `--env-file`.
    pub env_file: Option<PathBuf>,
    /// The settings that were given, the last of each.
    pub values: BTreeMap<Id, String>,
    /// What was wrong.
    pub errors: Vec<SettingError>,
}

/// Reads the arguments, without the program's name.
pub fn read(args: impl IntoIterator<Item = OsString>) -> Typed {
    let mut parser = Parser::from_args(args);
    let mut typed = Typed::default();
    let mut after_unknown = false;
    loop {
        let arg = match parser.next() {
            Ok(None) => return typed,
            Ok(Some(Arg::Short('h'))) => "help".to_owned(),
            Ok(Some(Arg::Short('V'))) => "version".to_owned(),
            Ok(Some(Arg::Long(name))) => name.to_owned(),
            Ok(Some(Arg::Short(letter))) => {
                // The rest of `-abc` would only repeat the complaint.
                let _ = parser.optional_value();
                typed.errors.push(SettingError::new(
                    format!("-{letter}"),
                    "unknown flag; see --help",
                ));
                after_unknown = true;
                continue;
            }
            Ok(Some(Arg::Value(value))) => {
                if !std::mem::take(&mut after_unknown) {
                    typed.errors.push(unexpected_argument(&value));
                }
                continue;
            }
            Err(lexopt::Error::UnexpectedValue { option, .. }) => {
                typed
                    .errors
                    .push(SettingError::new(option, "takes no value"));
                continue;
            }
            Err(_) => {
                typed
                    .errors
                    .push(SettingError::new("arguments", "cannot be read; see --help"));
                return typed;
            }
        };
        after_unknown = !read_flag(&arg, &mut parser, &mut typed);
    }
}

/// Takes one long flag; false if there is no such flag.
fn read_flag(name: &str, parser: &mut Parser, typed: &mut Typed) -> bool {
    match name {
        "help" => typed.help = true,
        "version" => typed.version = true,
        "print-config" => typed.print_config = true,
        "dry-run" => typed.dry_run = true,
        "check" => typed.check = true,
        "man" => typed.man = true,
        "completions" => read_shell(parser, typed),
        "env-file" => match value_of(parser) {
            Some(path) => typed.env_file = Some(path.into()),
            None => typed
                .errors
                .push(SettingError::new("--env-file", "needs the path of a file")),
        },
        _ => {
            let Some(setting) = table::by_flag(name) else {
                let _ = parser.optional_value();
                typed.errors.push(SettingError::new(
                    format!("--{}", shown(name)),
                    unknown_flag(name),
                ));
                return false;
            };
            read_setting(name, setting, parser, typed);
        }
    }
    true
}

fn read_shell(parser: &mut Parser, typed: &mut Typed) {
    typed.completions = true;
    let allowed = SHELL.allowed();
    let Some(value) = value_of(parser) else {
        let problem = format!("needs a value; allowed: {allowed}");
        typed
            .errors
            .push(SettingError::new("--completions", problem));
        return;
    };
    let text = value.to_string_lossy();
    match SHELL.parse(&text) {
        Ok(named) => {
            if let Choice::Shell(shell) = named.choice {
                typed.shell = Some(shell);
            }
        }
        Err(problem) => {
            let meant = problem.suggestion;
            let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            typed.errors.push(SettingError::new(
                format!("--completions {}", shown(&text)),
                format!("{}; allowed: {allowed}{meant}", problem.what),
            ));
        }
    }
}

fn read_setting(name: &str, setting: &Setting, parser: &mut Parser, typed: &mut Typed) {
    let flag = format!("--{name}");
    match value_of(parser).map(OsString::into_string) {
        Some(Ok(text)) => {
            typed.values.insert(setting.id, text);
        }
        Some(Err(_)) => typed
            .errors
            .push(SettingError::new(flag, "the value is not UTF-8")),
        None => {
            let allowed = setting.kind.allowed();
            typed.errors.push(SettingError::new(
                flag,
                format!("needs a value; allowed: {allowed}"),
            ));
        }
    }
}

/// The value of the flag that was read last; another flag of ours is none.
fn value_of(parser: &mut Parser) -> Option<OsString> {
    let next_is_flag = parser
        .try_raw_args()
        .is_some_and(|raw| raw.peek().is_some_and(is_flag));
    if next_is_flag {
        None
    } else {
        parser.value().ok()
    }
}

fn is_flag(argument: &OsStr) -> bool {
    let Some(name) = argument.to_str().and_then(|text| text.strip_prefix("--")) else {
        return false;
    };
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    table::by_flag(name).is_some() || MODES.iter().any(|mode| mode.name == name)
}

fn unexpected_argument(value: &OsStr) -> SettingError {
    let text = value.to_string_lossy();
    // What follows a `=` may be a secret.
    let (subject, hint) = match text.split_once('=') {
        Some((name, _)) => (
            format!("{}=…", shown(name)),
            "variables stand before the command",
        ),
        None => (shown(&text), "settings are flags or variables, see --help"),
    };
    SettingError::new(subject, format!("unexpected argument; {hint}"))
}

/// What to say of a flag that does not exist.
fn unknown_flag(name: &str) -> String {
    let as_variable = name.to_ascii_uppercase().replace('-', "_");
    let named = TABLE
        .iter()
        .find(|setting| setting.variable == as_variable)
        .or_else(|| {
            TABLE.iter().find(|setting| {
                PREFIXES.iter().any(|prefix| {
                    setting.variable.strip_prefix(prefix) == Some(as_variable.as_str())
                })
            })
        });
    if let Some(setting) = named {
        return match (setting.flag, setting.kind) {
            (Some((flag, _)), _) => format!("unknown flag; did you mean `--{flag}`?"),
            (None, Kind::Secret) => {
                let variable = setting.variable;
                format!(
                    "unknown flag; secrets have none: set {variable}, or {variable}_FILE to the path of a file that holds it"
                )
            }
            (None, _) => format!(
                "unknown flag; this setting has none: set {}",
                setting.variable
            ),
        };
    }
    let flags = TABLE
        .iter()
        .filter_map(|setting| setting.flag.map(|(flag, _)| flag));
    let known = flags.chain(MODES.iter().map(|mode| mode.name));
    match nearest(name, known) {
        Some(meant) => format!("unknown flag; did you mean `--{meant}`?"),
        None => "unknown flag; see --help".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        read(line.split_whitespace().map(OsString::from))
    }

    fn errors(line: &str) -> Vec<String> {
        typed(line).errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_take_their_value_with_or_without_an_equals_sign() {
        let typed = typed("--topic a --interval=5ms --topic=b --key= --count -5");
        assert!(typed.errors.is_empty());
        assert_eq!(typed.values[&Id::Topic], "b", "the last one counts");
        assert_eq!(typed.values[&Id::Interval], "5ms");
        assert_eq!(typed.values[&Id::MessageKey], "");
        assert_eq!(typed.values[&Id::Count], "-5");
    }

    #[test]
    fn modes_are_recognised() {
        assert!(typed("-h").help && typed("--help").help);
        assert!(typed("-V").version && typed("--version").version);
        assert!(typed("--dry-run").dry_run && typed("--print-config").print_config);
        assert_eq!(typed("--env-file x").env_file, Some(PathBuf::from("x")));
        assert!(typed("--check").check && typed("--man").man);
        assert_eq!(typed("--completions fish").shell, Some(Shell::Fish));
    }

    #[test]
    fn a_shell_that_is_none_is_refused_with_the_one_that_was_meant() {
        for (line, told) in [
            (
                "--completions bsh",
                "--completions bsh: unknown value; allowed: bash, zsh, fish; did you mean `bash`?",
            ),
            (
                "--completions=powershell",
                "--completions powershell: unknown value; allowed: bash, zsh, fish",
            ),
            (
                "--completions",
                "--completions: needs a value; allowed: bash, zsh, fish",
            ),
            (
                "--completions --man",
                "--completions: needs a value; allowed: bash, zsh, fish",
            ),
        ] {
            assert_eq!(errors(line), [told]);
            assert!(typed(line).completions, "{line}");
        }
    }

    #[test]
    fn every_slip_is_reported_and_reading_goes_on() {
        let typed = typed("--topik a --dry-run=1 -x y z --interval --count 5 --topic");
        let errors: Vec<_> = typed.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 6, "{errors:#?}");
        assert_eq!(errors[0], "--topik: unknown flag; did you mean `--topic`?");
        assert_eq!(errors[1], "--dry-run: takes no value");
        assert_eq!(errors[2], "-x: unknown flag; see --help");
        assert!(errors[3].starts_with("z: unexpected argument"));
        assert!(errors[4].starts_with("--interval: needs a value; allowed: a duration"));
        assert!(errors[5].starts_with("--topic: needs a value"));
        assert_eq!(typed.values[&Id::Count], "5");
    }

    #[test]
    fn who_looks_for_a_flag_that_a_variable_has_is_told() {
        assert_eq!(
            errors("--kafka-topic x"),
            ["--kafka-topic: unknown flag; did you mean `--topic`?"]
        );
        assert_eq!(
            errors("--batch-size 5"),
            ["--batch-size: unknown flag; this setting has none: set KAFKA_BATCH_SIZE"]
        );
        assert_eq!(
            errors("--boot x"),
            ["--boot: unknown flag; did you mean `--bootstrap-servers`?"]
        );
        assert_eq!(
            errors("--frobnicate"),
            ["--frobnicate: unknown flag; see --help"]
        );
    }

    #[test]
    fn a_secret_on_the_command_line_is_not_repeated() {
        for line in [
            "--api-secret hunter2",
            "--api-secret=hunter2",
            "--kafka-api-secret hunter2",
            "-p hunter2",
            "KAFKA_API_SECRET=hunter2",
        ] {
            let errors = errors(line);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(!errors[0].contains("hunter2"), "{errors:?}");
        }
        assert!(
            errors("--api-secret x")[0]
                .contains("secrets have none: set KAFKA_API_SECRET, or KAFKA_API_SECRET_FILE")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let typed = read([
            OsString::from("--topic"),
            OsString::from_vec(vec![b'a', 0xff]),
        ]);
        assert_eq!(
            typed.errors[0].to_string(),
            "--topic: the value is not UTF-8"
        );
    }
}
