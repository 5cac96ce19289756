"""Processes that do not outlive this one, conditions with a deadline instead of pauses, and ports that stay free."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

STOP_TIMEOUT_S = 20
POLL_INTERVAL_S = 0.1
LOG_TAIL_LINES = 30
PR_SET_PDEATHSIG = 1
PORT_MIN = 10_000
PORT_ATTEMPTS_MAX = 1_000


class PeerError(Exception):
    """A peer could not be fetched, started or asked."""


class Process:
    """A process whose output goes to the end of a file."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str], cwd: Path):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            # A session of its own: a Ctrl-C in the terminal reaches this test, which then stops the peers in order.
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env,
                                          cwd=cwd, start_new_session=True, preexec_fn=dying_with_this_process())

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {self.name}: {line}" for line in lines)

    def signal(self, number: signal.Signals):
        if not self.is_running:
            raise PeerError(f"{self.name} has ended by itself with {self.popen.returncode}\n{self.tail()}")
        self.popen.send_signal(number)

    def terminate(self):
        """In order, by SIGTERM; at its deadline by SIGKILL."""
        if self.is_running:
            self.popen.terminate()
            try:
                self.popen.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        """By SIGKILL, which ends what is stopped too."""
        if self.is_running:
            self.popen.kill()
            self.popen.wait()


def dying_with_this_process():
    """A `preexec_fn`: the kernel kills the child when this process is gone, however it went.

    To the kernel, the parent is the thread that forks: only a thread that stays may start such a child.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


class Watched(Protocol):
    """What a `Process` has, and others may have."""

    name: str
    popen: subprocess.Popen

    @property
    def is_running(self) -> bool: ...

    def tail(self) -> str: ...


def wait_until(what: str, condition, timeout_s: float, process: Watched | None = None):
    """The condition's first true value. Fails at the deadline, or as soon as the process that should cause it ends."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if process is not None and not process.is_running:
            raise PeerError(f"{process.name} ended with {process.popen.returncode} before {what}\n{process.tail()}")
        if time.monotonic() > deadline:
            tail = process.tail() if process is not None else ""
            raise PeerError(f"not within {timeout_s:.0f} s: {what}\n{tail}")
        time.sleep(POLL_INTERVAL_S)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all different.

    None of those that the kernel gives to outgoing connections: a broker that is down for a while would lose its port
    to one of them.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with ExitStack() as stack:
        ports = []
        for _ in range(PORT_ATTEMPTS_MAX):
            if len(ports) == count:
                return ports
            port = random.randrange(PORT_MIN, end)
            attempt = stack.enter_context(socket.socket())
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
    raise PeerError(f"no {count} free ports between {PORT_MIN} and {end}")
