//! The program as its users run it: the real binary, in a folder of its own, with nothing but the environment that a test
//! gives it, against a sandbox.
//!
//! Every wait is for something that the program says or the sandbox sees, and ends at [`DEADLINE`] with all that was
//! printed; nothing here sleeps, and no test measures time. A program that outlives its test is killed.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test crate uses its own part"
)]

pub(crate) mod search;
pub(crate) mod secured;
pub(crate) mod shoes;
pub(crate) mod tools;
pub(crate) mod trouble;
pub(crate) mod watch;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use sandbox::{Config, Registry, RegistrySettings, Sandbox, State};

/// How long anything may take before a test fails. Generous: it is never waited for in vain but once.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The seed of every run that does not say otherwise.
pub(crate) const SEED: u64 = 42;

/// What a run needs: a cluster and a registry.
pub(crate) struct Peers {
    pub(crate) kafka: Sandbox,
    pub(crate) registry: Registry,
}

impl Peers {
    /// One healthy node with the default topic.
    pub(crate) fn start() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            kafka: Sandbox::start(config).unwrap(),
            registry: Registry::start(&RegistrySettings::default()).unwrap(),
        }
    }

    /// The program, set up for these peers.
    pub(crate) fn setup(&self, flags: &str) -> Setup {
        Setup::new(flags)
            .env("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap_servers())
            .env("SCHEMA_REGISTRY_URL", self.registry.url())
            .env("SEED", SEED.to_string())
    }

    /// Waits for the cluster.
    pub(crate) fn wait(&self, what: &str, condition: impl FnMut(&State) -> bool) {
        assert!(self.kafka.wait_for(condition, DEADLINE), "never: {what}");
    }

    /// Three nodes die and return while `program` produces: one after the other, so that the others take over for so many
    /// records each time, and then all at once, so that it goes on from memory.
    pub(crate) fn die_and_return(&self, program: &mut Program, records: u64) {
        for node in [1, 2, 3, 1, 2, 3] {
            self.kafka.kill_node(node);
            let count = self.kafka.record_count("js_shoe");
            self.wait_records(count + records);
            self.kafka.restart_node(node).unwrap();
        }
        for node in [1, 2, 3] {
            self.kafka.kill_node(node);
        }
        program.line("⚠️ ");
        for node in [3, 1, 2] {
            self.kafka.restart_node(node).unwrap();
        }
        let count = self.kafka.record_count("js_shoe");
        self.wait_records(count + records);
    }

    /// Waits until the default topic has taken so many records.
    pub(crate) fn wait_records(&self, count: u64) {
        self.wait(&format!("{count} records"), |state| {
            state.record_count(sandbox::DEFAULT_TOPIC) >= count
        });
    }
}

/// A program that has not started yet. Its log is pretty, unless a flag says otherwise.
pub(crate) struct Setup {
    command: Command,
    folder: Folder,
}

impl Setup {
    /// With these flags, separated by spaces, and an empty environment.
    pub(crate) fn new(flags: &str) -> Self {
        let folder = Folder::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_continuous-producer"));
        command
            .args(flags.split_whitespace())
            .env_clear()
            .env("LOG_FORMAT", "pretty")
            .current_dir(&folder.0)
            .stdin(Stdio::null());
        Self { command, folder }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// A file in the program's working directory.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Starts it; its standard output is collected.
    pub(crate) fn start(self) -> Program {
        let (mut program, stdout) = self.start_with_stdout(Stdio::piped());
        program.stdout = collected(stdout.unwrap());
        program
    }

    /// The same with signals ignored from the start, as `nohup` does with SIGHUP.
    pub(crate) fn ignoring(self, signal: &str) -> Self {
        let program = self.command;
        let mut command = Command::new("sh");
        let script = format!("trap '' {signal}; exec \"$0\" \"$@\"");
        command
            .args(["-c", &script])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .current_dir(program.get_current_dir().unwrap())
            .stdin(Stdio::null());
        for (name, value) in program.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Self {
            command,
            folder: self.folder,
        }
    }

    /// Starts it; its standard output is the caller's business.
    pub(crate) fn start_with_stdout(mut self, stdout: Stdio) -> (Program, Option<ChildStdout>) {
        self.command.stdout(stdout).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let (sender, lines) = unbounded();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            // A test that has seen enough lets go of the receiver; the program must not notice.
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8(line).unwrap());
            }
        });
        let stdout = child.stdout.take();
        let program = Program {
            child,
            lines,
            stdout: unbounded().1,
            seen: Vec::new(),
            _folder: self.folder,
        };
        (program, stdout)
    }

    /// Starts it with a standard error that nobody reads.
    pub(crate) fn start_with_closed_stderr(self) -> Program {
        let (program, stderr) = self.start_without_stderr(Stdio::piped());
        drop(stderr);
        program
    }

    /// Starts it with a standard error that nobody reads, and that stands open as long as what comes second.
    pub(crate) fn start_with_unread_stderr(self) -> (Program, ChildStderr) {
        let (program, stderr) = self.start_without_stderr(Stdio::piped());
        (program, stderr.unwrap())
    }

    /// Starts it with a standard error that takes nothing.
    pub(crate) fn start_with_full_stderr(self) -> Program {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        self.start_without_stderr(full.into()).0
    }

    fn start_without_stderr(mut self, stderr: Stdio) -> (Program, Option<ChildStderr>) {
        self.command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = self.command.spawn().unwrap();
        let stderr = child.stderr.take();
        let stdout = collected(child.stdout.take().unwrap());
        let program = Program {
            child,
            lines: unbounded().1,
            stdout,
            seen: Vec::new(),
            _folder: self.folder,
        };
        (program, stderr)
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        self.start().end()
    }
}

