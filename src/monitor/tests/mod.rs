//! Over real sockets on loopback: what is answered, what is refused, and that nobody keeps anybody else out.

mod answers;
mod crowds;
#[cfg(unix)]
mod exhausted;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// Whoever waits for longer waits in vain.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);
const METRICS: &str = "# TYPE messages_total counter\nmessages_total 3\n";
const STATUS: &str = "{\"generated\":3}";

/// Shows always the same, except as ordered.
#[derive(Default)]
struct Fake {
    is_bad: AtomicBool,
    panics: AtomicBool,
    long: AtomicBool,
    inside: AtomicUsize,
    inside_max: AtomicUsize,
}

impl Fake {
    fn verdict(&self) -> Verdict {
        let good = !self.is_bad.load(Ordering::SeqCst);
        let text = if good { "well" } else { "not well" };
        Verdict {
            good,
            text: text.to_owned(),
        }
    }
}

impl Shown for Fake {
    fn metrics(&self) -> String {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.inside_max.fetch_max(inside, Ordering::SeqCst);
        let repeated = if self.long.load(Ordering::SeqCst) {
            METRICS.repeat(1_000_000)
        } else {
            METRICS.to_owned()
        };
        self.inside.fetch_sub(1, Ordering::SeqCst);
        repeated
    }

    fn status(&self) -> String {
        assert!(!self.panics.load(Ordering::SeqCst), "as ordered");
        STATUS.to_owned()
    }

    fn health(&self) -> Verdict {
        self.verdict()
    }

    fn readiness(&self) -> Verdict {
        self.verdict()
    }
}

/// A server, what it shows, and clients of it.
struct Rig {
    server: Server,
    fake: Arc<Fake>,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(Patience::default())
    }

    fn with(patience: Patience) -> Rig {
        let fake = Arc::new(Fake::default());
        let shown = Arc::clone(&fake) as Arc<dyn Shown>;
        let server = Server::start_with(&loopback(), shown, patience).unwrap();
        Rig { server, fake }
    }

    fn connect(&self) -> TcpStream {
        connect(self.server.address())
    }

    /// What comes back, up to the end of the stream, for bytes of a client that has no more to say.
    fn send(&self, bytes: &[u8]) -> String {
        exchange(&self.connect(), bytes)
    }

    fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes())
    }

    /// Ends it; nothing that it had is left with any thread.
    fn end(self) {
        self.server.join();
        assert_eq!(Arc::strong_count(&self.fake), 1);
    }
}

fn loopback() -> HostPort {
    HostPort {
        host: "127.0.0.1".to_owned(),
        port: 0,
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

fn exchange(mut stream: &TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).unwrap();
    rest(stream)
}

fn rest(mut stream: &TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits for the end of a connection, however it comes, and says what came before.
fn until_cut(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

fn status_of(answer: &str) -> &str {
    answer.split("\r\n").next().unwrap()
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn header_of<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}
