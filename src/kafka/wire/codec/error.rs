//! Why bytes could not be read, in one line: which response, which field, which byte, what is wrong with it.
//!
//! Never carries bytes of the peer's, so that it can be logged as it is.

use std::fmt;

/// What a peer's bytes did wrong, and where. One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    pub(super) message: Option<(&'static str, i16)>,
    pub(super) field: &'static str,
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

impl DecodeError {
    /// The class of the mistake.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Says in which response it was.
    #[must_use]
    pub fn in_response(mut self, api: &'static str, version: i16) -> Self {
        self.message = Some((api, version));
        self
    }
}

/// The ways in which bytes can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The bytes end inside the field.
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// A length below −1 (which alone means null).
    NegativeLength {
        /// As sent.
        length: i32,
    },
    /// More elements than bytes.
    TooManyElements {
        /// As sent.
        count: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// Elements that would take more memory than all of a message may.
    TooMuchMemory {
        /// What they may take.
        bytes_max: usize,
    },
    /// Null, where the protocol has no null.
    UnexpectedNull,
    /// A string that is not UTF-8.
    NotUtf8,
    /// A varint with more bits than its type.
    VarintTooLong,
    /// Tags of one structure repeat or descend.
    TagsOutOfOrder,
    /// The message is longer than what it says.
    LeftoverBytes {
        /// Bytes after the end.
        left: usize,
    },
    /// The answer is to another request.
    WrongCorrelationId {
        /// Of the request that is answered next.
        expected: i32,
        /// As sent.
        received: i32,
    },
    /// A value that this field cannot have here.
    Unsupported {
        /// As sent.
        value: i64,
    },
    /// Compressed data that does not decompress, in the codec's words.
    Compression(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((api, version)) = self.message {
            write!(f, "malformed {api} response (version {version}): ")?;
        }
        write!(
            f,
            "{} at byte {}: {}",
            self.field, self.offset, self.problem
        )
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Truncated { needed, left } => {
                write!(f, "needs {needed} bytes, {left} are left")
            }
            Problem::NegativeLength { length } => write!(f, "length {length} is negative"),
            Problem::TooManyElements { count, left } => {
                write!(f, "{count} elements cannot fit in the {left} bytes left")
            }
            Problem::TooMuchMemory { bytes_max } => {
                write!(f, "takes more than {bytes_max} bytes of memory")
            }
            Problem::UnexpectedNull => f.write_str("must not be null"),
            Problem::NotUtf8 => f.write_str("is not UTF-8"),
            Problem::VarintTooLong => f.write_str("variable-length integer has too many bits"),
            Problem::TagsOutOfOrder => f.write_str("tags do not ascend"),
            Problem::LeftoverBytes { left } => write!(f, "{left} bytes are left over"),
            Problem::WrongCorrelationId { expected, received } => {
                write!(f, "expected {expected}, received {received}")
            }
            Problem::Unsupported { value } => write!(f, "{value} is not supported"),
            Problem::Compression(words) => f.write_str(words),
        }
    }
}
