//! Topic names, the topic that is to be created, and free text such as the client id.
//!
//! Invariant: an accepted topic name is one that brokers accept (`org.apache.kafka.common.internals.Topic`). Nothing here
//! knows whether a topic exists.

use super::problem::Problem;
use super::size::parse_integer;
use crate::kafka::config::NewTopic;

/// Kafka's `Topic.MAX_NAME_LENGTH`.
pub const TOPIC_BYTES_MAX: usize = 249;

/// Longest free text (client id, subject).
pub const TEXT_BYTES_MAX: usize = 255;

/// Longest path of a file (`PATH_MAX` of Linux).
pub const PATH_BYTES_MAX: usize = 4096;

/// Most partitions that a topic is created with; more than this is a slip of the finger.
pub const PARTITIONS_MAX: i32 = 100_000;

/// What stands for "as the broker is configured" in a `CreateTopics` request (KIP-464).
const REPLICATION_DEFAULT: i16 = -1;

/// Checks a topic's name: ASCII letters, digits, `.`, `_` and `-`, 1 to 249 of them, not `.` or `..`.
///
/// # Errors
/// The name is none.
pub fn parse_topic(text: &str) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::new("must not be empty"));
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(Problem::new(format!(
            "longer than {TOPIC_BYTES_MAX} characters"
        )));
    }
    if text == "." || text == ".." {
        return Err(Problem::new("reserved"));
    }
    match text
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'))
    {
        Some(bad) => Err(Problem::new(format!("has the character {bad:?}"))),
        None => Ok(text.to_owned()),
    }
}

/// Checks a free text: 1 to so many bytes without control characters.
///
/// # Errors
/// Empty, too long, or with a control character.
pub fn parse_text(text: &str, bytes_max: usize) -> Result<String, Problem> {
    if text.is_empty() {
        return Err(Problem::new("must not be empty"));
    }
    if text.len() > bytes_max {
        return Err(Problem::new(format!("longer than {bytes_max} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::new("has a control character"));
    }
    Ok(text.to_owned())
}

/// Parses `PARTITIONS[:REPLICATION]`; without a replication factor the broker's default holds.
///
/// # Errors
/// Not such numbers, or out of bounds.
pub fn parse_new_topic(text: &str) -> Result<NewTopic, Problem> {
    let (partitions, replication) = match text.split_once(':') {
        Some((partitions, replication)) => (partitions, Some(replication)),
        None => (text, None),
    };
    let partitions = parse_integer(partitions)
        .ok()
        .and_then(|n| i32::try_from(n).ok())
        .filter(|n| (1..=PARTITIONS_MAX).contains(n))
        .ok_or_else(|| {
            Problem::new(format!(
                "partitions are a whole number from 1 to {PARTITIONS_MAX}"
            ))
        })?;
    let replication = match replication {
        None => REPLICATION_DEFAULT,
        Some(text) => parse_integer(text)
            .ok()
            .and_then(|n| i16::try_from(n).ok())
            .filter(|n| *n >= 1)
            .ok_or_else(|| {
                Problem::new(format!(
                    "the replication factor is a whole number from 1 to {}",
                    i16::MAX
                ))
            })?,
    };
    Ok(NewTopic {
        partitions,
        replication,
    })
}

/// Writes what [`parse_new_topic`] reads.
pub fn format_new_topic(topic: NewTopic) -> String {
    if topic.replication == REPLICATION_DEFAULT {
        topic.partitions.to_string()
    } else {
        format!("{}:{}", topic.partitions, topic.replication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_are_those_that_brokers_accept() {
        for name in ["js_shoe", "a", "A.b-c_9", "...", &"x".repeat(249)] {
            assert_eq!(parse_topic(name).as_deref(), Ok(name));
        }
        for name in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "schuh-größe",
            "a\n",
            &"x".repeat(250),
        ] {
            assert!(parse_topic(name).is_err(), "{name}");
        }
        assert_eq!(
            parse_topic("a b").unwrap_err().what,
            "has the character ' '"
        );
    }

    #[test]
    fn a_new_topic_is_partitions_and_perhaps_a_replication_factor() {
        assert_eq!(
            parse_new_topic("6"),
            Ok(NewTopic {
                partitions: 6,
                replication: -1
            })
        );
        assert_eq!(
            parse_new_topic("6:3"),
            Ok(NewTopic {
                partitions: 6,
                replication: 3
            })
        );
        for text in [
            "", "0", ":3", "6:", "6:0", "6:-1", "-1", "6:3:1", "100001", "6:32768", "six", "true",
        ] {
            assert!(parse_new_topic(text).is_err(), "{text}");
        }
        for text in ["6", "6:3"] {
            assert_eq!(format_new_topic(parse_new_topic(text).unwrap()), text);
        }
    }

    #[test]
    fn free_text_is_bounded_and_printable() {
        assert_eq!(
            parse_text("continuous producer 1", TEXT_BYTES_MAX).as_deref(),
            Ok("continuous producer 1")
        );
        for text in ["", "a\tb", &"x".repeat(256)] {
            assert!(parse_text(text, TEXT_BYTES_MAX).is_err());
        }
    }
}
