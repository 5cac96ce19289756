"""The sandbox and the program beside it, as processes, for checks in Python. What either says is waited for."""

import json
import os
import queue
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

# How long anything may take before a check fails.
DEADLINE_SECONDS = 60.0
# Between two looks at what cannot be waited for.
LOOK_SECONDS = 0.05


class Process:
    """One process, whose standard error is read as it comes. Leaving the `with` ends it by SIGTERM, and waits."""

    def __init__(self, command: list[str], variables: dict[str, str] | None = None, *, is_driven: bool = False) -> None:
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            command, env=variables, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stdin=subprocess.PIPE if is_driven else subprocess.DEVNULL)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self, text: str) -> str:
        """The next line that holds this text."""
        until = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no {text!r} in\n" + "\n".join(self.seen))
            self.seen.append(line)
            if text in line:
                return line

    def end(self) -> int:
        """Asks it to end, and tells its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.end()


class Sandbox(Process):
    """Brokers 1 to `nodes` and a registry, on ports of the system's choice."""

    def __init__(self, path: str, *, nodes: int = 1, partitions: int = 3) -> None:
        super().__init__([path, "serve", "--orders", "--nodes", str(nodes), "--partitions", str(partitions),
                          "--port", "0", "--registry-port", "0"], is_driven=True)
        said = self.line("broker on ").split("broker on ")[1]
        self.brokers, self.registry = said.split(", registry on ")

    def order(self, what: str) -> None:
        """`kill 1`, `start 1`, `refuse 87`: see `sandbox --help`."""
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        self.line(f"sandbox: done: {what}")


class Program(Process):
    """The program, producing to a sandbox and to be watched."""

    def __init__(self, path: str, sandbox: Sandbox, *flags: str, **variables: str) -> None:
        told = {"KAFKA_BOOTSTRAP_SERVERS": sandbox.brokers, "SCHEMA_REGISTRY_URL": sandbox.registry,
                "LOG_FORMAT": "pretty", "METRICS_LISTEN": "127.0.0.1:0"}
        # A folder of the harness has no .env.
        super().__init__(["env", "-C", str(Path(__file__).parent), os.path.abspath(path), *flags], told | variables)
        self.url = "http://" + self.line("Metrics: http://").split("http://")[1].split("/")[0] + "/"

    def get(self, path: str) -> str:
        """The body of an answer, whatever its code."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=DEADLINE_SECONDS) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.read().decode()

    def status(self) -> dict:
        return json.loads(self.get("status"))

    def until(self, what: str, is_so: Callable[[dict], bool]) -> dict:
        """Looks at `/status` until it is so."""
        until = time.monotonic() + DEADLINE_SECONDS
        while True:
            status = self.status()
            if is_so(status):
                return status
            assert time.monotonic() < until, f"never: {what}: {status}"
            time.sleep(LOOK_SECONDS)
