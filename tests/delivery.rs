//! What is produced where all goes well: the lines that the user reads, and every record in the log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{ApiKey, Config};
use support::shoes::{self, Expected, assert_all, assert_exactly};
use support::{Ledger, Peers};

/// From the start up to the loop.
const START: &str = "\
🚀 Starting Continuous Kafka Producer with Random Shoe Data Generation...
📊 Configuration loaded:
   📡 Kafka Cluster: {cluster}
   📝 Topic: js_shoe
   ⏱️ Message Interval: 10ms
   📈 Schema Registry: {registry}
   🎲 Seed: 42, instance 0
🔧 Initializing continuous producer components...
🔍 Testing Schema Registry connectivity...
✅ Schema Registry connectivity verified! Status: {Status:healthy}
✅ Random shoe generator initialized
✅ Protobuf serializer created
✅ Kafka async producer created
🔄 Starting continuous production loop...
   Press Ctrl+C to stop gracefully
🔄 Production loop started with interval: 10ms";

/// What follows Ctrl-C, up to the numbers.
const END: &str = "\
⏹️ Shutdown signal received. Stopping production...
🛑 Production loop stopping...
🔒 Closing continuous producer...
📤 Flushing buffered messages...
⏳ Waiting for all messages to be processed...
✅ Continuous producer closed successfully
✅ Graceful shutdown completed
📊 Final Statistics:
   📤 Messages Produced: {count}
   ❌ Errors: 0";

#[test]
fn a_run_prints_the_lines_of_the_sample_in_their_order() {
    let peers = Peers::start();
    let mut program = peers
        .setup("--interval 10ms --stats-interval 100ms")
        .start();
    program.line("📊 Stats: ");
    program.line("📊 Stats: ");
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0).expect_no("⚠️");
    let count = ended.ledger().generated;
    assert!(count > 0);
    let start = START
        .replace("{cluster}", &peers.kafka.bootstrap_servers())
        .replace("{registry}", &peers.registry.url());
    let end = END.replace("{count}", &count.to_string());
    // A machine too busy to keep up is told so; that is another test's business.
    let lines = ended.lines.iter().filter(|line| !line.contains("⏭️"));
    let (stats, lines): (Vec<String>, Vec<String>) = lines
        .cloned()
        .partition(|line| line.starts_with("📊 Stats: "));
    assert!(stats.len() >= 2);
    let (fixed, numbers) = lines.split_at(lines.len() - 5);
    assert_eq!(fixed.join("\n"), start + "\n" + &end);
    let beginnings = [
        "   ⏱️ Runtime: ".to_owned(),
        "   📈 Average Rate: ".to_owned(),
        "   ⏱️ Warm-up: ".to_owned(),
        format!("   🧾 Ledger: generated {count} = acknowledged {count} + failed 0 + unsent 0"),
        "   ⏱️ Latency: p50=".to_owned(),
    ];
    for (line, beginning) in numbers.iter().zip(beginnings) {
        assert!(line.starts_with(&beginning), "{line}");
    }
    assert!(numbers[1].ends_with(" messages/second"), "{}", numbers[1]);
    assert_eq!(peers.registry.subjects(), ["js_shoe-value"]);
    assert_all(&peers.kafka, count);
}

#[test]
fn the_statistics_line_is_the_samples_with_more_pairs() {
    let peers = Peers::start();
    let mut program = peers.setup("--interval 5ms --stats-interval 100ms").start();
    let line = program.line("WarmUp=");
    let pairs = line.strip_prefix("📊 Stats: ").unwrap().split(", ");
    let (names, values): (Vec<&str>, Vec<&str>) =
        pairs.map(|pair| pair.split_once('=').unwrap()).unzip();
    assert_eq!(
        names[..14],
        [
            "Produced",
            "Errors",
            "Rate",
            "Runtime",
            "InFlight",
            "Buffered",
            "IntervalRate",
            "Last",
            "P50",
            "P90",
            "P99",
            "P99.9",
            "Max",
            "WarmUp"
        ],
        "{line}"
    );
    assert!(values[0].parse::<u64>().unwrap() > 0, "{line}");
    assert_eq!(values[1], "0");
    let rate = values[2].strip_suffix(" msgs/sec").unwrap();
    assert_eq!(rate.split_once('.').unwrap().1.len(), 2, "{line}");
    assert!(rate.parse::<f64>().unwrap() > 0.0, "{line}");
    assert!(values[3].ends_with('s'), "{line}");
    assert!(values[7].ends_with('Z'), "{line}");
}

