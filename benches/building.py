"""Builds and fetches what contends: under target/bench, and Kafka's jars into the cache that the tests have.

Each function returns why its thing cannot be had here, empty if it can. Nothing here runs a contestant.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from peers.jars import fetch
from peers.processes import PeerError
from peers.releases import NEWEST

MANIFEST = Path("benches/Cargo.toml")
GO_MODULE = Path("benches/go")
GO_BINARIES = Path("target/bench/go").resolve()
CARGO_TARGET = Path("target/bench/cargo").resolve()
BUILD_TIMEOUT_S = 1200
REASON_LINES = 3


def cargo(*binaries: str, feature: str = "") -> str:
    command = [os.environ.get("CARGO", "cargo"), "build", "--release", "--locked", "--manifest-path", str(MANIFEST)]
    for binary in binaries:
        command += ["--bin", binary]
    if feature:
        command += ["--features", feature]
    return run(command, dict(os.environ, CARGO_TARGET_DIR=str(CARGO_TARGET)))


def go(name: str) -> str:
    if shutil.which("go") is None:
        return "Go is not installed"
    GO_BINARIES.mkdir(parents=True, exist_ok=True)
    return run(["go", "build", "-C", str(GO_MODULE), "-o", str(GO_BINARIES / name), f"./{name}"],
               dict(os.environ))


def jars(cache: Path) -> tuple[Path | None, str]:
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        return None, f"{' and '.join(missing)} not found on the PATH"
    try:
        return fetch(cache, NEWEST.profile), ""
    except PeerError as error:
        return None, reason(str(error))


def run(command: list[str], env: dict[str, str]) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=env, timeout=BUILD_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else reason(done.stdout)


def reason(output: str) -> str:
    """The first lines that name an error; the last lines where none does."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return "; ".join(errors[:REASON_LINES] or lines[-REASON_LINES:])
