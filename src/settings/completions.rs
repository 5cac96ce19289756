//! `--completions`: what a shell needs to complete flags and their values.
//!
//! Invariant: every flag of the tables is in every script, and no other; a value is completed to words that its setting accepts,
//! to files where it is one, and to nothing where it is free. The scripts ask nothing of the program when they complete, and need
//! nothing but the shell (bash 4.4, zsh 5, fish 3). This module never looks at what shell runs.

use std::time::Duration;

use super::choice::Shell;
use super::duration;
use super::modes::MODES;
use super::table::TABLE;
use super::value::Kind;

/// Durations that are offered where a setting accepts them, beside its default.
const SPANS: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
];

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let flags = flags();
    match shell {
        Shell::Bash => bash(&flags),
        Shell::Zsh => zsh(&flags),
        Shell::Fish => fish(&flags),
    }
}

/// A flag as a shell sees it.
struct Flag {
    name: &'static str,
    short: Option<char>,
    help: &'static str,
    /// What stands for its value, and what that may be; `None`: it takes none.
    value: Option<(&'static str, Values)>,
}

/// What a value may be completed to.
enum Values {
    Words(Vec<String>),
    Files,
    Anything,
}

fn flags() -> Vec<Flag> {
    let modes = MODES.iter().map(|mode| Flag {
        name: mode.name,
        short: mode.short,
        help: mode.help,
        value: mode
            .value
            .map(|(kind, placeholder)| (placeholder, values(kind, None))),
    });
    let settings = TABLE.iter().filter_map(|setting| {
        let (name, placeholder) = setting.flag?;
        Some(Flag {
            name,
            short: None,
            help: setting.help,
            value: Some((placeholder, values(setting.kind, setting.default))),
        })
    });
    settings.chain(modes).collect()
}

fn values(kind: Kind, default: Option<&str>) -> Values {
    match kind {
        Kind::Choice(choices) => {
            let names = choices.named.iter().map(|named| named.name.to_owned());
            Values::Words(names.collect())
        }
        Kind::Duration { .. } => {
            let mut spans = SPANS.to_vec();
            spans.extend(default.and_then(|text| duration::parse(text).ok()));
            spans.sort();
            spans.dedup();
            let texts = spans.into_iter().map(|span| match span {
                Duration::ZERO => "0".to_owned(),
                span => duration::format(span),
            });
            Values::Words(texts.filter(|text| kind.parse(text).is_ok()).collect())
        }
        Kind::Path => Values::Files,
        _ => Values::Anything,
    }
}

fn bash(flags: &[Flag]) -> String {
    let mut cases = String::new();
    for flag in flags {
        let name = flag.name;
        cases += &match &flag.value {
            Some((_, Values::Words(words))) => format!(
                "    --{name}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n",
                words.join(" ")
            ),
            Some((_, Values::Files)) => format!(
                "    --{name})\n        compopt -o filenames 2>/dev/null\n        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n        ;;\n"
            ),
            Some((_, Values::Anything)) => format!("    --{name}) ;;\n"),
            None => String::new(),
        };
    }
    let names: Vec<String> = flags
        .iter()
        .flat_map(|flag| {
            let short = flag.short.map(|letter| format!("-{letter}"));
            short.into_iter().chain([format!("--{}", flag.name)])
        })
        .collect();
    format!(
        "# bash completion for continuous-producer
_continuous_producer() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} flag='' IFS=$' \\t\\n'
    COMPREPLY=()
    if ((COMP_CWORD > 0)); then flag=${{COMP_WORDS[COMP_CWORD - 1]}}; fi
    # To bash, --flag=value is three words.
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $flag == '=' ]] && ((COMP_CWORD > 1)); then
        flag=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    case $flag in
{cases}    *) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;
    esac
}}
complete -F _continuous_producer continuous-producer
",
        names.join(" ")
    )
}

