//! The summary of a run on disk (`LEDGER_FILE`): one JSON object, for whoever starts runs by a script and reads afterwards.
//!
//! Invariant: the file is there as a whole or not at all. It is written beside its place, brought to the disk and renamed; what
//! stood there before stays until then, and nothing is left beside it if that fails. A link is replaced and not followed: a rename
//! cannot do otherwise, and to write through it could not be done at once. What is no file (`/dev/null`) is never replaced.
//! `docs/ledger.md` has the keys. It holds no secret, for none of its values is one; no clock is read here.

mod obstacle;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::latency::Percentiles;
use super::snapshot::Ledger;
use super::time::Rfc3339;

/// Permissions of the file, before the umask takes some.
const MODE: u32 = 0o644;

/// How often another name is tried for the file beside: names are random, so that one is enough but for bad luck.
const NAMES_MAX: usize = 8;

/// Longest part of the file's own name in the name beside it: names have 255 bytes at most.
const NAME_BYTES_MAX: usize = 200;

/// More than any summary has: where so much can be written, one can.
const PROBE_BYTES: usize = 16 * 1024;

/// All that is said of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// What was produced to.
    pub topic: String,
    /// Which shoes they were, with the instance.
    pub seed: u64,
    /// Which of several parallel producers it was.
    pub instance_id: u16,
    /// Wall-clock time of the start, in milliseconds since 1970.
    pub started_ms: i64,
    /// The same of the end.
    pub ended_ms: i64,
    /// From the first message on, as in the final statistics.
    pub runtime: Duration,
    /// `signal SIGTERM`, `count`, `duration` or `failure`.
    pub ended_by: String,
    /// What the process ends with.
    pub exit_code: u8,
    /// Where every record went.
    pub ledger: Ledger,
    /// Records that could not be encoded; not among the generated ones.
    pub serialization_errors: u64,
    /// Ticks that were skipped.
    pub skipped: u64,
    /// Failed messages by error, named as in the metrics.
    pub failed_by_error: BTreeMap<String, u64>,
    /// Acknowledged messages a second.
    pub average_rate: f64,
    /// Of the whole run; `None` where nothing was acknowledged.
    pub latency: Option<Percentiles>,
    /// The line that said why the run could not begin or go on.
    pub error: Option<String>,
}

impl Summary {
    /// One JSON object, a key a line.
    pub fn to_json(&self) -> String {
        let lines: Vec<String> = self
            .members()
            .iter()
            .map(|(key, value)| format!("  \"{key}\": {value}"))
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }

    fn members(&self) -> [(&'static str, Value); 20] {
        let time = |unix_ms| json!(Rfc3339 { unix_ms }.to_string());
        [
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("topic", json!(self.topic)),
            // A JSON number is a double for most readers, and loses digits of 64 bits.
            ("seed", json!(self.seed.to_string())),
            ("instance_id", json!(self.instance_id)),
            ("started", time(self.started_ms)),
            ("ended", time(self.ended_ms)),
            (
                "runtime_seconds",
                json!(thousandths(self.runtime.as_secs_f64())),
            ),
            ("ended_by", json!(self.ended_by)),
            ("exit_code", json!(self.exit_code)),
            ("generated", json!(self.ledger.generated)),
            ("acknowledged", json!(self.ledger.acknowledged)),
            ("failed", json!(self.ledger.failed)),
            ("unsent", json!(self.ledger.unsent)),
            ("adds_up", json!(self.ledger.adds_up())),
            ("serialization_errors", json!(self.serialization_errors)),
            ("skipped", json!(self.skipped)),
            ("failed_by_error", json!(self.failed_by_error)),
            ("average_rate", json!(thousandths(self.average_rate))),
            ("latency_seconds", self.latency.map_or(Value::Null, latency)),
            ("error", json!(self.error)),
        ]
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn latency(percentiles: Percentiles) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "three digits are kept")]
    let seconds = |us: u64| us as f64 / 1e6;
    json!({
        "p50": seconds(percentiles.p50),
        "p90": seconds(percentiles.p90),
        "p99": seconds(percentiles.p99),
        "p99_9": seconds(percentiles.p99_9),
        "max": seconds(percentiles.max),
    })
}

