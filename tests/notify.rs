//! What a service manager hears of a run: `sd_notify(3)`, over a real socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Instant;

use sandbox::{ApiKey, Fault, FaultRule, RegistryFault};
use support::{DEADLINE, Ledger, Peers, Setup};

/// A service manager that hears what it is told.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            socket,
            heard: Vec::new(),
        }
    }

    /// At a path in the program's own folder.
    fn beside(setup: Setup) -> (Self, Setup) {
        let path: PathBuf = setup.path("notify");
        let manager = Self::at(&SocketAddr::from_pathname(&path).unwrap());
        (manager, setup.env("NOTIFY_SOCKET", path))
    }

    /// The next message that holds a line that begins so.
    fn message(&mut self, line: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let message = self.next();
            self.heard.push(message.clone());
            if message.lines().any(|heard| heard.starts_with(line)) {
                return message;
            }
        }
        panic!("no {line:?} in {:#?}", self.heard);
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| {
            panic!("{error}; heard so far: {:#?}", self.heard);
        });
        assert!(length < 512, "a long message: {length} bytes");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// All that it heard from a program that has ended.
    fn rest(mut self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => self
                    .heard
                    .push(String::from_utf8(buffer[..length].to_vec()).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.heard,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn the_manager_hears_the_start_that_it_is_alive_and_the_stop() {
    let peers = Peers::start();
    let setup = peers.setup("--interval 1ms --shutdown-timeout 20s");
    let (mut manager, setup) = Manager::beside(setup);
    let program = setup.env("WATCHDOG_USEC", "300000").start();
    let first = manager.message("");
    assert!(first.contains("STATUS=starting, 0 acknowledged"), "{first}");
    let ready = manager.message("READY=1");
    assert!(ready.contains("\nSTATUS=producing, "), "{ready}");
    for _ in 0..3 {
        manager.message("WATCHDOG=1");
    }
    peers.wait_records(10);
    program.signal("TERM");
    let stopping = manager.message("STOPPING=1");
    assert!(
        stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\nSTATUS=stopping, "),
        "{stopping}"
    );
    let ended = program.end();
    ended.expect_code(0);
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
    let heard = manager.rest();
    let count = |line: &str| heard.iter().filter(|said| said.contains(line)).count();
    assert_eq!(
        (count("READY=1"), count("STOPPING=1")),
        (1, 1),
        "{heard:#?}"
    );
}

#[test]
fn a_long_start_keeps_the_watchdog_fed_and_is_not_called_ready() {
    let peers = Peers::start();
    peers.registry.fail_next(&RegistryFault::Hang, 1000);
    let setup = peers.setup("--interval 1ms");
    let (mut manager, setup) = Manager::beside(setup);
    let program = setup.env("WATCHDOG_USEC", "300000").start();
    for _ in 0..5 {
        manager.message("WATCHDOG=1");
    }
    program.signal("TERM");
    manager.message("STOPPING=1");
    program.end().expect_code(0);
    let heard = manager.rest();
    assert!(
        !heard.iter().any(|said| said.contains("READY=1")),
        "{heard:#?}"
    );
}

#[test]
fn a_shutdown_that_waits_for_brokers_keeps_the_watchdog_fed() {
    let peers = Peers::start();
    let fault = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(fault.times(usize::MAX));
    let setup = peers.setup("--interval 1ms");
    let (mut manager, setup) = Manager::beside(setup);
    let program = setup.env("WATCHDOG_USEC", "300000").start();
    manager.message("READY=1");
    program.signal("TERM");
    manager.message("STOPPING=1");
    for _ in 0..3 {
        manager.message("WATCHDOG=1");
    }
    program.signal("TERM");
    program.end().expect_code(143);
}

#[test]
fn an_abstract_socket_is_found_and_the_end_by_itself_is_a_stop_too() {
    let peers = Peers::start();
    let name = format!("continuous-producer-test-{}", std::process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let setup = peers.setup("--interval 1ms --count 20");
    let ended = setup.env("NOTIFY_SOCKET", format!("@{name}")).run();
    ended.expect_code(0);
    assert_eq!(ended.ledger(), Ledger::all(20));
    let heard = manager.rest().join("\n");
    assert!(heard.contains("STOPPING=1"), "{heard}");
    assert!(!heard.contains("WATCHDOG=1"), "nobody asked: {heard}");
}

#[test]
fn the_watchdog_of_another_process_gets_no_ping() {
    let peers = Peers::start();
    let (manager, setup) = Manager::beside(peers.setup("--interval 1ms --count 300"));
    let setup = setup.env("WATCHDOG_USEC", "30000").env("WATCHDOG_PID", "1");
    setup.run().expect_code(0);
    let heard = manager.rest().join("\n");
    assert!(
        heard.contains("READY=1") && !heard.contains("WATCHDOG=1"),
        "{heard}"
    );
}

#[test]
fn a_manager_that_is_not_there_costs_one_warning() {
    let peers = Peers::start();
    for socket in [
        "/nonexistent/notify",
        "@continuous-producer-nobody",
        "neither",
        "vsock:2:1234",
    ] {
        let setup = peers
            .setup("--interval 1ms --count 100")
            .env("NOTIFY_SOCKET", socket);
        let ended = setup.env("WATCHDOG_USEC", "30000").run();
        ended.expect_code(0);
        assert_eq!(ended.ledger(), Ledger::all(100));
        let warning = ended.line("The service manager cannot be told");
        assert!(
            warning.contains(&format!("NOTIFY_SOCKET={socket}: ")),
            "{warning}"
        );
    }
    for setup in [
        peers.setup("--count 1"),
        peers.setup("--count 1").env("NOTIFY_SOCKET", ""),
    ] {
        let ended = setup.env("LOG_LEVEL", "debug").run();
        ended.expect_code(0).expect_no("service manager");
    }
}

#[test]
fn a_manager_that_reads_nothing_does_not_hold_production_up() {
    let peers = Peers::start();
    let (manager, setup) = Manager::beside(peers.setup("--interval 1ms --count 2000"));
    // Its queue is full after a few messages.
    let ended = setup.env("WATCHDOG_USEC", "30000").run();
    ended.expect_code(0);
    assert_eq!(ended.ledger(), Ledger::all(2000));
    assert!(!manager.rest().is_empty());
}

#[test]
fn a_run_that_is_over_in_no_time_was_ready_all_the_same() {
    let peers = Peers::start();
    for _ in 0..5 {
        let (mut manager, setup) = Manager::beside(peers.setup("--count 1"));
        setup.run().expect_code(0);
        manager.message("READY=1");
        manager.message("STOPPING=1");
    }
}
