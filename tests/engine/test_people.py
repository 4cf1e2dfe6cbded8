"""People's vectors are kept until somebody does something; an answer never knows of the cache."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from inkling.core.query import History, Query
from inkling.engine.people import PeopleVectors, caches_of, forget_people, remember_people, told
from inkling.engine.pipeline import CacheCounts
from inkling.retrieval._sequence import SequenceModel

DAY = 86_400_000


class Summed(SequenceModel):
    """Vectors are the sums of what the items say: enough to see whether they are those of now."""

    name = "summed"

    def __init__(self):
        self.says, self.n_asked = np.eye(6, dtype=np.float32), 0

    def body(self):
        raise AssertionError

    def people(self, query):
        self.n_asked += 1
        vectors = np.stack([self.says[query.history.item_rows[a:b]].sum(axis=0) for a, b in edges(query)])
        return vectors, np.diff(query.history.offsets) > 0

    def put_items(self, item_rows, vectors):
        self.says[item_rows] = vectors


def edges(query):
    return zip(query.history.offsets[:-1].tolist(), query.history.offsets[1:].tolist(), strict=True)


def query(*lists):
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    rows = np.array([row for one in lists for row in one], dtype=np.int32)
    n, ts = len(rows), np.arange(len(rows), dtype=np.int64) * DAY
    ones, none = np.ones(n, dtype=np.float32), np.full(n, np.nan, dtype=np.float32)
    history = History(offsets, rows, ts, ones, np.zeros(n, dtype=np.int16), none, np.zeros(n, dtype=np.int32))
    people = np.arange(len(lists), dtype=np.int32)
    return Query(history, np.full(len(lists), n * DAY, dtype=np.int64), 6, people)


@pytest.fixture
def kept():
    return PeopleVectors(Summed())


def member(kept):
    return kept._compute.__self__


def test_the_same_history_is_computed_once(kept):
    first, again = (kept.people(query([1, 2])) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert member(kept).n_asked == 1
    assert kept.counts() == CacheCounts(1, 1, 1, kept.counts().bytes)
    assert kept.counts().hit_rate == 0.5


@pytest.mark.parametrize("change", ["more", "other", "time", "weight"])
def test_whatever_happens_to_a_person_is_seen_at_once(kept, change):
    before = query([1, 2])
    kept.people(before)
    history = before.history
    after = {
        "more": query([1, 2, 3]),
        "other": query([1, 3]),
        "time": replace(before, history=replace(history, ts=history.ts + 1)),
        "weight": replace(before, history=replace(history, weights=history.weights * 0)),
    }[change]
    kept.people(after)
    assert member(kept).n_asked == 2


def test_new_items_empty_the_cache(kept):
    kept.people(query([1, 2]))
    kept.put_items(np.array([2]), np.full((1, 6), 7, dtype=np.float32))
    assert kept.people(query([1, 2]))[0][0, 0] == 7
    assert kept.counts().entries == 1


def test_an_item_that_changes_meanwhile_leaves_nothing_old_behind(kept):
    compute = kept._compute

    def slow(asked):
        found = compute(asked)
        kept._compute = compute
        kept.put_items(np.array([1]), np.full((1, 6), 5, dtype=np.float32))
        return found

    kept._compute = slow
    kept.people(query([1]))
    assert kept.people(query([1]))[0][0, 0] == 5


def test_many_at_once_are_computed_together(kept):
    found, says = kept.people(query([1], [2, 3], []))
    assert found.shape == (3, 6)
    assert says.tolist() == [True, True, False]
    assert kept.counts().entries == 0


def test_it_is_bounded_and_the_oldest_leave():
    kept = PeopleVectors(Summed(), max_bytes=1000)
    for row in range(6):
        kept.people(query([row]))
    assert kept.counts().bytes <= 1000
    assert 0 < kept.counts().entries < 6
    kept.people(query([5]))
    assert kept.counts().hits == 1


def test_what_is_kept_cannot_be_written_to(kept):
    vectors, _ = kept.people(query([1]))
    with pytest.raises(ValueError, match="read-only"):
        vectors[0, 0] = 3


def test_many_threads_get_what_is_true(kept):
    wrong = []

    def ask(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            rows = rng.integers(0, 6, 3).tolist()
            if not np.array_equal(kept.people(query(rows))[0][0], np.eye(6, dtype=np.float32)[rows].sum(axis=0)):
                wrong.append(rows)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert kept.counts().hits + kept.counts().misses == 800


def test_members_of_a_pipeline_are_remembered_once():
    class Recall:
        members = {"sequence": Summed(), "other": object()}

    class Pipeline:
        _recall = Recall()

    for _ in range(2):
        remember_people(Pipeline())
    model = Recall.members["sequence"]
    for _ in range(3):
        model.people(query([4]))
    assert told(caches_of(Pipeline()))["people of sequence"]["hits"] == 2
    assert model.n_asked == 1
    forget_people(Pipeline())
    assert caches_of(Pipeline())["people of sequence"].entries == 0
    model.people(query([4]))
    assert model.n_asked == 2


def test_an_engine_tells_of_its_caches(saved):
    import inkling

    with inkling.open(bundle=saved) as engine:
        for _ in range(2):
            engine.recommend(text="a cat toy for the winter")
        texts = engine.about()["caches"]["texts"]
    assert texts["hits"] >= 1
    assert texts["misses"] >= 1
    assert 0 < texts["hit_rate"] < 1
