"""A smaller order in place of a bundle's own, taught by the answers that the bundle gave before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, Bool
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError, DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine.bundle import Bundle
from inkling.engine.order import new_ranker, shares
from inkling.engine.pipelines.default import Default
from inkling.engine.ranks import ranked_fields
from inkling.engine.smaller import changed, pipeline_of
from inkling.ranking.base import RankingSet

STUDENT = "mimic"
HALF, QUARTER, NETWORK, FUSED = "half the trees", "a quarter of the trees", "network", "no ranker"
_SHARES = {HALF: 0.5, QUARTER: 0.25}
_PEOPLE = 400
"""People whose candidates teach a ranker and its curve."""
_LEAST_GAIN = 0.005
"""Share of the teacher's gain below which the network does without a column."""
_SHOWN = 50
"""Places of the teacher's list, at most half of it, that the network learns to tell apart; what is below is one."""


def with_order(bundle: Bundle, kind: str, teacher: Bundle, run: Run) -> Bundle:
    """Return the bundle with a smaller order, whose probabilities are those of the order before.

    Args:
        bundle: What is changed.
        kind: ``HALF`` or ``QUARTER`` of the trees, the ``NETWORK`` that is taught by the teacher's answers, or
            ``FUSED``: opinions and weights alone.
        teacher: The bundle before any change.
        run: Seed, progress.

    Raises:
        ConfigError: There is no such kind, or the bundle has no trees to leave out.
        DataError: Nobody's candidates are there to learn from.
    """
    pipeline = pipeline_of(bundle)
    asked = _asked(bundle.base, run)
    items = _columns(pipeline, asked)
    wanted, known = _taught(pipeline_of(teacher), asked, items)
    choice = pipeline._choice
    if kind in _SHARES:
        choice = replace(choice, ranker=_cut(pipeline, _SHARES[kind]))
    elif kind == FUSED:
        choice = replace(choice, order="fused", ranker=None)
    elif kind == NETWORK:
        names = _strongest(pipeline, items)
        pipeline.config = msgspec.structs.replace(pipeline.config, network={"features": names})
        ranker = new_ranker(STUDENT, {"features": names})
        choice = replace(choice, order=STUDENT, ranker=ranker.fit(_lessons(asked, items, wanted), run))
    else:
        raise ConfigError(f"There is no order '{kind}'.", hint=f"Allowed: {HALF}, {QUARTER}, {NETWORK}, {FUSED}.")
    pipeline._choice = choice
    pipeline._choice = replace(choice, curve=_curve(pipeline._scores(asked, items)[known], wanted[known]))
    return changed(bundle, pipeline)


def _asked(data: Dataset, run: Run) -> Query:
    """Return a question of some people, as they are today."""
    people = np.unique(data.interactions.user_rows)
    if not len(people):
        raise DataError("Nobody is known whose candidates could teach.", hint="Fit on data with events.")
    chosen = run.rng("taught").permutation(people)[:_PEOPLE]
    return data.query(np.sort(chosen).astype(np.int32))


def _columns(pipeline: Default, asked: Query) -> Candidates:
    """Return people's candidates with all that a ranker may read."""
    limited = pipeline._shown.limited(asked)
    items = pipeline._recall.candidates(limited, pipeline._choice.weights, limit=pipeline.config.n_candidates)
    return ranked_fields(pipeline._described(limited, items))


def _taught(teacher: Default, asked: Query, items: Candidates) -> tuple[F32, Bool]:
    """Return the probability (N,) that the teacher gives each candidate, 0 for one it has not, and which it has."""
    own = _columns(teacher, asked)
    scores = teacher._probability(teacher._scores(asked, own))
    keys = own.segment_rows * asked.n_items + own.item_rows
    order = np.argsort(keys)
    wanted = items.segment_rows * asked.n_items + items.item_rows
    at = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    known: Bool = keys[at] == wanted
    return np.where(known, scores[at], 0).astype(np.float32), known


def _cut(pipeline: Default, share: float) -> Any:
    """Return the ranker with a share of its trees, the first ones: what it was when it had grown so many."""
    ranker = pipeline._choice.ranker
    state = dict(ranker.state()) if ranker is not None else {}
    if "trees.leaf_value" not in state:
        raise ConfigError(f"The order '{pipeline._choice.order}' has no trees to leave out.", hint="Choose another.")
    n = max(round(share * len(state["trees.leaf_value"])), 1)
    cut = {
        name: value[:n] if name == "node_values" or (name.startswith("trees.") and value.ndim == 2) else value
        for name, value in state.items()
    }
    return new_ranker(pipeline._choice.order, pipeline._settings(pipeline._choice.order)).load_state(cut)


def _strongest(pipeline: Default, items: Candidates) -> tuple[str, ...]:
    """Return the columns that gave the order now more than next to nothing; all where it cannot tell."""
    gains = shares(pipeline._choice.ranker)
    there = tuple(sorted(items.fields))
    return tuple(name for name in there if gains.get(name, 0.0) >= _LEAST_GAIN) or there


def _lessons(asked: Query, items: Candidates, wanted: F32) -> RankingSet:
    """Return lists labelled by the odds of the teacher: the first places by their share, the others 0."""
    odds = (wanted / np.maximum(1 - wanted, 1e-6)).astype(np.float64)
    labels = np.zeros(len(odds))
    for begin, end in zip(items.offsets[:-1].tolist(), items.offsets[1:].tolist(), strict=True):
        first = begin + np.argsort(-odds[begin:end], kind="stable")[: min(_SHOWN, (end - begin) // 2)]
        labels[first] = odds[first]
    return RankingSet(asked, items, labels.astype(np.float32))


def _curve(scores: F32, wanted: F32) -> tuple[float, float]:
    """Return slope and intercept that take new scores to the probabilities that were: least squares on the log odds."""
    sure = np.clip(wanted.astype(np.float64), 1e-6, 1 - 1e-6)
    odds, x = np.log(sure / (1 - sure)), scores.astype(np.float64)
    spread = float(x.var())
    slope = float(((x - x.mean()) * (odds - odds.mean())).mean()) / spread if spread > 0 else 1.0
    slope = max(slope, 1e-3)
    return slope, float(odds.mean() - slope * x.mean())
