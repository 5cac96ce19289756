//! Every answer of every version, damaged.

use std::collections::BTreeSet;

use continuous_producer::kafka::wire::codec::Problem;
use continuous_producer::kafka::wire::frame::FRAME_BYTES_MAX;
use continuous_producer::kafka::wire::message::ApiKey;

use super::damage::{Seeded, compact, cuts, lies, mutated};
use super::decoding::decode;
use super::samples::{Sample, all};

/// Random frames a sample.
const MUTATIONS: u64 = 1000;
/// Before it there is the correlation id, which a test of its own is about.
const BODY: usize = 4;

fn seeded(seed: u64, sample: &Sample) -> Seeded {
    let what = format!("{} version {}", sample.api.name(), sample.version);
    Seeded::new(seed, what)
}

#[test]
fn every_sample_is_sound() {
    let samples = all();
    assert_eq!(samples.len(), 5 + 12 + 10 + 6 + 6 + 1 + 3);
    for sample in samples {
        let Sample { api, version, .. } = sample;
        decode(api, version, sample.correlation_id, &sample.frame)
            .unwrap_or_else(|error| panic!("{} {version}: {error}", api.name()));
    }
}

/// Scenario 37.
#[test]
fn an_answer_that_is_cut_anywhere_or_goes_on_is_refused() {
    for sample in all() {
        let _told = seeded(0, &sample);
        let Sample { api, version, .. } = sample;
        for cut in cuts(&sample.frame) {
            let outcome = decode(api, version, sample.correlation_id, cut);
            assert!(outcome.is_err(), "{} bytes were enough", cut.len());
        }
        for more in [&[0][..], &[0xff], &[0; 100], &sample.frame] {
            let prolonged = [&sample.frame, more].concat();
            let outcome = decode(api, version, sample.correlation_id, &prolonged);
            assert!(outcome.is_err(), "{} bytes more were taken", more.len());
        }
    }
}

/// Scenario 37.
#[test]
fn no_length_is_believed_beyond_the_bytes_that_are_there() {
    let mut problems = BTreeSet::new();
    for sample in all() {
        let mut told = seeded(1, &sample);
        for frame in lies(&sample.frame, BODY, &mut told.random) {
            if let Err(error) = decode(sample.api, sample.version, sample.correlation_id, &frame) {
                problems.insert(name(error.problem()));
            }
        }
    }
    // The lies have hit lengths and counts of every kind.
    let expected = [
        "leftover",
        "negative",
        "not UTF-8",
        "null",
        "tags",
        "too many",
        "truncated",
        "varint",
    ];
    assert_eq!(problems, expected.into());
}

fn name(problem: &Problem) -> &'static str {
    match problem {
        Problem::Truncated { .. } => "truncated",
        Problem::NegativeLength { .. } => "negative",
        Problem::TooManyElements { .. } => "too many",
        Problem::UnexpectedNull => "null",
        Problem::NotUtf8 => "not UTF-8",
        Problem::VarintTooLong => "varint",
        Problem::TagsOutOfOrder => "tags",
        Problem::LeftoverBytes { .. } => "leftover",
        other => panic!("a response cannot have {other:?}"),
    }
}

/// Scenario 37.
#[test]
fn random_damage_is_an_error_or_a_value() {
    for sample in all() {
        for seed in 0..MUTATIONS {
            let mut told = seeded(seed, &sample);
            let frame = mutated(&sample.frame, &mut told.random);
            let _ = decode(sample.api, sample.version, sample.correlation_id, &frame);
        }
    }
}

/// Scenario 36.
#[test]
fn an_answer_to_another_request_is_refused() {
    for sample in all() {
        for id in [0, -1, i32::MIN, i32::MAX, sample.correlation_id + 1] {
            let outcome = decode(sample.api, sample.version, id, &sample.frame);
            let problem = outcome.unwrap_err().problem().clone();
            assert!(matches!(problem, Problem::WrongCorrelationId { .. }));
        }
    }
}

/// An array in an answer, of which the smallest element is known.
struct Array {
    api: ApiKey,
    version: i16,
    /// What comes between correlation id and array.
    before: &'static [u8],
    is_flexible: bool,
    element: &'static [u8],
}

/// 16 MiB less 32: what is left of the longest frame.
const TAGGED_FIELD_SIZE: [u8; 4] = [0xe0, 0xff, 0xff, 0x07];

