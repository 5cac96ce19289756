//! URLs: those of the Schema Registry (`http://host:8081`, several separated by commas, with or without `user:password@`), and
//! that of a token endpoint.
//!
//! Invariant: an accepted URL has no credentials in it any more (they are moved out, percent-decoded) and no fragment; that of a
//! registry no trailing slash and no query either. So it can be printed. [`without_secrets`] makes even a refused text printable.
//! Nothing here connects.

use super::host_port::{is_loopback, parse_host, parse_port, split_port};
use super::problem::Problem;
use crate::oauth::config::without_query;
use crate::registry::config::Credentials;
use crate::secret::{HIDDEN, Secret};

/// Most registry URLs that are accepted.
pub const URLS_MAX: usize = 16;

/// Longest URL of a token endpoint.
pub const ENDPOINT_BYTES_MAX: usize = 2048;

/// Base URLs, and the credentials that stood in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryUrls {
    /// Without credentials and trailing slashes; never empty.
    pub bases: Vec<String>,
    /// What stood before an `@`: the same wherever it stood.
    pub credentials: Option<Credentials>,
    /// Whether one of them is `https`.
    pub needs_tls: bool,
    /// Whether one of them is `http` to another machine, so that others may read along.
    pub is_exposed: bool,
}

/// The URL of a token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As it was given, without credentials.
    pub url: String,
    /// Whether it is `https`.
    pub needs_tls: bool,
    /// Whether it is `http` to another machine.
    pub is_exposed: bool,
}

/// Parses a comma-separated list of URLs.
///
/// # Errors
/// A place is no URL, none is left, more than [`URLS_MAX`], or two places carry different credentials.
pub fn parse_urls(text: &str) -> Result<RegistryUrls, Problem> {
    let mut urls = RegistryUrls {
        bases: Vec::new(),
        credentials: None,
        needs_tls: false,
        is_exposed: false,
    };
    for place in text
        .split(',')
        .map(str::trim)
        .filter(|place| !place.is_empty())
    {
        let url = parse_url(place)?;
        if url.credentials.is_some() {
            if urls.credentials.is_some() && urls.credentials != url.credentials {
                return Err(Problem::new("two URLs carry different credentials"));
            }
            urls.credentials = url.credentials;
        }
        urls.needs_tls |= url.needs_tls;
        urls.is_exposed |= url.is_exposed;
        urls.bases.push(url.base);
    }
    if urls.bases.is_empty() {
        return Err(Problem::new("names no URL"));
    }
    if urls.bases.len() > URLS_MAX {
        return Err(Problem::new(format!("more than {URLS_MAX} URLs")));
    }
    Ok(urls)
}

/// Parses the URL of a token endpoint, which may have a query (RFC 6749, section 3.2).
///
/// # Errors
/// It is no such URL, holds credentials or a fragment, or is too long.
pub fn parse_endpoint(text: &str) -> Result<Endpoint, Problem> {
    if text.len() > ENDPOINT_BYTES_MAX {
        return Err(Problem::new(format!(
            "longer than {ENDPOINT_BYTES_MAX} bytes"
        )));
    }
    let (scheme, rest) = split_scheme(text)?;
    if rest.contains('#') {
        return Err(Problem::new("has a fragment"));
    }
    if !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::new("has characters that a URL cannot have"));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Problem::new(
            "holds credentials, which belong in KAFKA_API_KEY and KAFKA_API_SECRET",
        ));
    }
    let host = parse_authority(authority)?.0;
    Ok(Endpoint {
        url: format!("{}://{rest}", scheme.name()),
        needs_tls: scheme == Scheme::Https,
        is_exposed: scheme == Scheme::Http && !is_loopback(host),
    })
}

