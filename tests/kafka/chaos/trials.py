"""Puts producers on the stage, lets faults strike, and tells what came of it in one table.

For our program a trial fails where anything is lost, there twice or out of order, where what is there is not what was
made, and where a message failed: no fault here lasts as long as `KAFKA_DELIVERY_TIMEOUT`. What becomes of the messages
of other producers is told, and judged by nobody.
"""

import sys
import time
from dataclasses import dataclass

from chaos import network, proof
from chaos.contestants import Contestant, Ours, Production, Theirs
from chaos.faults import FAR_LISTENER, FREEZE, KILL, Fault, Stage, now_ms
from chaos.network import NEAR_ADDRESS, Network
from chaos.table import Result, cells, table
from chaos.verdict import Appended, judge
from context import SCHEMA, Context, started, timed
from listeners import PLAINTEXT
from peers.cluster import Cluster
from peers.processes import PeerError, wait_until
from peers.registry import PROFILE as REGISTRY
from peers.topics import Topics, end_offset
from records import read_topic
from rivals.rival import all_rivals

NODES = 3
PARTITIONS = 12
MESSAGES_PER_S = 10_000
HEAP = "512m"
# How long a producer is at work at least, and how long before the first strike and after the last.
WHOLE_S, CALM_S = 60, 5
BRIEF_S = 15
START_TIMEOUT_S = 60
FAULTS_FOR_RIVALS = (KILL.slug, FREEZE.slug)


@dataclass(frozen=True)
class Pace:
    """How thorough a trial is."""

    at_least_s: float
    is_brief: bool  # one round instead of as many as the fault has


WHOLE, BRIEF = Pace(WHOLE_S, is_brief=False), Pace(BRIEF_S, is_brief=True)


def run_chaos(context: Context, faults: list[Fault], pace: Pace, *, with_rivals: bool) -> int:
    """The exit code, or a SystemExit that keeps the run's folder."""
    jars = context.jars(context.release.profile)
    context.jars(REGISTRY)  # kept for when there is no network to fetch it by
    if pace.is_brief:
        faults = [fault.once() for fault in faults]
    no_network = network.unavailable()
    proof.prove()
    rivals = [Theirs(rival, context.home / "rivals") for rival in all_rivals(context.cache)] if with_rivals else []
    ready = [rival for rival in rivals if not rival.unavailable()]
    for rival in ready:
        timed(f"{rival} made", rival.prepare)
    # From here on there is no way out to other machines.
    cable = Network() if any(fault.needs_network for fault in faults) and not no_network else None
    cluster = Cluster(context.release, jars, context.home / "kafka", nodes=NODES, heap=HEAP,
                      listeners=(PLAINTEXT, FAR_LISTENER) if cable else (PLAINTEXT,))
    results = [Result(fault, rival, skipped=rival.unavailable()) for fault in faults if fault.slug in FAULTS_FOR_RIVALS
               for rival in rivals if rival not in ready]
    try:
        with started(context, cluster, context.home, NEAR_ADDRESS if cable else "127.0.0.1") as registry:
            ours = Ours(context.program("program"), registry, SCHEMA.read_text())
            for fault in faults:
                for contestant in [ours, *(ready if fault.slug in FAULTS_FOR_RIVALS else [])]:
                    if fault.needs_network and cable is None:
                        results.append(Result(fault, contestant, skipped=no_network))
                        continue
                    result = timed(f"{fault.name}, {contestant}",
                                   lambda: trial(fault, contestant, cluster, cable, pace))
                    print("   ", " | ".join(cells(result)), flush=True)
                    results.append(result)
    finally:
        if cable:
            cable.close()
    print(f"\nApache Kafka {cluster.version}, {NODES} nodes; {PARTITIONS} partitions, {MESSAGES_PER_S} messages/s")
    print(f"\n{table(results)}\n")
    return conclude([result for result in results if isinstance(result.contestant, Ours)])


def conclude(results: list[Result]) -> int:
    failed = [result for result in results if result.failure]
    passed = [result for result in results if result.verdict and not result.failure]
    for result in failed:
        print(f"FAILED {result.fault.name}: {result.failure}")
    skipped = len(results) - len(failed) - len(passed)
    print(f"{len(passed)} passed, {len(failed)} failed, {skipped} skipped")
    if failed or not passed:
        sys.exit(1)
    return 0


def trial(fault: Fault, contestant: Contestant, cluster: Cluster, cable: Network | None, pace: Pace) -> Result:
    topics = Topics(cluster)
    topic = f"{fault.slug}_{contestant.slug}"
    topics.create(topic, PARTITIONS, message_timestamp_type="LogAppendTime")
    # All come in by the same way, ours and the rivals', but where the fault is the way itself.
    stage = Stage(cluster, topics, topic, PARTITIONS, cable if fault.needs_network else None)
    stage.wait_until_whole()
    production = contestant.start(stage, MESSAGES_PER_S)
    try:
        wait_until(f"{contestant} produces", lambda: end_offset(cluster.bootstrap, topic) > 0, START_TIMEOUT_S)
        began = time.monotonic()
        time.sleep(CALM_S)
        fault.strike(stage)
        time.sleep(max(CALM_S, began + pace.at_least_s - time.monotonic()))
        return examined(fault, contestant, production, stage)
    finally:
        production.kill()


def examined(fault: Fault, contestant: Contestant, production: Production, stage: Stage) -> Result:
    """Stops the producer and reads the topic. The cluster is whole: what goes wrong here spoils no other trial."""
    stopped_ms = now_ms()
    try:
        told = production.stop()
        records = read_topic(stage.cluster.bootstrap, stage.topic)
        verdict = judge(told.books, [Appended(record.partition, told.number_of(record), record.timestamp_ms)
                                     for record in records], stage.strikes, stage.partitions, stopped_ms)
    except (AssertionError, LookupError, ValueError, PeerError) as broken:
        return Result(fault, contestant, failure=f"{type(broken).__name__}: {broken}")
    failure = ""
    try:
        assert verdict.is_clean and verdict.acknowledged == verdict.messages, f"{verdict}"
        told.check_bytes(records)
        # What is as it should be is no evidence, and takes room.
        stage.topics.delete(stage.topic)
    except AssertionError as broken:
        failure = f"{broken}\n{told.last_words}"
    return Result(fault, contestant, verdict=verdict, failure=failure)
