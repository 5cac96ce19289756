"""What the page promises, each a case."""

from dataclasses import dataclass
from pathlib import Path

from browser import Browser
from fake import HOSTILE, OUTAGE, PAGE, QUIET_SECONDS, Run, Server

LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"width": 360, "height": 780}}
# What is announced once, when it begins to be so.
NO_LONGER = f"Not delivering: the last message was acknowledged {QUIET_SECONDS + 1}s ago"
TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")


@dataclass
class Stage:
    browser: Browser
    server: Server
    pictures: Path

    def open(self, run: Run, seconds: float, **look) -> None:
        """The page of a run, so many seconds and a half after it was opened: in between two questions of the page."""
        self.server.show(run)
        self.browser.dress(**look)
        self.browser.call("Emulation.setVirtualTimePolicy", policy="pause")
        self.browser.open(self.server.url)
        self.browser.pass_time(seconds + 0.5)

    def shoot(self, name: str) -> None:
        self.browser.shoot(self.pictures / f"{name}.png")


def equal(found, expected) -> None:
    assert found == expected, f"found {found!r}, expected {expected!r}"


def text(browser: Browser, selector: str) -> str:
    return browser.ask(f"document.querySelector({selector!r})?.textContent ?? ''")


def shown(browser: Browser, selector: str) -> bool:
    return browser.ask(f"document.querySelector({selector!r}).checkVisibility()")


def card(browser: Browser, heading: str) -> list[str]:
    """The number and what is said below it."""
    return browser.ask(f"""[...document.querySelectorAll('.card')]
        .find((card) => card.children[0].textContent === {heading!r})
        .querySelectorAll('dd:not(.fill)').values().map((dd) => dd.textContent).toArray()""")


def rows(browser: Browser, table: str) -> list[list[str]]:
    return browser.ask(f"""[...document.querySelectorAll('#{table} tbody tr')]
        .map((row) => [...row.children].map((cell) => cell.textContent))""")


def stays_at_home(browser: Browser, url: str) -> None:
    """No complaint, no violation, no request to elsewhere, and the policy is there to see to that."""
    equal(browser.complaints(), [])
    elsewhere = [other for other in browser.requested() if not other.startswith((url, "data:", "about:"))]
    equal(elsewhere, [])
    equal(browser.headers_of(url).get("content-security-policy"), (PAGE / "policy.txt").read_text().strip())


