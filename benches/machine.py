"""What was measured on, and what others did there meanwhile: without it a number says nothing."""

import datetime
import os
import platform
import re
import resource
import subprocess
import time
from pathlib import Path


def machine() -> dict[str, str]:
    """As it stands in the table's head and in the JSON."""
    memory_kib = int(found(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo")))
    return {
        "processor": found(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo")),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_kib / 1024 / 1024:.0f} GiB",
        "system": f"{found(r'^PRETTY_NAME=.(.+).$', Path('/etc/os-release'))}, Linux {platform.release()}",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": revision(),
    }


class Others:
    """How busy the processors are with what neither this process is nor any child that it has waited for."""

    def __init__(self):
        self.started_s, self.busy_s, self.own_s = time.monotonic(), busy_s(), own_s()

    def cores(self) -> float:
        """On average since this was made. Time that a hypervisor gave to its other guests counts too."""
        others_s = (busy_s() - self.busy_s) - (own_s() - self.own_s)
        return others_s / (time.monotonic() - self.started_s)


def busy_s() -> float:
    """Of all processors, since the system's start."""
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(
        int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def own_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def found(pattern: str, file: Path) -> str:
    try:
        match = re.search(pattern, file.read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else "0" if r"(\d+)" in pattern else "unknown"


def revision() -> str:
    """Of this repository, marked where something is not committed."""
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--match="], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or "unknown"
