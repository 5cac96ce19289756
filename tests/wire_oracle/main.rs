//! Our codec against `kafka-protocol`, which is generated from Kafka's own message schemas: every message and every version that
//! we speak. Requests must be the same bytes; responses must decode to the same values; batches must be read by either side.
//!
//! Values are random under seeds that never change; a failure prints the one it happened with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod batches;
mod requests;
mod responses;

use std::collections::BTreeMap;

use bytes::Bytes;
use continuous_producer::kafka::wire::ErrorCode;
use continuous_producer::kafka::wire::message::{self as ours, Request};
use kafka_protocol::protocol::StrBytes;

/// Cases a message and version.
const CASES: u64 = 40;

/// Random values, and their seed in case of a failure.
struct Case {
    random: fastrand::Rng,
    seed: u64,
    version: i16,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "failed with seed {} and version {}",
                self.seed, self.version
            );
        }
    }
}

impl Case {
    fn for_each<R: Request>(mut check: impl FnMut(&mut Case)) {
        for version in R::VERSIONS {
            for seed in 0..CASES {
                let random = fastrand::Rng::with_seed(seed);
                check(&mut Case {
                    random,
                    seed,
                    version,
                });
            }
        }
    }

    fn string(&mut self) -> String {
        // Around 127 bytes a compact length grows by a byte.
        let len = *self
            .random
            .choice(&[0, 1, 5, 20, 126, 127, 128, 300])
            .unwrap();
        (0..len)
            .map(|_| {
                *self
                    .random
                    .choice(&['a', 'Z', '7', '.', 'é', '靴'])
                    .unwrap()
            })
            .collect()
    }

    fn nullable<T>(&mut self, value: impl FnOnce(&mut Case) -> T) -> Option<T> {
        self.random.bool().then(|| value(self))
    }

    fn list<T>(&mut self, mut element: impl FnMut(&mut Case) -> T) -> Vec<T> {
        let len = *self.random.choice(&[0, 1, 1, 2, 3]).unwrap();
        (0..len).map(|_| element(self)).collect()
    }

    fn bytes(&mut self) -> Bytes {
        let len = self.random.usize(..300);
        (0..len).map(|_| self.random.u8(..)).collect()
    }

    /// A tagged field that nobody knows.
    fn tagged(&mut self, flexible: bool) -> BTreeMap<i32, Bytes> {
        if !flexible {
            return BTreeMap::new();
        }
        self.list(|case| (case.random.i32(50..1_000_000), case.bytes()))
            .into_iter()
            .collect()
    }

    /// A UUID, whose type belongs to a crate that is not ours to name.
    fn topic_id(&mut self) -> String {
        format!("{:032x}", self.random.u128(..))
    }

    /// `value`, in a version that has the field.
    fn since<T: Default>(&mut self, version: i16, value: impl FnOnce(&mut Case) -> T) -> T {
        if self.version >= version {
            value(self)
        } else {
            T::default()
        }
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[test]
fn the_version_that_is_agreed_on_is_the_highest_common_one() {
    use continuous_producer::kafka::wire::message::negotiate;

    assert_eq!(negotiate::<ours::ProduceRequest>(0, 13), Some(12));
    assert_eq!(negotiate::<ours::ProduceRequest>(0, 7), Some(7));
    assert_eq!(negotiate::<ours::ProduceRequest>(0, 2), None);
    assert_eq!(negotiate::<ours::ProduceRequest>(13, 20), None);
    assert_eq!(negotiate::<ours::ProduceRequest>(12, 3), None);
}

#[test]
fn error_names_and_retries_agree_with_kafka() {
    use continuous_producer::kafka::wire::error_code::ProduceAction;
    use kafka_protocol::error::ResponseError;

    for code in i16::MIN..=i16::MAX {
        let ours = ErrorCode(code);
        match ResponseError::try_from_code(code) {
            None => assert_eq!(ours, ErrorCode::NONE),
            Some(ResponseError::Unknown(_)) => assert_eq!(ours.name(), None, "{code}"),
            Some(known) => {
                let name = ours.name().unwrap().replace('_', "").to_lowercase();
                assert_eq!(name, format!("{known:?}").to_lowercase());
                let retried = matches!(
                    ours.produce_action(),
                    ProduceAction::Retry | ProduceAction::RetryAfterRefresh
                );
                assert!(
                    !retried || known.is_retriable(),
                    "{ours} is retried although Kafka says that it is final"
                );
            }
        }
    }
}
