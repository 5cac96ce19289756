"""What `tests/kafka/run` does, by its first word."""

import argparse
import contextlib
import signal
import sys
from pathlib import Path

from cases.runner import run_cases
from chaos.faults import FAULTS
from chaos.trials import BRIEF, WHOLE, run_chaos
from context import Context
from folders import run_folder
from peers.cluster import Cluster
from peers.releases import NEWEST, RELEASES, release_of
from soak.runner import run_soak

FAULTS_BY_NAME = {fault.slug: fault for fault in FAULTS}
ALL = tuple(release.name for release in RELEASES)
# What some cases and faults do they do with tools that came with KRaft.
WITH_KRAFT = tuple(release.name for release in RELEASES if release.has_kraft)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/kafka/run")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    modes = parser.add_subparsers(required=True)
    cases = mode(modes, "cases", cases_mode, WITH_KRAFT, "run all cases, or those whose name holds one of the words")
    cases.add_argument("words", nargs="*", metavar="WORD")
    chaos = mode(modes, "chaos", chaos_mode, WITH_KRAFT, "let faults strike three nodes while producers are at work")
    chaos.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS_BY_NAME)}; without one, all")
    chaos.add_argument("--without-rivals", action="store_true", help="only our program")
    chaos.add_argument("--brief", action="store_true", help="one round of each fault, as soon as it goes")
    cluster = mode(modes, "cluster", cluster_mode, ALL, "start a cluster, tell its address, stop it when interrupted")
    cluster.add_argument("--nodes", type=int, default=1)
    soak = mode(modes, "soak", soak_mode, WITH_KRAFT, "a steady load for long, with a fault a minute")
    soak.add_argument("--minutes", type=at_least_2, default=30)
    soak.add_argument("--report", type=Path, metavar="FOLDER", help="where samples, chart and table are written")
    arguments = parser.parse_args()
    # A termination is an exception like Ctrl-C, so that the peers are stopped on this way out too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with run_folder(arguments.cache) as home:
        context = Context(arguments.binary, arguments.cache, home, release_of(arguments.release))
        return arguments.act(context, arguments)


def mode(modes, name: str, act, releases: tuple[str, ...], what: str) -> argparse.ArgumentParser:
    made = modes.add_parser(name, help=what)
    made.add_argument("--release", default=NEWEST.name, choices=releases, help=f"of Kafka; without one, {NEWEST.name}")
    made.set_defaults(act=act)
    return made


def cases_mode(context: Context, arguments: argparse.Namespace) -> int:
    return run_cases(context, arguments.words)


def chaos_mode(context: Context, arguments: argparse.Namespace) -> int:
    unknown = [name for name in arguments.faults if name not in FAULTS_BY_NAME]
    if unknown:
        sys.exit(f"no fault {', '.join(unknown)}; there are {', '.join(FAULTS_BY_NAME)}")
    faults = [FAULTS_BY_NAME[name] for name in arguments.faults] or list(FAULTS_BY_NAME.values())
    return run_chaos(context, faults, BRIEF if arguments.brief else WHOLE, with_rivals=not arguments.without_rivals)


def soak_mode(context: Context, arguments: argparse.Namespace) -> int:
    return run_soak(context, arguments.minutes, arguments.report or context.cache / "soak")


def cluster_mode(context: Context, arguments: argparse.Namespace) -> int:
    cluster = Cluster(context.release, context.jars(context.release.profile), context.home / "kafka",
                      nodes=arguments.nodes)
    try:
        cluster.start()
        print(f"Apache Kafka {cluster.version}: {cluster.bootstrap}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    finally:
        cluster.stop()
    return 0


def at_least_2(text: str) -> int:
    """The first minute of a soak has no fault."""
    minutes = int(text)
    if minutes < 2:
        raise argparse.ArgumentTypeError("at least 2 minutes: the first has no fault")
    return minutes


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
