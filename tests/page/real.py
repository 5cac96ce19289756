"""The page of a real run, beside a sandbox of three brokers that die in the middle."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from browser import Browser
from checks import card, equal, rows, shown, shows_a_run, stays_at_home, text
from driver import DEADLINE_SECONDS, LOOK_SECONDS, Program, Sandbox

BINARY = os.environ.get("BINARY", "target/release/continuous-producer")
SANDBOX = os.environ.get("SANDBOX", "target/release/sandbox")
PARTITIONS = 6


def missing() -> str | None:
    """Why it cannot run here."""
    absent = [path for path in (BINARY, SANDBOX) if not os.access(path, os.X_OK)]
    return f"there is no {' and no '.join(absent)}: run 'make build' first" if absent else None


def until(browser: Browser, what: str, is_so: Callable[[], bool]) -> None:
    """Looks at the page until it is so, by the real clock."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < end, f"never: {what}: {browser.ask('document.body.innerText')}"
        time.sleep(LOOK_SECONDS)


def state(browser: Browser) -> str:
    return text(browser, "#state span:last-child")


def troubles(browser: Browser) -> list[str]:
    return [row[5] for row in rows(browser, "partitions") if row[5]]


def a_real_run_is_shown_while_its_brokers_die_and_return(browser: Browser, pictures: Path) -> None:
    with Sandbox(SANDBOX, nodes=3, partitions=PARTITIONS) as sandbox:
        with Program(BINARY, sandbox, "--interval", "2ms") as program:
            follows(browser, program, sandbox, pictures)
            equal(program.end(), 0)


def follows(browser: Browser, program: Program, sandbox: Sandbox, pictures: Path) -> None:
    program.until("traffic", lambda status: status["acknowledged"] > 100)
    browser.dress()
    browser.open(program.url)
    until(browser, "it produces", lambda: state(browser) == "Producing" and shown(browser, "#cards"))
    until(browser, "a rate", lambda: card(browser, "Rate")[0] not in ("–", "0 /s"))
    shows_a_run(browser)
    before = program.status()["acknowledged"]
    until(browser, "numbers of now", lambda: int(card(browser, "Acknowledged")[0].replace(",", "")) >= before)
    assert int(card(browser, "Acknowledged")[0].replace(",", "")) <= program.status()["acknowledged"]
    equal(len(rows(browser, "partitions")), PARTITIONS)
    equal(len(rows(browser, "brokers")), 3)
    equal(troubles(browser), [])

    # One dies: the others lead its partitions, and a warning stays.
    sandbox.order("kill 2")
    until(browser, "others lead", lambda: all(row[1] in ("1", "3") for row in rows(browser, "partitions")))
    until(browser, "a warning", lambda: "closed the connection" in text(browser, "#warnings"))
    equal(state(browser), "Producing")
    browser.shoot(pictures / "real-one-killed.png")

    # All are gone: messages wait, and after half a minute the page says so.
    for node in (1, 3):
        sandbox.order(f"kill {node}")
    until(browser, "trouble", lambda: len(troubles(browser)) == PARTITIONS)
    assert all(row[2] != "● connected" for row in rows(browser, "brokers")), rows(browser, "brokers")
    until(browser, "that nothing is delivered", lambda: state(browser) == "Not delivering")
    assert "the last message was acknowledged " in text(browser, "#reason"), text(browser, "#reason")
    browser.shoot(pictures / "real-all-killed.png")

    for node in (1, 2, 3):
        sandbox.order(f"start {node}")
    until(browser, "it produces again", lambda: state(browser) == "Producing" and not troubles(browser))
    equal(shown(browser, "#stale"), False)
    browser.shoot(pictures / "real-well-again.png")
    stays_at_home(browser, program.url)
