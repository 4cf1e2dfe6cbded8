"""What a measurement is: the split, its cuts and folds, what counts, and how often it is repeated."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from inkling.core.config import Config, to_dict
from inkling.core.errors import ProtocolError, nearest
from inkling.core.scenario import Scenario, Seen, Time

Split = Literal["time", "loo", "random", "given", "cold", "replay"]
SPLITS = ("time", "loo", "random", "given", "cold", "replay")
_DEFAULT: dict[Time, Split] = {"real": "time", "order": "loo", "none": "random"}
_NEEDS: dict[str, tuple[Time, ...]] = {"time": ("real",), "replay": ("real",), "loo": ("real", "order")}


class ProtocolSpec(Config, frozen=True, kw_only=True):
    """Settings of a measurement. Empty values are filled in from the scenario by :func:`resolve`."""

    split: str = ""
    """time, loo, random, given, cold, replay. Empty: time if times are real, loo if there is order, else random."""
    cuts: tuple[float, ...] = (0.9,)
    """Shares of the positive events up to the cuts of time, cold and replay; several are pooled."""
    seen: str = ""
    """keep or drop what a person had. Empty: as the scenario says."""
    ks: tuple[int, ...] = (10, 20)
    """How many places the metrics look at."""
    metrics: tuple[str, ...] = ("ndcg", "recall", "hit", "mrr", "precision", "map")
    """Names of ranking metrics, measured at each of ``ks``."""
    folds: int = 0
    """Cross-validation over this many folds of people, who leave the training part; 0 is off."""
    cold_folds: int = 5
    """Into how many folds the cold split puts the items."""
    seeds: tuple[int, ...] = (0,)
    """Seeds that each model is fitted with."""
    split_seed: int = 0
    """Seed of the random split."""
    n_resamples: int = 1000
    """How many times people are drawn for the intervals."""
    slices: tuple[str, ...] = ()
    """Contexts whose values the report has groups of: names of ``context.*`` columns, hour, weekday."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Return the names of what is measured, such as ``ndcg@10``."""
        return tuple(f"{name}@{k}" for k in self.ks for name in self.metrics)

    @property
    def k(self) -> int:
        """Return how many items are asked for."""
        return max(self.ks)


def resolve(spec: ProtocolSpec, scenario: Scenario) -> ProtocolSpec:
    """Return ``spec`` with every empty value filled in from the scenario, after checking that the data can carry it.

    Raises:
        ProtocolError: The split does not exist or needs times or order that the data lacks, or a number does not fit.
    """
    split = spec.split or _DEFAULT[scenario.time]
    if split not in SPLITS:
        raise ProtocolError(f"There is no split '{split}'.", hint=nearest(split, SPLITS))
    _check_time(split, scenario.time)
    _check_numbers(spec)
    seen: Seen | str = spec.seen or scenario.seen
    if seen not in ("keep", "drop"):
        raise ProtocolError(f"seen is '{seen}'.", hint=nearest(seen, ("keep", "drop")))
    return ProtocolSpec(**{**to_dict(spec), "split": split, "seen": seen})


def describe(spec: ProtocolSpec) -> dict[str, Any]:
    """Return what of a resolved measurement decides targets and candidates, as plain data to print and to hash."""
    chosen: dict[str, Any] = {"split": spec.split, "seen": spec.seen, "folds": spec.folds}
    if spec.split in ("time", "cold", "replay"):
        chosen["cuts"] = list(spec.cuts)
    if spec.split == "cold":
        chosen["cold_folds"] = spec.cold_folds
    if spec.split == "random":
        chosen["split_seed"] = spec.split_seed
    return chosen


def share(cut: float) -> Fraction:
    """Return a cut exactly as it was written, so that .7 of 10 events are 7 and not 6.999."""
    return Fraction(str(cut))


def _check_time(split: str, time: Time) -> None:
    if split == "cold" and time == "none":
        raise ProtocolError(
            "The cold split stands on time or on order, and this data has neither.",
            hint="Use --split random, or given where there is a column split.",
        )
    if time in _NEEDS.get(split, ("real", "order", "none")):
        return
    has = {"order": "an order of events but no real times", "none": "neither times nor an order of events"}[time]
    able = "loo, random or given" if time == "order" else "random or given"
    raise ProtocolError(f"Split '{split}' was asked for, but this data has {has}.", hint=f"Use --split {able}.")


def _check_numbers(spec: ProtocolSpec) -> None:
    if not spec.cuts or not all(0.0 < cut < 1.0 for cut in spec.cuts):
        raise ProtocolError(
            f"cuts are {list(spec.cuts)}, expected shares between 0 and 1.", hint="For example --cuts .8,.9."
        )
    if not spec.ks or min(spec.ks) < 1:
        raise ProtocolError(f"k is {list(spec.ks)}, expected whole numbers from 1.", hint="For example --k 10,20.")
    if spec.folds < 0 or spec.folds == 1:
        raise ProtocolError(f"folds is {spec.folds}, expected 0 (off) or at least 2.")
    if spec.cold_folds < 2:
        raise ProtocolError(f"cold_folds is {spec.cold_folds}, expected at least 2.")
    if not spec.seeds:
        raise ProtocolError("No seed was given.", hint="For example --seeds 0,1,2.")
    if spec.n_resamples < 1:
        raise ProtocolError(f"n_resamples is {spec.n_resamples}, expected at least 1.")
