"""Answers are logged beside the answering: none is lost that was taken, none is written twice."""

from __future__ import annotations

import logging
import threading

import pytest

from inkling.core.errors import StoreError
from inkling.core.recommendation import Recommendation, RecommendedItem
from inkling.engine.impressions import ImpressionLog


def answer(n):
    return Recommendation(f"r{n}", (RecommendedItem("mug", 0.5, "popular"),), 3, "b", "arm")


def add(log, *numbers):
    for n in numbers:
        log.add(answer(n), who={"user_id": "ann"}, now_ms=n)


def ids(written):
    return [row["recommendation_id"] for batch in written for row in batch]


def test_a_row_says_what_was_shown_to_whom():
    written = []
    log = ImpressionLog(written.append)
    add(log, 7)
    log.flush()
    assert written == [
        (
            {
                "user_id": "ann",
                "recommendation_id": "r7",
                "timestamp": 7,
                "item_ids": ["mug"],
                "scores": [0.5],
                "sources": ["popular"],
                "version": 3,
                "bundle": "b",
                "arm": "arm",
            },
        )
    ]
    log.close()


def test_nothing_is_lost_on_close_and_the_order_is_kept():
    written = []
    log = ImpressionLog(written.append)
    add(log, *range(1000))
    log.close()
    log.close()
    assert ids(written) == [f"r{n}" for n in range(1000)]
    assert max(map(len, written)) <= 256
    assert log.n_dropped == 0


def test_without_answers_there_is_no_thread():
    before = threading.active_count()
    log = ImpressionLog(lambda rows: None)
    log.flush()
    log.close()
    assert threading.active_count() == before


def test_a_full_queue_drops_and_counts():
    gate, written = threading.Event(), []

    def slowly(rows):
        assert gate.wait(10)
        written.append(rows)

    log = ImpressionLog(slowly, limit=300)
    add(log, *range(1000))
    assert log.n_dropped > 0
    gate.set()
    log.close()
    assert len(ids(written)) == 1000 - log.n_dropped


@pytest.mark.parametrize("error", [StoreError("the disk is full"), RuntimeError("closed"), OSError("gone")])
def test_a_failing_writer_is_told_of_and_the_next_answers_are_written(caplog, error):
    written, broken = [], [True]

    def write(rows):
        if broken[0]:
            raise error
        written.append(rows)

    log = ImpressionLog(write)
    with caplog.at_level(logging.WARNING, logger="inkling"):
        add(log, 1)
        log.flush()
    assert log.n_dropped == 1
    assert "1 impressions could not be logged" in caplog.text
    broken[0] = False
    add(log, 2)
    log.close()
    assert ids(written) == ["r2"]
