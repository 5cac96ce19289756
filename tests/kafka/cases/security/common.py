"""What the cases of this folder share."""

from cases.security.bench import SecuredBench
from listeners import Access
from program import Outcome

# Enough for every partition to get some, few enough for a case to take a second.
COUNT = 2_000
# Ten thousand messages a second, for several times as long as a session or a token lasts.
LOAD_COUNT, LOAD_INTERVAL = 150_000, "100us"


def deliver(bench: SecuredBench, topic: str, access: Access, **more: object) -> Outcome:
    """Everything arrives, and the log at its most talkative tells no secret."""
    settings = {"MESSAGE_COUNT": COUNT, "LOG_LEVEL": "debug"} | access.settings() | more
    outcome = bench.deliver_and_verify(topic, **settings)
    if access.user:
        outcome.expect_no_trace_of(access.user.secret)
    for token in bench.secured.tokens.granted if access.token_url else ():
        outcome.expect_no_trace_of(token)
    return outcome


def deliver_under_load(bench: SecuredBench, topic: str, access: Access, renewals_min: int) -> Outcome:
    """As `deliver`, for long enough that the broker has us authenticate anew several times on a living connection."""
    listener = access.listener.name
    names = ("successful-reauthentication-total", "failed-reauthentication-total", "expired-connections-killed-count")
    before = bench.kafka.counters(listener, *names)
    outcome = deliver(bench, topic, access, MESSAGE_COUNT=LOAD_COUNT, MESSAGE_INTERVAL=LOAD_INTERVAL, LOG_LEVEL="info")
    after = bench.kafka.counters(listener, *names)
    renewed, failed, killed = (now - then for now, then in zip(after, before))
    print(f"    The broker counts {renewed} authentications renewed, {failed} failed, {killed} connections expired",
          flush=True)
    assert renewed >= renewals_min, f"only {renewed} authentications were renewed in {outcome.seconds:.0f} s"
    assert (failed, killed) == (0, 0), f"{failed} renewals failed, {killed} connections expired"
    return outcome


def show(outcome: Outcome):
    """The transcript of a run, as a user would see it."""
    print("".join(f"    | {line}\n" for line in outcome.output.splitlines()), end="", flush=True)
