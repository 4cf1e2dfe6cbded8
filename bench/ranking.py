# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""AUC and log loss of each ranker on public clicks: ``python -m bench ranking --data DIR``.

Two sets. ``movielens-small``: a rating of 3.5 or more counts as a click; of each person's ratings in time, the first
60% are history, the next 20% are learned from, the last 20% are asked about with the first 80% as history. Columns: how
liked and how often rated item and person were in those histories. ``rating`` predicts the values themselves.
``open-bandit``: what was shown and clicked on a shop's front page; learned from the logs of the shop's own policy,
asked about the logs of the random one, where places are drawn. It holds so few clicks that the errors are wide; they
are printed. ``linear`` and ``gbdt`` read columns, ``dcn`` context too, ``deepfm`` and ``din`` also ids and histories.
"""

from __future__ import annotations

from bench._kept import keep, one_thread

one_thread()

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from inkling.core.arrays import F32, I64
from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.datasets import load, load_tables
from inkling.metrics.auc import auc
from inkling.metrics.logloss import logloss
from inkling.metrics.rmse import rmse
from inkling.ranking import build, propensities, propensities_of_random
from inkling.ranking.base import RankingSet

LIKED = 3.5
POINTWISE = {"loss": "pointwise", "left_each": 0}
MODELS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "linear": ("linear", {"loss": "pointwise"}),
    "gbdt": ("gbdt", {"objective": "binary", "trees": 100}),
    "deepfm": ("deepfm", POINTWISE),
    "dcn": ("dcn", POINTWISE),
    "din": ("din", POINTWISE),
}
BY_PLACE: dict[str, tuple[str, Mapping[str, Any]]] = {
    "gbdt, inverse propensity": ("gbdt", {**MODELS["gbdt"][1], "position": "inverse"}),
    "dcn, inverse propensity": ("dcn", {**POINTWISE, "position": "inverse"}),
    "dcn, tower of places": ("dcn", {**POINTWISE, "position": "tower"}),
}


def films(root: str) -> tuple[RankingSet, RankingSet]:
    """Return what is learned from and what is asked about, of movielens-small."""
    frame = load("movielens-small", root).events.frame.filter(event="rating").sort("user_id", "timestamp", "item_id")
    users, people = np.unique(frame["user_id"].to_numpy(), return_inverse=True)
    films_, rows = np.unique(frame["item_id"].to_numpy(), return_inverse=True)
    ts = frame["timestamp"].cast(int).to_numpy().astype(np.int64)
    values = frame["value"].to_numpy().astype(np.float32)
    counts = np.bincount(people)
    place = np.arange(len(people)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = place / counts[people]
    made = partial(_films_at, people, rows.astype(np.int32), ts, values, share, (len(users), len(films_)))
    return made((0.6, 0.8)), made((0.8, 1.1))


def _films_at(
    people: I64, rows: Any, ts: I64, values: F32, share: Any, shape: tuple[int, int], span: tuple[float, float]
) -> RankingSet:
    """Return the ratings between two shares of each person's, with everything before as history."""
    (n_people, n_items), (start, end) = shape, span
    past, asked = share < start, (share >= start) & (share < end)
    offsets = _offsets(people[past], n_people)
    liked = (values >= LIKED).astype(np.float32)
    history = History(
        offsets, rows[past], ts[past], liked[past], np.zeros(past.sum(), dtype=np.int16), values[past],
        (np.arange(past.sum()) - np.repeat(offsets[:-1], np.diff(offsets))).astype(np.int32),
    )  # fmt: skip
    first = np.full(n_people, np.iinfo(np.int64).max)
    np.minimum.at(first, people[asked], ts[asked])
    columns = {
        **_rates("item", rows, liked, past, asked, n_items),
        **_rates("person", people, liked, past, asked, n_people),
    }
    none = np.zeros(asked.sum(), dtype=np.float32)
    items = Candidates.of(_offsets(people[asked], n_people), rows[asked], none, source="log").with_fields(columns)
    query = Query(history, first, n_items, np.arange(n_people, dtype=np.int32))
    return RankingSet(query, items, liked[asked], further={"rating": values[asked]})


def _rates(name: str, keys: Any, liked: F32, past: Any, asked: Any, n: int) -> dict[str, F32]:
    shown = np.bincount(keys[past], minlength=n)
    rate = (np.bincount(keys[past], liked[past], n) + 5 * liked[past].mean()) / (shown + 5)
    return {
        f"{name}_liked": rate[keys[asked]].astype(np.float32),
        f"{name}_count": shown[keys[asked]].astype(np.float32),
    }


def _offsets(owners: I64, n: int) -> I64:
    return np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=n))]).astype(np.int64)


def front_page(root: str, policy: str) -> RankingSet:
    """Return the impressions of one policy of open-bandit, each under a question of its own."""
    tables = load_tables("open-bandit", root)
    parts = []
    for at, campaign in enumerate(("men", "women")):
        frame, items = tables[f"{policy}-{campaign}/log"], tables[f"{policy}-{campaign}/items"].sort("item_id")
        rows, n = frame["item_id"].to_numpy().astype(np.int64), frame.height
        near = frame.select([f"user-item_affinity_{item}" for item in range(items.height)]).to_numpy()
        columns = {
            "affinity": near[np.arange(n), rows].astype(np.float32),
            "affinity_all": near.sum(axis=1).astype(np.float32),
            "item_feature": items["item_feature_0"].to_numpy()[rows].astype(np.float32),
            "women": np.full(n, at, dtype=np.float32),
        }
        ts = frame["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", strict=False).dt.epoch("ms").fill_null(0)
        context = {f"user_{k}": tuple(frame[f"user_feature_{k}"].to_list()) for k in range(4)}
        nobody = History.of_items(Jagged.from_lists([np.empty(0, dtype=np.int32)] * n))
        query = Query(nobody, ts.to_numpy().astype(np.int64), 100, np.full(n, -1, dtype=np.int32), context=context)
        none = np.zeros(n, dtype=np.float32)
        own = Candidates.of(np.arange(n + 1), (rows + 50 * at).astype(np.int32), none, source="log")
        clicks, places = frame["click"].to_numpy().astype(np.float32), frame["position"].to_numpy().astype(np.int32) - 1
        parts.append(RankingSet(query, own.with_fields(columns), clicks, positions=places))
    return RankingSet.join(parts)