def fits(browser: Browser) -> None:
    wide = browser.ask("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"scrolls sideways by {wide} px"


def shows_a_run(browser: Browser) -> None:
    """What holds for any run that is there."""
    equal(shown(browser, "#stale"), False)
    for heading in ("Rate", "Acknowledged", "Running for"):
        number = card(browser, heading)[0]
        assert any(digit.isdigit() for digit in number), f"{heading}: {number}"
    assert rows(browser, "brokers") and rows(browser, "partitions")
    labels = browser.ask("[...document.querySelectorAll('svg[role=img]')].map((svg) => svg.getAttribute('aria-label'))")
    equal(len(labels), 4)
    assert "now" in labels[0], labels[0]


def numbers_are_those_of_the_run(stage: Stage) -> None:
    stage.open(Run(), 60)
    browser = stage.browser
    shows_a_run(browser)
    equal(text(browser, "#state span:last-child"), "Producing")
    equal(card(browser, "Rate"), ["20,000 /s", "of 20,000 /s"])
    # Half are in the bucket up to 7 ms, which begins at 5: 95 of 100 are spread over it.
    equal(card(browser, "Latency, median"), ["6.05 ms", "p99 14 ms"])
    seconds = stage.server.asked
    equal(card(browser, "Acknowledged")[0], f"{seconds * 20_000:,}")
    equal(len(rows(browser, "partitions")), 12)
    stays_at_home(browser, stage.server.url)


def the_page_is_whole_in_light_and_dark_and_on_a_phone(stage: Stage) -> None:
    for name, look in {**LOOKS, "phone-dark": {"width": 320, "height": 700, "dark": True}}.items():
        stage.open(Run(story=True), 270, **look)
        fits(stage.browser)
        stage.shoot(name)
        stays_at_home(stage.browser, stage.server.url)


def an_incident_can_be_seen(stage: Stage) -> None:
    for name, look in LOOKS.items():
        run = Run(story=True)
        stage.open(run, OUTAGE.stop - 3, **look)
        browser = stage.browser
        equal(text(browser, "#state span:last-child"), "Not delivering")
        equal(text(browser, "#reason"), run.answer()["ready_reason"])
        equal(text(browser, "#said"), NO_LONGER)
        troubled = rows(browser, "partitions")
        # Who has been in trouble longest comes first.
        equal([row[0] for row in troubled[:5]], ["1", "4", "7", "10", "0"])
        equal([row[1] for row in troubled[:2]], ["2", "none"])
        assert all(", for 6" in row[5] for row in troubled[:4]), troubled
        assert "broker-2 (kafka-2:9092) closed the connection" in troubled[0][5], troubled
        equal(rows(browser, "brokers")[1][2:], ["✕ disconnected", "0", "connect to kafka-2:9092 refused"])
        fits(browser)
        stage.shoot(f"incident-{name}")


def foreign_text_stays_text(stage: Stage) -> None:
    broker = {"id": 1, "address": HOSTILE, "state": HOSTILE, "requests_in_flight": 1, "failure": HOSTILE}
    partition = {"partition": 0, "leader": 1, "waiting": 0, "in_flight": 0, "acknowledged": 1, "trouble": HOSTILE,
                 "trouble_seconds": 1}
    stage.open(Run(topic=HOSTILE, cluster=HOSTILE, registry=HOSTILE, seed=HOSTILE, version=HOSTILE, ready=False,
                   ready_reason=HOSTILE, brokers=[broker], partitions=[partition], limited_by=HOSTILE,
                   failures=[{"error": HOSTILE, "code": HOSTILE, "messages": 1}],
                   warnings=[{"level": "warn", "message": HOSTILE, "count": 2, "age_seconds": 1}]), 5)
    browser = stage.browser
    equal(text(browser, "h1"), HOSTILE)
    for place in ("#reason", "#said", "#brokers", "#partitions", "#warnings", "#failures", "#run", "#cards"):
        assert "<img src=x" in text(browser, place), place
    equal(browser.ask("document.querySelectorAll('img').length"), 0)
    equal(browser.ask("window.broken"), None)
    stays_at_home(browser, stage.server.url)


def a_thousand_partitions_stay_usable(stage: Stage) -> None:
    for width in (1280, 360):
        stage.open(Run(story=True, partition_count=1000), OUTAGE.start + 5, width=width)
        browser = stage.browser
        equal(len(rows(browser, "partitions")), 50)
        assert all(", for " in row[5] for row in rows(browser, "partitions"))
        equal(text(browser, "#all"), "Show all 1,000")
        browser.ask("document.querySelector('#all').click()")
        equal(len(rows(browser, "partitions")), 1000)
        browser.pass_time(3)
        equal(len(rows(browser, "partitions")), 1000)
        fits(browser)
        browser.ask("document.querySelector('#all').click()")
        equal(len(rows(browser, "partitions")), 50)
        stage.shoot(f"partitions-{width}")


def the_keyboard_reaches_what_there_is(stage: Stage) -> None:
    stage.open(Run(), 10)
    browser, server = stage.browser, stage.server
    browser.press(*TAB)
    equal(browser.ask("document.activeElement.className"), "skip")
    browser.shoot(stage.pictures / "skip.png", whole=False)
    browser.press(*TAB)
    equal(browser.ask("document.activeElement.id"), "pause")
    equal(browser.ask("getComputedStyle(document.activeElement).outlineStyle"), "solid")
    browser.press(*ENTER)
    equal(text(browser, "#pause"), "Resume")
    asked = server.asked
    browser.pass_time(20)
    equal(server.asked, asked)
    equal(shown(browser, "#stale"), True)
    browser.shoot(stage.pictures / "paused.png", whole=False)
    browser.press(*ENTER)
    browser.pass_time(3)
    assert server.asked > asked
    equal(shown(browser, "#stale"), False)
    equal(text(browser, "#pause"), "Pause")


def the_mouse_reads_a_chart(stage: Stage) -> None:
    stage.open(Run(story=True), OUTAGE.stop + 60)
    browser = stage.browser
    equal(text(browser, "#charts .key"), "Rate 6,000 /s")
    # Of five minutes the moment when one of three brokers was out of reach.
    box = browser.ask("document.querySelector('#charts svg').getBoundingClientRect().toJSON()")
    browser.move_to(box["x"] + 54 + (box["width"] - 62) * 0.6, box["y"] + 50)
    equal(text(browser, "#charts .key"), "Rate 4,000 /s")
    equal(browser.ask("document.querySelectorAll('.cross').length"), 4)
    browser.shoot(stage.pictures / "pointed.png", whole=False)
    browser.move_to(1, 1)
    equal(text(browser, "#charts .key"), "Rate 6,000 /s")
    equal(browser.ask("document.querySelectorAll('.cross').length"), 0)


def what_is_announced_is_only_what_changes(stage: Stage) -> None:
    stage.open(Run(story=True), 5)
    browser = stage.browser
    browser.ask("""window.heard = [];
        new MutationObserver(() => heard.push(document.querySelector('#said').textContent))
        .observe(document.querySelector('#said'), { childList: true, characterData: true, subtree: true })""")
    browser.pass_time(170)
    equal(browser.ask("heard"), [])
    browser.pass_time(80)
    equal(browser.ask("heard"), [NO_LONGER, "Producing"])


def lost_contact_is_said_with_since_when(stage: Stage) -> None:
    stage.open(Run(), 30)
    browser, server = stage.browser, stage.server
    for answer, why in (((500, b""), "it answers 500"), ((200, b"{"), "its answer makes no sense")):
        server.respond = lambda answer=answer: answer
        browser.pass_time(5)
        equal(text(browser, "#state span:last-child"), "No contact")
        equal(text(browser, "#said"), "No contact")
        banner = text(browser, "#stale")
        assert banner.startswith("No answer from the producer since ") and why in banner, banner
        equal(card(browser, "Rate")[0], "20,000 /s")
    browser.shoot(stage.pictures / "lost.png", whole=False)
    server.show(Run())
    browser.pass_time(4)
    equal(text(browser, "#said"), "Producing")


def a_new_process_begins_anew(stage: Stage) -> None:
    stage.open(Run(), 40)
    browser = stage.browser
    stage.server.show(Run(rate=500, started="2026-03-01T10:00:00Z"))
    browser.pass_time(10)
    equal(card(browser, "Rate"), ["500 /s", "of 500 /s"])
    # Nor are there lines of the old one: between 500 and 500 it has been.
    label = browser.ask("document.querySelector('svg[role=img]').getAttribute('aria-label')")
    equal(label, "Acknowledged a second, over the last five minutes. Rate: now 500 /s, between 500 /s and 500 /s.")
    equal(browser.complaints(), [])


def a_run_without_a_message_yet_is_shown(stage: Stage) -> None:
    stage.open(Run(rate=1, acknowledged=0, generated=0, state="starting", ready=False,
                   ready_reason="waiting for the Schema Registry",
                   latency_buckets=[[None, 0]], brokers=[], partitions=[], last_acknowledged=None, count_limit=100,
                   duration_limit_seconds=3600), 5)
    browser = stage.browser
    equal(text(browser, "#state span:last-child"), "Starting")
    equal(card(browser, "Latency, median"), ["–", "p99 –"])
    equal(card(browser, "Rate")[0], "0 /s")
    stage.shoot("starting")
    stays_at_home(browser, stage.server.url)


def every_text_can_be_read_against_its_ground(stage: Stage) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for lines and borders."""
    inks = ("ink", "soft", "one", "bad", "warn", "good")
    pairs = [(ink, ground, 4.5) for ink in inks for ground in ("page", "card")]
    pairs += [(kind, f"{kind}-back", 4.5) for kind in ("good", "warn", "bad")]
    pairs += [("two", "card", 3.0)]
    for dark in (False, True):
        stage.open(Run(), 2, dark=dark)
        for ink, ground, least in pairs:
            ratio = contrast(colour(stage.browser, ink), colour(stage.browser, ground))
            assert ratio >= least, f"{ink} on {ground}, dark {dark}: {ratio:.2f}"


def colour(browser: Browser, name: str) -> str:
    return browser.ask(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')")


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour.strip().lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def structure_is_there_for_screen_readers(stage: Stage) -> None:
    stage.open(Run(story=True), OUTAGE.stop + 5)
    ask = stage.browser.ask
    equal(ask("[...document.querySelectorAll('h1, h2, h3')].map((heading) => heading.localName).join('')"),
          "h1" + "h2" * 2 + "h3" * 4 + "h2" * 4)
    equal(ask("document.querySelectorAll('section:not([aria-labelledby])').length"), 0)
    equal(ask("document.querySelectorAll('main, header, footer').length"), 3)
    equal(ask("[...document.querySelectorAll('table')].every((table) => table.caption.textContent)"), True)
    equal(ask("document.querySelectorAll('th:not([scope])').length"), 0)
    equal(ask("document.querySelectorAll('[role=status], [aria-live]').length"), 1)


CASES = (
    numbers_are_those_of_the_run, the_page_is_whole_in_light_and_dark_and_on_a_phone, an_incident_can_be_seen,
    foreign_text_stays_text, a_thousand_partitions_stay_usable, the_keyboard_reaches_what_there_is,
    the_mouse_reads_a_chart, what_is_announced_is_only_what_changes, lost_contact_is_said_with_since_when,
    a_new_process_begins_anew, a_run_without_a_message_yet_is_shown, every_text_can_be_read_against_its_ground,
    structure_is_there_for_screen_readers,
)
