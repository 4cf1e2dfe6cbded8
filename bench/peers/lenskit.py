"""The item-kNN of ``LensKit``, in its mode for implicit feedback.

Runs inside the environment of ``lenskit.txt``. Answers come from the history asked with, person by person, as the
library scores them; candidates are the items of its training part that may be recommended.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.peers._serve import Question, Train, serve


class ItemKnn:
    """One model of the library."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        warnings.filterwarnings("ignore")
        self._settings = dict(settings)

    def fit(self, train: Train) -> dict[str, Any]:
        """Fit on distinct pairs: how often somebody had something does not count in this model."""
        os.environ |= dict.fromkeys(("LK_NUM_THREADS", "LK_NUM_BACKEND_THREADS"), str(train.n_threads))
        import pandas as pd
        from lenskit.data import from_interactions_df
        from lenskit.knn import ItemKNNScorer

        pairs = np.unique(np.stack([train.users, train.items], axis=1), axis=0)
        data = from_interactions_df(pd.DataFrame(pairs, columns=["user_id", "item_id"]))
        self._known = np.bincount(train.items, minlength=train.n_items) > 0
        self._model = ItemKNNScorer(**self._settings, feedback="implicit")
        self._model.train(data)
        return {}

    def answer(self, question: Question) -> tuple[Any, Any]:
        """Score the candidates for one person after the other."""
        from lenskit.data import ItemList

        width = question.k + question.spare(self._known)
        rows = np.full((len(question), width), -1, dtype=np.int32)
        scores = np.full(rows.shape, np.nan, dtype=np.float32)
        open_rows, liked = np.flatnonzero(self._known & question.allowed), question.liked
        for person in range(len(question)):
            mine = np.sort(liked[person].indices)
            mine = mine[self._known[mine]]  # the library panics where a history holds what it never saw
            asked = np.setdiff1d(open_rows, mine, assume_unique=True) if question.drop else open_rows
            if not len(mine) or not len(asked):
                continue
            found = self._model(ItemList(item_ids=mine), ItemList(item_ids=asked)).top_n(width)
            rows[person, : len(found)], scores[person, : len(found)] = found.ids(), found.scores()
        return rows, scores


if __name__ == "__main__":
    serve({"itemknn": ItemKnn})
