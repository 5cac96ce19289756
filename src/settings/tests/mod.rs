//! What a user may rely on, from command line, environment and files to settings.

mod defaults;
mod mistakes;
mod precedence;
mod secrets;
mod security;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::setting::{Group, Id};
use super::table::{TABLE, by_id};
use super::*;
use crate::kafka::config::{Acks, Compression, HostPort, MessageKey, NewTopic};

/// A directory of its own that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("settings-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), content).unwrap();
        self
    }

    fn load(&self, args: &str, environment: &[(&str, &str)]) -> Result<Loaded, SettingsErrors> {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        load(
            args.split_whitespace().map(OsString::from),
            environment,
            &self.0,
        )
        .map_err(|refused| refused.mistakes)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const REQUIRED: &str = "--bootstrap-servers k:1 --registry-url http://r:2";

fn run(args: &str, environment: &[(&str, &str)]) -> Settings {
    run_in(&Directory::new(), args, environment)
}

fn run_in(directory: &Directory, args: &str, environment: &[(&str, &str)]) -> Settings {
    match directory
        .load(&format!("{REQUIRED} {args}"), environment)
        .unwrap()
        .command
    {
        Command::Run(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

fn mistakes(args: &str, environment: &[(&str, &str)]) -> Vec<String> {
    mistakes_in(
        &Directory::new(),
        &format!("{REQUIRED} {args}"),
        environment,
    )
}

fn mistakes_in(directory: &Directory, args: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let errors = directory.load(args, environment).map(|_| ()).unwrap_err();
    errors.0.iter().map(ToString::to_string).collect()
}

fn config(
    directory: &Directory,
    args: &str,
    environment: &[(&str, &str)],
) -> (String, SettingsErrors) {
    match directory
        .load(&format!("--print-config {args}"), environment)
        .unwrap()
        .command
    {
        Command::PrintConfig { text, mistakes } => (text, mistakes),
        other => panic!("{other:?}"),
    }
}

/// Value and source of one setting as `--print-config` shows them.
fn row(text: &str, variable: &str) -> String {
    let line = text
        .lines()
        .find(|line| line.split_whitespace().next() == Some(variable))
        .unwrap();
    line.split_whitespace()
        .skip(1)
        .collect::<Vec<_>>()
        .join(" ")
}
