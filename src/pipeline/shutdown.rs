//! Why and when the run ends.
//!
//! [`Stop`] is a flag for hot loops and a receiver for waiting ones; both change together, once, and the first reason
//! wins. [`SignalThread`] turns signals into it: the first asks for a graceful end, the second for one at once, the third
//! (or a process that is still there [`URGENT_EXIT_MS`] after the second) exits on the spot. A `Stop` never ends a thread
//! by itself, and nothing but the signal thread ever exits the process.

use std::convert::Infallible;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::backend::{Handle, PollResult, SignalDelivery, SignalIterator};
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::report::{outlet, screen};

/// How long after the second signal the process has to print its final statistics and end by itself.
pub const URGENT_EXIT_MS: u64 = 2000;

/// Why the run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The user or the system asked for it.
    Signal(Signal),
    /// As many messages as were wanted have been generated.
    Count,
    /// It has run for as long as was wanted.
    Duration,
    /// It cannot go on; whoever stopped it has the error.
    Failed,
}

/// A signal that ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: what service managers send.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

impl Signal {
    /// Its name as the system spells it.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::HangUp => "SIGHUP",
        }
    }

    /// What a process that this signal has ended exits with: 128 and the signal's number, as shells have it.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
            Signal::HangUp => 129,
        }
    }

    fn from_number(number: i32) -> Option<Self> {
        match number {
            SIGINT => Some(Signal::Interrupt),
            SIGTERM => Some(Signal::Terminate),
            SIGHUP => Some(Signal::HangUp),
            _ => None,
        }
    }
}

/// Whether to stop. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    graceful: Once<StopReason>,
    urgent: Once<Signal>,
}

impl Stop {
    /// Not stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops, unless it is stopped already; tells whether this call did it. The reason is known before the flag and the
    /// receiver change.
    pub fn stop(&self, reason: StopReason) -> bool {
        self.shared.graceful.set(reason, || {
            self.shared.stopped.store(true, Ordering::Release);
        })
    }

    /// Whether it is stopped; one load, for hot loops.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    /// Nothing ever comes out of it; it is disconnected once stopped. For waiting with a deadline and for selecting.
    pub fn receiver(&self) -> &Receiver<Infallible> {
        &self.shared.graceful.receiver
    }

    /// The first reason that was given.
    pub fn reason(&self) -> Option<StopReason> {
        self.shared.graceful.value.get().copied()
    }

    /// Ends the graceful shutdown at once: the same again, with `signal` to exit by.
    pub fn hurry(&self, signal: Signal) -> bool {
        self.shared.urgent.set(signal, || ())
    }

    /// Nothing ever comes out of it; it is disconnected once a second signal has come.
    pub fn urgent(&self) -> &Receiver<Infallible> {
        &self.shared.urgent.receiver
    }

    /// The second signal.
    pub fn second_signal(&self) -> Option<Signal> {
        self.shared.urgent.value.get().copied()
    }

    /// A signal has come: the first stops (also where count or duration did so before, so that one Ctrl-C is never an
    /// abort), the second hurries, and from the third on this is `true`: exit.
    fn on_signal(&self, signal: Signal, seen: &mut u32) -> bool {
        *seen = seen.saturating_add(1);
        match *seen {
            1 => {
                self.stop(StopReason::Signal(signal));
                false
            }
            2 => {
                self.hurry(signal);
                false
            }
            _ => true,
        }
    }
}

/// A value that is set once, and a channel that is disconnected by it.
#[derive(Debug)]
struct Once<T> {
    value: OnceLock<T>,
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        // Nothing is ever sent; but selecting over a channel without capacity would allocate each time.
        let (sender, receiver) = bounded(1);
        Self {
            value: OnceLock::new(),
            sender: Mutex::new(Some(sender)),
            receiver,
        }
    }
}

