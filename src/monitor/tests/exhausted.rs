//! A process that has no file descriptor left.

use std::env;
use std::fs::File;
use std::process::Command;

use super::*;

/// Set in the process that may have few files open.
const MARK: &str = "MONITOR_TEST_FEW_FILES";
const TEST: &str =
    "monitor::tests::exhausted::a_process_out_of_files_lets_clients_wait_and_then_answers";

/// In a process of its own: other tests need their files.
#[test]
fn a_process_out_of_files_lets_clients_wait_and_then_answers() {
    if env::var_os(MARK).is_some() {
        return run_out_of_files();
    }
    let run = "ulimit -n 48 && exec \"$0\" --exact \"$1\"";
    let mut child = Command::new("sh");
    child.args(["-c", run]).arg(env::current_exe().unwrap());
    let output = child.arg(TEST).env(MARK, "").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // It has run there: a name that fits no test would succeed too.
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// How often a connection could not be accepted, by what is logged of it.
static FAILED: AtomicUsize = AtomicUsize::new(0);

struct Count;

impl log::Log for Count {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        if record.args().to_string().contains("cannot accept") {
            FAILED.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

fn run_out_of_files() {
    log::set_logger(&Count).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let rig = Rig::new();
    let mut others: Vec<File> = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        others.push(file);
    }
    // Two for clients; for the server's ends of them there is the one that Linux takes before it waits for a connection.
    others.truncate(others.len() - 2);
    let mut first = rig.connect();
    first.write_all(b"GET /healthz").unwrap();
    let mut client = rig.connect();
    client.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
    let pause = Duration::from_millis(300);
    client.set_read_timeout(Some(pause)).unwrap();
    let silence = client.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    // A few times, not as often as it goes.
    let tried = FAILED.load(Ordering::SeqCst);
    assert!((1..100).contains(&tried), "{tried}");
    drop(others);
    client.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    assert_eq!(body_of(&rest(&client)), "well\n");
    assert_eq!(body_of(&exchange(&first, b" HTTP/1.1\r\n\r\n")), "well\n");
    rig.end();
}
