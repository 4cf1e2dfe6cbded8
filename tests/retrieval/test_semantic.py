from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import DataError
from inkling.core.query import History
from inkling.core.run import Run
from inkling.retrieval.semantic import Semantic, SemanticConfig
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening


class Words:
    """One dimension a word; counts how many texts it was given."""

    def __init__(self):
        self.words, self.n_read = {}, 0

    def encode(self, texts):
        self.n_read += len(texts)
        out = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in text.split():
                row[self.words.setdefault(word, len(self.words))] += 1
        return out


class TestSemanticContract(RetrieverContract):
    name = "semantic"
    settings = {"encoder": "hashing"}


class TestSemanticEuclideanContract(RetrieverContract):
    name = "semantic"
    settings = {"encoder": "hashing", "measure": "euclidean", "storage": "float16", "values": 1.0}


def fitted(data, reader=None, **settings):
    return Semantic(SemanticConfig(**settings), encoder=reader or Words()).fit(data, Run())


@pytest.mark.parametrize("measure", ["cosine", "euclidean"])
@pytest.mark.parametrize("storage", ["int8", "float16"])
def test_the_rest_of_a_taste_comes_first(measure, storage):
    world = worlds.two_tastes()
    model = fitted(world.data, measure=measure, storage=storage)
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


@pytest.mark.parametrize("dim", [3, 64, 1000])
def test_fewer_numbers_say_nearly_the_same(dim):
    world, encoder = worlds.two_tastes(), Words()
    model = fitted(world.data, encoder, encoder="words", dim=dim)
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()
    said = encoder.encode(["car car"])
    nobody = replace(world.query.take([0]), history=History.empty(1), exclude=None, text_vectors={"words": said})
    assert model.retrieve(nobody, 1).item_rows[0] >= 4
    model.put_items(np.array([8], dtype=np.int32), encoder.encode(["cat food for your cat"]))
    assert model.similar(np.array([8], dtype=np.int32), 1).item_rows[0] == 0
    assert model.state()["vectors"].shape == (9, min(dim, 64))
    with pytest.raises(DataError, match="holds vectors of 64 numbers"):
        model.put_items(np.array([1], dtype=np.int32), np.ones((1, 3), dtype=np.float32))


def test_a_text_is_enough():
    world, encoder = worlds.two_tastes(), Words()
    model = fitted(world.data, encoder, encoder="words")
    said = encoder.encode(["something for my car lamp"])
    nobody = replace(world.query.take([0]), history=History.empty(1), exclude=None, text_vectors={"words": said})
    assert model.retrieve(nobody, 1).item_rows.tolist() == [6]
    (because,) = model.why(nobody, 6)
    assert (because.kind, because.item_row) == ("text", -1)


def test_text_and_history_by_weight():
    world, encoder = worlds.two_tastes(), Words()
    said = encoder.encode(["car car"])
    cats = replace(world.query.take([0]), text_vectors={"words": said})
    for weight, kind in ((0.0, range(4)), (9.0, range(4, 8))):
        model = fitted(world.data, encoder, encoder="words", text_weight=weight)
        assert model.retrieve(cats, 1).item_rows[0] in kind


def test_newer_events_weigh_more():
    texts = ["cat food", "car wax", "cat bed", "car lamp"]
    data = worlds.dataset([Happening(0, 0, 0), Happening(0, 1, 300)], shape=(1, 4), texts=texts)
    query = replace(data.query(np.zeros(1, dtype=np.int32)), allowed=np.array([False, False, True, True]))
    assert fitted(data, half_life_days=30).retrieve(query, 1).item_rows.tolist() == [3]
    even = fitted(data, half_life_days=0).scores(query)[0]
    assert even[2] == pytest.approx(even[3], abs=0.01)


def test_values_weigh():
    texts = ["cat food", "car wax", "cat bed", "car lamp"]
    data = worlds.dataset([Happening(0, 0, 0, value=5), Happening(0, 1, 0, value=1)], shape=(1, 4), texts=texts)
    query = data.query(np.zeros(1, dtype=np.int32))
    plain, rated = (fitted(data, values=power).scores(query)[0] for power in (0.0, 1.0))
    assert rated[2] > rated[3]
    assert plain[2] == pytest.approx(plain[3], abs=0.01)


def test_each_distinct_text_is_read_once_and_no_text_not_at_all():
    encoder = Words()
    data = worlds.dataset([Happening(0, 0, 0)], shape=(1, 4), texts=["mug", "", "mug", "cup"])
    model = fitted(data, encoder)
    assert encoder.n_read == 2
    assert model.similar(np.array([0, 1], dtype=np.int32), 4).item_rows.tolist() == [2]
    assert 1 not in model.retrieve(data.query(np.zeros(1, dtype=np.int32)), 9).item_rows


def test_a_new_item_is_found_at_once_and_a_changed_one_moves():
    world, encoder = worlds.two_tastes(), Words()
    model = fitted(world.data, encoder)
    model.put_items(np.array([9], dtype=np.int32), encoder.encode(["cat for your cat"]))
    grown = replace(world.query, n_items=10, allowed=None)
    assert model.retrieve(grown, 1).rows_of(0).tolist() == [9]
    model.put_items(np.array([9], dtype=np.int32), encoder.encode(["car for your car"]))
    assert model.retrieve(grown, 1).rows_of(1).tolist() == [9]
    assert model.retrieve(grown, 1).rows_of(0).tolist() == [3]
    model.put_items(np.empty(0, dtype=np.int32), np.empty((0, 64), dtype=np.float32))
    with pytest.raises(DataError, match="holds vectors of 64 numbers and was given 3"):
        model.put_items(np.array([1], dtype=np.int32), np.ones((1, 3), dtype=np.float32))


def test_without_any_text_nothing_is_found():
    data = worlds.dataset([Happening(0, 0, 0)], shape=(1, 3))
    query = data.query(np.zeros(1, dtype=np.int32))
    model = fitted(data)
    assert len(model.retrieve(query, 5).item_rows) == 0
    assert model.why(query, 0) == ()


def test_why_adds_up_to_the_cosine():
    world = worlds.two_tastes()
    model = fitted(world.data)
    found = model.why(world.query.take([0]), 3)
    assert {because.item_row for because in found} == {0, 1, 2}
    assert sum(because.weight for because in found) == pytest.approx(float(model.scores(world.query)[0, 3]), abs=1e-3)
