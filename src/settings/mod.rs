//! What the user asked for.
//!
//! Two stages: what was typed (flags over environment over `.env` over defaults), then what it means. Invariant: once
//! built, [`Settings`] are never wrong: every field is typed, in its bounds, and agrees with the others. Every mistake is
//! reported, not the first alone. This module never connects anywhere, never logs, and never changes the process's
//! environment; it reads `.env`, the files that `*_FILE` variables name and the PEM files of TLS, and nothing else.
//!
//! The copies of a secret that are made here are wiped when they are dropped. The process's environment stays as it was given,
//! as readable as the system makes it (`/proc/<pid>/environ`, to the same user); a file is the better place.

#![allow(
    clippy::format_push_string,
    reason = "runs once, at the start; `write!` into a String would ignore a Result each time"
)]

pub mod agreement;
pub mod assembly;
pub mod choice;
pub mod completions;
pub mod dotenv;
pub mod duration;
pub mod error;
pub mod extensions;
pub mod file;
pub mod flags;
pub mod host_port;
pub mod man;
pub mod meaning;
pub mod modes;
pub mod pem_files;
pub mod problem;
pub mod render;
mod roff;
pub mod security;
pub mod setting;
pub mod size;
pub mod sources;
pub mod suggest;
pub mod table;
pub mod topic;
pub mod url;
pub mod value;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::{SettingError, SettingsErrors};
pub use render::{env_example, readme_table};

use meaning::Resolved;
use setting::Id;
use sources::Sources;

use crate::kafka::config::{HostPort, ProducerConfig};
use crate::oauth::config::TokenConfig;
use crate::registry::config::RegistryConfig;

/// What the command line asks for, and what is worth a warning.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What to do.
    pub command: Command,
    /// One line each: variables that look like ours and are not, defaults that had to move, what does nothing, secrets that
    /// travel in the clear.
    pub warnings: Vec<String>,
}

/// Why nothing is done. The exit code is 2.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Every mistake at once.
    pub mistakes: SettingsErrors,
    /// As in [`Loaded`]: a variable with a typing error is often why another is missing.
    pub warnings: Vec<String>,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Produce.
    Run(Box<Settings>),
    /// `--check`: try every step of a run up to its first message, and print what came of each.
    Check(Box<Settings>),
    /// `--dry-run`: shoes as JSON lines on standard output. Knows of no cluster, so that it cannot reach one.
    DryRun(Common),
    /// `--print-config`: print the text on standard output; with mistakes, print those too and exit 2.
    PrintConfig {
        /// Every setting, its value, where it came from.
        text: String,
        /// What is wrong with the settings; empty if nothing. A required setting that is missing is shown in the text
        /// and is not in here.
        mistakes: SettingsErrors,
    },
    /// `--help`: print this on standard output.
    Help(String),
    /// `--version`: print this on standard output.
    Version(String),
    /// `--man`: print this on standard output.
    Man(String),
    /// `--completions`: print this on standard output.
    Completions(String),
}

/// Everything that a run needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What a dry run needs as well.
    pub common: Common,
    /// Where to produce to, and how.
    pub kafka: ProducerConfig,
    /// Where brokers' tokens come from, if they want some.
    pub token: Option<TokenConfig>,
    /// Where the schema is kept.
    pub registry: RegistryConfig,
}

impl Settings {
    /// The configured servers, as the user gave them.
    pub fn cluster(&self) -> String {
        let servers = self.kafka.bootstrap_servers.iter();
        servers
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// What every mode that generates shoes needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Time between messages; zero: as fast as possible.
    pub interval: Duration,
    /// Stop after so many messages; at least 1.
    pub count: Option<u64>,
    /// Stop after so long; at least a millisecond.
    pub duration: Option<Duration>,
    /// The seed, where the user chose one; otherwise whoever starts the run draws one and logs it.
    pub seed: Option<u64>,
    /// Which of several parallel producers this is.
    pub instance_id: u16,
    /// What is logged.
    pub log_level: log::LevelFilter,
    /// How it is logged; `None`: pretty on a terminal, full elsewhere.
    pub log_format: Option<LogFormat>,
    /// How often the statistics line appears; `None`: never.
    pub stats_interval: Option<Duration>,
    /// How long a graceful shutdown may take before what is unsent is given up.
    pub shutdown_timeout: Duration,
    /// Where metrics, health and the page are served; port 0: any that is free.
    pub metrics_listen: Option<HostPort>,
    /// Where the summary of the run is written at its end.
    pub ledger_file: Option<PathBuf>,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Bare lines.
    Pretty,
    /// RFC 3339 time and level first.
    Full,
    /// One JSON object a line.
    Json,
}

/// What the arguments (without the program's name), the environment and the working directory's `.env` ask for.
///
/// # Errors
/// Every mistake at once; nothing was tried, and the exit code is 2.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    working_directory: &Path,
) -> Result<Loaded, Refused> {
    let typed = flags::read(args);
    let loaded = |command| {
        Ok(Loaded {
            command,
            warnings: Vec::new(),
        })
    };
    if typed.help {
        return loaded(Command::Help(render::help()));
    }
    if typed.version {
        return loaded(Command::Version(render::version()));
    }
    if typed.errors.is_empty() && typed.man {
        return loaded(Command::Man(man::page()));
    }
    if let (true, Some(shell)) = (typed.errors.is_empty(), typed.shell) {
        return loaded(Command::Completions(completions::script(shell)));
    }

    let mut errors = typed.errors;
    // What settings there are does not matter to either.
    if typed.man || typed.completions {
        return Err(Refused {
            mistakes: SettingsErrors(errors),
            warnings: Vec::new(),
        });
    }
    if typed.check && typed.dry_run {
        let problem = "tries to connect, --dry-run does not; keep one";
        errors.push(SettingError::new("--check", problem));
    }
    let sources = Sources::read(
        typed.values,
        environment,
        typed.env_file.as_deref(),
        working_directory,
        &mut errors,
    );
    let mut resolved = Resolved::new(&sources);
    if typed.dry_run {
        resolved.warn_of_flags_without_effect("--dry-run", &[Id::MetricsListen, Id::LedgerFile]);
    }
    // A dry run connects nowhere, and so is not held up by how to connect.
    if !typed.dry_run {
        resolved.check_security();
        resolved.read_tls(working_directory);
    }
    // What is missing may stand in the file that could not be read, or shows as such in the table.
    if !typed.dry_run && !typed.print_config && !sources.env_file_failed {
        resolved.refuse_what_is_missing();
    }
    errors.append(&mut resolved.errors);
    let mut warnings = sources.warnings();
    warnings.append(&mut resolved.warnings);

    if typed.print_config {
        let command = Command::PrintConfig {
            text: render::print_config(&resolved),
            mistakes: SettingsErrors(errors),
        };
        return Ok(Loaded { command, warnings });
    }
    if !errors.is_empty() {
        let mistakes = SettingsErrors(errors);
        return Err(Refused { mistakes, warnings });
    }
    let command = if typed.dry_run {
        resolved.common().map(Command::DryRun)
    } else {
        let mode = if typed.check {
            Command::Check
        } else {
            Command::Run
        };
        resolved.settings().map(|settings| mode(Box::new(settings)))
    };
    debug_assert!(command.is_some(), "no mistake, and yet a value is missing");
    let Some(command) = command else {
        let problem =
            "a value is missing though no mistake was found; this is a defect of the program";
        let mistakes = SettingsErrors(vec![SettingError::new("settings", problem)]);
        return Err(Refused { mistakes, warnings });
    };
    Ok(Loaded { command, warnings })
}
