//! A socket whose reads and writes all end at a deadline, however little each of them brings.
//!
//! Invariant: what is left is computed anew before each call of the system, so that timeouts do not add up.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

/// At most so much is given to the system at a time: some count their timeout from the last progress.
const WRITE_BYTES_MAX: usize = 16 * 1024;

/// Waits for some bytes; 0 is the end of the stream.
///
/// # Errors
/// [`ErrorKind::TimedOut`] at the deadline, else whatever is wrong with the connection.
pub(super) fn read(mut stream: &TcpStream, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(buffer) {
            Err(error) if may_go_on(&error) => {}
            done => return done,
        }
    }
}

/// Writes all of it.
///
/// # Errors
/// As [`read`].
pub(super) fn write_all(
    mut stream: &TcpStream,
    mut bytes: &[u8],
    until: Instant,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        let part = bytes.get(..WRITE_BYTES_MAX).unwrap_or(bytes);
        match stream.write(part) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if may_go_on(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A timeout may be early; the deadline decides.
fn may_go_on(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
    )
}