impl<T> Once<T> {
    /// The value stands before `then` runs, and both before the channel is disconnected.
    fn set(&self, value: T, then: impl FnOnce()) -> bool {
        if self.value.set(value).is_err() {
            return false;
        }
        then();
        drop(
            self.sender
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        true
    }
}

/// The thread `signals`. From its start to its end SIGINT, SIGTERM and SIGHUP go to a [`Stop`]; SIGHUP does not where the
/// process was started with it ignored, as `nohup` does.
#[derive(Debug)]
pub struct SignalThread {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl SignalThread {
    /// Catches the signals and starts the thread, which drops `watched` when it ends.
    ///
    /// # Errors
    /// The system allows no handler, no socket pair or no thread.
    pub fn start(stop: Stop, watched: impl Send + 'static) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let mut caught = vec![SIGINT, SIGTERM];
        if !fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, SIGHUP)) {
            caught.push(SIGHUP);
        }
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, caught)?;
        let handle = delivery.handle();
        let thread = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let _watched = watched;
                watch(delivery, &stop);
            })?;
        Ok(Self { handle, thread })
    }

    /// Ends the thread; from here on the signals do nothing. The last thing to do before the process ends.
    ///
    /// # Errors
    /// What the thread panicked with.
    pub fn join(self) -> thread::Result<()> {
        self.handle.close();
        self.thread.join()
    }
}

/// Whether a process with this `/proc/<pid>/status` ignores a signal: bit `number - 1` of the mask `SigIgn` (`proc(5)`).
fn ignores(status: &str, number: i32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

fn watch(delivery: SignalDelivery<UnixStream, SignalOnly>, stop: &Stop) {
    let mut signals = SignalIterator::new(delivery);
    let (mut seen, mut deadline) = (0, None);
    loop {
        match signals.poll_signal(&mut |pipe| wait(pipe, deadline)) {
            PollResult::Signal(number) => {
                let Some(signal) = Signal::from_number(number) else {
                    continue;
                };
                if stop.on_signal(signal, &mut seen) {
                    exit(stop);
                }
                if stop.second_signal().is_some() {
                    deadline = Some(Instant::now() + Duration::from_millis(URGENT_EXIT_MS));
                }
            }
            PollResult::Pending if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                exit(stop)
            }
            PollResult::Pending => (),
            PollResult::Closed => return,
            PollResult::Err(_) => {
                // A process that no signal can end any more must not go on.
                stop.stop(StopReason::Failed);
                return;
            }
        }
    }
}