struct Url {
    base: String,
    credentials: Option<Credentials>,
    needs_tls: bool,
    is_exposed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

fn parse_url(text: &str) -> Result<Url, Problem> {
    let (scheme, rest) = split_scheme(text)?;
    if rest.contains(['?', '#']) {
        return Err(Problem::new("has a query or a fragment"));
    }
    if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Problem::new("has white space"));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user_info, address) = match authority.rsplit_once('@') {
        Some((user_info, address)) => (Some(user_info), address),
        None => (None, authority),
    };
    let (host, port) = parse_authority(address)?;
    let path = path.trim_matches('/');
    let mut base = format!("{}://{}", scheme.name(), host.to_ascii_lowercase());
    if let Some(port) = port {
        base += &format!(":{port}");
    }
    if !path.is_empty() {
        base += &format!("/{path}");
    }
    Ok(Url {
        base,
        credentials: user_info.map(parse_user_info).transpose()?,
        needs_tls: scheme == Scheme::Https,
        is_exposed: scheme == Scheme::Http && !is_loopback(host),
    })
}

/// The scheme and what follows it.
fn split_scheme(text: &str) -> Result<(Scheme, &str), Problem> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let problem = Problem::new("no scheme");
        // A suggestion is printed.
        return Err(if without_secrets(text) == text {
            problem.suggest(format!("http://{text}"))
        } else {
            problem
        });
    };
    let schemes = [Scheme::Http, Scheme::Https];
    match schemes
        .iter()
        .find(|known| known.name().eq_ignore_ascii_case(scheme))
    {
        Some(known) => Ok((*known, rest)),
        None => Err(Problem::new("the scheme is neither http nor https")),
    }
}

/// The host (IPv6 still in brackets), and the port if there is one.
fn parse_authority(address: &str) -> Result<(&str, Option<u16>), Problem> {
    let (host, port) = split_port(address).map_err(|problem| Problem::new(problem.what))?;
    parse_host(host)?;
    Ok((host, port.map(parse_port).transpose()?))
}

fn parse_user_info(text: &str) -> Result<Credentials, Problem> {
    let (user, password) = text
        .split_once(':')
        .ok_or_else(|| Problem::new("before the @ belongs user:password"))?;
    if user.is_empty() || password.is_empty() {
        return Err(Problem::new("before the @ belongs user:password"));
    }
    Ok(Credentials {
        user: percent_decoded(user)?,
        password: Secret::new(percent_decoded(password)?),
    })
}

