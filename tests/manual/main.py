"""Runs every check of the manual page and of the completions; exits with 1 if one failed."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import page
import shells
from tools import Failed, Place, Skipped

CHECKS: list[Callable[[Place], None]] = [
    page.mandoc_finds_nothing_to_warn_of,
    page.man_formats_it_without_a_warning,
    page.groff_formats_it_for_print_without_a_warning,
    shells.bash_completes,
    shells.zsh_completes,
    shells.fish_completes,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only checks whose names hold one of them")
    arguments = parser.parse_args()
    binary: Path = arguments.binary.resolve()
    passed, failed, skipped = 0, 0, 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        if arguments.words and not any(word in name for word in arguments.words):
            continue
        with tempfile.TemporaryDirectory(prefix="manual-") as folder:
            try:
                check(Place(binary, Path(folder)))
            except Skipped as reason:
                skipped += 1
                print(f"SKIPPED: {name}: {reason}")
            except Failed as reason:
                failed += 1
                print(f"FAILED: {name}: {reason}")
            else:
                passed += 1
                print(f"passed: {name}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
