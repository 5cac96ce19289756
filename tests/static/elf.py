"""What an ELF file says of itself: what it asks the system for, and where it was built."""

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

PT_DYNAMIC, PT_INTERP, PT_NOTE = 2, 3, 4
SIZE_MAX = 6_000_000
# Where things are on the machine that builds, and hardly anywhere else. /usr/share is in the program's manual page.
BUILDERS = re.compile(
    rb"/(?:root|home|builds?|tmp|opt|usr/src|usr/lib/rustlib)/[\w.+-]+[\w./+-]*|/\.(?:cargo|rustup)/"
)


class Wrong(Exception):
    """What is not as it must be."""


@dataclass(frozen=True)
class Segment:
    kind: int
    flags: int


def segments(data: bytes) -> list[Segment]:
    """The program headers of a file of 64 bits, little-endian."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise Wrong("no ELF file of 64 bits")
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return [Segment(*struct.unpack_from("<II", data, offset + n * size)) for n in range(count)]


def look(binary: Path, here: Path) -> list[str]:
    """Lines to be shown. `here` is where it was built. Fails with `Wrong`."""
    data = binary.read_bytes()
    kinds = {segment.kind for segment in segments(data)}
    if PT_INTERP in kinds:
        raise Wrong("it asks for an interpreter (PT_INTERP)")
    if PT_DYNAMIC in kinds:
        raise Wrong("it has a dynamic section (PT_DYNAMIC)")
    if len(data) > SIZE_MAX:
        raise Wrong(f"{len(data)} bytes are more than {SIZE_MAX}")
    paths = BUILDERS.findall(data) + [path for path in (bytes(here), bytes(Path.home())) if path + b"/" in data]
    if paths:
        raise Wrong(f"paths of the machine that built it: {sorted(set(paths))[:5]}")
    lines = [f"{len(data)} bytes, no interpreter, no dynamic section, no path of the machine that built it"]
    for command in (["file", "--brief"], ["readelf", "--dynamic", "--wide"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, str(binary)], capture_output=True, text=True, check=True)
            lines.append(f"{command[0]}: {done.stdout.strip()}")
    return lines
