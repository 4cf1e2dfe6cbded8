"""Counting begins with the first answer, and counts the whole log."""

from __future__ import annotations

import threading

from inkling.feedback.tally import Tally
from inkling.stores.base import Changes
from inkling.stores.memory import MemoryLog


def shown(n):
    return Changes(
        "impressions", ({"recommendation_id": f"r{n}", "user_id": "ann", "timestamp": n, "item_ids": ["mug"]},)
    )


def took(n):
    return Changes(
        "events", ({"user_id": "ann", "item_id": "mug", "timestamp": n, "event": "buy", "event_id": f"{n}"},)
    )


def test_it_counts_what_was_there_before_it_began():
    log = MemoryLog()
    for block in (shown(1), took(2), shown(3), shown(4)):
        version = log.append(block)
    tally = Tally(lambda since: log.scan(since=since), {"buy"})
    assert tally.wait(version)
    assert [(row["answers"], row["converted"]) for row in tally.rows()] == [(3, 1)]
    tally.stop()


def test_without_answers_there_is_no_thread():
    log, before = MemoryLog(), threading.active_count()
    tally = Tally(lambda since: log.scan(since=since), {"buy"})
    block = took(1)
    tally.put(Changes(block.kind, block.rows, log.append(block)))
    assert threading.active_count() == before
    assert tally.rows() == []
    tally.stop()
    answer = shown(2)
    tally.put(Changes(answer.kind, answer.rows, log.append(answer)))
    assert tally.wait(2)
    tally.stop()
