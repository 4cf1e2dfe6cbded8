"""A bundle's twin of the past: the same settings, fitted without the newest window, on which choices are judged.

What a bundle carries has seen all of its events, so nothing can be measured on them. Its twin has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import numpy as np

from inkling.core.arrays import F32, F64
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine.bundle import Bundle
from inkling.engine.pipeline import Trace
from inkling.engine.pipelines.default import Default
from inkling.engine.smaller import pipeline_of
from inkling.engine.windows import windows
from inkling.kernels.similarity import normalize_rows
from inkling.protocol.fold import Fold, Group
from inkling.protocol.measure import Recommend, measure

METRIC = "ndcg@10"
ANSWERS, TEXTS = "answers", "texts alone"
"""What is compared: the whole answers, and what likeness of texts alone finds."""
_ALL = "all"


def held_out(bundle: Bundle, run: Run) -> Fold:
    """Return the newest window of a bundle's events as a measurement: what was before it is the training part.

    Raises:
        DataError: There are too few events, or people in it.
    """
    found = windows(bundle.base, 1, run)
    if not found:
        raise DataError(
            f"The bundle's {len(bundle.base.interactions):,} events hold no newest window to judge by.",
            hint="Fit it on more events: at least 5 people have to take something in the newest tenth.",
        )
    window = found[0]
    people = np.arange(len(window.user_rows), dtype=np.int64)
    return Fold(
        name="newest",
        train=window.train,
        user_rows=window.user_rows,
        history=window.train.interactions,
        targets=window.targets,
        groups={_ALL: Group(people, window.targets)},
        candidates=window.train.known_items,
        now=np.full(len(people), window.train.until, dtype=np.int64),
        cut=window.train.until,
        seen=window.train.scenario.seen,
        by_time=window.train.scenario.time == "real",
    )


def fit_twin(bundle: Bundle, fold: Fold, run: Run, *, minutes: float = 0.0) -> Bundle:
    """Return the bundle as it would have been before the newest window: the same settings, members and kind of order.

    Args:
        bundle: The bundle of today.
        fold: Of :func:`held_out`.
        run: Seed, threads, progress.
        minutes: Limit of the fit; 0 is none.
    """
    pipeline = pipeline_of(bundle)
    settings = dict(bundle.state.settings["config"])
    members = tuple(pipeline._recall.members)
    settings["leave_out"] = [name for name in settings["members"] if name not in members]
    settings["keep_always"] = list(members)
    settings["order"] = _wished(str(bundle.state.settings["order"]))
    if pipeline._rereader is None and isinstance(settings.get("rank"), dict):
        settings["rank"] = {**settings["rank"], "cross": ""}
    if bundle.state.files:
        settings["encoder"] = str(next(iter(bundle.state.files.values())).parent)
    config = parse(Default.Config, settings, where="bundle")
    twin: Any = Default(config, bundle.scenario).fit(fold.train, run, minutes=minutes)
    return Bundle.of(twin, fold.train, fold.train.scenario, reflects=0)


def _wished(order: str) -> str:
    """Return an order that a fit may be told; a network that was taught learned from trees."""
    allowed = get_args(get_type_hints(Default.Config)["order"])
    return order if order in allowed else "gbdt"


@dataclass(frozen=True)
class Judgement:
    """What a pipeline is worth to each person of a fold."""

    values: Mapping[str, F64]
    """Of what -> (P,) NDCG@10."""
    said: F32
    """(n, n') cosines of the items' own texts, for the likeness of neighbourhoods; (0, 0) without texts."""

    def means(self) -> dict[str, float]:
        """Return the mean over people, by what was measured."""
        return {name: float(values.mean()) for name, values in self.values.items()}


def judge(bundle: Bundle, fold: Fold) -> Judgement:
    """Return what a twin's answers are worth, and those of the likeness of texts alone."""
    pipeline = pipeline_of(bundle)
    asked: dict[str, Recommend] = {ANSWERS: _answers(pipeline)}
    semantic = pipeline._said.semantic
    if semantic.vectors.any():
        asked[TEXTS] = lambda query, k: semantic.retrieve(pipeline._shown.limited(query), k)
    values = {name: measure(fold, ask, (METRIC,)).groups[_ALL].values[METRIC] for name, ask in asked.items()}
    return Judgement(values, _neighbourhoods(semantic.vectors))


def _answers(pipeline: Default) -> Recommend:
    def ask(query: Query, k: int) -> Candidates:
        return pipeline.recommend(query, k, Trace())

    return ask


def _neighbourhoods(vectors: F32, n: int = 400) -> F32:
    """Return the cosines between some items' texts and all others' (n, N)."""
    rows = np.flatnonzero(vectors.any(axis=1)) if vectors.size else np.empty(0, dtype=np.int64)
    if len(rows) < 2:
        return np.zeros((0, 0), dtype=np.float32)
    some = rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(np.int64)]
    unit = normalize_rows(vectors)
    near: F32 = unit[some] @ unit.T
    near[np.arange(len(some)), some] = -1
    return near


def agreement(one: Judgement, other: Judgement, k: int = 10) -> float:
    """Return which share of each text's ``k`` nearest two encoders agree on; NaN without texts."""
    if one.said.shape != other.said.shape or not one.said.size:
        return float("nan")
    k = min(k, one.said.shape[1] - 1)
    first, second = (np.argpartition(-each.said, k - 1, axis=1)[:, :k] for each in (one, other))
    shared = [len(np.intersect1d(a, b)) for a, b in zip(first, second, strict=True)]
    return float(np.mean(shared) / k)