/// Whether a signal woke us before the deadline.
fn wait(pipe: &mut UnixStream, deadline: Option<Instant>) -> io::Result<bool> {
    let timeout = deadline.map(|deadline| {
        // Zero would mean to wait for ever.
        let left = deadline.saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1))
    });
    pipe.set_read_timeout(timeout)?;
    match pipe.read(&mut [0; 64]) {
        Ok(_) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn exit(stop: &Stop) -> ! {
    screen::close_at_once();
    outlet::flush();
    std::process::exit(
        stop.second_signal()
            .map_or(1, |signal| signal.exit_code().into()),
    )
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::TryRecvError;

    use super::*;

    #[test]
    fn the_first_reason_wins_and_everyone_sees_it() {
        let stop = Stop::new();
        let other = stop.clone();
        assert!(!other.is_stopped() && other.reason().is_none());
        assert_eq!(other.receiver().try_recv(), Err(TryRecvError::Empty));
        assert!(stop.stop(StopReason::Count));
        assert!(!other.stop(StopReason::Failed));
        assert!(other.is_stopped());
        assert_eq!(other.reason(), Some(StopReason::Count));
        assert_eq!(other.receiver().try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(other.urgent().try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn a_waiting_thread_wakes_up_with_the_reason_known() {
        let stop = Stop::new();
        let waiting = stop.clone();
        let thread = thread::spawn(move || {
            let woken = waiting.receiver().recv_timeout(Duration::from_secs(60));
            (woken.is_err(), waiting.is_stopped(), waiting.reason())
        });
        stop.stop(StopReason::Duration);
        assert_eq!(
            thread.join().unwrap(),
            (true, true, Some(StopReason::Duration))
        );
    }

    #[test]
    fn the_first_signal_stops_the_second_hurries_the_third_exits() {
        let (stop, mut seen) = (Stop::new(), 0);
        assert!(!stop.on_signal(Signal::Terminate, &mut seen));
        assert_eq!(stop.reason(), Some(StopReason::Signal(Signal::Terminate)));
        assert_eq!(stop.second_signal(), None);
        assert!(!stop.on_signal(Signal::Interrupt, &mut seen));
        assert_eq!(stop.second_signal(), Some(Signal::Interrupt));
        assert_eq!(stop.urgent().try_recv(), Err(TryRecvError::Disconnected));
        assert!(stop.on_signal(Signal::Terminate, &mut seen));
        assert_eq!(stop.second_signal(), Some(Signal::Interrupt));
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        for (signal, number) in [
            (Signal::Interrupt, SIGINT),
            (Signal::Terminate, SIGTERM),
            (Signal::HangUp, SIGHUP),
        ] {
            assert_eq!(Signal::from_number(number), Some(signal));
            assert_eq!(i32::from(signal.exit_code()), 128 + number);
        }
        assert_eq!(Signal::from_number(signal_hook::consts::SIGUSR1), None);
    }

    #[test]
    fn real_signals_reach_the_stop_in_order_and_the_thread_is_joined() {
        let stop = Stop::new();
        let signals = SignalThread::start(stop.clone(), ()).unwrap();
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(
            stop.receiver()
                .recv_timeout(Duration::from_secs(60))
                .is_err()
        );
        assert_eq!(stop.reason(), Some(StopReason::Signal(Signal::Terminate)));
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert!(stop.urgent().recv_timeout(Duration::from_secs(60)).is_err());
        assert_eq!(stop.second_signal(), Some(Signal::Interrupt));
        signals.join().unwrap();
    }

    /// What happens in a process of its own: it signals itself, so that no other test is hit.
    #[test]
    fn process_of_its_own() {
        let Ok(script) = std::env::var(SCRIPT) else {
            return;
        };
        let stop = Stop::new();
        let signals = SignalThread::start(stop.clone(), ()).unwrap();
        for number in script.split(' ').map(|number| number.parse().unwrap()) {
            let awaited = if stop.is_stopped() {
                stop.urgent()
            } else {
                stop.receiver()
            };
            signal_hook::low_level::raise(number).unwrap();
            if number != SIGHUP {
                assert!(awaited.recv_timeout(Duration::from_secs(60)).is_err());
            }
        }
        if stop.second_signal().is_some() {
            let _ = crossbeam_channel::never::<()>().recv_timeout(Duration::from_secs(60));
        }
        signals.join().unwrap();
    }

    const SCRIPT: &str = "SIGNALS_TO_RAISE";

    /// Runs [`process_of_its_own`] with these signals, SIGHUP ignored, and gives its exit code back.
    fn exit_code(script: &str) -> Option<i32> {
        std::process::Command::new("sh")
            .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "pipeline::shutdown::tests::process_of_its_own"])
            .env(SCRIPT, script)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
            .code()
    }

    #[test]
    fn a_process_that_hangs_after_the_second_signal_exits_by_it() {
        assert_eq!(exit_code("2 15"), Some(143), "at the bound");
        assert_eq!(exit_code("15 2 15"), Some(130), "at the third signal");
    }

    #[test]
    fn a_hangup_that_nohup_has_ignored_stays_ignored() {
        assert_eq!(exit_code("1 15"), Some(0), "only one signal counted");
        assert!(ignores("Name:\tx\nSigIgn:\t0000000000001001\n", SIGHUP));
        assert!(!ignores("SigIgn:\t0000000000001000\n", SIGHUP));
        assert!(!ignores("", SIGHUP));
    }
}
