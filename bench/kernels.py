"""How long the kernels take beside their slow twins, on one core: ``python -m bench.kernels``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from inkling.kernels import jagged, reference
from inkling.kernels.lightgbm_text import from_lightgbm_text
from inkling.kernels.topk import topk
from inkling.kernels.trees import TreeEnsemble, score

N_CANDIDATES, N_FEATURES, N_TREES, N_LEAVES = 200, 30, 100, 16


def median_us(call: Callable[[], object], *, budget_s: float = 0.5) -> float:
    """Return the median duration in microseconds of a call repeated for ``budget_s`` seconds."""
    call()
    durations: list[float] = []
    end = time.perf_counter() + budget_s
    while time.perf_counter() < end or not durations:
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations) * 1e6


def report(name: str, fast: Callable[[], object], slow: Callable[[], object], *, beside: str = "slow twin") -> None:
    """Print one line: the kernel, its median, and how many times longer the other takes."""
    ours, theirs = median_us(fast), median_us(slow)
    print(f"{name:<58} {ours:>10,.1f} us   {beside:<10} {theirs:>12,.1f} us   {theirs / ours:>8,.1f} x")


def bench_topk(rng: np.random.Generator) -> None:
    """Top 100 of rows of three lengths, also beside a full sort."""
    for n in (4_000, 100_000, 1_000_000):
        scores = rng.normal(size=n).astype(np.float32)
        as_list = scores.tolist()
        ours, twin = partial(topk, scores, 100), partial(reference.topk, as_list, 100)
        report(f"topk, best 100 of {n:,}", ours, twin)
        report("", ours, partial(np.argsort, -scores, kind="stable"), beside="numpy sort")


def bench_jagged(rng: np.random.Generator, n_people: int) -> None:
    """The jagged kernels for people of 200 candidates each."""
    offsets = jagged.from_lengths([200] * n_people)
    values = rng.normal(size=offsets[-1]).astype(np.float32)
    rows = rng.integers(150, size=offsets[-1]).astype(np.int32)
    flat, bounds, row_list = values.tolist(), offsets.tolist(), rows.tolist()
    calls: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "topk": (lambda: jagged.segment_topk(offsets, values, 20), lambda: reference.segment_topk(bounds, flat, 20)),
        "rank": (lambda: jagged.segment_rank(offsets, values), lambda: reference.segment_rank(bounds, flat)),
        "unique": (lambda: jagged.segment_unique(offsets, rows), lambda: reference.segment_unique(bounds, row_list)),
        "sum": (lambda: jagged.segment_sum(offsets, values), lambda: reference.segment_sum(bounds, flat)),
        "argmax": (lambda: jagged.segment_argmax(offsets, values), lambda: reference.segment_argmax(bounds, flat)),
        "minmax": (lambda: jagged.segment_normalise(offsets, values), lambda: reference.segment_minmax(bounds, flat)),
    }
    for name, (fast, slow) in calls.items():
        report(f"segment {name}, {n_people:,} x 200", fast, slow)


def bench_trees(rng: np.random.Generator) -> None:
    """A grown ensemble on one answer's candidates, beside walking its nodes and beside lightgbm."""
    import lightgbm

    x = rng.normal(size=(20_000, N_FEATURES)).astype(np.float32)
    x[:, 10:] = np.round(x[:, 10:] * 4) / 4
    x[rng.random(x.shape) < 0.05] = np.nan
    y = np.nan_to_num(x[:, 0]) * np.nan_to_num(x[:, 1]) + np.sin(np.nan_to_num(x[:, 12])) + rng.normal(size=len(x))
    settings = {"num_leaves": N_LEAVES, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y), num_boost_round=N_TREES)
    ensemble = from_lightgbm_text(booster.model_to_string())
    trees = columns_of(ensemble)
    sample = x[:N_CANDIDATES]
    as_lists = sample.tolist()
    name = f"trees, {N_CANDIDATES} x {N_FEATURES}, {N_TREES} of {N_LEAVES} leaves"
    report(name, lambda: score(ensemble, sample), lambda: [reference.score_trees(trees, row) for row in as_lists])
    report("", lambda: score(ensemble, sample), lambda: booster.predict(sample, num_threads=1), beside="lightgbm")
    # Half of a ranker's features speak of the person, the place and the time: equal for all candidates of one answer.
    shared = sample.copy()
    shared[:, ::2] = sample[0, ::2]
    report(
        "the same, half of the features shared by all candidates",
        lambda: score(ensemble, shared),
        lambda: booster.predict(shared, num_threads=1),
        beside="lightgbm",
    )


def columns_of(ensemble: TreeEnsemble) -> list[dict[str, list[float]]]:
    """Return the ensemble as the slow twin reads it."""
    names = ("feature", "threshold", "nan_left", "left", "right", "leaf_value")
    return [{name: getattr(ensemble, name)[tree].tolist() for name in names} for tree in range(ensemble.n_trees)]


def main() -> None:
    """Print all timings."""
    rng = np.random.default_rng(0)
    bench_topk(rng)
    bench_trees(rng)
    bench_jagged(rng, 1)
    bench_jagged(rng, 1_000)


if __name__ == "__main__":
    main()