#[test]
fn every_codec_delivers_every_shoe_at_full_speed() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let peers = Peers::start();
        let flags = format!("--count 5000 --interval 0 --compression {codec}");
        let ended = peers.setup(&flags).run();
        ended.expect_code(0);
        assert_eq!(ended.ledger(), Ledger::all(5000));
        ended.line("⏹️ Message count reached. Stopping production...");
        assert_all(&peers.kafka, 5000);
        let batches = peers.kafka.batches("js_shoe").concat();
        assert!(batches.iter().all(|batch| batch.compression == codec));
        assert!(batches.len() < 500, "records are put into batches");
    }
}

#[test]
fn every_level_of_acks_delivers_every_shoe() {
    for (acks, idempotent) in [("all", true), ("1", false), ("0", false)] {
        let peers = Peers::start();
        let flags = format!("--count 1000 --interval 0 --acks {acks}");
        let ended = peers.setup(&flags).run();
        ended.expect_code(0);
        assert_eq!(ended.ledger(), Ledger::all(1000));
        // With acks=0 the last ones may still be on their way when the program has ended.
        peers.wait_records(1000);
        assert_all(&peers.kafka, 1000);
        let batches = peers.kafka.batches("js_shoe").concat();
        assert!(
            batches
                .iter()
                .all(|batch| (batch.producer_id >= 0) == idempotent)
        );
    }
}

#[test]
fn without_a_key_the_sticky_partitioner_spreads_whole_batches() {
    let peers = Peers::start();
    let setup = peers.setup("--count 5000 --interval 0 --key none");
    let ended = setup.env("KAFKA_BATCH_SIZE", "10000").run();
    ended.expect_code(0);
    let expected = Expected {
        keyed: false,
        ..Expected::default()
    };
    assert_exactly(&peers.kafka, expected, 5000);
    let partitions = peers.kafka.records("js_shoe");
    assert!(partitions.iter().all(|records| !records.is_empty()));
}

#[test]
fn several_brokers_each_get_the_partitions_that_they_lead() {
    let peers = Peers::with(Config {
        nodes: 3,
        topics: vec![("js_shoe".to_owned(), 7)],
        ..Config::default()
    });
    let ended = peers.setup("--count 5000 --interval 0").run();
    ended.expect_code(0).expect_no("⚠️");
    assert_eq!(ended.ledger(), Ledger::all(5000));
    assert_all(&peers.kafka, 5000);
    assert_eq!(peers.kafka.refusals(), []);
}

#[test]
fn another_topic_instance_and_seed_are_other_shoes_under_another_subject() {
    let peers = Peers::start();
    peers.kafka.create_topic("boots.v2", 1);
    let flags =
        "--topic boots.v2 --instance-id 7 --seed 18446744073709551615 --count 100 --interval 0";
    let ended = peers.setup(flags).run();
    ended.expect_code(0);
    ended.line("   🎲 Seed: 18446744073709551615, instance 7");
    let expected = Expected {
        topic: "boots.v2",
        seed: u64::MAX,
        instance: 7,
        ..Expected::default()
    };
    assert_exactly(&peers.kafka, expected, 100);
    assert_eq!(peers.registry.subjects(), ["boots.v2-value"]);
}

