//! The table as text: `--help`, `--print-config`, the README's table, `.env.example`.
//!
//! Invariant: nothing is said here of a setting that is not in its row. Help fits [`HELP_COLUMNS_MAX`] columns.
//! No secret is printed: values print themselves, and secrets print as `[hidden]`.

use super::meaning::Resolved;
use super::modes::MODES;
use super::setting::{Group, Setting};
use super::table::TABLE;

/// Widest line of `--help`.
pub const HELP_COLUMNS_MAX: usize = 100;

/// `continuous-producer X.Y.Z`.
pub fn version() -> String {
    concat!("continuous-producer ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

/// `--help`: usage, modes, every setting.
pub fn help() -> String {
    let mut text = String::from(
        "Invents realistic shoes without end and produces them to Kafka as Protobuf.\n\n\
         Usage: continuous-producer [FLAGS]\n\n\
         A flag beats the environment, which beats .env, which beats the default (in brackets).\n\
         KEY and SECRET variables may also be given as NAME_FILE, the path of a file that holds the value.\n\n\
         Modes:\n",
    );
    for mode in &MODES {
        let short = mode.short.map(|letter| format!("-{letter}, "));
        let value = mode.value.map(|(_, placeholder)| format!(" {placeholder}"));
        let (short, value) = (short.unwrap_or_default(), value.unwrap_or_default());
        let flag = format!("{short}--{}{value}", mode.name);
        text += &format!("  {flag:<19} {}\n", mode.help);
    }
    for group in Group::ALL {
        text += &format!("\n{}:\n", group.title());
        for setting in TABLE.iter().filter(|setting| setting.group == group) {
            text += &help_line(setting);
        }
    }
    text
}

/// Flag, variable, meaning and default on one line; a long default goes on the next.
fn help_line(setting: &Setting) -> String {
    let flag = setting.flag.map_or(String::new(), |(flag, placeholder)| {
        format!("--{flag} {placeholder}")
    });
    let line = format!("  {flag:<24} {:<31} {}", setting.variable, setting.help);
    let default = setting.default.unwrap_or(setting.without).replace('`', "");
    let default = format!("[{default}]");
    if line.chars().count() + 1 + default.chars().count() <= HELP_COLUMNS_MAX {
        format!("{line} {default}\n")
    } else {
        format!("{line}\n{default:>HELP_COLUMNS_MAX$}\n")
    }
}

/// Every setting, its value, where it came from.
pub fn print_config(resolved: &Resolved) -> String {
    let rows: Vec<[String; 3]> = TABLE
        .iter()
        .map(|setting| {
            let [value, source] = match resolved.get(setting.id) {
                Some(chosen) => {
                    let source = chosen
                        .source
                        .as_ref()
                        .map_or("default".to_owned(), ToString::to_string);
                    [chosen.value.to_string(), source]
                }
                None if resolved.is_wrong(setting.id) => ["(wrong)".to_owned(), "-".to_owned()],
                None if setting.is_required() => ["(required, not set)".to_owned(), "-".to_owned()],
                None => [
                    format!("({})", setting.without.replace('`', "")),
                    "default".to_owned(),
                ],
            };
            [setting.variable.to_owned(), value, source]
        })
        .collect();
    let width = |column: fn(&[String; 3]) -> &String| {
        rows.iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (names, values) = (width(|row| &row[0]), width(|row| &row[1]));
    let mut text = String::new();
    for [name, value, source] in &rows {
        text += &format!("{name:<names$}  {value:<values$}  {source}\n");
    }
    text
}

/// The README's table of settings, in Markdown, ending in a line break.
pub fn readme_table() -> String {
    let mut text =
        String::from("| variable | flag | default | meaning |\n| --- | --- | --- | --- |\n");
    for setting in &TABLE {
        let flag = setting
            .flag
            .map_or(String::new(), |(flag, _)| format!("`--{flag}`"));
        let default = setting
            .default
            .map_or_else(|| setting.without.to_owned(), |text| format!("`{text}`"));
        let file = if setting.file_twin {
            format!(" (or `{}_FILE`, a file that holds it)", setting.variable)
        } else {
            String::new()
        };
        text += &format!(
            "| `{}` | {flag} | {default} | {}{file} |\n",
            setting.variable, setting.meaning
        );
    }
    text
}

/// What `.env.example` holds.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Settings of continuous-producer. Copy to .env and remove the # before what you set.\n\
         # Flags and the environment win over this file. Values are taken as they stand: $ is not expanded; quote a value\n\
         # that holds \" #\" or white space at an end.\n",
    );
    for group in Group::ALL {
        text += &format!("\n# --- {} ---\n", group.title());
        for setting in TABLE.iter().filter(|setting| setting.group == group) {
            let default = if setting.default.is_none() {
                format!(" [{}]", setting.without.replace('`', ""))
            } else {
                String::new()
            };
            let meaning = setting.meaning.replace('`', "");
            text += &format!(
                "\n# {meaning}{default}\n#{}={}\n",
                setting.variable,
                setting.default.unwrap_or(setting.example)
            );
            if setting.file_twin {
                text += &format!("#{}_FILE=\n", setting.variable);
            }
        }
    }
    text
}
