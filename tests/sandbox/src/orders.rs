//! Orders from standard input, a line each, for whoever drives the sandbox from another program.
//!
//! Each is answered by one line on standard error, done or not, so that a driver need not guess. The end of the input ends the
//! sandbox: it does not outlive its driver.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::{ApiKey, Sandbox};

/// What can be ordered.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    /// A node is gone, its connections too.
    Kill(i32),
    /// It is back, at the same port.
    Start(i32),
    /// The next produce request is refused with an error code of Kafka's.
    Refuse(i16),
}

impl Order {
    fn parse(line: &str) -> Option<Self> {
        let (word, number) = line.trim().split_once(' ')?;
        match word {
            "kill" => number.parse().ok().map(Self::Kill),
            "start" => number.parse().ok().map(Self::Start),
            "refuse" => number.parse().ok().map(Self::Refuse),
            _ => None,
        }
    }

    fn carry_out(&self, broker: &Sandbox) -> io::Result<()> {
        match *self {
            Self::Kill(node) => broker.kill_node(node),
            Self::Start(node) => return broker.restart_node(node),
            Self::Refuse(code) => broker.fail_next(ApiKey::Produce, code, 1),
        }
        Ok(())
    }
}

/// Takes orders on a thread of its own from here on.
pub(crate) fn take(broker: &Arc<Sandbox>) -> io::Result<()> {
    let broker = Arc::clone(broker);
    thread::Builder::new()
        .name("orders".to_owned())
        .spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let done = match Order::parse(&line) {
                    Some(order) => order.carry_out(&broker),
                    None => Err(io::Error::other("kill NODE, start NODE or refuse CODE")),
                };
                match done {
                    Ok(()) => eprintln!("sandbox: done: {line}"),
                    Err(error) => eprintln!("sandbox: not done: {line}: {error}"),
                }
            }
            // The main thread waits for this.
            let _ended = kill(Pid::this(), Signal::SIGTERM);
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn orders_are_a_word_and_a_number() {
        assert_eq!(Order::parse("kill 2"), Some(Order::Kill(2)));
        assert_eq!(Order::parse("start 2\n"), Some(Order::Start(2)));
        assert_eq!(Order::parse("refuse 87"), Some(Order::Refuse(87)));
        for line in ["", "kill", "kill all", "refuse 70000", "stop 1"] {
            assert_eq!(Order::parse(line), None, "{line}");
        }
    }
}
