//! Words that are not ours: a broker's, a registry's, a user's. Which of their characters may be shown.
//!
//! Invariant: what is shown of them can neither break a line, nor steer a terminal, nor change the order in which a line
//! reads, nor hide in it. Every room that repeats foreign words asks here, and so does the log, which has the last word;
//! what a room does with the other characters is its own business. It never changes a text.

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

#[cfg(test)]
mod tests {
    use super::*;

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
