//! The sandbox as a program: beside another program for its run, or by itself until a signal ends it.
//!
//! `sandbox run -- PROGRAM` starts a broker and a registry, tells PROGRAM of them by its environment, and ends as
//! PROGRAM does; `sandbox serve` serves until SIGINT, SIGTERM or SIGHUP. Both say what clients
//! do wrong as it happens, for the first twenty times, and end with what every topic took. All of it is said on standard error, so that standard
//! output is the program's own.

mod access;
mod options;
mod orders;
mod run;

use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};
use sandbox::{Config, Registry, RegistrySettings, Sandbox};

use options::{Command, Options};

/// Exit code when clients did something wrong, or when the sandbox could not start.
const FAILED: u8 = 1;
/// Exit code when the command line is wrong.
const MISUSED: u8 = 2;
/// How much of the records is kept; the oldest go first, and stay counted.
const RETENTION_BYTES: usize = 256 * 1024 * 1024;
/// Where Kafka and the registry usually are.
const FAMILIAR_KAFKA_PORT: u16 = 9092;
const FAMILIAR_REGISTRY_PORT: u16 = 8081;

fn main() -> ExitCode {
    let command = match options::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("sandbox: {error}; see sandbox --help");
            return ExitCode::from(MISUSED);
        }
    };
    let done = match command {
        Command::Help => {
            println!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Command::Run(options, program) => run::run(&options, &program),
        Command::Serve(options) => serve(&options),
        Command::Exec(program) => run::become_program(&program),
    };
    done.unwrap_or_else(|error| {
        eprintln!("sandbox: {error}");
        ExitCode::from(FAILED)
    })
}

/// A broker and a registry, running.
struct Servers {
    broker: Arc<Sandbox>,
    registry: Registry,
    topic: String,
    /// What a client of librdkafka has to be told to get in.
    properties: Vec<(&'static str, String)>,
}

impl Servers {
    /// Starts both, on the familiar ports if these are free and no others are asked for.
    fn start(options: &Options) -> std::io::Result<Self> {
        let config = |port| Config {
            nodes: options.nodes,
            port,
            host: options.access.host.clone(),
            topics: vec![(options.topic.clone(), options.partitions)],
            retention_bytes: Some(RETENTION_BYTES),
            discard: options.discard,
            announce: true,
            auto_create_partitions: Some(options.partitions),
            security: options.access.security(),
            ..Config::default()
        };
        let settings = |port| RegistrySettings {
            port,
            tls: options.https.then(|| options.access.tls()),
            ..RegistrySettings::default()
        };
        let broker = match options.port {
            Some(port) => Sandbox::start(config(port))?,
            None => Sandbox::start(config(FAMILIAR_KAFKA_PORT))
                .or_else(|_taken| Sandbox::start(config(0)))?,
        };
        let registry = match options.registry_port {
            Some(port) => Registry::start(&settings(port))?,
            None => Registry::start(&settings(FAMILIAR_REGISTRY_PORT))
                .or_else(|_taken| Registry::start(&settings(0)))?,
        };
        Ok(Self {
            broker: Arc::new(broker),
            registry,
            topic: options.topic.clone(),
            properties: options.access.properties(),
        })
    }

    /// The line that reads the topic.
    fn kcat(&self) -> String {
        let servers = self.broker.bootstrap_servers();
        let properties: Vec<String> = self
            .properties
            .iter()
            .map(|(name, value)| format!(" -X {name}={value}"))
            .collect();
        format!(
            "kcat -b {servers}{} -t {} -C -f '%p %o %k %S bytes\\n'",
            properties.concat(),
            self.topic
        )
    }

    /// Says what the topics took; returns whether no client did anything wrong, which was said as it happened.
    fn sum_up(&self) -> bool {
        let (topics, violations) = self.broker.look(|state| {
            let topics: Vec<(String, Vec<u64>)> = state
                .topics()
                .filter(|&name| name == self.topic || state.record_count(name) > 0)
                .map(|name| (name.to_owned(), state.partition_record_counts(name)))
                .collect();
            (topics, state.violation_count())
        });
        for (name, counts) in topics {
            let total: u64 = counts.iter().sum();
            let each: Vec<String> = counts
                .iter()
                .enumerate()
                .map(|(index, count)| format!("partition {index}: {count}"))
                .collect();
            eprintln!(
                "sandbox: topic {name} took {total} records ({})",
                each.join(", ")
            );
        }
        if violations > 0 {
            let noun = if violations == 1 {
                "violation"
            } else {
                "violations"
            };
            eprintln!("sandbox: {violations} {noun}, see above");
        }
        violations == 0
    }
}

fn serve(options: &Options) -> std::io::Result<ExitCode> {
    let signals = ending_signals();
    signals.thread_block()?;
    let servers = Servers::start(options)?;
    eprintln!(
        "sandbox: broker on {}, registry on {}",
        servers.broker.bootstrap_servers(),
        servers.registry.url()
    );
    eprintln!("sandbox: read with: {}", servers.kcat());
    if options.orders {
        orders::take(&servers.broker)?;
    }
    signals.wait()?;
    Ok(if servers.sum_up() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// The signals that ask a program to end.
fn ending_signals() -> SigSet {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals
}
