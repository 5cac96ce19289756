"""A network that can be cut and slowed down: two namespaces and a cable between them.

The harness itself moves into a namespace of its own, so that nothing here touches the machine's network; the brokers
run beside it, and the producer at the far end of the cable. The namespaces live as long as the processes in them:
nothing has to be cleaned up, however this process ends. Outside of the cable there is nothing: the far end's default
route is a black hole.
"""

import ctypes
import os
import shutil
import subprocess

from peers.processes import PeerError, dying_with_this_process, wait_until

CLONE_NEWNET = 0x40000000
NEAR, FAR = "near", "far"  # the cable's ends
NEAR_ADDRESS, FAR_ADDRESS, PREFIX = "10.77.0.1", "10.77.0.2", 30
TOOLS = ("ip", "tc", "iptables", "nsenter", "unshare")
COMMAND_TIMEOUT_S = 20
# Room for a tenth of a second at the reduced rate; what comes faster waits at most this long before it is dropped.
BURST_BYTES = 32 * 1024
QUEUE_MS = 400
PROBE = f"""
ip link add {NEAR} type veth peer name {FAR}
iptables -I INPUT -i {NEAR} -j DROP
tc qdisc add dev {NEAR} root tbf rate 1mbit burst {BURST_BYTES} latency {QUEUE_MS}ms
"""


def unavailable() -> str:
    """Why there can be no such network here; empty if there can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    # A container's root may not, either, and a kernel may lack the modules: tried in a namespace that is gone at once.
    tried = subprocess.run(["unshare", "--net", "sh", "-ec", PROBE], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if tried.returncode != 0:
        return f"no network that can be cut: {' '.join(tried.stderr.split())}"
    return ""


class Network:
    """To be made before any thread, socket or process that is to be inside."""

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise PeerError(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL,
                                        preexec_fn=dying_with_this_process())
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR)
        self._wait_for_holder()
        run("ip", "link", "set", FAR, "netns", str(self._holder.pid))
        run("ip", "address", "add", f"{NEAR_ADDRESS}/{PREFIX}", "dev", NEAR)
        run("ip", "link", "set", NEAR, "up")
        self._far("ip", "link", "set", "lo", "up")
        self._far("ip", "address", "add", f"{FAR_ADDRESS}/{PREFIX}", "dev", FAR)
        self._far("ip", "link", "set", FAR, "up")
        self._far("ip", "route", "add", "blackhole", "default")

    def _wait_for_holder(self):
        """Until it is in a namespace of its own."""
        ours = os.readlink("/proc/self/ns/net")
        wait_until("the far namespace is there",
                   lambda: os.readlink(f"/proc/{self._holder.pid}/ns/net") != ours, COMMAND_TIMEOUT_S)

    def far_command(self, command: list[str]) -> list[str]:
        """The command that runs another one at the far end."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *command]

    def _far(self, *command: str):
        run(*self.far_command(list(command)))

    def cut(self):
        """Packets vanish in both directions; nobody is told."""
        run("iptables", "-I", "INPUT", "-i", NEAR, "-j", "DROP")
        self._far("iptables", "-I", "INPUT", "-i", FAR, "-j", "DROP")

    def mend(self):
        run("iptables", "-D", "INPUT", "-i", NEAR, "-j", "DROP")
        self._far("iptables", "-D", "INPUT", "-i", FAR, "-j", "DROP")

    def slow_down(self, kbit_per_s: int):
        """In both directions."""
        limit = ("root", "tbf", "rate", f"{kbit_per_s}kbit", "burst", str(BURST_BYTES), "latency", f"{QUEUE_MS}ms")
        run("tc", "qdisc", "add", "dev", NEAR, *limit)
        self._far("tc", "qdisc", "add", "dev", FAR, *limit)

    def speed_up(self):
        run("tc", "qdisc", "del", "dev", NEAR, "root")
        self._far("tc", "qdisc", "del", "dev", FAR, "root")

    def close(self):
        self._holder.kill()
        self._holder.wait()


def run(*command: str):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise PeerError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
