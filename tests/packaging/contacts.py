"""Whom the program speaks to, by what it asks of the kernel: brokers and registry that were named, and nobody else.

    contacts.py PROGRAM SANDBOX FOLDER      in network and mount namespaces of its own, as root of them

Runs under strace beside a sandbox. With addresses it may connect to those alone, and opens no file but the authorities
that it was given. With names it may moreover ask the name server of /etc/resolv.conf, for those names alone. The
namespace has nothing but loopback, so that anything else would fail; it must not even be tried. Exit code: 0 so it is,
1 it is not.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from name_server import NameServer

BROKER, REGISTRY, NAME_SERVER = ("127.0.0.1", 19092), ("127.0.0.1", 18081), ("127.0.0.1", 53)
MESSAGES = 200
CALLS = "connect,sendto,sendmsg,sendmmsg,bind,open,openat,openat2,execve"
PEER = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')
# But for glibc's question to a daemon on this machine that caches names, which mostly is not there.
OTHER_FAMILY = re.compile(r"sa_family=(AF_(?!INET6?\b|UNSPEC\b)\w+)\b(?!, sun_path=\"/var/run/nscd/socket\")")
OPENED = re.compile(r'open(?:at2?)?\((?:AT_FDCWD, )?"([^"]+)"')
# What the C library, its loader and Rust's std look at whatever the program does; and how much memory it takes itself.
SYSTEM = re.compile(
    r"/proc/self/(cgroup|mountinfo|maps|auxv|status)|/sys/fs/cgroup/.*|/sys/devices/system/cpu/.*|/dev/null"
    r"|/etc/ld\.so\.(cache|preload)|/(usr/)?lib(64)?/.*\.so(\.\d+)*"
)
BROKER_NAME, REGISTRY_NAME = "broker.example", "registry.example"
# What the sandbox gives it to trust.
AUTHORITIES = re.compile(r"/sandbox/certificates/ca\.pem$")
# What resolving a name looks at; each C library has its own choice of them.
RESOLVER = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"}


def main(program: Path, sandbox: Path, folder: Path) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    resolver = folder / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    target = Path("/etc/resolv.conf").resolve()
    subprocess.run(["mount", "--bind", resolver, target], check=True)
    server = NameServer({name: "127.0.0.1" for name in (BROKER_NAME, REGISTRY_NAME)})
    wrong = []
    for title, broker, registry, names, security in (
        ("by address", BROKER[0], REGISTRY[0], set(), "PLAINTEXT"),
        ("by address, encrypted", BROKER[0], REGISTRY[0], set(), "SSL"),
        ("by name", BROKER_NAME, REGISTRY_NAME, {BROKER_NAME, REGISTRY_NAME}, "PLAINTEXT"),
    ):
        server.asked.clear()
        trace = folder / "strace.log"
        run(program, sandbox, security, f"{broker}:{BROKER[1]}", f"http://{registry}:{REGISTRY[1]}", trace)
        said, asked = trace.read_text(), set(server.asked)
        peers, files = peers_of(said), files_of(said)
        if security == "SSL":
            if not any(map(AUTHORITIES.search, files)):
                wrong.append(f"{title}: it did not open the authorities, so that this test is blind")
            files = {path for path in files if not AUTHORITIES.search(path)}
        allowed = {BROKER, REGISTRY} | ({NAME_SERVER} if names else set())
        wrong += [f"{title}: it spoke to {peer}" for peer in sorted(peers - allowed)]
        wrong += [
            f"{title}: it did not speak to {peer}, so that this test is blind" for peer in sorted(allowed - peers)
        ]
        wrong += [f"{title}: it opened {path}" for path in sorted(files - (RESOLVER if names else set()))]
        wrong += [f"{title}: it asked for the name {name}" for name in sorted(asked - names)]
        wrong += [
            f"{title}: it did not ask for {name}, so that this test is blind" for name in sorted(names - asked)
        ]
        wrong += [f"{title}: it used {family}" for family in sorted(set(OTHER_FAMILY.findall(said)))]
        if said.count("execve(") > 1:
            wrong.append(f"{title}: it started another program")
        print(
            f"{title}: spoke to {listed(peers)}; asked for {', '.join(sorted(asked)) or 'no name'}; "
            f"opened {', '.join(sorted(files)) or 'nothing that was not given'}"
        )
    print("\n".join(wrong) if wrong else f"nobody else, in three runs of {MESSAGES} messages")
    return 1 if wrong else 0


def run(program: Path, sandbox: Path, security: str, brokers: str, registry: str, trace: Path) -> None:
    """One run to its end beside a sandbox, which listens on loopback whatever the program calls it."""
    settings = {
        "PATH": os.environ["PATH"],
        "LOG_LEVEL": "warn",
        "MESSAGE_COUNT": str(MESSAGES),
        "MESSAGE_INTERVAL": "1ms",
    }
    command = [
        sandbox.resolve(),
        "run",
        "--security-protocol",
        security,
        "--port",
        str(BROKER[1]),
        "--registry-port",
        str(REGISTRY[1]),
        "--",
        "strace",
        "--follow-forks",
        "--string-limit=300",
        f"--trace={CALLS}",
        f"--output={trace}",
        program.resolve(),
        "--bootstrap-servers",
        brokers,
        "--registry-url",
        registry,
    ]
    done = subprocess.run(
        command, env=settings, cwd=trace.parent, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        sys.exit(f"the run itself failed ({done.returncode}):\n{done.stdout}{done.stderr}")


def peers_of(trace: str) -> set[tuple[str, int]]:
    """Address and port of all that was connected to, or sent to without being connected to."""
    found = set()
    for line in trace.splitlines():
        if re.search(r"\bbind\(", line):
            continue
        for port, four, six in PEER.findall(line):
            found.add(((four or six).removeprefix("::ffff:"), int(port)))
    return found


def files_of(trace: str) -> set[str]:
    """What was opened, or tried to be, but for what every program looks at."""
    return {path for path in OPENED.findall(trace) if not SYSTEM.fullmatch(path)}


def listed(peers: set[tuple[str, int]]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in sorted(peers))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
