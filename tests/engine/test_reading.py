"""What is written is read later: in order, once, in the end; whatever the encoder does, nobody waits for it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from inkling.engine.reading import Patience, Reading

HASTY = Patience(tries=2, pause_s=0.001, again_s=60.0)


class Desk:
    """Texts by row, an encoder that can be stopped or broken, and what was placed."""

    def __init__(self, n=0):
        self.texts = {row: f"text {row}" for row in range(n)}
        self.placed, self.order, self.batches, self.broken = {}, [], [], set()
        self.open = threading.Event()
        self.open.set()

    def text_of(self, row):
        return self.texts.get(row, "")

    def read(self, texts):
        self.open.wait(10)
        self.batches.append(list(texts))
        if self.broken & set(texts):
            raise ValueError("no such letter")
        return np.array([[len(text), hash(text) % 1000] for text in texts], dtype=np.float32)

    def place(self, rows, vectors):
        for row, vector in zip(rows.tolist(), vectors, strict=True):
            self.placed[row] = vector
            self.order.append(row)


def rows(*values):
    return np.array(values, dtype=np.int32)


@pytest.fixture
def desk():
    return Desk(2000)


@pytest.fixture
def reading(desk):
    made = Reading(desk.text_of, desk.read, desk.place, limit=50, patience=HASTY)
    yield made
    desk.open.set()
    made.stop()


def test_what_is_put_is_read_in_order_and_counted(desk, reading):
    reading.put(rows(*range(40)))
    assert reading.wait(10)
    assert desk.order == list(range(40))
    status = reading.status()
    assert (status.waiting, status.queued, status.read, status.failed, status.lag_s) == (0, 0, 40, 0, 0.0)
    assert status.per_second > 0


def test_a_full_queue_leaves_marks_and_nothing_is_lost(desk, reading):
    desk.open.clear()
    started = time.monotonic()
    for start in range(0, 2000, 100):
        reading.put(rows(*range(start, start + 100)))
    assert time.monotonic() - started < 2  # the reader stands still, and nobody waits for it
    status = reading.status()
    assert status.queued <= 50
    assert status.waiting == 2000
    time.sleep(0.02)
    assert reading.status().lag_s > 0
    assert not reading.wait(0.01)
    desk.open.set()
    assert reading.wait(20)
    assert sorted(desk.placed) == list(range(2000))
    assert len(desk.order) == 2000


def test_a_row_that_changes_while_it_waits_is_read_once_as_it_is_then(desk, reading):
    desk.open.clear()
    reading.put(rows(0))
    while not reading.status().waiting or reading.status().queued:
        time.sleep(0.001)
    for version in range(5):
        desk.texts[7] = "x" * version
        reading.put(rows(7))
    desk.open.set()
    assert reading.wait(10)
    assert desk.order == [0, 7]
    assert desk.placed[7][0] == 4


def test_a_row_that_changes_while_it_is_read_is_read_again(desk, reading):
    desk.open.clear()
    reading.put(rows(3))
    while reading.status().queued:
        time.sleep(0.001)
    desk.texts[3] = "something much longer"
    reading.put(rows(3))
    desk.open.set()
    assert reading.wait(10)
    assert desk.order == [3, 3]
    assert desk.placed[3][0] == len("something much longer")


def test_one_bad_text_does_not_take_the_others_along_and_is_tried_again(desk):
    reading = Reading(desk.text_of, desk.read, desk.place, patience=Patience(tries=2, pause_s=0.001, again_s=0.05))
    desk.broken = {"text 5"}
    reading.put(rows(*range(10)))
    assert reading.wait(10)
    assert sorted(desk.placed) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    desk.broken = set()
    until = time.monotonic() + 10
    while 5 not in desk.placed and time.monotonic() < until:
        time.sleep(0.005)
    reading.stop()
    assert 5 in desk.placed
    assert reading.status().failed == 0


def test_what_fails_for_good_is_told_of(desk, reading):
    desk.broken = {"text 1"}
    reading.put(rows(1))
    assert reading.wait(10)
    assert desk.batches.count(["text 1"]) == HASTY.tries
    assert reading.status().failed == 1
    assert reading.status().read == 0


def test_a_text_that_is_gone_takes_its_vector_along(desk, reading):
    reading.put(rows(1))
    assert reading.wait(10)
    desk.texts[1] = ""
    reading.put(rows(1))
    assert reading.wait(10)
    assert not desk.placed[1].any()
    assert desk.batches == [["text 1"]]


def test_nothing_to_read_opens_no_encoder(desk, reading):
    desk.texts.clear()
    reading.put(rows(1, 2))
    assert reading.wait(10)
    assert (desk.batches, desk.placed) == ([], {})
    reading.put(rows())
    assert reading.status().waiting == 0


def test_stopping_leaves_the_rest_marked(desk, reading):
    desk.open.clear()
    reading.put(rows(*range(100)))
    threading.Timer(0.05, desk.open.set).start()
    reading.stop()
    assert not reading.wait(0.01)
    assert 0 < reading.status().waiting <= 100  # it may be stopped before it read anything
    n_placed = len(desk.placed)
    reading.put(rows(500))
    time.sleep(0.02)
    assert len(desk.placed) == n_placed


def test_new_rows_are_welcomed_before_they_are_read(desk):
    seen = []

    def welcome(new):
        seen.append((new.tolist(), sorted(desk.placed)))
        if 3 in new:
            raise ValueError("no shelf")

    reading = Reading(desk.text_of, desk.read, desk.place, welcome=welcome, patience=HASTY)
    reading.put(rows(3, 4))
    assert reading.wait(10)
    reading.put(rows(5))
    assert reading.wait(10)
    reading.stop()
    assert seen == [([3, 4], []), ([5], [3, 4])]


def test_batches_are_cut_by_the_encoders_pace(desk):
    def slow(texts):
        desk.batches.append(list(texts))
        time.sleep(0.05 * len(texts))
        return np.ones((len(texts), 2), dtype=np.float32)

    reading = Reading(desk.text_of, slow, desk.place)
    reading.put(rows(*range(20)))
    assert reading.wait(20)
    reading.stop()
    assert max(len(batch) for batch in desk.batches[1:]) <= 3
