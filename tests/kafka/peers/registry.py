"""A real Schema Registry: Apicurio in memory, spoken to through its Confluent-compatible interface.

It keeps its port while this object lives, whatever becomes of its process; what was registered dies with the process.
"""

import contextlib
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

from peers.processes import PeerError, Process, free_ports, wait_until

PROFILE = "apicurio"
START_TIMEOUT_S = 90
START_ATTEMPTS_MAX = 3
CCOMPAT_PATH = "/apis/ccompat/v7"

# Loopback is never reached through a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Registry:
    def __init__(self, jars: Path, home: Path, host: str = "127.0.0.1"):
        self.jars = jars
        self.host = host
        self.home = home.resolve()
        self.home.mkdir(parents=True)
        self.process: Process | None = None
        self.port = 0
        self.url = ""

    def take_port(self):
        """For a registry that is told to others before it runs."""
        [self.port] = free_ports(1)
        self.url = f"http://{self.host}:{self.port}{CCOMPAT_PATH}"

    def start(self):
        """Returns when it answers: at the port that it has, or else at one that it takes."""
        if self.url:
            self.launch()
            return self.wait_until_up()
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            try:
                self.take_port()
                self.launch()
                return self.wait_until_up()
            except PeerError:
                # A port that was free may be taken by the time it is bound.
                self.terminate()
                if attempt == START_ATTEMPTS_MAX:
                    raise

    def launch(self):
        """Returns at once; it does not answer yet."""
        assert self.url, "it has no port"
        assert self.process is None or not self.process.is_running, "it runs"
        [jar] = self.jars.glob("*-runner.jar")
        env = dict(os.environ, QUARKUS_HTTP_HOST=self.host, QUARKUS_HTTP_PORT=str(self.port),
                   QUARKUS_LOG_LEVEL="WARN")
        # It is started several times and answers a few requests each: compiled quickly, not well.
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
                   "-jar", str(jar)]
        self.process = Process("registry", command, self.home / "registry.log", env, self.home)

    def wait_until_up(self):
        wait_until(f"the registry answers at {self.url}", self._answers, START_TIMEOUT_S, self.process)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, urllib.error.URLError):
            with _opener.open(f"{self.url}/subjects", timeout=5) as answer:
                return answer.status == 200
        return False

    def terminate(self):
        """In order, by SIGTERM. Never started, or gone already, is well too."""
        if self.process is not None:
            self.process.terminate()

    def kill(self):
        """By SIGKILL, which ends what is frozen too."""
        if self.process is not None:
            self.process.kill()

    def freeze(self):
        """By SIGSTOP: its port still takes connections, which nobody serves."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)
