"""Counters and histograms in Prometheus' text format, written by hand: a dozen series need no client library."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import inkling

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Counter:
    """A count that only grows, by labels."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self.name, self.meaning, self.labels = name, meaning, tuple(labels)
        self._values: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, n: float = 1) -> None:
        """Add ``n`` to the series with these label values."""
        with self._lock:
            self._values[values] = self._values.get(values, 0) + n

    def lines(self) -> list[str]:
        """Return the series as text lines."""
        with self._lock:
            series = sorted(self._values.items())
        return [
            *_header(self.name, self.meaning, "counter"),
            *(f"{self.name}{_braces(zip(self.labels, key, strict=True))} {_number(n)}" for key, n in series),
        ]


class Histogram:
    """Durations in seconds, by labels."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self.name, self.meaning, self.labels = name, meaning, tuple(labels)
        self._counts: dict[tuple[str, ...], list[float]] = {}
        self._lock = threading.Lock()

    def observe(self, seconds: float, *values: str) -> None:
        """Add one duration to the series with these label values."""
        bucket = bisect_left(BUCKETS_S, seconds)
        with self._lock:
            # One slot a bucket, one for what is longer than all, one for the sum.
            row = self._counts.setdefault(values, [0.0] * (len(BUCKETS_S) + 2))
            row[bucket] += 1
            row[-1] += seconds

    def lines(self) -> list[str]:
        """Return the series as text lines, buckets cumulated."""
        with self._lock:
            series = sorted((key, list(row)) for key, row in self._counts.items())
        lines = _header(self.name, self.meaning, "histogram")
        for key, row in series:
            labels = list(zip(self.labels, key, strict=True))
            total = 0.0
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), row[:-1], strict=True):
                total += count
                lines.append(f"{self.name}_bucket{_braces([*labels, ('le', bound)])} {_number(total)}")
            lines.append(f"{self.name}_sum{_braces(labels)} {row[-1]:.9g}")
            lines.append(f"{self.name}_count{_braces(labels)} {_number(total)}")
        return lines


class Metrics:
    """All that one server counts."""

    def __init__(self) -> None:
        self.requests = Counter(
            "inkling_http_requests_total", "Answers, by method, route and status.", ("method", "route", "status")
        )
        self.durations = Histogram("inkling_http_request_seconds", "Time from request to answer.", ("route",))
        self.stages = Histogram("inkling_stage_seconds", "Time of each stage of a recommendation.", ("stage",))
        self.shed = Counter(
            "inkling_shed_total",
            "Answers short of parts for want of time, or refused.",
            ("what",),
        )
        self.changes = Histogram(
            "inkling_event_to_order_seconds",
            "From a change to an order that reflects it: answerable to whoever asks, or pushed to an open stream.",
            ("seen",),
        )
        self.events = Counter("inkling_events_total", "Events received, by outcome.", ("outcome",))

    def record_stages(self, timings_ms: Mapping[str, float]) -> None:
        """Count the stages of one recommendation."""
        for stage, duration_ms in timings_ms.items():
            self.stages.observe(duration_ms / 1000, stage)

    def record_events(self, *, accepted: int, rejected: int) -> None:
        """Count a batch of events."""
        self.events.add("accepted", n=accepted)
        self.events.add("rejected", n=rejected)

    def render(self, about: Mapping[str, Any]) -> str:
        """Return everything as text; ``about`` is what the engine says of itself."""
        lines: list[str] = []
        for family in (self.requests, self.durations, self.stages, self.changes, self.shed, self.events):
            lines += family.lines()
        lines += _gauges(about)
        lines += _cache_lines(about.get("caches") or {})
        return "\n".join(lines) + "\n"


def _gauges(about: Mapping[str, Any]) -> list[str]:
    build = [("version", inkling.__version__)]
    build += [(name, str(about.get(name, ""))) for name in ("bundle", "pipeline", "scenario")]
    lines = [*_header("inkling_info", "What is being served.", "gauge"), f"inkling_info{_braces(build)} 1"]
    gauges = (
        ("log_version", "inkling_log_version", "Position in the change log that answers reflect."),
        ("n_items", "inkling_items", "Items in the catalogue."),
        ("n_users", "inkling_users", "People known."),
        ("n_events", "inkling_events_stored", "Events held."),
        ("least_s", "inkling_least_seconds", "What the cheapest answer is expected to take."),
        ("n_streams", "inkling_streams", "Streams of lists that are open."),
        ("unread_waiting", "inkling_unread_items", "Items written whose text is not read yet."),
        ("unread_queued", "inkling_reading_queue", "Items in the bounded queue of the reader."),
        ("unread_failed", "inkling_unreadable_items", "Items whose text could not be read; tried again later."),
        ("unread_per_second", "inkling_reading_per_second", "Texts read in a second of reading."),
        ("unread_lag_s", "inkling_reading_lag_seconds", "Age of the oldest text that waits."),
    )
    for key, name, meaning in gauges:
        value = about.get(key)
        if isinstance(value, (int, float)):
            lines += [*_header(name, meaning, "gauge"), f"{name} {_number(value)}"]
    return lines + _arm_lines(about.get("arms") or ())


_ARMS = (
    ("answers", "inkling_arm_answers_total", "Answers given, by arm and bundle.", "counter"),
    ("clicked", "inkling_arm_clicked_total", "Answers that anything followed.", "counter"),
    ("converted", "inkling_arm_converted_total", "Answers that a positive event followed.", "counter"),
    ("outcomes", "inkling_arm_outcomes_total", "Events that followed answers.", "counter"),
    ("click_rate", "inkling_arm_click_rate", "Share of the answers that anything followed.", "gauge"),
    ("conversion", "inkling_arm_conversion", "Share of the answers that a positive event followed.", "gauge"),
)


def _arm_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what came of the answers by arm and bundle; an empty arm is who takes part in no experiment."""
    lines: list[str] = []
    for key, name, meaning, kind in _ARMS if rows else ():
        lines += _header(name, meaning, kind)
        for row in rows:
            labels = _braces([("arm", str(row["arm"])), ("bundle", str(row["bundle"]))])
            lines.append(f"{name}{labels} {_number(row[key])}")
    return lines


_CACHE_FAMILIES = (
    ("hits", "inkling_cache_hits_total", "Questions that a cache answered.", "counter"),
    ("misses", "inkling_cache_misses_total", "Questions that a cache could not answer.", "counter"),
    ("entries", "inkling_cache_entries", "What a cache holds.", "gauge"),
    ("bytes", "inkling_cache_bytes", "Memory that a cache takes.", "gauge"),
    ("hit_rate", "inkling_cache_hit_rate", "Hits among all questions to a cache.", "gauge"),
)


def _cache_lines(caches: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return how each cache of the engine did."""
    lines: list[str] = []
    for key, name, meaning, kind in _CACHE_FAMILIES if caches else ():
        rows = [f"{name}{_braces([('cache', cache)])} {_number(counts[key])}" for cache, counts in caches.items()]
        lines += [*_header(name, meaning, kind), *rows]
    return lines


def _header(name: str, meaning: str, kind: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
