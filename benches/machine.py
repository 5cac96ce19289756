"""What was measured on: without it a number says nothing."""

import datetime
import os
import platform
import re
import subprocess
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
        # What else was running. Below half a core's worth of it, the figures are the contestants' own.
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


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
