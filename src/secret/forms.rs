//! Where a text stands in another one, whatever was done to it on its way: escaped, percent-encoded, in hex, in base64.
//!
//! Characters are compared one by one, each in every spelling that JSON, URLs, forms and HTML have for it, so that it does not
//! matter which characters an encoder leaves alone, nor whether it ran twice. What mixes the bits of several characters (hex, base64) is
//! made of the text, wiped, and looked for in the same way.
//! Invariant: a text that would take more than [`STEPS_MAX`] comparisons is hidden as a whole. What was hidden says nothing of
//! how it was written. A short text is not looked for in forms that would be found in innocent words. Nothing is decoded here.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::HIDDEN;

/// A shorter secret is found as it is, and escaped, only.
pub(super) const DERIVED_BYTES_MIN: usize = 4;
/// Fewer characters of base64 are not looked for.
const CORE_CHARS_MIN: usize = 6;
/// Most backslashes before a character that was escaped, and escaped once more.
const BACKSLASHES_MAX: usize = 3;
/// How often a percent sign, or an ampersand, may have been encoded itself.
const ENCODED_AGAIN_MAX: usize = 2;
/// Longest number of an HTML character reference, with its end.
const REFERENCE_BYTES_MAX: usize = 9;
/// Most comparisons of characters for each form of a secret.
const STEPS_MAX: u32 = 1 << 22;

/// In which ways a character may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// As it is, or behind backslashes.
    Escaped,
    /// In all that are known.
    Any,
}

/// `text` with [`HIDDEN`] in place of `secret`, in every form.
pub(super) fn hidden(secret: &str, text: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    if secret.len() < DERIVED_BYTES_MIN {
        return without(text, secret, Spelling::Escaped);
    }
    let mut text = without(text, secret, Spelling::Any);
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        text = text.replace(hex(secret, digits).as_str(), HIDDEN);
    }
    for before in 0..3 {
        for core in cores(secret, before) {
            text = without(&text, &core, Spelling::Any);
        }
    }
    text
}

/// Two digits a byte.
fn hex(secret: &str, digits: &[u8; 16]) -> Zeroizing<String> {
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().map(char::from);
    // Room for all of it: what moves leaves a copy behind.
    let mut hex = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for byte in secret.bytes() {
        hex.extend([digit(byte >> 4), digit(byte & 0xf)].into_iter().flatten());
    }
    hex
}

/// What of the base64 of `secret` behind so many bytes, in either alphabet, does not depend on what is around it. None where
/// that is so little that it may well be something else.
fn cores(secret: &str, before: usize) -> Vec<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(before + secret.len()));
    bytes.resize(before, 0);
    bytes.extend_from_slice(secret.as_bytes());
    // A character has six bits of the eight of a byte.
    let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    let mut cores: Vec<Zeroizing<String>> = Vec::new();
    for alphabet in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
        let encoded = Zeroizing::new(alphabet.encode(bytes.as_slice()));
        let core = encoded.get(from..to).unwrap_or_default();
        if core.len() >= CORE_CHARS_MIN && cores.iter().all(|known| known.as_str() != core) {
            cores.push(Zeroizing::new(core.to_owned()));
        }
    }
    cores
}

/// `text` with [`HIDDEN`] wherever `form` stands in it.
fn without(text: &str, form: &str, spelling: Spelling) -> String {
    let Some(first) = form.chars().next() else {
        return text.to_owned();
    };
    let may_begin = |c: char| {
        c == first || c == '\\' || (spelling == Spelling::Any && matches!(c, '%' | '&' | '+'))
    };
    let mut steps_left = STEPS_MAX;
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(may_begin) {
        let (before, here) = rest.split_at(at);
        hidden.push_str(before);
        if let Some(after) = behind(here, form, spelling, &mut steps_left) {
            hidden.push_str(HIDDEN);
            rest = after;
        } else if steps_left == 0 {
            return HIDDEN.to_owned();
        } else {
            let mut characters = here.chars();
            hidden.extend(characters.next());
            rest = characters.as_str();
        }
    }
    hidden.push_str(rest);
    hidden
}

