"""A tar.gz that is the same bytes whoever makes it, where and when: sorted, one time, one owner, two modes.

It takes no symbolic link and never writes half a file: what is at the path is whole.
"""

import gzip
import hashlib
import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from commands import output
from errors import PackagingError

CHECKSUMS = "SHA256SUMS"
LAST_SECOND = 253_402_300_799
CHECKED = re.compile(r"continuous-producer-.*\.(tar\.gz|cdx\.json)")


@dataclass(frozen=True)
class Entry:
    """A file of the archive: `name` within its folder, its bytes or where they are, and whether it can be run."""

    name: str
    content: bytes | Path
    executable: bool = False

    def bytes(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


def file(path: Path, name: str | None = None) -> Entry:
    """The file as it lies there, under its own name or another."""
    if path.is_symlink():
        raise PackagingError(f"{path} is a symbolic link, which not every system can unpack")
    return Entry(name or str(path), path, os.access(path, os.X_OK))


def write(path: Path, folder: str, entries: list[Entry], epoch: int) -> None:
    """Writes `path`, in which all entries are in `folder`."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with open(unfinished, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    _add(tar, f"{folder}/{entry.name}", entry, epoch)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, entry: Entry, epoch: int) -> None:
    content = entry.bytes()
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), epoch
    member.mode = 0o755 if entry.executable else 0o644
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    tar.addfile(member, io.BytesIO(content))


def described(path: Path) -> str:
    """Path, size and SHA-256, for people."""
    return f"{path}  {path.stat().st_size:,} bytes  SHA-256 {sha256(path)}"


def write_checksums(folder: Path) -> Path:
    """Writes SHA256SUMS over every archive and bill of materials in the folder, as `sha256sum --check` reads it."""
    files = [path for path in sorted(folder.iterdir()) if CHECKED.fullmatch(path.name)]
    path = folder / CHECKSUMS
    path.write_text("".join(f"{sha256(file)}  {file.name}\n" for file in files))
    return path


def epoch() -> int:
    """What the entries' time is, in seconds since 1970: SOURCE_DATE_EPOCH, else the commit's time, else that of the files of an
    unpacked archive."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        if not given.isdecimal() or int(given) > LAST_SECOND:
            raise PackagingError(f"SOURCE_DATE_EPOCH is {given!r}, not a number of seconds until the year 9999")
        return int(given)
    if Path(".git").exists():
        return int(output("git", "log", "-1", "--format=%ct"))
    return int(Path("Cargo.lock").stat().st_mtime)


def whether_committed() -> str:
    """Of the sources that are packed, for people."""
    try:
        changed = output("git", "status", "--porcelain", "--untracked-files=no").strip()
    except PackagingError:
        return "as they lie there"
    return "with changes that are not committed" if changed else "as committed"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
