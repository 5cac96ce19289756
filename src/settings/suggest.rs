//! Did you mean …?
//!
//! Invariant: a suggestion is close enough to be a slip of the finger (a letter too many, too few, wrong or swapped, one
//! for every four letters typed), or the only name that begins with what was typed. No suggestion is better than a wild one.

use strsim::damerau_levenshtein;

/// Longest text that is compared; the distance takes quadratic time, and longer texts are no slips.
const TYPED_BYTES_MAX: usize = 64;

/// Shortest text that is completed to a name which begins with it.
const COMPLETED_BYTES_MIN: usize = 4;

/// The candidate that was probably meant by `typed`. Case does not count.
pub fn nearest<'a>(
    typed: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    if typed.len() > TYPED_BYTES_MAX {
        return None;
    }
    let typed = typed.to_ascii_lowercase();
    let slips_max = typed.chars().count().div_ceil(4).min(3);
    let slip = candidates
        .clone()
        .map(|candidate| {
            (
                damerau_levenshtein(&typed, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(slips, candidate)| {
            *slips <= slips_max && *slips < candidate.chars().count().min(typed.chars().count())
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate);
    slip.or_else(|| {
        let mut completions =
            candidates.filter(|candidate| candidate.to_ascii_lowercase().starts_with(&typed));
        match (completions.next(), completions.next()) {
            (Some(only), None) if typed.len() >= COMPLETED_BYTES_MIN => Some(only),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["interval", "topic", "bootstrap-servers", "stats-interval"];

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        for (typed, meant) in [
            ("topik", Some("topic")),
            ("tpoic", Some("topic")),
            ("TOPIC", Some("topic")),
            ("intervall", Some("interval")),
            ("bootstrap-server", Some("bootstrap-servers")),
            ("bootstrap", Some("bootstrap-servers")),
        ] {
            assert_eq!(nearest(typed, NAMES.into_iter()), meant, "{typed}");
        }
    }

    #[test]
    fn nothing_is_suggested_where_nothing_is_near() {
        for typed in ["", "x", "t", "partition", "to", &"topic".repeat(100)] {
            assert_eq!(nearest(typed, NAMES.into_iter()), None, "{typed}");
        }
    }
}