/// Every array that is kept, at the length at which a byte on the wire costs the most memory.
const ARRAYS: &[Array] = &[
    Array::classic(ApiKey::ApiVersions, 0, &[0; 2], &[0; 6]),
    Array::flexible(ApiKey::ApiVersions, 3, &[0; 2], &[0; 7]),
    // Brokers: id, host, port, rack.
    Array::classic(ApiKey::Metadata, 1, &[], &[0; 12]),
    Array::flexible(
        ApiKey::Metadata,
        12,
        &[0; 5],
        &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ),
    // Topics, after no brokers and a controller: code, name, internal, partitions.
    Array::classic(ApiKey::Metadata, 1, &[0; 8], &[0; 9]),
    Array::flexible(
        ApiKey::Metadata,
        9,
        &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        &[0, 0, 1, 0, 1, 0, 0, 0, 0, 0],
    ),
    // Partitions of the one topic.
    Array::classic(
        ApiKey::Metadata,
        1,
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        &[0; 18],
    ),
    // Topics: name, partitions.
    Array::classic(ApiKey::Produce, 3, &[], &[0; 6]),
    Array::flexible(ApiKey::Produce, 12, &[0], &[1, 1, 0]),
    // Topics with one partition each: code, three offsets and times, no record at fault, no words.
    Array::flexible(
        ApiKey::Produce,
        12,
        &[0],
        &[
            1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 1, 0, 0, 0,
        ],
    ),
    // The records at fault of the one partition of the one topic.
    Array::flexible(
        ApiKey::Produce,
        12,
        &[
            0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0,
        ],
        &[0, 0, 0, 0, 1, 0],
    ),
    // Leaders' addresses, in a tagged field.
    Array::flexible(
        ApiKey::Produce,
        12,
        &[0, 1, 0, 0, 0, 0, 1, 0, 0xe0, 0xff, 0xff, 0x07],
        &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ),
    // Topics: name, code, words; configs that are not kept.
    Array::classic(ApiKey::CreateTopics, 2, &[0; 4], &[0; 6]),
    Array::flexible(
        ApiKey::CreateTopics,
        5,
        &[0; 5],
        &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
];

impl Array {
    const fn classic(
        api: ApiKey,
        version: i16,
        before: &'static [u8],
        element: &'static [u8],
    ) -> Self {
        Self {
            api,
            version,
            before,
            is_flexible: false,
            element,
        }
    }

    const fn flexible(
        api: ApiKey,
        version: i16,
        before: &'static [u8],
        element: &'static [u8],
    ) -> Self {
        let classic = Self::classic(api, version, before, element);
        Self {
            is_flexible: true,
            ..classic
        }
    }

    /// A frame of at most `bytes_max`, of which the array takes all that there is. What follows it is missing: all of the array
    /// is decoded, and then the end is found to have come too early.
    fn filled(&self, correlation_id: i32, bytes_max: usize) -> Vec<u8> {
        let mut frame = correlation_id.to_be_bytes().to_vec();
        frame.extend_from_slice(self.before);
        let count = (bytes_max - frame.len() - 5) / self.element.len();
        let written = u32::try_from(count).unwrap();
        if self.is_flexible {
            frame.extend_from_slice(&compact(written));
        } else {
            frame.extend_from_slice(&written.to_be_bytes());
        }
        frame.extend_from_slice(&self.element.repeat(count));
        frame
    }

    /// Then it is read only in a frame of the greatest length.
    fn is_in_a_tagged_field(&self) -> bool {
        self.before.ends_with(&TAGGED_FIELD_SIZE)
    }
}

/// Scenario 37.
#[test]
fn an_answer_full_of_the_smallest_elements_costs_no_more_than_its_share() {
    let correlation_id = 5;
    let mut too_much = 0;
    for array in ARRAYS {
        for bytes in [1 << 8, 1 << 12, 1 << 16, FRAME_BYTES_MAX] {
            let frame = array.filled(correlation_id, bytes);
            let outcome = decode(array.api, array.version, correlation_id, &frame);
            let problem = outcome.err().map(|error| error.problem().clone());
            // The frame is as it is meant to be: all of the array was read, or as much of it as may be.
            match problem {
                None | Some(Problem::Truncated { left: 0..2, .. }) => {}
                Some(Problem::TooMuchMemory { .. }) if bytes == FRAME_BYTES_MAX => too_much += 1,
                Some(Problem::Truncated { .. }) if array.is_in_a_tagged_field() => {
                    assert!(bytes < FRAME_BYTES_MAX);
                }
                Some(other) => panic!("{} {}: {other}", array.api.name(), array.version),
            }
        }
    }
    assert!(too_much > ARRAYS.len() / 2, "{too_much}");
}
