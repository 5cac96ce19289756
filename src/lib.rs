//! Endlessly invents realistic shoes and produces them to Kafka as Protobuf, losing nothing when it is told to stop.
//!
//! ```text
//!              bounded channel of            bounded channels,
//!              record chunks (and            one pair a broker
//!              empty ones back)
//!  generator ───────────────────▶ producer ═══▶ broker-1-write ──▶ TCP/TLS ──▶ Kafka
//!  (schedule, shoe n, protobuf,   (drives the   broker-1-read  ◀──
//!   Confluent frame)               client core) broker-2-…
//!       ▲                              │
//!       │ stop                         │ counters, histogram
//!  signals, count, duration            ▼
//!                               stats thread ──▶ log lines, final statistics
//!                               monitor ───────▶ /metrics, /healthz, /readyz, a page   (METRICS_LISTEN)
//!                               watchdog ──────▶ the service manager                   (NOTIFY_SOCKET)
//! ```
//!
//! One process, a handful of named threads, bounded channels between them, one direction of flow. Nothing sleeps where it
//! could wait on a channel with a deadline; every queue, wait and peer-supplied length has a named bound.
//!
//! # Rooms, in the order in which the data flows
//!
//! | room | what it is | may import |
//! | --- | --- | --- |
//! | [`settings`] | what the user asked for: one table drives flags, environment, `.env`, help and validation | the plain `config` of `kafka`, `registry` and `oauth`; `tls`, `crypto` and `host_names`, which do nothing by themselves; `exit` |
//! | [`shoe`] | what is generated: shoe *n* of (seed, instance), a pure function | its generated schema |
//! | [`registry`] | the Schema Registry: client, Confluent frame | `http`, `tls`, `foreign` |
//! | [`oauth`] | tokens for OAUTHBEARER from a token endpoint | `http`, `tls`, `foreign` |
//! | [`http`] | how HTTP is spoken: bounds, encryption, what failures mean | `tls`, `host_names` |
//! | [`kafka::wire`] | bytes ⇄ messages | nothing of ours |
//! | [`kafka::sasl`] | proving who we are: PLAIN, SCRAM, OAUTHBEARER as steps of challenge and response | `kafka`'s plain `config` |
//! | [`kafka::client`] | the producer as a state machine: accumulator, sequences, sessions, metadata | `kafka::wire`, `kafka::sasl` |
//! | [`kafka::net`] | where sockets live: a link is one connection, encrypted or not, with a writer and a reader thread | frames of `kafka::wire`, `tls`, `host_names` |
//! | [`tls`] | what is trusted on encrypted connections, and who we are there | `crypto`, `foreign` |
//! | [`crypto`] | what cryptography needs of the processor | nothing of ours |
//! | [`report`] | what the user is told: counters, histogram, books, lines, log, metrics | `settings`, `foreign`, `kafka::client`'s plain `status` |
//! | [`monitor`] | what a run shows over HTTP: metrics, health, status, a page | `kafka`'s plain `config`, `host_names` |
//! | [`pipeline`] | the threads, joined up | everything above |
//! | [`check`] | `--check`: every step of a run up to its first message, each with its outcome | everything above but `pipeline` |
//! | [`mod@error`] | the top error | the errors above, `exit` |
//! | [`exit`] | the exit codes, and what each says | nothing of ours |
//! | [`secret`] | text that must never be seen, wiped when it is dropped, found in whatever form others repeat it | nothing of ours; whoever handles secrets imports it |
//! | [`host_names`] | which names are this machine, and what it means that one has no address | `foreign`; whoever looks names up imports it |
//! | [`foreign`] | which characters of other people's words may be shown, the system's words among them | nothing of ours; whoever repeats such words imports it |
//!
//! `kafka::wire`, `kafka::sasl`, `kafka::client` and `shoe` never name a socket, a thread, a clock, a channel or a global random generator:
//! time and seeds are arguments. `tests/tidy/` holds the house to all of this.
//!
//! # Where to start reading
//!
//! [`pipeline::run`] is a run from its first line to its last. [`kafka::client`] says when a batch may be sent and when it may
//! fail: the rule that decides about loss and duplicates.

pub mod check;
pub mod crypto;
pub mod error;
pub mod exit;
pub mod foreign;
pub mod host_names;
pub mod http;
pub mod kafka;
pub mod monitor;
pub mod oauth;
pub mod pipeline;
pub mod registry;
pub mod report;
pub mod secret;
pub mod settings;
pub mod shoe;
pub mod tls;
