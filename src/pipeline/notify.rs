//! Tells a service manager how the run stands: `sd_notify(3)`, by its plain socket protocol.
//!
//! The thread `watchdog` is there only where `NOTIFY_SOCKET` names a socket, and it alone writes to it: `READY=1` once records
//! are produced, `STATUS=…` from time to time, `WATCHDOG=1` while the run is alive, and at the first stop `STOPPING=1` with how
//! long the shutdown may take. What could not be told is told again at the next turn. Invariant: nobody but the end of the run
//! ever waits for the manager, and then for two or three times [`SEND_MAX`] at most. It never fails a run, never changes the environment, and never
//! reads from the socket.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use super::ledger_file::WRITE_TIMEOUT;
use super::shutdown::Stop;
use super::{join, spawn};
use crate::error::Error;
use crate::report::stats::Stats;
use crate::report::text;

/// How often the status is told.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// Pings in the time after which the manager misses them: one may come late, and one may be lost.
const PINGS_PER_WATCHDOG: u32 = 3;

/// Most pings: a watchdog that wants more is not what anybody means.
const PING_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// How long one message may take to be handed over.
const SEND_MAX: Duration = Duration::from_secs(1);

/// What the end of a run may take beside the shutdown itself: the books, threads to join, and the summary on disk.
pub const END_MAX: Duration = Duration::from_secs(5).saturating_add(WRITE_TIMEOUT);

/// The running thread.
#[derive(Debug)]
pub(super) struct ServiceManager {
    orders: Sender<Ready>,
    thread: JoinHandle<()>,
}

/// The loop has begun.
#[derive(Debug)]
struct Ready;

impl ServiceManager {
    /// Starts the thread, if there is a manager to tell. `alive` says whether the run deserves its watchdog's ping, and if not, why;
    /// it is asked in this thread, as often as a ping is due, and what is to be told waits for it.
    pub(super) fn start(
        stop: &Stop,
        stats: &Arc<Stats>,
        shutdown_timeout: Duration,
        alive: impl Fn() -> Result<(), String> + Send + 'static,
    ) -> Option<Self> {
        let variables = Variables::of_this_process();
        let name = variables.socket.clone()?;
        let socket = Socket::open(&name).map_err(|error| warn(&name, &error));
        let telling = Telling::new(variables.ping_interval(), shutdown_timeout, Instant::now());
        let (orders, ordered) = bounded(1);
        let thread = Watchdog {
            socket: socket.ok()?,
            name: name.clone(),
            telling,
            stop: stop.clone(),
            stats: Arc::clone(stats),
            alive,
            was_alive: true,
            has_warned: false,
        };
        let started = spawn("watchdog", move || thread.run(&ordered));
        let thread = started.map_err(|error| warn(&name, &error)).ok()?;
        Some(Self { orders, thread })
    }

    /// Records are produced from now on.
    pub(super) fn ready(&self) {
        // Room for one, and it is only said once.
        let _ = self.orders.try_send(Ready);
    }

    /// Ends the thread; that the run stops is told by then.
    ///
    /// # Errors
    /// The thread panicked.
    pub(super) fn join(self) -> Result<(), Error> {
        drop(self.orders);
        join("watchdog", self.thread)
    }
}

fn warn(name: &OsString, error: &dyn std::fmt::Display) {
    let name = name.to_string_lossy();
    log::warn!(
        event = "warning", kind = "service manager";
        "⚠️ The service manager cannot be told how it stands: NOTIFY_SOCKET={name}: {error}"
    );
}

/// What a service manager says of itself in the environment.
#[derive(Debug, Default)]
struct Variables {
    socket: Option<OsString>,
    watchdog_us: Option<String>,
    watchdog_pid: Option<String>,
}

impl Variables {
    fn of_this_process() -> Self {
        let text = |name| env::var(name).ok().filter(|text| !text.is_empty());
        Self {
            socket: env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()),
            watchdog_us: text("WATCHDOG_USEC"),
            watchdog_pid: text("WATCHDOG_PID"),
        }
    }

    /// How often the watchdog wants a ping. `None`: never, or from another process (`sd_watchdog_enabled(3)`).
    fn ping_interval(&self) -> Option<Duration> {
        let ours = std::process::id().to_string();
        if self.watchdog_pid.as_ref().is_some_and(|pid| *pid != ours) {
            return None;
        }
        let microseconds = self.watchdog_us.as_ref()?.parse::<u64>().ok()?;
        let watchdog = Duration::from_micros(microseconds);
        (!watchdog.is_zero()).then(|| (watchdog / PINGS_PER_WATCHDOG).max(PING_INTERVAL_MIN))
    }
}

