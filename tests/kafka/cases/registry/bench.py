"""One node and one registry for all, and for a case that would spoil it a registry of its own."""

import contextlib
from pathlib import Path
from typing import Iterator

from cases.bench import Bench
from context import SCHEMA, Context, started
from peers.cluster import Cluster
from peers.processes import free_ports
from peers.registry import CCOMPAT_PATH, PROFILE, Registry
from program import Program
from read_only import ReadOnly


class RegistryBench(Bench):
    def __init__(self, kafka: Cluster, registry: Registry, program: Program, schema_text: str, jars: Path, home: Path):
        super().__init__(kafka, registry, program, schema_text)
        self.jars, self.home = jars, home
        self.read_only = ReadOnly(registry.url)

    @contextlib.contextmanager
    def with_own_registry(self, name: str) -> Iterator[Bench]:
        """It has a port, and does not run yet. Whatever becomes of it, it is gone in the end."""
        registry = Registry(self.jars, self.home / name)
        registry.take_port()
        try:
            yield self.with_registry(registry)
        finally:
            registry.kill()

    def with_registry(self, registry: Registry) -> Bench:
        return Bench(self.kafka, registry, self.program, self.schema_text)


def url_of_nobody() -> str:
    [port] = free_ports(1)
    return f"http://127.0.0.1:{port}{CCOMPAT_PATH}"


@contextlib.contextmanager
def bench(context: Context) -> Iterator[RegistryBench]:
    home = context.home / "registry"
    apicurio = context.jars(PROFILE)
    kafka = Cluster(context.release, context.jars(context.release.profile), home / "kafka")
    with started(context, kafka, home) as registry:
        opened = RegistryBench(kafka, registry, context.program("registry/program"), SCHEMA.read_text(), apicurio, home)
        opened.read_only.prove()
        yield opened
