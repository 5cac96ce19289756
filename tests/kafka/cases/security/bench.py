"""The bench of a cluster with every way in, and of a registry behind a gate."""

from cases.bench import Bench
from gate import Gate
from peers.registry import Registry
from program import Program
from secured import Secured


class SecuredBench(Bench):
    def __init__(self, secured: Secured, registry: Registry, gate: Gate, program: Program, schema_text: str):
        super().__init__(secured.kafka, registry, program, schema_text)
        self.secured, self.gate = secured, gate
