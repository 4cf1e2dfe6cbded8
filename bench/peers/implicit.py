"""The models of ``implicit`` (Frederickson): alternating least squares, BPR, and item-kNN by BM25, TF-IDF or cosine.

Runs inside the environment of ``implicit.txt``. Answers come from the history asked with: neighbours as they are, ALS
by folding it in (``recalculate_user``); BPR knows only the people of its training part.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from bench.peers._serve import Question, Train, serve

NEIGHBOURS = {"bm25": "BM25Recommender", "tfidf": "TFIDFRecommender", "cosine": "CosineRecommender"}


class Implicit:
    """One model of the library."""

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self._kind, self._settings = kind, dict(settings)
        # Imported here, so that a fit is not charged for it.
        import_module("implicit.als")
        import_module("implicit.nearest_neighbours")

    def fit(self, train: Train) -> dict[str, Any]:
        """Fit; of ALS and BPR the seconds of an iteration are told, without what lies around them."""
        settings, times, counts = self._settings, [], train.counts()
        self._known = np.bincount(train.items, minlength=train.n_items) > 0
        self._taught = np.bincount(train.users, minlength=train.n_users) > 0
        self._model = self._make(settings, train)
        if self._kind in NEIGHBOURS:
            self._model.fit(counts, show_progress=False)
            return {}
        if self._kind == "als":
            self._model.fit(counts, show_progress=False, callback=lambda _, s, *__: times.append(s))
        else:
            self._model.fit(counts, show_progress=False)
        return {"epochs": settings["iterations"], **({"s_per_epoch": float(np.median(times))} if times else {})}

    def _make(self, settings: Mapping[str, Any], train: Train) -> Any:
        from implicit import als, bpr, nearest_neighbours

        if self._kind in NEIGHBOURS:
            return getattr(nearest_neighbours, NEIGHBOURS[self._kind])(**settings, num_threads=train.n_threads)
        kind = als.AlternatingLeastSquares if self._kind == "als" else bpr.BayesianPersonalizedRanking
        return kind(**settings, random_state=train.seed, num_threads=train.n_threads)

    def answer(self, question: Question) -> tuple[Any, Any]:
        """Ask the library for everybody at once."""
        liked = question.liked
        width = min(question.k + question.spare(self._known), len(question.allowed))
        asked = self._asked(question)
        rows = np.full((len(question), width), -1, dtype=np.int32)
        scores = np.full(rows.shape, np.nan, dtype=np.float32)
        if not len(asked):
            return rows, scores
        ids = question.users[asked] if self._kind == "bpr" else asked
        more = {"recalculate_user": True} if self._kind == "als" else {}
        found, values = self._model.recommend(
            ids,
            liked[asked],
            N=width,
            filter_already_liked_items=question.drop,
            **more,
        )
        # The library fills up with items that it scores 0 (neighbours) or far below 0 (what it left out).
        fine = (found >= 0) & (values > (0 if self._kind in NEIGHBOURS else -1e30))
        rows[asked, : found.shape[1]] = np.where(fine, found, -1)
        scores[asked, : found.shape[1]] = np.where(fine, values, np.nan)
        return rows, scores

    def _asked(self, question: Question) -> Any:
        """Return the positions of the people whom the model can say something about."""
        if self._kind == "bpr":
            users = question.users
            return np.flatnonzero((users >= 0) & (users < len(self._taught)) & self._taught[np.maximum(users, 0)])
        return np.flatnonzero(np.diff(question.liked.indptr))


if __name__ == "__main__":
    serve({kind: partial(Implicit, kind) for kind in ("als", "bpr", *NEIGHBOURS)})
