"""`packaging/run`: makes the archives that leave the house. See there for how it is called.

Same sources, same toolchain: same bytes, wherever and whenever it is run. Exit code: 0 made, 1 could not be, 2 called
wrongly.
"""

import argparse
import signal
import sys
from pathlib import Path

import dist
import vendor
from errors import PackagingError

OUTPUT = Path("target/dist")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="packaging/run", description="Make the archives that leave the house.")
    commands = parser.add_subparsers(dest="command", required=True)
    vendoring = commands.add_parser("vendor", help="all sources in one archive, to build without a network")
    dealing = commands.add_parser("dist", help="what is handed to users: archive, bill of materials, checksums")
    dealing.add_argument("--target", required=True, help="the target that the binary was built for")
    dealing.add_argument("--binary", required=True, type=Path, help="the program")
    for command in (vendoring, dealing):
        command.add_argument("--output", type=Path, default=OUTPUT, help=f"where to ({OUTPUT})")
    chosen = parser.parse_args(arguments)
    # So that a run that is stopped takes its unfinished files along.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        chosen.output.mkdir(parents=True, exist_ok=True)
        if chosen.command == "vendor":
            vendor.make(chosen.output)
        else:
            dist.make(chosen.output, chosen.target, chosen.binary)
    except (PackagingError, OSError) as error:
        print(f"packaging/run {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
