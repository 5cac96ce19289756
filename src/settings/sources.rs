//! Where a setting's text comes from: flags over environment over `.env` over defaults, and which one won.
//!
//! A variable that is set to nothing stands for the default, and so hides what `.env` says. `NAME_FILE` names a file that
//! holds the value of `NAME`; both in one source are a mistake, otherwise the stronger source wins.
//! Invariant: the process's environment is never changed; a text that may be a secret appears in no error.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::dotenv::{self, Entry};
use super::error::{SettingError, shown};
use super::file::{ReadError, read_bounded};
use super::setting::{Id, Setting};
use super::suggest::nearest;
use super::table::{PREFIXES, variables};

/// Largest `.env` file.
const ENV_FILE_BYTES_MAX: u64 = 1 << 20;

/// Largest file that a `*_FILE` variable names.
const SECRET_FILE_BYTES_MAX: u64 = 64 << 10;

/// Most names in the warning about variables that no setting has.
const UNKNOWN_NAMES_MAX: usize = 10;

/// Where a text came from. `Display` is what `--print-config` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line; the flag without dashes.
    Flag(&'static str),
    /// The process's environment.
    Environment,
    /// `.env`, or what `--env-file` names.
    EnvFile {
        /// As the user named it.
        name: String,
        /// From 1.
        line: usize,
    },
    /// The file that a `*_FILE` variable names.
    SecretFile(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(flag) => write!(f, "flag --{flag}"),
            Source::Environment => f.write_str("environment"),
            Source::EnvFile { name, .. } => f.write_str(name),
            Source::SecretFile(path) => write!(f, "file {path}"),
        }
    }
}

impl Source {
    /// The setting as the user named it there: `--topic` or `KAFKA_TOPIC`.
    pub fn name_of(&self, setting: &Setting) -> String {
        match self {
            Source::Flag(flag) => format!("--{flag}"),
            _ => setting.variable.to_owned(),
        }
    }

    /// Where exactly, for errors: with the line.
    pub fn place(&self) -> String {
        match self {
            Source::EnvFile { name, line } => format!("{name}, line {line}"),
            _ => self.to_string(),
        }
    }

    /// The setting and its value (if it may be shown) as the user gave them, for errors.
    pub fn subject(&self, setting: &Setting, value: Option<&str>) -> String {
        let value = value.map(shown);
        let name = self.name_of(setting);
        let assignment = value
            .as_ref()
            .map_or_else(|| name.clone(), |value| format!("{name}={value}"));
        match self {
            Source::Flag(_) => match value.as_deref() {
                None => name,
                Some("") => format!("{name} ''"),
                Some(value) => format!("{name} {value}"),
            },
            Source::SecretFile(_) => format!("{name} ({})", self.place()),
            _ => format!("{assignment} ({})", self.place()),
        }
    }
}

/// Asks one source for a variable.
type Lookup = fn(&Sources, &str) -> Option<Given>;

/// A text and its source. The text may be a secret, hence no `Debug`, and is wiped when it is dropped.
pub struct Given {
    /// As it was given.
    pub text: Zeroizing<String>,
    /// Where.
    pub source: Source,
}

/// Everything that was typed, by source.
#[derive(Default)]
pub struct Sources {
    flags: BTreeMap<Id, String>,
    /// Of variables that are not ours only the names.
    environment: BTreeMap<String, Zeroizing<String>>,
    env_file: Vec<Entry>,
    env_file_name: String,
    working_directory: PathBuf,
    /// Whether `.env` could not be read, so that what is missing may well stand there.
    pub env_file_failed: bool,
}

impl Sources {
    /// Reads the environment and `.env` (or `env_file`, which must exist).
    pub fn read(
        flags: BTreeMap<Id, String>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        env_file: Option<&Path>,
        working_directory: &Path,
        errors: &mut Vec<SettingError>,
    ) -> Self {
        let mut sources = Self {
            flags,
            working_directory: working_directory.to_owned(),
            ..Self::default()
        };
        sources.read_environment(environment, errors);
        if let Err(found) = sources.read_env_file(env_file) {
            sources.env_file_failed = true;
            errors.extend(found);
        }
        sources
    }

    fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        errors: &mut Vec<SettingError>,
    ) {
        let known = variables();
        for (name, value) in environment {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    let value = Zeroizing::new(value);
                    let is_ours = known.contains(&name);
                    let kept = if is_ours { value } else { Zeroizing::default() };
                    self.environment.insert(name, kept);
                }
                Err(_) if known.contains(&name) => {
                    errors.push(SettingError::new(
                        format!("{name} (environment)"),
                        "the value is not UTF-8",
                    ));
                }
                Err(_) => {}
            }
        }
    }

    fn read_env_file(&mut self, named: Option<&Path>) -> Result<(), Vec<SettingError>> {
        let path = named.unwrap_or(Path::new(".env"));
        self.env_file_name = path.display().to_string();
        let subject = if named.is_some() {
            format!("--env-file {}", self.env_file_name)
        } else {
            ".env".to_owned()
        };
        let content = match read_bounded(&self.working_directory.join(path), ENV_FILE_BYTES_MAX) {
            Ok(content) => content,
            Err(ReadError::Missing) if named.is_none() => return Ok(()),
            Err(error) => return Err(vec![SettingError::new(subject, error.to_string())]),
        };
        self.env_file = dotenv::parse(&content, &self.env_file_name)?;
        Ok(())
    }

    /// The strongest text of a setting; `None` if the default holds.
    ///
    /// # Errors
    /// A value and a `*_FILE` twin in one source, or a file that cannot be read.
    pub fn given(&self, setting: &Setting) -> Result<Option<Given>, SettingError> {
        if let (Some((flag, _)), Some(text)) = (setting.flag, self.flags.get(&setting.id)) {
            return Ok(Some(Given {
                text: Zeroizing::new(text.clone()),
                source: Source::Flag(flag),
            }));
        }
        let weaker: [Lookup; 2] = [Self::in_environment, Self::in_env_file];
        for lookup in weaker {
            let value = lookup(self, setting.variable);
            let file = setting
                .file_variable()
                .and_then(|variable| lookup(self, &variable));
            let is_set = value.is_some() || file.is_some();
            let not_empty = |given: &Given| !given.text.is_empty();
            match (value.filter(not_empty), file.filter(not_empty)) {
                (Some(value), Some(_)) => {
                    let subject = value.source.subject(setting, None);
                    return Err(SettingError::new(
                        subject,
                        format!("both it and {}_FILE are set; keep one", setting.variable),
                    ));
                }
                (Some(value), None) => return Ok(Some(value)),
                (None, Some(file)) => return self.read_secret_file(setting, &file).map(Some),
                (None, None) if is_set => return Ok(None),
                (None, None) => {}
            }
        }
        Ok(None)
    }

    fn in_environment(&self, variable: &str) -> Option<Given> {
        let text = self.environment.get(variable)?.clone();
        Some(Given {
            text,
            source: Source::Environment,
        })
    }

    fn in_env_file(&self, variable: &str) -> Option<Given> {
        let entry = self.env_file.iter().rfind(|entry| entry.name == variable)?;
        let source = Source::EnvFile {
            name: self.env_file_name.clone(),
            line: entry.line,
        };
        Some(Given {
            text: entry.value.clone(),
            source,
        })
    }

    fn read_secret_file(&self, setting: &Setting, file: &Given) -> Result<Given, SettingError> {
        let fail = |problem: String| {
            let place = file.source.place();
            SettingError::new(
                format!("{}_FILE={} ({place})", setting.variable, shown(&file.text)),
                problem,
            )
        };
        let content = read_bounded(
            &self.working_directory.join(file.text.as_str()),
            SECRET_FILE_BYTES_MAX,
        )
        .map_err(|error| fail(error.to_string()))?;
        let text =
            std::str::from_utf8(&content).map_err(|_| fail("the file is not UTF-8".to_owned()))?;
        // What Notepad begins files with.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(fail("the file is empty".to_owned()));
        }
        Ok(Given {
            text: Zeroizing::new(text.to_owned()),
            source: Source::SecretFile(shown(&file.text)),
        })
    }

    /// What to say of variables that look like settings and are none.
    pub fn warnings(&self) -> Vec<String> {
        let known = variables();
        let typed = self.environment.keys().map(|name| (name, "environment"));
        let typed = typed.chain(
            self.env_file
                .iter()
                .map(|entry| (&entry.name, self.env_file_name.as_str())),
        );
        let unknown: BTreeMap<&String, &str> = typed
            .filter(|(name, _)| {
                PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !known.contains(name)
            })
            .collect();
        let (mut warnings, mut others) = (Vec::new(), Vec::new());
        for (name, place) in unknown {
            match meant_by(name, &known) {
                Some(meant) => {
                    warnings.push(format!(
                        "{} ({place}): no setting has this name; did you mean `{meant}`?",
                        shown(name)
                    ));
                }
                None => others.push(shown(name)),
            }
        }
        if !others.is_empty() {
            let more = others.len().saturating_sub(UNKNOWN_NAMES_MAX);
            others.truncate(UNKNOWN_NAMES_MAX);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            warnings.push(format!(
                "{}{more}: no setting has this name; ignored",
                others.join(", ")
            ));
        }
        warnings
    }
}

/// The variable that was probably meant; only what follows the prefix is compared, so that short names are not all alike.
fn meant_by<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let prefix = PREFIXES.iter().find(|prefix| name.starts_with(*prefix))?;
    let rests = known
        .iter()
        .filter_map(|variable| variable.strip_prefix(prefix));
    let rest = nearest(name.strip_prefix(prefix)?, rests)?;
    known
        .iter()
        .map(String::as_str)
        .find(|variable| variable.strip_prefix(prefix) == Some(rest))
}
