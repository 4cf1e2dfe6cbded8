"""Durable first, then visible, in the order of the log, whoever wrote."""

from __future__ import annotations

import threading
import time

import pytest

from inkling.core.errors import VersionError
from inkling.engine.commit import Committer
from inkling.stores.base import Changes
from inkling.stores.memory import MemoryLog


def block(*names):
    return Changes("items", tuple({"item_id": name} for name in names))


def names_of(blocks):
    return [row["item_id"] for each in blocks for row in each.rows]


def test_a_commit_is_visible_when_it_returns():
    seen = []
    commits = Committer(MemoryLog(), seen.append)
    assert commits.commit(block("a", "b")) == 2
    assert names_of(seen) == ["a", "b"]
    assert seen[0].version == commits.version == 2
    assert commits.commit(block()) == 2
    assert len(seen) == 1


def test_many_threads_are_applied_in_the_order_of_the_log():
    log, seen, returned = MemoryLog(), [], []
    commits = Committer(log, seen.append)

    def write(n):
        for step in range(20):
            version = commits.commit(block(*(f"{n}-{step}-{i}" for i in range(1 + step % 3))))
            returned.append(commits.version >= version)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_of(seen) == names_of(log.scan())
    assert commits.version == log.version
    assert all(returned)


class LateLog(MemoryLog):
    """A log whose first writer hears of its version late."""

    def __init__(self):
        super().__init__()
        self.go_on = threading.Event()
        self.second = threading.Event()

    def append(self, changes):
        version = super().append(changes)
        if changes.rows[0]["item_id"] == "first":
            self.second.set()
            assert self.go_on.wait(10)
        return version


def test_a_block_whose_predecessor_is_late_comes_after_it_and_soon():
    log, seen = LateLog(), []
    commits = Committer(log, seen.append)
    first = threading.Thread(target=commits.commit, args=(block("first"),))
    first.start()
    assert log.second.wait(10)
    second = threading.Thread(target=commits.commit, args=(block("second"),))
    second.start()
    second.join(10)  # what is in the log and does not come by itself is read from the log
    assert names_of(seen) == ["first", "second"]
    log.go_on.set()
    first.join(10)
    assert names_of(seen) == ["first", "second"]
    assert not commits._pending


def test_what_another_process_wrote_in_between_is_read_from_the_log():
    log, seen = MemoryLog(), []
    commits = Committer(log, seen.append)
    log.append(block("theirs"))
    assert commits.commit(block("ours")) == 2
    assert names_of(seen) == ["theirs", "ours"]
    log.append(block("theirs again"))
    commits.reach(3)
    assert names_of(seen)[-1] == "theirs again"
    commits.reach(1)


def test_a_version_that_was_never_issued_is_an_error():
    commits = Committer(MemoryLog(), lambda _: None)
    commits.commit(block("a"))
    with pytest.raises(VersionError, match=r"Version 2 was never issued; the newest is 1\. Pass a version"):
        commits.reach(2)


def test_a_replay_applies_what_is_not_yet_there():
    log, seen = MemoryLog(), []
    log.append(block("a"))
    log.append(block("b"))
    commits = Committer(log, seen.append)
    commits.version = 1
    commits.replay()
    commits.replay()
    assert names_of(seen) == ["b"]


def test_a_block_that_cannot_be_applied_does_not_stop_the_others(caplog):
    seen = []

    def apply(block):
        if block.rows[0].get("bad"):
            raise ValueError("choked")
        seen.append(block.rows[0]["n"])

    commits = Committer(MemoryLog(), apply)
    commits.commit(Changes("items", ({"item_id": "a", "n": 1},)))
    commits.commit(Changes("items", ({"item_id": "b", "bad": True},)))
    assert commits.commit(Changes("items", ({"item_id": "c", "n": 3},))) == 3
    assert seen == [1, 3]
    assert "could not be applied" in caplog.text


def test_a_write_after_one_of_another_process_does_not_wait_long():
    log = MemoryLog()
    commits = Committer(log, lambda _: None)
    took = []
    for n in range(5):
        log.append(block(f"theirs {n}"))
        start = time.perf_counter()
        commits.commit(block(f"ours {n}"))
        took.append(time.perf_counter() - start)
    assert min(took) < 0.2


def test_followers_get_every_block_in_order_and_a_failing_one_stops_nobody(caplog):
    log, seen = MemoryLog(), []
    commits, other = Committer(log, lambda _: None), Committer(log, seen.append)
    commits.commit(block("before"))

    def fail(_):
        raise ValueError("no")

    commits.attach(fail, lambda: None)
    commits.attach(other.follow, other.replay)
    commits.commit(block("a", "b"))
    log.append(block("theirs"))
    commits.commit(block("c"))
    assert names_of(seen) == ["before", "a", "b", "theirs", "c"]
    assert other.version == commits.version == log.version
    commits.detach(other.follow)
    commits.commit(block("d"))
    assert names_of(seen)[-1] == "c"
    assert "A follower could not take in a block of kind items" in caplog.text


def test_nothing_moves_while_it_is_held_still():
    commits = Committer(MemoryLog(), lambda _: None)
    commits.commit(block("a"))
    with commits.still() as version:
        writer = threading.Thread(target=commits.commit, args=(block("b"),))
        writer.start()
        time.sleep(0.02)
        assert commits.version == version == 1
    writer.join(10)
    assert commits.version == 2