fn collected(mut stdout: ChildStdout) -> Receiver<std::io::Result<String>> {
    let (sender, receiver) = unbounded();
    thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text);
        let _ = sender.send(read.map(|_| text));
    });
    receiver
}

/// A running program.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    stdout: Receiver<std::io::Result<String>>,
    seen: Vec<String>,
    _folder: Folder,
}

impl Program {
    /// Waits for the next line on standard error that holds this text, and returns it.
    pub(crate) fn line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_deadline(deadline) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(problem) => panic!("no {text:?} ({problem}) in\n{}", self.seen.join("\n")),
            }
        }
    }

    /// The most memory that it has had resident, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = peak.unwrap().trim().strip_suffix(" kB").unwrap();
        kibibytes.parse::<u64>().unwrap() * 1024
    }

    /// How often its threads have waited for something so far.
    pub(crate) fn waits(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let waits = threads.map(|thread| {
            // One that has ended meanwhile waits no more.
            let status = fs::read_to_string(thread.unwrap().path().join("status"));
            let status = status.unwrap_or_default();
            let mut lines = status.lines();
            let waits = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            waits.map_or(0, |waits| waits.trim().parse::<u64>().unwrap())
        });
        waits.sum()
    }

    /// What the system tells of it under `/proc`, and of each of its threads.
    pub(crate) fn told_by_the_system(&self) -> Vec<u8> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let mut told = fs::read(folder.join("environ")).unwrap();
        told.extend(fs::read(folder.join("cmdline")).unwrap());
        for thread in fs::read_dir(folder.join("task")).unwrap() {
            // One that has ended meanwhile has nothing to tell.
            told.extend(fs::read(thread.unwrap().path().join("comm")).unwrap_or_default());
        }
        told
    }

    /// Sends a signal: INT, TERM, HUP, STOP, …
    pub(crate) fn signal(&self, name: &str) {
        self.run_for_it(&format!("kill -{name}"));
    }

    /// Runs a command line that ends with its process id.
    pub(crate) fn run_for_it(&self, command: &str) {
        let script = format!("{command} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(status.success(), "{script}");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_deadline(deadline) {
                Ok(line) => self.seen.push(line),
                // The end of its standard error is the end of the program.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it does not end:\n{}", self.seen.join("\n"))
                }
            }
        }
        let stdout = match self.stdout.recv_deadline(deadline) {
            Ok(stdout) => stdout.unwrap(),
            // It is the caller's business.
            Err(RecvTimeoutError::Disconnected) => String::new(),
            Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
        };
        let status = self.child.wait().unwrap();
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout,
            lines: std::mem::take(&mut self.seen),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has mostly ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) lines: Vec<String>,
}

/// Where the generated records went, as the last lines say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) generated: u64,
    pub(crate) acknowledged: u64,
    pub(crate) failed: u64,
    pub(crate) unsent: u64,
}

impl Ended {
    /// Fails with everything that was printed.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert!(
            self.code == Some(code),
            "ended with {:?} (signal {:?}), not {code}:\n{}\n{}",
            self.code,
            self.signal,
            self.stdout,
            self.stderr()
        );
        self
    }

    pub(crate) fn stderr(&self) -> String {
        self.lines.join("\n")
    }

    /// The one line on standard error that holds this text.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) -> &str {
        let mut lines = self.lines.iter().filter(|line| line.contains(text));
        match (lines.next(), lines.next()) {
            (Some(line), None) => line,
            (None, _) => panic!("no {text:?} in\n{}", self.stderr()),
            (Some(_), Some(_)) => panic!("more than one {text:?} in\n{}", self.stderr()),
        }
    }

    #[track_caller]
    pub(crate) fn expect_no(&self, text: &str) -> &Self {
        let all = self.stderr() + &self.stdout;
        assert!(!all.contains(text), "{text:?} in\n{all}");
        self
    }

    /// The books, which are always there, once, and add up.
    #[track_caller]
    pub(crate) fn ledger(&self) -> Ledger {
        let line = self.line("🧾 Ledger: ");
        let number = |name: &str| -> u64 {
            let (_, rest) = line.split_once(name).unwrap();
            rest.split([' ', ',']).next().unwrap().parse().unwrap()
        };
        let ledger = Ledger {
            generated: number("generated "),
            acknowledged: number("acknowledged "),
            failed: number("failed "),
            unsent: number("unsent "),
        };
        let sum = ledger.acknowledged + ledger.failed + ledger.unsent;
        assert_eq!(ledger.generated, sum, "{line}");
        let produced = format!("   📤 Messages Produced: {}", ledger.acknowledged);
        assert!(self.lines.contains(&produced), "{}", self.stderr());
        ledger
    }
}

impl Ledger {
    /// Everything was acknowledged.
    pub(crate) fn all(count: u64) -> Self {
        Self {
            generated: count,
            acknowledged: count,
            failed: 0,
            unsent: 0,
        }
    }
}

/// A fresh folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "run-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the target folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