def measured(name: str, settings: Mapping[str, Any], sets: tuple[RankingSet, RankingSet], seeds: int) -> dict[str, Any]:
    """Return the mean over seeds of AUC and log loss on the second set, and what it took."""
    learned, asked = sets
    found: list[dict[str, float]] = []
    for seed in range(seeds):
        begin = time.process_time()
        model = build(name, settings).fit(learned, Run(seed=seed))
        fit_s = time.process_time() - begin
        scores = model.scores(asked.query, asked.candidates).astype(np.float64)
        own = {"AUC": auc(scores, asked.labels), "log loss": logloss(1 / (1 + np.exp(-scores)), asked.labels)}
        found.append({**own, "fit s": fit_s, "ms of 200": answer_ms(model, asked)})
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


def answer_ms(model: Any, data: RankingSet) -> float:
    """Return the median milliseconds (of the processor) in which 200 candidates of one person are scored."""
    longest = int(np.argmax(np.diff(data.query.history.offsets)))
    query, flat = data.query.take([longest]), np.arange(200) % len(data.labels)
    items = data.candidates.select(flat, np.array([0, 200], dtype=np.int64))
    spent = []
    for _ in range(50):
        begin = time.process_time()
        model.scores(query, items)
        spent.append(time.process_time() - begin)
    return float(np.median(spent) * 1000)


def error_of_auc(labels: F32, area: float) -> float:
    """Return the standard error of an AUC (Hanley and McNeil 1982)."""
    n_yes, n_no = float(labels.sum()), float((1 - labels).sum())
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    return float(
        ((area * (1 - area) + (n_yes - 1) * (q1 - area**2) + (n_no - 1) * (q2 - area**2)) / (n_yes * n_no)) ** 0.5
    )


def rated(sets: tuple[RankingSet, RankingSet]) -> dict[str, float]:
    """Return RMSE and MAE of ``rating`` and the RMSE of the mean."""
    learned, asked = sets
    model, actual = build("rating").fit(learned, Run()), asked.further["rating"]
    predicted = model.predict(asked.query, asked.candidates)
    mean = np.full(len(actual), np.nanmean(learned.further["rating"]))
    found = {"RMSE": rmse(predicted, actual), "MAE": float(np.abs(predicted - actual).mean())}
    return {**found, "RMSE of the mean": rmse(mean, actual), "ms of 200": answer_ms(model, asked)}


def places(sets: tuple[RankingSet, RankingSet]) -> dict[str, list[float]]:
    """Return how likely each place of the front page is looked at, by the random log and by EM."""
    learned, asked = sets
    assert asked.positions is not None
    by_rate, by_em = propensities_of_random(asked.labels, asked.positions), propensities(learned)
    return {"random log, by rates": by_rate.tolist(), "shop's log, by EM": by_em.tolist()}


def _table(name: str, sets: tuple[RankingSet, RankingSet], models: Sequence[str], seeds: int) -> dict[str, Any]:
    known = MODELS | (BY_PLACE if sets[0].positions is not None else {})
    labels = sets[1].labels
    print(f"\n{name}: {len(sets[0].labels)} learned from, {len(labels)} asked about, {labels.mean():.2%} clicked")
    print(f"{'ranker':<26}{'AUC':>8}{'+-':>8}{'log loss':>10}{'fit s':>8}{'ms of 200':>11}")
    found: dict[str, Any] = {}
    for model, (ranker, settings) in known.items():
        if models and ranker not in models:
            continue
        one = measured(ranker, settings, sets, seeds)
        one["error"] = error_of_auc(labels, one["AUC"])
        found[model] = one
        numbers = f"{one['AUC']:>8.4f}{one['error']:>8.4f}{one['log loss']:>10.4f}"
        print(f"{model:<26}{numbers}{one['fit s']:>8.1f}{one['ms of 200']:>11.2f}", flush=True)
    share = float(labels.mean())
    print(f"{'the share of clicks alone':<26}{0.5:>8.4f}{'':>8}{logloss(np.full(len(labels), share), labels):>10.4f}")
    return found


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench ranking", description=__doc__)
    parser.add_argument("--data", default=None, help="folder of the public sets (INKLING_DATA)")
    parser.add_argument("--sets", nargs="*", default=["movielens-small", "open-bandit"])
    parser.add_argument("--models", nargs="*", default=[], help="only these rankers")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    loaders: dict[str, Callable[[], tuple[RankingSet, RankingSet]]] = {
        "movielens-small": lambda: films(given.data),
        "open-bandit": lambda: (front_page(given.data, "bts"), front_page(given.data, "random")),
    }
    results: dict[str, Any] = {}
    for name in given.sets:
        sets = loaders[name]()
        results[name] = _table(name, sets, given.models, given.seeds)
        if name == "movielens-small":
            results["rating"] = told = rated(sets)
            print("rating: " + ", ".join(f"{key} {value:.4f}" for key, value in told.items()))
        else:
            results["places"] = told_places = places(sets)
            for way, each in told_places.items():
                print(f"places looked at, {way}: " + ", ".join(f"{value:.2f}" for value in each))
    print(f"kept in {keep('ranking', results)}")


if __name__ == "__main__":
    main()
