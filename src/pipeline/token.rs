//! The thread `token`: sees to it that brokers always get a token that is valid.
//!
//! It asks for the first one, and for a new one when [`REFRESH_AT`] of the last one's life is over, and hands it to the producer thread. Trouble is
//! reported and tried again with growing pauses, whatever it is, for as long as the run lasts: what brokers think of an old token
//! is theirs to say. It ends when it is told to, even during a request, or when nobody takes tokens any more. It never sleeps.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use log::Level;

use super::asking::Asking;
use super::threads::Watched;
use crate::error::Error;
use crate::http::is_stopped;
use crate::oauth::{TokenClient, TokenError};
use crate::report::repeat::ErrorSummary;
use crate::secret::Secret;

/// How much of a token's life is over when it is renewed (`sasl.login.refresh.window.factor`).
pub(super) const REFRESH_AT: f64 = 0.8;
/// The least time between two tokens, however short they live.
pub(super) const REFRESH_AFTER_MIN: Duration = Duration::from_secs(1);
/// How errors of this thread are summed up.
const TROUBLE: &str = "token";

/// What the thread gives.
#[derive(Debug)]
pub(super) struct Tokens {
    /// The first token, or why there is none; once.
    pub(super) first: Receiver<Result<Secret, TokenError>>,
    /// Every token, the first one too.
    pub(super) all: Receiver<Secret>,
}

/// A running thread.
#[derive(Debug)]
pub(super) struct TokenThread {
    end: Sender<Infallible>,
    asking: Asking,
}

impl TokenThread {
    /// Starts the thread, which asks for the first token at once.
    ///
    /// # Errors
    /// The system allows no thread.
    pub(super) fn start(
        mut client: TokenClient,
        errors: Arc<ErrorSummary>,
        watched: Watched,
    ) -> Result<(Self, Tokens), Error> {
        let (first_in, first) = bounded(1);
        let (all_in, all) = bounded(1);
        let (end, ended) = bounded(0);
        let canceller = client.canceller();
        let asking = Asking::begin("token", canceller, watched, move || {
            match client.fetch_at_start(&ended) {
                Ok(token) => {
                    let wait = renewal_after(token.expires_in);
                    tell_token("First", token.expires_in);
                    // There is room in both, and nobody may be waiting any more.
                    let _ = all_in.try_send(token.value.clone());
                    let _ = first_in.try_send(Ok(token.value));
                    renew(&client, wait, &all_in, &ended, &errors);
                }
                Err(error) => {
                    let _ = first_in.try_send(Err(error));
                }
            }
        })?;
        Ok((Self { end, asking }, Tokens { first, all }))
    }

    /// Ends the thread.
    ///
    /// # Errors
    /// The thread panicked.
    pub(super) fn join(self) -> Result<(), Error> {
        drop(self.end);
        self.asking.join()
    }
}

fn renew(
    client: &TokenClient,
    mut wait: Duration,
    tokens: &Sender<Secret>,
    ended: &Receiver<Infallible>,
    errors: &ErrorSummary,
) {
    let mut rng = fastrand::Rng::new();
    let mut backoff = client.backoff();
    while !is_stopped(ended, wait) {
        match client.fetch() {
            Ok(token) => {
                tell_token("New", token.expires_in);
                wait = renewal_after(token.expires_in);
                backoff = client.backoff();
                select! {
                    send(tokens, token.value) -> sent => if sent.is_err() {
                        return;
                    },
                    recv(ended) -> _ => return,
                }
            }
            Err(_) if is_stopped(ended, Duration::ZERO) => return,
            Err(error) => {
                errors.report(Level::Warn, TROUBLE, &format!("no new token: {error}"));
                wait = backoff.pause(&mut rng);
            }
        }
    }
}

fn tell_token(which: &str, lifetime: Duration) {
    let seconds = lifetime.as_secs();
    log::debug!(event = "token", lifetime_seconds = seconds; "🔑 {which} token for {lifetime:.0?}");
}

/// How long after it was given a token is renewed.
fn renewal_after(lifetime: Duration) -> Duration {
    lifetime.mul_f64(REFRESH_AT).max(REFRESH_AFTER_MIN)
}

#[cfg(test)]
mod tests {
    use crate::pipeline::shutdown::Stop;
    use crate::pipeline::threads::Threads;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::http::Timing;
    use crate::oauth::TokenConfig;

    const DEADLINE: Duration = Duration::from_secs(60);

    /// A client of an endpoint that gives these answers, and then is gone.
    fn client_of(script: Vec<String>) -> TokenClient {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client_at(&listener);
        thread::spawn(move || {
            for answer in script {
                let mut reader = BufReader::new(listener.accept().unwrap().0);
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                }
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        client
    }

    fn watched() -> Watched {
        Threads::default().watched("token", &Stop::new())
    }

    fn client_at(listener: &TcpListener) -> TokenClient {
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let config = TokenConfig {
            url,
            client_id: "me".to_owned(),
            client_secret: Secret::new("s3cret".to_owned()),
            scope: None,
            tls: None,
        };
        let timing = Timing {
            backoff_min: Duration::from_micros(10),
            backoff_max: Duration::from_micros(100),
            ..Timing::default()
        };
        TokenClient::new(config, timing, fastrand::Rng::with_seed(1))
    }

    fn answer(status: u16, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status} Words\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }

    #[test]
    fn a_token_is_renewed_before_it_expires_through_any_trouble() {
        assert_eq!(
            renewal_after(Duration::from_secs(3600)),
            Duration::from_secs(2880)
        );
        assert_eq!(renewal_after(Duration::ZERO), REFRESH_AFTER_MIN);
        let client = client_of(vec![
            answer(503, ""),
            answer(200, r#"{"access_token":"first","expires_in":1}"#),
            answer(503, ""),
            answer(401, ""),
            String::new(),
            answer(200, r#"{"access_token":"second","expires_in":3600}"#),
        ]);
        let errors = Arc::new(ErrorSummary::new());
        let (thread, tokens) = TokenThread::start(client, errors, watched()).unwrap();
        let first = tokens.first.recv_timeout(DEADLINE).unwrap();
        assert_eq!(first.unwrap().expose(), "first");
        for value in ["first", "second"] {
            assert_eq!(tokens.all.recv_timeout(DEADLINE).unwrap().expose(), value);
        }
        thread.join().unwrap();
        assert!(tokens.all.recv_timeout(DEADLINE).is_err(), "disconnected");
    }

    #[test]
    fn the_thread_ends_when_told_to_however_long_a_token_lives() {
        let errors = Arc::new(ErrorSummary::new());
        let client = client_of(vec![answer(
            200,
            r#"{"access_token":"first","expires_in":1000000}"#,
        )]);
        let (thread, tokens) = TokenThread::start(client, errors, watched()).unwrap();
        assert!(tokens.first.recv_timeout(DEADLINE).unwrap().is_ok());
        thread.join().unwrap();
    }

    #[test]
    fn the_thread_ends_when_told_to_though_there_is_no_first_token_yet() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client_at(&listener);
        let errors = Arc::new(ErrorSummary::new());
        let (thread, tokens) = TokenThread::start(client, errors, watched()).unwrap();
        let (_never_answered, _) = listener.accept().unwrap();
        thread.join().unwrap();
        assert!(tokens.first.recv_timeout(DEADLINE).unwrap().is_err());
    }
}
