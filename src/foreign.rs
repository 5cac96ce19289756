//! Words that are not ours: a broker's, a registry's, a user's, the system's. Which of their characters may be shown.
//!
//! Invariant: what is shown of them can neither break a line, nor steer a terminal, nor change the order in which a line
//! reads, nor hide in it. Every room that repeats foreign words asks here, and so does the log, which has the last word;
//! what a room does with the other characters is its own business; [`cleaned`] is what suits the words of a server. It never
//! decides what a text means.

use std::io;

/// Longest foreign words in an error, in characters.
pub const WORDS_CHARS_MAX: usize = 300;

/// Whether a character can be shown as it is: no control character (general category Cc), no end of a line or paragraph, and
/// none of those that are invisible or reorder the text around them (`Bidi_Control`, UAX #9; zero width; tags).
pub fn is_showable(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// What can be shown of foreign words, up to the same length: as part of one line.
pub fn shown(words: &str) -> String {
    let showable = words.chars().filter(|&c| is_showable(c));
    showable.take(WORDS_CHARS_MAX).collect()
}

/// Foreign words on one line: what cannot be shown becomes a space, runs of spaces become one, the end is cut off.
pub fn cleaned(words: &str) -> String {
    let one_line = words.replace(|c| !is_showable(c), " ");
    let mut cleaned = String::new();
    for word in one_line.split_whitespace() {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
    }
    if let Some((end, _)) = cleaned.char_indices().nth(WORDS_CHARS_MAX) {
        cleaned.truncate(end);
        cleaned.push('…');
    }
    cleaned
}

/// The system's words for an error, without its number.
pub fn os_words(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error ") {
        Some((words, _number)) => words.to_owned(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_are_one_short_line() {
        assert_eq!(
            cleaned(" a\r\n\tb \u{1b}[31mred\u{7}\u{2028}\u{202e}  "),
            "a b [31mred"
        );
        let long = "ä".repeat(WORDS_CHARS_MAX + 1);
        assert_eq!(cleaned(&long).chars().count(), WORDS_CHARS_MAX + 1);
        assert!(cleaned(&long).ends_with('…'));
        assert_eq!(cleaned(&"x".repeat(WORDS_CHARS_MAX)).len(), WORDS_CHARS_MAX);
    }

    #[test]
    fn what_breaks_reorders_or_hides_is_not_shown_and_words_of_any_language_are() {
        let ranges = [
            ('\u{0}', '\u{1f}'),
            ('\u{7f}', '\u{9f}'),
            ('\u{200b}', '\u{200f}'),
            ('\u{2028}', '\u{202e}'),
            ('\u{2060}', '\u{206f}'),
            ('\u{e0000}', '\u{e007f}'),
        ];
        let single = ['\u{ad}', '\u{61c}', '\u{180e}', '\u{feff}', '\u{fffb}'];
        let all = ranges
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .chain(single);
        for character in all {
            assert!(!is_showable(character), "{character:?}");
        }
        // The log shows our own marks as they are, variation selectors included.
        let ours = "⚠️ ❌ ✅ ⏱️ 🧾 ⏹️ 🛑 🔒 📤 ⏳ ⏭️ 🌱";
        for word in [
            ours,
            "Ärger mit Schuhgröße",
            "сбой",
            "エラー",
            "שגיאה",
            "خطأ",
            "é",
        ] {
            assert!(word.chars().all(is_showable), "{word}");
        }
    }
}
