"""What /proc says of a process, once a second, and what befell it meanwhile. Every sample is on the disk at once."""

import csv
import os
import threading
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

INTERVAL_S = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Of /proc/PID/stat, counted from the field behind the name in parentheses, which may hold anything.
STAT_UTIME, STAT_STIME = 11, 12


@dataclass(frozen=True)
class Sample:
    seconds: float  # since the process began
    rss_mib: float
    peak_mib: float  # the highest RSS so far, as the kernel keeps it: nothing falls between two samples
    threads: int
    descriptors: int
    cpu_s: float
    voluntary_switches: int  # of all threads
    fault: str  # what is going on; empty if nothing is


class Sampler:
    def __init__(self, pid: int, file: Path):
        self.samples: list[Sample] = []
        self.fault = ""
        self._process = Path("/proc", str(pid))
        self._began = time.monotonic()
        self._file = file
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="sampler", daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        """Before the process is told to end: what it is like then is another question."""
        self._stopping.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def _sample(self):
        with open(self._file, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(field.name for field in fields(Sample))
            due_s = INTERVAL_S
            while not self._stopping.wait(max(0.0, due_s - self.seconds)):
                due_s += INTERVAL_S
                try:
                    sample = self.take()
                except (FileNotFoundError, ProcessLookupError):  # it has ended, which is for others to judge
                    return
                self.samples.append(sample)
                writer.writerow(astuple(sample))
                file.flush()

    def take(self) -> Sample:
        status = dict(line.split(":", 1) for line in (self._process / "status").read_text().splitlines())
        if "VmRSS" not in status:  # a zombie has no memory
            raise ProcessLookupError
        stat = (self._process / "stat").read_text().rpartition(")")[2].split()
        threads = list((self._process / "task").iterdir())
        return Sample(round(self.seconds, 2), mib(status["VmRSS"]), mib(status["VmHWM"]), int(status["Threads"]),
                      len(list((self._process / "fd").iterdir())),
                      (int(stat[STAT_UTIME]) + int(stat[STAT_STIME])) / TICKS_PER_S,
                      sum(map(voluntary_switches, threads)), self.fault)


def voluntary_switches(thread: Path) -> int:
    """Those of a thread that has just ended are lost."""
    try:
        lines = (thread / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def mib(text: str) -> float:
    """Of a size as /proc/PID/status has it, such as `1234 kB`."""
    size, unit = text.split()
    assert unit == "kB", text
    return round(int(size) / 1024, 2)
