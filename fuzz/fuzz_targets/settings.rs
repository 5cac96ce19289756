//! What a user, or a file of theirs, says: understood or refused, in one line that repeats nothing that could forge another.
//!
//! The input is what a setting is given.

#![no_main]

use continuous_producer::settings::{dotenv, duration, host_port, size, topic, url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match dotenv::parse(data, ".env") {
        Ok(entries) => {
            let lines = data.split(|byte| *byte == b'\n').count();
            assert!(
                entries
                    .iter()
                    .all(|entry| (1..=lines).contains(&entry.line))
            );
        }
        Err(errors) => {
            for error in errors {
                let line = error.to_string();
                assert!(
                    !line.is_empty() && !line.contains(char::is_control),
                    "{line:?}"
                );
            }
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(value) = duration::parse(text) {
        assert_eq!(duration::parse(&duration::format(value)).ok(), Some(value));
    }
    if let Ok(value) = size::parse_bytes(text) {
        assert_eq!(
            size::parse_bytes(&size::format_bytes(value)).ok(),
            Some(value)
        );
    }
    if let Ok(servers) = host_port::parse_list(text) {
        let shown = host_port::format_list(&servers);
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(host_port::parse_list(&shown).ok(), Some(servers));
    }
    if let Ok(created) = topic::parse_new_topic(text) {
        let shown = topic::format_new_topic(created);
        assert_eq!(topic::parse_new_topic(&shown).ok(), Some(created));
    }
    let _ = topic::parse_topic(text);
    if let Ok(urls) = url::parse_urls(text) {
        assert!(!urls.bases.is_empty());
    }
});
