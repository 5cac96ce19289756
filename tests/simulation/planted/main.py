"""Shows that the simulation bites: plants each defect of defects.py in a copy of the sources and demands that it is found.

A defect counts as caught when a history fails by an assertion of the simulation itself, which names a broken promise. What does
not compile, a panic or an assertion of the client, a defect whose text is not there exactly once, and one that nobody notices
within the histories fail the run. The sources as they are have to pass as many histories first.

The copy lies under target/planted with a target directory of its own, so that dependencies are built once; it has the rooms
that the simulation needs, no others, and is little optimised: building takes longer than the histories. The client's own debug
assertions are off: what is caught is caught from outside.

    tests/simulation/planted/main.py [WORD ...]      all defects, or those whose name contains one of the words
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from defects import DEFECTS, Defect

# A defect that is caught late may slip through after the next change of the simulation: then its faults are too rare.
HISTORIES = int(os.environ.get("PLANTED_HISTORIES") or 2000)
RUN_TIMEOUT_S = 120
ROOT = Path(__file__).resolve().parents[3]
PLANTED = ROOT / "target" / "planted"
COPY = PLANTED / "copy"
LOGS = PLANTED / "logs"
COPIED = ["Cargo.toml", "Cargo.lock", "build.rs", "schema", "src", "tests/sandbox", "tests/simulation"]
ROOMS = "\npub mod crypto;\npub mod foreign;\npub mod host_names;\npub mod kafka;\npub mod secret;\npub mod tls;\n"
FAILURE = re.compile(r"^seed (\d+): (\S+?):\d+: (.*)$", re.MULTILINE)


class Unfit(Exception):
    """What was run proves nothing. The text says why."""


def sources():
    """Path and bytes of every file of the copy."""
    for name in COPIED:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(ROOT), file.read_bytes()


def trimmed(name, content):
    """A library with nothing but Kafka is built in a third of the time."""
    if name == Path("src/lib.rs"):
        text = re.sub(r"^pub mod \w+;\n", "", content.decode(), flags=re.MULTILINE)
        return (text + ROOMS).encode()
    return content


def copy_sources():
    """Writes only what has changed, so that cargo builds only that."""
    wanted = {name: trimmed(name, content) for name, content in sources() if name != Path("src/main.rs")}
    for file in [file for file in COPY.rglob("*") if file.is_file()]:
        if file.relative_to(COPY) not in wanted:
            file.unlink()
    for name, content in wanted.items():
        file = COPY / name
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def build():
    """The simulation's binary."""
    environment = dict(
        os.environ,
        CARGO_TARGET_DIR=str(PLANTED / "target"),
        CARGO_INCREMENTAL="1",
        CARGO_PROFILE_SIMULATION_DEBUG_ASSERTIONS="false",
        CARGO_PROFILE_SIMULATION_OVERFLOW_CHECKS="true",
        CARGO_PROFILE_SIMULATION_OPT_LEVEL="1",
    )
    cargo = os.environ.get("CARGO", "cargo")
    command = [cargo, "test", "--profile", "simulation", "--locked", "--test", "simulation", "--no-run"]
    built = subprocess.run(
        [*command, "--message-format", "json-render-diagnostics"],
        cwd=COPY, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    if built.returncode != 0:
        errors = re.findall(r"^error.*", built.stderr, re.MULTILINE) or ["cargo failed"]
        raise Unfit(f"does not compile: {errors[0]}")
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    binaries = [message["executable"] for message in messages if message.get("executable")]
    if len(binaries) != 1:
        raise Unfit(f"one binary was to be built, not {binaries}")
    return binaries[0]


def simulate(name):
    """Exit code and output of as many histories as fit, up to the first that fails."""
    log = LOGS / f"{name}.log"
    environment = dict(os.environ, SIMULATION_HISTORIES=str(HISTORIES))
    for variable in ("SIMULATION_SEED", "SIMULATION_FIRST_SEED"):
        environment.pop(variable, None)
    binary = build()
    with log.open("w") as output:
        try:
            ran = subprocess.run(
                [binary, "--nocapture"],
                cwd=COPY, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                timeout=RUN_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            raise Unfit(f"the histories do not end within {RUN_TIMEOUT_S} s") from None
    return ran.returncode, log.read_text(errors="replace")


def check_the_list():
    """Every defect can be planted, before the first one is."""
    names = [defect.name for defect in DEFECTS]
    wrong = [f"{name}: the name is there twice" for name in set(names) if names.count(name) > 1]
    for defect in DEFECTS:
        found = (ROOT / defect.file).read_text().count(defect.old)
        if found != 1:
            wrong.append(f"{defect.name}: its text is {found} times in {defect.file}, not once")
        if defect.old == defect.new:
            wrong.append(f"{defect.name}: it changes nothing")
    if wrong:
        sys.exit("planted defects: the list does not fit the sources:\n" + "\n".join(wrong))


def plant(defect: Defect):
    """Seed and reason of the first history that fails with the defect."""
    file = COPY / defect.file
    healthy = file.read_text()
    file.write_text(healthy.replace(defect.old, defect.new))
    try:
        code, output = simulate(defect.name)
    finally:
        file.write_text(healthy)
    if code == 0:
        raise Unfit(f"NOT noticed within {HISTORIES} histories")
    failure = FAILURE.search(output)
    if failure is None:
        raise Unfit("it failed without a reason: " + " ".join(output.split()[-40:]))
    seed, where, reason = failure.groups()
    if not where.startswith("tests/simulation/"):
        raise Unfit(f"not the simulation but {where} failed: {reason}")
    return int(seed), reason


def main(words):
    check_the_list()
    began = time.monotonic()
    LOGS.mkdir(parents=True, exist_ok=True)
    copy_sources()
    try:
        code, output = simulate("as-it-is")
    except Unfit as why:
        sys.exit(f"planted defects: the sources as they are: {why}")
    if code != 0:
        sys.exit(f"planted defects: the sources as they are do not pass:\n{output[-2000:]}")
    print(f"as it is: {HISTORIES} histories passed", flush=True)
    chosen = [defect for defect in DEFECTS if not words or any(word in defect.name for word in words)]
    wide = max((len(defect.name) for defect in chosen), default=0)
    missed = []
    for defect in chosen:
        try:
            seed, reason = plant(defect)
            verdict = f"caught after {seed + 1:>5}"
        except Unfit as why:
            missed.append(defect)
            verdict, reason = "NOT CAUGHT        ", str(why)
        reason = reason.removeprefix("assertion `left == right` failed: ")
        print(f"{defect.name:<{wide}}  {verdict}  {reason}", flush=True)
    for defect in missed:
        print(f"NOT CAUGHT: {defect.name}: {defect.breaks}")
    seconds = time.monotonic() - began
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted defects caught, {seconds:.0f} s")
    sys.exit(bool(missed) or not chosen)


if __name__ == "__main__":
    main(sys.argv[1:])
