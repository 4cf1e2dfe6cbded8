"""Whether what was promised is there: each promise with its numbers, how far, and on how many people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.quality._gather import HEADLINE, Measured, against
from bench.quality._tasks import BASELINES, DEFAULT, FROZEN, LAST, Task

MARGIN = 0.03
Found = Mapping[str, Mapping[str, Measured]]
"""Task -> model -> what was measured."""


@dataclass(frozen=True)
class Verdict:
    """A promise and what came of it.

    Attributes:
        task: Where it was measured.
        promise: In words.
        reached: None where a model that it is about was not measured.
        said: The numbers.
    """

    task: str
    promise: str
    reached: bool | None
    said: str

    def line(self) -> str:
        """Return it as a line to read."""
        outcome = {True: "reached", False: "MISSED", None: "not measured"}[self.reached]
        return f"{self.task}: {self.promise}: {outcome}" + (f" ({self.said})" if self.said else "")

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


NUMBERS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "beauty": (
        ("sasrec", "ndcg@10", 0.0531),
        ("sasrec", "recall@10", 0.0928),
        ("markov", "ndcg@10", 0.046),
        (DEFAULT, "ndcg@10", 0.061),
    ),
    "beauty-ids": ((DEFAULT, "ndcg@10", 0.058),),
    "beauty-refit": (("markov", "ndcg@10", 0.053),),
}
"""Task -> what a model must reach in a metric."""
SECONDS = {"beauty": (("sasrec", 900.0),)}
"""Task -> the seconds in which a model must be fitted."""
BY_TIME = ("online-retail-keep", "online-retail-drop", "movielens-small", "musical-reviews", "insurance", "questions")


def verdicts(task: Task, found: Found) -> list[Verdict]:
    """Return the verdicts on a task; some compare with another task on the same people."""
    models = found.get(task.name, {})
    out = [reaches(task.name, models, *number) for number in NUMBERS.get(task.name, ())]
    out += [within(task.name, models, *limit) for limit in SECONDS.get(task.name, ())]
    if task.name in (*BY_TIME, "lastfm"):
        out.append(not_below_best(task.name, models))
    if task.name in BY_TIME:
        out.append(above(task.name, models, DEFAULT, "popular-7d"))
    if task.goal is not None:
        out.append(above_baselines(task, models))
    if task.name == "smarthome":
        out.append(above(task.name, models, DEFAULT, LAST, metric="hit@1", by=0.05))
    if task.name == "lastfm":
        out.append(above_without(task.name, models, found.get("lastfm-alone", {})))
    return out


def reaches(task: str, models: Mapping[str, Measured], name: str, metric: str, least: float) -> Verdict:
    """Say whether a model's mean is at least so high."""
    promise = f"{name} {metric} at least {least}"
    if name not in models:
        return Verdict(task, promise, None, "")
    value = models[name].mean(metric)
    return Verdict(task, promise, value >= least, f"{value:.4f}, {_seeds(models[name])}, {_refit(models[name])}")


def within(task: str, models: Mapping[str, Measured], name: str, limit_s: float) -> Verdict:
    """Say whether a model is fitted in time."""
    promise = f"{name} is fitted within {limit_s:.0f} s"
    if name not in models:
        return Verdict(task, promise, None, "")
    spent = models[name].price("fit_s")
    return Verdict(task, promise, spent <= limit_s, f"{spent:.0f} s")


def best_single(models: Mapping[str, Measured]) -> Measured | None:
    """Return the model beside ``default`` that wins on the test people: ours or a peer's."""
    singles = [model for name, model in models.items() if name not in (DEFAULT, FROZEN)]
    return max(singles, key=lambda model: model.mean(HEADLINE), default=None)


def not_below_best(task: str, models: Mapping[str, Measured]) -> Verdict:
    """Say whether ``default`` is not below the best single: the lower end of the paired difference above -3%."""
    best = best_single(models)
    promise = f"default not below the best single by more than {MARGIN:.0%} (lower end)"
    if best is None or DEFAULT not in models:
        return Verdict(task, promise, None, "")
    gap, base = against(models[DEFAULT], best).difference, best.mean(HEADLINE)
    low = gap.low / base if base else 0.0
    said = (
        f"{models[DEFAULT].mean(HEADLINE):.4f} against {best.name} {base:.4f}: {_share(gap.mean, base)}, "
        f"lower end {low:+.1%}, n = {gap.n:,}, {_seeds(models[DEFAULT])}"
    )
    return Verdict(task, promise, low > -MARGIN, said)


def above(
    task: str, models: Mapping[str, Measured], ours: str, theirs: str, *, metric: str = HEADLINE, by: float = 0.0
) -> Verdict:
    """Say whether one model is above another, by at least so much."""
    promise = f"{ours} above {theirs} in {metric}" + (f" by at least {by}" if by else "")
    if ours not in models or theirs not in models:
        return Verdict(task, promise, None, "")
    return _compared(task, promise, models[ours], models[theirs], metric, by)


def above_without(task: str, models: Mapping[str, Measured], without: Mapping[str, Measured]) -> Verdict:
    """Say whether links help ``default``: the same people, with and without."""
    promise = "default with links above default without"
    if DEFAULT not in models or DEFAULT not in without:
        return Verdict(task, promise, None, "")
    return _compared(task, promise, models[DEFAULT], without[DEFAULT], HEADLINE, 0.0)


def above_baselines(task: Task, models: Mapping[str, Measured]) -> Verdict:
    """Say whether ``default`` is as far above the best baseline as the README promises."""
    baselines = {name: models[name] for name in models if name in BASELINES}
    promise, best = f"default {task.goal:+.0%} or more above the best baseline", best_single(baselines)
    if best is None or DEFAULT not in models:
        return Verdict(task.name, promise, None, "")
    found, base = against(models[DEFAULT], best), best.mean(HEADLINE)
    gap = found.difference
    said = (
        f"{models[DEFAULT].mean(HEADLINE):.4f} against {best.name} {base:.4f}: {_share(gap.mean, base)}, "
        f"95% interval {gap.low:+.4f} to {gap.high:+.4f}, n = {gap.n:,}"
    )
    reached = gap.mean >= (task.goal or 0.0) * base and gap.low > 0
    return Verdict(task.name, promise, reached, said)


def _compared(task: str, promise: str, ours: Measured, theirs: Measured, metric: str, by: float) -> Verdict:
    gap, base = against(ours, theirs, metric).difference, theirs.mean(metric)
    said = (
        f"{ours.mean(metric):.4f} against {base:.4f}: {gap.mean:+.4f}, 95% interval {gap.low:+.4f} to {gap.high:+.4f}, "
        f"n = {gap.n:,}, {_seeds(ours)}"
    )
    return Verdict(task, promise, gap.mean >= by if by else gap.mean > 0, said)


def _share(gap: float, base: float) -> str:
    return f"{gap / base:+.1%}" if base else f"{gap:+.4f}"


def _seeds(model: Measured) -> str:
    n = len(model.results)
    return f"{n} seed{'' if n == 1 else 's'}"


def _refit(model: Measured) -> str:
    return str(model.results[0].about["refit"])
