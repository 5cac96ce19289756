//! The one table of settings.
//!
//! Flags, environment, `.env`, bounds, errors, suggestions, `--help`, `--print-config`, `.env.example` and the README's
//! table all come from these rows; a setting is added here, given a meaning in [`super::meaning`], and nowhere else.
//! Invariant: every [`Id`] has one row, every default is a value of its kind, every variable and flag is unique.

use super::choice::{ACKS, BEARER, BOOLEAN, COMPRESSION, FORMAT, KEY, LEVEL, SASL, SECURITY};
use super::setting::{Group, Id, REQUIRED, Setting};
use super::value::Kind;

const HOUR_MS: u64 = 3_600_000;
/// A leap year; longer pauses and runs are slips of the finger.
const YEAR_MS: u64 = 366 * 24 * HOUR_MS;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Most in-flight requests that brokers keep sequences for (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const MAX_IN_FLIGHT_WITH_IDEMPOTENCE: u64 = 5;

/// What the buffer holds besides one batch: chunks on their way, and batches that wait for an answer.
pub const BUFFER_BYTES_BESIDE_BATCH_MIN: u64 = 2 * MIB;

/// Most bytes of buffer; what a 32-bit process can still address, or 64 GiB.
const BUFFER_BYTES_MAX: u64 = if usize::BITS < 64 { 1 << 30 } else { 1 << 36 };

const fn row(id: Id, group: Group, variable: &'static str, kind: Kind) -> Setting {
    Setting::new(id, group, variable, kind)
}

const fn span(min_ms: u64, max_ms: u64) -> Kind {
    Kind::Duration {
        min_ms,
        max_ms,
        zero_too: false,
    }
}

/// Every setting, in the order in which it is shown.
pub static TABLE: [Setting; 43] = [
    row(Id::Interval, Group::Messages, "MESSAGE_INTERVAL", span(0, YEAR_MS))
        .flag("interval", "TIME")
        .default("1s")
        .means(
            "time between messages; 0: full speed",
            "time between messages, in Go's duration syntax: `500ms`, `1s`, `1m30s`, `1.5h`, `.5s`, `250us`, `250µs`; `0` = as fast as possible",
        ),
    row(Id::Count, Group::Messages, "MESSAGE_COUNT", Kind::Integer { min: 1, max: u64::MAX })
        .flag("count", "N")
        .without("no limit", "1000")
        .means("stop after so many messages", "stop after so many messages"),
    row(Id::RunDuration, Group::Messages, "RUN_DURATION", span(1, 10 * YEAR_MS))
        .flag("duration", "TIME")
        .without("no limit", "1h")
        .means("stop after so long", "stop after so long"),
    row(Id::Seed, Group::Messages, "SEED", Kind::Integer { min: 0, max: u64::MAX })
        .flag("seed", "N")
        .without("random, logged", "42")
        .means("same seed, same shoes", "same seed and instance: the same shoes, byte for byte"),
    row(Id::InstanceId, Group::Messages, "INSTANCE_ID", Kind::Integer { min: 0, max: u16::MAX as u64 })
        .flag("instance-id", "N")
        .default("0")
        .means(
            "which of several producers",
            "which of several parallel producers this is (0 to 65535): no two instances ever share a shoe id",
        ),
    row(Id::LogLevel, Group::Running, "LOG_LEVEL", Kind::Choice(&LEVEL))
        .flag("log-level", "LEVEL")
        .default("info")
        .means("debug, info, warn, error", "`debug` (each message), `info`, `warn`, `error`"),
    row(Id::LogFormat, Group::Running, "LOG_FORMAT", Kind::Choice(&FORMAT))
        .flag("log-format", "FORMAT")
        .without("`pretty` on a terminal, `full` elsewhere", "full")
        .means(
            "pretty, full, json",
            "`pretty`: bare lines as in the sample; `full`: RFC 3339 time and level first; `json`: one object a line",
        ),
    row(
        Id::StatsInterval,
        Group::Running,
        "STATS_INTERVAL",
        Kind::Duration { min_ms: 100, max_ms: YEAR_MS, zero_too: true },
    )
    .flag("stats-interval", "TIME")
    .default("10s")
    .means("time between statistics; 0: never", "how often the statistics line appears; `0` = never"),
    row(Id::ShutdownTimeout, Group::Running, "SHUTDOWN_TIMEOUT", span(0, 24 * HOUR_MS))
        .flag("shutdown-timeout", "TIME")
        .default("30s")
        .means(
            "how long a shutdown may take",
            "how long a graceful shutdown may take before what is unsent is given up, counted and reported",
        ),
    row(Id::MetricsListen, Group::Running, "METRICS_LISTEN", Kind::Listen)
        .flag("metrics-listen", "ADDR")
        .without("off", "127.0.0.1:9400")
        .means(
            "serve metrics, health, a page",
            "`host:port` of `/metrics` (Prometheus), `/healthz`, `/readyz`, `/status` and a page at `/`; port 9400 where none is given",
        ),
    row(Id::LedgerFile, Group::Running, "LEDGER_FILE", Kind::Path)
        .flag("ledger-file", "FILE")
        .without("off", "ledger.json")
        .means(
            "JSON summary at the end",
            "file that a JSON summary of the run is written to when it ends, as a whole or not at all",
        ),
    row(Id::BootstrapServers, Group::Cluster, "KAFKA_BOOTSTRAP_SERVERS", Kind::Servers)
        .flag("bootstrap-servers", "LIST")
        .without(REQUIRED, "localhost:9092")
        .means(
            "host:port,host:port",
            "`host:port,host:port`; IPv6 as `[::1]:9092`; port 9092 where none is given",
        ),
    row(Id::Topic, Group::Cluster, "KAFKA_TOPIC", Kind::Topic)
        .flag("topic", "NAME")
        .default("js_shoe")
        .means("the topic", "the topic that is produced to"),
    row(Id::ApiKey, Group::Cluster, "KAFKA_API_KEY", Kind::Text)
        .or_file()
        .means("SASL user name", "SASL user name"),
    row(Id::ApiSecret, Group::Cluster, "KAFKA_API_SECRET", Kind::Secret)
        .or_file()
        .means("SASL password", "SASL password; may hold `=`, `#`, spaces and quotes"),
    row(Id::SecurityProtocol, Group::Cluster, "KAFKA_SECURITY_PROTOCOL", Kind::Choice(&SECURITY))
        .flag("security-protocol", "NAME")
        .without("`SASL_SSL` with an API key, else `PLAINTEXT`", "PLAINTEXT")
        .means("TLS and authentication", "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`"),
    row(Id::SaslMechanism, Group::Cluster, "KAFKA_SASL_MECHANISM", Kind::Choice(&SASL))
        .flag("sasl-mechanism", "NAME")
        .default("PLAIN")
        .means("PLAIN, SCRAM, OAUTHBEARER", "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`"),
    row(Id::OauthTokenEndpointUrl, Group::Cluster, "KAFKA_OAUTH_TOKEN_ENDPOINT_URL", Kind::Endpoint)
        .means(
            "OAUTHBEARER: token endpoint",
            "OAUTHBEARER by OIDC client credentials (id and secret = API key and secret): the token endpoint",
        ),
    row(Id::OauthScope, Group::Cluster, "KAFKA_OAUTH_SCOPE", Kind::Text)
        .means("OAUTHBEARER: scope", "OAUTHBEARER: the scope to ask for"),
    row(Id::OauthExtensions, Group::Cluster, "KAFKA_OAUTH_EXTENSIONS", Kind::Extensions)
        .means(
            "OAUTHBEARER: extensions",
            "OAUTHBEARER: SASL extensions, `name=value,…`, such as `logicalCluster=lkc-…,identityPoolId=pool-…`",
        ),
    row(Id::SslCa, Group::Cluster, "KAFKA_SSL_CA_LOCATION", Kind::Path)
        .flag("ssl-ca", "FILE")
        .without("Mozilla's roots, built in", "")
        .means(
            "PEM file of trusted roots",
            "PEM file of the authorities to trust in place of the built-in ones; for the token endpoint both count",
        ),
    row(Id::SslCertificate, Group::Cluster, "KAFKA_SSL_CERTIFICATE_LOCATION", Kind::Path)
        .means(
            "client certificate, PEM file",
            "client certificate with its chain (mutual TLS), PEM; the registry and the token endpoint get it too if they ask",
        ),
    row(Id::SslKey, Group::Cluster, "KAFKA_SSL_KEY_LOCATION", Kind::Path)
        .means("its key, PEM file", "key of the client certificate, PEM, without a pass phrase"),
    row(Id::Acks, Group::Delivery, "KAFKA_ACKS", Kind::Choice(&ACKS))
        .flag("acks", "ACKS")
        .default("all")
        .means("all, 1, 0", "`all`, `1`, `0`"),
    row(Id::Idempotence, Group::Delivery, "KAFKA_ENABLE_IDEMPOTENCE", Kind::Choice(&BOOLEAN))
        .without("`true` with acks=all", "true")
        .means("no duplicates, no reordering", "no duplicate, no reordering across retries"),
    row(Id::Compression, Group::Delivery, "KAFKA_COMPRESSION_TYPE", Kind::Choice(&COMPRESSION))
        .flag("compression", "CODEC")
        .default("none")
        .means("none, gzip, snappy, lz4, zstd", "`none`, `gzip`, `snappy`, `lz4`, `zstd`"),
    row(Id::Linger, Group::Delivery, "KAFKA_LINGER", span(0, HOUR_MS))
        .flag("linger", "TIME")
        .default("5ms")
        .means("how long a batch waits for more", "how long a batch that is not full waits for more records"),
    row(Id::BatchSize, Group::Delivery, "KAFKA_BATCH_SIZE", Kind::Bytes { min: KIB, max: 16 * MIB })
        .default("1000000")
        .means("bytes of a batch", "bytes"),
    row(Id::MaxInFlight, Group::Delivery, "KAFKA_MAX_IN_FLIGHT", Kind::Integer { min: 1, max: 100 })
        .default("5")
        .means("unanswered requests per broker", "requests per broker; over 5 refused with idempotence"),
    row(
        Id::BufferMemory,
        Group::Delivery,
        "KAFKA_BUFFER_MEMORY",
        Kind::Bytes { min: BUFFER_BYTES_BESIDE_BATCH_MIN + KIB, max: BUFFER_BYTES_MAX },
    )
    .default("32MiB")
    .means(
        "bound on what awaits delivery",
        "bound on all that is generated and not yet acknowledged; when full, the generator waits",
    ),
    row(Id::DeliveryTimeout, Group::Delivery, "KAFKA_DELIVERY_TIMEOUT", span(10, 24 * HOUR_MS))
        .default("2m")
        .means("then a message has failed", "after it a message counts as failed"),
    row(Id::RequestTimeout, Group::Delivery, "KAFKA_REQUEST_TIMEOUT", span(10, HOUR_MS))
        .default("30s")
        .means("then a request is lost", "how long one request may stay unanswered"),
    row(Id::ClientId, Group::Delivery, "KAFKA_CLIENT_ID", Kind::Text)
        .default("continuous-producer")
        .means("name in the brokers' logs", "what brokers write in their logs"),
    row(Id::MessageKey, Group::Delivery, "KAFKA_MESSAGE_KEY", Kind::Choice(&KEY))
        .flag("key", "KEY")
        .default("id")
        .means(
            "id (the shoe's), none",
            "`id`: the shoe's id, partitioned by murmur2 as Java does; `none`: sticky partitioner",
        ),
    row(Id::CreateTopic, Group::Delivery, "KAFKA_CREATE_TOPIC", Kind::NewTopic)
        .without("off", "6:3")
        .means(
            "PARTITIONS[:REPLICATION]",
            "`PARTITIONS[:REPLICATION]`: create the topic when it is missing",
        ),
    row(Id::RegistryUrl, Group::Registry, "SCHEMA_REGISTRY_URL", Kind::Urls)
        .flag("registry-url", "URL")
        .without(REQUIRED, "http://localhost:8081")
        .means("URL, or several with commas", "one URL or several, comma-separated, tried in turn"),
    row(Id::RegistryApiKey, Group::Registry, "SCHEMA_REGISTRY_API_KEY", Kind::Text)
        .or_file()
        .means("user name", "basic authentication: user name"),
    row(Id::RegistryApiSecret, Group::Registry, "SCHEMA_REGISTRY_API_SECRET", Kind::Secret)
        .or_file()
        .means("password", "basic authentication: password"),
    row(
        Id::RegistryBearer,
        Group::Registry,
        "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE",
        Kind::Choice(&BEARER),
    )
    .default("none")
    .means(
        "show Kafka's token",
        "`SASL_OAUTHBEARER_INHERIT`: the registry is shown the token that brokers get; `none`: it is not",
    ),
    row(
        Id::RegistryBearerCluster,
        Group::Registry,
        "SCHEMA_REGISTRY_BEARER_AUTH_LOGICAL_CLUSTER",
        Kind::Text,
    )
    .means(
        "its logical cluster",
        "with a token: the registry's logical cluster (`lsrc-…`), as Confluent Cloud wants it",
    ),
    row(Id::RegistrySslCa, Group::Registry, "SCHEMA_REGISTRY_SSL_CA_LOCATION", Kind::Path)
        .without("as Kafka's", "")
        .means("PEM file of trusted roots", "PEM file of the authorities to trust for the registry"),
    row(Id::AutoRegister, Group::Registry, "SCHEMA_REGISTRY_AUTO_REGISTER", Kind::Choice(&BOOLEAN))
        .default("true")
        .means("false: look up, never register", "`false`: look the schema up, never register"),
    row(Id::Subject, Group::Registry, "SCHEMA_REGISTRY_SUBJECT", Kind::Text)
        .without("`<topic>-value`", "js_shoe-value")
        .means("subject of the schema", "subject under which the schema stands"),
];

/// Beginnings of variables that belong to this program; one that no setting has is probably a slip.
pub const PREFIXES: [&str; 3] = ["KAFKA_", "SCHEMA_REGISTRY_", "MESSAGE_"];

/// The setting with this flag (without dashes).
pub fn by_flag(flag: &str) -> Option<&'static Setting> {
    TABLE
        .iter()
        .find(|setting| setting.flag.is_some_and(|(name, _)| name == flag))
}

/// The row of a setting.
pub fn by_id(id: Id) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.id == id)
}

/// Every variable that is read, `*_FILE` twins too.
pub fn variables() -> Vec<String> {
    TABLE
        .iter()
        .flat_map(|setting| [Some(setting.variable.to_owned()), setting.file_variable()])
        .flatten()
        .collect()
}
