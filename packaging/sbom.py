"""A bill of materials (CycloneDX 1.6, JSON): the program, every crate in it, what builds it (scope `excluded`), who
depends on whom.

Checksums are those of `Cargo.lock`, which are of the packages as the registry has them. Tests' dependencies are not in
it. The same binary and sources make the same document: its number is drawn from them, its time is the commit's.
"""

import json
import uuid
from datetime import datetime, timezone

from crates import Crate, Crates
from notices import LINKED_IN

SPECIFICATION = "1.6"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "continuous-producer/bill-of-materials")


def document(crates: Crates, target: str, rustc_version: str, binary_sha256: str, epoch: int) -> bytes:
    """The document for one binary."""
    program = _component(crates.program, "application") | {
        "hashes": [{"alg": "SHA-256", "content": binary_sha256}],
        "properties": [{"name": "target", "value": target}, {"name": "rustc", "value": rustc_version}],
    }
    components = [_component(crate, "library") | {"scope": "required"} for crate in crates.shipped]
    linked_in = _linked_in(target, rustc_version)
    components += linked_in
    components += [_component(crate, "library") | {"scope": "excluded"} for crate in crates.building]
    linked = [component["bom-ref"] for component in linked_in]
    dependencies = [
        {"ref": ref, "dependsOn": sorted([*needs, *linked]) if ref == crates.program.purl else needs}
        for ref, needs in sorted(crates.edges.items())
    ]
    return (
        json.dumps(
            {
                "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
                "bomFormat": "CycloneDX",
                "specVersion": SPECIFICATION,
                "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, binary_sha256)}",
                "version": 1,
                "metadata": {
                    "timestamp": datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "lifecycles": [{"phase": "build"}],
                    "component": program,
                },
                "components": components,
                "dependencies": dependencies,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    ).encode()


def _component(crate: Crate, kind: str) -> dict:
    component = {
        "type": kind,
        "bom-ref": crate.purl,
        "name": crate.name,
        "version": crate.version,
        "description": crate.description,
        "licenses": [{"expression": crate.licence}],
        "purl": crate.purl,
    }
    if crate.checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    if crate.repository:
        component["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    return component


def _linked_in(target: str, rustc_version: str) -> list[dict]:
    """What is in the program that is no crate of the registry."""
    found = [
        {
            "type": "library",
            "bom-ref": f"rust-std@{rustc_version}",
            "name": "rust-std",
            "version": rustc_version,
            "description": "Rust's standard library, with the crates that it is made of",
            "scope": "required",
            "licenses": [{"expression": "MIT OR Apache-2.0"}],
        }
    ]
    if target.endswith("-musl"):
        for name, licence in LINKED_IN.items():
            found.append(
                {
                    "type": "library",
                    "bom-ref": name,
                    "name": name,
                    "scope": "required",
                    "licenses": [{"expression": licence}],
                }
            )
    return found
