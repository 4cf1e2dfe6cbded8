"""The metrics by name: ``ndcg@10`` is the metric ``ndcg`` of the first 10 places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from inkling.core.arrays import F64, I32
from inkling.core.errors import ConfigError, nearest
from inkling.core.jagged import Jagged
from inkling.metrics.base import Judged, judge
from inkling.metrics.f1 import f1
from inkling.metrics.hit import hit
from inkling.metrics.map import average_precision
from inkling.metrics.mrr import mrr
from inkling.metrics.ndcg import ndcg
from inkling.metrics.precision import precision
from inkling.metrics.recall import recall

RankingMetric: TypeAlias = Callable[[Judged, int], F64]

RANKING: dict[str, RankingMetric] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "hit": hit,
    "ndcg": ndcg,
    "mrr": mrr,
    "map": average_precision,
}


def parse(name: str) -> tuple[RankingMetric, int]:
    """Return the function and the k of a name such as ``ndcg@10``.

    Raises:
        ConfigError: For an unknown metric, or a k that is not a whole number above 0.
    """
    metric, _, k = name.partition("@")
    if metric not in RANKING:
        raise ConfigError(f"There is no ranking metric '{metric}'.", hint=nearest(metric, RANKING))
    if not (k.isascii() and k.isdigit() and int(k) > 0):
        raise ConfigError(f"Metric '{name}' lacks the number of places.", hint=f"Write for example '{metric}@10'.")
    return RANKING[metric], int(k)


def compute(names: Iterable[str], recommended: I32, relevant: Jagged) -> dict[str, F64]:
    """Measure lists of items against what was relevant.

    Args:
        names: Such as ``ndcg@10``, ``recall@20``.
        recommended: (B, K) item rows in rank order, padded with -1. A k above K counts the missing places as misses.
        relevant: B lists of item rows.

    Returns:
        For each name the value of each person (B,).

    Raises:
        ConfigError: For an unknown name.
        RequestError: Where the two are not about the same number of people.
    """
    wanted = {name: parse(name) for name in names}
    judged = judge(recommended, relevant)
    return {name: metric(judged, k) for name, (metric, k) in wanted.items()}
