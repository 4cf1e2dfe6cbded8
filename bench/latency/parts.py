# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What the parts of one answer take by themselves, on one thread: ``python -m bench latency parts``.

The sequence model's network for one person of 50 events (as ``default`` has it: one block, 128 numbers; as ``lean``:
64), beside the same network in ONNX Runtime. Ranking 200 candidates of the bundled shop: the columns that the default
pipeline reads and the trees, beside LightGBM's own ``predict``, and a small network taught by the trees. By turns.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench._noise import Noise
from bench._shop import people_of, shop_bundle
from bench.latency._turns import by_turns, told
from inkling.core.arrays import F32
from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine.base import Ask
from inkling.engine.engine import LocalEngine, open_engine
from inkling.engine.near import near_fields
from inkling.engine.pipelines.default import Default
from inkling.engine.ranks import ranked_fields
from inkling.kernels.jagged import segment_rank
from inkling.ranking import build
from inkling.ranking.base import RankingSet
from inkling.retrieval._ligr_rows import LigrRows

GOAL_FORWARD_MS, GOAL_RANK_MS = 0.2, 0.25
N_CANDIDATES, EVENTS, N_PEOPLE = 200, 50, 100


def forwards() -> dict[str, Callable[[int], object]]:
    """Return the network of ``sasrec`` for one person in two sizes, in numpy and in ONNX Runtime."""
    import onnxruntime
    import torch

    from inkling.training.export import to_onnx
    from inkling.training.nets.ligr import Ligr
    from inkling.training.nets.sequence import SequenceNet, Served

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    calls: dict[str, Callable[[int], object]] = {}
    for dim in (128, 64):
        torch.manual_seed(0)
        net = SequenceNet(torch.nn.Identity(), Ligr(dim, blocks=1, heads=2), cosine=True)  # type: ignore[arg-type]
        example = {
            "vectors": torch.randn(2, 3, dim),
            "times": torch.zeros(2, 3, dtype=torch.int64),
            "lengths": torch.tensor([3, 2]),
        }
        free = {"vectors": {0: "b", 1: "l"}, "times": {0: "b", 1: "l"}, "lengths": {0: "b"}, "people": {0: "b"}}
        graph = to_onnx(Served(net), example, ["people"], free=free, atol=1e-3)
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        weights = {name: value.numpy() for name, value in net.state_dict().items()}
        rows = LigrRows.of(weights, start="")
        assert rows is not None
        people = np.random.default_rng(0).standard_normal((N_PEOPLE, 1, EVENTS, dim)).astype(np.float32)
        calls[f"sequence, {dim} numbers, numpy"] = _in_numpy(rows, people)
        calls[f"sequence, {dim} numbers, ONNX Runtime"] = _in_onnx(session, people)
    return calls


def _in_numpy(rows: LigrRows, people: F32) -> Callable[[int], object]:
    return lambda number: rows.people(people[number % N_PEOPLE])


def _in_onnx(session: Any, people: F32) -> Callable[[int], object]:
    times, lengths = np.zeros((1, EVENTS), dtype=np.int64), np.array([EVENTS])
    return lambda n: session.run(None, {"vectors": people[n % N_PEOPLE], "times": times, "lengths": lengths})


