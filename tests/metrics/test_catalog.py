from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inkling.metrics
from inkling.core.errors import ConfigError, RequestError
from inkling.core.jagged import Jagged
from inkling.metrics import RANKING, compute, parse

NAMES = [f"{metric}@{k}" for metric in RANKING for k in (1, 3, 10)]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, Jagged]:
    """Draw lists with repeats and padding in any place, and relevant items with repeats."""
    n_people, width = draw(st.integers(0, 4)), draw(st.integers(0, 6))
    rows = st.lists(st.integers(-1, 8), min_size=width, max_size=width)
    recommended = np.array(draw(st.lists(rows, min_size=n_people, max_size=n_people)), dtype=np.int32)
    relevant = st.lists(st.integers(0, 9), max_size=7)
    lists = draw(st.lists(relevant, min_size=n_people, max_size=n_people))
    return recommended.reshape(n_people, width), Jagged.from_lists(lists)


def measure(recommended: list[int], relevant: list[int], names=NAMES) -> dict[str, float]:
    rows = np.array([recommended], dtype=np.int32)
    return {name: float(values[0]) for name, values in compute(names, rows, Jagged.from_lists([relevant])).items()}


def test_the_folder_is_the_catalogue() -> None:
    files = {path.stem for path in Path(inkling.metrics.__file__).parent.glob("*.py")} - {"__init__"}
    whole = {"auc", "accuracy", "rmse", "logloss", "coverage", "novelty", "diversity", "calibration"}
    assert files - {"base", "catalog", "labels"} == set(RANKING) | whole


def test_a_small_world_by_hand() -> None:
    # Hits at ranks 1 and 3 of four; three items are relevant.
    values = measure([7, 1, 8, 2], [8, 7, 9], [f"{metric}@4" for metric in RANKING])
    assert values == pytest.approx(
        {
            "precision@4": 2 / 4,
            "recall@4": 2 / 3,
            "f1@4": 4 / 7,
            "hit@4": 1,
            "mrr@4": 1,
            "map@4": (1 + 2 / 3) / 3,
            "ndcg@4": (1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2),
        }
    )


def test_more_relevant_items_than_places_do_not_keep_a_list_from_being_perfect() -> None:
    values = measure([1, 2], [1, 2, 3, 4], ["ndcg@2", "map@2", "recall@2", "precision@2"])
    assert values == {"ndcg@2": 1, "map@2": 1, "recall@2": 0.5, "precision@2": 1}


def test_places_that_a_list_does_not_have_are_misses() -> None:
    values = measure([1, -1], [1, 2, 3], ["precision@10", "ndcg@10", "map@10"])
    assert values["precision@10"] == 0.1
    assert values["map@10"] == pytest.approx(1 / 3)
    assert values["ndcg@10"] == pytest.approx(1 / (1 + 1 / np.log2(3) + 0.5))


def test_nothing_relevant_or_nothing_recommended_scores_zero() -> None:
    assert set(measure([1, 2], []).values()) == {0}
    assert set(measure([], [1]).values()) == {0}
    assert set(measure([-1, -1], [1]).values()) == {0}


def test_a_repeated_item_is_found_once() -> None:
    assert measure([5, 5, 5], [5, 5, 6], ["recall@3", "precision@3"]) == {
        "recall@3": 0.5,
        "precision@3": pytest.approx(1 / 3),
    }


@given(worlds())
def test_values_lie_between_zero_and_one(world) -> None:
    for name, values in compute(NAMES, *world).items():
        assert values.shape == (len(world[0]),)
        assert values.dtype == np.float64
        assert ((values >= 0) & (values <= 1 + 1e-12)).all(), name


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_irrelevant_items_behind_and_of_relevant_items_does_not_matter(world, random) -> None:
    recommended, relevant = world
    extended = np.hstack([recommended, np.tile(np.arange(50, 55, dtype=np.int32), (len(recommended), 1))])
    shuffled = extended.copy()
    tail = list(range(50, 55))
    random.shuffle(tail)
    shuffled[:, -5:] = tail
    lists = [list(relevant[person]) for person in range(len(relevant))]
    for one in lists:
        random.shuffle(one)
    before, after = compute(NAMES, extended, relevant), compute(NAMES, shuffled, Jagged.from_lists(lists))
    assert all(np.array_equal(before[name], after[name]) for name in NAMES)


@given(st.permutations(range(8)), st.sets(st.integers(0, 9), min_size=1), st.integers(1, 7))
def test_no_value_falls_when_a_relevant_item_moves_up(order, relevant, place) -> None:
    order = list(order)
    if order[place] not in relevant or order[place - 1] in relevant:
        return
    before = measure(order, sorted(relevant))
    order[place - 1], order[place] = order[place], order[place - 1]
    after = measure(order, sorted(relevant))
    assert all(after[name] >= before[name] - 1e-12 for name in NAMES)
    if place < 10:
        assert after["ndcg@10"] > before["ndcg@10"]


@given(st.sets(st.integers(0, 20), min_size=1))
def test_a_perfect_list_is_worth_one(relevant) -> None:
    values = measure(sorted(relevant), sorted(relevant), ["ndcg@10", "map@10", "mrr@10", "hit@10"])
    assert list(values.values()) == pytest.approx([1] * 4)


@given(worlds())
def test_a_batch_equals_its_people_one_by_one(world) -> None:
    recommended, relevant = world
    together = compute(NAMES, recommended, relevant)
    for person in range(len(recommended)):
        alone = measure(recommended[person].tolist(), relevant[person].tolist())
        assert alone == pytest.approx({name: values[person] for name, values in together.items()}, abs=1e-12)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no ranking metric 'ndgc'.*Did you mean 'ndcg'"):
        compute(["ndgc@10"], np.zeros((0, 1), dtype=np.int32), Jagged.from_lists([]))


@pytest.mark.parametrize("name", ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@ten", "ndcg@1.5"])
def test_a_name_without_a_number_of_places_is_an_error(name) -> None:
    with pytest.raises(ConfigError, match=r"lacks the number of places.*'ndcg@10'"):
        parse(name)


def test_a_k_below_one_is_an_error() -> None:
    judged = inkling.metrics.judge(np.zeros((1, 1), dtype=np.int32), Jagged.from_lists([[0]]))
    with pytest.raises(RequestError, match="asked for at k = 0"):
        RANKING["recall"](judged, 0)


def test_different_numbers_of_people_are_an_error() -> None:
    with pytest.raises(RequestError, match=r"shape \(2, 3\), expected \(1, K\)"):
        compute(["hit@1"], np.zeros((2, 3), dtype=np.int32), Jagged.from_lists([[1]]))
