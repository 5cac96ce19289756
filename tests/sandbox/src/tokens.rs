//! Bearer tokens that a cluster or a registry lets in, shared with whoever issues them.
//!
//! A copy of [`Tokens`] is the same list: what one server issues, another knows at once. A token that is not in the list,
//! or whose time is over, opens nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::net::lock;

/// The list of tokens.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Arc<Mutex<Vec<Token>>>);

/// A token that was let in: who it is for, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    text: String,
    pub(crate) subject: String,
    pub(crate) expires: Instant,
}

impl Tokens {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token for a subject, the principal that a broker takes its owner for.
    pub fn add(&self, token: &str, subject: &str, lifetime: Duration) {
        lock(&self.0).push(Token {
            text: token.to_owned(),
            subject: subject.to_owned(),
            expires: Instant::now() + lifetime,
        });
    }

    /// Makes every token worthless that was added so far.
    pub fn revoke_all(&self) {
        lock(&self.0).clear();
    }

    /// The tokens themselves, those included whose time is over: for whoever looks for them where they must not be.
    pub fn texts(&self) -> Vec<String> {
        let tokens = lock(&self.0);
        tokens.iter().map(|token| token.text.clone()).collect()
    }

    pub(crate) fn find(&self, text: &str) -> Option<Token> {
        let now = Instant::now();
        let tokens = lock(&self.0);
        let mut valid = tokens.iter().filter(|token| token.expires > now);
        valid.find(|token| token.text == text).cloned()
    }
}
