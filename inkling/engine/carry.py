"""Beginning from another data set: what its pipeline learned, as far as it means something here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from inkling.core.arrays import Array
from inkling.core.errors import InklingError
from inkling.engine import choose
from inkling.engine.choose import Judged
from inkling.engine.order import Choice, asked_columns, flat_scores, new_ranker
from inkling.engine.pipeline import PipelineState, Start
from inkling.engine.weights import Weights

CARRIED = "carried"
"""The name, in reports, of the order that another data set taught."""
_MEMBER = "member."


def member_states(start: Start | None) -> dict[str, Mapping[str, Array]]:
    """Return what each member learned there, by name."""
    arrays = {} if start is None else start.state.arrays
    return {name.removeprefix(_MEMBER): state for name, state in arrays.items() if name.startswith(_MEMBER)}


def carried_choice(start: Start | None, names: Sequence[str]) -> Choice | None:
    """Return the order that the other data set taught, for the members that are here; None where there is none.

    Opinions and features are measured alike everywhere (shares, ranks, ages, counts), so an order can mean the same in
    another shop.
    """
    if start is None or "weights" not in start.state.settings:
        return None
    saved = start.state.settings
    weights = _only(Weights.from_builtins(saved["weights"]), names)
    if not any(weights.values()):
        return None
    slope, intercept = saved["curve"]
    fused = Choice("fused", weights, None, (float(slope), float(intercept)), {})
    return fused if saved["order"] == "fused" else replace(fused, **_ranked(start.state))


def _only(weights: Weights, names: Sequence[str]) -> Weights:
    kept = tuple({name: one.get(name, 0.0) for name in names} for one in weights.by_length)
    return Weights({name: weights.everyone.get(name, 0.0) for name in names}, kept)


def _ranked(state: PipelineState) -> dict[str, Any]:
    """Return the order and its ranker; nothing where this version cannot read it."""
    order = str(state.settings["order"])
    with suppress(InklingError, KeyError, ValueError, TypeError):
        ranker = new_ranker(order, state.settings["config"].get(order, {})).load_state(state.arrays["ranker"])
        return {"order": order, "ranker": ranker}
    return {}


def better(own: Choice, carried: Choice | None, judged: Sequence[Judged]) -> Choice:
    """Return the order that does best on the windows: the one they taught, or the carried one, which wins ties.

    The carried order learned nothing from the windows, so all of them are fair to it; its own value is taken where
    windows it did not learn from were ordered. Without windows there is nothing to set it against: its weights are
    taken, not its ranker, whose columns nobody has seen here.
    """
    if carried is None:
        return own
    if not judged:
        return replace(carried, order="fused", ranker=None, validation={})
    usable = _with_columns(carried, judged)
    scores = [
        choose.fused(window.data.query, window.items, usable.weights)
        if usable.ranker is None
        else flat_scores(usable.ranker, window.data.query, window.items)
        for window in judged
    ]
    value = choose.mean_ndcg(judged, scores)
    validation = {**own.validation, CARRIED: value}
    if value < max(own.validation.values(), default=0.0):
        return replace(own, validation=validation)
    curve = choose.calibrate(np.concatenate(scores), np.concatenate([window.data.labels for window in judged]))
    return replace(usable, curve=curve, validation=validation)


def _with_columns(carried: Choice, judged: Sequence[Judged]) -> Choice:
    """Return the carried order; its weights alone where its ranker reads what is not here."""
    asked = asked_columns(carried.ranker)
    here = set.intersection(*(set(window.items.fields) for window in judged))
    known = carried.ranker is not None and asked is not None and asked <= here
    return carried if known else replace(carried, order="fused", ranker=None)
