"""`make dist`: `continuous-producer-VERSION-TARGET.tar.gz` with all that a user needs and all that licences ask for, a
bill of materials beside it, and `SHA256SUMS` over every such file in the folder.

The manual page and the completions are what the binary itself prints, so that they are those of this version. It builds
nothing.
"""

from pathlib import Path

import archive
import binary
import crates
import notices
import sbom
from archive import Entry
from commands import output
from errors import PackagingError

NAME = crates.PROGRAM
DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", ".env.example", "Dockerfile"]
FOLDERS = ["docs", "deploy"]
MADE = {
    f"man/{NAME}.1": ("--man",),
    f"completions/{NAME}.bash": ("--completions", "bash"),
    f"completions/_{NAME}": ("--completions", "zsh"),
    f"completions/{NAME}.fish": ("--completions", "fish"),
}


def make(folder: Path, target: str, program: Path) -> None:
    """Writes archive, bill of materials and checksums into the folder, and says what they are."""
    if not program.is_file():
        raise PackagingError(f"there is no {program}: `make static TARGET={target}` builds it")
    known = crates.of(target)
    label = f"{NAME}-{known.program.version}-{target}"
    version = binary.said(program, target, "--version").split()
    if known.program.version not in version:
        raise PackagingError(f"{program} is not of version {known.program.version}: it says {' '.join(version)!r}")
    rustc_version = binary.rustc_version(program)
    epoch = archive.epoch()
    bill = sbom.document(known, target, rustc_version, archive.sha256(program), epoch)
    entries = [Entry(NAME, program, executable=True), Entry(f"{NAME}.cdx.json", bill)]
    entries += [archive.file(Path(name)) for name in DOCUMENTS]
    entries += [archive.file(Path(name)) for name in _files_of(FOLDERS)]
    entries += [Entry(name, binary.said(program, target, *arguments).encode()) for name, arguments in MADE.items()]
    entries += notices.entries(known, target, rustc_version)
    packed, document = folder / f"{label}.tar.gz", folder / f"{label}.cdx.json"
    archive.write(packed, label, entries, epoch)
    document.write_bytes(bill)
    print(
        f"{len(entries)} files; {len(known.shipped)} crates in the binary, {len(known.building)} more build it; "
        f"rustc {rustc_version}; sources {archive.whether_committed()}"
    )
    for path in (packed, document, archive.write_checksums(folder)):
        print(archive.described(path))


def _files_of(folders: list[str]) -> list[str]:
    """Git's files, so that nothing that merely lies there is handed out; without git, all that was unpacked."""
    if Path(".git").exists():
        return [name for name in output("git", "ls-files", "-z", *folders).split("\0") if name]
    return [str(path) for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
