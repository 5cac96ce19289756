"""Runs the program beside a sandbox, and what it shows at `/metrics` through `promtool check metrics`.

    metrics.py PROMTOOL BINARY SANDBOX

Before the first message, after traffic, and after failures with codes and a broker that was away: that is where samples
and labels appear. What promtool says of each must be nothing; then of a bad name that is planted, something.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sandbox"))

from driver import Program, Sandbox  # noqa: E402 (its folder had to be named first)

INVALID_RECORD = 87


def complaints(promtool: str, metrics: str) -> str:
    """What `promtool check metrics` says; also where it takes what it reads nevertheless."""
    done = subprocess.run([promtool, "check", "metrics"], input=metrics, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0 and not done.stdout:
        return f"exit code {done.returncode}"
    return done.stdout.strip()


def stages(binary: str, sandbox_binary: str) -> list[tuple[str, str]]:
    """What `/metrics` shows in the course of a run."""
    shown = []
    with Sandbox(sandbox_binary) as sandbox:
        sandbox.order("kill 1")
        with Program(binary, sandbox, "--interval", "1ms") as program:
            shown.append(("before the first message", program.get("metrics")))
            sandbox.order("start 1")
            program.until("traffic", lambda status: status["acknowledged"] > 100)
            shown.append(("after traffic", program.get("metrics")))
            sandbox.order(f"refuse {INVALID_RECORD}")
            program.until("a failure", lambda status: any(failure["code"] for failure in status["failures"]))
            sandbox.order("kill 1")
            program.until("trouble", lambda status: any(row["trouble"] for row in status["partitions"]))
            shown.append(("after failures, the broker away", program.get("metrics")))
            sandbox.order("start 1")
    return shown


def main() -> None:
    promtool, binary, sandbox = sys.argv[1:]
    wrong = False
    for when, metrics in stages(binary, sandbox):
        said = complaints(promtool, metrics)
        wrong |= bool(said)
        samples = sum(not line.startswith("#") for line in metrics.splitlines())
        print(f"{when}: {samples} samples: {said or 'clean'}")
        if "failures" in when and 'code="INVALID_RECORD"' not in metrics:
            raise SystemExit("there is no failure with a code")
    planted = metrics.replace("continuous_producer_messages_generated_total", "continuous_producer_messagesGenerated")
    if planted == metrics or not complaints(promtool, planted):
        raise SystemExit("a bad name was not found")
    raise SystemExit(wrong)


if __name__ == "__main__":
    main()
