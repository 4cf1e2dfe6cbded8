"""Targets and answers as parquet, so that anyone can compute the metrics again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import I64
from inkling.evaluation.evaluate import Evaluation
from inkling.protocol.fingerprint import candidate_ids
from inkling.protocol.fold import LENGTHS, Fold
from inkling.protocol.measure import Result

if TYPE_CHECKING:
    import polars as pl

_OVERLAPPING = frozenset({*LENGTHS, "new_items"})


def dump(evaluation: Evaluation, folder: str | Path) -> list[Path]:
    """Write ``targets``, ``recommendations`` and ``candidates`` as parquet into a folder, which is made if need be.

    - ``targets``: user_id, item_id, group, cut; and fold, question (the line of the fold that was asked; under replay a
      person has several), n_history (events the person had), new_item (no event up to the cut).
    - ``recommendations``: model, seed, user_id, item_id, rank (from 1), score, cut; and fold, question.
    - ``candidates``: fold, item_id.

    Returns:
        The files.
    """
    import polars as pl

    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    tables = {
        "targets": pl.concat([_targets(fold) for fold in evaluation.folds]),
        "recommendations": pl.concat(
            [
                _recommendations(result, trial.name, seed)
                for trial in evaluation.trials
                for seed, results in trial.results.items()
                for result in results
            ]
        ),
        "candidates": pl.concat([_candidates(fold) for fold in evaluation.folds]),
    }
    for name, table in tables.items():
        table.write_parquet(home / f"{name}.parquet", compression="zstd")
    return [home / f"{name}.parquet" for name in tables]


def _targets(fold: Fold) -> pl.DataFrame:
    import polars as pl

    question = np.repeat(np.arange(len(fold)), np.diff(fold.targets.offsets))
    frame = pl.DataFrame(
        {
            "user_id": fold.train.user_ids.ids(fold.user_rows[question]),
            "item_id": fold.train.item_ids.ids(fold.targets.values),
            "group": _main_groups(fold, question),
            "cut": np.full(len(question), fold.cut, dtype=np.int64),
            "fold": [fold.name] * len(question),
            "question": question.astype(np.int32),
            "n_history": fold.n_history()[question].astype(np.int32),
            "new_item": _member(fold, "new_items", question),
        },
        schema_overrides={"user_id": pl.String, "item_id": pl.String, "group": pl.String, "fold": pl.String},
    )
    return frame


def _main_groups(fold: Fold, question: I64) -> list[str]:
    """Return the group of each target, of those that do not overlap: warm, new_users, cold; "" for none."""
    out = np.full(len(question), "", dtype=object)
    for name in fold.groups:
        if name not in _OVERLAPPING:
            out[_member(fold, name, question)] = name
    labels: list[str] = out.tolist()
    return labels


def _member(fold: Fold, name: str, question: I64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which targets of the fold (N,) belong to a group."""
    if name not in fold.groups:
        return np.zeros(len(question), dtype=np.bool_)
    group, n_items = fold.groups[name], len(fold.candidates)
    owners = np.repeat(group.people, np.diff(group.targets.offsets))
    inside = owners * n_items + group.targets.values
    return np.isin(question * n_items + fold.targets.values, inside)


def _recommendations(result: Result, model: str, seed: int) -> pl.DataFrame:
    import polars as pl

    question, place = np.nonzero(result.recommended >= 0)
    fold, n = result.fold, len(question)
    return pl.DataFrame(
        {
            "model": [model] * n,
            "seed": np.full(n, seed, dtype=np.int64),
            "user_id": fold.train.user_ids.ids(fold.user_rows[question]),
            "item_id": fold.train.item_ids.ids(result.recommended[question, place]),
            "rank": (place + 1).astype(np.int32),
            "score": result.scores[question, place],
            "cut": np.full(n, fold.cut, dtype=np.int64),
            "fold": [fold.name] * n,
            "question": question.astype(np.int32),
        },
        schema_overrides={"model": pl.String, "user_id": pl.String, "item_id": pl.String, "fold": pl.String},
    )


def _candidates(fold: Fold) -> pl.DataFrame:
    import polars as pl

    ids = candidate_ids(fold)
    return pl.DataFrame(
        {"fold": [fold.name] * len(ids), "item_id": ids}, schema={"fold": pl.String, "item_id": pl.String}
    )
