//! Files that settings name, read within a bound.
//!
//! Invariant: what is read is wiped when it is dropped, for it may be a secret; an error says nothing of it. Whether the content
//! makes sense is not decided here.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// Why there is no content. `Display` is a few words.
#[derive(Debug)]
pub enum ReadError {
    /// There is no such file.
    Missing,
    /// It has more bytes than this.
    TooLarge(u64),
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
            ReadError::Io(error) => write!(f, "the file cannot be read: {error}"),
        }
    }
}

/// The content of a file of at most so many bytes.
///
/// # Errors
/// It is missing, larger, or cannot be read.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let classify = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(error),
    };
    let file = File::open(path).map_err(classify)?;
    // Room for all of it, and to see its end: a content that had to move would leave a copy behind.
    let length = file.metadata().map_or(0, |about| about.len());
    let room = usize::try_from(length.min(bytes_max)).unwrap_or_default() + 64;
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(bytes_max + 1)
        .read_to_end(&mut content)
        .map_err(classify)?;
    match u64::try_from(content.len()) {
        Ok(bytes) if bytes <= bytes_max => Ok(content),
        _ => Err(ReadError::TooLarge(bytes_max)),
    }
}
