"""A server on loopback that serves the page, and a made-up `/status`: each answer is one second later.

It has the keys of `status.json`, neither more nor fewer, and tests/shown.rs holds that against what the program
answers. Its words are the program's too.
"""

import json
import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "src" / "monitor" / "page"
SHAPE = json.loads(Path(__file__).with_name("status.json").read_text(encoding="utf-8"))
BOUNDS = (.001, .002, .003, .005, .007, .01, .015, .02, .03, .05, .07, .1, .15, .2, .3, .5, .7,
          1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 60, 120)
STARTED = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)
HOSTILE = "<img src=x onerror=\"window.broken='yes'\">"

# From which second to which a broker is out of reach in the story of an incident, and from which on all are.
OUTAGE = range(180, 250)
ALL_OUT = 200
# What a message takes of the buffer, as KAFKA_BUFFER_MEMORY counts it.
MESSAGE_BYTES = 185
BUFFER_BYTES = 32 << 20
# As long as the program takes it: `QUIET` in src/report/view.rs.
QUIET_SECONDS = 30


def text_of(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def like(shape: dict, values: dict) -> dict:
    """The values, which must have exactly the keys of the shape."""
    if values.keys() != shape.keys():
        raise KeyError(f"not in both: {sorted(values.keys() ^ shape.keys())}")
    return values


class Run:
    """Counts up second by second: `rate` a second, as `story` says; `answer` is what `/status` says now."""

    def __init__(self, *, rate: int | None = None, partition_count: int = 12, story: bool = False,
                 topic: str = "js_shoe", **changes) -> None:
        self.rate = rate or (6_000 if story else 20_000)
        self.partition_count, self.has_story, self.topic = partition_count, story, topic
        self.changes = changes
        self.second = self.last_second = 0
        self.generated = self.acknowledged = self.failed = self.retried = self.skipped = 0
        self.in_flight = self.buffered = 0
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def is_out(self) -> bool:
        return self.has_story and self.second in OUTAGE

    def are_all_out(self) -> bool:
        return self.is_out() and self.second >= ALL_OUT

    def is_full(self) -> bool:
        return self.buffered * MESSAGE_BYTES >= BUFFER_BYTES - self.rate * MESSAGE_BYTES

    def advance(self) -> None:
        self.second += 1
        if self.is_full():
            made = 0
            self.skipped += self.rate
        else:
            made = self.rate
        self.generated += made
        delivered = made
        self.in_flight = round(self.rate * 0.004 * (1 + 0.3 * math.sin(self.second / 7)))
        if self.is_out():
            delivered = 0 if self.are_all_out() else made * 2 // 3
            self.retried += self.rate // 100
            self.buffered += made - delivered
        elif self.buffered:
            caught_up = min(self.buffered, self.rate * 2)
            self.buffered -= caught_up
            delivered += caught_up
        if self.has_story and self.second == OUTAGE.stop - 1:
            self.failed += 37
            self.buffered -= 37
        self.acknowledged += delivered
        if delivered:
            self.last_second = self.second
        for share, value in ((0.5, 0.0055), (0.45, 0.0065), (0.05, 0.0125)):
            late = self.buffered / self.rate
            count = round(delivered * share)
            self.counts[next((i for i, bound in enumerate(BOUNDS) if value + late <= bound), len(BOUNDS))] += count
            self.sum += count * (value + late)

    def readiness(self) -> tuple[bool, str]:
        silent = self.second - self.last_second
        return silent <= QUIET_SECONDS, f"the last message was acknowledged {f'{silent}s' if silent else '1ms'} ago"

    def answer(self) -> dict:
        ready, reason = self.readiness()
        cumulative = [sum(self.counts[:i + 1]) for i in range(len(self.counts))]
        last = STARTED + timedelta(seconds=self.last_second)
        answer = {
            "version": "0.1.0", "topic": self.topic, "cluster": "kafka-1:9092,kafka-2:9092,kafka-3:9092",
            "registry": "http://registry:8081", "instance_id": 0, "seed": "14799660694135390313",
            "started": text_of(STARTED), "uptime_seconds": self.second + 0.25, "runtime_seconds": float(self.second),
            "state": "producing", "ready": ready, "ready_reason": reason,
            "interval_seconds": 1 / self.rate, "count_limit": None, "duration_limit_seconds": None,
            "generated": self.generated, "acknowledged": self.acknowledged, "failed": self.failed,
            "serialization_errors": 0, "skipped": self.skipped, "retried": self.retried,
            "in_flight": self.in_flight, "buffered": self.buffered,
            "buffer_bytes": min(self.buffered * MESSAGE_BYTES + 9000, BUFFER_BYTES), "buffer_limit_bytes": BUFFER_BYTES,
            "channel_chunks": 1, "behind_seconds": 1.0 if self.is_full() else 0.0,
            "last_acknowledged": text_of(last) if self.acknowledged else None,
            "limited_by": "broker" if self.is_full() else None, "latency_seconds_sum": self.sum,
            "latency_buckets": [[bound, count] for bound, count in zip((*BOUNDS, None), cumulative)],
            "failures": self.failures(), "warnings": self.warnings(), "brokers": [self.broker(n) for n in (1, 2, 3)],
            "partitions": [self.partition(n) for n in range(self.partition_count)],
        }
        return like(SHAPE, answer | self.changes)

    def failures(self) -> list[dict]:
        found = [{"error": "delivery_timeout", "code": None, "messages": self.failed}] if self.failed else []
        return [like(SHAPE["failures"][0], failure) for failure in found]

    def warnings(self) -> list[dict]:
        if not self.has_story or self.second < OUTAGE.start:
            return []
        age = max(0, self.second - OUTAGE.stop)
        found = [{"level": "warn", "message": "connect to kafka-2:9092 refused",
                  "count": min(self.second, OUTAGE.stop) - OUTAGE.start + 1, "age_seconds": age + 0.4}]
        if self.failed:
            words = "37 records failed: partition 1: not acknowledged before the delivery timeout, after 1 attempt"
            found.append({"level": "error", "message": words, "count": 1, "age_seconds": age + 1.2})
        return [like(SHAPE["warnings"][0], warning) for warning in found]

    def broker(self, number: int) -> dict:
        is_lost = self.are_all_out() or (self.is_out() and number == 2)
        return like(SHAPE["brokers"][0], {
            "id": number, "address": f"kafka-{number}:9092", "state": "disconnected" if is_lost else "connected",
            "requests_in_flight": 0 if is_lost else (self.second + number) % 3,
            "failure": f"connect to kafka-{number}:9092 refused" if is_lost else None})

    def partition(self, number: int) -> dict:
        leader, of_first = number % 3 + 1, number % 3 == 1
        is_lost = self.are_all_out() or (self.is_out() and of_first)
        trouble = "it has no leader" if number == 4 else f"broker-{leader} (kafka-{leader}:9092) closed the connection"
        since = OUTAGE.start if of_first else ALL_OUT
        return like(SHAPE["partitions"][0], {
            "partition": number, "leader": None if is_lost and number == 4 else leader,
            "waiting": self.buffered // self.partition_count if is_lost else 0,
            "in_flight": 0 if is_lost else number % 4 * 10,
            "acknowledged": self.acknowledged // self.partition_count,
            "trouble": trouble if is_lost else None,
            "trouble_seconds": self.second - since + 0.5 if is_lost else None})


class Server:
    """Serves the page with its policy. `respond` can be changed while it runs: bytes and status of `/status`."""

    def __init__(self) -> None:
        self.asked = 0
        self.respond: Callable[[], tuple[int, bytes]] = lambda: (500, b"")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.handle(self)

            def log_message(self, *_) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def show(self, run: Run) -> None:
        def respond() -> tuple[int, bytes]:
            run.advance()
            return 200, json.dumps(run.answer()).encode()
        self.respond = respond

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        kind, code, body = "text/plain", 404, b""
        if request.path == "/":
            kind, code, body = "text/html; charset=utf-8", 200, (PAGE / "index.html").read_bytes()
        elif request.path == "/status":
            self.asked += 1
            kind, (code, body) = "application/json", self.respond()
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Cache-Control", "no-store")
        if request.path == "/":
            request.send_header("Content-Security-Policy", (PAGE / "policy.txt").read_text().strip())
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
