"""What the peers are made of: jars from Maven Central, by the profiles of pom.xml, kept in the cache."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from peers.processes import PeerError

POM = Path(__file__).resolve().parent / "pom.xml"
MAVEN_TIMEOUT_S = 600


def fetch(cache: Path, profile: str) -> Path:
    """The folder with the jars of a profile. Each is fetched once for each version of pom.xml."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    home = cache.resolve() / f"jars-{digest}" / profile
    if not home.exists():
        # Built beside its final place and renamed: an interrupted fetch leaves nothing that looks whole.
        building = home.with_name(f"{profile}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        command = ["mvn", "-B", "-q", "-f", str(POM), "-P", profile, "dependency:copy-dependencies",
                   "-DincludeScope=runtime", f"-DoutputDirectory={building}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=MAVEN_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise PeerError(f"Maven could not fetch {profile}:\n{done.stdout}")
        for archive in building.glob("*.tar.gz"):
            with tarfile.open(archive) as packed:
                packed.extractall(building)
            archive.unlink()
        building.rename(home)
    return home
