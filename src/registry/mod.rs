//! The Schema Registry, and the prefix that ties a message to a schema there.
//!
//! One registry is several URLs that are tried in turn. The client is blocking and knows nothing of shoes: it is given
//! a schema's text and hands back its id. It never prints a credential, and never sends one to a host that was not
//! configured.

pub mod client;
pub mod config;
pub mod error;
pub mod frame;
pub mod standing;

pub use client::RegistryClient;
pub use config::{Bearer, Credentials, RegistryConfig};
pub use error::{Problem, RegistryError, Sent};
pub use standing::SchemaStanding;
