"""What a built program says of itself: which rustc made it, and what it prints when it is run."""

import platform
import re
import shutil
from pathlib import Path

from commands import output
from errors import PackagingError

RUSTC = re.compile(rb"rustc version (\d+\.\d+\.\d+\S*)")


def rustc_version(binary: Path) -> str:
    """The version of the compiler, as it left it in the section `.comment`."""
    found = set(RUSTC.findall(binary.read_bytes()))
    if len(found) != 1:
        raise PackagingError(f"{binary} does not say which one rustc made it: {sorted(found) or 'nothing found'}")
    return found.pop().decode()


def runner(target: str) -> list[str]:
    """What to put before a program of this target to run it here: nothing, or an emulator."""
    processor = target.split("-")[0]
    if processor == platform.machine():
        return []
    emulator = shutil.which(f"qemu-{processor}-static") or shutil.which(f"qemu-{processor}")
    if emulator is None:
        raise PackagingError(f"to run a program for {target} here takes qemu-{processor} (Debian: qemu-user-static)")
    return [emulator]


def said(binary: Path, target: str, *arguments: str) -> str:
    """What the program prints when it is called so."""
    return output(*runner(target), binary.resolve(), *arguments)
