"""What is searched: a model, where its settings may lie, and the settings that are tried as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inkling.core.config import Config, override, parse, to_dict
from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.space import Choice, Space
from inkling.evaluation.contenders import Baseline, Contender, Fitted, PipelineContender, Settings
from inkling.evaluation.models import contender
from inkling.protocol.fold import Fold
from inkling.retrieval import RETRIEVERS

NO_SPACE = "states no space: only its own settings and its grid were tried"


@dataclass(frozen=True)
class Searched:
    """One model of a search.

    Attributes:
        name: Of the model, as in ``evaluate``.
        kind: What it is.
        space: Setting -> where to look for it; empty where the model states none.
        given: Settings tried before the search, the model's own first.
        start: The settings that all others change.
        by_name: What answers, with settings that are not yet chosen.
    """

    name: str
    kind: Literal["retriever", "pipeline"]
    space: Space
    given: tuple[Settings, ...]
    start: Config
    by_name: Contender

    @property
    def note(self) -> str:
        """Say what a reader of the result must know."""
        return "" if self.space else NO_SPACE

    def settings(self, changes: Settings) -> dict[str, Any]:
        """Return whole settings: the model's own, with dotted keys changed.

        Raises:
            ConfigError: A key is unknown or a value does not fit.
        """
        return to_dict(override(self.start, changes, where=self.name))

    def fit(self, data: Any, changes: Settings, run: Run) -> Fitted:
        """Return the model, fitted with its own settings but for ``changes``."""
        return self.by_name.fit(data, self.settings(changes), run)


def searched(name: str, scenario: Scenario, *, minutes: float = 0.0) -> Searched:
    """Return what a name stands for in a search.

    Raises:
        ConfigError: There is no such model, or its space names a setting that it has not.
    """
    model = contender(name, scenario, minutes=minutes)
    if isinstance(model, PipelineContender):
        found = _of_pipeline(model)
    elif isinstance(model, Baseline):
        found = _of_baseline(model)
    else:
        raise ConfigError(f"'{name}' has no settings to search.")
    for key, where in found.space.items():
        found.settings({key: where.values[0] if isinstance(where, Choice) else where.low})
    return found


def _of_baseline(model: Baseline) -> Searched:
    kind = RETRIEVERS.get(model.retriever)
    start = parse(kind.Config, model.fixed, where=model.name)
    space = {key: where for key, where in getattr(kind, "space", {}).items() if key not in model.fixed}
    return Searched(model.name, "retriever", space, _distinct(start, model.grid), start, model)


def _of_pipeline(model: PipelineContender) -> Searched:
    from inkling.engine.pipeline import PIPELINES

    kind = PIPELINES.get(model.pipeline)
    start = parse(kind.Config, model.settings, where=model.name)
    given = _distinct(start, getattr(kind, "grid", ()))
    return Searched(model.name, "pipeline", dict(getattr(kind, "space", {})), given, start, model)


def _distinct(start: Config, grid: Sequence[Settings]) -> tuple[Settings, ...]:
    """Return no change, then those of a grid that change something, each once."""
    out: dict[str, Settings] = {}
    for each in ({}, *grid):
        out.setdefault(json.dumps(to_dict(override(start, each)), sort_keys=True), dict(each))
    return tuple(out.values())


def with_settings(name: str, scenario: Scenario, found: Mapping[str, Any], *, minutes: float = 0.0) -> Contender:
    """Return a model with settings that a search found, which it no longer chooses: what ``--settings`` names.

    Raises:
        ConfigError: There is no such model, a key is unknown or a value does not fit.
    """
    model = searched(name, scenario, minutes=minutes)
    return Settled(name, model, dict(found))


@dataclass(frozen=True)
class Settled:
    """A model whose settings are chosen already."""

    name: str
    model: Searched
    changes: Settings

    @property
    def provenance(self) -> tuple[()]:
        """Return nothing: settings are no artefact. Choose them on the same split's validation part."""
        return ()

    def choose(self, fold: Fold, run: Run) -> Settings:
        """Return the settings as they are."""
        return self.model.settings(self.changes)

    def fit(self, data: Any, settings: Settings, run: Run) -> Fitted:
        """Fit the model."""
        return self.model.by_name.fit(data, settings, run)
