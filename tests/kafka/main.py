"""What `tests/kafka/run` does, by its first word."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Iterator

from cases.runner import run_cases
from chaos.faults import FAULTS
from chaos.trials import BRIEF, WHOLE, run_chaos
from context import Context
from peers.cluster import Cluster
from peers.releases import NEWEST, RELEASES, release_of
from soak.runner import run_soak

# What the faults do they do with tools that came with KRaft.
WITH_KRAFT = [release.name for release in RELEASES if release.has_kraft]
FAULTS_BY_NAME = {fault.slug: fault for fault in FAULTS}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/kafka/run")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    modes = parser.add_subparsers(required=True)
    mode = modes.add_parser("cases", help="run all cases, or those whose name contains one of the words")
    mode.add_argument("words", nargs="*", metavar="WORD")
    mode.set_defaults(act=lambda context, arguments: run_cases(context, arguments.words))
    mode = modes.add_parser("chaos", help="let faults strike a cluster of three while producers are at work")
    mode.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(map(str, FAULTS_BY_NAME))}; all")
    mode.add_argument("--release", default=NEWEST.name, choices=WITH_KRAFT)
    mode.add_argument("--without-rivals", action="store_true", help="only our program")
    mode.add_argument("--brief", action="store_true", help="one round of each fault, as soon as it goes")
    mode.set_defaults(act=chaos)
    mode = modes.add_parser("cluster", help="start a cluster, tell its address, stop it when interrupted")
    mode.add_argument("--release", default=NEWEST.name, choices=[release.name for release in RELEASES])
    mode.add_argument("--nodes", type=int, default=1)
    mode.set_defaults(act=lambda context, arguments: run_cluster(context, arguments.release, arguments.nodes))
    mode = modes.add_parser("soak", help="a steady load for long, with a fault a minute, memory and threads sampled")
    mode.add_argument("--minutes", type=at_least_2, default=30)
    mode.add_argument("--release", default=NEWEST.name, choices=WITH_KRAFT)
    mode.add_argument("--report", type=Path, metavar="FOLDER", help="where samples, chart and table are written")
    mode.set_defaults(act=lambda context, arguments: run_soak(
        context, arguments.minutes, release_of(arguments.release), arguments.report or context.cache / "soak"))
    arguments = parser.parse_args()
    # A termination is an exception like Ctrl-C, so that the peers are stopped on this way out too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with run_folder(arguments.cache) as home:
        return arguments.act(Context(arguments.binary, arguments.cache, home), arguments)


def chaos(context: Context, arguments: argparse.Namespace) -> int:
    unknown = [name for name in arguments.faults if name not in FAULTS_BY_NAME]
    if unknown:
        sys.exit(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS_BY_NAME)}")
    faults = [FAULTS_BY_NAME[name] for name in arguments.faults] or list(FAULTS_BY_NAME.values())
    return run_chaos(context, release_of(arguments.release), faults, BRIEF if arguments.brief else WHOLE,
                     with_rivals=not arguments.without_rivals)


def at_least_2(text: str) -> int:
    """The first minute of a soak has no fault."""
    minutes = int(text)
    if minutes < 2:
        raise argparse.ArgumentTypeError("at least 2 minutes: the first has no fault")
    return minutes


@contextlib.contextmanager
def run_folder(cache: Path) -> Iterator[Path]:
    """The peers' and the program's logs, Kafka's data: removed after a success, kept and named after a failure."""
    home = cache / f"run-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        yield home
    except BaseException:
        print(f"Logs and data are kept in {home}")
        raise
    shutil.rmtree(home, ignore_errors=True)


def run_cluster(context: Context, release: str, nodes: int) -> int:
    cluster = Cluster(release_of(release), context.jars(release_of(release).profile), context.home / "kafka",
                      nodes=nodes)
    try:
        cluster.start()
        print(f"Apache Kafka {cluster.version}: {cluster.bootstrap}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
