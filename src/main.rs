//! The binary: settings, logging, run, exit code.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use continuous_producer::check;
use continuous_producer::error::Exit;
use continuous_producer::pipeline;
use continuous_producer::report::{self, ledger_file};
use continuous_producer::settings::{self, Command, Common, SettingError, SettingsErrors};

fn main() -> ExitCode {
    let exit = exit();
    report::outlet::flush();
    ExitCode::from(exit.code())
}

fn exit() -> Exit {
    let loaded = match settings::load(env::args_os().skip(1), env::vars_os(), Path::new(".")) {
        Ok(loaded) => loaded,
        Err(refused) => return usage(&refused.mistakes, &refused.warnings),
    };
    match loaded.command {
        Command::Run(settings) => {
            if let Some(refused) = refuse_ledger_file(&settings.common, &loaded.warnings) {
                return refused;
            }
            start_logging(&settings.common);
            pipeline::run(&settings, &loaded.warnings)
        }
        Command::Check(settings) => {
            if let Some(refused) = refuse_ledger_file(&settings.common, &loaded.warnings) {
                return refused;
            }
            start_logging(&settings.common);
            warn(&loaded.warnings);
            check::run(&settings)
        }
        Command::DryRun(common) => {
            start_logging(&common);
            warn(&loaded.warnings);
            pipeline::dry_run::run(&common)
        }
        Command::PrintConfig { text, mistakes } => {
            let printed = print(&text);
            match usage(&mistakes, &loaded.warnings) {
                Exit::Delivered => printed,
                refused => refused,
            }
        }
        Command::Help(text)
        | Command::Version(text)
        | Command::Man(text)
        | Command::Completions(text) => print(&text),
    }
}

/// The settings only name the file; whether it can be written is found out before anything else is tried.
fn refuse_ledger_file(common: &Common, warnings: &[String]) -> Option<Exit> {
    let path = common.ledger_file.as_deref()?;
    let error = ledger_file::check(path).err()?;
    let subject = format!("LEDGER_FILE={}", path.display());
    let mistake = SettingError::new(subject, error.to_string());
    Some(usage(&SettingsErrors(vec![mistake]), warnings))
}

fn start_logging(common: &Common) {
    // It fails only where there is a logger already.
    let _ = report::log::init(common.log_level, common.log_format);
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        log::warn!(event = "warning", kind = "settings"; "⚠️ {warning}");
    }
}

/// A reader that has gone away is no error.
fn print(text: &str) -> Exit {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(
                io::stderr(),
                "❌ writing to standard output failed: {error}"
            );
            Exit::Incomplete
        }
        _ => Exit::Delivered,
    }
}

/// Says what is wrong with the settings, if anything is.
fn usage(mistakes: &SettingsErrors, warnings: &[String]) -> Exit {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "⚠️ {warning}");
    }
    if mistakes.is_empty() {
        return Exit::Delivered;
    }
    for mistake in &mistakes.0 {
        let _ = writeln!(io::stderr(), "❌ {mistake}");
    }
    let _ = writeln!(
        io::stderr(),
        "   continuous-producer --help lists every setting"
    );
    Exit::Usage
}
