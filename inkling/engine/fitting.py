"""The verbs that learn: fit, refit, save, load."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

from inkling.core.config import parse
from inkling.core.dataset import Dataset
from inkling.core.errors import BundleError, RequestError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine import asking
from inkling.engine.base import Ask
from inkling.engine.bundle import Bundle
from inkling.engine.clock import ClockName
from inkling.engine.learning import from_log, prepare
from inkling.engine.pipeline import PIPELINES, Pipeline, Refittable, Start, Startable, Trace
from inkling.engine.serving import Serving
from inkling.engine.storing import Storing
from inkling.events.folder import Folder
from inkling.feedback.tally import Tally
from inkling.stores.freed import give_back


class Fitting(Storing):
    """Learns, and answers with what was learned."""

    _clock_kind: ClockName
    _tally: Tally

    def _start(self, bundle: Bundle | None, scenario: Scenario) -> None:
        """Serve a bundle, or nothing yet, from now on."""
        before: Serving | None = getattr(self, "_serving", None)
        fresh = Serving.of(self._log, bundle, scenario, self._clock_kind)
        self._arms.prepare_if_possible(fresh.views.plan, fresh)
        fresh.commits.replay()  # most of what was written meanwhile, while nobody has to wait for it
        if before is not None:  # who is just writing through the one before is heard by this one as well
            before.commits.attach(fresh.commits.follow, fresh.commits.replay)
            before.commits.detach(self._tally.put)
        fresh.commits.attach(self._tally.put, _nothing)
        self._serving = fresh
        if before is not None:
            before.keeper.stop(timeout_s=0.0)

    def feedback(self, *, wait_s: float = 0.0) -> list[dict[str, Any]]:
        """Return what came of the answers by arm and bundle: answers, clicked, converted, and their rates.

        Args:
            wait_s: Wait so long until everything that was written so far is counted; 0 tells what is counted by now.
        """
        if wait_s > 0:
            self._impressions.flush()
            self._tally.wait(self._commits.version, wait_s)
        return self._tally.rows()

    @property
    def n_events(self) -> int:
        """Return how many events are known, those that the bundle learned from included."""
        return self.views.n_events

    def live_quality(self, bundle: str) -> tuple[int, float]:
        """Return how many answers a bundle gave, and the share of them that anything followed, as far as counted."""
        return self._tally.counts.of_bundle(bundle)

    def _beside(self, bundle: Bundle) -> Serving:
        """Return what serves a bundle beside the main one."""
        return Serving.of(self._log, bundle, bundle.scenario, self._clock_kind)

    def _read_bundle(self, name: str) -> Bundle:
        return Bundle.read(Path(name))

    def warm(self) -> Self:
        """Open what the first question would otherwise wait for: the encoder that reads texts, the prepared tables."""
        self.pipeline.encode(["warm"])
        query = asking.query_of([Ask(history=())], self.views, self.pipeline, now_ms=self.now_ms())
        self.pipeline.recommend(query, 1, Trace())
        give_back()  # of what opening an encoder took
        return self

    def fit(
        self,
        data: str | Path | Folder | None = None,
        *,
        scenario: Scenario | None = None,
        settings: Mapping[str, Any] | None = None,
        minutes: float = 0.0,
        run: Run | None = None,
        start: Bundle | None = None,
    ) -> Self:
        """Learn from a data folder, or from the engine's own log, and answer with what was learned from now on.

        Args:
            data: A data folder; None for the engine's own log.
            scenario: What the business wants; the engine's own where it is left out.
            settings: The pipeline's settings, over those of the scenario.
            minutes: Limit of time; 0 is none.
            run: Seed, threads, progress.
            start: What was learned on other data, to begin from; None begins from nothing.

        Raises:
            BundleError: ``start`` holds another pipeline, or this one cannot begin from another.
        """
        wanted = scenario or self.scenario
        until = self._commits.version  # what comes while the fit runs is applied on top of it
        base, wanted = prepare(data, wanted) if data is not None else (self._own_data(wanted, until), wanted)
        pipeline = new_pipeline(wanted, settings or {})
        if start is not None:
            pipeline = _started(pipeline, start)
        pipeline.fit(base, run or Run(), minutes=minutes)
        return self._take_over(pipeline, base, wanted, reflects=until if data is None else 0)

    def refit(self, data: str | Path | Folder, pipeline: Refittable, *, run: Run | None = None) -> Self:
        """Bring a fitted pipeline up to date with newer data, in the order that its fit chose, and answer with it.

        Args:
            data: A data folder.
            pipeline: What was fitted on earlier data, such as the part before a cut that it was measured at.
            run: Threads, progress.
        """
        base, wanted = prepare(data, self.scenario)
        return self._take_over(pipeline.refit(base, run or Run()), base, wanted, reflects=0)

    def _take_over(self, pipeline: Pipeline, base: Dataset, scenario: Scenario, *, reflects: int) -> Self:
        made = Bundle.of(pipeline, base, scenario, reflects=reflects)
        if reflects:
            made.note(self._log)
        with self._lock:
            self._start(made, scenario)
        return self

    def _own_data(self, scenario: Scenario, until: int) -> Dataset:
        blocks = takewhile(lambda block: block.version <= until, self._log.scan())
        return from_log(blocks, self.views.catalog.rows(), self.views.people_rows(), scenario)

    def save(self, path: str | Path) -> str:
        """Write the bundle to a folder, whole or not at all; return its id.

        Raises:
            RequestError: Nothing was fitted yet.
            BundleError: The folder holds something else.
        """
        if self.bundle is None:
            raise RequestError("There is nothing to save: this engine was not fitted.", hint="Call fit first.")
        self.bundle.write(Path(path))
        return self.bundle.id

    def load(self, path: str | Path) -> Self:
        """Answer with another bundle from now on; what the log holds is applied to it."""
        with self._lock:
            self._start(Bundle.read(Path(path)), self.scenario)
        return self


def _nothing() -> None:
    """Catch up with nothing: who counts reads the log."""


def new_pipeline(scenario: Scenario, settings: Mapping[str, Any]) -> Pipeline:
    """Return the scenario's pipeline, unfitted, with settings over the scenario's own."""
    kind = PIPELINES.get(scenario.pipeline)
    merged = {**scenario.settings, **settings}
    pipeline: Pipeline = kind(parse(kind.Config, merged, where=f"{scenario.pipeline} settings"), scenario)
    return pipeline


def _started(pipeline: Pipeline, bundle: Bundle) -> Pipeline:
    if bundle.pipeline_name != pipeline.name or not isinstance(pipeline, Startable):
        raise BundleError(
            f"The pipeline '{pipeline.name}' cannot begin from a bundle of '{bundle.pipeline_name}'.",
            hint="Fit both with the pipeline 'default'.",
        )
    return pipeline.start(Start(bundle.state, tuple(bundle.base.item_ids)))
