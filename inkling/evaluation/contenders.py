"""What can be measured: something that chooses its settings on validation, is fitted, and then answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from inkling.core.config import parse
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.leaks import Provenance
from inkling.protocol.measure import Recommend, measure
from inkling.protocol.replay import Observe
from inkling.retrieval import RETRIEVERS
from inkling.retrieval.base import Retriever, Updatable

TUNE_ON = "ndcg@10"
TUNE_PEOPLE = 3000
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that answers. ``observe`` is there where it learns from new events without another fit."""

    recommend: Recommend
    observe: Observe | None = None


class Contender(Protocol):
    """Anything that is compared with others under one protocol."""

    @property
    def name(self) -> str:
        """Return the name in tables and reports."""

    @property
    def provenance(self) -> Sequence[Provenance]:
        """Return what it brings along that was made elsewhere; it is refused where that saw too much."""

    def choose(self, fold: Fold, run: Run) -> Settings:
        """Return the settings that do best on the fold's validation part."""

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Return a model fitted on ``data``, or one that was fitted before."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A retriever alone, with the settings of a small grid that do best on validation.

    Attributes:
        name: In the tables.
        retriever: Registered name.
        fixed: Settings that make it what its name says, such as a window of 7 days.
        grid: Further settings to choose from.
    """

    name: str
    retriever: str
    fixed: Settings = field(default_factory=dict)
    grid: tuple[Settings, ...] = ({},)
    provenance: tuple[Provenance, ...] = ()

    def choose(self, fold: Fold, run: Run) -> Settings:
        """Return the best settings of the grid by NDCG@10 on at most 3,000 validation people; the first without any."""
        validation = fold.validation
        if validation is None or not len(validation) or len(self.grid) == 1:
            return {**self.fixed, **self.grid[0]}
        validation = sampled(validation, TUNE_PEOPLE, run.rng("tune"))
        group = "warm" if "warm" in validation.groups else next(iter(validation.groups))
        best, best_value = self.grid[0], float("-inf")
        for settings in run.track(self.grid, f"tune {self.name}", total=len(self.grid)):
            fitted = self.fit(validation.train, {**self.fixed, **settings}, run)
            value = measure(validation, fitted.recommend, (TUNE_ON,)).value(TUNE_ON, group=group)
            if value > best_value:
                best, best_value = settings, value
        return {**self.fixed, **best}

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Fit the retriever.

        Raises:
            ConfigError: The retriever does not exist, or a setting does not fit it.
            DataError: The training part holds no positive event, and the retriever needs one.
        """
        kind = RETRIEVERS.get(self.retriever)
        model = cast("Retriever", kind(parse(kind.Config, settings, where=self.name)))
        model.fit(data, run)
        return Fitted(model.retrieve, model.update if isinstance(model, Updatable) else None)


@dataclass(frozen=True, slots=True)
class PipelineContender:
    """A whole pipeline, which chooses its members and weights itself, inside the training part.

    Attributes:
        name: In the tables.
        pipeline: Registered name.
        settings: Its settings; those that the scenario states.
        learns: Whether it takes in new events under replay; otherwise it only sees histories.
        minutes: Limit of one fit; 0 is none.
        on_fit: Told of each fitted pipeline, for whoever goes on with it afterwards.
    """

    name: str
    pipeline: str
    settings: Settings = field(default_factory=dict)
    learns: bool = True
    minutes: float = 0.0
    provenance: tuple[Provenance, ...] = ()
    on_fit: Callable[[Any], None] | None = None

    def choose(self, fold: Fold, run: Run) -> Settings:
        """Return the settings as they are: the fit itself chooses, on validation windows inside what it is given."""
        return self.settings

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Fit the pipeline.

        Raises:
            ConfigError: The pipeline does not exist, or a setting does not fit it.
        """
        from inkling.engine.pipeline import PIPELINES, Trace

        kind = PIPELINES.get(self.pipeline)
        pipeline = kind(parse(kind.Config, settings, where=self.name)).fit(data, run, minutes=self.minutes)
        if self.on_fit is not None:
            self.on_fit(pipeline)

        def observe(events: Interactions) -> None:
            pipeline.observe(events)

        return Fitted(lambda query, k: pipeline.recommend(query, k, Trace()), observe if self.learns else None)


@dataclass(frozen=True, slots=True)
class Ready:
    """A model fitted elsewhere, such as one of a bundle: measured only where it cannot have seen the answers."""

    name: str
    recommend: Recommend
    provenance: tuple[Provenance, ...]

    def choose(self, fold: Fold, run: Run) -> Settings:
        """Return no settings: there is nothing left to choose."""
        return {}

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Return the model as it is.

        Raises:
            DataError: It does not say what it was made from, so nobody can know what it saw.
        """
        if not self.provenance:
            raise DataError(f"{self.name} does not say what it was made from.", hint="State its provenance.")
        return Fitted(self.recommend)
