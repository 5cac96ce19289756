"""`make vendor`: one archive from which the program is built, and tested, on a machine that has Rust and no network.

In it are the files that git knows, as they lie in the work tree, every crate that `Cargo.lock` names, and a
`.cargo/config.toml` that has cargo take them from there. Where the source of Rust's `std` is installed, the crates that
it is made of are there too, for building `std` itself. Crates that no Linux build wants, such as those of Windows with
their prebuilt libraries, are there by name only: cargo has to find them, and never builds them.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import archive
import crates
from commands import CARGO, output
from errors import PackagingError

TARGETS = [f"{processor}-unknown-linux-{libc}" for processor in ("x86_64", "aarch64") for libc in ("gnu", "musl")]
STD = Path("lib/rustlib/src/rust/library")
CONFIG = Path(".cargo/config.toml")
VENDORED = """
# Written by `make vendor`: every crate is in the folder beside this one, none is fetched.
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
"""
# What a compiler or linker made rather than a person wrote.
PREBUILT = {".a", ".lib", ".o", ".obj", ".so", ".dll", ".exe", ".dylib", ".rlib"}


def make(folder: Path) -> None:
    """Writes the archive into the folder, and says what is in it."""
    if not Path(".git").exists():
        raise PackagingError("only git knows which files are sources, and this is no git work tree")
    tracked = [Path(name) for name in output("git", "ls-files", "-z").split("\0") if name]
    version = crates.of(TARGETS[0]).program.version
    libraries = _standard_libraries()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        vendored = Path(work) / "vendor"
        named_only = _vendor(vendored, libraries)
        entries = [archive.file(path) for path in tracked if path != CONFIG]
        entries.append(archive.Entry(str(CONFIG), (_text(CONFIG) + VENDORED).encode()))
        entries += [
            archive.file(path, f"vendor/{path.relative_to(vendored)}") for path in vendored.rglob("*") if path.is_file()
        ]
        path = folder / f"continuous-producer-{version}-vendored.tar.gz"
        archive.write(path, f"continuous-producer-{version}", entries, archive.epoch())
        count = len(list(vendored.iterdir()))
    print(f"sources: {len(tracked)} files, {archive.whether_committed()}")
    print(f"crates: {count}, of which {named_only} by name only, which no Linux build wants")
    print("std: " + (", ".join(map(str, libraries)) or "its source is not installed, so building it needs a network"))
    archive.write_checksums(folder)
    print(archive.described(path))


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _standard_libraries() -> list[Path]:
    """The sources of `std` that are installed: rustup's component rust-src, Debian's rust-web-src."""
    roots = [Path(output(os.environ.get("RUSTC", "rustc"), "--print", "sysroot").strip()), Path("/usr")]
    return [path / STD for path in dict.fromkeys(roots) if (path / STD / "Cargo.lock").is_file()]


def _vendor(folder: Path, libraries: list[Path]) -> int:
    # std's manifests use what only nightly, or this variable, allows.
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
    synced = [word for library in libraries for word in ("--sync", str(library / "Cargo.toml"))]
    output(CARGO, "vendor", "--locked", "--versioned-dirs", *synced, folder, environment=environment)
    wanted = crates.built(TARGETS).union(
        *(crates.resolved(library / "Cargo.toml", TARGETS, environment) for library in libraries)
    )
    kept = {f"{name}-{version}" for name, version in wanted}
    unwanted = [path for path in folder.iterdir() if path.name not in kept]
    for path in unwanted:
        _keep_name_only(path)
    prebuilt = [path for path in folder.rglob("*") if path.suffix in PREBUILT]
    if prebuilt:
        raise PackagingError(f"these are no sources: {', '.join(str(path.relative_to(folder)) for path in prebuilt)}")
    return len(unwanted)


def _keep_name_only(folder: Path) -> None:
    checksum = json.loads((folder / ".cargo-checksum.json").read_text())["package"]
    manifest = (folder / "Cargo.toml").read_bytes()
    shutil.rmtree(folder)
    (folder / "src").mkdir(parents=True)
    (folder / "src/lib.rs").touch()
    (folder / "Cargo.toml").write_bytes(manifest)
    (folder / ".cargo-checksum.json").write_text(json.dumps({"files": {}, "package": checksum}) + "\n")
