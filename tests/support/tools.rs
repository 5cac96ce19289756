//! Other programs that some tests need.

use std::process::Command;

/// Whether a tool is there and works, without which a test says that it was skipped.
pub(crate) fn can_run(tool: &str, arguments: &[&str]) -> bool {
    let output = Command::new(tool).args(arguments).output();
    let works = output.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED: {tool} {} does not work here", arguments.join(" "));
    }
    works
}
