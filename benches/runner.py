"""One run of one contestant against one broker, and its figures.

A run counts only if it ended well, and if the broker took as many records as the contestant says were acknowledged.
What is measured is the contestant's process with its children, from its start to its end; never the broker's.
"""

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from brokers import CARGO_BINARIES, Ground
from contestants import Contestant, Unreadable
from peers.processes import PeerError, Process
from program import environment

MEASURED = re.compile(r"^measured user ([\d.]+) system ([\d.]+) peak_kib (\d+)$", re.MULTILINE)
# For its start, for what is in flight, and for one that ends by count and was faster before.
CLIENT_GRACE_S = 8


@dataclass(frozen=True)
class Figures:
    acknowledged: int
    taken: int  # by the broker, as it says
    seconds: float  # from the first send to the last acknowledgement
    cpu_s: float  # user and system, of the whole process
    peak_kib: int  # resident

    @property
    def rate(self) -> float:
        return self.acknowledged / self.seconds

    @property
    def cpu_ns(self) -> float:
        """A message."""
        return self.cpu_s * 1e9 / max(self.acknowledged, 1)


class RunFailed(Exception):
    """Why a run has no figures."""


class Miscounted(RunFailed):
    """What was acknowledged is not what the broker took."""


def run_once(contestant: Contestant, ground: Ground, seconds: float, home: Path) -> Figures:
    """Fails with `RunFailed`. `home` is a folder for its logs, which is made."""
    home = home.resolve()
    home.mkdir(parents=True)
    broker = None
    try:
        broker = ground.start(home)
        command = [str(CARGO_BINARIES / "measure"), *contestant.command(broker.endpoint, seconds)]
        output = run_client(contestant, command, contestant.settings(broker.endpoint), seconds, home / "client.log")
        told = contestant.read(output)
        taken = broker.finish()
    except (PeerError, Unreadable) as error:
        raise RunFailed(str(error).strip()) from error
    finally:
        if broker is not None:
            broker.kill()
    if taken != told.acknowledged:
        raise Miscounted(f"{told.acknowledged} were acknowledged, and the broker took {taken}")
    user, system, peak_kib = MEASURED.findall(output)[-1]
    return Figures(told.acknowledged, taken, told.seconds, float(user) + float(system), int(peak_kib))


def run_client(contestant: Contestant, command: list[str], settings: dict[str, object], seconds: float,
               log: Path) -> str:
    """What it printed, once it has ended well."""
    process = Process(contestant.name, command, log, environment(settings), log.parent)
    try:
        code = process.popen.wait(seconds + CLIENT_GRACE_S)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"it still ran after {seconds + CLIENT_GRACE_S:.0f} s") from None
    finally:
        # The contestant is a child of the process that measures it, in the session of both.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.popen.pid, signal.SIGKILL)
        process.popen.wait()
    output = log.read_text(errors="replace")
    if code != 0:
        words = [line for line in output.splitlines() if line.strip() and not MEASURED.match(line)]
        raise RunFailed(f"it ended with {code}: {words[-1] if words else 'without a word'}")
    return output
