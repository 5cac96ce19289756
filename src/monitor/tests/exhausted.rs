//! A process that has no file descriptor left.

use std::env;
use std::fs::File;
use std::process::Command;

use socket2::{Domain, Socket, Type};

use super::*;

/// Set in the process that may have few files open.
const MARK: &str = "MONITOR_TEST_FEW_FILES";
const TEST: &str =
    "monitor::tests::exhausted::slow_clients_of_a_process_out_of_files_keep_nobody_out";

/// In a process of its own: other tests need their files.
#[test]
fn slow_clients_of_a_process_out_of_files_keep_nobody_out() {
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
    let rig = Rig::with(Patience {
        request: Duration::from_secs(3600),
        ..Patience::default()
    });
    // Their descriptors are there before none is left.
    let mut clients: Vec<Socket> = (0..20)
        .map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap())
        .collect();
    let mut others: Vec<File> = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        others.push(file);
    }
    let address = rig.server.address().into();
    let last = TcpStream::from(clients.pop().unwrap());
    let mut slow = Vec::new();
    for client in clients {
        client.connect(&address).unwrap();
        let mut client = TcpStream::from(client);
        // One that was shut down by now may refuse it.
        let _ = client.write_all(b"GET /healthz");
        slow.push(client);
    }
    SockRef::from(&last).connect(&address).unwrap();
    last.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let answer = exchange(&last, b"GET /healthz HTTP/1.1\r\n\r\n");
    assert_eq!(body_of(&answer), "well\n");
    // Who has been there longest has made room, and was told nothing.
    assert_eq!(until_cut(&slow[0]), b"");
    // A few times, not as often as it goes.
    let tried = FAILED.load(Ordering::SeqCst);
    assert!(tried < 100, "{tried}");
    drop((slow, others));
    assert_eq!(body_of(&rig.get("/healthz")), "well\n");
    rig.end();
}
