"""Makes the worlds that contenders answer from: a generated catalogue of any size, and the bundled shop.

A world is written once, beside the results, and read by processes of any environment. The network of the sequence
model is untrained (64 numbers): what an answer costs does not depend on its weights, and untrained it
answers with what is near the last events.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bench._made import DAYS as SPAN_DAYS
from bench._made import START_MS, points
from bench.latency._columns import columns
from bench.latency._models import write_models
from bench.latency._world import CANDIDATES, DAY_MS, EVENTS, World

DIM, N_KINDS, N_TASTES, OF_TASTE = 64, 200, 3, 0.75
_LESSON_PEOPLE, _NEAR, _POOL = 200, 40, 2000
_HALF_LIVES = (7.0, 30.0, 90.0, 365.0)
_TEXTS = 500
_WORDS = 6
FORMAT = 3
FEW_TREES = {"trees": 30, "leaves": 8, "learning_rate": 0.15}
MANY_TREES = {"trees": 60, "leaves": 16, "learning_rate": 0.1}
"""As ``lean`` and ``default`` have them."""


def generated(n_items: int, n_people: int, *, out: Path, blocks: int = 1, seed: int = 0) -> World:
    """Return the world of ``n_items`` items in clusters and ``n_people`` people of three tastes and 50 events each."""
    folder = out / f"world-{n_items}-{n_people}-{blocks}-{FORMAT}"
    if not (folder / "about.json").is_file():
        rng = np.random.default_rng(seed)
        arrays = _catalogue(n_items, rng)
        arrays |= _pasts(arrays, n_people, rng)
        about = {"name": "generated", "n_items": n_items, "n_people": n_people, "seen": "drop"}
        about |= {"columns": "few", "trees": FEW_TREES, "blocks": blocks}
        _write(folder, about | {"now": START_MS + SPAN_DAYS * DAY_MS}, arrays)
    return World.read(folder)


def shop(bundle: Path, *, out: Path) -> World:
    """Return the world of a bundle of the bundled shop: its items, what they say, and its people's last events."""
    folder = out / f"world-shop-{bundle.name}-{FORMAT}"
    if not (folder / "about.json").is_file():
        from bench.latency._shop_world import shop_arrays

        about, arrays, names = shop_arrays(bundle, dim=DIM, n_kinds=N_KINDS)
        about |= {"columns": "many", "trees": MANY_TREES, "blocks": 1}
        _write(folder, about, arrays, names | {"texts": _asked_texts(names.pop("titles"))})
    return World.read(folder)


def known(vectors: Any, counts: Any, prices: Any, rng: np.random.Generator) -> Any:
    """Return what rankers know of items (n, 12): decayed counts, ages, repeats, buyers, and last the price."""
    n = len(vectors)
    first = rng.uniform(0, SPAN_DAYS, n)
    shares = [counts * (1 - 0.5 ** (first / half)) for half in _HALF_LIVES]
    rows = [np.log1p(share) for share in shares]
    rows += [shares[0] / (shares[1] + 1), first, first * rng.random(n), rng.beta(1, 5, n), rng.gamma(2, 20, n)]
    rows += [np.log1p(counts * rng.beta(5, 2, n)), prices.argsort().argsort() / n, prices]
    return np.stack(rows, axis=1).astype(np.float32)


def kinds_of(vectors: Any, n_kinds: int) -> Any:
    """Return each item's category (n,): the nearest of some of the items."""
    anchors = vectors[:: max(len(vectors) // n_kinds, 1)][:n_kinds]
    return np.concatenate(
        [(vectors[at : at + 100_000] @ anchors.T).argmax(axis=1) for at in range(0, len(vectors), 100_000)]
    ).astype(np.int32)


def _catalogue(n_items: int, rng: np.random.Generator) -> dict[str, Any]:
    vectors = points(n_items, DIM, "clustered")
    counts = rng.permutation(n_items / (np.arange(n_items) + 10.0) ** 0.9)
    prices = rng.lognormal(2.0, 1.0, n_items)
    table = known(vectors, counts, prices, rng)
    return {"vectors": vectors, "table": table, "kinds": kinds_of(vectors, N_KINDS), "counts": counts}


def _pasts(arrays: dict[str, Any], n_people: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return everyone's events, oldest first: most are near one of three things that a person likes."""
    vectors, kinds, mass = arrays["vectors"], arrays["kinds"], np.cumsum(arrays.pop("counts"))
    of_kind = [np.flatnonzero(kinds == kind) for kind in range(N_KINDS)]

    def popular(n: int) -> Any:
        return np.searchsorted(mass, rng.random(n) * mass[-1]).astype(np.int32)

    events = np.empty((n_people, EVENTS), dtype=np.int32)
    for person in range(n_people):
        near = [_near(vectors, int(liked), of_kind[kinds[liked]], rng) for liked in popular(N_TASTES)]
        mine = popular(EVENTS)
        for at in np.flatnonzero(rng.random(EVENTS) < OF_TASTE):
            mine[at] = rng.choice(near[rng.integers(N_TASTES)])
        events[person] = mine
    times = START_MS + np.sort(rng.random((n_people, EVENTS)), axis=1) * SPAN_DAYS * DAY_MS
    offsets = np.arange(n_people + 1, dtype=np.int64) * EVENTS
    return {"events": events.ravel(), "times": times.ravel().astype(np.int64), "offsets": offsets}


def _near(vectors: Any, liked: int, alike: Any, rng: np.random.Generator) -> Any:
    pool = rng.choice(alike, min(_POOL, len(alike)), replace=False)
    return pool[np.argsort(-(vectors[pool] @ vectors[liked]))[:_NEAR]]


def _write(
    folder: Path, about: dict[str, Any], arrays: dict[str, Any], names: dict[str, list[str]] | None = None
) -> None:
    """Write a world; ``about.json`` comes last and says that all is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    for name, strings in (names or {}).items():
        (folder / f"{name}.json").write_text(json.dumps(strings), encoding="utf-8")
    about |= write_models(folder, DIM, about["blocks"])
    lessons, labels = _lessons(World(folder, about))
    np.save(folder / "lessons.npy", lessons)
    np.save(folder / "labels.npy", labels)
    (folder / "about.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def _lessons(world: World) -> tuple[Any, Any]:
    """Return columns and labels that rankers learn from: what is near and popular is taken more often."""
    rng = np.random.default_rng(7)
    rows = []
    for person in rng.permutation(world.n_people)[:_LESSON_PEOPLE].tolist():
        had, times = world.history(person)
        scores = world.vectors @ world.vectors[had[-1]]
        best = np.argpartition(-scores, CANDIDATES)[:CANDIDATES]
        best = best[np.argsort(-scores[best])]
        rows.append(columns(world, best, scores[best], (had, times)))
    x = np.concatenate(rows)
    weights = rng.normal(size=x.shape[1])
    spread = np.nan_to_num((x - np.nanmean(x, axis=0)) / (np.nanstd(x, axis=0) + 1e-6))
    logit = spread @ weights + spread[:, 0] * spread[:, 2] - 3.0
    return x, (rng.random(len(x)) < 1 / (1 + np.exp(-logit))).astype(np.int32)


def _asked_texts(titles: list[str]) -> list[str]:
    """Return what people ask for: the first words of some titles."""
    chosen = np.random.default_rng(3).permutation(len(titles))[:_TEXTS]
    return [" ".join(titles[at].lower().split()[:_WORDS]) or "gift" for at in chosen]