/// The manager's socket: datagrams without a connection, so that a manager that starts anew is found again.
#[derive(Debug)]
struct Socket {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Socket {
    /// `/a/path`, or `@name` for the abstract namespace.
    fn open(name: &OsString) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => {
                let what = "neither an absolute path nor @ and a name";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_MAX))?;
        Ok(Self { socket, address })
    }

    fn send(&self, message: &str) -> io::Result<()> {
        let sent = self.socket.send_to_addr(message.as_bytes(), &self.address);
        sent.map(|_| ())
    }
}

/// The body of the thread.
struct Watchdog<A> {
    socket: Socket,
    name: OsString,
    telling: Telling,
    stop: Stop,
    stats: Arc<Stats>,
    alive: A,
    was_alive: bool,
    has_warned: bool,
}

impl<A: Fn() -> Result<(), String>> Watchdog<A> {
    fn run(mut self, ordered: &Receiver<Ready>) {
        let nothing = never();
        loop {
            let now = Instant::now();
            if self.stop.is_stopped() {
                self.reach_stopping(now);
            }
            self.tell(now);
            let stop = if self.telling.phase < Phase::Stopping {
                self.stop.receiver()
            } else {
                &nothing
            };
            let until = self.telling.next();
            select! {
                recv(ordered) -> order => match order {
                    Ok(Ready) => self.telling.reach(Phase::Producing),
                    Err(_) => break,
                },
                recv(stop) -> _ => {}
                default(until.saturating_duration_since(Instant::now())) => {}
            }
        }
        // The run may have ended before this thread saw the stop.
        let now = Instant::now();
        self.reach_stopping(now);
        self.tell(now);
    }

    /// A run that has produced was ready, however short it was: a manager takes one that ends before that for a failure.
    fn reach_stopping(&mut self, now: Instant) {
        let was_told = self.telling.phase_told >= Some(Phase::Producing);
        if self.stats.has_begun() && self.telling.phase < Phase::Stopping && !was_told {
            self.telling.reach(Phase::Producing);
            self.tell(now);
        }
        self.telling.reach(Phase::Stopping);
    }

    fn tell(&mut self, now: Instant) {
        let alive = self.telling.is_ping_due(now) && self.is_alive();
        let Some(message) = self.telling.message(now, alive, &self.counts()) else {
            return;
        };
        match self.socket.send(&message) {
            Ok(()) => self.telling.told(),
            Err(error) if self.has_warned => {
                log::debug!(event = "service_manager"; "The service manager: {error}");
            }
            Err(error) => {
                self.has_warned = true;
                warn(&self.name, &error);
            }
        }
    }

    fn is_alive(&mut self) -> bool {
        let alive = (self.alive)();
        if let (true, Err(reason)) = (self.was_alive, &alive) {
            log::error!(event = "error", kind = "watchdog"; "❌ The watchdog gets no ping: {reason}");
        }
        self.was_alive = alive.is_ok();
        self.was_alive
    }

    fn counts(&self) -> String {
        let counted = self.stats.ledger(0);
        let failed = match counted.failed {
            0 => String::new(),
            failed => format!(", {} failed", text::grouped(failed)),
        };
        format!(
            "{} acknowledged{failed}",
            text::grouped(counted.acknowledged)
        )
    }
}

/// How far the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Starting,
    Producing,
    Stopping,
}

/// What the manager has been told, and what is due. A state machine without a clock or a socket: its owner sends each
/// [`message`](Self::message), and says whether it was [`told`](Self::told).
#[derive(Debug)]
struct Telling {
    ping_interval: Option<Duration>,
    shutdown_timeout: Duration,
    next_ping: Instant,
    next_status: Instant,
    phase: Phase,
    phase_told: Option<Phase>,
}

impl Telling {
    fn new(ping_interval: Option<Duration>, shutdown_timeout: Duration, now: Instant) -> Self {
        Self {
            ping_interval,
            shutdown_timeout,
            next_ping: now,
            next_status: now,
            phase: Phase::Starting,
            phase_told: None,
        }
    }

    /// Phases are left out where the run does so, and none comes back.
    fn reach(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }

    /// When there is something to tell again.
    fn next(&self) -> Instant {
        match self.ping_interval {
            Some(_) => self.next_status.min(self.next_ping),
            None => self.next_status,
        }
    }

    fn is_ping_due(&self, now: Instant) -> bool {
        self.ping_interval.is_some() && self.next_ping <= now
    }

