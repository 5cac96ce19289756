//! SASL extensions of OAUTHBEARER: `name=value,name=value` (RFC 7628, section 3.1; KIP-342).
//!
//! Invariant: names are letters, each once, and never `auth`, which is the token's; values are printable ASCII without a comma,
//! and not empty. So nothing in them can end a field of the message that carries them.

use super::problem::Problem;

/// Most extensions that are accepted.
pub const EXTENSIONS_MAX: usize = 16;
/// Longest text that is accepted, in bytes.
pub const EXTENSIONS_BYTES_MAX: usize = 4096;

/// Parses a comma-separated list; white space around names and values does not count.
///
/// # Errors
/// A place is no `name=value`, a name is not allowed or stands twice, or there are too many.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, Problem> {
    if text.len() > EXTENSIONS_BYTES_MAX {
        return Err(Problem::new(format!(
            "longer than {EXTENSIONS_BYTES_MAX} bytes"
        )));
    }
    let mut extensions: Vec<(String, String)> = Vec::new();
    let places = text.split(',').map(str::trim);
    for place in places.filter(|place| !place.is_empty()) {
        let (name, value) = place
            .split_once('=')
            .ok_or_else(|| Problem::new("a place is not name=value"))?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(Problem::new("a name has other characters than letters"));
        }
        if name == "auth" {
            return Err(Problem::new("the name auth is the token's own (RFC 7628)"));
        }
        if value.is_empty() || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(Problem::new("a value is empty or not printable ASCII"));
        }
        if extensions.iter().any(|(known, _)| known == name) {
            return Err(Problem::new("a name stands twice"));
        }
        extensions.push((name.to_owned(), value.to_owned()));
    }
    match extensions.len() {
        0 => Err(Problem::new("names no extension")),
        1..=EXTENSIONS_MAX => Ok(extensions),
        _ => Err(Problem::new(format!("more than {EXTENSIONS_MAX}"))),
    }
}

/// Writes what [`parse`] reads.
pub fn format(extensions: &[(String, String)]) -> String {
    let pairs: Vec<String> = extensions
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_names_and_values() {
        let text = "logicalCluster=lkc-1, identityPoolId = pool=2 ,";
        let extensions = parse(text).unwrap();
        let pairs: Vec<(&str, &str)> = extensions
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [("logicalCluster", "lkc-1"), ("identityPoolId", "pool=2")]
        );
        assert_eq!(
            format(&extensions),
            "logicalCluster=lkc-1,identityPoolId=pool=2"
        );
    }

    #[test]
    fn what_could_end_a_field_or_pass_for_the_token_is_refused() {
        for text in [
            "",
            ",",
            "a",
            "=b",
            "a=",
            "a1=b",
            "a-b=c",
            "auth=x",
            "a=b\u{1}c",
            "a=b\nc",
            "a=ü",
            "a=1,a=2",
            &format!("a={}", "x".repeat(EXTENSIONS_BYTES_MAX)),
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
