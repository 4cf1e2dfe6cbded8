"""What an exported network is given, from a question as the house asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from inkling.core.arrays import Array
from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError, RequestError
from inkling.core.query import Query

if TYPE_CHECKING:
    from inkling.ranking._deep import Deep
    from inkling.retrieval._sequence import SequenceModel
    from inkling.retrieval.two_tower import TwoTower


def inputs_of(model: Any, query: Query, candidates: Candidates | None = None) -> dict[str, Array]:
    """Return the inputs by name that the exported network of ``model`` reads for a question.

    ========== =================================================================================================
    sequence   ``items`` (B, L) the newest L events, oldest first, 0 behind the end; ``times`` (B, L) seconds;
               ``lengths`` (B,), 0 for a person of whom nothing is known
    towers     ``history`` (B, L) newest first, -1 behind the end; ``words`` (B, V) hashed attributes of the person
    trees      ``x`` (N, F) the columns that the card names, NaN where one is missing
    ranker     ``x`` (N, D), ``items`` (N,), ``people`` (N,), ``history`` (B, L), ``ages`` (B, L): what the model reads
    ========== =================================================================================================

    Raises:
        ConfigError: The model is of a kind that is not exported.
        RequestError: A ranker was given no candidates.
    """
    from inkling.ranking._deep import Deep
    from inkling.ranking._features import table
    from inkling.ranking.gbdt import Gbdt
    from inkling.retrieval._sequence import SequenceModel
    from inkling.retrieval.two_tower import TwoTower

    if isinstance(model, SequenceModel):
        return _of_sequence(model, query)
    if isinstance(model, TwoTower):
        return _of_towers(model, query)
    if not isinstance(model, Deep | Gbdt):
        raise ConfigError(f"'{getattr(model, 'name', type(model).__name__)}' is not exported to ONNX.")
    if candidates is None:
        raise RequestError(f"'{model.name}' is a ranker: it reads candidates, and none were given.")
    if isinstance(model, Gbdt):
        return {"x": np.ascontiguousarray(table(candidates, model._names))}
    return _of_ranker(model, query, candidates)


def _of_ranker(model: Deep, query: Query, candidates: Candidates) -> dict[str, Array]:
    """Return what a ranker reads; where nobody had anything, a history of one place with nothing in it."""
    found: dict[str, Array] = dict(model._reader.read(query, candidates)._asdict())
    for name in ("history", "ages"):
        if not found[name].shape[1]:
            found[name] = np.zeros((len(found[name]), 1), dtype=found[name].dtype)
    return found


def _of_sequence(model: SequenceModel, query: Query) -> dict[str, Array]:
    from inkling.retrieval._sequence import seconds

    flat, lengths = model._usable(query)
    width = max(int(lengths.max(initial=0)), 1)
    there = np.arange(width) < lengths[:, None]
    items, times = np.zeros(there.shape, dtype=np.int64), np.zeros(there.shape, dtype=np.int64)
    items[there] = query.history.item_rows[flat]
    if model._timed:
        times[there] = seconds(query.history.ts[flat])
    return {"items": items, "times": times, "lengths": lengths.astype(np.int64)}


def _of_towers(model: TwoTower, query: Query) -> dict[str, Array]:
    from inkling.retrieval._windows import latest

    people = model._weights["people_words"]
    nobody = len(people) - 1
    known = (query.user_rows >= 0) & (query.user_rows < nobody)
    words = people[np.where(known, query.user_rows, nobody)]
    history = latest(query.history, model.config.length, len(model._vectors))
    return {"history": history.astype(np.int64), "words": words.astype(np.int64)}
