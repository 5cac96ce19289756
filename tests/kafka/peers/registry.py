"""A real Schema Registry: Apicurio in memory, spoken to through its Confluent-compatible interface."""

import contextlib
import os
import urllib.error
import urllib.request
from pathlib import Path

from peers.processes import PeerError, Process, free_ports, wait_until

PROFILE = "apicurio"
START_TIMEOUT_S = 90
START_ATTEMPTS_MAX = 3

# Loopback is never reached through a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Registry:
    def __init__(self, jars: Path, home: Path, host: str = "127.0.0.1"):
        self.jars = jars
        self.host = host
        self.home = home.resolve()
        self.home.mkdir(parents=True)
        self.process: Process | None = None
        self.url = ""

    def start(self):
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            try:
                return self._start()
            except PeerError:
                # A port that was free may be taken by the time it is bound.
                self.stop()
                if attempt == START_ATTEMPTS_MAX:
                    raise

    def _start(self):
        [port] = free_ports(1)
        self.url = f"http://{self.host}:{port}/apis/ccompat/v7"
        [jar] = self.jars.glob("*-runner.jar")
        env = dict(os.environ, QUARKUS_HTTP_HOST=self.host, QUARKUS_HTTP_PORT=str(port), QUARKUS_LOG_LEVEL="WARN")
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-jar", str(jar)]
        self.process = Process("registry", command, self.home / "registry.log", env, self.home)
        wait_until(f"the registry answers at {self.url}", self._answers, START_TIMEOUT_S, self.process)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, urllib.error.URLError):
            with _opener.open(f"{self.url}/subjects", timeout=5) as answer:
                return answer.status == 200
        return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
