"""How far each model falls when feedback is noisy or poisoned, and how far an attack gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, stdev

import msgspec
import numpy as np

from inkling.core.arrays import Bool
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.evaluation.contenders import Contender, Settings
from inkling.evaluation.poison import Attack, poison
from inkling.protocol.fold import Fold
from inkling.protocol.measure import Result, measure

METRIC = "ndcg@10"
K = 10
Filter = Callable[[Dataset], Dataset]
"""What cleans a training part before the fit, such as :func:`inkling.events.profiles.without_made_up`."""


class Fall(msgspec.Struct, frozen=True):
    """One model under one attack: means over seeds, and their standard deviation where there are several."""

    model: str
    attack: str
    share: float
    quality: float
    """NDCG@10 of honest people."""
    quality_sd: float
    clean: float
    """The same without an attack."""
    hits: float
    """Share of honest people who are shown the pushed item in their first 10, and neither had it nor wanted it."""
    clean_hits: float
    """The same without an attack."""
    n_people: int
    seeds: tuple[int, ...]

    @property
    def change(self) -> float:
        """Return what is lost (below 0) as a share of the quality without an attack."""
        return self.quality / self.clean - 1 if self.clean else math.nan


class RobustnessReport(msgspec.Struct, frozen=True):
    """All models under all attacks."""

    falls: tuple[Fall, ...]

    def of(self, model: str, attack: str, share: float) -> Fall:
        """Return one measurement (KeyError where it was not made)."""
        return {(fall.model, fall.attack, fall.share): fall for fall in self.falls}[model, attack, share]


def robustness(
    fold: Fold,
    contenders: Sequence[Contender],
    attacks: Sequence[Attack],
    *,
    seeds: Sequence[int] = (0,),
    run: Run | None = None,
    clean: Filter | None = None,
) -> RobustnessReport:
    """Fit models on a fold's training part with and without attacks, and ask the same honest people.

    Settings are chosen once, on the clean validation part. Each seed pushes an item of its own.

    Args:
        fold: Who is asked; its targets and histories stay as they are.
        contenders: Models with a fit of their own.
        attacks: What is put in.
        seeds: Of the attacks and the fits.
        run: Threads, progress.
        clean: Goes over every training part first, the untouched one included; none by default.
    """
    surroundings = run or Run()
    falls = []
    for contender in surroundings.track(contenders, "robustness", total=len(contenders)):
        settings = contender.choose(fold, surroundings)
        untouched: dict[int, Result] = {}
        for attack in attacks:
            pairs = []
            for seed in seeds:
                own = surroundings.with_seed(seed)
                spoiled = poison(fold.train, attack, own)
                if seed not in untouched:
                    untouched[seed] = _answers(contender, settings, fold, fold.train, own, clean)
                spoilt = _answers(contender, settings, fold, spoiled.data, own, clean)
                pairs.append((untouched[seed], spoilt, spoiled.target))
            falls.append(_fall(contender.name, attack, pairs, tuple(seeds)))
    return RobustnessReport(tuple(falls))


def _answers(
    contender: Contender, settings: Settings, fold: Fold, data: Dataset, run: Run, clean: Filter | None
) -> Result:
    fitted = contender.fit(clean(data) if clean else data, settings, run)
    return measure(replace(fold, train=data), fitted.recommend, (METRIC,))


def _fall(name: str, attack: Attack, pairs: Sequence[tuple[Result, Result, int]], seeds: tuple[int, ...]) -> Fall:
    group = "warm" if "warm" in pairs[0][0].groups else next(iter(pairs[0][0].groups))
    values = [spoiled.value(METRIC, group=group) for _, spoiled, _ in pairs]
    return Fall(
        model=name,
        attack=attack.kind,
        share=attack.share,
        quality=fmean(values),
        quality_sd=stdev(values) if len(values) > 1 else 0.0,
        clean=fmean(before.value(METRIC, group=group) for before, _, _ in pairs),
        hits=fmean(hit_ratio(spoiled, target) for _, spoiled, target in pairs),
        clean_hits=fmean(hit_ratio(before, target) for before, _, target in pairs),
        n_people=len(pairs[0][0].groups[group]),
        seeds=seeds,
    )


def hit_ratio(result: Result, target: int) -> float:
    """Return the share of people who see an item that they neither had nor wanted in their first 10; 0 without one."""
    if target < 0:
        return 0.0
    open_to = ~(_owns(result.fold, target) | _wants(result.fold, target))
    if not open_to.any():
        return 0.0
    return float((result.recommended[open_to, :K] == target).any(axis=1).mean())


def _owns(fold: Fold, item: int) -> Bool:
    return np.isin(fold.user_rows, fold.history.user_rows[fold.history.item_rows == item])


def _wants(fold: Fold, item: int) -> Bool:
    owners = np.repeat(np.arange(len(fold)), np.diff(fold.targets.offsets))
    return np.isin(np.arange(len(fold)), owners[fold.targets.values == item])
