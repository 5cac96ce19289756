"""What `tests/page/run` does: the checks against made-up answers and a sandbox, or those that hold for any run."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sandbox"))

import real  # noqa: E402 (its neighbours' folder had to be named first)
from browser import Browser  # noqa: E402
from checks import CASES, LOOKS, Stage, shows_a_run, stays_at_home  # noqa: E402
from fake import Server  # noqa: E402

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
    beside = real.a_real_run_is_shown_while_its_brokers_die_and_return
    if not any(is_wanted(arguments, case.__name__) for case in (*CASES, beside)):
        parser.error("no case's name holds any of these")
    made_up = [attempt(arguments, case.__name__, lambda: against_made_up_answers(arguments, case)) for case in CASES]
    return 0 if all([*made_up, attempt(arguments, beside.__name__, lambda: against_a_run(arguments))]) else 1


def is_wanted(arguments: argparse.Namespace, name: str) -> bool:
    return not arguments.words or any(word in name for word in arguments.words)


def attempt(arguments: argparse.Namespace, name: str, case: Callable[[], str | None]) -> bool:
    """Says how a case went, if it is wanted; a case that gives a reason back could not run."""
    if not is_wanted(arguments, name):
        return True
    try:
        reason = case()
    except Exception:
        print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
        return False
    print(f"SKIPPED {name}: {reason}" if reason else f"ok      {name}", flush=True)
    return True


def against_made_up_answers(arguments: argparse.Namespace, case: Callable[[Stage], None]) -> None:
    server, browser = Server(), Browser(arguments.browser)
    try:
        case(Stage(browser, server, arguments.out))
    finally:
        browser.close()
        server.close()


def against_a_run(arguments: argparse.Namespace) -> str | None:
    reason = real.missing()
    if reason:
        return reason
    browser = Browser(arguments.browser)
    try:
        real.a_real_run_is_shown_while_its_brokers_die_and_return(browser, arguments.out)
    finally:
        browser.close()
    return None


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
