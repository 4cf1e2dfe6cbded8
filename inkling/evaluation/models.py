"""What ``evaluate`` compares when it is not told: the baselines, tuned with care, and the scenario's own pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from inkling.core.errors import ConfigError, nearest
from inkling.core.scenario import Scenario
from inkling.evaluation.contenders import Baseline, Contender, PipelineContender, Settings
from inkling.retrieval import RETRIEVERS
from inkling.retrieval.ease import Ease
from inkling.retrieval.itemknn import ItemKnn
from inkling.retrieval.markov import Markov

DEFAULT = "default"
FROZEN = "default-frozen"
_COUNTS = ("people", "events")


def _grid(**choices: Sequence[Any]) -> tuple[Settings, ...]:
    return tuple(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))


GRIDS: dict[str, tuple[Settings, ...]] = {
    "popular": _grid(count=_COUNTS),
    "repeat": _grid(half_life_days=(0.0, 60.0, 180.0), repeats=("session", "event"), popularity=(0.3, 1.0)),
    "markov": Markov.grid,
    "itemknn": ItemKnn.grid,
    "ease": Ease.grid,
}
"""Retriever -> the settings tried on validation; the first is taken where there is no validation part."""

_POPULAR: Settings = {"half_life_days": 0.0, "window_days": 0.0}
BASELINES: dict[str, Baseline] = {
    "popular": Baseline("popular", "popular", _POPULAR, GRIDS["popular"]),
    "popular-1d": Baseline("popular-1d", "popular", {**_POPULAR, "window_days": 1.0}, GRIDS["popular"]),
    "popular-7d": Baseline("popular-7d", "popular", {**_POPULAR, "window_days": 7.0}, GRIDS["popular"]),
    "popular-30d": Baseline("popular-30d", "popular", {**_POPULAR, "window_days": 30.0}, GRIDS["popular"]),
    "repeat": Baseline("repeat", "repeat", {}, GRIDS["repeat"]),
    "markov": Baseline("markov", "markov", {}, GRIDS["markov"]),
    "itemknn": Baseline("itemknn", "itemknn", {}, GRIDS["itemknn"]),
    "ease": Baseline("ease", "ease", {}, GRIDS["ease"]),
}


def default_names(split: str) -> tuple[str, ...]:
    """Return what is compared where nothing is said: all baselines and the pipeline, under replay also frozen."""
    return (*BASELINES, DEFAULT, FROZEN) if split == "replay" else (*BASELINES, DEFAULT)


def contender(name: str, scenario: Scenario, *, minutes: float = 0.0) -> Contender:
    """Return what a name stands for: a baseline, the scenario's pipeline, another pipeline, or any other retriever.

    Raises:
        ConfigError: There is no such model.
    """
    from inkling.engine.pipeline import PIPELINES

    if name in BASELINES:
        return BASELINES[name]
    if name in (DEFAULT, FROZEN):
        learns = name == DEFAULT
        return PipelineContender(name, scenario.pipeline, scenario.settings, learns=learns, minutes=minutes)
    if name in PIPELINES.names():
        return PipelineContender(name, name, minutes=minutes)
    if name in RETRIEVERS.names():
        return Baseline(name, name, grid=getattr(RETRIEVERS.get(name), "grid", ({},)))
    known = {*BASELINES, DEFAULT, FROZEN, *PIPELINES.names(), *RETRIEVERS.names()}
    raise ConfigError(f"There is no model named '{name}'.", hint=nearest(name, known))
