//! The page: one file with its style and script, which asks `/status` once a second and draws what it reads.
//!
//! Invariant: it needs nothing but this server, and its policy lets a browser load, run and send nothing else. The page is
//! tested in a real browser by `tests/page/`.

/// All of it.
pub(super) const HTML: &str = include_str!("index.html");

/// Its `Content-Security-Policy` (CSP Level 3). The one script and the one style of the page are named by their hashes. Images are its
/// icon, which would be fetched from the server otherwise.
pub(super) const POLICY: &str = include_str!("policy.txt").trim_ascii_end();

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use graviola::hashing::{Hash as _, Sha256};

    use super::*;

    /// What is between the only `<tag>` and its end.
    fn inline(tag: &str) -> &'static str {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let mut parts = HTML.split(open.as_str());
        let (_, rest) = (parts.next().unwrap(), parts.next().unwrap());
        assert_eq!(parts.next(), None, "one {tag}");
        rest.split_once(close.as_str()).unwrap().0
    }

    #[test]
    fn the_policy_names_the_script_and_the_style_of_the_page() {
        for (directive, tag) in [("script-src", "script"), ("style-src", "style")] {
            let hash = BASE64_STANDARD.encode(Sha256::hash(inline(tag).as_bytes()).as_ref());
            let expected = format!("{directive} 'sha256-{hash}';");
            assert!(POLICY.contains(&expected), "policy.txt needs {expected}");
        }
    }

    #[test]
    fn the_page_is_small_and_names_no_other_place() {
        assert!(HTML.len() < 40 * 1024, "{} bytes", HTML.len());
        let names = HTML.replace("http://www.w3.org/2000/svg", "");
        for foreign in ["http:", "https:", "src=", "@import", "url(", "innerHTML"] {
            assert!(!names.contains(foreign), "{foreign}");
        }
    }
}
