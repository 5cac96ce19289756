//! The top error: what failed, where, and what to do, in one line.

use std::fmt;
use std::io;

pub use crate::exit::Exit;
use crate::kafka::client::FatalError;
use crate::kafka::config::HostPort;
use crate::oauth::TokenError;
use crate::registry::RegistryError;

/// Why a run could not begin, or could not go on. Its `Display` is the one line that the user gets.
#[derive(Debug)]
pub enum Error {
    /// There was no token for the brokers.
    Token(TokenError),
    /// The Schema Registry could not be used.
    Registry(RegistryError),
    /// The Kafka cluster could not be used.
    Kafka(FatalError),
    /// `METRICS_LISTEN` cannot be listened on.
    Listen {
        /// What it is.
        address: HostPort,
        /// The system's words.
        error: io::Error,
    },
    /// The operating system refused something.
    System {
        /// What was tried.
        doing: &'static str,
        /// Its words.
        error: io::Error,
    },
    /// A thread panicked: a defect of this program.
    Panicked {
        /// Which thread.
        thread: &'static str,
    },
}

impl Error {
    /// What kind of error it is, in a word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Registry(_) => "registry",
            Self::Kafka(_) => "kafka",
            Self::Listen { .. } => "listen",
            Self::System { .. } => "system",
            Self::Panicked { .. } => "defect",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Registry(error) => error.fmt(f),
            Self::Kafka(error) => write!(f, "Kafka: {error}"),
            Self::Listen { address, error } => write!(
                f,
                "METRICS_LISTEN: cannot listen on {address}: {error}; choose an address of this machine and a port that is free"
            ),
            Self::System { doing, error } => write!(f, "{doing} failed: {error}"),
            Self::Panicked { thread } => {
                write!(
                    f,
                    "the thread {thread} broke down; please report this as a defect"
                )
            }
        }
    }
}

impl std::error::Error for Error {}
