"""The licence texts of all that is in the program: of each crate, of Rust's `std`, of musl and the unwinder where they
are linked in.

A crate's texts are the files that it brings. For one that brings none, `licences/NAME.txt` here has them; one for a
crate that is not there, or that brings its own by now, is an error, as is a crate without any. It never guesses a text
from a licence's name.
"""

import os
import re
from pathlib import Path

from archive import Entry
from commands import output
from crates import Crate, Crates
from errors import PackagingError

OWN_TEXTS = Path(__file__).resolve().parent / "licences"
LICENCE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?", re.IGNORECASE)
# What a musl build has in it that is no crate. A glibc build takes the system's.
LINKED_IN = {"musl": "MIT", "llvm-libunwind": "Apache-2.0 WITH LLVM-exception"}
INDEX = """# Licences of what is in this program

`continuous-producer` itself is under MIT or Apache-2.0, at your option: `LICENSE-MIT`, `LICENSE-APACHE`.
In the binary are also, each with its texts in a folder of its name:

| what | version | licence |
| --- | --- | --- |
"""


def entries(crates: Crates, target: str, rustc_version: str) -> list[Entry]:
    """Files of the folder `licences`, with an index."""
    files, rows, used = [], [], set()
    for crate in crates.shipped:
        texts = _texts(crate)
        if not texts:
            texts = [_own_text(crate.name)]
            used.add(crate.name)
        files += [Entry(f"licences/{crate.label}/{path.name}", path) for path in texts]
        rows.append((crate.name, crate.version, crate.licence))
    files += [Entry(f"licences/rust-std-{rustc_version}/{path.name}", path) for path in _std_texts(rustc_version)]
    rows.append(("Rust's standard library", rustc_version, "MIT OR Apache-2.0, and others of its parts"))
    if target.endswith("-musl"):
        for name, licence in LINKED_IN.items():
            files.append(Entry(f"licences/{name}/{name}.txt", _own_text(name)))
            rows.append((name, "as of the toolchain", licence))
    _refuse_stale(used)
    index = INDEX + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return [*files, Entry("licences/README.md", index.encode())]


def _texts(crate: Crate) -> list[Path]:
    named = [crate.folder / crate.licence_file] if crate.licence_file else []
    found = [path for path in crate.folder.iterdir() if path.is_file() and LICENCE.fullmatch(path.name)]
    return sorted({path.resolve() for path in [*named, *found]})


def _own_text(name: str) -> Path:
    path = OWN_TEXTS / f"{name}.txt"
    if not path.is_file():
        raise PackagingError(
            f"{name} brings no licence text, and there is no {path.relative_to(OWN_TEXTS.parent.parent)}"
        )
    return path


def _refuse_stale(used: set[str]) -> None:
    stale = {path.stem for path in OWN_TEXTS.glob("*.txt")} - used - LINKED_IN.keys()
    if stale:
        raise PackagingError(f"texts that are not needed any more are in {OWN_TEXTS.name}: {', '.join(sorted(stale))}")


def _std_texts(rustc_version: str) -> list[Path]:
    """Of a toolchain of that version: the active one, that of STATIC_SYSROOT, one beside the active one that was named by its
    number, or Debian's."""
    release = ".".join(rustc_version.split(".")[:2])
    of_rustup = "share/doc/rust/COPYRIGHT-library.html"
    active, given = os.environ.get("RUSTC", "rustc"), os.environ.get("STATIC_SYSROOT")
    candidates = []
    for rustc in [active, *([f"{given}/bin/rustc"] if given else [])]:
        sysroot = Path(output(rustc, "--print", "sysroot").strip())
        if output(rustc, "--version").split()[1] == rustc_version:
            candidates.append(sysroot / of_rustup)
        candidates += sorted(sysroot.parent.glob(f"{rustc_version}-*/{of_rustup}"))
    candidates.append(Path(f"/usr/share/doc/libstd-rust-web-{release}/copyright"))
    for path in candidates:
        if path.is_file():
            licences = sorted((path.parent / "licenses").glob("*.txt")) if path.suffix == ".html" else []
            return [path, *licences]
    raise PackagingError(
        f"the licences of Rust {rustc_version}'s standard library are not at {', '.join(map(str, candidates))}"
    )
