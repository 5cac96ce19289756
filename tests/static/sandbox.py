"""The sandbox beside the program, on loopback; what its topic took is its own count."""

import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

STARTED = re.compile(r"broker on 127\.0\.0\.1:(\d+), registry on https?://127\.0\.0\.1:(\d+)")
TOOK = re.compile(r"topic \S+ took (\d+) records")
PATIENCE_S = 60


class SandboxFailed(Exception):
    """What it said instead of what was expected."""


class Sandbox:
    def __init__(self, binary: Path, options: Sequence[str]) -> None:
        self.process = subprocess.Popen([binary, "serve", *options], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        first = self.process.stderr.readline()
        started = STARTED.search(first)
        if not started:
            self.process.kill()
            raise SandboxFailed(first + self.process.stderr.read())
        self.broker, self.registry = (int(port) for port in started.groups())

    def finish(self) -> int:
        """Ends it; how many records its topic took."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE_S)
        took = TOOK.search(said)
        if self.process.returncode != 0 or not took:
            raise SandboxFailed(f"exit code {self.process.returncode}: {said}")
        return int(took.group(1))

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
