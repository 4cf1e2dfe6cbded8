from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from inkling.core.errors import DataError, RequestError
from inkling.kernels.lightgbm_text import from_lightgbm_text
from inkling.kernels.trees import TreeEnsemble, score

# x0 <= 1 ? (x1 <= 5 ? 10 : 20) : 30, whose leaves are numbered out of order, and a tree of one leaf.
WORLD = """tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=1

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
threshold=1 5
decision_type=10 8
left_child=1 -1
right_child=-2 -3
leaf_value=10 30 20
is_linear=0


Tree=1
num_leaves=1
num_cat=0
leaf_value=0.5
is_linear=0


end of trees
"""


def score_one(model: str, *x: float) -> float:
    return float(score(from_lightgbm_text(model), np.array([x], dtype=np.float32))[0])


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ((1, 5), 10.5),
        ((1, 5.5), 20.5),
        ((np.nextafter(np.float32(1), np.float32(2)), 0), 30.5),
        ((np.nan, 0), 10.5),
        ((np.nan, 6), 20.5),
        ((0, np.nan), 20.5),
        ((np.inf, np.inf), 30.5),
        ((-np.inf, np.inf), 20.5),
    ],
)
def test_the_answer_of_two_small_trees_is_known(x, expected) -> None:
    assert score_one(WORLD, *x) == expected


def test_without_a_missing_type_nan_is_read_as_zero() -> None:
    plain = WORLD.replace("decision_type=10 8", "decision_type=2 0")
    assert score_one(plain, np.nan, np.nan) == 10.5
    assert score_one(plain.replace("threshold=1 5", "threshold=-1 5"), np.nan, np.nan) == 30.5


def test_a_threshold_between_two_floats_decides_as_the_original() -> None:
    precise = WORLD.replace("threshold=1 5", "threshold=0.1 5")
    # The 32-bit float nearest to 0.1 lies above it.
    assert score_one(precise, np.float32(0.1), 0) == 30.5
    assert score_one(precise, np.nextafter(np.float32(0.1), np.float32(0)), 0) == 10.5


def test_a_forest_is_averaged() -> None:
    assert score_one(WORLD.replace("max_feature", "average_output\nmax_feature"), 1, 5) == 5.25


def test_only_trees_of_one_leaf() -> None:
    stump = WORLD[: WORLD.index("Tree=0")] + WORLD[WORLD.index("Tree=1") :]
    assert score(from_lightgbm_text(stump), np.zeros((3, 2), dtype=np.float32)).tolist() == [0.5, 0.5, 0.5]


def test_no_examples_and_no_trees() -> None:
    ensemble = from_lightgbm_text(WORLD)
    assert score(ensemble, np.empty((0, 2), dtype=np.float32)).tolist() == []
    none = TreeEnsemble.from_arrays(
        {name: array[:0] for name, array in ensemble.to_arrays().items()} | {"n_features": 2}
    )
    assert score(none, np.zeros((2, 2), dtype=np.float32)).tolist() == [0, 0]


def test_arrays_survive_the_way_there_and_back() -> None:
    ensemble = from_lightgbm_text(WORLD)
    again = TreeEnsemble.from_arrays(ensemble.to_arrays())
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32) * 6
    assert np.array_equal(ensemble.score(x), again.score(x))
    assert again.n_features == 2
    assert again.n_trees == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_cat=0", "num_cat=1", "categorical splits.*Encode categories"),
        ("decision_type=10 8", "decision_type=10 9", "categorical splits"),
        ("is_linear=0", "is_linear=1", "linear leaves.*linear_tree=false"),
        ("decision_type=10 8", "decision_type=10 4", "zero as missing.*zero_as_missing=false"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=3", "several outputs"),
        ("max_feature_idx=1", "max_feature_idx=0", "asks for feature 1, but there are 1"),
        ("max_feature_idx", "something", "not a LightGBM model"),
    ],
)
def test_what_plain_trees_cannot_express_is_an_error(old, new, message) -> None:
    with pytest.raises(DataError, match=message):
        from_lightgbm_text(WORLD.replace(old, new))


def test_text_that_is_no_model_is_an_error() -> None:
    with pytest.raises(DataError, match=r"Booster\.model_to_string"):
        from_lightgbm_text("hello")


def test_arrays_that_do_not_fit_are_an_error() -> None:
    arrays = from_lightgbm_text(WORLD).to_arrays()
    with pytest.raises(DataError, match=r"lack left, leaf_value.*Expected: feature"):
        TreeEnsemble.from_arrays({name: arrays[name] for name in arrays if name not in ("left", "leaf_value")})
    with pytest.raises(DataError, match=r"'right' has shape \(2, 1\), expected \(2, 2\)"):
        TreeEnsemble.from_arrays({**arrays, "right": arrays["right"][:, :1]})
    with pytest.raises(DataError, match=r"has 65 leaves.*at most 64"):
        TreeEnsemble.from_arrays({**arrays, "leaf_value": np.zeros((1, 65))})


@pytest.mark.parametrize("child", [0, 1, 7])
def test_children_that_form_no_tree_are_an_error(child) -> None:
    ensemble = from_lightgbm_text(WORLD)
    left = ensemble.left.copy()
    left[0, 1] = child
    with pytest.raises(DataError, match="Tree 0 is not a tree"):
        score(dataclasses.replace(ensemble, left=left), np.zeros((1, 2), dtype=np.float32))


def test_leaves_outside_the_tree_are_an_error() -> None:
    ensemble = from_lightgbm_text(WORLD)
    left = ensemble.left.copy()
    left[0, 1] = -9
    with pytest.raises(DataError, match="leaf 8"):
        score(dataclasses.replace(ensemble, left=left), np.zeros((1, 2), dtype=np.float32))


@pytest.mark.parametrize("shape", [(2,), (2, 3)])
def test_a_wrong_number_of_features_is_an_error(shape) -> None:
    with pytest.raises(RequestError, match=r"the trees expect \(N, 2\)"):
        score(from_lightgbm_text(WORLD), np.zeros(shape, dtype=np.float32))
