"""Starts the peers and the program, strikes once a minute, and judges what came of it.

The main thread strikes; one thread samples, one reads what the verifying process says. Whatever happens, what was
sampled is in the report's folder, and the chart is drawn of it.
"""

import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from chaos.faults import FREEZE, KILL, MOVE, ROLL, TERMINATE, Stage
from context import SCHEMA, Context, started, timed
from peers.cluster import Cluster
from peers.processes import wait_until
from peers.registry import Registry
from peers.topics import Topics
from program import Run
from records import Schema
from soak import chart, proof
from soak.judgement import Findings, Struck
from soak.sampler import Sample, Sampler
from soak.verification import Verification
from soak.verifier import Task

TOPIC = "soak"
PARTITIONS = 12
NODES = 3
SEED = 20_261_126
INTERVAL = "50us"  # 20,000 messages a second
FAULTS = (KILL, TERMINATE, FREEZE, ROLL, MOVE)
MINUTE_S = 60
START_TIMEOUT_S = 60
POLL_S = 1
# How long connections may take to be as they were before the first fault: the leaders must go home first.
SETTLED_TIMEOUT_S = 120
# What is verified may be forgotten: some four minutes' worth is kept, about 2 GB on three nodes.
SEGMENT_BYTES = 8 << 20
RETENTION_BYTES = 48 << 20
PROPERTIES = {
    "log.retention.check.interval.ms": "10000",
    # Every node leads again soon after it is back, so that all are connected to and all are struck.
    "leader.imbalance.check.interval.seconds": "10",
    "leader.imbalance.per.broker.percentage": "0",
}


@dataclass
class Soak:
    stage: Stage
    run: Run
    sampler: Sampler
    verification: Verification
    struck: list[Struck] = field(default_factory=list)

    def strike_every_minute(self, minutes: int):
        """From the first full minute on. A fault that takes longer lets the minutes pass that it takes."""
        turn, minute = 0, 1
        while minute < minutes and self._wait_for_minute(minute):
            fault = FAULTS[turn % len(FAULTS)]
            turn += 1
            began_s, self.sampler.fault = self.sampler.seconds, fault.slug
            earlier = len(self.stage.strikes)
            fault.once().strike(self.stage)
            self.sampler.fault = ""
            self.struck.append(Struck(fault.name, fault.slug, began_s, tuple(
                (self._seconds(strike.began_ms), self._seconds(strike.mended_ms))
                for strike in self.stage.strikes[earlier:])))
            print(f"    {began_s / MINUTE_S:4.1f} min: {fault.name}, whole again after "
                  f"{self.sampler.seconds - began_s:.0f} s; {self.verification.verified:,} records verified so far",
                  flush=True)
            minute = max(minute + 1, int(self.sampler.seconds // MINUTE_S) + 1)
        self._wait_for_minute(minutes)

    def _seconds(self, wall_ms: int) -> float:
        return (wall_ms - self.run.started_ms) / 1000

    def _wait_for_minute(self, minute: int) -> bool:
        """False if there is nothing to wait for: the program has ended, or the verifier has seen enough."""
        while self.sampler.seconds < minute * MINUTE_S:
            if self.run.popen.poll() is not None or self.verification.has_ended:
                return False
            time.sleep(min(POLL_S, max(0.0, minute * MINUTE_S - self.sampler.seconds)))
        return True


def run_soak(context: Context, minutes: int, report: Path) -> int:
    report.mkdir(parents=True, exist_ok=True)
    timed("Planted faults found by the inspector", lambda: prove_inspector(context))
    with stage(context) as (place, registry):
        findings = soak(context, place, registry, minutes, report)
    table = findings.table()
    (report / "soak.md").write_text(table)
    print(table + f"Samples, chart and table are in {report}", flush=True)
    if wrong := findings.wrong():
        # By an exception, which keeps the run's folder.
        sys.exit("\n".join(f"FAILED: {each}" for each in wrong))
    print("passed")
    return 0


def prove_inspector(context: Context):
    shoes = context.program("proof").shoes(SEED, proof.SHOES_MIN)
    proof.prove([json.loads(line) for line in shoes], Schema(SCHEMA.read_text()))


@contextlib.contextmanager
def stage(context: Context) -> Iterator[tuple[Stage, Registry]]:
    kafka = Cluster(context.release, context.jars(context.release.profile), context.home / "kafka", nodes=NODES,
                    properties=PROPERTIES, heap="512m")
    with started(context, kafka, context.home) as registry:
        topics = Topics(kafka)
        topics.create(TOPIC, PARTITIONS, segment_bytes=SEGMENT_BYTES, retention_bytes=RETENTION_BYTES)
        yield Stage(kafka, topics, TOPIC, PARTITIONS), registry


def soak(context: Context, place: Stage, registry: Registry, minutes: int, report: Path) -> Findings:
    program = context.program("program")
    run = program.start({
        "KAFKA_BOOTSTRAP_SERVERS": place.cluster.bootstrap,
        "SCHEMA_REGISTRY_URL": registry.url,
        "KAFKA_TOPIC": TOPIC,
        "MESSAGE_INTERVAL": INTERVAL,
        "SEED": SEED,
    })
    sampler = Sampler(run.popen.pid, report / "soak.csv")
    sampler.start()
    verification = None
    struck: list[Struck] = []
    try:
        verification = Verification(Task(
            str(program.binary), str(program.home), SCHEMA.read_text(), place.cluster.bootstrap, TOPIC, PARTITIONS,
            schema_id(registry), SEED, run.started_ms), context.home / "verifier.log")
        it = Soak(place, run, sampler, verification, struck)
        it.strike_every_minute(minutes)
        first_s = struck[0].began_s if struck else sampler.seconds
        before = [sample for sample in sampler.samples if sample.seconds < first_s][-1]
        after = settled(run, sampler, before)
        sampler.stop()
        run.signal(signal.SIGTERM)
        outcome = run.finish()
        verdict = timed("Verified to the end", lambda: verification.finish(outcome.ledger.acknowledged))
        return Findings(place.cluster.version, minutes, struck, sampler.samples, before, after, outcome, verdict)
    finally:
        run.kill()
        if verification is not None:
            verification.kill()
        sampler.stop()
        (report / "soak.svg").write_text(chart.draw(sampler.samples, struck))


def schema_id(registry: Registry) -> int:
    """As soon as the program has registered it."""
    client = SchemaRegistryClient({"url": registry.url})

    def found() -> int:
        try:
            return client.get_latest_version(f"{TOPIC}-value").schema_id
        except SchemaRegistryError:
            return 0

    return wait_until("the schema is registered", found, START_TIMEOUT_S)


def settled(run: Run, sampler: Sampler, before: Sample) -> Sample:
    """The first sample with the threads and descriptors of before, or the last one where none comes to have them."""
    deadline = time.monotonic() + SETTLED_TIMEOUT_S
    while True:
        last = sampler.samples[-1]
        if (last.threads, last.descriptors) == (before.threads, before.descriptors) or run.popen.poll() is not None \
                or time.monotonic() > deadline:
            return last
        time.sleep(POLL_S)