    /// All that is due, at most a few hundred bytes; `alive` only counts where a ping is due. Pings and status are due again an
    /// interval later, a phase at the next turn until it was told.
    fn message(&mut self, now: Instant, alive: bool, counts: &str) -> Option<String> {
        let mut lines = Vec::new();
        let is_new = self.phase_told != Some(self.phase);
        if is_new && self.phase == Phase::Producing {
            lines.push("READY=1".to_owned());
        }
        if is_new && self.phase == Phase::Stopping {
            lines.push("STOPPING=1".to_owned());
            let takes = self.shutdown_timeout.saturating_add(END_MAX);
            lines.push(format!("EXTEND_TIMEOUT_USEC={}", takes.as_micros()));
        }
        if is_new || self.next_status <= now {
            self.next_status = now + STATUS_INTERVAL;
            let doing = match self.phase {
                Phase::Starting => "starting",
                Phase::Producing => "producing",
                Phase::Stopping => "stopping",
            };
            lines.push(format!("STATUS={doing}, {counts}"));
        }
        if let Some(interval) = self.ping_interval
            && self.is_ping_due(now)
        {
            self.next_ping = now + interval;
            if alive {
                lines.push("WATCHDOG=1".to_owned());
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The last message arrived.
    fn told(&mut self) {
        self.phase_told = Some(self.phase);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn telling(ping_interval: Option<Duration>) -> (Telling, Instant) {
        let now = Instant::now();
        (Telling::new(ping_interval, 30 * SECOND, now), now)
    }

    fn told(telling: &mut Telling, now: Instant) -> String {
        let message = telling.message(now, true, "5 acknowledged");
        telling.told();
        message.unwrap_or_default()
    }

    #[test]
    fn each_phase_is_told_once_and_none_comes_back() {
        let (mut telling, now) = telling(None);
        assert_eq!(told(&mut telling, now), "STATUS=starting, 5 acknowledged");
        telling.reach(Phase::Producing);
        let ready = "READY=1\nSTATUS=producing, 5 acknowledged";
        assert_eq!(told(&mut telling, now), ready);
        assert_eq!(told(&mut telling, now), "");
        telling.reach(Phase::Stopping);
        telling.reach(Phase::Producing);
        let stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS=stopping, 5 acknowledged";
        assert_eq!(told(&mut telling, now), stopping);
        assert_eq!(told(&mut telling, now), "");
    }

    #[test]
    fn a_stop_before_the_loop_has_begun_is_a_stop() {
        let (mut telling, now) = telling(None);
        telling.reach(Phase::Stopping);
        assert!(told(&mut telling, now).starts_with("STOPPING=1\n"));
    }

    #[test]
    fn what_did_not_arrive_is_told_again() {
        let (mut telling, now) = telling(None);
        telling.reach(Phase::Producing);
        let lost = telling.message(now, true, "");
        assert_eq!(telling.message(now + SECOND, true, ""), lost);
        telling.told();
        assert_eq!(telling.message(now + SECOND, true, ""), None);
    }

    #[test]
    fn pings_come_at_their_pace_and_status_at_its_own() {
        let (mut telling, start) = telling(Some(4 * SECOND));
        let mut heard = Vec::new();
        for second in 0..=20 {
            let now = start + second * SECOND;
            if telling.next() <= now {
                let message = told(&mut telling, now);
                let lines = message.lines();
                heard.push((
                    second,
                    lines
                        .map(|line| line.split('=').next().unwrap().to_owned())
                        .collect::<Vec<_>>()
                        .join("+"),
                ));
            }
        }
        let heard: Vec<(u32, &str)> = heard
            .iter()
            .map(|(second, what)| (*second, what.as_str()))
            .collect();
        assert_eq!(
            heard,
            [
                (0, "STATUS+WATCHDOG"),
                (4, "WATCHDOG"),
                (8, "WATCHDOG"),
                (10, "STATUS"),
                (12, "WATCHDOG"),
                (16, "WATCHDOG"),
                (20, "STATUS+WATCHDOG")
            ]
        );
    }

    #[test]
    fn what_is_not_alive_is_not_pinged_for() {
        let (mut telling, now) = telling(Some(SECOND));
        telling.told();
        assert!(telling.is_ping_due(now));
        assert_eq!(
            telling.message(now, false, "").as_deref(),
            Some("STATUS=starting, ")
        );
        assert!(!telling.is_ping_due(now));
        assert_eq!(telling.message(now + SECOND, false, ""), None);
    }

    #[test]
    fn the_watchdog_of_another_process_and_nonsense_are_left_alone() {
        let interval = |us: Option<&str>, pid: Option<String>| {
            let variables = Variables {
                socket: None,
                watchdog_us: us.map(str::to_owned),
                watchdog_pid: pid,
            };
            variables.ping_interval()
        };
        let ours = std::process::id();
        assert_eq!(interval(Some("30000000"), None), Some(10 * SECOND));
        assert_eq!(
            interval(Some("30000000"), Some(ours.to_string())),
            Some(10 * SECOND)
        );
        assert_eq!(
            interval(Some("30000000"), Some((ours + 1).to_string())),
            None
        );
        assert_eq!(interval(Some("1"), None), Some(PING_INTERVAL_MIN));
        for nonsense in [None, Some("0"), Some("-1"), Some("soon")] {
            assert_eq!(interval(nonsense, None), None, "{nonsense:?}");
        }
    }
}