#[test]
fn the_seed_that_was_drawn_is_logged_and_makes_the_run_again() {
    let peers = Peers::start();
    let setup = peers.setup("--count 10 --interval 0").without_env("SEED");
    let ended = setup.run();
    ended.expect_code(0);
    let line = ended.line("   🎲 Seed: ");
    let seed = line.strip_prefix("   🎲 Seed: ").unwrap();
    let seed = seed.strip_suffix(", instance 0").unwrap();
    let expected = Expected {
        seed: seed.parse().unwrap(),
        ..Expected::default()
    };
    assert_exactly(&peers.kafka, expected, 10);
}

#[test]
fn a_missing_topic_is_created_where_that_is_wanted() {
    let peers = Peers::with(Config {
        topics: vec![],
        ..Config::default()
    });
    let setup = peers.setup("--count 100 --interval 0");
    let ended = setup.env("KAFKA_CREATE_TOPIC", "5:1").run();
    ended.expect_code(0);
    assert_eq!(peers.kafka.records("js_shoe").len(), 5);
    assert_all(&peers.kafka, 100);

    // It is there now, and stays as it is.
    let setup = peers.setup("--count 100 --interval 0 --instance-id 1");
    let ended = setup.env("KAFKA_CREATE_TOPIC", "9").run();
    ended.expect_code(0);
    assert_eq!(peers.kafka.records("js_shoe").len(), 5);
    assert_eq!(peers.kafka.record_count("js_shoe"), 200);
}

/// Scenario 27.
#[test]
fn a_missing_topic_ends_the_run_with_one_clear_line() {
    let peers = Peers::start();
    let ended = peers.setup("--topic shoos").run();
    ended.expect_code(1);
    let line = ended.line("❌ Kafka: ");
    assert!(line.contains("topic shoos does not exist"), "{line}");
    assert!(line.contains("KAFKA_CREATE_TOPIC"), "{line}");
    assert_eq!(ended.ledger(), Ledger::all(0));
    assert_eq!(peers.kafka.requests(ApiKey::CreateTopics), 0);
}

#[test]
fn a_topic_that_appears_late_is_waited_for() {
    let peers = Peers::with(Config {
        topics: vec![],
        ..Config::default()
    });
    let program = peers.setup("--count 10 --interval 0").start();
    peers.wait("a question for the topic", |state| {
        state.requests(ApiKey::Metadata) > 0
    });
    peers.kafka.create_topic("js_shoe", 2);
    program.end().expect_code(0);
    assert_all(&peers.kafka, 10);
}

#[test]
fn each_message_is_told_at_the_level_debug() {
    let peers = Peers::start();
    let ended = peers
        .setup("--count 3 --interval 0 --log-level debug")
        .run();
    ended.expect_code(0);
    for n in 0..3 {
        let line = ended.line(&format!("Message {n}: id="));
        assert!(line.contains("key=id"), "{line}");
    }
    ended.line("Schema id 100001 under subject js_shoe-value");
}

#[test]
fn the_full_log_format_tells_the_same_with_time_and_level() {
    let peers = Peers::start();
    let ended = peers.setup("--count 1 --log-format full").run();
    ended.expect_code(0);
    let first = &ended.lines[0];
    let (time, rest) = first.split_once(' ').unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{first}");
    assert!(rest.starts_with("INFO  🚀 Starting Continuous"), "{first}");
}

#[test]
fn at_the_level_error_only_the_books_are_printed() {
    let peers = Peers::start();
    let ended = peers
        .setup("--count 5 --interval 0 --log-level error")
        .run();
    ended.expect_code(0);
    assert_eq!(ended.lines[0], "📊 Final Statistics:", "{}", ended.stderr());
    assert_eq!(ended.ledger(), Ledger::all(5));
}

#[test]
fn the_partitioner_that_the_tests_compare_with_is_javas() {
    // Kafka's `UtilsTest.testMurmur2`: "21" is -973932308, "foobar" -790332482, "abc" 479470107.
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("abc", 479_470_107),
    ] {
        let positive = hash.cast_unsigned() & 0x7fff_ffff;
        let partition = shoes::partition_of(key.as_bytes(), 1 << 30);
        assert_eq!(partition, positive as usize % (1 << 30), "{key}");
    }
}
