from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import inkling
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.engine import sentences
from inkling.engine.pipelines.default import Default, DefaultConfig
from inkling.engine.sentences import ABOUT, Sentences


def read(texts):
    """What a sentence says of cats, and of cars."""
    said = [[text.count("cat"), text.count("car"), 1.0] for text in texts]
    vectors = np.array(said, np.float32).reshape(len(texts), 3)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def data(shop):
    engine = inkling.open(scenario=shop.SCENARIO)
    engine.put_items(shop.ITEMS)
    engine.observe(shop.events(n_users=80))
    return engine._own_data(shop.SCENARIO, engine.version)


@pytest.fixture(scope="module")
def learned(data):
    return Sentences.fit(data, read, Run(seed=1))


def asked(data, *texts, history=None):
    n = len(texts)
    vectors = read([text or "" for text in texts]) * np.array([[bool(text)] for text in texts])
    return Query(
        history or History.empty(n),
        np.full(n, data.until, np.int64),
        data.n_items,
        np.full(n, -1, np.int32),
        texts=texts,
        text_vectors={ABOUT: vectors.astype(np.float32)},
    )


def kinds(data, rows):
    return [data.item_ids.id_of(row).split("-")[0] for row in rows.tolist()]


def empty(n):
    return Candidates.empty(n, source="popular")


def test_a_sentence_finds_what_people_take_of_whom_the_same_is_said(data, learned):
    found = learned.instead(asked(data, "likes cat things", "drives a car"), empty(2), k=5)
    assert set(kinds(data, found.rows_of(0))) == {"cat"}
    assert set(kinds(data, found.rows_of(1))) == {"car"}
    assert found.source_of(0) == "text"
    assert learned.ndcg > 0.5
    assert (np.diff(found.scores_of(0)) <= 0).all()


def test_one_is_answered_as_many(data, learned):
    both = learned.scores(asked(data, "likes cat things", "drives a car"), read(["likes cat things", "drives a car"]))
    alone = learned.scores(asked(data, "drives a car"), read(["drives a car"]))
    np.testing.assert_allclose(both[1:], alone, rtol=1e-5)


def test_only_those_who_are_known_by_a_sentence_alone(data, learned):
    rows = np.array([3, 1], np.int32)
    offsets = np.array([0, 2, 4], np.int64)
    items = Candidates.of(offsets, np.tile(rows, 2), np.tile(np.array([0.9, 0.1], np.float32), 2), source="ease")
    history = History.of_items(Jagged.from_lists([np.array([0], np.int32), np.zeros(0, np.int32)]))
    found = learned.instead(asked(data, "a cat", None, history=history), items, k=5)
    assert found is items
    mixed = asked(data, "a cat", "a cat", history=history)
    found = learned.instead(mixed, items, k=5)
    assert found.rows_of(0).tolist() == [3, 1]
    assert found.source_of(0) == "ease"
    assert set(kinds(data, found.rows_of(1))) == {"cat"}
    assert learned.instead(replace(mixed, text_vectors={}), items, k=5) is items


def test_limits_hold_and_what_is_named_is_known_already(data, learned):
    query = asked(data, "likes the cat toy")
    row = data.item_ids.row_of("cat-toy")
    assert learned.named(query)[0].tolist() == [row]
    assert row not in learned.instead(query, empty(1), k=99).rows_of(0)
    bed, brush = (data.item_ids.row_of(f"cat-{name}") for name in ("bed", "brush"))
    allowed = np.ones(data.n_items, np.bool_)
    allowed[bed] = False
    limited = replace(
        query,
        allowed=allowed,
        exclude=Jagged.from_lists([np.array([brush], np.int32)]),
        candidates=Jagged.from_lists([np.array([bed, brush, 0, 1], np.int32)]),
    )
    found = learned.instead(limited, empty(1), k=99).rows_of(0)
    assert len(found)
    assert set(found.tolist()) <= {0, 1} - {row, bed, brush}


def test_what_is_named_speaks_through_a_collaborative_model(data, learned):
    wax, lamp = data.item_ids.row_of("car-wax"), data.item_ids.row_of("car-lamp")

    def near(query):
        out = np.zeros((len(query), query.n_items), np.float32)
        out[:, lamp] = np.isin(query.history.item_rows, [wax]).sum()
        return out

    query = asked(data, "my cat, my Car Wax")
    found = learned.instead(query, empty(1), k=3, near=near)
    assert found.rows_of(0)[0] == lamp
    assert learned.instead(query, empty(1), k=3).rows_of(0)[0] != lamp


def test_new_items_do_not_disturb(data, learned):
    query = replace(asked(data, "a cat"), n_items=data.n_items + 4)
    assert learned.scores(query, query.text_vectors[ABOUT]).shape == (1, data.n_items + 4)


def test_it_comes_back_from_what_it_kept(data, learned):
    again = Sentences.load({name: np.array(array) for name, array in learned.state().items()})
    query = asked(data, "a cat toy")
    np.testing.assert_array_equal(
        again.scores(query, query.text_vectors[ABOUT]), learned.scores(query, query.text_vectors[ABOUT])
    )
    assert (again.titles, again.damping) == (learned.titles, learned.damping)


def test_too_little_to_learn_from_is_told(data, monkeypatch):
    with pytest.raises(DataError, match="5 people have 4 choices"):
        Sentences.fit(data, read, Run(), n_people=5)
    monkeypatch.setattr(sentences, "MOST_ITEMS", 3)
    with pytest.raises(DataError, match="10 items are too many"):
        Sentences.fit(data, read, Run())


def test_the_engine_answers_whoever_said_one_sentence(shop):
    """Sentences teach it from 50 people on: the shop of 80 is enough."""

    with inkling.open(scenario=shop.SCENARIO) as engine:
        engine.put_items(shop.ITEMS)
        engine.observe(shop.events(n_users=80))
        engine.fit(settings=shop.QUICK)
        engine.put_users([{"user_id": "new", "about": "I like things for my cat, such as a cat toy"}])
        assert engine.read_all()
        answer = engine.recommend("new", k=3, explain=True)
        assert {item_id.split("-")[0] for item_id in answer.item_ids} == {"cat"}
        assert "cat-toy" not in answer.item_ids
        assert answer.items[0].reason.kind == "about"


def test_they_are_learned_when_they_are_kept_and_not_for_a_comparison(data, shop):
    settings = {**shop.QUICK, "sentences": 60}
    pipeline = Default(parse(DefaultConfig, settings, where="settings"), data.scenario).fit(data, Run())
    assert pipeline._sentences is None
    kept = pipeline.save()
    assert kept.arrays["sentences"]["weights"].shape[1] == 60
    without = Default(parse(DefaultConfig, {**settings, "sentences": 0}, where="settings"), data.scenario)
    assert "sentences" not in without.fit(data, Run()).save().arrays
