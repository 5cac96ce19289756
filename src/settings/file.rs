//! Files that settings name, read within a bound, of bytes and, where they are pipes, of time.
//!
//! Invariant: what is read is wiped when it is dropped, for it may be a secret, and was never moved; an error says nothing of it.
//! A pipe that is not written to ends the wait, not the thread that waits: the program is about to end then. Whether the content
//! makes sense is not decided here.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use zeroize::Zeroizing;

/// How long a pipe (FIFO) is waited for until somebody writes to it.
pub const FIFO_TIMEOUT: Duration = Duration::from_secs(5);
/// How long whoever writes to a pipe may take: it may be a program that asks for a pass phrase.
pub const FIFO_CONTENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no content. `Display` is a few words.
#[derive(Debug)]
pub enum ReadError {
    /// There is no such file.
    Missing,
    /// It has more bytes than this.
    TooLarge(u64),
    /// It is a pipe that nobody writes to within this time.
    NoWriter(Duration),
    /// It is a pipe that is written to, but not to its end within this time.
    NoEnd(Duration),
    /// The system's words.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Missing => f.write_str("no such file"),
            ReadError::TooLarge(bytes_max) => {
                write!(f, "the file is larger than {bytes_max} bytes")
            }
            ReadError::NoWriter(waited) => {
                write!(
                    f,
                    "is a pipe that nobody writes to within {} s",
                    waited.as_secs()
                )
            }
            ReadError::NoEnd(waited) => {
                write!(
                    f,
                    "is a pipe whose writer does not come to an end within {} s",
                    waited.as_secs()
                )
            }
            ReadError::Io(error) => write!(f, "the file cannot be read: {error}"),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => ReadError::Missing,
            _ => ReadError::Io(error),
        }
    }
}

type Content = Zeroizing<Vec<u8>>;

/// The content of a file of at most so many bytes.
///
/// # Errors
/// It is missing, larger, a pipe that nothing comes out of, or cannot be read.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Content, ReadError> {
    if fs::metadata(path)?.file_type().is_fifo() {
        return read_pipe(path, bytes_max, FIFO_TIMEOUT, FIFO_CONTENT_TIMEOUT);
    }
    read(File::open(path)?, bytes_max)
}

/// Opening a pipe waits until somebody writes to it, and reading it until nobody does any more.
fn read_pipe(
    path: &Path,
    bytes_max: u64,
    writer_timeout: Duration,
    content_timeout: Duration,
) -> Result<Content, ReadError> {
    let (opened, when_opened) = bounded(1);
    let (content, when_read) = bounded(1);
    let path = path.to_owned();
    let work = move || {
        let file = File::open(path).map_err(ReadError::from);
        let file = file.inspect(|_| tell(&opened, ()));
        // Nobody waits any more: the content is wiped here.
        tell(&content, file.and_then(|file| read(file, bytes_max)));
    };
    let thread = thread::Builder::new().name("pipe-reader".to_owned());
    // Left alone where nothing comes: no other way leads out of opening a pipe.
    drop(thread.spawn(work)?);
    // Disconnected: it could not be opened, and why is the content's error.
    if when_opened.recv_timeout(writer_timeout) == Err(RecvTimeoutError::Timeout) {
        return Err(ReadError::NoWriter(writer_timeout));
    }
    received(&when_read, content_timeout)
}

fn tell<T>(sender: &Sender<T>, value: T) {
    drop(sender.send(value));
}

fn received(
    when_read: &Receiver<Result<Content, ReadError>>,
    timeout: Duration,
) -> Result<Content, ReadError> {
    let outcome = when_read.recv_timeout(timeout);
    outcome.unwrap_or(Err(ReadError::NoEnd(timeout)))
}

fn read(file: File, bytes_max: u64) -> Result<Content, ReadError> {
    // Room for all of it, and to see its end: a content that had to move would leave a copy behind. Only files have a length in
    // advance, and not those of /proc.
    let length = match file.metadata() {
        Ok(about) if about.is_file() && about.len() > 0 => about.len().min(bytes_max),
        _ => bytes_max,
    };
    let room = usize::try_from(length).unwrap_or_default() + 64;
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(bytes_max + 1).read_to_end(&mut content)?;
    match u64::try_from(content.len()) {
        Ok(bytes) if bytes <= bytes_max => Ok(content),
        _ => Err(ReadError::TooLarge(bytes_max)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    struct Fifo(PathBuf);

    impl Fifo {
        fn new(name: &str) -> Self {
            let name = format!("fifo-test-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            assert!(
                Command::new("mkfifo")
                    .arg(&path)
                    .status()
                    .unwrap()
                    .success()
            );
            Self(path)
        }
    }

    impl Drop for Fifo {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_not_waited_for_for_ever() {
        let fifo = Fifo::new("silent");
        let error = read_pipe(&fifo.0, 10, SHORT, LONG).unwrap_err();
        assert!(matches!(error, ReadError::NoWriter(SHORT)), "{error:?}");
        assert_eq!(
            ReadError::NoWriter(FIFO_TIMEOUT).to_string(),
            "is a pipe that nobody writes to within 5 s"
        );
    }

    #[test]
    fn a_pipe_that_is_written_to_is_read_within_the_bound_and_never_moved() {
        for (name, bytes, fits) in [
            ("some", 3, true),
            ("all", 100_000, true),
            ("more", 100_001, false),
        ] {
            let fifo = Fifo::new(name);
            let path = fifo.0.clone();
            let writer = thread::spawn(move || fs::write(path, vec![b'x'; bytes]));
            match read_pipe(&fifo.0, 100_000, LONG, LONG) {
                Ok(content) => {
                    assert!(fits && content.len() == bytes);
                    assert!((100_000..101_000).contains(&content.capacity()));
                }
                Err(error) => assert!(!fits && matches!(error, ReadError::TooLarge(100_000))),
            }
            drop(writer.join().unwrap());
        }
    }

    #[test]
    fn a_pipe_whose_writer_falls_silent_is_not_waited_for_for_ever() {
        let fifo = Fifo::new("open");
        // Open for reading too, so that opening it waits for nobody.
        let both = fs::OpenOptions::new().read(true).write(true).open(&fifo.0);
        let error = read_pipe(&fifo.0, 10, LONG, SHORT).unwrap_err();
        assert!(matches!(error, ReadError::NoEnd(SHORT)), "{error:?}");
        drop(both);
    }
}
