//! The program: what it says, what it tells the program beside it, signals, and exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::zombie_processes
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use common::{Client, batch, produce_request};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command
        .args(arguments)
        .env_remove("KAFKA_TOPIC")
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn run_shell(script: &str) -> Output {
    program(&["run", "--", "sh", "-c", script])
        .output()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn line(from: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

#[test]
fn run_says_what_it_started_and_tells_the_program() {
    let output = run_shell("echo $KAFKA_BOOTSTRAP_SERVERS $SCHEMA_REGISTRY_URL");
    let told = String::from_utf8(output.stdout).unwrap();
    let (servers, url) = told.trim().split_once(' ').unwrap();
    assert!(
        servers.starts_with("127.0.0.1:") && url.starts_with("http://127.0.0.1:"),
        "{told}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("No cluster is configured")
            && lines[0].contains(servers)
            && lines[0].contains(url)
    );
    assert!(
        lines[1].ends_with(&format!(
            "kcat -b {servers} -t js_shoe -C -f '%p %o %k %S bytes\\n'"
        )),
        "{said}"
    );
    assert!(
        lines[2]
            .contains("js_shoe took 0 records (partition 0: 0, partition 1: 0, partition 2: 0)"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn run_ends_as_the_program_does() {
    assert_eq!(run_shell("exit 7").status.code(), Some(7));
    assert_eq!(run_shell("kill -KILL $$").status.code(), Some(137));
    assert_eq!(
        program(&["run", "--", "/no/such/program"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(127)
    );
    assert_eq!(program(&["run"]).output().unwrap().status.code(), Some(2));
    assert_eq!(
        program(&["serve", "--nodes", "many"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        program(&["--help"]).output().unwrap().status.code(),
        Some(0)
    );
}

#[test]
fn run_passes_each_signal_on_once_and_waits() {
    for (name, number) in [
        ("INT", Signal::SIGINT),
        ("TERM", Signal::SIGTERM),
        ("HUP", Signal::SIGHUP),
    ] {
        // It counts signals until a line comes after the first one: a second signal would show. The first is awaited in a
        // loop, since one that comes just before `read` begins to wait would not end it.
        let script = format!(
            "n=0; trap 'n=$((n+1)); echo got $n' {name}; echo ready; while [ $n -lt 1 ]; do :; done; read x; exit $((n+40))"
        );
        let mut child = program(&["run", "--", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        output.read_line(&mut said).unwrap();
        signal(&child, number);
        output.read_line(&mut said).unwrap();
        assert_eq!(said, "ready\ngot 1\n");
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, b"go on\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(41), "{name}");
    }
}

#[test]
fn the_topic_is_the_one_that_the_program_will_use() {
    let output = program(&["run", "--partitions", "2", "--", "true"])
        .env("KAFKA_TOPIC", "boots")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("topic boots took 0 records (partition 0: 0, partition 1: 0)"),
        "{said}"
    );
}

#[test]
fn serve_ends_by_a_signal_with_its_sum_and_with_1_on_violations() {
    for (violations, code) in [(0, 0), (1, 1), (50, 1)] {
        let mut child = program(&[
            "serve",
            "--nodes",
            "2",
            "--port",
            "0",
            "--registry-port",
            "0",
        ])
        .spawn()
        .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let first = line(&mut said);
        let address = first
            .split("broker on ")
            .nth(1)
            .unwrap()
            .split(',')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let mut client = Client::connect(address);
        assert_eq!(client.produce(0, &batch(4)).error_code, 0);
        for _ in 0..violations {
            client.call(9, &produce_request(7, 0, &batch(1))).unwrap();
        }
        signal(&child, Signal::SIGTERM);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(
            rest.contains("js_shoe took 4 records (partition 0: 4,"),
            "{rest}"
        );
        let said = rest.matches("VIOLATION: node 1, Produce v9 from \"test\": acks 7");
        assert_eq!(said.count(), violations.min(20), "{rest}");
        let sum = match violations {
            0 => "",
            1 => "sandbox: 1 violation, see above\n",
            _ => "sandbox: 50 violations, see above\n",
        };
        assert!(rest.ends_with(sum), "{rest}");
        assert_eq!(rest.contains("violation"), violations > 0, "{rest}");
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_secured_cluster_tells_the_program_and_the_reader_how_to_get_in() {
    let script = "echo $KAFKA_SECURITY_PROTOCOL $KAFKA_API_KEY $KAFKA_API_SECRET; cat \
                  $KAFKA_SSL_CA_LOCATION $KAFKA_SSL_CERTIFICATE_LOCATION $KAFKA_SSL_KEY_LOCATION";
    let options = "run --security-protocol SASL_SSL --user me:s:e --client-certificate --";
    let mut arguments: Vec<&str> = options.split(' ').collect();
    arguments.extend(["sh", "-c", script]);
    let output = program(&arguments).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("SASL_SSL me s:e\n"), "{told}");
    let begins: Vec<&str> = told.lines().filter(|line| line.contains("BEGIN")).collect();
    let certificate = "-----BEGIN CERTIFICATE-----";
    assert_eq!(
        begins,
        [certificate, certificate, "-----BEGIN PRIVATE KEY-----"]
    );
    let said = String::from_utf8(output.stderr).unwrap();
    for property in [
        "security.protocol=SASL_SSL",
        "sasl.mechanisms=PLAIN",
        "sasl.username=me",
        "sasl.password=s:e",
        "ssl.ca.location=/",
        "ssl.certificate.location=/",
        "ssl.key.location=/",
    ] {
        assert!(
            said.contains(&format!(" -X {property}")),
            "{property}: {said}"
        );
    }
    for wrong in [
        &["serve", "--security-protocol", "SASL_TLS"][..],
        &["serve", "--client-certificate"],
        &["serve", "--https"],
        &["serve", "--user", "nobody"],
    ] {
        assert_eq!(program(wrong).output().unwrap().status.code(), Some(2));
    }
}

#[test]
fn serve_takes_orders_until_there_are_no_more() {
    let flags = ["serve", "--port", "0", "--registry-port", "0", "--orders"];
    let mut child = program(&flags).stdin(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut orders = child.stdin.take().unwrap();
    let first = line(&mut said);
    let (_, rest) = first.split_once("broker on ").unwrap();
    let address: SocketAddr = rest.split(',').next().unwrap().parse().unwrap();
    assert!(line(&mut said).starts_with("sandbox: read with: "));
    let mut order = |what: &str| {
        writeln!(orders, "{what}").unwrap();
        line(&mut said)
    };
    assert_eq!(order("kill 1"), "sandbox: done: kill 1\n");
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(order("start 1"), "sandbox: done: start 1\n");
    assert_eq!(order("refuse 87"), "sandbox: done: refuse 87\n");
    let mut client = Client::connect(address);
    assert_eq!(client.produce(0, &batch(1)).error_code, 87);
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    assert!(order("nonsense").starts_with("sandbox: not done: nonsense: "));
    drop(orders);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_is_told_of_a_registry_that_is_encrypted() {
    let options = "run --security-protocol SSL --https --";
    let mut arguments: Vec<&str> = options.split(' ').collect();
    arguments.extend(["sh", "-c", "echo $SCHEMA_REGISTRY_URL"]);
    let told = program(&arguments).output().unwrap().stdout;
    assert!(told.starts_with(b"https://127.0.0.1:"));
}
