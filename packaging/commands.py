"""How other programs are run, and what time it is: the commit's, so that the same sources make the same bytes."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from errors import PackagingError

CARGO = os.environ.get("CARGO", "cargo")
LOCK = Path("Cargo.lock")


def output(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; that it fails is an error with its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    except OSError as error:
        raise PackagingError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise PackagingError(f"`{' '.join(map(str, command))}` failed: {' / '.join(words[-3:])}")
    return done.stdout


def epoch() -> int:
    """Seconds since 1970: SOURCE_DATE_EPOCH, else the commit's time, else that of the files of an unpacked archive."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        if not given.isdecimal():
            raise PackagingError(f"SOURCE_DATE_EPOCH is {given!r}, not a number of seconds")
        return int(given)
    if Path(".git").exists():
        return int(output("git", "log", "-1", "--format=%ct"))
    return int(LOCK.stat().st_mtime)