/// RFC 3986, section 2.1.
fn percent_decoded(text: &str) -> Result<String, Problem> {
    let wrong = || Problem::new("the credentials are not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
        bytes.push(
            value
                .and_then(|value| u8::try_from(value).ok())
                .ok_or_else(wrong)?,
        );
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// `text` with everything that might be a user, a password or a key in a query hidden, however malformed it is.
pub fn without_credentials(text: &str) -> String {
    let text = without_query(text);
    let Some((before, after)) = text.rsplit_once('@') else {
        return text;
    };
    match before.split_once("://") {
        Some((scheme, _))
            if scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_') =>
        {
            format!("{scheme}://{HIDDEN}@{after}")
        }
        _ => format!("{HIDDEN}@{after}"),
    }
}

/// `text`, which should have been a URL, likewise; and without its fragment, which may be a key, too.
pub fn without_secrets(text: &str) -> String {
    let text = without_credentials(text);
    match text.split_once('#') {
        Some((before, _)) => format!("{before}#{HIDDEN}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(text: &str) -> Vec<String> {
        parse_urls(text).unwrap().bases
    }

    #[test]
    fn urls_lose_their_trailing_slash() {
        assert_eq!(bases("http://localhost:8081/"), ["http://localhost:8081"]);
        assert_eq!(
            bases("HTTP://A:1, http://b/apis/ccompat/v7/"),
            ["http://a:1", "http://b/apis/ccompat/v7"]
        );
        assert_eq!(bases("http://[::1]:8081"), ["http://[::1]:8081"]);
    }

    #[test]
    fn credentials_are_moved_out_of_the_url() {
        let urls = parse_urls("http://key:s%40c%2Fr%3aet@a:8081,http://b:8081").unwrap();
        assert_eq!(urls.bases, ["http://a:8081", "http://b:8081"]);
        let credentials = urls.credentials.clone().unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.expose()),
            ("key", "s@c/r:et")
        );
        assert!(!format!("{urls:?}").contains("s@c"));
    }

    #[test]
    fn urls_with_different_credentials_are_refused() {
        assert!(parse_urls("http://a:b@h,http://a:b@i").is_ok());
        assert!(parse_urls("http://a:b@h,http://a:c@i").is_err());
    }

    #[test]
    fn https_is_seen() {
        assert!(parse_urls("http://a,https://b").unwrap().needs_tls);
        assert!(!parse_urls("http://a").unwrap().needs_tls);
    }

    #[test]
    fn a_url_that_others_may_read_along_is_seen() {
        for (text, is_exposed) in [
            ("http://a", true),
            ("http://localhost:1,http://[::1]", false),
            ("https://a", false),
            ("https://a,http://b", true),
        ] {
            assert_eq!(parse_urls(text).unwrap().is_exposed, is_exposed, "{text}");
        }
    }

    #[test]
    fn a_token_endpoint_may_have_a_query_but_no_credentials() {
        for (text, needs_tls, is_exposed) in [
            ("https://idp.example/oauth2/v1/token", true, false),
            (
                "http://169.254.169.254/token?api-version=1&x=a@b",
                false,
                true,
            ),
            ("http://localhost:8080", false, false),
        ] {
            let endpoint = parse_endpoint(text).unwrap();
            assert_eq!(endpoint.url, text);
            assert_eq!(
                (endpoint.needs_tls, endpoint.is_exposed),
                (needs_tls, is_exposed)
            );
        }
        for text in [
            "",
            "idp/token",
            "ftp://a",
            "https://",
            "https://u:p@a/",
            "https://a/#b",
            "https://a/b c",
            "https://a/ü",
        ] {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            ",",
            "localhost:8081",
            "ftp://a",
            "http://",
            "http://a:0",
            "http://a:b",
            "http://a?x=1",
            "http://a#x",
            "http://a b",
            "http://u@a",
            "http://u:@a",
            "http://:p@a",
            "http://u:%zz@a",
            "http://u:%f@a",
            "http://u:%ff@a",
            "http://::1",
        ] {
            assert!(parse_urls(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_urls("localhost:8081")
                .unwrap_err()
                .suggestion
                .as_deref(),
            Some("http://localhost:8081")
        );
    }

    #[test]
    fn a_refused_url_is_printed_without_its_credentials() {
        for text in [
            "http://u:hunter2@h:x",
            "u:hunter2@h",
            "ftp://u:hunter2@h,http://u:hunter2@i",
            "hunter2://x@h",
            "a,b://hunter2@",
        ] {
            assert!(
                text.starts_with("hunter2") || !without_credentials(text).contains("hunter2"),
                "{text}"
            );
        }
        assert_eq!(without_credentials("http://u:p@h:x"), "http://[hidden]@h:x");
        assert_eq!(without_credentials("http://h:x"), "http://h:x");
        assert_eq!(without_credentials("shoes#1"), "shoes#1");
        for text in ["http://h/#hunter2", "h#hunter2", "h#hunter2?a#hunter2"] {
            let shown = without_secrets(text);
            assert!(shown.ends_with("#[hidden]"), "{shown}");
        }
        for text in [
            "http://h/?hunter2",
            "h/#hunter2",
            "h?hunter2",
            "h?a#hunter2",
        ] {
            let problem = parse_urls(text).unwrap_err();
            assert!(!without_secrets(text).contains("hunter2"));
            let suggestion = problem.suggestion.unwrap_or_default();
            assert!(!suggestion.contains("hunter2"), "{suggestion}");
        }
    }
}
