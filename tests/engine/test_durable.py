"""What was acknowledged is there, once: after kills, on a full disk, with a torn record, a clock that went back."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

import inkling
from inkling.core.errors import StoreError
from inkling.engine.engine import LocalEngine
from inkling.stores.memory import MemoryLog
from inkling.stores.sqlite import FILE_NAME, SqliteLog

WRITER = """
import sys, threading
import inkling
engine = inkling.open(sys.argv[1])
lock = threading.Lock()
def write(name, first):
    for n in range(first, 1_000_000):
        ids = [f"{name}.{n}.{part}" for part in range(1 + n % 3)]
        engine.observe([{"user_id": name, "item_id": "mug", "event_id": key} for key in ids])
        if n % 7 == 0:
            engine.recommend(name, k=1)  # impressions are written meanwhile
        with lock:
            print(name, n, flush=True)
threads = [threading.Thread(target=write, args=(f"w{k}", int(first))) for k, first in enumerate(sys.argv[2:])]
for thread in threads:
    thread.start()
"""


def events_in(folder):
    log = SqliteLog(folder, read_only=True)
    found = Counter(row["event_id"] for block in log.scan() if block.kind == "events" for row in block.rows)
    log.close()
    return found


def test_kill_9_under_load_loses_nothing_and_doubles_nothing(tmp_path):
    """After each kill every writer goes on from its last acknowledged event, which it sends again."""
    draw, last = random.Random(7), [0, 0, 0]
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, f"file://{tmp_path}/log", *map(str, last)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        lines = [child.stdout.readline() for _ in range(draw.randint(5, 60))]
        time.sleep(draw.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        for line in lines:
            if line.endswith("\n"):
                name, n = line.split()
                last[int(name[1:])] = int(n)
    found = events_in(tmp_path / "log")
    wanted = {f"w{k}.{n}.{part}" for k, end in enumerate(last) for n in range(end + 1) for part in range(1 + n % 3)}
    assert sum(last) > 5
    assert wanted <= set(found)
    assert set(found.values()) == {1}
    with inkling.open(f"file://{tmp_path}/log") as engine:
        assert sum(engine.get_user(f"w{k}")["n_events"] for k in range(3)) == len(found)


def full(log, *, room):
    (n_pages,) = log._writer.execute("PRAGMA page_count").fetchone()
    log._writer.execute(f"PRAGMA max_page_count={n_pages + room}")


def read_only(log, *, room):
    log._writer.execute(f"PRAGMA query_only={'OFF' if room else 'ON'}")


@pytest.mark.parametrize(
    ("fault", "message"),
    [(full, "nothing of this write was kept"), (read_only, "check its permissions")],
)
def test_a_disk_that_takes_no_more_is_told_of_and_answers_go_on(tmp_path, fault, message):
    with inkling.open(f"file://{tmp_path}/log") as engine:
        engine.put_items([{"item_id": "mug", "title": "mug"}, {"item_id": "pen", "title": "pen"}])
        engine.observe([{"user_id": "ann", "item_id": "mug", "event_id": "first"}])
        before = engine.version
        fault(engine._log, room=0)
        big = {"user_id": "ann", "item_id": "pen", "event_id": "second", "text": "z" * 200_000}
        for _ in range(2):
            with pytest.raises(StoreError, match=message):
                engine.observe([big])
        assert engine.version == before
        assert engine.get_user("ann")["n_events"] == 1
        assert engine.recommend("ann", k=2).version == before
        fault(engine._log, room=1000)
        version = engine.observe([big])  # the same event again: it was never taken
        assert engine.observe([big]) == version
        assert engine.recommend("ann", min_version=version).version >= version
        assert engine.get_user("ann")["n_events"] == 2
    with inkling.open(f"file://{tmp_path}/log") as again:
        assert again.get_user("ann")["n_events"] == 2
        assert again.get_user("ann")["n_events"] == sum(events_in(tmp_path / "log").values())


def test_impressions_that_find_no_room_are_counted_and_the_next_are_written(tmp_path):
    with inkling.open(f"file://{tmp_path}/log") as engine:
        engine.put_items([{"item_id": "mug"}])
        read_only(engine._log, room=0)
        engine.recommend("ann")
        engine._impressions.flush()
        assert engine._impressions.n_dropped == 1
        read_only(engine._log, room=1)
        answer = engine.recommend("ann")
        engine._impressions.flush()
        logged = [row for block in engine._log.scan() if block.kind == "impressions" for row in block.rows]
        assert [row["recommendation_id"] for row in logged] == [answer.id]


def test_a_torn_last_record_is_as_if_it_was_never_sent(tmp_path):
    with inkling.open(f"file://{tmp_path}/log") as engine:
        for n in range(5):
            engine.observe([{"user_id": "ann", "item_id": f"i{n}", "event_id": f"e{n}"}])
        shutil.copytree(tmp_path / "log", tmp_path / "crashed")
    wal = tmp_path / "crashed" / f"{FILE_NAME}-wal"
    wal.write_bytes(wal.read_bytes()[:-100])
    (tmp_path / "crashed" / f"{FILE_NAME}-shm").unlink()
    with inkling.open(f"file://{tmp_path}/crashed") as again:
        assert [row["item_id"] for row in again.history("ann")] == ["i3", "i2", "i1", "i0"]
        assert again.observe([{"user_id": "ann", "item_id": "i4", "event_id": "e4"}]) == 5
        assert again.get_user("ann")["n_events"] == 5


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_clock_that_goes_back_changes_no_order(tmp_path, kind):
    times = iter([2_000_000_000.0, 1_000_000_000.0, 1_500_000_000.0, 900_000_000.0, 800_000_000.0])
    clock = lambda: next(times)  # noqa: E731
    log = MemoryLog(clock=clock) if kind == "memory" else SqliteLog(tmp_path / "log", clock=clock)
    with LocalEngine(log, log_impressions=False) as engine:
        versions = [
            engine.observe([{"user_id": "ann", "item_id": f"i{n}", "timestamp": 1_600_000_000 + n}]) for n in range(4)
        ]
        assert versions == [1, 2, 3, 4]
        assert [block.version for block in log.scan()] == versions
        assert [row["item_id"] for row in engine.history("ann")] == ["i3", "i2", "i1", "i0"]
        assert engine.now_ms() >= 1_600_000_003_000
        later = engine.observe([{"user_id": "ann", "item_id": "new", "timestamp": 4_000_000_000}])
        assert engine.now_ms() >= 4_000_000_000_000  # never before what is known
        assert engine.recommend("ann", min_version=later).version == later


def test_the_same_event_sent_at_once_by_many_is_stored_once(tmp_path):
    with inkling.open(f"file://{tmp_path}/log") as engine:
        event = {"user_id": "ann", "item_id": "mug", "event_id": "once"}
        threads = [threading.Thread(target=engine.observe, args=([event],)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert engine.get_user("ann")["n_events"] == 1
    assert events_in(tmp_path / "log") == {"once": 1}
