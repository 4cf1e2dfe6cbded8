from dataclasses import replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.ranking._inputs import Ids, InputReader
from inkling.ranking._moments import Moments
from inkling.ranking._numbers import Numbers
from inkling.ranking.base import RankingSet
from inkling.testing.ranking import tasks

HOUR = 3_600_000
MONDAY = 1_700_438_400_000  # 2023-11-20, midnight


def items_of(**columns):
    n = len(next(iter(columns.values())))
    fields = {name: np.array(column, dtype=np.float32) for name, column in columns.items()}
    none = np.zeros(n, dtype=np.float32)
    return Candidates.of(np.array([0, n]), np.arange(n, dtype=np.int32), none, source="x").with_fields(fields)


def test_skewed_columns_are_read_by_their_logarithm():
    rng = np.random.default_rng(0)
    items = items_of(price=np.exp(rng.normal(3, 2, 500)), even=rng.normal(5, 2, 500))
    numbers = Numbers.learn(items, ("price", "even"), "log")
    assert numbers.logged.tolist() == [True, False]
    x = numbers.read(items)
    assert np.allclose(x.mean(axis=0), 0, atol=0.02)
    assert np.allclose(x.std(axis=0), 1, atol=0.03)
    assert not Numbers.learn(items, ("price",), "standard").logged.any()


def test_what_is_missing_has_an_input_of_its_own_and_what_never_changes_has_none():
    items = items_of(gap=[1, np.nan, 3, np.nan], same=[2, 2, 2, 2], full=[0, 1, 2, 3], void=[np.nan] * 4)
    numbers = Numbers.learn(items, ("full", "gap", "same", "void"), "log")
    assert numbers.names == ("full", "gap")
    assert (numbers.width, numbers.owners.tolist()) == (3, [0, 1, 1])
    assert numbers.read(items)[:, 2].tolist() == [0, 1, 0, 1]
    assert numbers.read(items)[1, 1] == 0
    assert numbers.read(items_of(full=[1.5])).tolist() == [[0, 0, 1]]


def test_outliers_are_cut_off():
    items = items_of(a=[0, 1, 0, 1])
    assert Numbers.learn(items, ("a",), "standard").read(items_of(a=[1e9])).tolist() == [[5.0]]


def test_quantiles_are_even_whatever_the_column():
    rng = np.random.default_rng(0)
    items = items_of(a=np.exp(rng.normal(0, 3, 2000)))
    numbers = Numbers.learn(items, ("a",), "quantile")
    x = numbers.read(items)[:, 0]
    assert x.std() == pytest.approx(1, abs=0.05)
    order = np.argsort(items.fields["a"])
    assert (np.diff(x[order]) >= 0).all()
    assert np.quantile(x, 0.75) == pytest.approx(12**0.5 / 4, abs=0.1)
    assert Numbers.of_state(numbers.state()).read(items).tolist() == numbers.read(items).tolist()


def question(now, **context):
    n = len(now)
    return Query(History.empty(n), np.array(now), 5, np.full(n, -1, dtype=np.int32), context=context)


def test_moments_are_hours_weekdays_and_contexts():
    query = question([MONDAY + 6 * HOUR, MONDAY + 30 * HOUR, MONDAY], device=("phone", "desk", "phone"))
    moments = Moments.learn(query)
    assert moments.owners.tolist() == [0, 0] + [1] * 7 + [2, 2]
    x = moments.read(query)
    assert np.allclose(x[:, :2], [[1, 0], [1, 0], [0, 1]], atol=1e-6)
    assert x[:, 2:9].argmax(axis=1).tolist() == [0, 1, 0]
    assert x[:, 9:].tolist() == [[1, 0], [0, 1], [1, 0]]
    later = moments.read(question([MONDAY], device=("watch",)))
    assert later[0, 9:].tolist() == [0, 0]
    assert moments.read(question([MONDAY]))[0, 9:].tolist() == [0, 0]
    assert Moments.of_state(moments.state()).read(query).tolist() == x.tolist()


def test_an_order_has_no_hours_and_a_context_of_one_value_says_nothing():
    assert Moments.learn(question([3, 9], device=("phone", "phone"))).width == 0


def test_histories_are_read_the_newest_first():
    past = Jagged.from_lists([np.array([1, 2, 3, 9], dtype=np.int32), np.array([], dtype=np.int32)])
    days = MONDAY - np.array([3, 2, 1, 0]) * 24 * HOUR
    history = History.of_items(past, ts=days)
    history = replace(history, weights=np.array([1, 0, 1, 1], dtype=np.float32))
    ids = Ids(np.array([0, 5, 6, 7], dtype=np.int32), 7, 3)
    codes, ages = ids.recent(history, np.array([MONDAY, MONDAY]))
    assert codes.tolist() == [[7, 5], [0, 0]]  # item 2 was not liked, item 9 came later
    assert np.allclose(np.expm1(ages), [[1, 3], [0, 0]], atol=1e-4)
    assert ids.of(np.array([3, 4, 100])).tolist() == [7, 0, 0]
    assert Ids(ids.codes, 7, 1).recent(history, np.array([MONDAY, MONDAY]))[0].tolist() == [[7], [0]]


def test_items_seen_too_seldom_have_no_code():
    data = tasks(n_people=1, n_items=4)
    ids = Ids.learn(data, 5)
    assert ids.n_codes == (ids.codes > 0).sum() < 4
    assert Ids.learn(data, 0).of(np.array([1, 2])).tolist() == [0, 0]


def test_everything_comes_back_from_a_state():
    data = tasks(n_people=30)
    reader = InputReader.learn(data, sorted(data.candidates.fields), how="quantile", length=4)
    again = InputReader.of_state(reader.state())
    for ours, theirs in zip(
        reader.read(data.query, data.candidates), again.read(data.query, data.candidates), strict=True
    ):
        assert ours.tolist() == theirs.tolist()
    assert len(reader.fields) == reader.width


def test_sets_are_joined_with_each_persons_question():
    first, second = tasks(n_people=3), tasks(n_people=2, seed=1)
    joined = RankingSet.join([first, replace(second, positions=np.zeros(24, dtype=np.int32))])
    assert len(joined.query) == len(joined.candidates) == 5
    assert joined.labels.tolist() == [*first.labels.tolist(), *second.labels.tolist()]
    assert joined.positions.tolist() == [-1] * 36 + [0] * 24
    assert set(joined.further) == {"conversion", "rating"}
    assert joined.weights is None
    back = joined.take(np.array([4, 0]))
    assert back.candidates.rows_of(1).tolist() == first.candidates.rows_of(0).tolist()
    assert back.labels[12:].tolist() == first.labels[:12].tolist()
    assert back.query.now.tolist() == [second.query.now[1], first.query.now[0]]
    few = joined.keep(joined.labels > 0)
    assert np.diff(few.candidates.offsets).tolist() == [2] * 5
    assert few.further["conversion"].sum() == 5
    assert RankingSet.join([first]) is first
    with pytest.raises(DataError, match="No ranking sets to join"):
        RankingSet.join([])
