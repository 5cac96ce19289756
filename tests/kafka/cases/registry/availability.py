"""A registry that is down, dies, or does not answer, and returns."""

import signal

from confluent_kafka.schema_registry import Schema as RegisteredSchema

from cases.bench import COUNT, Bench
from cases.registry.bench import RegistryBench, url_of_nobody
from peers.processes import wait_until
from peers.topics import end_offset
from program import ERROR, Outcome

# What the program gives a registry at its start, and each request to it.
START_DEADLINE_S = 30
REQUEST_TIMEOUT_S = 5
# The machine may be busy with other cases.
TOLERANCE_S = 10
PROGRESS_TIMEOUT_S = 30
# How many more must arrive after the registry's death: several batches for each partition.
UNTOUCHED_COUNT = 10_000
WARNING = " WARN "
# Kafka may be warned of too: a node that has just started is still loading what it needs for its first producer id.
WHO = "schema registry"
STRANGER = 'syntax = "proto3"; message Stranger { string name = 1; }'


def a_registry_that_is_down_at_the_start_is_waited_for(bench: RegistryBench, topic: str):
    """Scenario 40."""
    with bench.with_own_registry(topic) as own:
        outcome = waiting_until(own, topic, own.registry.launch)
        expect_one_warning(outcome, own.registry.url, "refused")


def a_registry_that_is_frozen_at_the_start_is_waited_for(bench: RegistryBench, topic: str):
    """Scenario 40."""
    with bench.with_own_registry(topic) as own:
        own.registry.start()
        own.registry.freeze()
        outcome = waiting_until(own, topic, own.registry.thaw)
        expect_one_warning(outcome, own.registry.url)


def waiting_until(bench: Bench, topic: str, remedy) -> Outcome:
    """A run that warns, and after the remedy delivers everything."""
    bench.create(topic)
    run = bench.program.start(bench.settings(topic))
    try:
        wait_until("it warns", lambda: warnings_in(run.log.read_text(errors="replace")), PROGRESS_TIMEOUT_S)
        remedy()
        outcome = run.finish()
    finally:
        run.kill()
    outcome.expect_all_delivered(COUNT)
    bench.verify(topic, outcome, COUNT)
    return outcome


def warnings_in(output: str) -> list[str]:
    return [line for line in output.splitlines() if WARNING in line and WHO in line]


def expect_one_warning(outcome: Outcome, *words: str):
    """However long the wait was; and no error."""
    [warning] = warnings_in(outcome.output)
    missing = [word for word in (*words, "retrying") if word not in warning]
    assert not missing, f"the line does not hold {missing}: {warning}"
    assert ERROR not in outcome.output, outcome.output


def a_registry_that_dies_is_not_missed_and_when_back_is_registered_with_anew(bench: RegistryBench, topic: str):
    """Scenario 40."""
    subject, again = f"{topic}-value", f"{topic}_again"
    with bench.with_own_registry(topic) as own:
        own.registry.start()
        own.create(topic)
        first_id = killed_in_mid_run(own, topic)
        own.registry.start()
        # Confluent's client remembers ids: this one knows as little as the registry itself.
        back = bench.with_registry(own.registry)
        assert back.schemas.get_subjects() == [], "the registry remembers: nothing would be registered anew"
        # Ids are given in order: a stranger before us makes ours another one than before.
        back.schemas.register_schema("stranger", RegisteredSchema(STRANGER, "PROTOBUF"))
        back.create(again)
        outcome = back.produce(again, SCHEMA_REGISTRY_SUBJECT=subject)
        outcome.expect_all_delivered(COUNT)
        schema_id, schema = back.registered(topic)
        assert schema_id != first_id, f"the registry gave id {schema_id} twice"
        back.verify_as(again, outcome, COUNT, schema_id, schema)


def killed_in_mid_run(bench: Bench, topic: str) -> int:
    """The registry, while the program runs, which does not notice. Returns the schema's id."""
    settings = bench.settings(topic, MESSAGE_INTERVAL="100us")
    del settings["MESSAGE_COUNT"]
    run = bench.program.start(settings)
    try:
        wait_until("some records have arrived", lambda: held(bench, topic) > 0, PROGRESS_TIMEOUT_S)
        schema_id, schema = bench.registered(topic)
        bench.registry.kill()
        enough = held(bench, topic) + UNTOUCHED_COUNT
        wait_until("production goes on", lambda: held(bench, topic) > enough, PROGRESS_TIMEOUT_S)
        run.signal(signal.SIGTERM)
        outcome = run.finish()
    finally:
        run.kill()
    outcome.expect_all_delivered(held(bench, topic))
    bench.verify_as(topic, outcome, outcome.ledger.generated, schema_id, schema)
    assert not warnings_in(outcome.output) and ERROR not in outcome.output, f"it noticed:\n{outcome.output}"
    return schema_id


def held(bench: Bench, topic: str) -> int:
    return end_offset(bench.kafka.bootstrap, topic)


def a_registry_that_stays_frozen_ends_the_run_in_time(bench: RegistryBench, topic: str):
    """Scenario 40."""
    with bench.with_own_registry(topic) as own:
        own.registry.start()
        own.registry.freeze()
        expect_given_up(own, topic, own.registry.url, own.registry.url)


def the_second_url_is_used_where_nobody_listens_at_the_first(bench: RegistryBench, topic: str):
    """Scenario 40."""
    nobody = url_of_nobody()
    outcome = bench.deliver_and_verify(topic, SCHEMA_REGISTRY_URL=f"{nobody},{bench.registry.url}")
    warnings = warnings_in(outcome.output)
    assert warnings and all(nobody in warning for warning in warnings), outcome.output
    assert ERROR not in outcome.output, outcome.output


def two_urls_where_nobody_listens_are_both_told_in_the_end(bench: RegistryBench, topic: str):
    """Scenario 40."""
    nobody, neither = url_of_nobody(), url_of_nobody()
    expect_given_up(bench, topic, f"{nobody},{neither}", nobody, neither)


def expect_given_up(bench: Bench, topic: str, urls: str, *words: str):
    """One clear line after what the program gives a registry, and nothing in Kafka."""
    bench.create(topic)
    outcome = bench.produce(topic, SCHEMA_REGISTRY_URL=urls)
    outcome.expect_one_error(*words, "is not reachable", "gave up after 3", "SCHEMA_REGISTRY_URL")
    bound_s = START_DEADLINE_S + REQUEST_TIMEOUT_S + TOLERANCE_S
    assert START_DEADLINE_S <= outcome.seconds <= bound_s, f"it took {outcome.seconds:.0f} s"
    assert held(bench, topic) == 0, "it produced something"


# The first has a registry start within the time that the program gives it: no other case may take the processors away.
CASES = [
    a_registry_that_is_down_at_the_start_is_waited_for,
    the_second_url_is_used_where_nobody_listens_at_the_first,
]
WAITING = [
    a_registry_that_stays_frozen_ends_the_run_in_time,
    a_registry_that_is_frozen_at_the_start_is_waited_for,
    a_registry_that_dies_is_not_missed_and_when_back_is_registered_with_anew,
    two_urls_where_nobody_listens_are_both_told_in_the_end,
]
