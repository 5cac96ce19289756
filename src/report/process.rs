//! What the system says of this process: memory, processor time, descriptors, threads.
//!
//! Read from `/proc/self` (proc(5)) when someone asks. Where there is no such thing nothing is said. Never an error: it is only
//! shown.

use std::fs;
use std::time::Duration;

/// Ticks a second in `/proc/self/stat`: what Linux promises to programs (`USER_HZ`), on x86-64 and ARM alike.
const TICKS_A_SECOND: u64 = 100;

/// At one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Process {
    /// Processor time of all threads, in the program and in the kernel.
    pub cpu: Duration,
    /// Bytes of memory that are really there.
    pub resident_bytes: u64,
    /// Bytes of address space.
    pub virtual_bytes: u64,
    /// Open descriptors.
    pub open_fds: u64,
    /// How many there may be.
    pub max_fds: u64,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// This process, now. `None` where the system does not say.
    pub fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        // The one through which they are counted is not worth counting.
        let open_fds = fs::read_dir("/proc/self/fd")
            .ok()?
            .count()
            .saturating_sub(1);
        Some(Self {
            cpu: cpu(&stat)?,
            resident_bytes: kibibytes(&status, "VmRSS:")?,
            virtual_bytes: kibibytes(&status, "VmSize:")?,
            open_fds: open_fds as u64,
            max_fds: max_fds(&limits)?,
            threads: number(&status, "Threads:")?,
        })
    }
}

/// Fields 14 and 15. The second one, the name in parentheses, may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(
        (user + system) * (1000 / TICKS_A_SECOND),
    ))
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    number(status, name).map(|kib| kib * 1024)
}

fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The soft limit; without one the greatest number.
fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        soft => soft.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_alive_has_memory_threads_and_descriptors() {
        let process = Process::now().unwrap();
        assert!(process.resident_bytes > 1 << 20, "{process:?}");
        assert!(process.virtual_bytes >= process.resident_bytes);
        assert!((1..10_000).contains(&process.threads));
        assert!(process.open_fds >= 1 && process.open_fds <= process.max_fds);
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        let stat = "17 (a ) b) S 1 17 17 0 -1 4194560 523 0 0 0 150 25 0 0 20 0 5 0 12345 1 2";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        let status = "Name:\tx\nVmSize:\t   2048 kB\nVmRSS:\t    1024 kB\nThreads:\t5\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(1 << 20));
        assert_eq!(number(status, "Threads:"), Some(5));
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(max_fds(limits), Some(1024));
        for text in ["", "17 (x", "17 (x) S 1"] {
            assert_eq!(cpu(text), None);
        }
    }
}
