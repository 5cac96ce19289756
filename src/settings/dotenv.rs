//! The `.env` file: text to entries.
//!
//! The grammar is what `docker compose`, shells and the dotenv libraries agree on: `NAME=value`, `export NAME=value`, `#`
//! comments (after white space only), `'literal'`, `"with \n escapes"`, quoted values over several lines. Two rules are ours,
//! for the sake of secrets: `$` is a character like any other (nothing is substituted), and an unquoted value is taken as it
//! stands to the end of its line, save a ` # comment` and white space around it.
//! Invariant: an error names file and line, and never repeats what stands there. This module reads no file.

use zeroize::Zeroizing;

use super::error::SettingError;

/// One `NAME=value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The variable.
    pub name: String,
    /// Its value, unquoted; may be a secret, hence no `Debug`, and wiped when it is dropped.
    pub value: Zeroizing<String>,
    /// Where it starts, from 1.
    pub line: usize,
}

/// Parses the content of the file called `file_name`. A later entry does not remove an earlier one of the same name.
///
/// # Errors
/// Every line that is wrong, or that the file is not UTF-8.
pub fn parse(content: &[u8], file_name: &str) -> Result<Vec<Entry>, Vec<SettingError>> {
    let at = |line: usize, problem: &str| {
        SettingError::new(format!("{file_name}, line {line}"), problem)
    };
    if content.starts_with(&[0xFF, 0xFE]) || content.starts_with(&[0xFE, 0xFF]) {
        return Err(vec![at(1, "is UTF-16: save the file as UTF-8")]);
    }
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        vec![at(line, "is not UTF-8: save the file as UTF-8")]
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = Zeroizing::new(text.replace("\r\n", "\n"));

    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    let (mut rest, mut line) = (text.as_str(), 1);
    while !rest.is_empty() {
        let (parsed, after) = parse_entry(rest);
        match parsed {
            Ok(Some((name, value))) => entries.push(Entry { name, value, line }),
            Ok(None) => {}
            Err(problem) => errors.push(at(line, problem)),
        }
        let taken = rest.len() - after.len();
        line += rest
            .bytes()
            .take(taken)
            .filter(|byte| *byte == b'\n')
            .count();
        rest = after;
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(errors)
    }
}

type NameAndValue = (String, Zeroizing<String>);

/// What the first line (or lines, if a quote runs on) says, and the lines after it.
fn parse_entry(text: &str) -> (Result<Option<NameAndValue>, &'static str>, &str) {
    let (first, next_lines) = text.split_once('\n').unwrap_or((text, ""));
    let line = first.trim();
    if line.is_empty() || line.starts_with('#') {
        return (Ok(None), next_lines);
    }
    let Some((before, _)) = first.split_once('=') else {
        return (Err("is not NAME=value"), next_lines);
    };
    let before_name = before.trim();
    let name = match before_name.strip_prefix("export") {
        Some(exported) if exported.starts_with([' ', '\t']) => exported.trim_start(),
        _ => before_name,
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_well = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if !starts_well || !goes_well {
        return (Err("has no name before the ="), next_lines);
    }
    let value = text.get(before.len() + 1..).unwrap_or_default();
    match parse_value(value) {
        Ok((value, after)) => (Ok(Some((name.to_owned(), value))), after),
        Err(problem) => (Err(problem), next_lines),
    }
}

/// The value that stands right after `=`, and the lines after it.
fn parse_value(text: &str) -> Result<(Zeroizing<String>, &str), &'static str> {
    let start = text.trim_start_matches([' ', '\t']);
    let (value, after) = if let Some(quoted) = start.strip_prefix('\'') {
        let (value, after) = quoted
            .split_once('\'')
            .ok_or("opens a quote that is never closed")?;
        (Zeroizing::new(value.to_owned()), after)
    } else if let Some(quoted) = start.strip_prefix('"') {
        double_quoted(quoted)?
    } else {
        let (line, after) = text.split_once('\n').unwrap_or((text, ""));
        let value = without_comment(line).trim().to_owned();
        return Ok((Zeroizing::new(value), after));
    };
    let (line, next_lines) = after.split_once('\n').unwrap_or((after, ""));
    if without_comment(line).trim().is_empty() {
        Ok((value, next_lines))
    } else {
        Err("has text after the closing quote (quote the whole value, or none of it)")
    }
}

/// What stands before a `#` that follows white space.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').find(|(at, _)| {
        line.get(..*at)
            .is_some_and(|before| before.ends_with([' ', '\t']))
    });
    comment.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

