"""A server on loopback that serves the page, and a made-up `/status`: each answer is one second later."""

import json
import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "src" / "monitor" / "page"
BOUNDS = (.001, .002, .003, .005, .007, .01, .015, .02, .03, .05, .07, .1, .15, .2, .3, .5, .7,
          1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 60, 120)
STARTED = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)
HOSTILE = "<img src=x onerror=\"window.broken='yes'\">"

# From which second to which a broker is out of reach in the story of an incident.
OUTAGE = range(180, 216)


def text_of(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


class Run:
    """Counts up second by second: `rate` a second, as `story` says; `answer` is what `/status` says now."""

    def __init__(self, *, rate: int = 20_000, partition_count: int = 12, story: bool = False, topic: str = "js_shoe",
                 **changes) -> None:
        self.rate, self.partition_count, self.has_story, self.topic = rate, partition_count, story, topic
        self.changes = changes
        self.second = 0
        self.generated = self.acknowledged = self.failed = self.retried = 0
        self.in_flight = self.buffered = 0
        self.last = STARTED
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def is_out(self) -> bool:
        return self.has_story and self.second in OUTAGE

    def advance(self) -> None:
        self.second += 1
        self.generated += self.rate
        delivered = self.rate
        self.in_flight = round(self.rate * 0.004 * (1 + 0.3 * math.sin(self.second / 7)))
        if self.is_out():
            delivered = self.rate * 2 // 3 if self.second < OUTAGE.stop - 16 else 0
            self.retried += self.rate // 100
            self.buffered += self.rate - delivered
        elif self.buffered:
            caught_up = min(self.buffered, self.rate * 2)
            self.buffered -= caught_up
            delivered += caught_up
        if self.has_story and self.second == OUTAGE.stop - 1:
            self.failed += 37
            self.buffered -= 37
        self.acknowledged += delivered
        if delivered:
            self.last = STARTED + timedelta(seconds=self.second)
        for share, value in ((0.5, 0.0055), (0.45, 0.0065), (0.05, 0.0125)):
            late = self.buffered / self.rate
            count = round(delivered * share)
            self.counts[next((i for i, bound in enumerate(BOUNDS) if value + late <= bound), len(BOUNDS))] += count
            self.sum += count * (value + late)

    def answer(self) -> dict:
        out, silent = self.is_out(), self.is_out() and self.second >= OUTAGE.stop - 8
        cumulative = [sum(self.counts[:i + 1]) for i in range(len(self.counts))]
        return {
            "version": "0.1.0", "topic": self.topic, "cluster": "kafka-1:9092,kafka-2:9092,kafka-3:9092",
            "registry": "http://registry:8081", "instance_id": 0, "seed": "14799660694135390313",
            "started": text_of(STARTED), "uptime_seconds": self.second + 0.25,
            "state": "producing", "ready": not silent,
            "ready_reason": "no acknowledgement for 8 s" if silent else "producing",
            "interval_seconds": 1 / self.rate, "count_limit": None, "duration_limit_seconds": None,
            "generated": self.generated, "acknowledged": self.acknowledged, "failed": self.failed,
            "serialization_errors": 0, "skipped": 0, "retried": self.retried,
            "in_flight": self.in_flight, "buffered": self.buffered,
            "buffer_bytes": self.buffered * 70 + 9000, "buffer_limit_bytes": 32 << 20, "channel_chunks": 1,
            "behind_seconds": 0.0, "last_acknowledged": text_of(self.last) if self.acknowledged else None,
            "limited_by": "broker" if out else None, "latency_seconds_sum": self.sum,
            "latency_buckets": [[bound, count] for bound, count in zip((*BOUNDS, None), cumulative)],
            "failures": [{"error": "delivery_timeout", "code": None, "messages": self.failed}] if self.failed else [],
            "warnings": self.warnings(), "brokers": [self.broker(n) for n in (1, 2, 3)],
            "partitions": [self.partition(n) for n in range(self.partition_count)],
        } | self.changes

    def warnings(self) -> list[dict]:
        if not self.has_story or self.second < OUTAGE.start:
            return []
        age = max(0, self.second - OUTAGE.stop)
        found = [{"level": "warn", "message": "broker 2 (kafka-2:9092): connection refused; trying again",
                  "count": min(self.second, OUTAGE.stop) - OUTAGE.start + 1, "age_seconds": age + 0.4}]
        if self.failed:
            found.append({"level": "error", "message": "37 messages were not delivered within KAFKA_DELIVERY_TIMEOUT",
                          "count": 1, "age_seconds": age + 1.2})
        return found

    def broker(self, number: int) -> dict:
        is_lost = self.is_out() and number == 2
        return {"id": number, "address": f"kafka-{number}:9092", "state": "disconnected" if is_lost else "connected",
                "requests_in_flight": 0 if is_lost else (self.second + number) % 3,
                "failure": "connection refused (os error 111)" if is_lost else None}

    def partition(self, number: int) -> dict:
        is_lost = self.is_out() and number % 3 == 1
        return {"partition": number, "leader": None if is_lost and number == 4 else number % 3 + 1,
                "waiting": self.buffered // self.partition_count if is_lost else 0,
                "in_flight": 0 if is_lost else number % 4 * 10,
                "acknowledged": self.acknowledged // self.partition_count,
                "trouble": "its leader is out of reach" if is_lost else None,
                "trouble_seconds": self.second - OUTAGE.start + 0.5 if is_lost else None}


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
