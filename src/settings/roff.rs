//! Text for man(7): what a page is made of, and how text is escaped that goes onto it.
//!
//! Invariant: no text is taken for a request or an escape, whatever it holds, and all of it is ASCII. It knows of no setting.

/// The text so far.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    /// What is escaped already.
    pub(super) fn raw(&mut self, text: &str) {
        self.text += text;
    }

    pub(super) fn section(&mut self, title: &str) {
        self.text += &format!(".SH {title}\n");
    }

    pub(super) fn subsection(&mut self, title: &str) {
        self.text += &format!(".SS {}\n", prose(title));
    }

    /// The first one below a headline needs no break before it.
    pub(super) fn paragraph(&mut self, text: &str) {
        let last = self.text.lines().next_back().unwrap_or_default();
        if !last.starts_with(".SH ") && !last.starts_with(".SS ") {
            self.raw(".PP\n");
        }
        self.text += &format!("{}\n", prose(text));
    }

    /// A tagged paragraph; the tag is escaped already.
    pub(super) fn item(&mut self, tag: &str, text: &str) {
        self.text += &format!(".TP\n{tag}\n{}\n", prose(text));
    }

    /// A command as it is typed.
    pub(super) fn command(&mut self, command: &str) {
        self.text += ".PP\n.RS 4\n.nf\n";
        for line in command.lines() {
            self.text += &format!("{}\n", literal(line));
        }
        self.text += ".fi\n.RE\n";
    }
}

/// Text to be typed as it stands, in bold.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", literal(text))
}

/// Text of which what stands between backticks is to be typed as it stands.
pub(super) fn prose(text: &str) -> String {
    let mut escaped = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            escaped += &bold(part);
        } else {
            escaped += &escaped_but_for(part, &['-', '\'']);
        }
    }
    unlike_a_request(escaped)
}

/// Text to be typed as it stands: its hyphens and quotes stay those of ASCII.
pub(super) fn literal(text: &str) -> String {
    unlike_a_request(escaped_but_for(text, &[]))
}

fn escaped_but_for(text: &str, plain: &[char]) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            _ if plain.contains(&character) => escaped.push(character),
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '"' => escaped.push_str("\\(dq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            ascii if ascii.is_ascii() => escaped.push(ascii),
            other => escaped += &format!("\\[u{:04X}]", u32::from(other)),
        }
    }
    escaped
}

/// A line that begins with a dot or an apostrophe would be a request.
fn unlike_a_request(line: String) -> String {
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_a_request_or_an_escape() {
        assert_eq!(prose(".env and it's `-x`"), "\\&.env and it's \\fB\\-x\\fR");
        assert_eq!(prose("'a' \\ b-c µ"), "\\&'a' \\e b-c \\[u00B5]");
        assert_eq!(
            literal(".a -b 'c' \"d\" ^~`\\"),
            "\\&.a \\-b \\(aqc\\(aq \\(dqd\\(dq \\(ha\\(ti\\(ga\\e"
        );
    }
}