/// Up to the closing quote; `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and `` \` `` are escapes, any other backslash stands for itself.
fn double_quoted(text: &str) -> Result<(Zeroizing<String>, &str), &'static str> {
    // Room for a line, so that a secret does not move and leave a copy behind.
    let line = text.find('\n').unwrap_or(text.len());
    let mut value = Zeroizing::new(String::with_capacity(line));
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok((value, rest.as_str())),
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(itself @ ('"' | '\\' | '$' | '`')) => value.push(itself),
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            _ => value.push(c),
        }
    }
    Err("opens a quote that is never closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        let entries = parse(text.as_bytes(), ".env")
            .map_err(|e| format!("{text:?}: {e:?}"))
            .unwrap();
        assert_eq!(entries.len(), 1, "{text:?}");
        assert_eq!(entries[0].name, "S");
        entries[0].value.to_string()
    }

    fn problem(content: &[u8]) -> String {
        let errors = parse(content, ".env").map(|_| ()).unwrap_err();
        assert_eq!(errors.len(), 1);
        errors[0].to_string()
    }

    /// Scenario 45: each spelling that people use for a secret gives that secret.
    #[test]
    fn a_secret_comes_out_as_it_was_meant() {
        for (text, meant) in [
            ("S=plain", "plain"),
            ("S=a=b==", "a=b=="),
            ("S=a#b", "a#b"),
            ("S=#ab", "#ab"),
            ("S=a #b", "a"),
            ("S= # comment", ""),
            ("S=", ""),
            ("S=a$b${c}$", "a$b${c}$"),
            ("S=\"a$b${HOME}\"", "a$b${HOME}"),
            ("S=\"a\\$b\"", "a$b"),
            ("S='a$b'", "a$b"),
            ("S=it's", "it's"),
            ("S=a\"b", "a\"b"),
            ("S=a b  c ", "a b  c"),
            ("S=\" a # b \"", " a # b "),
            ("S=' a # b ' # comment", " a # b "),
            ("S=\"a\"\t# comment", "a"),
            ("S=\"say \\\"x\\\" \\\\ \\q\"", "say \"x\" \\ \\q"),
            ("S='back\\slash'", "back\\slash"),
            ("S=back\\slash\\n", "back\\slash\\n"),
            ("S=\"a\\nb\"", "a\nb"),
            ("S=\"a\nb\"", "a\nb"),
            ("S=\"\"", ""),
            ("S=größe", "größe"),
        ] {
            assert_eq!(value(text), meant, "{text:?}");
        }
    }

    #[test]
    fn lines_may_be_dressed_up() {
        for text in [
            "export S=x",
            "  export\tS=x",
            "S = x",
            "S=x\r\n",
            "\u{feff}S=x",
            "\r\n# c\r\n\r\nS=\"x\"\r\n",
            "#S=y\nS=x",
            "S=x\n\n",
        ] {
            assert_eq!(value(text), "x", "{text:?}");
        }
        assert!(parse(b"", ".env").is_ok_and(|entries| entries.is_empty()));
    }

    #[test]
    fn entries_know_their_lines() {
        let entries = parse(b"# c\r\nA=\"1\n2\"\n\nB=3\nexportC=4", ".env")
            .map_err(|e| format!("{e:?}"))
            .unwrap();
        let seen: Vec<_> = entries
            .iter()
            .map(|e| (e.name.as_str(), e.value.as_str(), e.line))
            .collect();
        assert_eq!(seen, [("A", "1\n2", 2), ("B", "3", 5), ("exportC", "4", 6)]);
    }

    #[test]
    fn an_error_names_file_and_line_and_not_what_stands_there() {
        for (content, error) in [
            (&b"A=1\nhunter2"[..], ".env, line 2: is not NAME=value"),
            (b"\n\n=hunter2", ".env, line 3: has no name before the ="),
            (b"A B=hunter2", ".env, line 1: has no name before the ="),
            (
                b"S='hunter2",
                ".env, line 1: opens a quote that is never closed",
            ),
            (
                b"S=\"hunter2\\",
                ".env, line 1: opens a quote that is never closed",
            ),
            (
                b"S=\"hun\"ter2",
                ".env, line 1: has text after the closing quote (quote the whole value, or none of it)",
            ),
            (
                b"S=\"hun\"#ter2",
                ".env, line 1: has text after the closing quote (quote the whole value, or none of it)",
            ),
            (
                b"A=1\r\nS=hunter2\xff",
                ".env, line 2: is not UTF-8: save the file as UTF-8",
            ),
            (
                b"\xff\xfeS\0=\0x\0",
                ".env, line 1: is UTF-16: save the file as UTF-8",
            ),
        ] {
            assert_eq!(problem(content), error);
        }
    }

    #[test]
    fn every_wrong_line_is_reported() {
        let errors = parse(b"one\nA=1\ntwo\n", "prod.env")
            .map(|_| ())
            .unwrap_err();
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "prod.env, line 1: is not NAME=value",
                "prod.env, line 3: is not NAME=value"
            ]
        );
    }

    #[test]
    fn no_content_makes_the_parser_panic_or_hang() {
        let mut random = fastrand::Rng::with_seed(45);
        let alphabet = b"A=\"'\\#$ \t\r\n\xc3\xa9x";
        for _ in 0..5_000 {
            let content: Vec<u8> = (0..random.usize(..24))
                .map(|_| alphabet[random.usize(..alphabet.len())])
                .collect();
            let _ = parse(&content, ".env");
        }
    }
}