fn zsh(flags: &[Flag]) -> String {
    let mut lines = String::new();
    for flag in flags {
        let (name, help) = (flag.name, zsh_escaped(flag.help));
        let value = match &flag.value {
            Some((placeholder, Values::Words(words))) => {
                format!(":{placeholder}:({})", words.join(" "))
            }
            Some((placeholder, Values::Files)) => format!(":{placeholder}:_files"),
            Some((placeholder, Values::Anything)) => format!(":{placeholder}: "),
            None => String::new(),
        };
        let takes = if flag.value.is_some() { "=" } else { "" };
        lines += &match flag.short {
            Some(letter) => format!("        '(- *)'{{-{letter},--{name}}}'[{help}]' \\\n"),
            None => format!("        '--{name}{takes}[{help}]{value}' \\\n"),
        };
    }
    let lines = lines.trim_end_matches(" \\\n");
    format!(
        "#compdef continuous-producer
_continuous-producer() {{
    _arguments \\
{lines}
}}
# Loaded by name from a folder of $fpath, or read by a shell that has called compinit.
if [ \"$funcstack[1]\" = _continuous-producer ]; then
    _continuous-producer \"$@\"
else
    compdef _continuous-producer continuous-producer
fi
"
    )
}

/// What stands in single quotes, and there in brackets, before a colon.
fn zsh_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\'' => escaped.push_str("'\\''"),
            '[' | ']' | ':' | '\\' => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    escaped
}

fn fish(flags: &[Flag]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let mut script =
        "# fish completion for continuous-producer\ncomplete -c continuous-producer -f\n"
            .to_owned();
    for flag in flags {
        let short = flag.short.map(|letter| format!(" -s {letter}"));
        let value = match &flag.value {
            Some((_, Values::Words(words))) => format!(" -x -a '{}'", quoted(&words.join(" "))),
            Some((_, Values::Files)) => " -r -F".to_owned(),
            Some((_, Values::Anything)) => " -x".to_owned(),
            None => String::new(),
        };
        script += &format!(
            "complete -c continuous-producer{} -l {}{value} -d '{}'\n",
            short.unwrap_or_default(),
            flag.name,
            quoted(flag.help)
        );
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table;

    #[test]
    fn every_flag_is_in_every_script() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            let dashes = if shell == Shell::Fish { "-l " } else { "--" };
            for flag in flags() {
                let name = format!("{dashes}{}", flag.name);
                assert!(script.contains(&name), "{shell:?} {name}");
            }
            assert!(script.is_ascii(), "{script}");
        }
    }

    #[test]
    fn every_word_that_is_offered_is_accepted() {
        let mut offered = 0;
        for flag in flags() {
            let setting = table::by_flag(flag.name);
            if let (Some((_, Values::Words(words))), Some(setting)) = (flag.value, setting) {
                assert!(!words.is_empty(), "{}", flag.name);
                for word in &words {
                    assert!(setting.kind.parse(word).is_ok(), "{} {word}", flag.name);
                    // They stand in quotes, and in lists separated by spaces.
                    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                    assert!(word.chars().all(plain), "{word}");
                    offered += 1;
                }
                let default = setting.default.map(str::to_owned);
                assert!(default.is_none_or(|default| words.contains(&default)));
            }
        }
        assert!(offered > 40);
    }

    #[test]
    fn values_are_words_files_or_free() {
        let bash = script(Shell::Bash);
        assert!(bash.contains("--log-level) COMPREPLY=($(compgen -W 'debug info warn error' --"));
        assert!(bash.contains("    --topic) ;;\n"));
        assert!(bash.contains("    --env-file)\n        compopt -o filenames"));
        let zsh = script(Shell::Zsh);
        assert!(zsh.contains("'--completions=[print what completes flags and values\\: bash, zsh, fish]:SHELL:(bash zsh fish)'"));
        assert!(zsh.contains("secrets as \\[hidden\\]]'"));
        assert!(zsh.contains("'(- *)'{-h,--help}'[print this]'"));
        let fish = script(Shell::Fish);
        let told =
            "complete -c continuous-producer -l ledger-file -r -F -d 'JSON summary at the end'";
        assert!(fish.contains(told));
        assert!(fish.contains("-l instance-id -x -d"));
    }

    #[test]
    fn what_a_shell_would_take_for_its_own_is_escaped() {
        assert_eq!(zsh_escaped("it's [a]: \\"), "it'\\''s \\[a\\]\\: \\\\");
    }
}