/// Whether a summary can be written there, as far as can be known in advance: brings a file beside it to the disk, and removes it.
///
/// # Errors
/// The path names no file, there is something else or what cannot be replaced, or its folder takes no file or nothing in one; in
/// words that follow the path.
pub fn check(path: &Path) -> io::Result<()> {
    let place = Place::of(path)?;
    place.refuse_what_is_no_file()?;
    let (file, beside) = place.begin().map_err(|error| place.explained(&error))?;
    let tried = place.try_out(&file);
    drop(file);
    let removed = fs::remove_file(&beside).map_err(|error| place.explained(&error));
    tried.and(removed)
}

/// Writes the summary. May take as long as the disk takes.
///
/// # Errors
/// It could not be written; what stood there before is still there, unless only the folder's own way to the disk failed.
pub fn write(path: &Path, summary: &Summary) -> io::Result<()> {
    let place = Place::of(path)?;
    place.refuse_what_is_no_file()?;
    let (file, beside) = place.begin()?;
    let written =
        write_all(&file, summary.to_json().as_bytes()).and_then(|()| fs::rename(&beside, path));
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    sync_folder(place.folder)
}

fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Some file systems of networks and users cannot do that, and say so.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// A path, taken apart.
struct Place<'a> {
    path: &'a Path,
    folder: &'a Path,
    name: &'a OsStr,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path) -> io::Result<Self> {
        let names_folder = path.as_os_str().as_bytes().ends_with(b"/");
        match (path.file_name(), path.parent()) {
            (Some(name), Some(folder)) if !names_folder => Ok(Self {
                path,
                folder: if folder.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    folder
                },
                name,
            }),
            _ => Err(io::Error::other(
                "names a folder; the name of a file is missing",
            )),
        }
    }

    /// A rename would replace a device or a pipe as well.
    fn refuse_what_is_no_file(&self) -> io::Result<()> {
        match fs::metadata(self.path) {
            Ok(about) if about.is_dir() => Err(io::Error::other("is a folder")),
            Ok(about) if !about.is_file() => Err(io::Error::other(
                "is a device, a pipe or a socket, which a file would replace",
            )),
            Ok(_) => Ok(()),
            // Missing, or a link to nowhere; or in a missing folder, which shows when a file is made.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.explained(&error)),
        }
    }

    /// A new file in the same folder.
    fn begin(&self) -> io::Result<(File, PathBuf)> {
        let mut last = ErrorKind::AlreadyExists.into();
        for _ in 0..NAMES_MAX {
            let beside = self.beside();
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(MODE);
            match options.open(&beside) {
                Ok(file) => return Ok((file, beside)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Whether what is written into such a file reaches the disk, and the file could take its place.
    fn try_out(&self, file: &File) -> io::Result<()> {
        write_all(file, &[b' '; PROBE_BYTES]).map_err(|error| {
            let folder = self.folder.display();
            io::Error::other(format!(
                "nothing can be written in the folder {folder}: {error}"
            ))
        })?;
        match obstacle::on(self.folder, self.name, &file.metadata()?) {
            Some(why) => Err(io::Error::other(why)),
            None => Ok(()),
        }
    }

    fn beside(&self) -> PathBuf {
        let name = self.name.as_bytes();
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        let mut beside = OsString::from(".");
        beside.push(OsStr::from_bytes(name));
        beside.push(format!(".{:016x}.tmp", fastrand::u64(..)));
        self.folder.join(beside)
    }

    fn explained(&self, error: &io::Error) -> io::Error {
        let folder = self.folder.display();
        io::Error::other(match fs::metadata(self.folder) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                format!("there is no folder {folder}")
            }
            Ok(about) if !about.is_dir() => format!("{folder} is no folder"),
            _ => format!("no file can be made in the folder {folder}: {error}"),
        })
    }
}

#[cfg(test)]
mod tests;
