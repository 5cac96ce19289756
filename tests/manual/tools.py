"""What the checks share: a folder of their own, the program's texts in files, programs run with a deadline."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEADLINE_S = 60


class Failed(Exception):
    """What was promised is not so."""


class Skipped(Exception):
    """It cannot be found out here."""


@dataclass(frozen=True)
class Place:
    """The program under test, and a folder for one check."""

    binary: Path
    folder: Path

    def text(self, *flags: str) -> Path:
        """What the program prints, in a file that is called like the program."""
        path = self.folder / "texts" / "continuous-producer"
        path.parent.mkdir(exist_ok=True)
        path.write_text(run([str(self.binary), *flags], self.folder))
        return path


def tool(name: str) -> str:
    """Where a program is."""
    path = shutil.which(name)
    if path is None:
        raise Skipped(f"{name} is not installed")
    return path


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's: no settings, no start-up files."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
    }


def run(command: list[str], folder: Path, stdin: str = "") -> str:
    """What a program prints on standard output; it must succeed and print nothing on standard error."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    if ended.returncode != 0 or ended.stderr:
        raise Failed(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr or ended.stdout}")
    return ended.stdout


def expect(condition: bool, message: str) -> None:
    """Fails with the message unless the condition holds."""
    if not condition:
        raise Failed(message)
