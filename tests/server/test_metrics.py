"""What is counted, in Prometheus' text format."""

from __future__ import annotations

import re

from inkling.server.metrics import BUCKETS_S, Counter, Histogram, Metrics

LINE = re.compile(r'^[a-z_]+(\{([a-z]+="(\\.|[^"\\])*",?)+\})? [0-9.e+-]+$')


def value(text, start):
    """Return the number of the one line that starts with ``start``."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return float(line.rpartition(" ")[2])


def test_requests_stages_and_events_are_counted(client, engine):
    client.post("/v1/recommend", json={"user_id": "ann"})
    client.post("/v1/recommend", json={"user": "ann"})
    client.post("/v1/events", json={"events": [{"user_id": "ann", "item_id": "1"}, {}]})
    client.get("/v1/items/secret-id")
    client.get("/wp-admin")
    text = client.get("/metrics").text
    assert value(text, 'inkling_http_requests_total{method="POST",route="/v1/recommend",status="200"}') == 1
    assert value(text, 'inkling_http_requests_total{method="POST",route="/v1/recommend",status="400"}') == 1
    assert value(text, 'inkling_http_requests_total{method="GET",route="none",status="404"}') == 1
    assert value(text, 'inkling_events_total{outcome="accepted"}') == 1
    assert value(text, 'inkling_events_total{outcome="rejected"}') == 1
    assert value(text, 'inkling_stage_seconds_count{stage="retrieve"}') == 1
    assert value(text, 'inkling_http_request_seconds_count{route="/v1/recommend"}') == 2
    assert value(text, "inkling_log_version") == engine.version
    assert value(text, "inkling_items") == 8
    assert "secret-id" not in text
    assert "wp-admin" not in text


def test_what_came_of_each_arm(client, engine, monkeypatch):
    row = {"answers": 10, "clicked": 4, "converted": 1, "outcomes": 6, "click_rate": 0.4, "conversion": 0.1}
    rows = [{"arm": "e:a", "bundle": "b1", **row}, {"arm": "", "bundle": "b1", **row}]
    monkeypatch.setattr(engine, "feedback", lambda: rows, raising=False)
    text = client.get("/metrics").text
    assert value(text, 'inkling_arm_answers_total{arm="e:a",bundle="b1"}') == 10
    assert value(text, 'inkling_arm_click_rate{arm="",bundle="b1"}') == 0.4
    assert all(LINE.match(line) for line in text.splitlines() if not line.startswith("#"))
    monkeypatch.setattr(engine, "feedback", list, raising=False)
    assert "inkling_arm" not in client.get("/metrics").text


def test_hit_rates_of_caches():
    counts = {"hits": 3, "misses": 1, "entries": 1, "bytes": 500, "hit_rate": 0.75}
    text = Metrics().render({"caches": {"texts": counts, "people of sequence": counts}})
    assert value(text, 'inkling_cache_hits_total{cache="texts"}') == 3
    assert value(text, 'inkling_cache_hit_rate{cache="people of sequence"}') == 0.75
    assert text.count("# TYPE inkling_cache_misses_total counter") == 1
    assert all(LINE.match(line) for line in text.splitlines() if not line.startswith("#"))
    assert "inkling_cache" not in Metrics().render({})


def test_every_line_is_well_formed(client):
    client.get("/healthz")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in answer.text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.match(line), line


def test_histogram_cumulates():
    histogram = Histogram("t_seconds", "T.", ("route",))
    for seconds in (0.00005, 0.0001, 0.003, 99.0):
        histogram.observe(seconds, "/a")
    text = "\n".join(histogram.lines())
    assert value(text, 't_seconds_bucket{route="/a",le="0.0001"}') == 2
    assert value(text, 't_seconds_bucket{route="/a",le="0.005"}') == 3
    assert value(text, f't_seconds_bucket{{route="/a",le="{BUCKETS_S[-1]}"}}') == 3
    assert value(text, 't_seconds_bucket{route="/a",le="+Inf"}') == 4
    assert value(text, 't_seconds_count{route="/a"}') == 4
    assert abs(value(text, 't_seconds_sum{route="/a"}') - 99.00315) < 1e-6


def test_labels_are_escaped():
    counter = Counter("n_total", "N.", ("name",))
    counter.add('a"b\\c\nd')
    assert counter.lines()[-1] == 'n_total{name="a\\"b\\\\c\\nd"} 1'
