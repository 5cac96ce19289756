//! Listening on loopback: a port that can be closed and opened again, and the connections that came in by it.
//!
//! Every connection is served by a thread of its own with blocking reads. Closing is complete when it returns: no
//! connection is accepted afterwards, and [`Acceptor::drop_connections`] shuts every accepted one down. The port stays
//! reserved while nothing listens on it (bound, not listening, on Linux), so that a restart finds it free and clients
//! are refused meanwhile. Never listens on anything but 127.0.0.1.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections the kernel may keep waiting for `accept`.
const BACKLOG: i32 = 1024;
/// How many ports are tried where any free one will do.
const FREE_PORT_TRIES_MAX: usize = 8;
/// How long the call may take that wakes a blocked `accept`.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

type Handler = dyn Fn(TcpStream) + Send + Sync;

/// One port on loopback with the threads that serve it.
pub(crate) struct Acceptor {
    name: String,
    port: Port,
    handler: Arc<Handler>,
    connections: Arc<Connections>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Connections {
    next: AtomicU64,
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Acceptor {
    /// Serves a port that is already reserved. Nothing is accepted before [`Acceptor::open`].
    pub(crate) fn new(
        name: String,
        port: Port,
        handler: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            port,
            handler: Arc::new(handler),
            connections: Arc::default(),
            running: Mutex::new(None),
        }
    }

    /// Listens and accepts; does nothing if it already does.
    pub(crate) fn open(&self) -> io::Result<()> {
        let mut running = lock(&self.running);
        if running.is_some() {
            return Ok(());
        }
        let listener = self.port.listen()?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (stop, handler, connections) = (
                Arc::clone(&stop),
                Arc::clone(&self.handler),
                Arc::clone(&self.connections),
            );
            let name = self.name.clone();
            thread::Builder::new()
                .name(format!("{name}-accept"))
                .spawn(move || accept(&listener, &stop, &name, &handler, &connections))?
        };
        *running = Some(Running { stop, thread });
        Ok(())
    }

    /// Stops listening; accepted connections live on.
    pub(crate) fn close(&self) {
        let Some(Running { stop, thread }) = lock(&self.running).take() else {
            return;
        };
        stop.store(true, Ordering::SeqCst);
        // A blocked accept has no other portable way to be woken than a connection.
        let _woken = TcpStream::connect_timeout(&self.port.address, WAKE_TIMEOUT);
        let _ended = thread.join();
    }

    /// Shuts every accepted connection down, in both directions.
    pub(crate) fn drop_connections(&self) {
        for stream in lock(&self.connections.open).values() {
            let _already_gone = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.close();
        self.drop_connections();
    }
}

fn accept(
    listener: &TcpListener,
    stop: &AtomicBool,
    name: &str,
    handler: &Arc<Handler>,
    connections: &Arc<Connections>,
) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(handle) = stream.try_clone() else {
            continue;
        };
        let id = connections.next.fetch_add(1, Ordering::Relaxed);
        lock(&connections.open).insert(id, handle);
        let (handler, served) = (Arc::clone(handler), Arc::clone(connections));
        let spawned = thread::Builder::new()
            .name(format!("{name}-{id}"))
            .spawn(move || {
                handler(stream);
                lock(&served.open).remove(&id);
            });
        if spawned.is_err() {
            lock(&connections.open).remove(&id);
        }
    }
}

/// A port of 127.0.0.1 that is ours until this is dropped.
pub(crate) struct Port {
    address: SocketAddr,
    #[cfg(target_os = "linux")]
    _reserved: Socket,
    /// Has listened since the port was reserved, until the first [`Port::listen`] takes it.
    first: Mutex<Option<TcpListener>>,
}

impl Port {
    /// Reserves `port`, or any free one for 0. A free port is one only once we listen: until then a socket of another
    /// program may still take it, so another one is chosen, a few times at most.
    pub(crate) fn reserve(port: u16) -> io::Result<Self> {
        let mut reserved = Self::reserve_once(port);
        for _ in 1..FREE_PORT_TRIES_MAX {
            match &reserved {
                Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                _ => break,
            }
            reserved = Self::reserve_once(port);
        }
        reserved
    }

    fn reserve_once(port: u16) -> io::Result<Self> {
        let socket = bind(port)?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the bound socket has no internet address"))?;
        // Elsewhere than on Linux a bound socket would keep the listener from binding.
        #[cfg(not(target_os = "linux"))]
        drop(socket);
        let port = Self {
            address,
            #[cfg(target_os = "linux")]
            _reserved: socket,
            first: Mutex::new(None),
        };
        let listener = port.listen()?;
        *lock(&port.first) = Some(listener);
        Ok(port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn listen(&self) -> io::Result<TcpListener> {
        if let Some(first) = lock(&self.first).take() {
            return Ok(first);
        }
        let socket = bind(self.address.port())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }
}

fn bind(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

/// Takes a lock; a panic elsewhere leaves nothing half done that a test could trip over.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on `changed` until `condition` holds or `timeout` has passed; returns whether it holds.
pub(crate) fn wait_until<'a, T>(
    mut guard: MutexGuard<'a, T>,
    changed: &Condvar,
    timeout: Duration,
    mut condition: impl FnMut(&mut T) -> bool,
) -> (MutexGuard<'a, T>, bool) {
    let deadline = Instant::now() + timeout;
    loop {
        if condition(&mut guard) {
            return (guard, true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (guard, false);
        }
        guard = changed
            .wait_timeout(guard, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}