/// What follows `form` in a text that begins with it.
fn behind<'a>(
    text: &'a str,
    form: &str,
    spelling: Spelling,
    steps_left: &mut u32,
) -> Option<&'a str> {
    // Several, where a character may be read in several ways.
    let (mut reached, mut next) = (vec![text], Vec::new());
    for character in form.chars() {
        for rest in reached.drain(..) {
            *steps_left = steps_left.checked_sub(1)?;
            read(rest, character, spelling, BACKSLASHES_MAX, &mut next);
        }
        if next.is_empty() {
            return None;
        }
        // All are ends of the same text.
        next.sort_unstable_by_key(|rest| rest.len());
        next.dedup_by_key(|rest| rest.len());
        std::mem::swap(&mut reached, &mut next);
    }
    reached.into_iter().min_by_key(|rest| rest.len())
}

/// A character, in each way in which it may be written, behind backslashes that may be written in each way too.
fn read<'a>(
    text: &'a str,
    character: char,
    spelling: Spelling,
    backslashes_max: usize,
    next: &mut Vec<&'a str>,
) {
    let read_alone = |character, next: &mut Vec<&'a str>| {
        next.extend(text.strip_prefix(character));
        if spelling == Spelling::Any {
            read_encoded(text, character, next);
        }
    };
    read_alone(character, next);
    if let Some(backslashes_max) = backslashes_max.checked_sub(1) {
        let mut behind = Vec::new();
        read_alone('\\', &mut behind);
        for rest in behind {
            if spelling == Spelling::Any {
                next.extend(behind_json_escape(rest, character));
            }
            read(rest, character, spelling, backslashes_max, next);
        }
    }
}

/// In all ways but as it is.
fn read_encoded<'a>(text: &'a str, character: char, next: &mut Vec<&'a str>) {
    match text.as_bytes().first() {
        Some(b'+') if character == ' ' => next.extend(text.strip_prefix('+')),
        Some(b'%') => {
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).as_bytes();
            for again in 0..=ENCODED_AGAIN_MAX {
                next.extend(bytes.iter().try_fold(text, |rest, byte| {
                    let mut rest = rest.strip_prefix('%')?;
                    for _ in 0..again {
                        rest = rest.strip_prefix("25")?;
                    }
                    hex_value(rest, 2, u32::from(*byte))
                }));
            }
        }
        Some(b'&') => {
            let mut rest = text.strip_prefix('&');
            for _ in 0..=ENCODED_AGAIN_MAX {
                let Some(text) = rest else { return };
                next.extend(behind_reference(text, character));
                rest = text.strip_prefix("amp;");
            }
        }
        _ => {}
    }
}

/// What follows JSON's escape of `character` (RFC 8259, section 7), of which the backslash is read.
fn behind_json_escape(text: &str, character: char) -> Option<&str> {
    if character == '\t' {
        return text.strip_prefix('t');
    }
    let mut units = [0; 2];
    let mut units = character.encode_utf16(&mut units).iter();
    let first = hex_value(text.strip_prefix('u')?, 4, u32::from(*units.next()?))?;
    // The other half of a character beyond 16 bits.
    units.try_fold(first, |rest, unit| {
        let rest = rest.trim_start_matches('\\').strip_prefix('u')?;
        hex_value(rest, 4, u32::from(*unit))
    })
}

/// What follows so many hexadecimal digits with this value.
fn hex_value(text: &str, digits: usize, value: u32) -> Option<&str> {
    let (number, after) = text.split_at_checked(digits)?;
    let is_value = u32::from_str_radix(number, 16) == Ok(value) && !number.starts_with('+');
    is_value.then_some(after)
}

