"""The verifying process as the soak sees it: started, asked how far it is, told when all is written, and awaited."""

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from peers.processes import PeerError, dying_with_this_process
from soak.verifier import Task, Verdict

KAFKA = Path(__file__).resolve().parent.parent
VERDICT_TIMEOUT_S = 900


class Verification:
    """By a thread that stays: see `dying_with_this_process`."""

    def __init__(self, task: Task, log: Path):
        self.verified = 0
        self.verdict: Verdict | None = None
        self._log = log
        with open(log, "wb") as errors:
            self._popen = subprocess.Popen([sys.executable, "-B", "-m", "soak.verifier", json.dumps(asdict(task))],
                                           cwd=KAFKA, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                           encoding="utf-8", preexec_fn=dying_with_this_process())
        self._reader = threading.Thread(target=self._read, name="verification", daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._popen.stdout:
            told = json.loads(line)
            self.verified = told.get("progress", self.verified)
            if "verdict" in told:
                self.verdict = Verdict(**told["verdict"])
                self.verified = self.verdict.verified

    @property
    def has_ended(self) -> bool:
        return self._popen.poll() is not None

    def finish(self, count: int) -> Verdict:
        if not self.has_ended:
            self._popen.stdin.write(f"{count}\n")
            self._popen.stdin.flush()
        try:
            code = self._popen.wait(VERDICT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise PeerError(f"no verdict after {VERDICT_TIMEOUT_S} s, {self.verified} of {count} verified") from None
        self._reader.join()
        if self.verdict is None:
            raise PeerError(f"the verifier ended with {code}:\n{self._log.read_text(errors='replace')}")
        return self.verdict

    def kill(self):
        if not self.has_ended:
            self._popen.kill()
            self._popen.wait()
