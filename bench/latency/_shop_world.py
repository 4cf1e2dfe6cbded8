"""The bundled shop as a world: items by what they say, real prices and counts, people with their real last events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.latency._world import DAY_MS, EVENTS
from inkling.core.dataset import Dataset
from inkling.encoders._backbone_folder import packaged_minilm
from inkling.encoders._shipped import shipped
from inkling.encoders.exported import ExportedEncoder
from inkling.engine.bundle import Bundle
from inkling.engine.looking import HIDDEN

_HUB = "sentence-transformers/all-MiniLM-L6-v2"
_HALF_LIVES = (7.0, 30.0, 90.0, 365.0)


def shop_arrays(bundle: Path, *, dim: int, n_kinds: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, list[str]]]:
    """Return what a world says of itself, its arrays and its names."""
    from bench.latency._worlds import kinds_of

    base = Bundle.read(bundle).base
    titles = [str(title or "") for title in base.items.frame["title"].to_list()]
    said = np.asarray(ExportedEncoder().encode(titles), dtype=np.float32)
    vectors = _shorter(said, dim)
    people = _people(base)
    history = base.interactions.positives().histories(people, max_events=EVENTS)
    arrays = {
        "vectors": vectors,
        "said": said,
        "table": _known(base),
        "kinds": kinds_of(vectors, n_kinds),
        "offsets": history.offsets,
        "events": history.item_rows,
        "times": history.ts,
    }
    about = {
        "name": "shop",
        "n_items": base.n_items,
        "n_people": len(people),
        "now": base.until,
        "seen": base.scenario.seen,
        "encoder": str(shipped("minilm")),
        "sentence_model": str(packaged_minilm() or _HUB),
    }
    ids = [base.user_ids.id_of(int(row)) for row in people]
    return about, arrays, {"item_ids": list(base.item_ids.ids()), "user_ids": ids, "titles": titles}


def _people(base: Dataset) -> Any:
    rows = np.unique(base.interactions.user_rows[base.interactions.positive])
    return np.array([row for row in rows.tolist() if not base.user_ids.id_of(row).startswith(HIDDEN)], dtype=np.int32)


def _shorter(vectors: Any, dim: int) -> Any:
    """Return the vectors' first principal directions (n, dim), of length one."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    short = centred @ directions[:, ::-1][:, :dim]
    return np.ascontiguousarray(short / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-6), np.float32)


def _known(base: Dataset) -> Any:
    """Return what rankers know of items (n, 12), counted from the events."""
    events, n = base.interactions.positives(), base.n_items
    days = (base.until - events.ts) / DAY_MS

    def counted(weights: Any) -> Any:
        return np.bincount(events.item_rows, weights=weights, minlength=n)

    counts = [counted(0.5 ** (days / half)) for half in _HALF_LIVES]
    first, last = np.full(n, np.nan), np.full(n, np.nan)
    last[events.item_rows] = days
    first[events.item_rows[::-1]] = days[::-1]
    pairs = np.unique(events.user_rows.astype(np.int64) * n + events.item_rows) % n
    buyers, total = np.bincount(pairs, minlength=n), counted(None)
    frame = base.items.frame
    prices = np.array([price or 0.0 for price in frame["price"].to_list()], dtype=np.float32)
    rows = [*(np.log1p(count) for count in counts), counts[0] / (counts[1] + 1), first, last]
    rows += [1 - buyers / np.maximum(total, 1), (first - last) / np.maximum(total - 1, 1), np.log1p(buyers)]
    return np.stack([*rows, prices.argsort().argsort() / n, prices], axis=1).astype(np.float32)