/// What follows an HTML character reference to `character`, of which the `&` is read.
fn behind_reference(text: &str, character: char) -> Option<&str> {
    let mut bytes = text.bytes().take(REFERENCE_BYTES_MAX);
    let (reference, after) = text.split_at_checked(bytes.position(|byte| byte == b';')?)?;
    let meant = match reference {
        "quot" => Some('"'),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let number = reference.strip_prefix('#')?;
            let value = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(value.ok()?)
        }
    };
    if meant == Some(character) {
        after.strip_prefix(';')
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3=cr/t%+ &<w\"o\\r'd>é𝄞\t!";

    /// As `digits` has two digits of a byte.
    fn in_hex(text: &str, digits: impl Fn(u8) -> String) -> String {
        text.bytes().map(digits).collect()
    }

    fn encoded(text: &str) -> String {
        let keeps = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        in_hex(text, |byte| {
            if keeps(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
    }

    fn html(text: &str) -> String {
        text.replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('\'', "&#39;")
    }

    fn json(text: &str) -> String {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    }

    #[test]
    fn a_secret_is_hidden_in_whatever_form_it_comes_back() {
        let forms = [
            SECRET.to_owned(),
            json(SECRET),
            json(&json(SECRET)),
            json(SECRET).replace('/', r"\/"),
            // As Go writes JSON, and Python.
            json(SECRET)
                .replace('<', r"\u003c")
                .replace('>', r"\u003E")
                .replace('&', r"\u0026"),
            json(SECRET)
                .replace('é', r"\u00e9")
                .replace('𝄞', r"\ud834\udd1e"),
            json(&json(SECRET).replace('é', r"\u00e9")),
            encoded(SECRET),
            encoded(SECRET).to_lowercase(),
            encoded(SECRET).replace("%20", "+"),
            encoded(&encoded(SECRET)),
            // What encoders leave alone differs.
            encoded(SECRET).replace("%2F", "/").replace("%27", "'"),
            in_hex(SECRET, |byte| format!("%{byte:02x}")),
            html(SECRET),
            html(&html(SECRET)),
            html(&json(SECRET)),
            encoded(&json(SECRET)),
            json(&html(SECRET)),
            html(SECRET)
                .replace("&#39;", "&#x27;")
                .replace("&quot;", "&#34;"),
            html(SECRET).replace("&#39;", "&apos;"),
            in_hex(SECRET, |byte| format!("{byte:02x}")),
            in_hex(SECRET, |byte| format!("{byte:02X}")),
        ];
        for form in forms {
            let text = format!("not {form}, {form}!");
            assert_eq!(hidden(SECRET, &text), "not [hidden], [hidden]!", "{form}");
        }
    }

    #[test]
    fn a_secret_is_hidden_in_base64_whatever_is_encoded_around_it() {
        for before in ["", "\0", "\0user\0", "user:", "ab", "abc", "abcd"] {
            for after in ["", "\u{1}", ", and more"] {
                let whole = format!("{before}{SECRET}{after}");
                for alphabet in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
                    let form = alphabet.encode(&whole);
                    for form in [form.clone(), encoded(&form), form.replace('/', r"\/")] {
                        let seen = hidden(SECRET, &form);
                        let (left, right) = seen.split_once(HIDDEN).unwrap();
                        // The characters that stand for what is around it, and one that does so in part on each side.
                        assert!(left.len() <= (before.len() * 8).div_ceil(6), "{seen}");
                        assert!(right.len() <= (after.len() * 8).div_ceil(6) + 1, "{seen}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_short_secret_hides_nothing_innocent() {
        let words = "61+62 %61 &amp; YWI6 YWJj &#97; ++";
        for secret in ["ab", "a b", " ", "abc"] {
            let expected = words.replace(secret, HIDDEN);
            assert_eq!(hidden(secret, words), expected, "{secret:?}");
        }
        assert_eq!(hidden("a\"b", r#"x a\"b y a"b"#), "x [hidden] y [hidden]");
        assert_eq!(hidden("", "ab"), "ab");
        // Five bytes make six characters of base64 that depend on nothing else; of four no more than five.
        assert!(cores("abcd", 0).is_empty());
        assert_eq!(cores("abcde", 0).len(), 1);
    }

    #[test]
    fn what_is_not_the_secret_stays_as_it_is() {
        let words = r"no s3=cr/t%+ &<w, 100% of \path\to &nosuch; &#x110000; %zz %+1 \u12 é & co";
        assert_eq!(hidden(SECRET, words), words);
    }

    #[test]
    fn a_text_that_defeats_the_search_is_hidden_as_a_whole() {
        let secret = format!("{}b", "a".repeat(20_000));
        assert_eq!(hidden(&secret, &"a".repeat(40_000)), HIDDEN);
    }
}
