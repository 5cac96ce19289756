"""Which crates there are, by what cargo says: those in the program, those that only build it, those of a folder of
sources.

A crate is in the program if a normal dependency leads to it, for the target at hand and with the features that are
used. It never looks into `Cargo.lock` but for checksums, and never asks a network for more than cargo does.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from commands import CARGO, output

PROGRAM = "continuous-producer"
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


@dataclass(frozen=True, order=True)
class Crate:
    """A crate, and where its sources lie."""

    name: str
    version: str
    licence: str
    folder: Path
    licence_file: str | None
    repository: str | None
    description: str
    checksum: str | None
    ours: bool

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def purl(self) -> str:
        return f"pkg:cargo/{self.name}@{self.version}"


@dataclass(frozen=True)
class Crates:
    """What is in the program, what else builds it, and who depends on whom among all of these (by purl)."""

    program: Crate
    shipped: list[Crate]
    building: list[Crate]
    edges: dict[str, list[str]]


def of(target: str) -> Crates:
    """The crates of the program for this target."""
    told = json.loads(output(CARGO, "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    checksums = _checksums()
    known = {(each["name"], each["version"]): _crate(each, checksums) for each in told["packages"]}
    shipped = {known[key] for key in _tree(target, "normal")}
    both = {known[key] for key in _tree(target, "normal,build")}
    program = next(crate for crate in shipped if crate.name == PROGRAM)
    purls = {crate.purl for crate in both}
    names = {each["id"]: known[(each["name"], each["version"])].purl for each in told["packages"]}
    edges = {
        names[node["id"]]: sorted(
            purl
            for each in node["deps"]
            if any(kind["kind"] != "dev" for kind in each["dep_kinds"]) and (purl := names[each["pkg"]]) in purls
        )
        for node in told["resolve"]["nodes"]
        if names[node["id"]] in purls
    }
    return Crates(program, sorted(shipped - {program}), sorted(both - shipped), edges)


def built(targets: list[str]) -> set[tuple[str, str]]:
    """Name and version of every crate that a build of the workspace for any of the targets takes, tests included."""
    return set().union(*(_tree(target, "normal,build,dev", "--workspace") for target in targets))


def resolved(manifest: Path, targets: list[str], environment: dict[str, str]) -> set[tuple[str, str]]:
    """The same of another workspace, with all its features, for which of them are built is not known."""
    wanted = set()
    for target in targets:
        told = json.loads(
            output(
                CARGO,
                "metadata",
                "--locked",
                "--all-features",
                "--format-version",
                "1",
                "--filter-platform",
                target,
                "--manifest-path",
                manifest,
                environment=environment,
            )
        )
        nodes = {node["id"] for node in told["resolve"]["nodes"]}
        wanted |= {(each["name"], each["version"]) for each in told["packages"] if each["id"] in nodes}
    return wanted


def _tree(target: str, edges: str, *which: str) -> set[tuple[str, str]]:
    lines = output(
        CARGO,
        "tree",
        "--locked",
        *(which or ("--package", PROGRAM)),
        "--edges",
        edges,
        "--target",
        target,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ).splitlines()
    words = [line.split()[:2] for line in lines if line]
    return {(name, version.removeprefix("v")) for name, version in words}


def _crate(told: dict, checksums: dict[tuple[str, str], str]) -> Crate:
    return Crate(
        name=told["name"],
        version=told["version"],
        licence=(told["license"] or "").replace(" / ", " OR ").replace("/", " OR "),
        folder=Path(told["manifest_path"]).parent,
        licence_file=told["license_file"],
        repository=told["repository"],
        description=(told["description"] or "").strip(),
        checksum=checksums.get((told["name"], told["version"])),
        ours=told["source"] is None,
    )


def _checksums() -> dict[tuple[str, str], str]:
    found = {}
    for block in Path("Cargo.lock").read_text().split("[[package]]"):
        fields = dict(re.findall(r'^(name|version|checksum) = "(.*)"$', block, re.MULTILINE))
        if "checksum" in fields:
            found[(fields["name"], fields["version"])] = fields["checksum"]
    return found
