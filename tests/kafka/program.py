"""The program under test, run as a user would: its own process, an environment of nothing but the settings of a case,
a working directory without a `.env` unless a case writes one into a folder of its own. It is only judged by its exit
code, what it prints, and what Kafka holds after.
"""

import base64
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from peers.processes import dying_with_this_process

RUN_TIMEOUT_S = 120
ERROR = " ERROR "  # as LOG_FORMAT=full has it, which is the default where there is no terminal
LEDGER = re.compile(r"generated (\d+) = acknowledged (\d+) \+ failed (\d+) \+ unsent (\d+)")
SETTING = re.compile(r"^(KAFKA|SCHEMA_REGISTRY|MESSAGE|RUN|STATS|LOG|SHUTDOWN|METRICS)_|^(SEED|INSTANCE_ID)$")


@dataclass(frozen=True)
class Ledger:
    generated: int
    acknowledged: int
    failed: int
    unsent: int


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    started_ms: int
    ended_ms: int

    @property
    def ledger(self) -> Ledger:
        found = LEDGER.findall(self.output)
        assert len(found) == 1, f"one ledger line expected, {len(found)} found in:\n{self.output}"
        ledger = Ledger(*map(int, found[0]))
        assert ledger.generated == ledger.acknowledged + ledger.failed + ledger.unsent, f"does not add up: {ledger}"
        return ledger

    def expect_all_delivered(self, count: int):
        assert self.code == 0, f"exit code {self.code}:\n{self.output}"
        assert self.ledger == Ledger(count, count, 0, 0), f"{count} expected, {self.ledger}"

    def expect_refusal(self, *words: str):
        """Exit code 1, and one line that holds all the words."""
        assert self.code == 1, f"exit code {self.code} and not 1:\n{self.output}"
        assert any(all(word in line for word in words) for line in self.output.splitlines()), \
            f"no line with {words}:\n{self.output}"
        assert "panicked" not in self.output, self.output

    def expect_one_error(self, *words: str):
        """Exit code 1, and one line of level ERROR, which holds all the words (in any case). Nothing was delivered."""
        assert self.code == 1, f"exit code {self.code} and not 1:\n{self.output}"
        errors = [line for line in self.output.splitlines() if ERROR in line]
        assert len(errors) == 1, f"{len(errors)} lines of level ERROR and not 1:\n{self.output}"
        missing = [word for word in words if word.lower() not in errors[0].lower()]
        assert not missing, f"the line does not hold {missing}: {errors[0]}"
        assert self.ledger.acknowledged == 0, f"{self.ledger}"
        assert "panicked" not in self.output, self.output

    def expect_no_trace_of(self, secret: str):
        for form in forms_of(secret):
            assert form not in self.output, f"the secret is in the output, as {form}:\n{self.output}"

    @property
    def seconds(self) -> float:
        return (self.ended_ms - self.started_ms) / 1000


def forms_of(secret: str) -> set[str]:
    """The ways in which a secret could get into a line: as it is, escaped, and encoded, alone or behind other bytes."""
    raw = secret.encode()
    forms = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
             urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), raw.hex()}
    for before in range(3):
        # The characters at the ends depend on what stands beside the secret.
        first, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        encoded = base64.b64encode(bytes(before) + raw).decode()[first:end]
        forms |= {encoded, encoded.replace("+", "-").replace("/", "_")}
    return forms


class Program:
    """One binary, and the folder that its runs work in."""

    def __init__(self, binary: Path, home: Path):
        self.binary = binary.resolve()
        self.home = home.resolve()
        self.home.mkdir(parents=True)

    def start(self, settings: dict[str, object], *arguments: str, folder: Path | None = None,
              wrapped: Callable[[list[str]], list[str]] = list) -> "Run":
        """`wrapped` makes the command of another one that runs it and, itself, becomes it (such as `nsenter`)."""
        return Run(self, settings, wrapped([str(self.binary), *arguments]), folder or self.home)

    def run(self, settings: dict[str, object], *arguments: str, folder: Path | None = None) -> Outcome:
        return self.start(settings, *arguments, folder=folder).finish()

    def version(self) -> str:
        """Its name and version."""
        done = subprocess.run([self.binary, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=RUN_TIMEOUT_S, check=True)
        return done.stdout.strip()

    def folder(self, name: str) -> Path:
        """A working directory for one case."""
        made = self.home / name
        made.mkdir()
        return made

    def shoes(self, seed: int, count: int, instance: int = 0) -> list[str]:
        """Shoes 0 to count - 1 of a seed, as JSON lines."""
        done = subprocess.run(
            [self.binary, "--dry-run", "--seed", str(seed), "--instance-id", str(instance), "--count", str(count),
             "--interval", "0"],
            env=environment({}), cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_TIMEOUT_S,
            check=False)
        assert done.returncode == 0, f"--dry-run ended with {done.returncode}:\n{done.stderr.decode()}"
        lines = done.stdout.decode().splitlines()
        assert len(lines) == count, f"--dry-run printed {len(lines)} lines and not {count}"
        return lines


class Run:
    """A run that has begun. `finish` must be called; it ends the process at the latest after RUN_TIMEOUT_S."""

    def __init__(self, program: Program, settings: dict[str, object], command: list[str], folder: Path):
        self.log = program.home / f"{time.time_ns()}.log"
        self.started_ms = time.time_ns() // 1_000_000
        with open(self.log, "wb") as output:
            self.popen = subprocess.Popen(command, env=environment(settings), cwd=folder,
                                          stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          preexec_fn=dying_with_this_process())

    def signal(self, number: signal.Signals):
        assert self.popen.poll() is None, f"it had ended by itself:\n{self.log.read_text(errors='replace')}"
        self.popen.send_signal(number)

    def finish(self) -> Outcome:
        try:
            code = self.popen.wait(RUN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {RUN_TIMEOUT_S} s:\n{self.log.read_text(errors='replace')}") \
                from None
        finally:
            self.kill()
        output = self.log.read_text(errors="replace")
        return Outcome(code, output, self.started_ms, time.time_ns() // 1_000_000)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


def environment(settings: dict[str, object]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not SETTING.match(name)}
    return inherited | {name: str(value) for name, value in settings.items()}
