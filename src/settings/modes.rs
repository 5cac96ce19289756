//! The flags that are no settings: what to do other than to produce, and where to read from.
//!
//! Invariant: as with the table of settings, everything that command line, help, completions and manual need to know of such a flag
//! is in its row. It says nothing of which mode wins; that is decided in [`super::load`].

use super::choice::SHELL;
use super::value::Kind;

/// One such flag.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Without dashes.
    pub name: &'static str,
    /// One letter that stands for it.
    pub short: Option<char>,
    /// What its value may be, and what stands for it in `--help`.
    pub value: Option<(Kind, &'static str)>,
    /// What it does.
    pub help: &'static str,
}

const fn mode(name: &'static str, help: &'static str) -> Mode {
    Mode {
        name,
        short: None,
        value: None,
        help,
    }
}

impl Mode {
    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// What stands for its value; nothing where it takes none.
    pub fn placeholder(&self) -> &'static str {
        self.value.map_or("", |(_, placeholder)| placeholder)
    }

    const fn takes(mut self, kind: Kind, placeholder: &'static str) -> Self {
        self.value = Some((kind, placeholder));
        self
    }
}

/// All of them, in the order in which they are shown.
pub static MODES: [Mode; 8] = [
    mode(
        "check",
        "try every step of a run up to its first message, produce nothing",
    ),
    mode(
        "dry-run",
        "write shoes as JSON lines on standard output, produce nothing",
    ),
    mode(
        "print-config",
        "print every setting, its value and where it came from; secrets as [hidden]",
    ),
    mode("env-file", "read this file instead of .env; it must exist").takes(Kind::Path, "PATH"),
    mode(
        "completions",
        "print what completes flags and values: bash, zsh, fish",
    )
    .takes(Kind::Choice(&SHELL), "SHELL"),
    mode("man", "print the manual page"),
    mode("help", "print this").short('h'),
    mode("version", "print the version").short('V'),
];
