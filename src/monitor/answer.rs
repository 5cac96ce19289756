//! What a request is answered with.
//!
//! Invariant: every answer says its exact length, that nobody may keep it, and that the connection ends with it. A panic of what
//! is shown is answered too. No answer repeats anything of its request.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::page;
use super::request::{Method, Refused, Request};
use super::{Shown, Verdict};

/// Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// Status line, what kind of text it is, a header of its own, and the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    status: &'static str,
    content_type: &'static str,
    header: Option<(&'static str, &'static str)>,
    body: Cow<'static, str>,
}

impl Answer {
    fn good(content_type: &'static str, body: impl Into<Cow<'static, str>>) -> Answer {
        Answer {
            status: "200 OK",
            content_type,
            header: None,
            body: body.into(),
        }
    }

    fn bad(status: &'static str, body: &'static str) -> Answer {
        Answer {
            status,
            ..Answer::good(TEXT, body)
        }
    }

    /// As it goes over the wire. A client that asked with HEAD is told of the body, and does not get it (RFC 9110, section 9.3.2).
    pub(super) fn to_bytes(&self, with_body: bool) -> Vec<u8> {
        let mut text = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some((name, value)) = self.header {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        if with_body {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

/// To a request.
pub(super) fn to(request: &Request, shown: &dyn Shown) -> Answer {
    let show: fn(&dyn Shown) -> Answer = match request.path.as_str() {
        "/" => |_| Answer {
            header: Some(("Content-Security-Policy", page::POLICY)),
            ..Answer::good(HTML, page::HTML)
        },
        "/metrics" => |shown| Answer::good(METRICS, shown.metrics()),
        "/status" => |shown| Answer::good(JSON, shown.status()),
        "/healthz" => |shown| verdict(shown.health()),
        "/readyz" => |shown| verdict(shown.readiness()),
        _ => {
            return Answer::bad(
                "404 Not Found",
                "there are: / /metrics /status /healthz /readyz\n",
            );
        }
    };
    if request.method == Method::Other {
        return Answer {
            header: Some(("Allow", "GET, HEAD")),
            ..Answer::bad("405 Method Not Allowed", "only GET and HEAD\n")
        };
    }
    // What may be half done in there is the business of who shows it, as for every thread that asks it.
    catch_unwind(AssertUnwindSafe(|| show(shown))).unwrap_or_else(|_| {
        Answer::bad(
            "500 Internal Server Error",
            "a defect of this program; its log has more\n",
        )
    })
}

/// To what is no request; `None` where nobody is left.
pub(super) fn to_refused(refused: Refused) -> Option<Answer> {
    Some(match refused {
        Refused::Bad => Answer::bad("400 Bad Request", "this is no HTTP/1 request\n"),
        Refused::TooLarge => Answer::bad(
            "431 Request Header Fields Too Large",
            "the header block is too long\n",
        ),
        Refused::TooLate => Answer::bad("408 Request Timeout", "no request in time\n"),
        Refused::Gone => return None,
    })
}

fn verdict(verdict: Verdict) -> Answer {
    let status = if verdict.good {
        "200 OK"
    } else {
        "503 Service Unavailable"
    };
    Answer {
        status,
        ..Answer::good(TEXT, verdict.text + "\n")
    }
}
