//! The command line of the sandbox program.
//!
//! One set of options for both commands; whatever follows `--` is the program to run, untouched. Reads `KAFKA_TOPIC`,
//! which the program that is run reads as well, and nothing else of the environment.

use std::env;
use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};
use sandbox::{DEFAULT_PARTITIONS, DEFAULT_TOPIC};

use crate::access::Access;

pub(crate) const HELP: &str = "\
An in-memory Kafka broker and a Schema Registry on 127.0.0.1.

  sandbox run [OPTIONS] -- PROGRAM [ARGUMENTS…]   beside PROGRAM, which finds them by KAFKA_BOOTSTRAP_SERVERS and
                                                  SCHEMA_REGISTRY_URL; ends as PROGRAM does, with 1 on violations
  sandbox serve [OPTIONS]                         until SIGINT, SIGTERM or SIGHUP

  --topic NAME           the topic that exists [KAFKA_TOPIC, else js_shoe]
  --partitions N         its partitions [3]
  --nodes N              how many brokers [1]
  --port PORT            the first broker's port [9092 if free, else any]
  --registry-port PORT   the registry's port [8081 if free, else any]
  --security-protocol P  PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, for the brokers [PLAINTEXT]
  --user NAME:PASSWORD   who is let in with SASL [sandbox:sandbox-secret]
  --client-certificate   demand one with TLS
  --host NAME            what clients are told to call the brokers, and what certificates are for: elsewhere.example, or
                         localhost or 127.0.0.1 [127.0.0.1]
  --https                the registry takes nothing else; with SSL or SASL_SSL
  --discard              count records and check batches only by their checksum, keep nothing
  --orders               of serve: take orders from standard input until its end, a line each: kill NODE, start NODE,
                         refuse CODE (the next produce request)
  --help                 this text";

/// What to do.
pub(crate) enum Command {
    Help,
    Run(Options, Vec<OsString>),
    Serve(Options),
    /// What `run` starts itself as, to become the program.
    Exec(Vec<OsString>),
}

/// What to start.
pub(crate) struct Options {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    pub(crate) nodes: usize,
    pub(crate) port: Option<u16>,
    pub(crate) registry_port: Option<u16>,
    pub(crate) discard: bool,
    pub(crate) orders: bool,
    /// Whether the registry is encrypted.
    pub(crate) https: bool,
    pub(crate) access: Access,
}

/// Reads the command line.
pub(crate) fn parse(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options {
        topic: env::var("KAFKA_TOPIC")
            .ok()
            .filter(|topic| !topic.is_empty())
            .unwrap_or(DEFAULT_TOPIC.to_owned()),
        partitions: DEFAULT_PARTITIONS,
        nodes: 1,
        port: None,
        registry_port: None,
        discard: false,
        orders: false,
        https: false,
        access: Access::default(),
    };
    let runs = match parser.next()? {
        Some(Arg::Value(command)) if command == "run" => true,
        Some(Arg::Value(command)) if command == "serve" => false,
        Some(Arg::Value(command)) if command == "exec" => {
            return Ok(Command::Exec(
                parser
                    .raw_args()?
                    .skip_while(|argument| argument == "--")
                    .collect(),
            ));
        }
        None | Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Command::Help),
        Some(other) => return Err(other.unexpected()),
    };
    let mut program = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("topic") => options.topic = parser.value()?.string()?,
            Arg::Long("partitions") => options.partitions = parser.value()?.parse()?,
            Arg::Long("nodes") => options.nodes = parser.value()?.parse()?,
            Arg::Long("port") => options.port = Some(parser.value()?.parse()?),
            Arg::Long("registry-port") => options.registry_port = Some(parser.value()?.parse()?),
            Arg::Long("security-protocol") => {
                let name = parser.value()?.string()?;
                if !options.access.set_protocol(&name) {
                    return Err(format!("{name} is no security protocol").into());
                }
            }
            Arg::Long("user") => {
                let user = parser.value()?.string()?;
                let (name, password) = user.split_once(':').ok_or("--user NAME:PASSWORD")?;
                options.access.user = (name.to_owned(), password.to_owned());
            }
            Arg::Long("client-certificate") => options.access.client_certificate = true,
            Arg::Long("host") => options.access.host = parser.value()?.string()?,
            Arg::Long("https") => options.https = true,
            Arg::Long("discard") => options.discard = true,
            Arg::Long("orders") if !runs => options.orders = true,
            Arg::Value(first) if runs => {
                program.push(first);
                program.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected()),
        }
    }
    if options.access.client_certificate && !options.access.encrypted {
        return Err("--client-certificate needs SSL or SASL_SSL".into());
    }
    // Whoever is told of it is told by the brokers' settings which authority to trust.
    if options.https && !options.access.encrypted {
        return Err("--https needs SSL or SASL_SSL".into());
    }
    match (runs, program.is_empty()) {
        (true, true) => Err("run needs a program behind --".into()),
        (true, false) => Ok(Command::Run(options, program)),
        (false, _) => Ok(Command::Serve(options)),
    }
}
