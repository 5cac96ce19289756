"""What `tests/page/run` does: the checks against made-up answers, or those that hold for any run."""

import argparse
import sys
import time
import traceback
from pathlib import Path

from browser import Browser
from checks import CASES, LOOKS, Stage, shows_a_run, stays_at_home
from fake import Server

TARGET = Path("target/page")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/page/run")
    parser.add_argument("--browser", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--url", help="of a run that is there; without it, answers are made up")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long it is open before it is looked at")
    parser.add_argument("--out", type=Path, default=TARGET, help="where pictures are left (default: %(default)s)")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases whose name holds one of them")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.url:
        return look_at(arguments)
    failed = 0
    for case in CASES:
        if arguments.words and not any(word in case.__name__ for word in arguments.words):
            continue
        server, browser = Server(), Browser(arguments.browser)
        try:
            case(Stage(browser, server, arguments.out))
            print(f"ok      {case.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {case.__name__}\n{traceback.format_exc()}", flush=True)
        finally:
            browser.close()
            server.close()
    return 1 if failed else 0


def look_at(arguments: argparse.Namespace) -> int:
    """A real run, for real seconds."""
    browser = Browser(arguments.browser)
    try:
        browser.dress()
        browser.open(arguments.url)
        until = time.monotonic() + arguments.seconds
        while time.monotonic() < until:
            time.sleep(min(1.0, max(0.0, until - time.monotonic())))
            browser.ask("1")
        shows_a_run(browser)
        for name, look in LOOKS.items():
            browser.dress(**look)
            time.sleep(1.5)
            browser.shoot(arguments.out / f"run-{name}.png")
        stays_at_home(browser, arguments.url)
    finally:
        browser.close()
    print(f"ok      the page of {arguments.url}; pictures in {arguments.out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
