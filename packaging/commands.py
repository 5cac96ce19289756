"""How other programs are run."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from errors import PackagingError

CARGO = os.environ.get("CARGO", "cargo")


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
