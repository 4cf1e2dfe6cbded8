"""A thread behind the log takes in every block once, in order."""

from __future__ import annotations

import logging
import threading

from inkling.core.errors import StoreError
from inkling.feedback.follow import Follower
from inkling.stores.base import Changes
from inkling.stores.memory import MemoryLog


def block(*names):
    return Changes("items", tuple({"item_id": name} for name in names))


def follower(log, take, **options):
    return Follower(lambda since: log.scan(since=since), take, **options)


def test_it_takes_what_was_there_and_what_comes_in_order_and_once():
    log, seen = MemoryLog(), []
    for n in range(20):
        log.append(block(f"a{n}", f"b{n}"))
    one = follower(log, seen.append)
    one.start(log.version)
    for n in range(20, 60):
        version = log.append(block(f"a{n}"))
        if n % 3:  # some are not handed over: they are read from the log
            one.put(Changes("items", ({"item_id": f"a{n}"},), version))
    assert one.wait(version)
    one.stop()
    assert [row["item_id"] for each in seen for row in each.rows] == [
        row["item_id"] for each in log.scan() for row in each.rows
    ]


def test_it_begins_where_it_is_told():
    log, seen = MemoryLog(), []
    version = log.append(block("a"))
    log.append(block("b"))
    one = follower(log, seen.append, since=version)
    one.start(log.version)
    assert one.wait(2)
    one.stop()
    assert [each.rows[0]["item_id"] for each in seen] == ["b"]


def test_nobody_waits_for_it():
    log, gate = MemoryLog(), threading.Event()
    one = follower(log, lambda _: gate.wait(10))
    one.start(0)
    for n in range(5000):
        one.put(Changes("items", ({"item_id": str(n)},), log.append(block(str(n)))))
    assert not one.wait(5000, timeout_s=0.01)
    gate.set()
    assert one.wait(5000)
    one.stop()


def test_a_block_that_cannot_be_taken_and_a_log_that_cannot_be_read_do_not_end_it(caplog):
    log, seen, broken = MemoryLog(), [], [True]

    def take(changes):
        if changes.rows[0]["item_id"] == "bad":
            raise ValueError("bad")
        seen.append(changes.rows[0]["item_id"])

    def scan(since):
        if broken[0]:
            broken[0] = False
            raise StoreError("gone for a moment")
        return log.scan(since=since)

    log.append(block("bad"))
    log.append(block("good"))
    one = Follower(scan, take)
    with caplog.at_level(logging.WARNING, logger="inkling"):
        one.start(2)
        one.wait(2, timeout_s=0.5)
        one.put(Changes("items", ({"item_id": "next"},), log.append(block("next"))))
        assert one.wait(3)
    one.stop()
    assert seen == ["good", "next"]
    assert "gone for a moment" in caplog.text
    assert "could not take in a block of kind items" in caplog.text
