//! Who comes in: accepts connections, gives each a place and a thread, and clears the places of those who have left.
//!
//! Invariant: at most [`CONNECTIONS_MAX`] connections and threads; when it has ended, none. Never spins: it waits on `accept`
//! or on the channel. It reads and writes nothing. Where the process may open no more files, who has been there longest makes room,
//! too: a descriptor is kept spare, so that who comes is let in first, and nobody has to go before somebody has come.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::connection::{self, Visit};
use super::{CONNECTIONS_MAX, Patience, Shown};

/// How long a newcomer waits for a place before it is made for it: so at most a hundred are shut down in a second.
const EVICTION_PAUSE: Duration = Duration::from_millis(10);
/// How long nobody is let in after that has failed, as it does when the process has too many files open. Also how long somebody is
/// sure of the only descriptor that there is for visitors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The process, or the system, may have no more files open (Linux' EMFILE and ENFILE, and those of other systems).
const TOO_MANY_FILES: [i32; 2] = [24, 23];
/// Of a connection's thread. What is shown is made on it.
const STACK_BYTES: usize = 256 * 1024;
/// One from each connection, and the end.
pub(super) const EVENTS_MAX: usize = CONNECTIONS_MAX + 1;

/// What the door is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// The visitor of that number is done, its thread about to end.
    Left(u64),
    /// The server is to end.
    End,
}

/// The door has been told to end.
struct Ended;

pub(super) struct Door {
    listener: Arc<TcpListener>,
    /// Only its descriptor matters, which is given up for a visitor.
    spare: Option<TcpListener>,
    shown: Arc<dyn Shown>,
    patience: Patience,
    leaving: Sender<Event>,
    events: Receiver<Event>,
    places: [Option<Place>; CONNECTIONS_MAX],
    visitors: u64,
}

/// Of a connection that is being served.
struct Place {
    /// Counts up: who has the lowest has been there longest.
    visitor: u64,
    /// The thread's, and gone with it.
    stream: Weak<TcpStream>,
    thread: JoinHandle<()>,
    is_evicted: bool,
}

/// Tells the door that a visitor has left, however its thread ends.
struct Leave {
    visitor: u64,
    door: Sender<Event>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let _ = self.door.try_send(Event::Left(self.visitor));
    }
}

impl Door {
    pub(super) fn new(
        listener: Arc<TcpListener>,
        shown: Arc<dyn Shown>,
        patience: Patience,
        leaving: Sender<Event>,
        events: Receiver<Event>,
    ) -> Door {
        Door {
            spare: listener.try_clone().ok(),
            listener,
            shown,
            patience,
            leaving,
            events,
            places: [const { None }; CONNECTIONS_MAX],
            visitors: 0,
        }
    }

    /// Until the end is told.
    pub(super) fn run(mut self) {
        while let Ok((stream, place)) = self.next() {
            self.serve(stream, place);
        }
        for place in self.places.iter().flatten() {
            place.shut();
        }
        for place in self.places.iter_mut().filter_map(Option::take) {
            place.join();
        }
    }

    /// The next connection, and the index of the place for it.
    fn next(&mut self) -> Result<(TcpStream, usize), Ended> {
        loop {
            self.keep_spare()?;
            let accepted = self.accept();
            while self.hear(Duration::ZERO)? {}
            match accepted {
                Ok((stream, _)) => return Ok((stream, self.free_place()?)),
                Err(error) => {
                    log::debug!(event = "monitor"; "the monitor cannot accept a connection: {error}");
                    if !self.hear(ACCEPT_PAUSE)? && is_exhaustion(&error) {
                        self.evict();
                    }
                }
            }
        }
    }

    /// With the spare descriptor where there is no other.
    fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        match self.listener.accept() {
            Err(error) if is_exhaustion(&error) && self.spare.take().is_some() => {
                self.listener.accept()
            }
            accepted => accepted,
        }
    }

    /// A descriptor for who comes next. The last who is left is not shut down for that: nobody may come.
    fn keep_spare(&mut self) -> Result<(), Ended> {
        while self.spare.is_none() {
            self.spare = self.listener.try_clone().ok();
            let places = self.places.iter().flatten();
            let staying = places.filter(|place| !place.is_evicted).count();
            if self.spare.is_some() || staying <= 1 {
                break;
            }
            if !self.hear(EVICTION_PAUSE)? {
                self.evict();
            }
        }
        Ok(())
    }

    fn free_place(&mut self) -> Result<usize, Ended> {
        loop {
            if let Some(free) = self.places.iter().position(Option::is_none) {
                return Ok(free);
            }
            if !self.hear(EVICTION_PAUSE)? {
                self.evict();
            }
        }
    }

    /// Waits so long for an event, and says whether there was one.
    fn hear(&mut self, wait: Duration) -> Result<bool, Ended> {
        match self.events.recv_timeout(wait) {
            Ok(Event::Left(visitor)) => {
                self.clear(visitor);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => Err(Ended),
        }
    }

    fn clear(&mut self, visitor: u64) {
        for place in &mut self.places {
            if let Some(left) = place.take_if(|place| place.visitor == visitor) {
                left.join();
            }
        }
    }

    /// Shuts down who has been there longest. Its thread clears the place as soon as it notices.
    fn evict(&mut self) {
        let places = self.places.iter_mut().flatten();
        let longest = places
            .filter(|place| !place.is_evicted)
            .min_by_key(|place| place.visitor);
        if let Some(place) = longest {
            place.is_evicted = true;
            place.shut();
        }
    }

    /// A connection for which there is no thread is dropped.
    fn serve(&mut self, stream: TcpStream, place: usize) {
        let accepted = Instant::now();
        let stream = Arc::new(stream);
        let shared = Arc::downgrade(&stream);
        let visitor = self.visitors;
        self.visitors += 1;
        let (shown, patience, door) =
            (Arc::clone(&self.shown), self.patience, self.leaving.clone());
        let spawned = Builder::new()
            .name(format!("monitor-{place}"))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _leave = Leave { visitor, door };
                connection::serve(&Visit {
                    stream: &stream,
                    shown: &*shown,
                    request_until: accepted + patience.request,
                    answer_until: accepted + patience.answer,
                    linger: patience.linger,
                });
            });
        match (spawned, self.places.get_mut(place)) {
            (Ok(thread), Some(place)) => {
                *place = Some(Place {
                    visitor,
                    stream: shared,
                    thread,
                    is_evicted: false,
                });
            }
            (Err(error), _) => {
                log::debug!(event = "monitor"; "the monitor gets no thread: {error}");
            }
            (Ok(_), None) => debug_assert!(false, "no such place: {place}"),
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

impl Place {
    /// Wakes its thread, whatever that waits for on the connection.
    fn shut(&self) {
        if let Some(stream) = self.stream.upgrade() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn join(self) {
        if self.thread.join().is_err() {
            log::debug!(event = "monitor"; "a thread of the monitor had panicked");
        }
    }
}
