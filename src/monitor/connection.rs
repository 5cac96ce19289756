//! One connection from its request to its end, on a thread of its own.
//!
//! Invariant: one request, at most one answer, and it ends by its deadlines whatever the client does.

use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::request::{self, Method};
use super::{Shown, answer, timed};

/// At most so much is read of what a client sends beyond its request.
const LEFTOVER_BYTES_MAX: usize = 64 * 1024;

/// What there is to know about a connection.
pub(super) struct Visit<'a> {
    pub(super) stream: &'a TcpStream,
    pub(super) shown: &'a dyn Shown,
    pub(super) request_until: Instant,
    pub(super) answer_until: Instant,
    pub(super) linger: Duration,
}

/// Answers whatever comes.
pub(super) fn serve(visit: &Visit<'_>) {
    let request = request::read(visit.stream, visit.request_until);
    let (answer, with_body) = match &request {
        Ok(request) => (
            Some(answer::to(request, visit.shown)),
            request.method != Method::Head,
        ),
        Err(refused) => (answer::to_refused(*refused), true),
    };
    let Some(answer) = answer else { return };
    let bytes = answer.to_bytes(with_body);
    if let Err(error) = timed::write_all(visit.stream, &bytes, visit.answer_until) {
        log::debug!(event = "monitor"; "a client of the monitor did not take its answer: {error}");
        return;
    }
    let _ = visit.stream.shutdown(Shutdown::Write);
    hear_out(visit.stream, Instant::now() + visit.linger);
}

/// Until the client hangs up. A socket that is closed with bytes unread resets the connection, and a client may lose the answer by
/// that (RFC 9112, section 9.6).
fn hear_out(stream: &TcpStream, until: Instant) {
    let mut leftover = [0; 4096];
    let mut room = LEFTOVER_BYTES_MAX;
    while room > 0 {
        match timed::read(stream, &mut leftover, until) {
            Ok(0) | Err(_) => return,
            Ok(read) => room = room.saturating_sub(read),
        }
    }
}
