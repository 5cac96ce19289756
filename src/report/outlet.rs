//! Where the log leaves the program: a thread that owns standard error, so that whoever logs never waits for whoever reads.
//!
//! ```text
//!  any thread ── lines ──▶ (at most [`LINES_MAX`] wait) ──▶ log ──▶ standard error
//! ```
//!
//! A reader that is slow slows down who logs; one that has taken nothing for [`PATIENCE`] while all that may wait does so costs
//! nobody any more time: lines are lost until it reads again, and then it is told how many. Invariant: nothing that logs ever waits
//! longer than that, whatever standard error is; lines that are not lost leave in their order. That standard error is closed or its
//! disk full loses the line, and nothing else.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};

/// How many writes may wait.
pub const LINES_MAX: usize = 1024;
/// How long one that finds no room waits for some, unless another has waited in vain.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How long the end of the program waits for what is still on its way out.
pub const FLUSH_MAX: Duration = Duration::from_secs(1);

/// That of this process: standard error is one for all of its threads.
static OUTLET: OnceLock<Outlet> = OnceLock::new();

/// Starts the thread of this process. `lost` makes the line that tells how many were lost. Where the system allows no thread, lines
/// are written by who logs them.
pub(super) fn open(lost: impl Fn(u64) -> Vec<u8> + Send + 'static) {
    let outlet = Outlet::start(io::stderr(), lost);
    if let Ok(outlet) = outlet {
        // A second time changes nothing.
        let _ = OUTLET.set(outlet);
    }
}

/// Writes to standard error, or loses it.
pub(super) fn put(bytes: Vec<u8>) {
    match OUTLET.get() {
        Some(outlet) => outlet.put(bytes, PATIENCE),
        None => drop(io::stderr().write_all(&bytes)),
    }
}

/// The same for who cannot wait at all.
pub(super) fn put_at_once(bytes: Vec<u8>) {
    match OUTLET.get() {
        Some(outlet) => outlet.put(bytes, Duration::ZERO),
        None => drop(io::stderr().write_all(&bytes)),
    }
}

/// Waits until what was put has left, for [`FLUSH_MAX`] at most.
pub fn flush() {
    if let Some(outlet) = OUTLET.get() {
        outlet.flush(FLUSH_MAX);
    }
}

enum Leaving {
    Bytes(Vec<u8>),
    /// All that was put before has left.
    Mark(Sender<()>),
}

/// See the module.
#[derive(Debug)]
struct Outlet {
    leaving: Sender<Leaving>,
    shared: &'static Shared,
}

#[derive(Debug, Default)]
struct Shared {
    /// Somebody has waited in vain, and nothing has left since.
    is_stuck: AtomicBool,
    lost: AtomicU64,
}

impl Outlet {
    /// The thread ends with the process: whoever reads nothing cannot be waited for.
    fn start(
        to: impl Write + Send + 'static,
        lost: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let (leaving, left) = bounded(LINES_MAX);
        let shared: &'static Shared = Box::leak(Box::default());
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(to, &left, shared, lost))?;
        Ok(Self { leaving, shared })
    }

    fn put(&self, bytes: Vec<u8>, patience: Duration) {
        let patience = if self.shared.is_stuck.load(Relaxed) {
            Duration::ZERO
        } else {
            patience
        };
        let leaving = Leaving::Bytes(bytes);
        if let Err(SendTimeoutError::Timeout(_)) = self.leaving.send_timeout(leaving, patience) {
            self.shared.is_stuck.store(true, Relaxed);
            self.shared.lost.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let (mark, passed) = bounded(1);
        if self
            .leaving
            .send_deadline(Leaving::Mark(mark), deadline)
            .is_ok()
        {
            let _ = passed.recv_deadline(deadline);
        }
    }
}

fn write_all(
    mut to: impl Write,
    left: &Receiver<Leaving>,
    shared: &Shared,
    lost: impl Fn(u64) -> Vec<u8>,
) {
    for leaving in left {
        match leaving {
            Leaving::Bytes(bytes) => {
                // What cannot be written is lost.
                let _ = to.write_all(&bytes);
            }
            Leaving::Mark(mark) => {
                let _ = mark.try_send(());
            }
        }
        // What was lost came after all that waits: it is told once that has left.
        if left.is_empty() {
            shared.is_stuck.store(false, Relaxed);
            let count = shared.lost.swap(0, Relaxed);
            if count > 0 {
                let _ = to.write_all(&lost(count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const FAR: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(10);

    /// Takes nothing until it is let.
    struct Gate {
        open: Receiver<()>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Disconnected: it stands open.
            let _ = self.open.recv();
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (Outlet, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let (opener, open) = bounded(0);
        let taken = Arc::<Mutex<Vec<u8>>>::default();
        let gate = Gate {
            open,
            taken: Arc::clone(&taken),
        };
        let outlet = Outlet::start(gate, |count| format!("{count} lost\n").into_bytes());
        (outlet.unwrap(), opener, taken)
    }

    fn text(taken: &Mutex<Vec<u8>>) -> String {
        String::from_utf8(taken.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_leave_in_their_order_and_a_flush_waits_for_all_before_it() {
        let (outlet, opener, taken) = gated();
        drop(opener);
        for number in 0..10 {
            outlet.put(format!("{number}\n").into_bytes(), FAR);
        }
        outlet.flush(FAR);
        assert_eq!(text(&taken), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    }

    #[test]
    fn who_logs_waits_once_for_a_reader_that_reads_nothing_and_then_no_more() {
        let (outlet, opener, taken) = gated();
        // One is being written, and as many wait as may.
        for _ in 0..=LINES_MAX {
            outlet.put(b"kept\n".to_vec(), FAR);
        }
        outlet.put(b"lost\n".to_vec(), SHORT);
        // Had it to wait, this would be the end of the test.
        for _ in 0..99 {
            outlet.put(b"lost\n".to_vec(), FAR);
        }
        outlet.flush(SHORT);
        assert_eq!(text(&taken), "");

        drop(opener);
        outlet.flush(FAR);
        outlet.put(b"again\n".to_vec(), FAR);
        outlet.flush(FAR);
        let kept = "kept\n".repeat(LINES_MAX + 1);
        assert_eq!(text(&taken), format!("{kept}100 lost\nagain\n"));
    }

    #[test]
    fn what_takes_nothing_because_it_is_full_or_closed_loses_lines_and_holds_nobody_up() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let outlet = Outlet::start(Full, |_| Vec::new()).unwrap();
        for _ in 0..3 * LINES_MAX {
            outlet.put(b"x\n".to_vec(), FAR);
        }
        outlet.flush(FAR);
        assert!(!outlet.shared.is_stuck.load(Relaxed));
    }
}