def rankings(engine: LocalEngine, people: Sequence[str]) -> dict[str, Callable[[int], object]]:
    """Return the columns, the trees and their peers for the default pipeline's own candidates of real people."""
    pipeline, serving = engine.pipeline, engine._serving
    assert isinstance(pipeline, Default)
    now = serving.now_ms()
    queries = [pipeline._shown.limited(serving.query_of([Ask(user_id=user_id)], now_ms=now)) for user_id in people]
    weights = pipeline._choice.weights
    items = [pipeline._recall.candidates(_full(query), weights, limit=N_CANDIDATES) for query in queries]
    data = RankingSet.join([_labelled(pipeline, query, found) for query, found in zip(queries, items, strict=True)])
    trees = build("gbdt", {"trees": 60, "learning_rate": 0.1, "leaves": 16, "min_examples": 5}).fit(data, Run())
    taught = RankingSet(
        data.query, data.candidates, _shares(data.candidates, trees.scores(data.query, data.candidates))
    )
    mimic = build("mimic", {"epochs": 3}).fit(taught, Run())
    asks = trees.asks()

    def described(number: int) -> Candidates:
        at = number % len(queries)
        queries[at].history._kept.clear()  # as if nobody had looked at this history before
        found = pipeline._features.compute(queries[at], items[at], wanted=asks)
        return ranked_fields(near_fields(pipeline._said.semantic.vectors, queries[at], found, wanted=asks))

    ready = [described(number) for number in range(len(queries))]
    names = sorted(asks)
    tables = [np.stack([one.fields[name] for name in names], axis=1).astype(np.float32) for one in ready]
    booster = _lightgbm(tables, [trees.flat(one) for one in ready])
    return {
        "rank: columns": described,
        "rank: trees": lambda n: trees.scores(queries[n % len(queries)], ready[n % len(queries)]),
        "rank: columns and trees": lambda n: trees.scores(queries[n % len(queries)], described(n)),
        "rank: small network": lambda n: mimic.scores(queries[n % len(queries)], ready[n % len(queries)]),
        "rank: columns and small network": lambda n: mimic.scores(queries[n % len(queries)], described(n)),
        "rank: LightGBM predict": lambda n: booster.predict(tables[n % len(tables)], num_threads=1),
    }


def _full(query: Query) -> Query:
    """Return a question about 200 items: what members find is often less."""
    rows = np.random.default_rng(0).permutation(query.n_items)[:N_CANDIDATES]
    return replace(query, candidates=Jagged.from_lists([rows]), exclude=None, allowed=None)


def _labelled(pipeline: Default, query: Query, items: Candidates) -> RankingSet:
    """Return candidates with all columns; what the members like most together stands for what was taken."""
    found = ranked_fields(pipeline._features.compute(query, items))
    labels = np.zeros(len(items.item_rows), dtype=np.float32)
    labels[:3] = 1.0
    return RankingSet(query, found, labels)


def _shares(items: Candidates, scores: F32) -> F32:
    """Return what a network is taught: the trees' say on the first 20 of each person, 0 on the others."""
    first = segment_rank(items.offsets, scores) < 20
    return np.where(first, np.exp(np.clip(scores, -20, 20)), 0).astype(np.float32)


def _lightgbm(tables: Sequence[F32], scores: Sequence[F32]) -> Any:
    import lightgbm

    settings = {"num_leaves": 16, "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    return lightgbm.train(settings, lightgbm.Dataset(np.concatenate(tables), np.concatenate(scores)), 60)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench latency parts", description=__doc__)
    parser.add_argument("--bundle", type=Path, help="a fitted bundle; default: the bundled shop's, fitted once")
    parser.add_argument("--rounds", type=int, default=20, help="blocks of 50 calls (20)")
    parser.add_argument("--quick", action="store_true", help="2 blocks: shows that it runs")
    parser.add_argument("--data", default=None, help="not needed: the bundled shop is asked")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    bundle = shop_bundle(options.bundle, out=options.out)
    noise, rounds = Noise(), 2 if options.quick else options.rounds
    took = by_turns(forwards(), rounds=rounds, size=50, noise=noise)
    with open_engine("memory://", bundle) as engine:
        took |= by_turns(rankings(engine, people_of(bundle, N_PEOPLE)), rounds=rounds, size=50, noise=noise)
    rows = {name: one.row() for name, one in took.items()}
    print(f"{'microseconds':<40}{'p50':>9}{'p99':>9}{'quiet p50':>11}{'quiet p99':>11}")
    for name, row in rows.items():
        print(f"{name:<40}{row['p50_us']:>9,.0f}{row['p99_us']:>9,.0f}{row['quiet_p50_us']:>11,.0f}", end="")
        print(f"{row['quiet_p99_us']:>11,.0f}")
    print(f"machine factor {noise.factor:.2f}: the fixed work's median over its best")
    goals = [
        (name, rows[name]["quiet_p50_us"] / 1000, limit, "ms")
        for name, limit in (
            ("sequence, 128 numbers, numpy", GOAL_FORWARD_MS),
            ("sequence, 64 numbers, numpy", GOAL_FORWARD_MS),
            ("rank: columns and trees", GOAL_RANK_MS),
            ("rank: columns and small network", GOAL_RANK_MS),
        )
    ]
    found = {"took": rows, "machine": noise.summary(), "factor": noise.factor, "reached": told(goals)}
    print(f"kept in {keep('latency-parts', found, out=options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
