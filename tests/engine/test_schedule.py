"""Learning is started when it is due, what it accepted is swapped in, and a fall of live quality takes it back."""

from __future__ import annotations

import logging
import threading

import pytest

from inkling.core.errors import BundleError, ConfigError
from inkling.engine.bundles import Bundles, Pointer
from inkling.engine.schedule import Every, Schedule, parse_every


class Engine:
    """What a schedule sees of an engine."""

    def __init__(self):
        self.n_events, self.bundle_name, self.quality = 0, "b0", {}

    def swap(self, bundle):
        before, self.bundle_name = self.bundle_name, bundle.name
        return before

    def live_quality(self, bundle):
        return self.quality.get(bundle, (0, 0.0))


class Setup:
    """A schedule whose clock and whose learning are in the test's hands."""

    def __init__(self, folder, **options):
        for name in ("b0", "b1", "b2"):
            (folder / name).mkdir()
            (folder / name / "manifest.json").write_text("{}")
        self.bundles, self.engine, self.now, self.learned = Bundles(folder), Engine(), 0.0, 0
        self.bundles._write(Pointer(current="b0"))
        self.next = "b1"
        self.schedule = Schedule(
            self.engine, self.bundles, self.learn, clock=lambda: self.now, poll_s=0.01, patience_s=100, **options
        )

    def learn(self):
        self.learned += 1
        if self.next:
            old = self.bundles.pointer()
            self.bundles._write(Pointer(current=self.next, before=(*old.before, old.current)))


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("5000-events", Every(5000)),
        ("1 event", Every(1)),
        ("24", Every(seconds=86400)),
        ("0.5h", Every(seconds=1800)),
        ("2 hours", Every(seconds=7200)),
    ],
)
def test_how_often(text, every):
    assert parse_every(text) == every


@pytest.mark.parametrize("text", ["", "0", "often", "-3", "0-events"])
def test_what_does_not_say_how_often(text):
    with pytest.raises(ConfigError, match=r"does not say how often\. Write 5000-events, or hours"):
        parse_every(text)


def test_it_learns_after_so_many_events_and_swaps(tmp_path):
    found = Setup(tmp_path, every=Every(n_events=10))
    found.engine.n_events = 9
    found.schedule.step()
    assert found.learned == 0
    found.engine.n_events = 10
    found.schedule.step()
    assert (found.learned, found.engine.bundle_name) == (1, "b1")
    found.schedule.step()
    assert found.learned == 1


def test_it_learns_after_so_long_and_keeps_what_answers_where_nothing_was_accepted(tmp_path):
    found = Setup(tmp_path, every=Every(seconds=60))
    found.next = ""
    for now in (59, 60, 61, 120):
        found.now = now
        found.schedule.step()
    assert (found.learned, found.engine.bundle_name) == (2, "b0")


def test_a_pointer_that_somebody_else_moved_is_followed(tmp_path):
    found = Setup(tmp_path)
    found.bundles._write(Pointer(current="b2", before=("b0",)))
    found.schedule.step()
    assert found.engine.bundle_name == "b2"
    found.bundles.rollback()
    found.schedule.step()
    assert found.engine.bundle_name == "b0"


def test_a_fall_of_live_quality_takes_the_swap_back(tmp_path, caplog):
    found = Setup(tmp_path, every=Every(n_events=1))
    found.engine.quality["b0"] = (5000, 0.2)
    found.engine.n_events = 1
    found.schedule.step()
    found.engine.quality["b1"] = (5000, 0.05)
    found.now = 99
    found.schedule.step()
    assert found.engine.bundle_name == "b1"  # outcomes need time to come
    found.now = 100
    with caplog.at_level(logging.WARNING, logger="inkling"):
        found.schedule.step()
    assert found.engine.bundle_name == "b0"
    assert "live quality fell: 0.0500" in caplog.text
    assert found.bundles.pointer().notes[-1]["rolled_back"] == "b1"


@pytest.mark.parametrize("now", [(5000, 0.19), (300, 0.0), (0, 0.0)])
def test_a_small_fall_or_few_answers_change_nothing(tmp_path, now):
    found = Setup(tmp_path, every=Every(n_events=1))
    found.engine.quality["b0"] = (5000, 0.2)
    found.engine.n_events = 1
    found.schedule.step()
    found.engine.quality["b1"] = now
    found.now = 1000
    found.schedule.step()
    assert found.engine.bundle_name == "b1"


def test_the_thread_goes_on_after_a_failure(tmp_path, caplog):
    found = Setup(tmp_path, every=Every(n_events=1))
    done, calls = threading.Event(), []

    def learn():
        calls.append(1)
        if len(calls) == 1:
            found.engine.n_events += 1
            raise BundleError("the disk is full")
        done.set()

    found.schedule._learn = learn
    found.engine.n_events = 1
    with caplog.at_level(logging.WARNING, logger="inkling"):
        found.schedule.start()
        assert done.wait(5)
        found.schedule.stop()
    assert "Learning anew failed: the disk is full" in caplog.text
