"""The releases of Apache Kafka that the program is tried with, and in what they differ for a test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Logging:
    system_property: str
    file: str


LOG4J_1 = Logging("log4j.configuration", "log4j.properties")
LOG4J_2 = Logging("log4j2.configurationFile", "log4j2.xml")


@dataclass(frozen=True)
class Release:
    """The exact version, and the jars that belong to it, stand in pom.xml."""

    name: str
    has_kraft: bool
    logging: Logging
    dump_log_segments: str  # the tool's class, which has moved
    has_zstd: bool = True

    @property
    def profile(self) -> str:
        return f"kafka-{self.name}"


RELEASES = (
    # The first with record batches of version 2 and idempotence. The oldest that the program can speak to at all.
    Release("0.11", has_kraft=False, logging=LOG4J_1, dump_log_segments="kafka.tools.DumpLogSegments", has_zstd=False),
    # The last that many clusters stayed at before KRaft.
    Release("2.8", has_kraft=False, logging=LOG4J_1, dump_log_segments="kafka.tools.DumpLogSegments"),
    # The last of the third generation.
    Release("3.9", has_kraft=True, logging=LOG4J_1, dump_log_segments="kafka.tools.DumpLogSegments"),
    Release("4.4", has_kraft=True, logging=LOG4J_2,
            dump_log_segments="org.apache.kafka.tools.DumpLogSegments"),
)
OLDEST, NEWEST = RELEASES[0], RELEASES[-1]


def release_of(name: str) -> Release:
    """Fails with a KeyError that lists what there is."""
    for release in RELEASES:
        if release.name == name:
            return release
    raise KeyError(f"no release {name!r}; there are {', '.join(each.name for each in RELEASES)}")
