"""Trees out of the text in which LightGBM writes its models, without LightGBM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from inkling.core.arrays import F64, Array
from inkling.core.errors import DataError
from inkling.kernels.trees import TreeEnsemble

# LightGBM's decision_type: bit 0 categorical, bit 1 default left, bits 2 and 3 what counts as missing.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_SHIFT, _ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2, 2, 1, 2


def from_lightgbm_text(model: str) -> TreeEnsemble:
    """Read the trees of ``lightgbm.Booster.model_to_string()``, without lightgbm.

    Thresholds are lowered to the next 32-bit float, which decides every 32-bit input as the original does.

    Args:
        model: The model as text: one output, numerical splits, up to 64 leaves a tree.

    Returns:
        The trees; their score equals ``Booster.predict(x, raw_score=True)``, for a random forest divided by its trees.

    Raises:
        DataError: Where the text is not such a model, or uses what plain trees cannot express.
    """
    head, *sections = model.split("\nTree=")
    header = _pairs(head)
    if "max_feature_idx" not in header or not sections:
        raise DataError("The text is not a LightGBM model with trees.", hint="Pass Booster.model_to_string().")
    if header.get("num_tree_per_iteration", "1") != "1":
        raise DataError("The LightGBM model has several outputs.", hint="Train it with one class.")
    trees = [_pairs(section) for section in sections]
    n_leaves = max([2, *(int(tree["num_leaves"]) for tree in trees)])
    nodes = [_read_nodes(tree) for tree in trees]
    columns = {name: _stack([node[name] for node in nodes], n_leaves - 1, fill) for name, fill in _FILL.items()}
    leaves = _stack([_numbers(tree, "leaf_value") for tree in trees], n_leaves, 0.0)
    if "average_output" in head.splitlines():
        leaves /= len(trees)
    n_features = np.array([int(header["max_feature_idx"]) + 1])
    return TreeEnsemble.from_arrays({**columns, "leaf_value": leaves, "n_features": n_features})


_FILL = {"feature": -1, "threshold": 0.0, "nan_left": False, "left": 0, "right": 0}


def _stack(rows: Sequence[Array], width: int, fill: float) -> Array:
    out = np.full((len(rows), width), fill, dtype=rows[0].dtype)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out


def _read_nodes(tree: Mapping[str, str]) -> dict[str, Array]:
    """Return the node columns of one tree, named as in ``TreeEnsemble``."""
    decision = _numbers(tree, "decision_type").astype(np.int64)
    missing = decision >> _MISSING_SHIFT
    if tree.get("num_cat", "0") != "0" or (decision & _CATEGORICAL).any():
        raise DataError("The LightGBM model has categorical splits.", hint="Encode categories as numbers.")
    if tree.get("is_linear", "0") != "0":
        raise DataError("The LightGBM model has linear leaves.", hint="Train with linear_tree=false.")
    if (missing == _ZERO_IS_MISSING).any():
        raise DataError("The LightGBM model treats zero as missing.", hint="Train with zero_as_missing=false.")
    exact = _numbers(tree, "threshold")
    with np.errstate(over="ignore"):
        threshold = exact.astype(np.float32)
    return {
        "feature": _numbers(tree, "split_feature").astype(np.int32),
        "threshold": np.where(threshold > exact, np.nextafter(threshold, np.float32(-np.inf)), threshold),
        # Without a missing type of its own, LightGBM reads NaN as zero.
        "nan_left": np.where(missing == _NAN_IS_MISSING, (decision & _DEFAULT_LEFT) > 0, exact >= 0),
        "left": _numbers(tree, "left_child").astype(np.int32),
        "right": _numbers(tree, "right_child").astype(np.int32),
    }


def _numbers(tree: Mapping[str, str], key: str) -> F64:
    return np.array(tree.get(key, "").split(), dtype=np.float64)


def _pairs(text: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in text.partition("\n\n")[0].splitlines())}
